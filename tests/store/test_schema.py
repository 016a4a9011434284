"""The tables: each in its family, strict, and guarded where the house depends on it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlite_utils
from sqlite_utils import Migrations

from monitor.errors import SchemaError, StoreError
from monitor.store import letters, migrations, observations, schema
from monitor.store.database import Database, dbapi2
from tests.store.history import append, applied, incident, opened

ROOT = Path(__file__).parents[2]
EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def test_every_migration_is_named_in_its_order():
    assert tuple(step.name for step in migrations.MIGRATIONS._migrations) == schema.STEPS


def test_a_database_that_is_up_to_date_is_opened_without_the_library_that_migrates(tmp_path):
    Database.open(tmp_path / "vigia.db", owner=True).close()
    opens = (
        "import sys; from pathlib import Path; from monitor.store.database import Database;"
        "[Database.open(Path(sys.argv[1]), owner=owner).close() for owner in (True, False)];"
        "print('sqlite_utils' in sys.modules)"
    )
    command = [sys.executable, "-c", opens, str(tmp_path / "vigia.db")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout == "False\n"


def test_every_table_belongs_to_exactly_one_family(database):
    with database.reading() as tx:
        rows = tx.rows(
            "SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual') AND name NOT LIKE '%sqlite%'"
        )
    listed = [*schema.JOURNAL, *schema.FOLDED, *schema.OPERATIONAL, *schema.SOUGHT]
    assert sorted(listed) == sorted(row["name"] for row in rows)
    assert len(set(listed)) == len(listed)


def test_the_time_series_are_operational_and_hold_nothing_that_decides():
    assert set(schema.SERIES) < set(schema.OPERATIONAL)
    assert {"streaks", "deliveries", "desk_tickets"}.isdisjoint(schema.SERIES)


def test_every_table_is_strict_about_types(database):
    with database.reading() as tx:
        loose = tx.rows(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE '%sqlite%'"
        )
    assert [row["name"] for row in loose] == []


def test_folded_tables_stand_in_an_order_in_which_they_can_be_filled(database):
    with database.reading() as tx:
        for place, table in enumerate(schema.FOLDED):
            references = {row["table"] for row in tx.rows(f"PRAGMA foreign_key_list({table})")}
            assert references <= set(schema.FOLDED[:place]), table


def test_no_operational_table_depends_on_rows_that_a_rebuild_drops(database):
    with database.reading() as tx:
        for table in schema.OPERATIONAL:
            references = {row["table"] for row in tx.rows(f"PRAGMA foreign_key_list({table})")}
            assert references.isdisjoint(schema.FOLDED), table


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET actor = 'nobody'",
        "DELETE FROM entries",
        "UPDATE batches SET after = 'another'",
        "DELETE FROM batches",
        "INSERT OR REPLACE INTO entries SELECT number, batch, 0, actor, kind, subject, version, body FROM entries",
        "INSERT INTO entries SELECT 99, batch, moment_ms, actor, kind, subject, version, body FROM entries",
    ],
)
def test_the_journal_is_only_ever_appended_to(database, statement):
    append(database, applied("gye1"))
    with database.reading() as tx:
        before = [tuple(row) for row in tx.rows("SELECT * FROM entries JOIN batches ON batch = id")]
    with pytest.raises(StoreError, match=r"only appended to|without gaps"), database.writing() as tx:
        tx.execute(statement)
    with database.reading() as tx:
        assert [tuple(row) for row in tx.rows("SELECT * FROM entries JOIN batches ON batch = id")] == before


def test_the_table_itself_refuses_a_second_open_detected_incident_of_a_server(database):
    append(database, applied("gye1", "uio1"), opened(incident("I1", "gye1")))
    with database.writing() as tx:
        tx.execute(
            "INSERT INTO incidents SELECT 'I2', title, stage, impact, audience, origin, drill, open, started_ms,"
            " opened_ms, ended_ms, resolved_ms, monitoring_ms, unstable_ms, trouble, mass FROM incidents"
        )
        with pytest.raises(StoreError, match=r"UNIQUE constraint failed: incident_servers\.server"):
            tx.execute("INSERT INTO incident_servers VALUES ('I2', 0, 'gye1', 1, 1, 1, 0)")
        tx.execute("INSERT INTO incident_servers VALUES ('I2', 0, 'uio1', 1, 1, 1, 0)")


def test_a_file_of_the_first_release_is_brought_up_to_date_and_loses_nothing(tmp_path):
    path = tmp_path / "vigia.db"
    with closing(dbapi2.connect(path)) as connection:
        first = Migrations("vigia")
        first(name="0.1 the first house")(migrations._first_house)
        first.apply(sqlite_utils.Database(connection))
        connection.execute("INSERT INTO hot VALUES (1, 0, 0, NULL, 12500, NULL, NULL, NULL, NULL, NULL)")
        connection.execute(
            "INSERT INTO evidence VALUES (1, 0, 2, NULL, 12500, '503', NULL, '{}', 'page', 'curl')"
        )
        connection.commit()
    with pytest.raises(SchemaError, match="older than this program"):
        Database.open(path, owner=False)
    opened = Database.open(path, owner=True)
    with opened.writing() as tx:
        (kept,) = observations.looks(tx, 1, *EVER)
        assert (kept.took_ms, kept.excerpt, kept.reproduce, kept.via) == (12.5, "page", "curl", ())
        assert tx.execute("INSERT INTO memories VALUES (1, 'key', 'value')") == 1
    opened.close()


def test_a_ticket_in_letters_of_an_older_file_knows_the_letter_that_opened_it(tmp_path):
    path = tmp_path / "vigia.db"
    before = schema.STEPS.index("0.4 sent letters")
    with closing(dbapi2.connect(path)) as connection:
        older = Migrations("vigia")
        for step in migrations.MIGRATIONS._migrations[:before]:
            older(name=step.name)(step.fn)
        older.apply(sqlite_utils.Database(connection))
        connection.execute(
            "INSERT INTO letter_threads VALUES ('VG-1', '<VG-1-create-1@n.test>', '[#7]', 's', 'soporte', 'high', 'open', 1, 1, NULL, NULL)"
        )
        connection.commit()
    with closing(Database.open(path, owner=True)) as opened, opened.reading() as tx:
        [kept] = letters.threads(tx, EVER[0])
    assert (kept.tag, kept.letters) == ("[#7]", ("<VG-1-create-1@n.test>",))
