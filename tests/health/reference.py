"""The rules of one check once more, written from the sentences and for nothing but to be right.

It keeps everything that ever happened and, asked how the check stands, goes through all of it again from the beginning. At each look
it asks the rules' own questions of the whole line of looks. Nothing is taken from the code that it is held against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

BADNESS = {"O": 0, "N": 1, "S": 2, "D": 3}
WORDS = {0: "up", 1: "degraded", 2: "degraded", 3: "down"}


class Look(NamedTuple):
    """One look in a letter; `number` counts those of whoever looks, 0 for who does not count. `doubtful` says that we saw in part."""

    letter: str
    began: datetime
    number: int = 0
    doubtful: bool = False


class Policy(NamedTuple):
    """From here on so many looks confirm."""

    attempts: int
    recoveries: int


class WindowEnds(NamedTuple):
    """A quiet time is over."""


class Anew(NamedTuple):
    """Until now it failed by another's fault: what it shows from here on is its own."""

    at: datetime


class Restart(NamedTuple):
    """Another process goes on, and counts its looks from one again."""


Event = Look | Policy | WindowEnds | Anew | Restart


@dataclass
class Stand:
    """How a check stands; `held` is None while nothing is known. `told` is what the newest event confirmed: before, after, since."""

    attempts: int = 3
    recoveries: int = 2
    held: int | None = None
    since: datetime | None = None
    persisting: bool = False
    flapping_since: datetime | None = None
    told: tuple[str, str, datetime] | None = None
    newest: Look | None = None
    number: int = 0
    line: list[tuple[int, datetime]] = field(default_factory=list)
    wellness: list[bool] = field(default_factory=list)
    unknowns: int = 0
    last_ok_at: datetime | None = None

    @property
    def word(self) -> str:
        return "unknown" if self.held is None else WORDS[self.held]

    @property
    def state(self) -> str:
        newest = self.line[-1][0] if self.line else self.held
        if self.persisting:
            return "recovering" if newest == 0 else self.word
        held = 0 if self.held is None else self.held
        if newest is None or newest == held:
            return self.word
        return "suspect" if newest > held else "recovering"


def stand(events: Iterable[Event], attempts: int = 3, recoveries: int = 2) -> Stand:
    """Return how a check stands after all of this."""
    check = Stand(attempts=attempts, recoveries=recoveries)
    for event in events:
        check.told = None
        if isinstance(event, Policy):
            check.attempts, check.recoveries = event
        elif isinstance(event, Restart):
            check.number = 0
        elif isinstance(event, WindowEnds | Anew):
            # What failed is confirmed anew. What was seen before confirms nothing, and says nothing about rest or unrest;
            # but the good looks of a recovery that has begun are not the other's doing.
            if isinstance(event, WindowEnds) or not _is_mending(check):
                check.line.clear()
                check.wellness[:-1] = []
                check.flapping_since = None
            while any(bad for bad, _ in check.line):
                check.line.pop(0)
            check.persisting = check.held in (1, 2, 3)
            check.since = event.at if isinstance(event, Anew) else check.since
        else:
            _take(check, event)
    return check


def _take(check: Stand, look: Look) -> None:
    if _is_late(check, look):
        return
    check.newest, check.number = look, look.number
    if look.letter == "?":
        check.unknowns += 1
        return
    check.unknowns = 0
    if look.letter == "O":
        check.last_ok_at = look.began
    bad = BADNESS[look.letter]
    check.line.append((bad, look.began))
    check.wellness.append(bad < 2)
    if check.flapping_since is None:
        check.flapping_since = look.began if restlessness(check.wellness) > 30 else None
    elif restlessness(check.wellness) <= 25:
        check.flapping_since = None
    found = _found(check, check.attempts + 2 * look.doubtful)
    if found is not None:
        before, (held, start) = check.word, found
        # What goes on after a window began when it began.
        if not (check.persisting and held == check.held and check.since is not None):
            check.since = start
        check.held, check.persisting = held, False
        assert check.since is not None
        check.told = (before, check.word, check.since)


def restlessness(wellness: Sequence[bool]) -> float:
    """Icinga's share, in percent, of the newest 20 changes: the newest weighs 1.18, each older one 0.02 less."""
    changed = [before is not after for before, after in pairwise(wellness)][-20:]
    return sum(118 - 2 * age for age, one in enumerate(reversed(changed)) if one) / 20


def _is_mending(check: Stand) -> bool:
    """Is the check recovering, and were all looks good since it began to?"""
    if check.state != "recovering":
        return False
    for bad, _ in reversed(check.line):
        if bad:
            return bad >= (check.held or 0)
    return True


def _is_late(check: Stand, look: Look) -> bool:
    """Neither its number nor its time shows that it is younger than the newest."""
    return check.newest is not None and look.number <= check.number and look.began <= check.newest.began


def _found(check: Stand, attempts: int) -> tuple[int, datetime] | None:
    """Return what the line of looks confirms now, and since when that holds."""
    held, recoveries = check.held, check.recoveries
    if held is None:
        return _confirmed(check, 1, (0,), attempts, (3, 2, 1))
    if check.persisting:
        return _confirmed(check, recoveries, (0,), attempts, (3, 2, 1))
    better = tuple(bad for bad in (0, 1, 2) if bad < held)
    worse = tuple(bad for bad in (3, 2, 1) if bad > held)
    return _confirmed(check, recoveries, better, attempts, worse)


def _confirmed(
    check: Stand, recoveries: int, better: tuple[int, ...], attempts: int, worse: tuple[int, ...]
) -> tuple[int, datetime] | None:
    for bad in worse:
        if start := _run(check.line, attempts, range(bad, 4)):
            return bad, start
    for bad in better:
        if start := _run(check.line, recoveries, range(bad + 1)):
            return bad, start
    return None


def _run(line: Sequence[tuple[int, datetime]], wanted: int, allowed: range) -> datetime | None:
    """Return when the newest looks in a row that are all `allowed` began, if there are as many as wanted."""
    run = []
    for bad, began in reversed(line):
        if bad not in allowed:
            break
        run.append(began)
    return run[-1] if len(run) >= wanted else None
