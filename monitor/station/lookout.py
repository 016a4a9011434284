"""Everything that looks in one process: the checks that it was given, their rhythms, the prober that makes their looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from monitor.checks.building import build
from monitor.checks.contract import Check
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets, refers
from monitor.observation import Observation
from monitor.prober import Known, Prober
from monitor.scheduling import Scheduler, moment_of, newest_turn

# To build fifty thousand checks takes seconds; looks that are under way must not wait so long.
_SLICE = 100
# A look may seem to begin a moment before its turn: the two clocks are read one after the other.
_TOLERANCE = timedelta(milliseconds=50)
_BEFORE_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A check for somebody to look at from now on.

    `until` is the monotonic moment up to which somebody else took its turns; None for one that is new or changed, which gets a
    first look soon. `known` is what is known of it already.
    """

    plan: CheckPlan
    until: float | None = None
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears what comes of looking: looks, how many seconds late each began, how many were skipped or lost, jobs that were
    missed, and troubles of our own by part and words. Everything is called on the loop's thread and returns at once.
    """

    look: Callable[[Observation], None]
    late: Callable[[float], None]
    skipped: Callable[[int], None]
    dropped: Callable[[int], None]
    missed: Callable[[str], None]
    fault: Callable[[str, str], None]


class Looking(Protocol):
    """Somebody who looks at the checks that are given: this process itself, or another one."""

    async def ready(self) -> None:
        """Wait until orders are heard, at most for a while."""

    def renew(self, secrets: Secrets) -> None:
        """Fill references anew with these secrets; checks without references are left alone."""

    async def drop(self, keys: Collection[CheckKey]) -> Mapping[CheckKey, Known]:
        """Look at these checks no more; return what is known of them. Looks that are under way are dropped."""

    async def take(self, assignments: Iterable[Assignment]) -> None:
        """Look at these checks from now on."""

    def again(self, key: CheckKey, after: timedelta) -> None:
        """Look at a check once more `after` this moment, besides its rhythm."""

    def now(self, keys: Iterable[CheckKey]) -> None:
        """Look at these checks at once."""

    async def close(self) -> None:
        """Look no more, and hand over every look that has ended."""


def taken_until(plan: CheckPlan, looked_at: datetime | None, moment: float, present: datetime) -> float:
    """Return up to which monotonic moment the turns of a check count as taken, by when it was looked at last.

    `moment` and `present` are now, by the monotonic clock and by the wall's.
    """
    turn = moment_of(newest_turn(plan.key, plan.every, moment))
    began = present - timedelta(seconds=moment - turn)
    taken = looked_at is not None and looked_at >= began - _TOLERANCE
    return moment if taken else turn - _BEFORE_S


class Lookout:
    """Looks in this process. `scheduler` begins looks by calling `begin` of this very lookout."""

    def __init__(self, prober: Prober, scheduler: Scheduler, secrets: Secrets) -> None:
        self._prober = prober
        self._scheduler = scheduler
        self._secrets = secrets
        self._checks: dict[CheckKey, tuple[CheckPlan, Check]] = {}

    async def ready(self) -> None:
        """Be there at once."""

    def renew(self, secrets: Secrets) -> None:
        """Build those checks anew that have a secret."""
        self._secrets = secrets
        stale = {key: plan for key, (plan, _) in self._checks.items() if refers(plan.options)}
        if stale:
            self._checks |= {
                key: (plan, build(plan.kind, plan.options, secrets)) for key, plan in stale.items()
            }
            self._prober.replace(self._checks)

    async def drop(self, keys: Collection[CheckKey]) -> Mapping[CheckKey, Known]:
        """Look at these checks no more; return what is known of them."""
        known = {key: self._prober.known(key) for key in keys if key in self._checks}
        for key in known:
            del self._checks[key]
        self._put_in_force({})
        return known

    async def take(self, assignments: Iterable[Assignment]) -> None:
        """Look at these checks from now on; they are built a few at a time."""
        taken = list(assignments)
        for place, each in enumerate(taken, start=1):
            self._checks[each.plan.key] = each.plan, build(each.plan.kind, each.plan.options, self._secrets)
            if place % _SLICE == 0:
                await asyncio.sleep(0)
        self._put_in_force({each.plan.key: each.until for each in taken if each.until is not None})
        for each in taken:
            self._prober.resume(each.plan.key, each.known)

    def again(self, key: CheckKey, after: timedelta) -> None:
        """Look at a check once more `after` this moment, besides its rhythm."""
        self._scheduler.again(key, after)

    def now(self, keys: Iterable[CheckKey]) -> None:
        """Look at these checks at once."""
        self._scheduler.now(keys)

    async def close(self) -> None:
        """Look at nothing any more."""
        await self.drop(list(self._checks))

    def _put_in_force(self, settled: Mapping[CheckKey, float]) -> None:
        self._prober.replace(self._checks)
        self._scheduler.replace([plan for plan, _ in self._checks.values()], settled)
