"""The inbox: what was taken is on disk, whoever came with it; what could not be written was never taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.errors import SchemaError, StoreError
from monitor.health.heartbeat import FAIL, SUCCESS
from monitor.station import inbox as inboxes
from monitor.station.heartbeats import derived_token
from monitor.station.inbox import DatabaseInbox, open_inbox
from monitor.store import heartbeats
from monitor.store.database import Database
from tests.actions.builders import key
from tests.actions.jobs import BACKUP, DIGESTS, ROTATION, Jobs, job, jobs
from tests.conftest import SteppingClock

TOKEN = "backup-backup-backup"
OTHER = "rotation-rotation"


@pytest.fixture
def house(tmp_path: Path, clock: SteppingClock) -> Iterator[Jobs]:
    database = Database.open(tmp_path / "vigia.db", owner=True)
    made = Jobs(database, clock, jobs(job(), job("gye1/rotation")), DIGESTS)
    yield made
    made.close()


@pytest.fixture
def inbox(house: Jobs, tmp_path: Path) -> Iterator[DatabaseInbox]:
    opened = open_inbox(tmp_path, house.clock)
    yield opened
    opened.close()


def test_a_token_is_known_when_a_heartbeat_reports_by_it(inbox: DatabaseInbox):
    assert inbox.knows(TOKEN)
    assert inbox.knows(OTHER)
    assert not inbox.knows(TOKEN + "x")
    assert not inbox.knows("")


def test_what_was_taken_is_judged_by_watch(house: Jobs, inbox: DatabaseInbox):
    inbox.take(TOKEN, FAIL, "disk full")
    at = house.clock.now()
    house.clock.step(timedelta(seconds=1))
    [look] = house.receive()
    assert (look.check, look.started_at, look.excerpt) == (BACKUP, at, "disk full")


def test_everything_that_many_threads_were_told_is_there_and_once(house: Jobs, inbox: DatabaseInbox):
    def report(number: int) -> None:
        inbox.take(TOKEN if number % 2 else OTHER, number % 3)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(report, range(400)))
    house.receive()
    assert house.waiting() == 0
    assert (house.arrivals(BACKUP), house.arrivals(ROTATION)) == (200, 200)
    assert len(house.looks(BACKUP)) == 200


def test_those_who_come_during_a_commit_share_the_next(house: Jobs, inbox: DatabaseInbox):
    with house.database.writing():
        waiting = [threading.Thread(target=inbox.take, args=(TOKEN, SUCCESS)) for _ in range(6)]
        for thread in waiting:
            thread.start()
        # All but the one that waits for the database have gathered by the time it is free.
        while len(inbox._gathered) < 5:
            assert any(thread.is_alive() for thread in waiting)
    for thread in waiting:
        thread.join()
    assert house.waiting() == 6
    assert inbox._gathered == []


def test_what_cannot_be_written_is_told_to_everybody_who_waits(house: Jobs, inbox: DatabaseInbox):
    with house.database.writing() as tx:
        tx.execute(
            "CREATE TRIGGER full BEFORE INSERT ON arrivals BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    with ThreadPoolExecutor(4) as threads:
        told = [threads.submit(inbox.take, TOKEN, SUCCESS).exception() for _ in range(8)]
    assert all(isinstance(error, StoreError) and "the disk is full" in str(error) for error in told)
    with house.database.writing() as tx:
        tx.execute("DROP TRIGGER full")
    inbox.take(TOKEN, SUCCESS)
    assert house.waiting() == 1


def test_a_log_that_nobody_moves_does_not_fill_the_disk(
    house: Jobs, inbox: DatabaseInbox, monkeypatch: pytest.MonkeyPatch
):
    """Only watch moves the log into the file; while it is away, every report makes the log longer."""
    inbox.take(TOKEN, SUCCESS)
    monkeypatch.setattr(inboxes, "LARGEST_LOG", 1)
    with pytest.raises(StoreError, match="start watch"):
        inbox.take(TOKEN, SUCCESS)
    assert house.waiting() == 1


def test_signs_are_given_from_the_opening_on(house: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inboxes, "SIGN", timedelta(milliseconds=10))
    opened = open_inbox(tmp_path, SystemClock())

    def heard() -> object:
        with house.database.reading() as tx:
            return heartbeats.reception(tx)

    first = heard()
    assert first is not None
    pause = threading.Event()
    for _ in range(600):
        if heard() != first:
            break
        pause.wait(0.1)
    assert heard() != first
    opened.close()


def test_nobody_gives_signs_where_nobody_is_awaited(tmp_path: Path, clock: SteppingClock):
    database = Database.open(tmp_path / "vigia.db", owner=True)
    opened = open_inbox(tmp_path, clock)
    with database.reading() as tx:
        assert heartbeats.reception(tx) is None
    opened.close()
    database.close()


def test_an_inbox_without_a_database_says_what_to_do(tmp_path: Path, clock: SteppingClock):
    with pytest.raises(SchemaError, match="vigia run"):
        open_inbox(tmp_path, clock)


def test_a_derived_token_is_long_and_says_nothing_of_another():
    one, other = derived_token("key", key("gye1/backup")), derived_token("key", key("gye1/backup2"))
    assert len(one) == 32
    assert one != other
    assert one == derived_token("key", key("gye1/backup"))
    assert one != derived_token("another key", key("gye1/backup"))
