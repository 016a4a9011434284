"""What each migration does. Only a database that lacks one needs this, and the library that carries them out."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from monitor.store import schema, tables, tables_desk, tables_drills, tables_letters

MIGRATIONS = Migrations(schema.SET)


@MIGRATIONS(name="0.1 the first house")
def _first_house(database: Database) -> None:
    database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    for statement in tables.EVERY:
        database.execute(statement)


@MIGRATIONS(name="0.2 measures")
def _measures(database: Database) -> None:
    for statement in tables.MEASURES:
        database.execute(statement)


@MIGRATIONS(name="0.2 heartbeats")
def _heartbeats(database: Database) -> None:
    for statement in tables.HEARTBEATS:
        database.execute(statement)


@MIGRATIONS(name="0.2 newest looks")
def _newest(database: Database) -> None:
    for statement in tables.NEWEST:
        database.execute(statement)
    # Until now watch published the lines of all checks as one text.
    database.execute("DELETE FROM publications WHERE name = 'metrics.checks'")


@MIGRATIONS(name="0.3 reasons")
def _reasons(database: Database) -> None:
    for statement in tables.REASONS:
        database.execute(statement)


@MIGRATIONS(name="0.3 redirects")
def _redirects(database: Database) -> None:
    for statement in tables.REDIRECTS:
        database.execute(statement)


@MIGRATIONS(name="0.3 words")
def _words(database: Database) -> None:
    for statement in tables.WORDS:
        database.execute(statement)


@MIGRATIONS(name="0.3 flapping")
def _flapping(database: Database) -> None:
    for statement in tables.FLAPPING:
        database.execute(statement)


@MIGRATIONS(name="0.3 parties")
def _parties(database: Database) -> None:
    for statement in tables.PARTIES:
        database.execute(statement)


@MIGRATIONS(name="0.3 sentinels")
def _sentinels(database: Database) -> None:
    for statement in tables.SENTINELS:
        database.execute(statement)


@MIGRATIONS(name="0.4 storms")
def _storms(database: Database) -> None:
    for statement in tables.STORMS:
        database.execute(statement)


@MIGRATIONS(name="0.4 notes")
def _notes(database: Database) -> None:
    for statement in tables.NOTES:
        database.execute(statement)


@MIGRATIONS(name="0.4 desk")
def _desk(database: Database) -> None:
    for statement in tables_desk.DESK:
        database.execute(statement)


@MIGRATIONS(name="0.4 cases")
def _cases(database: Database) -> None:
    for statement in tables.CASES:
        database.execute(statement)


@MIGRATIONS(name="0.4 letters")
def _letters(database: Database) -> None:
    for statement in tables_letters.LETTERS:
        database.execute(statement)


@MIGRATIONS(name="0.4 drills")
def _drills(database: Database) -> None:
    for statement in tables_drills.DRILLS:
        database.execute(statement)


@MIGRATIONS(name="0.4 seen")
def _seen(database: Database) -> None:
    for statement in tables.SEEN:
        database.execute(statement)


@MIGRATIONS(name="0.4 sent letters")
def _sent_letters(database: Database) -> None:
    for statement in tables_letters.SENT:
        database.execute(statement)


@MIGRATIONS(name="0.4 addresses")
def _addresses(database: Database) -> None:
    for statement in tables.ADDRESSES:
        database.execute(statement)
