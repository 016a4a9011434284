"""The contract of append, and the replay of what was appended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.errors import ConflictError, StoreError
from monitor.health.words import Status
from monitor.identifiers import BatchId
from monitor.journal.entries import Batch, Entry, Kind
from monitor.store import journal, readings
from monitor.store.database import Database
from tests.store.history import NOON, append, applied, changed, incident, opened, resolved


def batch(identity: str, after: str | None, *entries: Entry) -> Batch:
    return Batch(id=BatchId(identity), after=None if after is None else BatchId(after), entries=entries)


def numbers(database: Database, **filters) -> list[int]:
    with database.reading() as tx:
        return [item.number for item in journal.entries(tx, **filters)]


def test_an_empty_journal_has_no_head(database):
    with database.reading() as tx:
        assert (journal.head(tx), journal.last_number(tx)) == (None, 0)


def test_entries_are_numbered_from_one_without_gaps(database):
    append(database, applied("gye1"), changed("gye1", Status.OPERATIONAL, since=NOON))
    append(database, changed("gye1", Status.MAJOR_OUTAGE, since=NOON + timedelta(hours=1)))
    assert numbers(database) == [1, 2, 3]


def test_what_is_appended_reads_back(database):
    written = append(database, applied("gye1"), opened(incident("I1", "gye1")), resolved("I1", NOON))
    with database.reading() as tx:
        assert tuple(journal.entries(tx)) == written


def test_a_moment_is_the_same_at_the_first_fold_and_at_every_other(database):
    early = NOON + timedelta(microseconds=1499)
    (written,) = append(database, replace(applied("gye1"), moment=early))
    assert written.entry.moment == NOON + timedelta(milliseconds=1)
    with database.reading() as tx:
        assert list(journal.entries(tx)) == [written]


def test_a_batch_decided_on_an_older_journal_conflicts(database):
    with database.writing() as tx:
        journal.append(tx, batch("B1", None, applied("gye1")))
    with (
        pytest.raises(ConflictError, match="decided after None, the journal stands at B1"),
        database.writing() as tx,
    ):
        journal.append(tx, batch("B2", None, changed("gye1", Status.OPERATIONAL, since=NOON)))
    assert numbers(database) == [1]


def test_the_same_batch_again_gives_what_was_recorded_and_queues_nothing(database):
    queued = []
    first = batch("B1", None, applied("gye1"))
    with database.writing() as tx:
        recorded = journal.append(tx, first, lambda _, item: queued.append(item.number))
    append(database, changed("gye1", Status.OPERATIONAL, since=NOON))
    with database.writing() as tx:
        assert journal.append(tx, first, lambda _, item: queued.append(item.number)) == recorded
    assert queued == [1]
    assert numbers(database) == [1, 2]


def test_an_empty_batch_is_refused(database):
    with database.writing() as tx, pytest.raises(StoreError, match="no entries"):
        journal.append(tx, batch("B1", None))


def test_what_follows_is_queued_entry_by_entry_after_its_fold(database):
    seen = []

    def queue(tx, item):
        found = readings.incident(tx, "I1")
        seen.append((item.number, found.stage.value if found else None))

    with database.writing() as tx:
        problem = incident("I1", "gye1")
        journal.append(tx, batch("B1", None, applied("gye1"), opened(problem), resolved("I1", NOON)), queue)
    assert seen == [(1, None), (2, "investigating"), (3, "resolved")]


def test_an_entry_that_does_not_fit_takes_its_whole_batch_with_it(database):
    with pytest.raises(StoreError, match=r"entry 2 \(incident\.resolved\) does not fit .* no incident I9"):
        append(database, applied("gye1"), resolved("I9", NOON))
    with database.reading() as tx:
        assert readings.fleet(tx) is None
        assert journal.head(tx) is None


def test_a_second_open_incident_of_a_server_is_refused_with_its_batch(database):
    append(database, applied("gye1", "uio1"), opened(incident("I1", "gye1")))
    with pytest.raises(StoreError, match=r"does not fit the tables: .*UNIQUE"):
        append(database, opened(incident("I2", "uio1", "gye1")))
    with database.reading() as tx:
        assert [each.id for each in readings.open_incidents(tx)] == ["I1"]


def test_entries_are_found_by_number_subject_and_kind(database):
    append(
        database,
        applied("gye1", "uio1"),
        changed("gye1", Status.OPERATIONAL, since=NOON),
        changed("uio1", Status.OPERATIONAL, since=NOON),
        opened(incident("I1", "gye1")),
    )
    assert numbers(database, after=2) == [3, 4]
    assert numbers(database, limit=2) == [1, 2]
    assert numbers(database, subject="gye1") == [2]
    assert numbers(database, kinds=[Kind.SERVER_CHANGED, Kind.INCIDENT_OPENED]) == [2, 3, 4]
    assert numbers(database, kinds=[Kind.SERVER_CHANGED], after=2, limit=5) == [3]
    assert numbers(database, kinds=[]) == []


def test_a_long_journal_is_read_to_its_end(database):
    append(database, applied("gye1"))
    append(database, *(changed("gye1", Status.OPERATIONAL, since=NOON) for _ in range(1200)))
    assert numbers(database) == list(range(1, 1202))
    assert numbers(database, limit=777) == list(range(1, 778))


def test_a_rebuild_repairs_tables_that_went_wrong_and_counts_the_entries(database):
    append(database, applied("gye1"), opened(incident("I1", "gye1")))
    with database.writing() as tx:
        tx.execute("UPDATE incidents SET stage = 'resolved', open = 0")
    assert journal.rebuild(database) == 2
    with database.reading() as tx:
        assert [each.id for each in readings.open_incidents(tx)] == ["I1"]
