"""Ninety days that never were: written through the journal, so that every table and page treats them as real."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.clock import fresh_ulid
from monitor.fleet import CheckPlan, Fleet, Server
from monitor.health.rollup import Judged
from monitor.health.words import Service, Status
from monitor.identifiers import BatchId, IncidentId, UpdateId, WindowId
from monitor.incidents import texts
from monitor.incidents.decision import impact_of
from monitor.incidents.incident import Incident, Stage, Update
from monitor.incidents.texts import News, Report
from monitor.journal.entries import (
    Batch,
    Entry,
    IncidentOpened,
    IncidentResolved,
    IncidentUpdated,
    InventoryApplied,
    Kind,
    Reason,
    ServerChanged,
    WindowMoved,
    WindowPlanned,
)
from monitor.language import Texts
from monitor.maintenance.window import Window
from monitor.observation import Observation, Outcome
from monitor.store import journal, observations, readings
from monitor.store.database import Database

DAYS = 90
_SEED = 2711


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One invented fault of one server."""

    server: Server
    status: Status
    start: datetime
    lasted: timedelta


def invent(database: Database, fleet: Fleet, now: datetime) -> int:
    """Write the past of a fleet that has none yet; return how many entries that took. Nothing is queued for delivery."""
    chance = random.Random(_SEED)  # noqa: S311 - the same past each time, and no secret
    entries = sorted(_entries(fleet, now, chance), key=lambda entry: entry.moment)
    with database.writing() as tx:
        if journal.head(tx) is not None:
            return 0
        head: BatchId | None = None
        for entry in entries:
            batch = Batch(id=BatchId(fresh_ulid(entry.moment)), after=head, entries=(entry,))
            journal.append(tx, batch)
            head = batch.id
        numbers = readings.check_numbers(tx)
        looks = [look for plan in fleet.checks() for look in _looks(plan, now, chance)]
        observations.record(tx, [(numbers[look.check], look) for look in looks])
    return len(entries)


def _entries(fleet: Fleet, now: datetime, chance: random.Random) -> Iterator[Entry]:
    beginning = now - timedelta(days=DAYS)
    yield Entry(
        kind=Kind.INVENTORY_APPLIED, moment=beginning, subject="fleet", body=InventoryApplied(fleet=fleet)
    )
    zone = ZoneInfo(fleet.site.timezone)
    for server in fleet.servers:
        yield _changed(
            server, Status.OPERATIONAL, beginning + timedelta(minutes=1), beginning + timedelta(minutes=1)
        )
        for fault in _faults(server, now, chance):
            yield from _told(fault, zone)
    yield from _maintenance(fleet.servers, now)


def _faults(server: Server, now: datetime, chance: random.Random) -> Iterator[_Fault]:
    day = DAYS - chance.randint(3, 20)
    while day > 2:
        status = chance.choice(
            (Status.MAJOR_OUTAGE, Status.PARTIAL_OUTAGE, *[Status.DEGRADED_PERFORMANCE] * 2)
        )
        start = now - timedelta(days=day, minutes=chance.randint(0, 1200), seconds=chance.randint(0, 59))
        yield _Fault(
            server=server,
            status=status,
            start=start,
            lasted=timedelta(minutes=int(chance.paretovariate(0.9) * 6) % 300 + 4),
        )
        day -= chance.randint(9, 40)


