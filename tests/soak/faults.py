"""A thousand faults, and whether each was found in time and told once: `python -m tests.soak.faults [FAULTS]`.

Faults of every cause for which a target that is looked at can be at fault, of 2 to 60 minutes, begun at moments of chance on 200
servers. In time that passes at once everything but the targets is the product: the scheduler's turns and retries, the prober with its
deadlines, the recorder's batches, the bureau on a real database, deliveries to the built-in desk.

Each fault has to be an incident of its own within I + t + (n - 1)(r + t) and 2 seconds for the writing; there is one ticket
for each and no other, and each is resolved.
"""

from __future__ import annotations

import asyncio
import json
import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import cast

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.checks.contract import Check, Look, TargetFaultError, Tools
from monitor.fleet import CheckPlan, Fleet, Group, Server, Site
from monitor.health.advance import wants_retry
from monitor.health.words import Service
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId
from monitor.incidents.incident import Audience, Incident, Stage
from monitor.journal.consequences import Channel
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import Prober
from monitor.scheduling import Scheduler
from monitor.station.bureau import Bureau
from monitor.station.recorder import Recorder
from monitor.store import desk, readings
from monitor.store.database import Database
from monitor.store.desk_values import DeskTicket
from monitor.tickets.desk import Desk, DeskOptions
from tests.scheduling.builders import POLICY
from tests.scheduling.virtual import VirtualClock, run
from tests.soak.whole import Figure

FAULTS = 1_000
SERVERS = 200
SEED = 20261122
MINUTE = timedelta(minutes=1)
EVERY, TIMEOUT = MINUTE, timedelta(seconds=10)
CONFIRM = POLICY.confirm
WORST = EVERY + TIMEOUT + (CONFIRM.attempts - 1) * (CONFIRM.retry + TIMEOUT)
ALLOWED = WORST + timedelta(seconds=2)
RESOLVE_AFTER, REOPEN_WITHIN = 5 * MINUTE, 30 * MINUTE
# A fault this long after another is one of its own: watched for five minutes, and not reopened for thirty.
APART = RESOLVE_AFTER + REOPEN_WITHIN + 5 * MINUTE
SHORTEST, LONGEST = 2 * MINUTE, 60 * MINUTE
INSTALLATION = "TESTHAUS"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a name of its own is made in it
HOUSE = timedelta(seconds=1)
# So many seconds a worker of deliveries rests at most when nobody wakes it.
_LOOKS_AROUND = 60

