"""Many servers that begin to fail together: one cause, one incident (rule D8). Pure.

A burst is more than five servers, and more than three in ten, that came under suspicion within a minute. It goes on for as long as
others follow at that pace.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.advance import Level
from monitor.health.rollup import Standing, is_failing
from monitor.health.state import Health
from monitor.health.words import CheckImpact, State
from monitor.identifiers import ServerId

SPAN = timedelta(seconds=60)
"""So close together servers come under suspicion that fail together; and so long at most an incident of theirs is put off."""
_FEWEST = 5
_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Servers that fail together. `tripped_at` is when there were too many of them for a coincidence."""

    servers: frozenset[ServerId]
    tripped_at: datetime


def too_many(total: int) -> float:
    """Return how many of `total` servers may fail within a minute without being a burst."""
    return max(_FEWEST, _SHARE * total)


def onset(standings: Sequence[Standing]) -> datetime | None:
    """Return when a server came under suspicion, or began to fail, as far as customers may notice; None while it is well."""
    return min((began for one in standings if (began := _began(one)) is not None), default=None)


def bursts(onsets: Mapping[ServerId, datetime], total: int) -> tuple[Burst, ...]:
    """Return the bursts among servers by when they came under suspicion, of a fleet of so many; the earliest first."""
    most = too_many(total)
    if len(onsets) <= most:
        return ()
    ordered = sorted(onsets.items(), key=lambda one: (one[1], one[0]))
    moments = [moment for _, moment in ordered]
    found: list[tuple[int, int, datetime]] = []
    for last, moment in enumerate(moments):
        first = bisect_left(moments, moment - SPAN)
        if last + 1 - first <= most:
            continue
        if found and first < found[-1][1]:
            found[-1] = (found[-1][0], last + 1, found[-1][2])
        else:
            found.append((first, last + 1, moment))
    return tuple(
        Burst(servers=frozenset(server for server, _ in ordered[first:end]), tripped_at=tripped_at)
        for first, end, tripped_at in found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A server of a burst that has no incident yet: since when it waits, and whether all that fails was seen once more since."""

    server: ServerId
    since: datetime
    seen_again: bool


def ready(waiting: Iterable[Waiting], moment: datetime) -> frozenset[ServerId]:
    """Return the servers of a burst that are told of now: all of them together, once each was seen to fail once more.

    Nobody waits for the others for longer than a minute; then those are told of that were seen again, or waited for so long.
    """
    every = tuple(waiting)
    over = [one for one in every if moment - one.since >= SPAN]
    if not over and not all(one.seen_again for one in every):
        return frozenset()
    return frozenset(one.server for one in every if one.seen_again or moment - one.since >= SPAN)


def failed_since(health: Health, since: datetime) -> bool:
    """Was a check that is confirmed to fail seen to fail once more after `since`?"""
    return health.looked_at is not None and health.looked_at > since and health.state is not State.RECOVERING


def _began(one: Standing) -> datetime | None:
    if one.impact is CheckImpact.NONE:
        return None
    if is_failing(one):
        return one.health.since
    suspected = one.health.state is State.SUSPECT and any(
        doubt.level >= Level.FELT for doubt in one.health.doubts
    )
    return one.health.streak_since if suspected else None
