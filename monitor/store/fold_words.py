"""What operators say, folded: words on servers, on incidents and on windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from monitor.errors import StoreError
from monitor.health.words import Status
from monitor.identifiers import ServerId, milliseconds
from monitor.incidents.incident import Stage
from monitor.journal.entries import (
    IncidentAcknowledged,
    IncidentRetracted,
    NumberedEntry,
    ServerForced,
    ServerReleased,
    WindowExtended,
)
from monitor.store.columns import ms_of
from monitor.store.database import Transaction
from monitor.store.fold_incidents import ACKNOWLEDGED, RETRACTED, add_update, flag_servers, lay_down, row_of

_BAD = (Status.DEGRADED_PERFORMANCE, Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE)

_Piece = tuple[int, int | None, str]
"""From when to when, in milliseconds, which status was held; without an end it lasts."""


def forced(tx: Transaction, entry: NumberedEntry, body: ServerForced) -> None:
    """Note an operator's word on a server in the place of the one before."""
    tx.execute(
        "INSERT OR REPLACE INTO forces VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (
            body.server,
            body.status,
            body.reason,
            entry.entry.actor,
            milliseconds(entry.entry.moment),
            milliseconds(body.until),
        ),
    )


def released(tx: Transaction, entry: NumberedEntry, body: ServerReleased) -> None:
    """End an operator's word on a server."""
    changed = tx.execute(
        "UPDATE forces SET released_ms = ? WHERE server = ? AND released_ms IS NULL",
        (milliseconds(entry.entry.moment), body.server),
    )
    if not changed:
        raise StoreError(f"nobody has forced what is shown of {body.server}")


def acknowledged(tx: Transaction, entry: NumberedEntry, body: IncidentAcknowledged) -> None:
    """Note who has an incident in hand, in the place of who had it before."""
    row_of(tx, body.incident)
    tx.execute(
        "INSERT OR REPLACE INTO incident_words VALUES (?, ?, ?, ?, ?, '')",
        (
            body.incident,
            ACKNOWLEDGED,
            entry.entry.actor,
            milliseconds(entry.entry.moment),
            ms_of(body.until),
        ),
    )


def retracted(tx: Transaction, entry: NumberedEntry, body: IncidentRetracted) -> None:
    """Withdraw an incident, and what was held of its servers on account of it."""
    row_of(tx, body.incident)
    moment_ms = milliseconds(entry.entry.moment)
    tx.execute(
        "UPDATE incidents SET stage = ?, open = 0, ended_ms = COALESCE(ended_ms, ?), resolved_ms = COALESCE(resolved_ms, ?),"
        " monitoring_ms = NULL WHERE id = ?",
        (Stage.RESOLVED, milliseconds(body.until), moment_ms, body.incident),
    )
    flag_servers(tx, body.incident)
    lay_down(tx, body.incident)
    tx.execute(
        "INSERT OR REPLACE INTO incident_words VALUES (?, ?, ?, ?, NULL, ?)",
        (body.incident, RETRACTED, entry.entry.actor, moment_ms, body.reason),
    )
    add_update(tx, body.incident, body.update)
    for server in body.servers:
        _acquit(tx, server, milliseconds(body.since), milliseconds(body.until))


def extended(tx: Transaction, _entry: NumberedEntry, body: WindowExtended) -> None:
    """Give a window another end."""
    changed = tx.execute(
        "UPDATE windows SET ends_ms = ? WHERE id = ?", (milliseconds(body.ends_at), body.window)
    )
    if not changed:
        raise StoreError(f"there is no window {body.window}")


def _acquit(tx: Transaction, server: ServerId, since_ms: int, until_ms: int) -> None:
    """Let a server have been operational wherever it was held to fail between two instants."""
    touched = [
        (int(row["start_ms"]), row["end_ms"], row["status"])
        for row in tx.rows(
            "SELECT start_ms, end_ms, status FROM status_intervals"
            " WHERE server = ? AND start_ms <= ? AND (end_ms IS NULL OR end_ms >= ?) ORDER BY start_ms",
            (server, until_ms, since_ms),
        )
    ]
    if not touched:
        return
    pieces = chain.from_iterable(_acquitted(piece, since_ms, until_ms) for piece in touched)
    tx.execute(
        "DELETE FROM status_intervals WHERE server = ? AND start_ms BETWEEN ? AND ?",
        (server, touched[0][0], touched[-1][0]),
    )
    tx.executemany(
        "INSERT INTO status_intervals VALUES (?, ?, ?, ?)",
        [(server, *piece) for piece in _joined(list(pieces))],
    )
    tx.execute(
        "UPDATE server_status SET since_ms = present.start_ms FROM status_intervals AS present"
        " WHERE server_status.server = ? AND present.server = server_status.server AND present.end_ms IS NULL",
        (server,),
    )


def _acquitted(piece: _Piece, since_ms: int, until_ms: int) -> Iterator[_Piece]:
    """Cut a piece at both instants, and let what lies between be operational if it was bad."""
    start, end, status = piece
    if status not in _BAD:
        yield piece
        return
    edges = [start, *(edge for edge in (since_ms, until_ms) if start < edge and (end is None or edge < end))]
    for begin, stop in zip(edges, [*edges[1:], end], strict=True):
        between = since_ms <= begin < until_ms
        yield begin, stop, Status.OPERATIONAL if between else status


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Make one of pieces that touch and say the same."""
    joined: list[_Piece] = []
    for start, end, status in pieces:
        if joined and joined[-1][1] == start and joined[-1][2] == status:
            joined[-1] = (joined[-1][0], end, status)
        else:
            joined.append((start, end, status))
    return joined
