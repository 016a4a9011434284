"""Is this the directory that watch last ran on, or a copy of it? A mark in the database and one beside it tell."""

from __future__ import annotations

import secrets
from pathlib import Path

from monitor.store import readings
from monitor.store.database import Database
from monitor.store.observations import note

MARK = "home"
_KEY = "home"


def is_restored(database: Database) -> bool:
    """Was the database, or the directory around it, put here since watch last ran on it? A new one was not.

    A backup that is copied back holds an older mark than the file beside it, and a copied directory holds other files. Who moves
    a directory to another disk is taken for one who restores it: that costs a few look-ups.
    """
    with database.reading() as tx:
        known = readings.installation(tx, _KEY)
    return known is not None and known != _present(database.path)


def move_in(database: Database) -> None:
    """Mark the directory as the one that watch runs on from now on."""
    mark = database.path.with_name(MARK)
    fresh = mark.with_name(f"{MARK}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
    fresh.replace(mark)
    with database.writing() as tx:
        note(tx, _KEY, _present(database.path))


def _present(path: Path) -> str:
    """Return what tells this directory from every other: the mark, and which files it and the database are."""
    mark = path.with_name(MARK)
    try:
        written = mark.read_text(encoding="ascii").strip()
        files = [each.stat() for each in (path, mark)]
    except OSError:
        return ""
    return " ".join([written, *(f"{each.st_dev}:{each.st_ino}" for each in files)])
