"""What a server depends on, and what follows from that for one that fails (rule D7). Pure.

A server needs all that it depends on: if any of it is out, nobody can tell how the server itself is. Nothing here touches what has an
incident of its own already: only the creation of one waits or is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.health.rollup import ORDER, Judged, Standing, judge
from monitor.health.state import Policy
from monitor.health.words import CheckImpact, State, Status, Why
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.decision import QuietReason

LONGEST = timedelta(seconds=60)
"""So long at most the look that is asked for at an ancestor is waited for."""
_MARGIN = timedelta(seconds=5)


class Verdict(StrEnum):
    """What an ancestor has to do with the failure of a server that depends on it."""

    OUT = "out"
    AWAITED = "awaited"
    WELL = "well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How a check of an ancestor is looked at, None as `timeout` where nobody looks but a job reports."""

    policy: Policy
    timeout: timedelta | None

    @property
    def confirming(self) -> timedelta:
        """How long a confirmation takes at most."""
        one = self.policy.confirm.retry + (self.timeout or timedelta(0))
        return self.policy.confirm.attempts * one + _MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A server that others depend on: how its checks stand, and how they are looked at."""

    server: ServerId
    standings: tuple[Standing, ...]
    rhythms: Mapping[CheckKey, Rhythm]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is shown of a server that fails, and why its failure opens nothing yet, None if nothing stands in the way.

    `anew` asks for its failing checks to be confirmed anew, because what they showed so far was the fault of another.
    """

    judged: Judged
    held: QuietReason | None = None
    anew: bool = False


def verdict(ancestor: Ancestor, *, since: datetime, moment: datetime) -> Verdict:
    """Return what an ancestor has to do with a failure that has been waiting since `since`.

    It is out when all that is confirmed says so; it is awaited while a suspicion may yet come to that, and until it was
    looked at after `since`. Neither is waited for without end.
    """
    if is_out(ancestor.standings):
        return Verdict.OUT
    outage = [one.health for one in ancestor.standings if one.impact is CheckImpact.OUTAGE]
    rhythms = [ancestor.rhythms[health.check] for health in outage]
    waited = moment - since
    if is_doubted(ancestor.standings) and waited < max(one.confirming for one in rhythms):
        return Verdict.AWAITED
    asked = [
        (health, rhythm.timeout)
        for health, rhythm in zip(outage, rhythms, strict=True)
        if rhythm.timeout is not None
    ]
    patience = min(LONGEST, max((timeout for _, timeout in asked), default=timedelta(0)) + _MARGIN)
    unseen = any(health.looked_at is None or health.looked_at < since for health, _ in asked)
    return Verdict.AWAITED if unseen and waited < patience else Verdict.WELL


def is_out(standings: Sequence[Standing]) -> bool:
    """Is it confirmed that all of a server is out? What has to be confirmed anew after a window is not."""
    return _would_be_out(
        standings, lambda one: one.health.confirmed is State.DOWN and not one.health.persisting
    )


def is_doubted(standings: Sequence[Standing]) -> bool:
    """Would all of a server be out if every failure that is not confirmed yet were?"""
    return _would_be_out(standings, lambda one: one.health.confirmed is State.DOWN or _is_suspect(one))


def place(
    *,
    before: Judged | None,
    seen: Judged,
    fresh: bool,
    quiet: bool,
    verdicts: Sequence[Verdict],
) -> Place:
    """Return what becomes of a server that fails, by the verdicts on its ancestors.

    `before` is what was shown of it, `seen` what its checks say; `fresh` tells whether a failing check was confirmed since they had
    to be, `quiet` whether a window keeps it quiet, so that nothing has to wait.
    """
    if Verdict.OUT in verdicts:
        return Place(judged=_unknown(seen, Why.UNREACHABLE), held=QuietReason.PARENT_DOWN)
    because = None if before is None else before.because
    if Verdict.AWAITED in verdicts and (not quiet or because is Why.UNREACHABLE):
        return Place(judged=_no_worse(before, seen), held=QuietReason.PARENT_AWAITED)
    if because is Why.UNREACHABLE:
        return Place(judged=_unknown(seen, Why.RECHECKING), held=QuietReason.PARENT_AWAITED, anew=True)
    if because is Why.RECHECKING and not fresh:
        return Place(judged=_unknown(seen, Why.RECHECKING), held=QuietReason.PARENT_AWAITED)
    return Place(judged=seen)


def topmost(out: Sequence[ServerId], above: Mapping[ServerId, Sequence[ServerId]]) -> tuple[ServerId, ...]:
    """Return the ancestors that are out, those first that depend on none of the others."""
    found = frozenset(out)
    return tuple(sorted(out, key=lambda one: (len(found.intersection(above.get(one, ()))), out.index(one))))


def _is_suspect(one: Standing) -> bool:
    return one.health.state is State.SUSPECT and one.health.hard > 0


def _would_be_out(standings: Sequence[Standing], is_down: Callable[[Standing], bool]) -> bool:
    supposed = [
        replace(one, health=replace(one.health, confirmed=State.DOWN if is_down(one) else State.UP))
        for one in standings
        if one.impact is CheckImpact.OUTAGE
    ]
    return bool(supposed) and judge(supposed).status is Status.MAJOR_OUTAGE


def _unknown(seen: Judged, because: Why) -> Judged:
    return Judged(
        status=Status.UNKNOWN, services=dict.fromkeys(seen.services, Status.UNKNOWN), because=because
    )


def _no_worse(before: Judged | None, seen: Judged) -> Judged:
    if before is None:
        return Judged(status=Status.UNKNOWN, services=dict.fromkeys(seen.services, Status.UNKNOWN))
    return before if ORDER.index(seen.status) > ORDER.index(before.status) else seen
