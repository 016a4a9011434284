"""Planned windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from monitor.identifiers import ServerId, WindowId, milliseconds
from monitor.maintenance.window import Window, WindowStage
from monitor.store.columns import instant, texts
from monitor.store.database import Row, Transaction, Value


def window(tx: Transaction, identity: WindowId) -> Window | None:
    """Return one window, None if there is none of that id."""
    return next(iter(_select(tx, "WHERE id = ?", (identity,))), None)


def windows(tx: Transaction, *, ending_after: datetime | None = None) -> tuple[Window, ...]:
    """Return the windows of every stage, by their planned start; with `ending_after` only what may still matter then.

    A window ends when it really ended, else when it is planned to; one in progress has not ended, however late it is.
    """
    if ending_after is None:
        return _select(tx, "ORDER BY starts_ms, id")
    return _select(
        tx,
        "WHERE COALESCE(ended_ms, ends_ms) > ? OR stage = ? ORDER BY starts_ms, id",
        (milliseconds(ending_after), WindowStage.IN_PROGRESS),
    )


def _select(tx: Transaction, condition: str, parameters: Sequence[Value] = ()) -> tuple[Window, ...]:
    rows = tx.rows(f"SELECT * FROM windows {condition}", parameters)  # noqa: S608 - values are bound
    servers: defaultdict[str, set[ServerId]] = defaultdict(set)
    children: defaultdict[str, set[ServerId]] = defaultdict(set)
    members = f"SELECT * FROM window_servers WHERE window IN (SELECT id FROM windows {condition})"  # noqa: S608 - as above
    for row in tx.rows(members, parameters):
        (children if row["inherited"] else servers)[row["window"]].add(ServerId(row["server"]))
    return tuple(_window(row, frozenset(servers[row["id"]]), frozenset(children[row["id"]])) for row in rows)


def _window(row: Row, servers: frozenset[ServerId], children: frozenset[ServerId]) -> Window:
    return Window(
        id=WindowId(row["id"]),
        title=texts(row["title"]),
        servers=servers,
        starts_at=instant(int(row["starts_ms"])),
        ends_at=instant(int(row["ends_ms"])),
        time_zone=row["time_zone"],
        stage=WindowStage(row["stage"]),
        rule=row["rule"],
        planned_at=instant(row["planned_ms"]),
        started_at=instant(row["started_ms"]),
        ended_at=instant(row["ended_ms"]),
        children=children,
    )
