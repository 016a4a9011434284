"""The inbox of heartbeats: nothing that came is lost, nothing that nobody awaits gets in, and no flood fills the disk."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlite_utils

from monitor.health.heartbeat import FAIL, START, SUCCESS, Arrival, Beat, Reception
from monitor.identifiers import CheckKey, ServerId
from monitor.store import heartbeats as store
from monitor.store import migrations, observations
from monitor.store.database import Database, dbapi2
from monitor.store.heartbeats import Report, Stored
from monitor.store.readings.service import WATCH
from tests.store.history import append, applied

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PING, HTTP = CheckKey(ServerId("gye1"), "ping"), CheckKey(ServerId("gye1"), "http")
TOKEN = "a-token-of-a-backup"


def stored(token: str = TOKEN, **changes: object) -> Stored:
    plain = {"expected": NOON} | changes
    return Stored(digest=store.digest_of(token), rhythm="every 3600 s", beat=Beat(**plain))  # type: ignore[arg-type]


def report(token: str = TOKEN, signal: int = SUCCESS, at: datetime = NOON, body: str = "") -> Report:
    return Report(digest=store.digest_of(token), arrival=Arrival(at=at, signal=signal, body=body))


@pytest.fixture
def awaited(database: Database) -> Database:
    """gye1/ping (1) reports by one token, gye1/http (2) by another."""
    append(database, applied("gye1"))
    with database.writing() as tx:
        store.save(tx, {1: stored(), 2: stored("a-token-of-a-rotation")})
    return database


def test_a_heartbeat_stands_as_it_was_written(awaited):
    whole = stored(
        reported_at=NOON,
        signal=FAIL,
        ran=timedelta(milliseconds=1234),
        body="sin espacio\n",
        started_at=NOON + SECOND,
        running_since=NOON - SECOND,
        overdue_since=NOON + MINUTE,
        arrivals=7,
    )
    with awaited.writing() as tx:
        store.save(tx, {2: whole})
        assert store.stored(tx) == {PING: stored(), HTTP: whole}


def test_reports_wait_in_the_order_in_which_they_came(awaited):
    with awaited.writing() as tx:
        store.arrive(
            tx, [report(signal=START, at=NOON + MINUTE), report("a-token-of-a-rotation", 3, body="x")]
        )
        store.arrive(tx, [report(at=NOON)])
    with awaited.reading() as tx:
        first, second, third = store.waiting(tx, 10)
        assert [each.id for each in store.waiting(tx, 2)] == [first.id, second.id]
    assert (first.number, first.arrival) == (1, Arrival(at=NOON + MINUTE, signal=START))
    assert (second.number, second.arrival) == (2, Arrival(at=NOON, signal=3, body="x"))
    assert (third.number, third.arrival) == (1, Arrival(at=NOON, signal=SUCCESS))
    with awaited.writing() as tx:
        store.take_out(tx, second.id)
        assert store.waiting(tx, 10) == (third,)


def test_a_token_that_nobody_awaits_leaves_nothing(awaited):
    with awaited.writing() as tx:
        assert store.is_awaited(tx, store.digest_of(TOKEN))
        assert not store.is_awaited(tx, store.digest_of(TOKEN + "x"))
        store.arrive(tx, [report(TOKEN + "x")])
        assert store.waiting(tx, 10) == ()


def test_two_checks_of_one_token_hear_of_the_same_report(awaited):
    with awaited.writing() as tx:
        store.save(tx, {2: stored()})
        store.arrive(tx, [report()])
        assert {each.number for each in store.waiting(tx, 10)} == {1, 2}


def test_a_heartbeat_that_is_gone_takes_its_reports_along(awaited):
    with awaited.writing() as tx:
        store.arrive(tx, [report(), report("a-token-of-a-rotation")])
        store.keep_only(tx, [2])
        assert set(store.stored(tx)) == {HTTP}
        assert [each.number for each in store.waiting(tx, 10)] == [2]
        store.keep_only(tx, [])
        assert store.stored(tx) == {}
        assert store.waiting(tx, 10) == ()


def test_a_flood_that_nobody_takes_in_stays_bounded_and_is_counted_whole(awaited, monkeypatch):
    monkeypatch.setattr(store, "MOST_WAITING", 50)
    monkeypatch.setattr(store, "MOST_BODIES", 5)
    signals = [SUCCESS, SUCCESS, FAIL, 3]
    with awaited.writing() as tx:
        store.arrive(tx, [report("a-token-of-a-rotation")])
        store.arrive(
            tx,
            [
                report(signal=signals[number % 4], at=NOON + number * SECOND, body="x" * 1000)
                for number in range(1000)
            ],
        )
        waiting = [each.arrival for each in store.waiting(tx, 10_000) if each.number == 1]
    assert len(waiting) <= 50 + len(signals)
    assert sum(each.times for each in waiting) == 1000
    assert sum(bool(each.body) for each in waiting) == 5
    assert (waiting[-1].at, waiting[-1].signal) == (NOON + 999 * SECOND, 3), "the newest is the newest"
    assert [each.at for each in waiting] == sorted(each.at for each in waiting)


def test_a_file_without_heartbeats_learns_of_them_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "vigia.db"
    with closing(dbapi2.connect(path)) as connection:
        migrations.MIGRATIONS.apply(sqlite_utils.Database(connection), stop_before="0.2 heartbeats")
        connection.execute("INSERT INTO memories VALUES (1, 'key', 'value')")
        connection.commit()
    opened = Database.open(path, owner=True)
    with opened.writing() as tx:
        assert store.stored(tx) == {}
        assert len(tx.rows("SELECT * FROM memories")) == 1
    opened.close()


def test_the_key_is_made_once(database):
    with database.writing() as tx:
        assert store.heartbeat_key(tx) is None
        assert store.make_heartbeat_key(tx, lambda: "one") == "one"
        assert store.make_heartbeat_key(tx, lambda: "two") == "one"
        assert store.heartbeat_key(tx) == "one"


def note(database: Database, after: timedelta, *, anew: bool = False) -> Reception | None:
    with database.writing() as tx:
        store.receive_on(tx, NOON + after, anew=anew)
        return store.reception(tx)


def watch_lives(database: Database, after: timedelta) -> None:
    with database.writing() as tx:
        observations.beat(tx, WATCH, NOON + after)


def test_signs_in_time_are_one_stretch(database):
    with database.reading() as tx:
        assert store.reception(tx) is None
    assert note(database, 0 * SECOND, anew=True) == Reception(heard_at=NOON, since=NOON)
    for seconds in (5, 10, 24):
        assert note(database, seconds * SECOND) == Reception(heard_at=NOON + seconds * SECOND, since=NOON)


def test_a_start_is_an_interruption_however_short(database):
    note(database, 0 * SECOND, anew=True)
    watch_lives(database, SECOND)
    assert note(database, 2 * SECOND, anew=True) == Reception(
        heard_at=NOON + 2 * SECOND, since=NOON + 2 * SECOND, before=NOON
    )


@pytest.mark.parametrize("leap", [-MINUTE, 16 * SECOND, 60 * MINUTE])
def test_a_while_that_was_slept_through_and_a_leap_of_the_clock_are_interruptions(database, leap):
    note(database, 0 * SECOND, anew=True)
    watch_lives(database, SECOND)
    assert note(database, leap) == Reception(heard_at=NOON + leap, since=NOON + leap, before=NOON)


def test_interruptions_that_watch_did_not_live_to_see_grow_together(database):
    note(database, 0 * SECOND, anew=True)
    watch_lives(database, SECOND)
    note(database, 10 * MINUTE, anew=True)
    assert note(database, 11 * MINUTE, anew=True) == Reception(
        heard_at=NOON + 11 * MINUTE, since=NOON + 11 * MINUTE, before=NOON
    )
    watch_lives(database, 12 * MINUTE)
    assert note(database, 20 * MINUTE, anew=True) == Reception(
        heard_at=NOON + 20 * MINUTE, since=NOON + 20 * MINUTE, before=NOON + 11 * MINUTE
    )
