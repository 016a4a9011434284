"""What the processes tell each other through the database: signs of life, published texts, the installation."""

from __future__ import annotations

from datetime import datetime

from monitor.journal.entries import Kind
from monitor.store.columns import instant
from monitor.store.database import Transaction

WATCH = "watch"
RETENTION = "retention"
"""Under this name stands the moment up to which the passing of time was believed by whoever drops what is too old."""


def heard_at(tx: Transaction) -> datetime | None:
    """Return watch's last sign of life, None before the first."""
    return beat_of(tx, WATCH)


def beat_of(tx: Transaction, name: str) -> datetime | None:
    """Return the last sign of life under a name, None before the first."""
    row = tx.row("SELECT moment_ms FROM beats WHERE name = ?", (name,))
    return None if row is None else instant(int(row["moment_ms"]))


def publication(tx: Transaction, name: str) -> tuple[datetime, str] | None:
    """Return when a text was published under a name and the text, None if it never was."""
    row = tx.row("SELECT moment_ms, body FROM publications WHERE name = ?", (name,))
    return None if row is None else (instant(int(row["moment_ms"])), str(row["body"]))


def installation(tx: Transaction, key: str) -> str | None:
    """Return one fact about this installation, None if it was never noted."""
    row = tx.row("SELECT value FROM installation WHERE key = ?", (key,))
    return None if row is None else str(row["value"])


def is_learning(tx: Transaction) -> bool:
    """Is this a directory in which not everything was looked at once yet? A new one is, whether watch has begun or not."""
    return _newest(tx, Kind.STATION_ARMED) is None and (
        _newest(tx, Kind.WATCH_STARTED) is None or learning_since(tx) is not None
    )


def learning_since(tx: Transaction) -> datetime | None:
    """Return when watch began its first round, None once that is over, or when there was none."""
    started = _newest(tx, Kind.WATCH_STARTED)
    if started is None or _newest(tx, Kind.STATION_ARMED) is not None:
        return None
    row = tx.row(
        "SELECT moment_ms FROM entries WHERE number = ? AND COALESCE(body ->> 'learning', 0)", (started,)
    )
    return None if row is None else instant(int(row["moment_ms"]))


def _newest(tx: Transaction, kind: Kind) -> int | None:
    row = tx.row("SELECT MAX(number) AS number FROM entries WHERE kind = ?", (kind,))
    return None if row is None else row["number"]
