"""What follows for customers from what is confirmed of the servers of one cause: the incident decision.

A decision is a value; nothing happens here. It is about a party: the servers of an open incident with those that join them, or
servers that have none. At most one detected public incident per server is open at a time: while one is, checks and servers join
it, it worsens, eases, recovers and relapses, and no decision opens another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.fleet import Server
from monitor.health.rollup import Judged
from monitor.health.words import Status
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import CheckEvidence, Impact, Incident, Stage
from monitor.leaps import Leaps
from monitor.maintenance.window import Window

SPACING = timedelta(minutes=1)
"""An incident of several servers that is older than two minutes tells no more often than this that more or fewer of them are hit."""

UNSTABLE_EVERY = timedelta(minutes=30)
"""An incident that comes and goes tells no more often than this that it still does (rule D10)."""

_AUTHOR = "vigia"
_NO_LEAPS = Leaps()
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
    PARENT_AWAITED = "parent_awaited"
    MASS = "mass"
    SPACED = "spaced"
    LEARNING = "learning"
    FORCED = "forced"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restless:
    """A check that comes and goes: so many of its newest 20 looks changed."""

    check: CheckKey
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One server of a party, and everything that the decision rests on about it.

    `failing` are the checks confirmed down or degraded that count for the public status. `recent` is the server's newest resolved
    incident. `window` is the one that keeps the server quiet now, `quiet_until` the newest end of such a time before.
    `persisting` are failing checks that were not confirmed anew since then (rule M2). `recovered_at` is the first good
    look of the newest recovery. `held` tells why the failure opens nothing yet; a server whose incident is open already is not held.
    `restless` are its checks that come and go, of those that count for the public status. `settled` are failing checks that an
    operator's word has dealt with.
    """

    server: Server
    judged: Judged
    failing: tuple[CheckEvidence, ...]
    recent: Incident | None = None
    window: Window | None = None
    quiet_until: datetime | None = None
    persisting: frozenset[CheckKey] = frozenset()
    recovered_at: datetime | None = None
    held: QuietReason | None = None
    restless: tuple[Restless, ...] = ()
    settled: frozenset[CheckKey] = frozenset()

    @property
    def is_hit(self) -> bool:
        """Does it fail in a way that customers notice?"""
        return bool(self.failing) and impact_of(self.judged.status) is not Impact.NONE

    @property
    def fresh(self) -> tuple[CheckEvidence, ...]:
        """Its failing checks that may be told of: none while a window keeps it quiet."""
        if self.window is not None or not self.is_hit:
            return ()
        kept = self.persisting | self.settled
        return tuple(one for one in self.failing if one.check not in kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that the decision about one party rests on, its servers in the order in which they are named.

    `open` is the open detected public incident of one or more of them; no two have different ones. `unreachable` are servers behind
    these that cannot be judged meanwhile. `leaps` are those of the clock, by which the age of what came before is told.
    """

    members: tuple[Member, ...]
    open: Incident | None
    moment: datetime
    unreachable: tuple[ServerId, ...] = ()
    leaps: Leaps = field(default_factory=Leaps)

    @property
    def hit(self) -> tuple[Member, ...]:
        """The members that fail and are part of the matter: not those that are held."""
        return tuple(one for one in self.members if one.is_hit and (one.held is None or self._is_named(one)))

    @property
    def back(self) -> tuple[ServerId, ...]:
        """The servers of the open incident that are well again."""
        if self.open is None:
            return ()
        hit = {one.server.id for one in self.members if one.is_hit or one.judged.status is Status.UNKNOWN}
        watched = {one.server.id for one in self.members}
        return tuple(server for server in self.open.servers if server in watched and server not in hit)

    def restless(self, checks: Iterable[CheckKey]) -> tuple[Restless, ...]:
        """Return which of these checks come and go, the most restless first."""
        named = frozenset(checks)
        found = [one for member in self.members for one in member.restless if one.check in named]
        return tuple(sorted(found, key=lambda one: one.changes, reverse=True))

    def _is_named(self, member: Member) -> bool:
        return self.open is not None and member.server.id in self.open.servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open an incident. `persists` tells that it goes on from a window, at whose end it then starts."""

    impact: Impact
    servers: tuple[ServerId, ...]
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]
    started_at: datetime
    persists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """More fails. `checks` and `servers` are the new ones, `impact` holds from now on."""

    checks: tuple[CheckKey, ...]
    impact: Impact
    evidence: tuple[CheckEvidence, ...] = ()
    servers: tuple[ServerId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsen:
    """The same checks now mean more for customers: the ticket is raised."""

    impact: Impact
    evidence: tuple[CheckEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease:
    """The failure means less for customers than before, or some of several servers are back; the ticket's priority stays."""

    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Servers behind those of the incident cannot be judged meanwhile: it lists them. `servers` are the new ones."""

    servers: tuple[ServerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Nothing fails any more: watch it for `resolve_after`. `ended_at` is the first good look."""

    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Relapse:
    """It fails again while being watched: back to investigating. `checks` and `servers` are those that never failed in it before."""

    impact: Impact
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]
    servers: tuple[ServerId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstable:
    """A check of the incident comes and goes: it stays open, and neither recoveries nor relapses are told meanwhile.

    `changes` of the newest 20 looks differed from the one before. `checks` and `servers` are those that never failed in it before.
    """

    impact: Impact
    changes: int
    checks: tuple[CheckKey, ...] = ()
    servers: tuple[ServerId, ...] = ()
    evidence: tuple[CheckEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Nothing comes and goes any more, and what fails now goes on failing."""

    impact: Impact
    evidence: tuple[CheckEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """The problem is back soon after its resolution: the same incident and ticket go on. `servers` are those that fail."""

    incident: Incident
    impact: Impact
    servers: tuple[ServerId, ...]
    checks: tuple[CheckKey, ...]
    evidence: tuple[CheckEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Something is to be told and is not, for a reason that is."""

    reason: QuietReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """All that there is to tell was told."""


Decision = (
    Open | Join | Worsen | Ease | Behind | Recover | Relapse | Unstable | Steady | Reopen | Quiet | Nothing
)


def impact_of(status: Status) -> Impact:
    """Return how bad an incident is for customers whose server is judged so."""
    return _IMPACTS.get(status, Impact.NONE)


def decide(situation: Situation) -> Decision:
    """Return what to tell about one party; carrying it out and asking again gives Nothing, or Quiet."""
    plain = _plain(situation)
    return plain if situation.open is None else _held(situation, situation.open, plain)


def _plain(situation: Situation) -> Decision:
    """Decide as if nothing came and went."""
    if not situation.hit:
        return _calm(situation)
    fresh = tuple(one for member in situation.hit for one in member.fresh)
    if not fresh:
        return Quiet(reason=_why_quiet(situation))
    return _begin(situation, fresh) if situation.open is None else _go_on(situation, situation.open, fresh)


def due(
    incident: Incident, server: Server, moment: datetime, judged: Judged, leaps: Leaps = _NO_LEAPS
) -> bool:
    """Is it time to resolve, as far as one of its servers goes?

    It is when all was well for `resolve_after`, and is now. Not while nobody knows: time in which we were not there, or that the
    clock merely leapt over, does not count.
    """
    if incident.stage is not Stage.MONITORING or incident.monitoring_since is None:
        return False
    well = judged.status is Status.OPERATIONAL
    return well and leaps.lived(incident.monitoring_since, moment) >= server.resolve_after


def settled(
    recent: Incident | None, failing: Iterable[CheckEvidence], begun: frozenset[CheckKey]
) -> frozenset[CheckKey]:
    """Return which failing checks go on as they were when an operator resolved their incident (rule D9).

    What an operator resolved does not come back by itself; `begun`, the checks whose failure is confirmed just now, is new.
    """
    if recent is None or recent.resolved_at is None or not resolved_by_a_person(recent):
        return frozenset()
    resolved_at, known = recent.resolved_at, frozenset(recent.checks) - begun
    return frozenset(one.check for one in failing if one.check in known and one.failing_since <= resolved_at)


def resolved_by_a_person(incident: Incident) -> bool:
    """Was the newest word that resolved it an operator's? Such an incident does not reopen by itself (rule D9)."""
    resolutions = [update for update in incident.updates if update.stage is Stage.RESOLVED]
    return bool(resolutions) and resolutions[-1].author != _AUTHOR


def _why_quiet(situation: Situation) -> QuietReason:
    waiting = any(one.window is not None or one.persisting for one in situation.hit)
    return QuietReason.MAINTENANCE if waiting else QuietReason.SETTLED


def _calm(situation: Situation) -> Decision:
    """Decide when nothing fails. A recovery is told in a window too (rule M3), but never guessed from silence."""
    held = [one.held for one in situation.members if one.held is not None]
    incident = situation.open
    if incident is None:
        return Quiet(reason=held[0]) if held else Nothing()
    silent = any(one.judged.status is Status.UNKNOWN for one in situation.members)
    if incident.stage is Stage.MONITORING or silent:
        return Nothing()
    # The newest recovery may be older than the incident, when what failed in it is no longer watched.
    recovered = max((one.recovered_at for one in situation.members if one.recovered_at), default=None)
    return Recover(ended_at=max(recovered or situation.moment, incident.started_at))


def _go_on(situation: Situation, incident: Incident, fresh: tuple[CheckEvidence, ...]) -> Decision:
    impact = _impact(situation)
    checks = tuple(one.check for one in fresh if one.check not in incident.checks)
    servers = _named(fresh, but=incident.servers)
    if incident.stage is Stage.MONITORING:
        return Relapse(impact=impact, checks=checks, evidence=fresh, servers=servers)
    grows = impact.severity > incident.impact.severity
    again = [server for server in _named(fresh) if server in incident.back]
    if checks or servers or again:
        new = tuple(one for one in fresh if one.check in checks or one.check.server in again)
        told: Decision = Join(checks=checks, impact=impact, evidence=new, servers=servers)
    elif grows:
        told = Worsen(impact=impact, evidence=fresh)
    else:
        told = _less(situation, incident, impact)
    waits = not servers and not grows and not isinstance(told, Nothing)
    return Quiet(reason=QuietReason.SPACED) if waits and _is_too_soon(situation, incident) else told


def _less(situation: Situation, incident: Incident, impact: Impact) -> Decision:
    """Decide when nothing fails that did not fail before."""
    several = len(incident.servers) > 1
    if impact.severity < incident.impact.severity or (several and set(situation.back) - set(incident.back)):
        return Ease(impact=impact)
    behind = tuple(server for server in situation.unreachable if server not in incident.unreachable)
    return Behind(servers=behind) if behind else Nothing()


def _held(situation: Situation, incident: Incident, plain: Decision) -> Decision:
    """While a check of the incident comes and goes, tell that instead of each coming and going (rule D10).

    What never failed before and what is worse than ever is told all the same. In a window the ordinary rules hold, and what nobody
    can see is not called unstable.
    """
    restless = situation.restless(incident.checks)
    if not restless:
        return _steadied(situation, incident, plain)
    unseen = any(one.window is not None or one.judged.status is Status.UNKNOWN for one in situation.members)
    if unseen or _is_more(incident, plain):
        return plain
    told = incident.unstable_at
    # A moment in the future is one of a clock that has been set back.
    if told is None or not timedelta(0) <= situation.moment - told < UNSTABLE_EVERY:
        return _unstable(situation, incident, plain, restless[0].changes)
    return plain if isinstance(plain, Nothing) else Quiet(reason=QuietReason.FLAPPING)


def _is_more(incident: Incident, plain: Decision) -> bool:
    if isinstance(plain, Join):
        return bool(plain.checks or plain.servers) or plain.impact.severity > incident.impact.severity
    return isinstance(plain, Worsen | Behind)


def _unstable(situation: Situation, incident: Incident, plain: Decision, changes: int) -> Unstable:
    impacts = [incident.impact, *(impact_of(one.judged.status) for one in situation.hit)]
    impact = max(impacts, key=lambda one: one.severity)
    if not isinstance(plain, Relapse):
        return Unstable(impact=impact, changes=changes)
    new = tuple(one for one in plain.evidence if one.check in plain.checks)
    return Unstable(impact=impact, changes=changes, checks=plain.checks, servers=plain.servers, evidence=new)


def _steadied(situation: Situation, incident: Incident, plain: Decision) -> Decision:
    fresh = tuple(one for member in situation.hit for one in member.fresh)
    if incident.unstable_at is None or not fresh or not isinstance(plain, Nothing):
        return plain
    return Steady(impact=_impact(situation), evidence=fresh)


def _impact(situation: Situation) -> Impact:
    """Return what the party means for customers; what may not be told of does not make it less."""
    worst = max((impact_of(one.judged.status) for one in situation.hit), key=lambda one: one.severity)
    incident = situation.open
    if incident is None or all(one.fresh for one in situation.hit):
        return worst
    return max(worst, incident.impact, key=lambda one: one.severity)


def _is_too_soon(situation: Situation, incident: Incident) -> bool:
    """Was something told of many servers a moment ago? What follows the first word may come at once, the rest at growing distances."""
    many = len(incident.servers) + len(situation.unreachable) > 1
    spacing = min(SPACING, (situation.moment - incident.opened_at) / 2)
    return many and len(incident.updates) > 1 and situation.moment - incident.updates[-1].at < spacing


def _begin(situation: Situation, fresh: tuple[CheckEvidence, ...]) -> Open | Reopen:
    impact = _impact(situation)
    checks = tuple(one.check for one in fresh)
    servers = _named(fresh)
    told = [one for one in situation.hit if one.server.id in servers]
    first = min(told, key=lambda one: _started_at(one)[0])
    started_at, persists = _started_at(first)
    recent = [one.recent for one in told if one.recent is not None and _reopens(one, situation)]
    if recent:
        newest = max(recent, key=lambda one: (one.resolved_at or one.opened_at, one.id))
        return Reopen(incident=newest, impact=impact, servers=servers, checks=checks, evidence=fresh)
    return Open(
        impact=impact,
        servers=servers,
        checks=checks,
        evidence=fresh,
        started_at=started_at,
        persists=persists,
    )


def _started_at(member: Member) -> tuple[datetime, bool]:
    """Return when the failure of a server began, as far as it may be told of, and whether it goes on from a window."""
    since = min(one.failing_since for one in member.fresh)
    if member.quiet_until is not None and since < member.quiet_until:
        return member.quiet_until, True
    return since, False


def _reopens(member: Member, situation: Situation) -> bool:
    """Did it begin to fail again soon enough after its incident was resolved, and not by a person?"""
    recent = member.recent
    if recent is None or recent.stage is not Stage.RESOLVED or recent.resolved_at is None:
        return False
    if resolved_by_a_person(recent):
        return False
    within, passed = member.server.reopen_within, situation.leaps.passed
    # What was resolved in a far future was resolved by a clock that was wrong.
    if passed(recent.resolved_at, situation.moment) < -within:
        return False
    return passed(recent.resolved_at, _started_at(member)[0]) <= within


def _named(evidence: Iterable[CheckEvidence], *, but: Iterable[ServerId] = ()) -> tuple[ServerId, ...]:
    known = frozenset(but)
    return tuple(dict.fromkeys(one.check.server for one in evidence if one.check.server not in known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Everything that the decision about one check's matter for the staff rests on (rule D11).

    `evidence` is None while nothing is confirmed that only operators are told of. `changes` tells of a check that has come and gone for
    long, without an incident that says so, how many of its newest looks changed. `open` is the check's open
    incident with `audience` operators. `persisting` tells that the failure was not confirmed anew since a window, `settled` that it goes
    on as it was when an operator resolved it. `held` tells why nothing is opened yet.
    """

    evidence: CheckEvidence | None
    open: Incident | None
    window: Window | None
    moment: datetime
    persisting: bool = False
    settled: bool = False
    recovered_at: datetime | None = None
    changes: int = 0
    held: QuietReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Tell operators, and only them: an incident of impact none with one check. `changes` is above 0 when it comes and goes."""

    check: CheckKey
    evidence: CheckEvidence
    started_at: datetime
    changes: int = 0


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
    if warned.settled:
        return Quiet(reason=QuietReason.SETTLED)
    if warned.held is not None:
        return Quiet(reason=warned.held)
    return Tell(
        check=warned.evidence.check,
        evidence=warned.evidence,
        started_at=warned.evidence.failing_since,
        changes=warned.changes,
    )


def joined(incident: Incident, new: Iterable[CheckKey]) -> tuple[CheckKey, ...]:
    """Return every check that ever failed in the incident, in the order in which they joined."""
    return tuple(dict.fromkeys((*incident.checks, *new)))
