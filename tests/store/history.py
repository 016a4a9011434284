"""Builders for the tests of the store: small values, and whole made-up histories that could have happened."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from monitor.fleet import CheckPlan, Fleet, Group, Server, Site
from monitor.health.state import Attempts, Policy
from monitor.health.words import Service, State, Status
from monitor.identifiers import BatchId, CheckKey, GroupId, IncidentId, ServerId, UpdateId, WindowId
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Origin, Stage, Update
from monitor.journal import entries as j
from monitor.journal.entries import Batch, Body, Entry, Kind, NumberedEntry
from monitor.maintenance.window import Window
from monitor.observation import Cause, Outcome
from monitor.store import journal
from monitor.store.database import Database

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ATTEMPTS = Attempts(attempts=3, retry=timedelta(seconds=15))


def fleet(*servers: str, checks: Sequence[str] = ("ping", "http"), zone: str = "America/Guayaquil") -> Fleet:
    return Fleet(
        site=Site(name="Nodored", url="https://estado.example", timezone=zone),
        groups=(Group(id=GroupId("hosting"), name={"es": "Hosting", "en": "Hosting"}),),
        servers=tuple(server(name, checks) for name in servers),
    )


def server(name: str, checks: Sequence[str]) -> Server:
    return Server(
        id=ServerId(name),
        name=f"{name}.nodored.example",
        group=GroupId("hosting"),
        resolve_after=timedelta(minutes=5),
        reopen_within=timedelta(minutes=30),
        checks=tuple(
            CheckPlan(
                key=CheckKey(ServerId(name), check),
                kind=check,
                options={"host": "192.0.2.10"},
                every=timedelta(seconds=60),
                timeout=timedelta(seconds=10),
                policy=Policy(confirm=ATTEMPTS, recover=ATTEMPTS),
            )
            for check in checks
        ),
    )


def update(identity: str, stage: Stage = Stage.INVESTIGATING, at: datetime = NOON) -> Update:
    return Update(id=UpdateId(identity), stage=stage, text={"es": "Revisamos.", "en": "We look."}, at=at)


def incident(
    identity: str,
    *servers: str,
    at: datetime = NOON,
    audience: Audience = Audience.PUBLIC,
    origin: Origin = Origin.DETECTED,
    checks: Sequence[str] = ("http",),
) -> Incident:
    return Incident(
        id=IncidentId(identity),
        title={"es": "Interrupción", "en": "Outage"},
        stage=Stage.INVESTIGATING,
        impact=Impact.MAJOR,
        servers=tuple(map(ServerId, servers)),
        checks=tuple(CheckKey(ServerId(name), check) for name in servers for check in checks),
        started_at=at - timedelta(seconds=45),
        opened_at=at,
        audience=audience,
        origin=origin,
        updates=(update(f"{identity}-opened", at=at),),
    )


def window(identity: str, *servers: str, starts: datetime = NOON, hours: float = 2) -> Window:
    return Window(
        id=WindowId(identity),
        title={"es": "Respaldos", "en": "Backups"},
        servers=frozenset(map(ServerId, servers)),
        starts_at=starts,
        ends_at=starts + timedelta(hours=hours),
        time_zone="America/Guayaquil",
    )


def applied(*servers: str, at: datetime = NOON, checks: Sequence[str] = ("ping", "http")) -> Entry:
    return entry(
        Kind.INVENTORY_APPLIED, j.InventoryApplied(fleet=fleet(*servers, checks=checks)), at, "fleet"
    )


def changed(name: str, status: Status, *, since: datetime, at: datetime | None = None) -> Entry:
    body = j.ServerChanged(server=ServerId(name), status=status, services={Service.WEB: status}, since=since)
    return entry(Kind.SERVER_CHANGED, body, at or since, name)


def opened(problem: Incident) -> Entry:
    return entry(Kind.INCIDENT_OPENED, j.IncidentOpened(incident=problem), problem.opened_at, problem.id)


def resolved(identity: str, at: datetime) -> Entry:
    body = j.IncidentResolved(
        incident=IncidentId(identity),
        ended_at=at - timedelta(minutes=5),
        update=update(f"{identity}-resolved-{at:%d%H%M%S%f}", Stage.RESOLVED, at),
    )
    return entry(Kind.INCIDENT_RESOLVED, body, at, identity)


def entry(kind: Kind, body: Body, at: datetime, subject: str) -> Entry:
    return Entry(kind=kind, moment=at, subject=subject, body=body)


_numbers = itertools.count(1)


def append(database: Database, *entries: Entry) -> tuple[NumberedEntry, ...]:
    """Append one batch after the newest one, in a transaction of its own."""
    with database.writing() as tx:
        batch = Batch(id=BatchId(f"B{next(_numbers):025}"), after=journal.head(tx), entries=entries)
        return journal.append(tx, batch)


@dataclass
class World:
    """What a made-up history knows of itself while it is drawn, so that each next entry could really happen."""

    draw: Callable[..., int]
    retracting: bool = True
    now: datetime = NOON
    known: set[str] = field(default_factory=set)
    present: tuple[str, ...] = ()
    open: dict[str, Incident] = field(default_factory=dict)
    closed: dict[str, Incident] = field(default_factory=dict)
    windows: dict[str, str] = field(default_factory=dict)
    tickets: list[tuple[str, str]] = field(default_factory=list)
    forced: set[str] = field(default_factory=set)
    count: int = 0

    def pick(self, many: Sequence[str]) -> str:
        return many[self.draw(st.integers(0, len(many) - 1))]

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count:04}"

    def past(self) -> datetime:
        return self.now - timedelta(milliseconds=self.draw(st.integers(0, 7_200_000)))

    def step(self) -> Entry | None:
        # Microseconds, so that what a column rounds is rounded the same way at a replay.
        self.now += timedelta(microseconds=self.draw(st.integers(0, 3_600_000_000)))
        if not self.present:
            return self.apply()
        moves = (
            self.change,
            self.change,
            self.change,
            self.open_one,
            self.update_one,
            self.resolve_one,
            self.reopen_one,
            self.plan,
            self.move_window,
            self.ticket,
            self.answer,
            self.blind,
            self.notice,
            self.apply,
            self.force,
            self.acknowledge,
            self.extend,
            *((self.retract,) if self.retracting else ()),
        )
        return moves[self.draw(st.integers(0, len(moves) - 1))]()

    def apply(self) -> Entry:
        names = [name for name in ("gye1", "uio1", "cue1") if self.draw(st.integers(0, 2))]
        self.present = tuple(names or ["gye1"])
        self.known.update(self.present)
        return applied(
            *self.present, at=self.now, checks=("ping", "http", "smtp")[: 2 + self.draw(st.integers(0, 1))]
        )

    def change(self) -> Entry:
        status = Status(self.pick([each.value for each in Status if each is not Status.UNDER_MAINTENANCE]))
        return changed(self.pick(self.present), status, since=self.past(), at=self.now)

    def open_one(self) -> Entry | None:
        audience = Audience.PUBLIC if self.draw(st.integers(0, 2)) else Audience.OPERATORS
        origin = Origin.DETECTED if self.draw(st.integers(0, 2)) else Origin.OPERATOR
        taken = {name for each in self.open.values() if guarded(each) for name in each.servers}
        free = [name for name in self.present if name not in taken]
        problem = incident(self.name("I"), *free[:2], at=self.now, audience=audience, origin=origin)
        if not free:
            return None
        self.open[problem.id] = problem
        return opened(problem)

    def update_one(self) -> Entry | None:
        if not self.open:
            return None
        problem = self.open[self.pick(sorted(self.open))]
        stage = (Stage.IDENTIFIED, Stage.MONITORING, Stage.INVESTIGATING)[self.draw(st.integers(0, 2))]
        body = j.IncidentUpdated(
            incident=problem.id,
            reason=j.Reason.JOINED,
            stage=stage,
            impact=Impact.CRITICAL,
            servers=problem.servers,
            checks=(*problem.checks, CheckKey(problem.servers[0], "ping")),
            update=update(self.name("U"), stage, self.now) if self.draw(st.integers(0, 1)) else None,
            ended_at=self.past() if stage is Stage.MONITORING else None,
        )
        return entry(Kind.INCIDENT_UPDATED, body, self.now, problem.id)

    def resolve_one(self) -> Entry | None:
        if not self.open:
            return None
        problem = self.open.pop(self.pick(sorted(self.open)))
        self.closed[problem.id] = problem
        return resolved(problem.id, self.now)

    def reopen_one(self) -> Entry | None:
        taken = {name for each in self.open.values() if guarded(each) for name in each.servers}
        free = [
            name for name, each in self.closed.items() if not (guarded(each) and taken & set(each.servers))
        ]
        if not free:
            return None
        problem = self.closed.pop(self.pick(sorted(free)))
        self.open[problem.id] = problem
        body = j.IncidentReopened(
            incident=problem.id,
            impact=Impact.MAJOR,
            checks=(CheckKey(problem.servers[0], "ping"),),
            update=update(self.name("U"), Stage.INVESTIGATING, self.now),
        )
        return entry(Kind.INCIDENT_REOPENED, body, self.now, problem.id)

    def plan(self) -> Entry:
        again = [name for name, stage in self.windows.items() if stage == "planned"]
        name = self.pick(again) if again and self.draw(st.integers(0, 1)) else self.name("W")
        self.windows[name] = "planned"
        body = j.WindowPlanned(window=window(name, *self.present, starts=self.now))
        return entry(Kind.WINDOW_PLANNED, body, self.now, name)

    def move_window(self) -> Entry | None:
        movable = [name for name, stage in self.windows.items() if stage in ("planned", "started")]
        if not movable:
            return None
        name = self.pick(movable)
        kind = Kind.WINDOW_STARTED if self.windows[name] == "planned" else Kind.WINDOW_COMPLETED
        if not self.draw(st.integers(0, 3)):
            kind = Kind.WINDOW_CANCELLED
        self.windows[name] = kind.value.removeprefix("window.")
        return entry(kind, j.WindowMoved(window=WindowId(name)), self.now, name)

    def ticket(self) -> Entry | None:
        if not self.open:
            return None
        problem = self.pick(sorted(self.open))
        self.tickets.append((problem, f"VG-TEST-{problem}"))
        body = j.TicketOpened(
            incident=IncidentId(problem),
            reference=f"VG-TEST-{problem}",
            helpdesk="desk",
            ticket=self.name(""),
            url="/ops/desk",
            department="soporte",
            priority="urgent",
            subject="Interrupción",
        )
        return entry(Kind.TICKET_OPENED, body, self.now, problem)

    def answer(self) -> Entry | None:
        if not self.tickets:
            return None
        problem, reference = self.tickets[self.draw(st.integers(0, len(self.tickets) - 1))]
        body = j.TicketUpdated(
            incident=IncidentId(problem),
            reference=reference,
            action="comment",
            priority="high",
            status=("open", "answered", "closed")[self.draw(st.integers(0, 2))],
            answered_at=self.past() if self.draw(st.integers(0, 1)) else None,
        )
        return entry(Kind.TICKET_UPDATED, body, self.now, problem)

    def blind(self) -> Entry:
        since = self.past() if self.draw(st.integers(0, 3)) else None
        return entry(Kind.WATCH_STARTED, j.WatchStarted(boot="boot", blind_since=since), self.now, "watch")

    def force(self) -> Entry:
        if self.forced and self.draw(st.integers(0, 1)):
            name = self.pick(sorted(self.forced))
            self.forced.remove(name)
            return entry(Kind.SERVER_RELEASED, j.ServerReleased(server=ServerId(name)), self.now, name)
        name = self.pick(self.present)
        self.forced.add(name)
        body = j.ServerForced(
            server=ServerId(name),
            status=Status.OPERATIONAL,
            reason="We work on the check.",
            until=self.now + timedelta(hours=4),
        )
        return entry(Kind.SERVER_FORCED, body, self.now, name)

    def acknowledge(self) -> Entry | None:
        if not self.open:
            return None
        problem = self.pick(sorted(self.open))
        until = self.now + timedelta(hours=4) if self.draw(st.integers(0, 1)) else None
        body = j.IncidentAcknowledged(incident=IncidentId(problem), until=until)
        return entry(Kind.INCIDENT_ACKNOWLEDGED, body, self.now, problem)

    def retract(self) -> Entry | None:
        among = {**self.closed, **self.open}
        if not among:
            return None
        problem = among[self.pick(sorted(among))]
        was_open = self.open.pop(problem.id, None) is not None
        self.closed.pop(problem.id, None)
        body = j.IncidentRetracted(
            incident=problem.id,
            reason="Our own line was cut.",
            servers=problem.servers if guarded(problem) else (),
            since=problem.started_at,
            until=self.now,
            was_open=was_open,
            update=update(self.name("U"), Stage.RESOLVED, self.now),
        )
        return entry(Kind.INCIDENT_RETRACTED, body, self.now, problem.id)

    def extend(self) -> Entry | None:
        going = [name for name, stage in self.windows.items() if stage in ("planned", "started")]
        if not going:
            return None
        name = self.pick(going)
        body = j.WindowExtended(window=WindowId(name), ends_at=self.now + timedelta(hours=9))
        return entry(Kind.WINDOW_EXTENDED, body, self.now, name)

    def notice(self) -> Entry:
        key = CheckKey(ServerId(self.pick(self.present)), "http")
        evidence = CheckEvidence(
            check=key,
            kind="http",
            outcome=Outcome.DOWN,
            cause=Cause.REFUSED,
            found="connection refused",
            failing_since=self.past(),
            last_ok_at=None,
            looked_at=self.now,
            took_ms=0.4,
        )
        body = j.CheckChanged(
            check=key, before=State.UP, after=State.DOWN, since=evidence.failing_since, evidence=evidence
        )
        return entry(Kind.CHECK_WENT_DOWN, body, self.now, str(key))


def guarded(problem: Incident) -> bool:
    """Is this an incident of which a server may have only one open?"""
    return problem.audience is Audience.PUBLIC and problem.origin is Origin.DETECTED


@st.composite
def histories(draw: Callable[..., int], *, retracting: bool = True) -> list[list[Entry]]:
    """Up to a dozen batches of up to four entries each, in an order in which they could happen."""
    world = World(draw, retracting)
    batches = []
    for size in draw(st.lists(st.integers(1, 4), min_size=1, max_size=12)):
        drawn = [world.step() for _ in range(size)]
        batch = [each for each in drawn if each is not None]
        if batch:
            batches.append(batch)
    return batches
