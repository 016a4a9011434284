"""From entries to the tables that readers use: one small function a kind, the same rows at every replay.

Nothing here reads a clock or draws by chance, and nothing is sent: an entry and the rows so far are all there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter

from monitor.errors import StoreError
from monitor.fleet import Fleet
from monitor.identifiers import ServerId, milliseconds
from monitor.journal.entries import (
    InventoryApplied,
    Kind,
    NumberedEntry,
    ServerChanged,
    ViewBlocked,
    ViewCleared,
    WatchStarted,
    WindowMoved,
    WindowPlanned,
)
from monitor.maintenance.window import WindowStage
from monitor.store import fold_drills, fold_incidents, fold_tickets, fold_words
from monitor.store.columns import ms_of, to_json
from monitor.store.database import Transaction

FLEET: TypeAdapter[Fleet] = TypeAdapter(Fleet)


def apply(tx: Transaction, entry: NumberedEntry) -> None:
    """Change the folded tables as one entry says; one that does not fit them raises StoreError."""
    folder = _FOLDERS[entry.entry.kind]
    if folder is None:
        return
    try:
        folder(tx, entry, entry.entry.body)
    except StoreError as error:
        raise type(error)(
            f"entry {entry.number} ({entry.entry.kind}) does not fit the tables: {error}"
        ) from error


def _inventory_applied(tx: Transaction, entry: NumberedEntry, body: InventoryApplied) -> None:
    tx.execute(
        "INSERT INTO inventory VALUES (1, ?, ?)"
        " ON CONFLICT (only) DO UPDATE SET number = excluded.number, fleet = excluded.fleet",
        (entry.number, FLEET.dump_json(body.fleet).decode()),
    )
    tx.executemany(
        "INSERT INTO servers VALUES (?, ?, ?, ?, NULL) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, group_id = excluded.group_id, position = excluded.position, retired_ms = NULL",
        [(server.id, server.name, server.group, place) for place, server in enumerate(body.fleet.servers)],
    )
    tx.executemany(
        "INSERT INTO checks (server, check_id, kind) VALUES (?, ?, ?)"
        " ON CONFLICT (server, check_id) DO UPDATE SET kind = excluded.kind, retired_ms = NULL",
        [(plan.key.server, plan.key.check, plan.kind) for plan in body.fleet.checks()],
    )
    _retire_what_is_missing(tx, milliseconds(entry.entry.moment), body.fleet)


def _retire_what_is_missing(tx: Transaction, moment_ms: int, fleet: Fleet) -> None:
    servers = json.dumps([server.id for server in fleet.servers])
    checks = json.dumps([[plan.key.server, plan.key.check] for plan in fleet.checks()])
    gone = tx.rows(
        "UPDATE servers SET retired_ms = ? WHERE retired_ms IS NULL AND id NOT IN (SELECT value FROM json_each(?))"
        " RETURNING id",
        (moment_ms, servers),
    )
    tx.execute(
        "UPDATE checks SET retired_ms = ? WHERE retired_ms IS NULL AND (server, check_id) NOT IN"
        " (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
        (moment_ms, checks),
    )
    for row in gone:
        tx.execute("DELETE FROM server_status WHERE server = ?", (row["id"],))
        _cut_intervals(tx, row["id"], moment_ms)


def _server_changed(tx: Transaction, _entry: NumberedEntry, body: ServerChanged) -> None:
    since_ms = milliseconds(body.since)
    tx.execute(
        "INSERT INTO server_status (server, status, services, since_ms, because, last_known) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (server) DO UPDATE"
        " SET status = excluded.status, services = excluded.services, since_ms = excluded.since_ms, because = excluded.because,"
        " last_known = IIF(excluded.status = 'unknown', last_known, excluded.status)",
        (
            body.server,
            body.status,
            to_json({service.value: status for service, status in body.services.items()}),
            since_ms,
            body.because,
            body.status,
        ),
    )
    _cut_intervals(tx, body.server, since_ms)
    # The same status just before: only the services changed, and the interval goes on.
    continued = tx.execute(
        "UPDATE status_intervals SET end_ms = NULL WHERE server = ? AND end_ms = ? AND status = ?",
        (body.server, since_ms, body.status),
    )
    if not continued:
        tx.execute(
            "INSERT INTO status_intervals VALUES (?, ?, NULL, ?)", (body.server, since_ms, body.status)
        )


def _cut_intervals(tx: Transaction, server: ServerId, moment_ms: int) -> None:
    """End what was held of a server at `moment_ms`; what was held from then on is taken back.

    A confirmation may come late and speak about a time that was judged already: the newest word on a time holds.
    """
    tx.execute("DELETE FROM status_intervals WHERE server = ? AND start_ms >= ?", (server, moment_ms))
    tx.execute(
        "UPDATE status_intervals SET end_ms = ? WHERE server = ? AND (end_ms IS NULL OR end_ms > ?)",
        (moment_ms, server, moment_ms),
    )


def _watch_started(tx: Transaction, entry: NumberedEntry, body: WatchStarted) -> None:
    start_ms, end_ms = ms_of(body.blind_since), milliseconds(entry.entry.moment)
    # Blindness of a time that is still to come was noted by a clock that was wrong: until now nobody can have been blind for longer.
    tx.execute("DELETE FROM blind_intervals WHERE start_ms >= ?", (end_ms,))
    tx.execute("UPDATE blind_intervals SET end_ms = ? WHERE end_ms > ?", (end_ms, end_ms))
    if start_ms is not None and start_ms < end_ms:
        tx.execute(
            "INSERT INTO blind_intervals VALUES (?, ?)"
            " ON CONFLICT (start_ms) DO UPDATE SET end_ms = MAX(end_ms, excluded.end_ms)",
            (start_ms, end_ms),
        )


def _view_blocked(tx: Transaction, _entry: NumberedEntry, body: ViewBlocked) -> None:
    tx.execute(
        "INSERT INTO blocked_views VALUES (?, ?, NULL, ?, ?)",
        (body.family, milliseconds(body.since), body.families, body.found),
    )


def _view_cleared(tx: Transaction, _entry: NumberedEntry, body: ViewCleared) -> None:
    changed = tx.execute(
        "UPDATE blocked_views SET end_ms = MAX(start_ms, ?) WHERE family = ? AND end_ms IS NULL",
        (milliseconds(body.ended_at), body.family),
    )
    _require(changed, f"the view by {body.family} is not blocked")


def _window_planned(tx: Transaction, entry: NumberedEntry, body: WindowPlanned) -> None:
    window = body.window
    tx.execute(
        "INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET title = excluded.title, time_zone = excluded.time_zone, stage = excluded.stage, rule = excluded.rule,"
        " starts_ms = excluded.starts_ms, ends_ms = excluded.ends_ms, planned_ms = excluded.planned_ms,"
        " started_ms = excluded.started_ms, ended_ms = excluded.ended_ms",
        (
            window.id,
            to_json(window.title),
            window.time_zone,
            window.stage,
            window.rule,
            milliseconds(window.starts_at),
            milliseconds(window.ends_at),
            milliseconds(window.planned_at or entry.entry.moment),
            ms_of(window.started_at),
            ms_of(window.ended_at),
        ),
    )
    tx.execute("DELETE FROM window_servers WHERE window = ?", (window.id,))
    tx.executemany(
        "INSERT INTO window_servers (window, server, inherited) VALUES (?, ?, ?)",
        [(window.id, server, int(server not in window.servers)) for server in sorted(window.covered)],
    )


def _window_started(tx: Transaction, entry: NumberedEntry, body: WindowMoved) -> None:
    changed = tx.execute(
        "UPDATE windows SET stage = ?, started_ms = ? WHERE id = ?",
        (WindowStage.IN_PROGRESS, milliseconds(entry.entry.moment), body.window),
    )
    _require(changed, f"there is no window {body.window}")


def _window_completed(tx: Transaction, entry: NumberedEntry, body: WindowMoved) -> None:
    changed = tx.execute(
        "UPDATE windows SET stage = ?, ended_ms = ? WHERE id = ?",
        (WindowStage.COMPLETED, milliseconds(entry.entry.moment), body.window),
    )
    _require(changed, f"there is no window {body.window}")


def _window_cancelled(tx: Transaction, entry: NumberedEntry, body: WindowMoved) -> None:
    # One that never began has no end either: it kept nobody quiet.
    changed = tx.execute(
        "UPDATE windows SET stage = ?, ended_ms = IIF(started_ms IS NULL, NULL, ?) WHERE id = ?",
        (WindowStage.CANCELLED, milliseconds(entry.entry.moment), body.window),
    )
    _require(changed, f"there is no window {body.window}")


def _require(changed: int, otherwise: str) -> None:
    if not changed:
        raise StoreError(otherwise)


# The kind decides the type of the body, which no type checker can follow through a table.
_Folder = Callable[[Transaction, NumberedEntry, Any], None]

# None where readers need no row: a check's change speaks through its server's status, its incident and the journal.
_FOLDERS: Mapping[Kind, _Folder | None] = {
    Kind.INVENTORY_APPLIED: _inventory_applied,
    Kind.WATCH_STARTED: _watch_started,
    Kind.STATION_ARMED: None,
    Kind.CHECK_WENT_DOWN: None,
    Kind.CHECK_DEGRADED: None,
    Kind.CHECK_RECOVERED: None,
    Kind.SERVER_CHANGED: _server_changed,
    Kind.SERVER_FORCED: fold_words.forced,
    Kind.SERVER_RELEASED: fold_words.released,
    Kind.VIEW_BLOCKED: _view_blocked,
    Kind.VIEW_CLEARED: _view_cleared,
    Kind.INCIDENT_OPENED: fold_incidents.opened,
    Kind.INCIDENT_UPDATED: fold_incidents.updated,
    Kind.INCIDENT_RESOLVED: fold_incidents.resolved,
    Kind.INCIDENT_REOPENED: fold_incidents.reopened,
    Kind.INCIDENT_ACKNOWLEDGED: fold_words.acknowledged,
    Kind.INCIDENT_RETRACTED: fold_words.retracted,
    Kind.WINDOW_PLANNED: _window_planned,
    Kind.WINDOW_STARTED: _window_started,
    Kind.WINDOW_EXTENDED: fold_words.extended,
    Kind.WINDOW_COMPLETED: _window_completed,
    Kind.WINDOW_CANCELLED: _window_cancelled,
    Kind.TICKET_OPENED: fold_tickets.opened,
    Kind.TICKET_UPDATED: fold_tickets.updated,
    Kind.TICKET_REJECTED: None,
    Kind.TICKET_NOTED: fold_tickets.noted,
    Kind.TICKET_DISPUTED: fold_tickets.disputed,
    Kind.DRILL_FINISHED: fold_drills.finished,
}
