"""From checks to words: what the health of its checks means for a server, its services, its group and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.health.state import Health
from monitor.health.words import CheckImpact, Indicator, Service, State, Status, Why
from monitor.observation import Cause

# From best to worst. What nobody knows is worse than a planned pause and better than a known fault: a group
# with a blind spot is not shown as fine, and a blind spot does not hide a fault.
ORDER = (
    Status.OPERATIONAL,
    Status.UNDER_MAINTENANCE,
    Status.UNKNOWN,
    Status.DEGRADED_PERFORMANCE,
    Status.PARTIAL_OUTAGE,
    Status.MAJOR_OUTAGE,
)
_RANK = {status: rank for rank, status in enumerate(ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One check of a server as judgement weighs it.

    `is_ping` marks the look at the machine as such: together with any other outage check it condemns the whole server.
    `is_public_warning` tells whether customers may read of it when it is degraded (rule D11). `is_stale` marks one of which what we know
    is too old to count (`monitor.health.staleness`).
    """

    impact: CheckImpact
    service: Service
    health: Health
    is_ping: bool = False
    is_public_warning: bool = False
    is_stale: bool = False

    @property
    def is_isolated(self) -> bool:
        """Did our blocked view hide what the newest look would have seen?"""
        return self.health.cause is Cause.ISOLATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What customers are told of a server: its status, and that of each service that its checks look at.

    `because` tells why it is not simply what the checks say.
    """

    status: Status
    services: Mapping[Service, Status]
    because: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What stands of a server: how it is judged, since when, and the last status that anybody knew of it."""

    judged: Judged
    since: datetime
    last_known: Status


def standing(
    health: Health, *, impact: CheckImpact, service: Service, kind: str, is_stale: bool = False
) -> Standing:
    """Return a check's standing; `kind` is the name of its kind."""
    return Standing(
        impact=impact,
        service=service,
        health=health,
        is_ping=kind == "ping",
        is_public_warning=health.felt or kind == "nagios",
        is_stale=is_stale,
    )


def judge(standings: Sequence[Standing]) -> Judged:
    """Return a server's status and its services'.

    Checks of impact none change nothing; a server that has no others is operational once one of them was seen. A
    service appears when a check that counts belongs to it. Unless a check that we see fails, one that we do not see makes it unknown;
    unless one of these is so, one that comes and goes makes it degraded.
    """
    counting = [one for one in standings if one.impact is not CheckImpact.NONE]
    status = _status_of(counting) if counting else _seen(standings)
    if status is Status.PARTIAL_OUTAGE and _machine_is_out(counting):
        status = Status.MAJOR_OUTAGE
    names = {one.service for one in counting}
    services = {
        service: _service_of([one for one in counting if one.service is service], status)
        for service in Service
        if service in names
    }
    return Judged(status=status, services=services, because=_because(status, counting))


def is_failing(one: Standing) -> bool:
    """Is it confirmed that this check fails in a way that customers are told of?"""
    return not one.is_stale and _fails_publicly(one)


def is_restless(one: Standing) -> bool:
    """Does this check come and go in a way that customers are told of (rule D10)?"""
    return (
        one.impact is not CheckImpact.NONE and one.health.flapping and not (one.is_stale or one.is_isolated)
    )


def is_staff_matter(one: Standing) -> bool:
    """Is it confirmed that this check fails in a way that only operators are told of (rule D11)?"""
    return one.health.confirmed in (State.DOWN, State.DEGRADED) and not _fails_publicly(one)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of `statuses`; of none at all nothing is known."""
    return max(statuses, key=_RANK.__getitem__, default=Status.UNKNOWN)


def group_status(servers: Iterable[Status]) -> Status:
    """Return what a group shows: the worst status of its servers."""
    return worst(servers)


def indicator(groups: Iterable[Sequence[Status]]) -> Indicator:
    """Return the state of the whole page from the statuses of each group's servers.

    Critical means that more than half of all servers, or every server of a group of at least two, are out.
    """
    known = [tuple(group) for group in groups]
    every = [status for group in known for status in group]
    out = every.count(Status.MAJOR_OUTAGE)
    lost_a_group = any(len(group) > 1 and set(group) == {Status.MAJOR_OUTAGE} for group in known)
    if lost_a_group or 2 * out > len(every):
        return Indicator.CRITICAL
    if out or Status.PARTIAL_OUTAGE in every:
        return Indicator.MAJOR
    return Indicator.MINOR if Status.DEGRADED_PERFORMANCE in every else Indicator.NONE


def _fails_publicly(one: Standing) -> bool:
    if one.impact is CheckImpact.NONE:
        return False
    return one.health.confirmed is State.DOWN or (
        one.health.confirmed is State.DEGRADED and one.is_public_warning
    )


def _is_down(one: Standing) -> bool:
    return one.health.confirmed is State.DOWN and not one.is_stale


def _because(status: Status, counting: Sequence[Standing]) -> Why | None:
    if status is Status.UNKNOWN:
        return _unseen(counting)
    unstable = status is Status.DEGRADED_PERFORMANCE and not any(is_failing(one) for one in counting)
    return Why.FLAPPING if unstable else None


def _unseen(counting: Sequence[Standing]) -> Why | None:
    """Return why not every check is seen; None when all are."""
    if any(one.is_isolated for one in counting):
        return Why.ISOLATED
    return Why.STALE if any(one.is_stale for one in counting) else None


def _seen(standings: Sequence[Standing]) -> Status:
    looked = any(one.health.confirmed is not State.UNKNOWN for one in standings)
    return Status.OPERATIONAL if looked else Status.UNKNOWN


def _status_of(counting: Sequence[Standing]) -> Status:
    """Return what these checks say together: the rule for a server and for a service alike."""
    outage = [one for one in counting if one.impact is CheckImpact.OUTAGE]
    down = sum(_is_down(one) for one in outage)
    if down:
        return Status.MAJOR_OUTAGE if down == len(outage) else Status.PARTIAL_OUTAGE
    if any(is_failing(one) for one in counting):
        return Status.DEGRADED_PERFORMANCE
    if _unseen(counting) is not None:
        return Status.UNKNOWN
    return Status.DEGRADED_PERFORMANCE if any(map(is_restless, counting)) else _seen(counting)


def _machine_is_out(counting: Sequence[Standing]) -> bool:
    down = [one for one in counting if one.impact is CheckImpact.OUTAGE and _is_down(one)]
    return len(down) > 1 and any(one.is_ping for one in down)


def _service_of(counting: Sequence[Standing], server: Status) -> Status:
    """Return a service's status; on a machine that is out, a service that fails in part counts as out.

    A service whose looks are all fine is not called out with its server: that would say more than we saw.
    """
    status = _status_of(counting)
    if server is Status.MAJOR_OUTAGE and status is Status.PARTIAL_OUTAGE:
        return Status.MAJOR_OUTAGE
    return status
