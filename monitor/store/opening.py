"""Whose file is it, is it sound, and is it of this program's schema: asked before a database is taken into service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import SchemaError, StoreError
from monitor.store import schema

if TYPE_CHECKING:
    from sqlite3 import Connection  # noqa: TID251 - the type alone

DAMAGED = "{file} is damaged ({trouble}): keep a copy of it and restore the last backup"


def prepare(connection: Connection, path: Path) -> None:
    """Check the file and bring its tables to this program's schema, each step whole or not at all."""
    _refuse_foreign(connection, path)
    _refuse_damaged(connection, path)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    known = _steps(connection)
    _refuse_newer(known, path)
    if set(known) != set(schema.STEPS):
        # A library of five megabytes, for something that happens once.
        import sqlite_utils  # noqa: PLC0415

        from monitor.store.migrations import MIGRATIONS  # noqa: PLC0415

        MIGRATIONS.apply(sqlite_utils.Database(connection, execute_plugins=False))


def require_present(path: Path) -> None:
    """Refuse a file that is missing: only the owner makes it."""
    if not path.exists():
        raise SchemaError(
            f"there is no database at {path}: start `vigia run` or `vigia watch` once, it creates it"
        )


def require_current(connection: Connection, path: Path) -> None:
    """Refuse a file that is foreign, or not of this program's schema."""
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    _refuse_foreign(connection, path)
    known = _steps(connection)
    _refuse_newer(known, path)
    if set(known) != set(schema.STEPS):
        raise SchemaError(
            f"{path} is older than this program: start `vigia watch` once, it brings it up to date"
        )


def _refuse_foreign(connection: Connection, path: Path) -> None:
    mark = int(connection.execute("PRAGMA application_id").fetchone()[0])
    # The notebook of migrations is made before the first of them runs, and with it the mark.
    others = [name for name in _names(connection) if not name.startswith(("_sqlite", "idx__sqlite"))]
    if mark != schema.APPLICATION_ID and others:
        raise SchemaError(f"{path} is the database of another program: choose another data directory")


def _steps(connection: Connection) -> tuple[str, ...]:
    """Return the migrations that the file has had, in their order."""
    # Where the library that migrates keeps account.
    if "_sqlite_migrations" not in _names(connection):
        return ()
    rows = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", (schema.SET,)
    )
    return tuple(str(row[0]) for row in rows)


def _refuse_newer(steps: Sequence[str], path: Path) -> None:
    if newer := sorted(set(steps) - set(schema.STEPS)):
        raise SchemaError(
            f"{path} was written by a newer program ({', '.join(newer)}): install that version, or restore a backup"
        )


def _refuse_damaged(connection: Connection, path: Path) -> None:
    """Check every table that decisions rest on; the time series are left out, for a start must be quick."""
    present = _names(connection)
    for table in (*schema.JOURNAL, *schema.FOLDED, *schema.OPERATIONAL):
        if table in schema.SERIES or table not in present:
            continue
        verdict = " ".join(str(connection.execute(f"PRAGMA quick_check({table})").fetchone()[0]).split())
        if verdict != "ok":
            raise StoreError(DAMAGED.format(file=path, trouble=verdict))


def _names(connection: Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema")}
