"""What follows for customers from what is confirmed of a server: the incident decision.

A decision is a value; nothing happens here. At most one detected public incident per server is open at a time: while
one is, checks join it, it worsens, eases, recovers and relapses, and no decision opens another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.fleet import Server
from monitor.health.rollup import Judged
from monitor.health.words import Status
from monitor.identifiers import CheckKey
from monitor.incidents.incident import CheckEvidence, Impact, Incident, Stage
from monitor.maintenance.window import Window

_AUTHOR = "vigia"
_IMPACTS = {
    Status.MAJOR_OUTAGE: Impact.CRITICAL,
    Status.PARTIAL_OUTAGE: Impact.MAJOR,
    Status.DEGRADED_PERFORMANCE: Impact.MINOR,
}


class QuietReason(StrEnum):
    """Why a confirmed failure tells nobody; shown in the console and counted by label."""

    MAINTENANCE = "maintenance"
    PARENT_DOWN = "parent_down"
    FLAPPING = "flapping"
    ACKNOWLEDGED = "acknowledged"
    ISOLATED = "isolated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that the decision about one server rests on.

    `failing` are the checks confirmed down or degraded that count for the public status. `open` is the server's open
    detected public incident, `recent` its newest resolved one. `window` is the one that keeps the server quiet at
    `moment`, `quiet_until` the newest end of such a time before `moment`. `persisting` are failing checks that
    were not confirmed anew since then (rule M2). `recovered_at` is the first good look of the newest recovery.
    """

    server: Server
    judged: Judged
    failing: tuple[CheckEvidence, ...]
    open: Incident | None
    recent: Incident | None
    window: Window | None
    moment: datetime
    quiet_until: datetime | None = None
    persisting: frozenset[CheckKey] = frozenset()
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open an incident. `persists` tells that it goes on from a window, at whose end it then starts."""

    impact: Impact
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]
    started_at: datetime
    persists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """More checks of the server fail. `checks` are the new ones, `impact` holds from now on."""

    checks: tuple[CheckKey, ...]
    impact: Impact
    evidence: tuple[CheckEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsen:
    """The same checks now mean more for customers: the ticket is raised."""

    impact: Impact
    evidence: tuple[CheckEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease:
    """The failure means less for customers than before; the ticket's priority stays."""

    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Nothing fails any more: watch it for `resolve_after`. `ended_at` is the first good look."""

    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Relapse:
    """It fails again while being watched: back to investigating. `checks` are those that never failed in it before."""

    impact: Impact
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """The problem is back soon after its resolution: the same incident and ticket go on."""

    incident: Incident
    impact: Impact
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Something is to be told and is not, for a reason that is."""

    reason: QuietReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """All that there is to tell was told."""


Decision = Open | Join | Worsen | Ease | Recover | Relapse | Reopen | Quiet | Nothing


def impact_of(status: Status) -> Impact:
    """Return how bad an incident is for customers whose server is judged so."""
    return _IMPACTS.get(status, Impact.NONE)


def decide(situation: Situation) -> Decision:
    """Return what to tell about one server; carrying it out and asking again gives Nothing, or Quiet."""
    if not situation.failing or impact_of(situation.judged.status) is Impact.NONE:
        return _calm(situation)
    if situation.window is not None:
        return Quiet(reason=QuietReason.MAINTENANCE)
    fresh = tuple(one for one in situation.failing if one.check not in situation.persisting)
    if situation.open is not None:
        return _go_on(situation, situation.open, fresh)
    return _begin(situation, fresh) if fresh else Quiet(reason=QuietReason.MAINTENANCE)


def due(incident: Incident, server: Server, moment: datetime, judged: Judged) -> bool:
    """Is it time to resolve: was all well for `resolve_after`, and is it now? Not while nobody knows."""
    if incident.stage is not Stage.MONITORING or incident.monitoring_since is None:
        return False
    well = judged.status is Status.OPERATIONAL
    return well and moment - incident.monitoring_since >= server.resolve_after


