"""Heartbeats on a real database, and the reports that come in as web would bring them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from monitor.fleet import CheckPlan, Fleet
from monitor.health.heartbeat import SUCCESS, Arrival
from monitor.health.state import Attempts, Policy
from monitor.health.words import CheckImpact, Service, State
from monitor.identifiers import CheckKey
from monitor.observation import Observation, Outcome
from monitor.store import heartbeats, observations, readings
from monitor.store.database import Database
from monitor.store.heartbeats import Report
from tests.actions.builders import GYE1, RETRY, Lookout, fleet, key, plan, server
from tests.conftest import SteppingClock

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BACKUP, ROTATION = key("gye1/backup"), key("gye1/rotation")
DIGESTS = {
    BACKUP: heartbeats.digest_of("backup-backup-backup"),
    ROTATION: heartbeats.digest_of("rotation-rotation"),
}
AT_ONCE = Policy(confirm=Attempts(attempts=1, retry=RETRY), recover=Attempts(attempts=1, retry=RETRY))


def job(
    name: str = "gye1/backup", *, every: timedelta = HOUR, policy: Policy = AT_ONCE, **options: str
) -> CheckPlan:
    plain = plan(name, Service.FILES, CheckImpact.DEGRADED)
    return replace(plain, kind="heartbeat", every=every, policy=policy, options={"grace": "10m", **options})


def jobs(*plans: CheckPlan) -> Fleet:
    return fleet(server(GYE1, plan("gye1/http", Service.WEB), *(plans or (job(),))))


class Jobs(Lookout):
    """A lookout on heartbeats, whose reports come in by a database of their own, as web's do."""

    @cached_property
    def web(self) -> Database:
        return Database.open(self.database.path, owner=False)

    def close(self) -> None:
        self.web.close()
        self.database.close()

    def listen(self, *, anew: bool = False) -> None:
        """Let web give a sign of life."""
        with self.web.writing() as tx:
            heartbeats.receive_on(tx, self.clock.now(), anew=anew)

    def report(self, signal: int = SUCCESS, of: CheckKey = BACKUP, body: str = "") -> datetime:
        """Put a report into the inbox and return when it came."""
        at = self.clock.now()
        arrival = Arrival(at=at, signal=signal, body=body)
        with self.web.writing() as tx:
            heartbeats.arrive(tx, [Report(digest=DIGESTS[of], arrival=arrival)])
        return at

    def receive(self) -> tuple[Observation, ...]:
        received = self.bureau.receive()
        return () if received is None else received.looks

    def say(self, signal: int = SUCCESS, of: CheckKey = BACKUP, body: str = "") -> tuple[Observation, ...]:
        """Let a second pass, have a job report, and take it in."""
        self.clock.step(SECOND)
        self.report(signal, of, body)
        return self.receive()

    def pass_by(self, span: timedelta, every: timedelta = 10 * SECOND) -> list[Observation]:
        """Let time go by while everybody is alive and nobody reports; return what was found."""
        found: list[Observation] = []
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.step(min(every, end - self.clock.now()))
            self.listen()
            found += self.receive()
            self.bureau.keep_house()
        return found

    def pass_unwatched(self, span: timedelta) -> None:
        """Let time go by while web is alive and watch is not."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.step(10 * SECOND)
            self.listen()

    def state(self, of: CheckKey = BACKUP) -> State:
        return self.bureau.picture.health(of).state

    def waiting(self) -> int:
        with self.database.reading() as tx:
            return len(heartbeats.waiting(tx, 100_000))

    def looks(self, of: CheckKey = BACKUP) -> list[Outcome]:
        """Return what is on record of a check, oldest first."""
        with self.database.reading() as tx:
            number = readings.check_numbers(tx)[of]
            seen = observations.looks(
                tx, number, self.clock.now() - 30 * 24 * HOUR, self.clock.now() + 24 * HOUR
            )
        return [look.outcome for look in seen]

    def arrivals(self, of: CheckKey = BACKUP) -> int:
        with self.database.reading() as tx:
            return heartbeats.stored(tx)[of].beat.arrivals


def open_jobs(path: Path, clock: SteppingClock, watched: Fleet) -> Jobs:
    house = Jobs(Database.open(path / "vigia.db", owner=True), clock, watched, DIGESTS)
    house.listen(anew=True)
    house.bureau.record(
        [Observation(check=key("gye1/http"), started_at=clock.now(), took_ms=1.0, outcome=Outcome.OK)]
    )
    return house
