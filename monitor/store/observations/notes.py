"""Signs of life, published texts and facts about the installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.store.database import Transaction
from monitor.store.readings.service import installation

_ID = "id"


def beat(tx: Transaction, name: str, moment: datetime) -> None:
    """Note a sign of life; watch's own name is `watch`."""
    tx.execute(
        "INSERT INTO beats VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET moment_ms = excluded.moment_ms",
        (name, milliseconds(moment)),
    )


def forget_beat(tx: Transaction, name: str) -> None:
    """Forget a sign of life, if there is one."""
    tx.execute("DELETE FROM beats WHERE name = ?", (name,))


def publish(tx: Transaction, name: str, moment: datetime, body: str) -> None:
    """Publish a text for the other process, in place of the last one of that name."""
    tx.execute(
        "INSERT INTO publications VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET moment_ms = excluded.moment_ms, body = excluded.body",
        (name, milliseconds(moment), body),
    )


def note(tx: Transaction, key: str, value: str) -> None:
    """Note a fact about this installation, in place of the last one of that key."""
    tx.execute(
        "INSERT INTO installation VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def installation_id(tx: Transaction, make: Callable[[], str]) -> str:
    """Return the name that tells this installation from others at a shared helpdesk; `make` gives it, once."""
    known = installation(tx, _ID)
    if known is None:
        known = make()
        note(tx, _ID, known)
    return known