# What says nothing against a target, what only the staff is told of, and what is found without a look.
NOT_BY_LOOKING = frozenset(
    {
        Cause.OWN,
        Cause.RIGHTS,
        Cause.ISOLATED,
        Cause.RESOLVER,
        Cause.CERTIFICATE_ENDING,
        Cause.DOMAIN_ENDING,
        Cause.CAPACITY,
        Cause.LISTED,
        Cause.OVERDUE,
    }
)
CAUSES = tuple(cause for cause in Cause if cause not in NOT_BY_LOOKING)
SILENT = frozenset(
    {Cause.TIMEOUT_NAME, Cause.TIMEOUT_CONNECT, Cause.TIMEOUT_TLS, Cause.TIMEOUT_FIRST_BYTE, Cause.LOSS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of some checks of a server; `end` is not part of it. `took` is how long a look at it lasts."""

    server: ServerId
    checks: frozenset[CheckKey]
    cause: Cause
    begin: datetime
    end: datetime
    took: timedelta


def fleet(servers: int) -> Fleet:
    """Every other server has a ping beside its web."""
    return Fleet(
        site=Site(name="Nodored", url="https://estado.nodored.test", timezone="America/Guayaquil"),
        groups=(Group(id=GroupId("hosting"), name={"es": "Hosting", "en": "Hosting"}),),
        servers=tuple(_server(ServerId(f"web{number}"), pings=number % 2 == 1) for number in range(servers)),
    )


def _server(name: ServerId, *, pings: bool) -> Server:
    kinds = {"http": Service.WEB} | ({"ping": Service.NETWORK} if pings else {})
    return Server(
        id=name,
        name=f"{name}.nodored.test",
        group=GroupId("hosting"),
        resolve_after=RESOLVE_AFTER,
        reopen_within=REOPEN_WITHIN,
        checks=tuple(
            CheckPlan(
                key=CheckKey(name, kind),
                kind=kind,
                options={},
                every=EVERY,
                timeout=TIMEOUT,
                policy=POLICY,
                service=service,
            )
            for kind, service in kinds.items()
        ),
    )


def faults(
    watched: Fleet, count: int, start: datetime, random: Random, longest: timedelta = LONGEST
) -> list[Fault]:
    """Return so many faults, the causes in turn, each server's far enough apart to be incidents of their own."""
    free = {server.id: start + 2 * MINUTE for server in watched.servers}
    checks = {server.id: [plan.key for plan in server.checks] for server in watched.servers}
    found = []
    for number in range(count):
        server = watched.servers[number % len(watched.servers)].id
        begin = free[server] + random.random() * 30 * MINUTE
        end = begin + SHORTEST + random.random() * (longest - SHORTEST)
        free[server] = end + APART
        hit = random.sample(checks[server], random.randint(1, len(checks[server])))
        cause = CAUSES[number % len(CAUSES)]
        found.append(
            Fault(
                server=server,
                checks=frozenset(hit),
                cause=cause,
                begin=begin,
                end=end,
                took=TIMEOUT if cause in SILENT else random.random() * timedelta(seconds=2),
            )
        )
    return found


@dataclass
class Target:
    """What a look at one check finds; the deadline is the looker's, as in every kind."""

    clock: VirtualClock
    faults: Sequence[Fault]
    begins: list[datetime] = field(init=False)

    def __post_init__(self) -> None:
        self.begins = [fault.begin for fault in self.faults]

    async def look(self, _tools: Tools, deadline: float) -> Look:
        now = self.clock.now()
        newest = bisect_right(self.begins, now) - 1
        if newest < 0 or now >= self.faults[newest].end:
            await asyncio.sleep(0.05)
            return Look(outcome=Outcome.OK)
        fault = self.faults[newest]
        if fault.cause is Cause.TIMEOUT_TOTAL:
            # It does not end by itself: the prober has to end it.
            await asyncio.sleep(10 * TIMEOUT.total_seconds())
        await asyncio.sleep(min(fault.took.total_seconds(), deadline - self.clock.monotonic()))
        if fault.cause is Cause.SLOW:
            return Look(outcome=Outcome.WARN, cause=Cause.SLOW, found="slower than expected")
        raise TargetFaultError(fault.cause, f"made up: {fault.cause}")

    def reproduce(self, _look: Look, _timeout: timedelta) -> str:
        return "curl -v http://web.nodored.test"


class Station:
    """The parts of watch, put together on one thread and in virtual time."""

    def __init__(self, database: Database, clock: VirtualClock, watched: Fleet, due: Sequence[Fault]) -> None:
        self._clock = clock
        self._bureau = Bureau(database, clock)
        self._bureau.begin(watched)
        self._recorder = Recorder(write=self._record, on_drop=self._dropped, is_news=self._is_news)
        self._prober = Prober(tools=cast("Tools", None), clock=clock, deliver=self._recorder.put)
        self._scheduler = Scheduler(clock, self._prober.begin)
        self._deliverer = Deliverer(
            database=database,
            helpdesk=Desk(DeskOptions(), StoredDesk(database, watched.site.url), clock.now),
            operators={},
            clock=clock,
            installation=INSTALLATION,
            append=lambda tx, entries: append(tx, entries, clock.now()),
            at_home=frozenset(Channel),
        )
        plans = {plan.key: plan for plan in self._bureau.picture.fleet.checks()}
        targets = {key: Target(clock, [fault for fault in due if key in fault.checks]) for key in plans}
        self._prober.replace({key: (plan, cast("Check", targets[key])) for key, plan in plans.items()})
        self._scheduler.replace(plans.values())
        self.looks = 0

    async def live(self, span: timedelta) -> None:
        """Look, record, decide and deliver for so long."""
        recording = asyncio.create_task(self._recorder.run())
        self._scheduler.start()
        # The calendars of the house go by the machine's wall clock, so the house is kept without them.
        for second in range(round(span.total_seconds())):
            await asyncio.sleep(HOUSE.total_seconds())
            self._keep_house()
            if second % _LOOKS_AROUND == 0:
                self._deliver()
        await self._scheduler.stop()
        await self._prober.close()
        self._recorder.stop()
        await recording

    async def _record(self, looks: Sequence[Observation]) -> None:
        recorded = self._bureau.record(looks)
        self.looks += len(looks)
        for key, gap in recorded.again:
            self._scheduler.again(key, gap)
        if recorded.decided:
            self._deliver()

    def _is_news(self, look: Observation) -> bool:
        health = self._bureau.picture.healths.get(look.check)
        return health is None or health.outcome is not look.outcome or wants_retry(health)

    def _keep_house(self) -> None:
        kept = self._bureau.keep_house()
        if kept is not None:
            self._scheduler.now(kept.look_at)
            self._deliver()

    def _deliver(self) -> None:
        while self._deliverer.step():
            pass

    def _dropped(self, looks: int) -> None:
        raise AssertionError(f"{looks} looks were let go")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people would find in the end."""

    looks: int
    incidents: Sequence[Incident]
    tickets: Mapping[IncidentId, Sequence[DeskTicket]]


def live_through(folder: Path, watched: Fleet, due: Sequence[Fault], clock: VirtualClock) -> Told:
    """Live until the last fault is over and told."""
    database = Database.open(folder / "vigia.db", owner=True)
    try:
        station = Station(database, clock, watched, due)
        run(clock, station.live(max(fault.end for fault in due) - clock.now() + APART))
        with database.reading() as tx:
            incidents = readings.incidents_between(tx, min(fault.begin for fault in due), clock.now())
            tickets = {row.reference: row.incident for row in readings.tickets(tx)}
            found: dict[IncidentId, list[DeskTicket]] = {}
            for ticket in desk.list_tickets(tx, closed=True):
                found.setdefault(tickets[ticket.reference], []).append(ticket)
    finally:
        database.close()
    return Told(looks=station.looks, incidents=incidents, tickets=found)


def missed(
    count: int = FAULTS, servers: int = SERVERS, longest: timedelta = LONGEST, seed: int = SEED
) -> list[Figure]:
    """Live through so many faults and count."""
    clock = VirtualClock()
    watched = fleet(servers)
    due = faults(watched, count, clock.now(), Random(seed), longest)
    # Nothing dies here, so nobody waits for a disk.
    with TemporaryDirectory(prefix="vigia-faults-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        told = live_through(Path(folder), watched, due, clock)
    public = [one for one in told.incidents if one.audience is Audience.PUBLIC]
    mine = [[one for one in public if _is_of(fault, one)] for fault in due]
    delays = [
        (ones[0].opened_at - fault.begin).total_seconds()
        for fault, ones in zip(due, mine, strict=True)
        if ones
    ]
    tickets = [told.tickets.get(one.id, ()) for one in public]
    answered = [
        (its[0].opened_at - fault.begin).total_seconds()
        for fault, ones in zip(due, mine, strict=True)
        for its in [told.tickets.get(ones[0].id, ()) if ones else ()]
        if its
    ]
    return [
        Figure("looks", told.looks),
        Figure("faults", len(due)),
        Figure("causes among them", len({fault.cause for fault in due})),
        Figure(
            "faults with exactly one incident", _count(mine, lambda ones: len(ones) == 1), count, least=True
        ),
        Figure("incidents of no fault", len(public) - sum(map(len, mine)), 0),
        Figure("incidents of our own trouble", len(told.incidents) - len(public), 0),
        Figure("until the incident, mean, s", sum(delays) / len(delays)),
        Figure("until the incident, at most, s", max(delays), ALLOWED.total_seconds()),
        Figure("until the ticket, at most, s", max(answered), ALLOWED.total_seconds()),
        Figure(
            "incidents with exactly one ticket", _count(tickets, lambda its: len(its) == 1), count, least=True
        ),
        Figure("tickets in the desk", sum(map(len, told.tickets.values())), count),
        Figure(
            "tickets that are not closed",
            sum(ticket.status != "closed" for its in told.tickets.values() for ticket in its),
            0,
        ),
        Figure(
            "incidents that are not resolved", _count(public, lambda one: one.stage is not Stage.RESOLVED), 0
        ),
    ]


def _is_of(fault: Fault, incident: Incident) -> bool:
    """Did it start in this fault, and end after it?"""
    return (
        incident.servers == (fault.server,)
        and fault.begin <= incident.started_at < fault.end
        and incident.ended_at is not None
        and incident.ended_at >= fault.end
    )


def _count(things: Sequence[object], holds: Callable[..., bool]) -> int:
    return sum(holds(thing) for thing in things)


def main(count: int) -> int:
    """Live through it and print; 1 when a figure is beyond its bound."""
    figures = missed(count)
    for figure in figures:
        print(f"  {figure.what:<40} {figure.value:12.3f}  {figure.bound}")
    print(json.dumps({figure.what: round(figure.value, 4) for figure in figures}), flush=True)
    return int(any(not figure.is_met for figure in figures))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else FAULTS))
