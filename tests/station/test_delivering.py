"""What becomes of whoever delivers and reads when the configuration changes, and at the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.actions.append import append
from monitor.actions.clerk import Clerk, Duty
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.journal.entries import Entry
from monitor.station.delivering import Delivering
from monitor.station.office import Office
from monitor.store.database import Database
from monitor.tickets.desk import Desk, DeskOptions
from tests.actions.conftest import EARS, INSTALLATION, Listeners
from tests.conftest import SteppingClock
from tests.tickets import builders

PATIENCE_S = 60


class Reading:
    """A clerk's duty that lasts until it is released."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def do(self, _now: datetime) -> bool:
        self.begun.set()
        return not self.released.wait(PATIENCE_S)


class Offices:
    """One office after the other, each with ears and a reading of its own."""

    def __init__(self, database: Database, clock: SteppingClock) -> None:
        self.database, self.clock = database, clock
        self.ears: list[Listeners] = []
        self.readings: list[Reading] = []
        self.delivering = Delivering(self.make)

    def make(self) -> Office:
        ears, reading = Listeners(), Reading()
        self.ears.append(ears)
        self.readings.append(reading)
        duty = Duty(name="read", every=timedelta(hours=1), do=reading.do)
        deliverer = Deliverer(
            database=self.database,
            helpdesk=Desk(DeskOptions(), StoredDesk(self.database, "https://estado.test"), self.clock.now),
            operators={EARS: ears},
            clock=self.clock,
            installation=INSTALLATION,
            append=lambda tx, entries: append(tx, entries, self.clock.now()),
        )
        return Office(deliverer=deliverer, clerk=Clerk([duty], self.clock, lambda: None))

    def happen(self, entry: Entry) -> None:
        self.clock.step(max(entry.moment - self.clock.now(), timedelta(0)))
        with self.database.writing() as tx:
            append(tx, (entry,), self.clock.now())
        self.delivering.wake()

    def release(self) -> None:
        for reading in self.readings:
            reading.released.set()


@pytest.fixture
def offices(tmp_path: Path, clock: SteppingClock) -> Iterator[Offices]:
    database = Database.open(tmp_path / "vigia.db", owner=True)
    made = Offices(database, clock)
    made.happen(builders.applied())
    yield made
    made.release()
    for thread in threading.enumerate():
        if thread.name == "clerk" or thread.name.startswith("deliver-"):
            thread.join(PATIENCE_S)
    database.close()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110 - the fact lies in another thread
            await asyncio.sleep(0.02)


def test_whoever_delivers_next_does_not_wait_for_a_clerk_who_still_reads(offices: Offices) -> None:
    async def live() -> None:
        running = asyncio.create_task(offices.delivering.run())
        await until(offices.readings[0].begun.is_set)
        for number in (1, 2):
            offices.delivering.relieve()
            await until(lambda number=number: len(offices.ears) == number + 1)
        offices.happen(builders.opened(builders.incident()))
        await until(lambda: offices.ears[2].heard)
        assert not any(reading.begun.is_set() for reading in offices.readings[1:])
        offices.readings[0].released.set()
        await until(offices.readings[2].begun.is_set)
        assert not offices.readings[1].begun.is_set()
        offices.release()
        offices.delivering.end()
        await running

    asyncio.run(live())


def test_the_end_does_not_wait_for_a_clerk_who_still_reads(offices: Offices) -> None:
    async def live() -> None:
        running = asyncio.create_task(offices.delivering.run())
        await until(offices.readings[0].begun.is_set)
        offices.delivering.relieve()
        await until(lambda: len(offices.ears) == 2)
        offices.delivering.end()
        await running

    asyncio.run(live())
    assert not offices.readings[1].begun.is_set()
