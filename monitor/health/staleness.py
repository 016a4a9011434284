"""When what we know of a check is too old to be shown as the present (rule 1.6). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.health.state import Health
from monitor.health.words import State
from monitor.identifiers import CheckKey
from monitor.observation import Outcome

_MARGIN = timedelta(seconds=60)
_FAILING = frozenset({State.DEGRADED, State.DOWN})


def patience(every: timedelta, timeout: timedelta) -> timedelta:
    """Return how old the newest look that told us something may become."""
    return max(3 * every, every + timeout + _MARGIN)


def told_at(health: Health) -> datetime | None:
    """Return when the newest look began that told us something, None if none ever did.

    Of a check that fails it is not on record once looks tell nothing: then it counts from the first of those.
    """
    if health.outcome is not Outcome.UNKNOWN:
        return health.looked_at
    known = [health.last_ok_at, health.doubts[-1].at if health.doubts else None]
    if health.confirmed in _FAILING:
        known.append(health.unknown_since)
    return max((at for at in known if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Which checks are stale, and of each whether it has been so long enough for operators to be told; `due` is when the next one
    could change, None when none can.
    """

    stale: Mapping[CheckKey, bool] = field(default_factory=dict)
    due: datetime | None = None


def survey(
    checks: Iterable[tuple[Health, timedelta]],
    *,
    before: Collection[CheckKey],
    awake_since: datetime,
    moment: datetime,
) -> Survey:
    """Judge the age of what is known of each check, given with its patience, at `moment`.

    After a start, or after we stood still, nobody is stale for want of looks that we did not make: age counts from `awake_since` at
    the earliest. What was stale `before` stays so until a look tells something.
    """
    stale: dict[CheckKey, bool] = {}
    due: datetime | None = None
    for health, limit in checks:
        told = told_at(health)
        if told is None:
            continue
        counted = max(told, awake_since)
        silent = moment - min(counted, moment)
        if silent > limit or (health.check in before and moment - told > limit):
            stale[health.check] = silent > 2 * limit
        turn = counted + (2 if health.check in stale else 1) * limit
        if turn >= moment and (due is None or turn < due):
            due = turn
    return Survey(stale=stale, due=due)
