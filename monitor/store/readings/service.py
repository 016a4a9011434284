"""What the processes tell each other through the database: signs of life, published texts, the installation."""

from __future__ import annotations

from datetime import datetime

from monitor.store.columns import instant
from monitor.store.database import Transaction

WATCH = "watch"


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
