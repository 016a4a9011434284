"""A house of real parts: a database on disk, a helpdesk over HTTP, a clock that steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.journal.consequences import DeliveryState
from monitor.journal.entries import Entry, NumberedEntry
from monitor.store import deliveries, journal
from monitor.store.database import Database
from monitor.store.deliveries import DeliveryRow
from monitor.subscribers.port import Message, Messenger
from monitor.tickets.port import Helpdesk as HelpdeskPort
from monitor.tickets.webhook import Webhook, WebhookOptions
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.tickets import builders

INSTALLATION = "TESTHAUS"
EARS = "ears"


@dataclass
class Listeners:
    """People who hear everything, or nothing while they are away."""

    heard: list[Message] = field(default_factory=list)
    away: bool = False

    def tell(self, message: Message) -> bool:
        if not self.away:
            self.heard.append(message)
        return not self.away


@dataclass
class House:
    """Everything between the journal and the outside, stepped by hand."""

    database: Database
    clock: SteppingClock
    helpdesk: Helpdesk
    operators: Listeners
    fallback: Listeners
    deliverer: Deliverer
    results: list[str]

    def record(self, *entries: Entry) -> tuple[NumberedEntry, ...]:
        with self.database.writing() as tx:
            return append(tx, entries, self.clock.now())

    def happen(self, *entries: Entry) -> None:
        """Append entries at their moments, each as an action of its own, and let what is due go out after each."""
        for entry in entries:
            self.queue(entry)
            self.steps()

    def queue(self, *entries: Entry) -> None:
        """Append entries at their moments and let nothing go out yet."""
        for entry in entries:
            self.clock.step(max(entry.moment - self.clock.now(), timedelta(0)))
            self.record(entry)

    def steps(self, limit: int = 1000) -> int:
        """Do everything that is due now."""
        for done in range(limit):
            if not self.deliverer.step():
                return done
        raise AssertionError("the deliverer does not come to rest")

    def wait(self, span: timedelta, every: timedelta = timedelta(seconds=5)) -> None:
        """Let time pass, doing what falls due."""
        end = self.clock.now() + span
        self.steps()
        while self.clock.now() < end:
            self.clock.step(every)
            self.steps()

    def rows(self, channel: str = "ticket") -> list[DeliveryRow]:
        with self.database.reading() as tx:
            return list(deliveries.of_incident(tx, builders.INCIDENT, channel))

    def states(self, channel: str = "ticket") -> list[tuple[str, DeliveryState]]:
        return [(row.action, row.state) for row in self.rows(channel)]

    def kinds(self) -> list[str]:
        with self.database.reading() as tx:
            return [numbered.entry.kind.value for numbered in journal.entries(tx)]


MakeHouse = Callable[..., House]


def options(helpdesk: Helpdesk) -> WebhookOptions:
    return WebhookOptions(
        url=helpdesk.url,
        secret=SecretStr(SECRET),
        timeout=timedelta(seconds=0.7),
        search_lag=timedelta(seconds=10),
    )


def webhook(helpdesk: Helpdesk, clock: SteppingClock) -> Webhook:
    return Webhook(options(helpdesk), clock.now)


@pytest.fixture
def make_house(tmp_path: Path, clock: SteppingClock) -> Iterator[MakeHouse]:
    closing: list[Callable[[], None]] = []

    def make(
        *,
        lag: timedelta = timedelta(0),
        honours_keys: bool = False,
        port: HelpdeskPort | None = None,
        operators: Mapping[str, Messenger] | None = None,
    ) -> House:
        database = Database.open(tmp_path / "vigia.db", owner=True, busy_timeout=timedelta(seconds=0.25))
        helpdesk = Helpdesk(clock.now, lag=lag, honours_keys=honours_keys)
        closing.extend((database.close, helpdesk.close))
        ears, fallback, results = Listeners(), Listeners(), list[str]()
        deliverer = Deliverer(
            database=database,
            helpdesk=port or webhook(helpdesk, clock),
            operators={EARS: ears} if operators is None else operators,
            fallback={EARS: fallback},
            clock=clock,
            installation=INSTALLATION,
            append=lambda tx, entries: append(tx, entries, clock.now()),
            chance=lambda: 0.5,
            on_result=results.append,
        )
        house = House(database, clock, helpdesk, ears, fallback, deliverer, results)
        house.record(builders.applied())
        return house

    yield make
    for close in reversed(closing):
        close()


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    return make_house()


@pytest.fixture
def lookout(tmp_path: Path, clock: SteppingClock) -> Iterator[Lookout]:
    """The bureau on a new database, watching two servers."""
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock)
    yield made
    made.database.close()
