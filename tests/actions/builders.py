"""Two servers, looks at them in short words, and the bureau that judges them on a real database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from monitor.actions import arm
from monitor.fleet import CheckPlan, Fleet, Group, PlannedWindow, Server, Site
from monitor.health.flapping import LOOKS
from monitor.health.state import Attempts, Policy
from monitor.health.words import CheckImpact, Service, Status
from monitor.identifiers import CheckKey, GroupId, IncidentId, ServerId
from monitor.incidents.incident import Incident
from monitor.journal.consequences import Channel
from monitor.journal.entries import Entry
from monitor.maintenance.window import Window
from monitor.observation import Cause, Observation, Outcome
from monitor.station.bureau import Bureau, Recorded
from monitor.store import deliveries, journal, readings
from monitor.store.database import Database
from tests.conftest import SteppingClock

GYE1, UIO1 = ServerId("gye1"), ServerId("uio1")
RETRY = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
RESOLVE_AFTER = 5 * MINUTE
REOPEN_WITHIN = 30 * MINUTE
POLICY = Policy(confirm=Attempts(attempts=3, retry=RETRY), recover=Attempts(attempts=2, retry=RETRY))
SITE = Site(name="Nodored", url="https://estado.nodored.test", timezone="America/Guayaquil")
GROUPS = (
    Group(id=GroupId("hosting"), name={"es": "Hosting compartido", "en": "Shared hosting"}),
    Group(id=GroupId("empty"), name={"es": "Sin servidores", "en": "No servers"}),
)
WORDS: Mapping[str, tuple[Outcome, Cause | None, str]] = MappingProxyType(
    {
        "ok": (Outcome.OK, None, ""),
        "down": (Outcome.DOWN, Cause.REFUSED, "connection refused"),
        "slow": (Outcome.WARN, Cause.SLOW, "3.1 s, expected within 2 s"),
        "ending": (Outcome.WARN, Cause.CERTIFICATE_ENDING, "12 days left, warned below 21"),
        "full": (Outcome.WARN, Cause.CAPACITY, "98 % used, warned above 90 %"),
        "unknown": (Outcome.UNKNOWN, Cause.OWN, "no file descriptor left"),
        "isolated": (Outcome.UNKNOWN, Cause.ISOLATED, "no sentinel answers either"),
        "nameless": (Outcome.UNKNOWN, Cause.RESOLVER, "cannot look up gye1.test: no name server answered"),
    }
)


def key(name: str) -> CheckKey:
    """Return the key that `gye1/http` names."""
    server, _, check = name.partition("/")
    return CheckKey(server=ServerId(server), check=check)


def plan(name: str, service: Service, impact: CheckImpact = CheckImpact.OUTAGE) -> CheckPlan:
    return CheckPlan(
        key=key(name),
        kind=name.partition("/")[2],
        options={},
        every=MINUTE,
        timeout=timedelta(seconds=10),
        policy=POLICY,
        impact=impact,
        service=service,
    )


def server(identity: ServerId, *checks: CheckPlan) -> Server:
    return Server(
        id=identity,
        name=f"{identity}.nodored.com",
        group=GroupId("hosting"),
        checks=checks,
        resolve_after=RESOLVE_AFTER,
        reopen_within=REOPEN_WITHIN,
    )


def fleet(*servers: Server, windows: tuple[PlannedWindow, ...] = ()) -> Fleet:
    """Return a fleet of these servers; without any, of gye1 (http, smtp, tls, disk) and uio1 (http, tcp)."""
    return Fleet(site=SITE, groups=GROUPS, servers=servers or (gye1(), uio1()), windows=windows)


def gye1() -> Server:
    return server(
        GYE1,
        plan("gye1/http", Service.WEB),
        plan("gye1/smtp", Service.MAIL),
        plan("gye1/tls", Service.WEB),
        plan("gye1/disk", Service.FILES, CheckImpact.NONE),
    )


def uio1() -> Server:
    return server(UIO1, plan("uio1/http", Service.WEB), plan("uio1/tcp", Service.NETWORK))


def recurring(**changes: object) -> PlannedWindow:
    """Return backups of gye1 every Sunday at two in the morning, for two hours."""
    plain = PlannedWindow(
        id="backups",
        servers=(GYE1,),
        lasts=timedelta(hours=2),
        title={"es": "Respaldos", "en": "Backups"},
        rule="every sunday 02:00",
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # a builder takes any of the fields


def look(name: str, word: str, at: datetime) -> Observation:
    """Return one look at `gye1/http` that found what `word` says."""
    outcome, cause, found = WORDS[word]
    return Observation(
        check=key(name),
        started_at=at,
        took_ms=12.5,
        outcome=outcome,
        cause=cause,
        found=found,
        reproduce="" if outcome is Outcome.OK else f"curl -v http://{name}",
    )


class Lookout:
    """The bureau on a database of its own, and what people would read after each of its steps.

    A new one is armed by a person, so that no test has to wait for its first round.
    """

    ARMS = True

    def __init__(
        self,
        database: Database,
        clock: SteppingClock,
        watched: Fleet | None = None,
        digests: Mapping[CheckKey, bytes] = MappingProxyType({}),
    ) -> None:
        self.database = database
        self.clock = clock
        self.fleet = watched or fleet()
        self.digests = digests
        self.number = 0
        self.bureau = Bureau(database, clock)
        with database.writing() as tx:
            if self.ARMS and readings.is_learning(tx):
                arm.arm(tx, "ana", clock.now())
        self.bureau.begin(self.fleet, digests)

    def restart(self, watched: Fleet | None = None) -> Lookout:
        """Return what a new process makes of the same data directory."""
        path = self.database.path
        self.database.close()
        return type(self)(Database.open(path, owner=True), self.clock, watched or self.fleet, self.digests)

    def see(self, *looks: str, times: int = 1) -> Recorded:
        """Let a retry gap pass and record looks as `gye1/http down`, all in one batch, `times` over."""
        recorded = Recorded(again=(), decided=False)
        for _ in range(times):
            at = self.clock.step(RETRY)
            self.number += 1
            seen = [replace(look(*words.split(), at), sequence=self.number) for words in looks]
            recorded = self.bureau.record(seen)
        return recorded

    def all_well(self) -> None:
        """Find every check healthy, twice: enough for anything that failed."""
        self.see(*(f"{check.key} ok" for check in self.fleet.checks()), times=2)

    def all_steady(self) -> None:
        """Find every check healthy until nobody remembers that any came and went."""
        self.see(*(f"{check.key} ok" for check in self.fleet.checks()), times=LOOKS)

    def wait(self, span: timedelta, every: timedelta = timedelta(seconds=30)) -> None:
        """Let time pass without a look, keeping house as watch does."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.step(min(every, end - self.clock.now()))
            self.bureau.keep_house()

    def incidents(self) -> list[Incident]:
        """Return every incident, oldest first."""
        with self.database.reading() as tx:
            found = readings.incidents_between(
                tx, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
            )
        return sorted(found, key=lambda each: (each.opened_at, each.id))

    def incident(self) -> Incident:
        """Return the only incident there is."""
        (only,) = self.incidents()
        return only

    def status(self, of: ServerId = GYE1) -> Status:
        with self.database.reading() as tx:
            return readings.standing(tx)[of].judged.status

    def since(self, of: ServerId = GYE1) -> datetime:
        with self.database.reading() as tx:
            return readings.standing(tx)[of].since

    def windows(self) -> tuple[Window, ...]:
        with self.database.reading() as tx:
            return readings.windows(tx)

    def told(self, incident: IncidentId | None = None, channel: str = Channel.TICKET) -> list[str]:
        """Return the actions that are queued for an incident, oldest first."""
        with self.database.reading() as tx:
            rows = deliveries.of_incident(tx, incident or self.incident().id, channel)
        return [row.action for row in rows]

    def entries(self) -> list[Entry]:
        with self.database.reading() as tx:
            return [numbered.entry for numbered in journal.entries(tx)]

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.entries()]
