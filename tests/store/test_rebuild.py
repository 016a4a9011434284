"""Tables are a view of the journal: any history replays to the same rows, and sends nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from monitor.health.words import Status
from monitor.identifiers import BatchId, ServerId, milliseconds
from monitor.journal.entries import Batch, Entry, InventoryApplied, Kind, ServerChanged
from monitor.store import journal, readings, schema
from monitor.store.columns import instant
from monitor.store.database import Database, Transaction
from monitor.store.fold import FLEET
from tests.store.history import NOON, histories

GOLDEN = Path(__file__).parents[1] / "golden" / "journals"
RELEASES = ("0.1", "0.3", "0.4")
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def dump(database: Database, tables: tuple[str, ...]) -> dict[str, list[list[object]]]:
    with database.reading() as tx:
        return {table: rows(tx, table) for table in tables}


def rows(tx: Transaction, table: str) -> list[list[object]]:
    found = tx.rows(f"SELECT * FROM {table}")  # noqa: S608 - the names are the schema's own
    return sorted((list(row) for row in found), key=repr)


def write(database: Database, batches: list[list[Entry]]) -> None:
    """Append batches, each entry queueing one delivery as the actions do."""
    for number, entries in enumerate(batches):
        with database.writing() as tx:
            batch = Batch(id=BatchId(f"B{number:04}"), after=journal.head(tx), entries=tuple(entries))
            journal.append(tx, batch, _queue)


def _queue(tx, item) -> None:
    tx.execute(
        "INSERT INTO deliveries (channel, incident, action, seq, entry, state, due_ms, created_ms)"
        " VALUES ('test', ?, 'create', ?, ?, 'ready', 0, 0)",
        (item.entry.subject, item.number, item.number),
    )


@MANY
@given(batches=histories())
def test_any_history_replays_to_the_same_rows_and_sends_nothing(fresh, batches):
    database = fresh()
    write(database, batches)
    folded, kept = dump(database, schema.FOLDED), dump(database, (*schema.JOURNAL, *schema.OPERATIONAL))
    assert journal.rebuild(database) == sum(map(len, batches))
    assert dump(database, schema.FOLDED) == folded
    assert dump(database, (*schema.JOURNAL, *schema.OPERATIONAL)) == kept


@MANY
@given(batches=histories(retracting=False))
def test_the_newest_word_on_a_time_is_what_the_intervals_say_of_it(fresh, batches):
    database = fresh()
    write(database, batches)
    entries = [entry for batch in batches for entry in batch]
    end = _as_stored(entries[-1].moment + timedelta(hours=1))
    with database.reading() as tx:
        spans = readings.status_spans(tx, NOON - timedelta(days=2), end)
        open_ones = tx.rows(
            "SELECT server, COUNT(*) AS open FROM status_intervals WHERE end_ms IS NULL GROUP BY server"
        )
    assert all(row["open"] == 1 for row in open_ones)
    for server in (ServerId(name) for name in ("gye1", "uio1", "cue1")):
        mine = spans.get(server, [])
        assert all(one.end <= after.start for one, after in pairwise(mine))
        words = _words(entries, server)
        edges = {since for since, _ in words} | {span.start for span in mine} | {span.end for span in mine}
        for at in sorted(edges - {end}):
            assert _held(mine, at) == _said(words, at), (server, at)


def _words(entries: list[Entry], server: ServerId) -> list[tuple[datetime, Status | None]]:
    """Return what was said of a server in the order it was said: from when on, and what, None for retired."""
    words: list[tuple[datetime, Status | None]] = []
    present = False
    for entry in entries:
        body = entry.body
        if isinstance(body, ServerChanged) and body.server == server:
            words.append((_as_stored(body.since), body.status))
        if isinstance(body, InventoryApplied):
            before, present = present, any(each.id == server for each in body.fleet.servers)
            if before and not present:
                words.append((_as_stored(entry.moment), None))
    return words


def _as_stored(moment: datetime) -> datetime:
    return instant(milliseconds(moment))


def _said(words: list[tuple[datetime, Status | None]], at: datetime) -> Status | None:
    return next((status for since, status in reversed(words) if since <= at), None)


def _held(spans, at: datetime) -> Status | None:
    return next((span.status for span in spans if span.start <= at < span.end), None)


@pytest.mark.parametrize("release", RELEASES)
def test_the_journal_of_a_release_still_replays(fresh, release):
    """The file was written by that release and is never written again: later programs must read it."""
    golden = json.loads((GOLDEN / f"{release}.json").read_text())
    database = fresh()
    with database.writing() as tx:
        for table in schema.JOURNAL:
            columns = ", ".join("?" * len(golden[table][0]))
            tx.executemany(f"INSERT INTO {table} VALUES ({columns})", golden[table])  # noqa: S608 - as above
    assert journal.rebuild(database) == len(golden["entries"])
    for table, expected in json.loads((GOLDEN / f"{release}.tables.json").read_text()).items():
        assert _columns(database, table, list(expected[0])) == [_parsed(row) for row in expected], table


def _columns(database: Database, table: str, columns: list[str]) -> list[dict[str, object]]:
    """Return the rows by the columns that the golden file knows; later releases may add others."""
    with database.reading() as tx:
        found = tx.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(columns)}")  # noqa: S608 - as above
    return [_parsed(dict(row)) for row in found]


def _parsed(row: dict[str, object]) -> dict[str, object]:
    """Return a row with its fleet as a value: a later release writes fields that this one did not know."""
    return {
        name: FLEET.validate_json(str(value)) if name == "fleet" else value for name, value in row.items()
    }


def test_the_golden_journals_hold_every_kind_of_entry():
    golden = [json.loads((GOLDEN / f"{release}.json").read_text()) for release in RELEASES]
    assert {row[4] for each in golden for row in each["entries"]} == set(Kind)
