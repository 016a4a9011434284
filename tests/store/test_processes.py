"""Several processes on one file: what is acknowledged stays, whoever is killed and whoever holds the lock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from monitor.errors import BusyError
from monitor.store import journal
from monitor.store.database import Database
from tests.store.history import append, applied

ROOT = Path(__file__).parents[2]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(database: Database) -> Iterator[Start]:
    """Start a writer on the database; whatever still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []
    append(database, applied("gye1"))

    def one_more(*task: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.store.writer", str(database.path), *task]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True))
        return running[-1]

    yield one_more
    for process in running:
        process.kill()
        process.communicate()


def batches(database: Database) -> list[str]:
    with database.reading() as tx:
        return [row["id"] for row in tx.rows("SELECT id FROM batches ORDER BY last_number")][1:]


def assert_whole(database: Database, expected_batches: int) -> None:
    assert database.integrity() == "ok"
    with database.reading() as tx:
        numbers = [row["number"] for row in tx.rows("SELECT number FROM entries ORDER BY number")]
        assert tx.rows("PRAGMA foreign_key_check") == []
    assert numbers == list(range(1, 2 + 3 * expected_batches))


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_that_it_acknowledged(database, start, seed):
    process = start("W", "append")
    wanted = Random(seed).randint(1, 60)
    acknowledged = [process.stdout.readline().strip() for _ in range(wanted)]
    process.kill()
    # Through the same buffer: `communicate` would read past what `readline` has taken in already.
    acknowledged += process.stdout.read().split()
    database.close()
    again = Database.open(database.path, owner=True)
    recorded = batches(again)
    assert recorded[: len(acknowledged)] == acknowledged
    # At most the one batch whose acknowledgement was cut off.
    assert len(recorded) - len(acknowledged) <= 1
    assert_whole(again, len(recorded))
    again.close()


def test_a_writer_killed_inside_its_transaction_leaves_nothing_of_it(database, start):
    process = start("W", "hold")
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    with database.writing() as tx:
        assert tx.rows("SELECT * FROM beats") == []
    assert batches(database) == []
    assert_whole(database, 0)


def test_a_database_held_by_another_process_is_busy_and_then_goes_on(database, start):
    impatient = Database.open(database.path, owner=False, busy_timeout=timedelta(milliseconds=30))
    process = start("W", "hold")
    assert process.stdout.readline() == "held\n"
    for _ in range(3):
        with pytest.raises(BusyError, match="held by another process"), impatient.writing():
            pass
    with impatient.reading() as tx:
        assert journal.last_number(tx) == 1
    process.communicate("")
    assert process.returncode == 0
    with impatient.writing() as tx:
        assert journal.last_number(tx) == 4
    impatient.close()
    assert_whole(database, 1)


def test_two_processes_append_in_turns_without_a_gap(database, start):
    both = [start("A", "append", "60"), start("B", "append", "60")]
    said = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    recorded = batches(database)
    assert [[batch for batch in recorded if batch[0] == name] for name in "AB"] == said
    assert_whole(database, 120)


def test_each_process_sees_that_the_other_has_committed(database, start):
    before = database.outside_version()
    start("A", "append", "1").communicate()
    assert database.outside_version() != before
