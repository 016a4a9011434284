"""From confirmed changes to entries: what changed, what it means for servers, what customers and operators are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.actions import ourselves, telling
from monitor.actions.picture import Picture
from monitor.fleet import Server
from monitor.health.rollup import ORDER, Held, Judged, Standing, is_failing, is_staff_matter, judge
from monitor.health.state import Health, Transition
from monitor.health.words import State, Status
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.decision import Situation, Warned, decide, decide_warning, due
from monitor.incidents.evidence import evidence_of, held_evidence
from monitor.incidents.incident import CheckEvidence, Incident, Origin
from monitor.journal.entries import CheckChanged, Entry, Kind, ServerChanged
from monitor.maintenance.due import RUNNING, quiet, quiet_until
from monitor.maintenance.window import Window
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
) -> list[Entry]:
    """Return the entries that follow from `transitions`, server by server; `changed` are the healths after them."""
    by_server: dict[ServerId, list[Transition]] = {}
    for transition in transitions:
        by_server.setdefault(transition.check.server, []).append(transition)
    ground = _ground(tx, picture, by_server, moment)
    entries: list[Entry] = []
    for server, some in by_server.items():
        case = _case(ground, server, changed, tuple(some))
        entries += _check_entries(case)
        entries += _told(case)
    return entries


def reconsider(
    tx: Transaction, picture: Picture, servers: Iterable[ServerId], moment: datetime
) -> list[Entry]:
    """Return what there is to tell of servers of which no check changed: the fleet was applied anew, a window ended."""
    watched = [server for server in servers if server in picture.servers]
    ground = _ground(tx, picture, watched, moment)
    return [entry for server in watched for entry in _told(_case(ground, server, {}, ()))]


def resolve_due(tx: Transaction, picture: Picture, moment: datetime) -> list[Entry]:
    """Return the resolutions of incidents that were watched for long enough, and of those that nobody watches any more."""
    entries: list[Entry] = []
    for incident in readings.ending_incidents(tx):
        # What a person opened, a person ends.
        if incident.origin is not Origin.DETECTED:
            continue
        if ourselves.is_about_ourselves(incident):
            entries += ourselves.consider(tx, picture, {}, moment)
        elif not any(check in picture.plans for check in incident.checks):
            entries.append(telling.retired(incident, picture, moment))
        elif _is_due(incident, picture, moment):
            entries.append(telling.resolved(incident, picture, incident.ended_at or moment, moment))
    return entries


def _is_due(incident: Incident, picture: Picture, moment: datetime) -> bool:
    servers = [picture.servers[server] for server in incident.servers if server in picture.servers]
    return all(due(incident, server, moment, judge(picture.standings(server, {}))) for server in servers)


def _ground(tx: Transaction, picture: Picture, servers: Iterable[ServerId], moment: datetime) -> _Ground:
    return _Ground(
        tx=tx,
        picture=picture,
        windows=tuple(
            _lasting(one, moment) for one in readings.windows(tx, ending_after=moment - _LOOK_BACK)
        ),
        held=readings.standing(tx, servers),
        moment=moment,
    )


def _lasting(window: Window, moment: datetime) -> Window:
    """A window lasts until it is completed: nothing is told between its planned end and that round of the house."""
    if window.stage not in RUNNING or window.ends_at > moment:
        return window
    return replace(window, ends_at=moment + _AN_INSTANT)


def _case(
    ground: _Ground, server: ServerId, changed: Mapping[CheckKey, Health], transitions: tuple[Transition, ...]
) -> _Case:
    watched = ground.picture.servers[server]
    standings = ground.picture.standings(watched, changed)
    return _Case(
        ground=ground,
        server=watched,
        standings=standings,
        judged=judge(standings),
        transitions=transitions,
        window=quiet(ground.windows, server, ground.moment),
    )


def _told(case: _Case) -> list[Entry]:
    return [*_server_entries(case), *_incident_entries(case), *_warning_entries(case)]


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
    held = case.ground.held.get(case.server.id)
    if held is None and case.judged.status is Status.UNKNOWN:
        return []
    if held is not None and held.judged == case.judged:
        return []
    status = Status.UNKNOWN if held is None else held.judged.status
    body = ServerChanged(
        server=case.server.id,
        status=case.judged.status,
        services=case.judged.services,
        since=held.since if held is not None and case.judged.status is status else _since(case, status),
        because=case.judged.because,
    )
    return [Entry(kind=Kind.SERVER_CHANGED, moment=case.ground.moment, subject=case.server.id, body=body)]


def _since(case: _Case, before: Status) -> datetime:
    """A fault begins with its first failing look, and ends with the good look of the last check that was mended."""
    moments = [one.since for one in case.transitions]
    if not moments:
        return case.ground.moment
    worse = ORDER.index(case.judged.status) > ORDER.index(before)
    return min(moments) if worse else max(moments)


def _incident_entries(case: _Case) -> list[Entry]:
    tx, server = case.ground.tx, case.server.id
    failing = [one for one in case.standings if is_failing(one)]
    situation = Situation(
        server=case.server,
        judged=case.judged,
        failing=tuple(_evidence(case, one) for one in failing),
        open=readings.open_incident_of(tx, server),
        recent=readings.last_resolved_of(tx, server),
        window=case.window,
        moment=case.ground.moment,
        quiet_until=quiet_until(case.ground.windows, server, case.ground.moment),
        persisting=frozenset(one.health.check for one in failing if one.health.persisting),
        recovered_at=case.recovered_at,
    )
    return telling.entries(decide(situation), situation, case.ground.picture)


def _warning_entries(case: _Case) -> list[Entry]:
    entries: list[Entry] = []
    for one in case.standings:
        matter = is_staff_matter(one)
        told = readings.open_warning_of(case.ground.tx, one.health.check)
        if not matter and told is None:
            continue
        warned = Warned(
            evidence=_evidence(case, one) if matter else None,
            open=told,
            window=case.window,
            moment=case.ground.moment,
            persisting=one.health.persisting,
            recovered_at=case.recovered_at,
        )
        entries += telling.warning_entries(decide_warning(warned), warned, case.ground.picture)
    return entries


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
