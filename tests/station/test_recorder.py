"""Looks are written late rather than never, in their order, and a defect of ours costs one look at most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import BusyError, StoreError
from monitor.observation import Observation
from monitor.station import recorder
from monitor.station.recorder import Recorder
from tests.actions.builders import look

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def looks(count: int) -> list[Observation]:
    return [look("gye1/http", "ok", START + timedelta(seconds=number)) for number in range(count)]


class Book:
    """Writes down what it is given, unless something is in the way."""

    def __init__(self) -> None:
        self.written: list[Observation] = []
        self.batches: list[int] = []
        self.trouble: list[Exception] = []
        self.poison: Observation | None = None

    async def write(self, batch: Sequence[Observation]) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        if self.poison in batch:
            raise ValueError("a defect of ours")
        self.written += batch
        self.batches.append(len(batch))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are figures of the room; here they need not be felt."""
    for name in ("GATHER_S", "CALM_S", "BUSY_PAUSE_S", "TROUBLE_PAUSE_S"):
        monkeypatch.setattr(recorder, name, 0.001)


def record(
    book: Book, every: Sequence[Observation], meanwhile: Callable[[Recorder], Awaitable[None]] | None = None
) -> int:
    """Put looks, let everything be written, and return how many were let go."""
    dropped: list[int] = []

    async def run() -> None:
        keeper = Recorder(write=book.write, on_drop=dropped.append)
        running = asyncio.create_task(keeper.run())
        for each in every:
            keeper.put(each)
        if meanwhile is not None:
            await meanwhile(keeper)
        keeper.stop()
        await running
        assert len(keeper) == 0

    asyncio.run(run())
    return sum(dropped)


def test_what_arrives_together_is_one_batch():
    book, every = Book(), looks(7)
    assert record(book, every) == 0
    assert book.written == every
    assert book.batches == [7]


def test_a_batch_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "LARGEST_BATCH", 3)
    book, every = Book(), looks(7)
    record(book, every)
    assert book.written == every


@pytest.mark.parametrize("trouble", [BusyError("held"), StoreError("disk full")], ids=["busy", "broken"])
def test_trouble_of_the_database_delays_and_keeps_the_order(trouble: StoreError):
    book, every = Book(), looks(5)
    book.trouble = [trouble] * 4
    assert record(book, every) == 0
    assert book.written == every


def test_a_defect_of_ours_costs_the_one_look_that_meets_it():
    book, every = Book(), looks(5)
    book.poison = every[2]
    assert record(book, every) == 1
    assert book.written == [*every[:2], *every[3:]]


def test_a_busy_database_in_the_middle_of_a_defect_costs_nothing_more():
    book, every = Book(), looks(4)
    book.poison = every[3]
    book.trouble = [ValueError("the batch"), BusyError("held"), StoreError("broken")]
    assert record(book, every) == 1
    assert book.written == every[:3]


def test_beyond_the_limit_the_oldest_are_let_go_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "LIMIT", 10)
    book, every = Book(), looks(25)
    assert record(book, every) == 15
    assert book.written == every[15:]


def test_what_overflows_while_a_batch_is_written_is_not_written_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "LIMIT", 4)
    every = looks(8)
    written: list[Observation] = []

    async def run() -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def write(batch: Sequence[Observation]) -> None:
            entered.set()
            await go_on.wait()
            written.extend(batch)

        keeper = Recorder(write=write, on_drop=lambda _count: None)
        running = asyncio.create_task(keeper.run())
        for each in every[:4]:
            keeper.put(each)
        await entered.wait()
        for each in every[4:6]:
            keeper.put(each)
        go_on.set()
        keeper.stop()
        await running

    asyncio.run(run())
    assert written == every[:6]


def test_what_is_left_at_the_end_is_written():
    book, every = Book(), looks(3)

    async def late(keeper: Recorder) -> None:
        await asyncio.sleep(0)
        keeper.stop()

    record(book, every, late)
    assert book.written == every


def test_calm_looks_wait_for_company_and_news_takes_them_along(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "CALM_S", 3600.0)
    book, every = Book(), looks(5)

    async def run() -> None:
        written = asyncio.Event()

        async def write(batch: Sequence[Observation]) -> None:
            await book.write(batch)
            written.set()

        keeper = Recorder(write=write, on_drop=lambda _count: None, is_news=lambda each: each is every[3])
        running = asyncio.create_task(keeper.run())
        for each in every[:3]:
            keeper.put(each)
        await asyncio.sleep(0.02)
        assert len(keeper) == 3
        keeper.put(every[3])
        await asyncio.wait_for(written.wait(), 60)
        keeper.put(every[4])
        keeper.stop()
        await running

    asyncio.run(run())
    assert book.batches == [4, 1]
    assert book.written == every
