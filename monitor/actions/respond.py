"""From confirmed changes to entries: what changed, what it means for servers, what customers and operators are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.actions import ourselves, telling
from monitor.actions.causes import Failure, failing_descendants, note_onsets, trace
from monitor.actions.picture import Picture
from monitor.actions.storm import gathered
from monitor.actions.suspense import Causes
from monitor.fleet import Server
from monitor.health import flapping
from monitor.health.force import Force, keeps_quiet, shown
from monitor.health.rollup import (
    ORDER,
    Held,
    Judged,
    Standing,
    is_failing,
    is_restless,
    is_staff_matter,
    judge,
)
from monitor.health.state import Health, Transition
from monitor.health.words import State, Status, Why
from monitor.identifiers import CheckKey, IncidentId, ServerId
from monitor.incidents.decision import (
    Member,
    Quiet,
    QuietReason,
    Restless,
    Situation,
    Warned,
    decide,
    decide_warning,
    due,
    impact_of,
    settled,
)
from monitor.incidents.evidence import evidence_of, held_evidence
from monitor.incidents.incident import CheckEvidence, Impact, Incident, Origin, Stage
from monitor.journal.entries import CheckChanged, Entry, Kind, ServerChanged
from monitor.maintenance.due import RUNNING, quiet, quiet_until
from monitor.maintenance.window import Window
from monitor.store import observations as series
from monitor.store import readings
from monitor.store.database import Transaction

# How far back an ended window can still be the reason why a failure was not told.
_LOOK_BACK = timedelta(days=2)
_AN_INSTANT = timedelta(milliseconds=1)
_KINDS = {
    State.DOWN: Kind.CHECK_WENT_DOWN,
    State.DEGRADED: Kind.CHECK_DEGRADED,
    State.UP: Kind.CHECK_RECOVERED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What all cases of one decision share, read once."""

    tx: Transaction
    picture: Picture
    windows: tuple[Window, ...]
    held: Mapping[ServerId, Held]
    changed: Mapping[CheckKey, Health]
    forces: Mapping[ServerId, Force]
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One server with all that its entries rest on."""

    ground: _Ground
    server: Server
    standings: tuple[Standing, ...]
    judged: Judged
    transitions: tuple[Transition, ...]
    window: Window | None
    told: Incident | None
    held: QuietReason | None = None

    @property
    def recovered_at(self) -> datetime | None:
        """The first good look of the newest recovery in this batch."""
        return max((one.since for one in self.transitions if one.after is State.UP), default=None)


def respond(
    tx: Transaction,
    picture: Picture,
    changed: Mapping[CheckKey, Health],
    transitions: Sequence[Transition],
    moment: datetime,
    *,
    restless: Iterable[ServerId] = (),
) -> list[Entry]:
    """Return the entries that follow from `transitions`, server by server; `changed` are the healths after them.

    `restless` are servers of which a check began or ceased to come and go.
    """
    by_server: dict[ServerId, list[Transition]] = {server: [] for server in sorted(restless)}
    for transition in transitions:
        by_server.setdefault(transition.check.server, []).append(transition)
    # What becomes of those that depend on a server may follow from what became of it.
    for server in failing_descendants(picture, changed, by_server):
        by_server.setdefault(server, [])
    ground = _ground(tx, picture, by_server, changed, moment)
    cases = [_case(ground, server, tuple(some)) for server, some in by_server.items()]
    return [*(entry for case in cases for entry in _check_entries(case)), *_told(ground, cases)]


def reconsider(
    tx: Transaction,
    picture: Picture,
    servers: Iterable[ServerId],
    moment: datetime,
    *,
    all_that_wait: bool = False,
) -> list[Entry]:
    """Return what there is to tell of servers of which no check changed: the fleet was applied anew, a window ended, time passed.

    `all_that_wait` says that these are all that wait for others: only then can it be told of many that fail together.
    """
    watched = [server for server in dict.fromkeys(servers) if server in picture.servers]
    if all_that_wait:
        watched += [one for one in failing_descendants(picture, {}, watched) if one not in watched]
    ground = _ground(tx, picture, watched, {}, moment)
    return _told(ground, [_case(ground, server, ()) for server in watched], gathering=all_that_wait)


def situation_of(tx: Transaction, picture: Picture, server: ServerId, moment: datetime) -> Situation:
    """Return what a decision about a server of which nothing changes now would rest on."""
    note_onsets(picture, picture.healths)
    ground = _ground(tx, picture, [server], {}, moment)
    case = _case(ground, server, ())
    failure = _failure(case)
    causes = trace(() if failure is None else (failure,), picture, {}, moment)
    return _situations(ground, [_placed(case, causes)], causes)[0]


def resolve_due(tx: Transaction, picture: Picture, moment: datetime) -> list[Entry]:
    """Return the resolutions of incidents that were watched for long enough, and of those that nobody watches any more.

    Incidents that come and go are told of from time to time, and go on by the ordinary rules once they do so no more.
    """
    ending = readings.ending_incidents(tx)
    own = any(ourselves.is_about_ourselves(incident) for incident in ending)
    entries = ourselves.consider(tx, picture, {}, moment) if own else []
    for incident in ending:
        # What a person opened, a person ends.
        if incident.origin is not Origin.DETECTED or ourselves.is_about_ourselves(incident):
            continue
        if not any(check in picture.plans for check in incident.checks):
            entries.append(telling.retired(incident, picture, moment))
        elif _is_due(incident, picture, moment):
            entries.append(telling.resolved(incident, picture, incident.ended_at or moment, moment))
    for incident in readings.unstable_incidents(tx):
        entries += reconsider(tx, picture, incident.servers, moment)
    return entries


def _is_due(incident: Incident, picture: Picture, moment: datetime) -> bool:
    servers = [picture.servers[server] for server in incident.servers if server in picture.servers]
    return all(
        due(incident, server, moment, judge(picture.standings(server, {})), picture.leaps)
        for server in servers
    )


def _ground(
    tx: Transaction,
    picture: Picture,
    servers: Iterable[ServerId],
    changed: Mapping[CheckKey, Health],
    moment: datetime,
) -> _Ground:
    return _Ground(
        tx=tx,
        picture=picture,
        windows=tuple(
            _lasting(one, moment) for one in readings.windows(tx, ending_after=moment - _LOOK_BACK)
        ),
        held=readings.standing(tx, servers),
        changed=changed,
        forces=readings.forces(tx),
        moment=moment,
    )


def _lasting(window: Window, moment: datetime) -> Window:
    """A window lasts until it is completed: nothing is told between its planned end and that round of the house."""
    if window.stage not in RUNNING or window.ends_at > moment:
        return window
    return replace(window, ends_at=moment + _AN_INSTANT)


def _case(ground: _Ground, server: ServerId, transitions: tuple[Transition, ...]) -> _Case:
    watched = ground.picture.servers[server]
    standings = ground.picture.standings(watched, ground.changed)
    return _Case(
        ground=ground,
        server=watched,
        standings=standings,
        judged=judge(standings),
        transitions=transitions,
        window=quiet(ground.windows, server, ground.moment),
        told=readings.open_incident_of(ground.tx, server),
    )


def _told(ground: _Ground, cases: Sequence[_Case], *, gathering: bool = False) -> list[Entry]:
    failures = [failure for case in cases if (failure := _failure(case)) is not None]
    incidents = readings.open_incidents(ground.tx) if gathering and failures else None
    causes = trace(failures, ground.picture, ground.changed, ground.moment, incidents)
    cases = [_placed(case, causes) for case in cases]
    entries = [entry for case in cases for entry in _server_entries(case)]
    waiting = dict(causes.holds)
    for situation in _situations(ground, cases, causes):
        decision = decide(situation)
        entries += telling.entries(decision, situation, ground.picture)
        if decision == Quiet(reason=QuietReason.SPACED):
            waiting |= dict.fromkeys(_named(situation), ground.moment)
    if causes.healths:
        series.save_healths(ground.tx, causes.healths.values(), ground.picture.numbers)
    ground.picture.suspense.note((case.server.id for case in cases), waiting, causes)
    told = gathered(ground.tx, entries, ground.moment)
    return [*told, *(entry for case in cases for entry in _warning_entries(case))]


def _named(situation: Situation) -> Iterable[ServerId]:
    """Name what brings a situation about again: one of its servers, and those behind them."""
    return (situation.members[0].server.id, *situation.unreachable)


def _failure(case: _Case) -> Failure | None:
    """Return a failure whose cause is to be found: one that customers notice and that no incident tells of yet."""
    if case.told is not None or impact_of(case.judged.status) is Impact.NONE:
        return None
    if not any(map(is_failing, case.standings)):
        return None
    held = case.ground.held.get(case.server.id)
    return Failure(
        server=case.server,
        standings=case.standings,
        before=None if held is None or held.judged.because is Why.FORCED else held.judged,
        seen=case.judged,
        quiet=case.window is not None,
    )


def _placed(case: _Case, causes: Causes) -> _Case:
    place = causes.places.get(case.server.id)
    return case if place is None else replace(case, judged=place.judged, held=place.held)


def _check_entries(case: _Case) -> list[Entry]:
    """The first look that finds a check healthy is no news; every other confirmed change is."""
    plans = case.ground.picture.plans
    return [
        Entry(
            kind=_KINDS[one.after],
            moment=case.ground.moment,
            subject=str(one.check),
            body=CheckChanged(
                check=one.check,
                before=one.before,
                after=one.after,
                since=one.since,
                evidence=evidence_of(one, plans[one.check].kind),
            ),
        )
        for one in case.transitions
        if not (one.before is State.UNKNOWN and one.after is State.UP)
    ]


def _server_entries(case: _Case) -> list[Entry]:
    held, force = case.ground.held.get(case.server.id), case.ground.forces.get(case.server.id)
    judged = shown(case.judged, force)
    if held is None and judged.status is Status.UNKNOWN:
        return []
    if held is not None and held.judged == judged:
        return []
    status = Status.UNKNOWN if held is None else held.judged.status
    body = ServerChanged(
        server=case.server.id,
        status=judged.status,
        services=judged.services,
        since=held.since if held is not None and judged.status is status else _since(case, status, force),
        because=judged.because,
    )
    return [Entry(kind=Kind.SERVER_CHANGED, moment=case.ground.moment, subject=case.server.id, body=body)]


def _since(case: _Case, before: Status, force: Force | None) -> datetime:
    """A fault begins with its first failing look, and ends with the good look of the last check that was mended.

    What an operator had shown until then was shown: the time before their word ended is not judged anew.
    """
    moments = [one.since for one in case.transitions]
    worse = ORDER.index(case.judged.status) > ORDER.index(before)
    if worse and not moments and case.server.id in case.ground.picture.suspense.holds:
        # It failed before, and was not shown to while it was not known why.
        moments = [one.health.since for one in case.standings if is_failing(one) and one.health.since]
    if not moments:
        return case.ground.moment
    since = min(moments) if worse else max(moments)
    return since if force is None or force.released_at is None else max(since, force.released_at)


@dataclass(slots=True)
class _Party:
    """Servers of one cause in the making: the open incident of theirs, the cases at hand, and who cannot be judged behind them."""

    told: Incident | None
    cases: dict[ServerId, _Case] = field(default_factory=dict)
    unreachable: list[ServerId] = field(default_factory=list)


def _situations(ground: _Ground, cases: Sequence[_Case], causes: Causes) -> list[Situation]:
    """Gather the servers of one cause: those of an open incident and of a burst together, every other one for itself."""
    parties: dict[str, _Party] = {}
    names: dict[ServerId, str] = {}
    for case in cases:
        server, told = case.server.id, case.told
        name = causes.parties.get(server, server) if told is None else told.id
        names[server] = name
        if name not in parties:
            joined = (
                readings.incident(ground.tx, IncidentId(name)) if told is None and name != server else told
            )
            parties[name] = _Party(joined)
        parties[name].cases[server] = case
    for server, out in causes.out.items():
        _listed(ground, parties, names, server, out)
    return [_situation(ground, party) for party in parties.values()]


def _listed(
    ground: _Ground,
    parties: dict[str, _Party],
    names: Mapping[ServerId, str],
    server: ServerId,
    out: Iterable[ServerId],
) -> None:
    """List a server with the topmost of those that are out above it and have an incident, or may have one now."""
    for above in out:
        told = None if above in names else readings.open_incident_of(ground.tx, above)
        name = names.get(above) or (None if told is None else told.id)
        if name is not None:
            parties.setdefault(name, _Party(told)).unreachable.append(server)
            return


def _situation(ground: _Ground, party: _Party) -> Situation:
    """Return the situation of a party, with the servers of its incident of which nothing changed."""
    told = party.told
    watched = () if told is None else (one for one in told.servers if one in ground.picture.servers)
    cases = [party.cases.get(one) or _case(ground, one, ()) for one in watched]
    named = {case.server.id for case in cases}
    cases += [case for server, case in party.cases.items() if server not in named]
    return Situation(
        members=tuple(_member(case, told) for case in cases),
        open=told,
        moment=ground.moment,
        leaps=ground.picture.leaps,
        unreachable=tuple(party.unreachable),
    )


def _member(case: _Case, told: Incident | None) -> Member:
    ground, server = case.ground, case.server.id
    failing = [one for one in case.standings if is_failing(one)]
    evidence = tuple(_told_evidence(case, one, told) for one in failing)
    recent = _recent(ground, server) if failing and told is None else None
    return Member(
        server=case.server,
        judged=case.judged,
        failing=evidence,
        recent=recent,
        window=case.window,
        quiet_until=quiet_until(ground.windows, server, ground.moment),
        persisting=frozenset(one.health.check for one in failing if one.health.persisting),
        recovered_at=case.recovered_at,
        held=_held(ground, server) or case.held,
        settled=settled(recent, evidence, _begun(case)),
        restless=tuple(
            Restless(check=one.health.check, changes=flapping.changes_seen(one.health))
            for one in case.standings
            if is_restless(one)
        ),
    )


def _held(ground: _Ground, server: ServerId) -> QuietReason | None:
    """Return why a failure of a server opens nothing, None if it may."""
    if keeps_quiet(ground.forces.get(server)):
        return QuietReason.FORCED
    return QuietReason.LEARNING if ground.picture.learning else None


def _begun(case: _Case) -> frozenset[CheckKey]:
    """Return the checks that began to fail just now, and did not before."""
    failed = (State.DOWN, State.DEGRADED)
    return frozenset(one.check for one in case.transitions if one.before not in failed)


def _recent(ground: _Ground, server: ServerId) -> Incident | None:
    """Return the incident that a failure may take up again, without servers that have another one by now."""
    recent = readings.last_resolved_of(ground.tx, server)
    if recent is None or len(recent.servers) == 1:
        return recent
    free = (one for one in recent.servers if readings.open_incident_of(ground.tx, one) is None)
    return replace(recent, servers=tuple(free))


def _told_evidence(case: _Case, one: Standing, told: Incident | None) -> CheckEvidence:
    """Spare the database what nobody will read: the evidence of a check that failed in the open incident before."""
    key = one.health.check
    if told is not None and len(told.servers) > 1 and told.stage is not Stage.MONITORING:
        known = key in told.checks
    else:
        known = False
    if known and not any(transition.check == key for transition in case.transitions):
        return held_evidence(one.health, case.ground.picture.plans[key].kind)
    return _evidence(case, one)


def _warning_entries(case: _Case) -> list[Entry]:
    entries: list[Entry] = []
    for one in case.standings:
        restless = _lasts_untold(case, one)
        matter = is_staff_matter(one) or restless
        told = readings.open_warning_of(case.ground.tx, one.health.check)
        if not matter and told is None:
            continue
        warned = Warned(
            evidence=_matter(case, one, restless=restless) if matter else None,
            open=told,
            window=case.window,
            moment=case.ground.moment,
            persisting=one.health.persisting,
            settled=told is None and _is_settled(case, one),
            recovered_at=case.recovered_at,
            changes=flapping.changes_seen(one.health) if restless else 0,
            held=QuietReason.LEARNING if case.ground.picture.learning else None,
        )
        entries += telling.warning_entries(decide_warning(warned), warned, case.ground.picture)
    return entries


def _is_settled(case: _Case, one: Standing) -> bool:
    """Does a matter of the staff go on as it was when an operator resolved it?"""
    recent = readings.last_warning_of(case.ground.tx, one.health.check)
    return bool(settled(recent, (_evidence(case, one),), _begun(case)))


def _lasts_untold(case: _Case, one: Standing) -> bool:
    """Has a check come and gone for long, and is no incident open that tells of its server?"""
    if is_staff_matter(one) or not flapping.lasts(one.health):
        return False
    return case.told is None


def _matter(case: _Case, one: Standing, *, restless: bool) -> CheckEvidence:
    evidence = _evidence(case, one)
    since = one.health.flapping_since
    return replace(evidence, failing_since=since) if restless and since is not None else evidence


def _evidence(case: _Case, one: Standing) -> CheckEvidence:
    """The look that confirmed the failure if it is in this batch, else what is held of it and its newest evidence."""
    key = one.health.check
    kind = case.ground.picture.plans[key].kind
    for transition in reversed(case.transitions):
        if transition.check == key:
            return evidence_of(transition, kind)
    kept = readings.last_whole(case.ground.tx, key)
    if kept is None:
        return held_evidence(one.health, kind)
    return held_evidence(one.health, kind, kept.reproduce, kept.via)