def resolved_by_a_person(incident: Incident) -> bool:
    """Was the newest word that resolved it an operator's? Such an incident does not reopen by itself (rule D9)."""
    resolutions = [update for update in incident.updates if update.stage is Stage.RESOLVED]
    return bool(resolutions) and resolutions[-1].author != _AUTHOR


def _calm(situation: Situation) -> Decision:
    """Decide when nothing fails. A recovery is told in a window too (rule M3), but never guessed from silence."""
    incident = situation.open
    if incident is None or incident.stage is Stage.MONITORING or situation.judged.status is Status.UNKNOWN:
        return Nothing()
    # The newest recovery may be older than the incident, when what failed in it is no longer watched.
    return Recover(ended_at=max(situation.recovered_at or situation.moment, incident.started_at))


def _go_on(situation: Situation, incident: Incident, fresh: tuple[CheckEvidence, ...]) -> Decision:
    impact = impact_of(situation.judged.status)
    if not fresh:
        return Quiet(reason=QuietReason.MAINTENANCE)
    new = tuple(one.check for one in fresh if one.check not in incident.checks)
    if incident.stage is Stage.MONITORING:
        return Relapse(impact=impact, checks=new, evidence=fresh)
    if new:
        return Join(checks=new, impact=impact, evidence=tuple(one for one in fresh if one.check in new))
    if impact.severity > incident.impact.severity:
        return Worsen(impact=impact, evidence=fresh)
    if impact.severity < incident.impact.severity:
        return Ease(impact=impact)
    return Nothing()


def _begin(situation: Situation, fresh: tuple[CheckEvidence, ...]) -> Open | Reopen:
    impact = impact_of(situation.judged.status)
    checks = tuple(one.check for one in fresh)
    since = min(one.failing_since for one in fresh)
    quiet_until = situation.quiet_until
    persists = quiet_until is not None and since < quiet_until
    started_at = quiet_until if quiet_until is not None and persists else since
    if situation.recent is not None and _reopens(situation.recent, situation.server, started_at):
        return Reopen(incident=situation.recent, impact=impact, checks=checks, evidence=fresh)
    return Open(impact=impact, checks=checks, evidence=fresh, started_at=started_at, persists=persists)


def _reopens(recent: Incident, server: Server, failing_since: datetime) -> bool:
    """Did it begin to fail again soon enough after it was resolved, and not by a person?"""
    if recent.stage is not Stage.RESOLVED or recent.resolved_at is None or resolved_by_a_person(recent):
        return False
    return failing_since - recent.resolved_at <= server.reopen_within


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Everything that the decision about one check's matter for the staff rests on (rule D11).

    `evidence` is None while nothing is confirmed that only operators are told of. `open` is the check's open
    incident with `audience` operators. `persisting` tells that the failure was not confirmed anew since a window.
    """

    evidence: CheckEvidence | None
    open: Incident | None
    window: Window | None
    moment: datetime
    persisting: bool = False
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tell operators, and only them: an incident of impact none with one check."""

    check: CheckKey
    evidence: CheckEvidence
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The matter is settled, or has become one that customers are told of: resolve the operators' incident."""

    ended_at: datetime


def decide_warning(warned: Warned) -> Tell | Settle | Quiet | Nothing:
    """Return what to tell operators about one check whose failure customers do not notice."""
    if warned.evidence is None:
        return Settle(ended_at=warned.recovered_at or warned.moment) if warned.open is not None else Nothing()
    if warned.open is not None:
        return Nothing()
    if warned.window is not None or warned.persisting:
        return Quiet(reason=QuietReason.MAINTENANCE)
    return Tell(
        check=warned.evidence.check, evidence=warned.evidence, started_at=warned.evidence.failing_since
    )


def joined(incident: Incident, new: Iterable[CheckKey]) -> tuple[CheckKey, ...]:
    """Return every check that ever failed in the incident, in the order in which they joined."""
    return tuple(dict.fromkeys((*incident.checks, *new)))