def _told(fault: _Fault, zone: ZoneInfo) -> Iterator[Entry]:
    """Tell a fault as it would have been told: opened after a minute, watched, resolved."""
    opened, ended = fault.start + timedelta(minutes=1), fault.start + fault.lasted
    watched, resolved = ended + timedelta(seconds=20), ended + timedelta(minutes=5)
    judged = Judged(status=fault.status, services={_service(fault.server): fault.status})
    report = Report(
        server=fault.server,
        judged=judged,
        zone=zone,
        moment=opened,
        started_at=fault.start,
        failing=1,
        ended_at=None,
    )
    over = Report(
        server=fault.server, judged=judged, zone=zone, moment=watched, started_at=fault.start, ended_at=ended
    )
    incident = Incident(
        id=IncidentId(fresh_ulid(opened)),
        title=texts.title(fault.server, judged),
        stage=Stage.INVESTIGATING,
        impact=impact_of(fault.status),
        servers=(fault.server.id,),
        checks=(fault.server.checks[0].key,),
        started_at=fault.start,
        opened_at=opened,
        updates=(_update(Stage.INVESTIGATING, texts.update_text(News.OPENED, report), opened),),
    )
    yield _changed(fault.server, fault.status, fault.start, opened)
    yield Entry(
        kind=Kind.INCIDENT_OPENED, moment=opened, subject=incident.id, body=IncidentOpened(incident=incident)
    )
    yield _changed(fault.server, Status.OPERATIONAL, ended, watched)
    yield Entry(
        kind=Kind.INCIDENT_UPDATED,
        moment=watched,
        subject=incident.id,
        body=IncidentUpdated(
            incident=incident.id,
            reason=Reason.RECOVERING,
            stage=Stage.MONITORING,
            impact=incident.impact,
            servers=incident.servers,
            checks=incident.checks,
            update=_update(Stage.MONITORING, texts.update_text(News.RECOVERING, over), watched),
            ended_at=ended,
        ),
    )
    words = texts.update_text(News.RESOLVED, over)
    yield Entry(
        kind=Kind.INCIDENT_RESOLVED,
        moment=resolved,
        subject=incident.id,
        body=IncidentResolved(
            incident=incident.id, ended_at=ended, update=_update(Stage.RESOLVED, words, resolved)
        ),
    )


def _looks(plan: CheckPlan, now: datetime, chance: random.Random) -> Iterator[Observation]:
    """A day of looks, one a minute: a usual time that swells in the afternoon, and a few slow ones."""
    usual = chance.uniform(15, 60)
    for minutes in range(24 * 60, 0, -1):
        moment = now - timedelta(minutes=minutes)
        swell = 1 + 0.6 * max(0.0, 1 - abs(moment.hour - 20) / 6)
        yield Observation(
            check=plan.key,
            started_at=moment,
            took_ms=usual * swell * chance.lognormvariate(0, 0.25),
            outcome=Outcome.OK,
        )


def _maintenance(servers: Sequence[Server], now: datetime) -> Iterator[Entry]:
    """Three nights of planned work on the first server."""
    for weeks in (2, 6, 10):
        starts = now.replace(hour=7, minute=0, second=0, microsecond=0) - timedelta(weeks=weeks)
        ends = starts + timedelta(hours=2)
        planned = starts - timedelta(days=3)
        window = Window(
            id=WindowId(fresh_ulid(planned)),
            title={"es": "Actualización del sistema", "en": "System update"},
            servers=frozenset({servers[0].id}),
            starts_at=starts,
            ends_at=ends,
            time_zone="America/Guayaquil",
            planned_at=planned,
        )
        moved = WindowMoved(window=window.id)
        yield Entry(
            kind=Kind.WINDOW_PLANNED, moment=planned, subject=window.id, body=WindowPlanned(window=window)
        )
        yield Entry(kind=Kind.WINDOW_STARTED, moment=starts, subject=window.id, body=moved)
        yield Entry(kind=Kind.WINDOW_COMPLETED, moment=ends, subject=window.id, body=moved)


def _service(server: Server) -> Service:
    return server.checks[0].service


def _changed(server: Server, status: Status, since: datetime, moment: datetime) -> Entry:
    services = {plan.service: Status.OPERATIONAL for plan in server.checks}
    if status is not Status.OPERATIONAL:
        services[_service(server)] = status
    return Entry(
        kind=Kind.SERVER_CHANGED,
        moment=moment,
        subject=server.id,
        body=ServerChanged(server=server.id, status=status, services=services, since=since),
    )


def _update(stage: Stage, words: Texts, at: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(at)), stage=stage, text=words, at=at)
