"""The entries about incidents, folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitor.errors import StoreError
from monitor.identifiers import CheckKey, IncidentId, ServerId, milliseconds
from monitor.incidents.incident import Audience, Origin, Stage, Update
from monitor.journal.entries import (
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentUpdated,
    NumberedEntry,
)
from monitor.store.columns import ms_of, to_json
from monitor.store.database import Row, Transaction

ACKNOWLEDGED, RETRACTED, TICKET, DRILL = "acknowledged", "retracted", "ticket", "drill"
"""The kinds of `incident_words`."""

_CLOSED = (Stage.RESOLVED, Stage.POSTMORTEM)
_STILL_FAILING = (Stage.INVESTIGATING, Stage.IDENTIFIED)


def opened(tx: Transaction, entry: NumberedEntry, body: IncidentOpened) -> None:
    """Add a new incident; a second open detected public one of a server is refused by the table."""
    incident = body.incident
    tx.execute(
        "INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            incident.id,
            to_json(incident.title),
            incident.stage,
            incident.impact,
            incident.audience,
            incident.origin,
            int(incident.drill),
            int(incident.open),
            milliseconds(incident.started_at),
            milliseconds(incident.opened_at),
            ms_of(incident.ended_at),
            ms_of(incident.resolved_at),
            ms_of(incident.monitoring_since),
            ms_of(incident.unstable_at),
            incident.trouble,
            incident.mass,
        ),
    )
    _name_servers(tx, incident.id, incident.servers, incident.back)
    _name_checks(tx, incident.id, incident.checks)
    _name_unreachable(tx, incident.id, incident.unreachable)
    for update in incident.updates:
        add_update(tx, incident.id, update)
    if incident.wants_ticket:
        _note(tx, entry, incident.id, TICKET)
    if incident.drill_until is not None:
        _note(tx, entry, incident.id, DRILL, until_ms=ms_of(incident.drill_until))


def updated(tx: Transaction, entry: NumberedEntry, body: IncidentUpdated) -> None:
    """Move an incident on: what the entry says holds from now on."""
    before = row_of(tx, body.incident)
    moment_ms, ended_ms, monitoring_ms = milliseconds(entry.entry.moment), ms_of(body.ended_at), None
    if ended_ms is None and body.stage not in _STILL_FAILING:
        ended_ms = before["ended_ms"]
    if body.stage is Stage.MONITORING:
        # A second word on a recovery does not start the wait for the resolution anew.
        monitoring_ms = before["monitoring_ms"] if before["stage"] == Stage.MONITORING else moment_ms
    tx.execute(
        "UPDATE incidents SET stage = ?, impact = ?, open = ?, ended_ms = ?, monitoring_ms = ? WHERE id = ?",
        (body.stage, body.impact, int(body.stage not in _CLOSED), ended_ms, monitoring_ms, body.incident),
    )
    _entitle(tx, body.incident, body.title)
    _note_unstable(tx, body.incident, moment_ms, unstable=body.unstable)
    _name_servers(
        tx, body.incident, body.servers, _back(tx, body.incident) if body.back is None else body.back
    )
    _name_checks(tx, body.incident, body.checks)
    _name_unreachable(tx, body.incident, body.unreachable)
    if body.update is not None:
        add_update(tx, body.incident, body.update)


def resolved(tx: Transaction, entry: NumberedEntry, body: IncidentResolved) -> None:
    """Close an incident. Who had it in hand has it no more."""
    row_of(tx, body.incident)
    tx.execute(
        "UPDATE incidents SET stage = ?, open = 0, ended_ms = ?, resolved_ms = ?, monitoring_ms = NULL WHERE id = ?",
        (Stage.RESOLVED, milliseconds(body.ended_at), milliseconds(entry.entry.moment), body.incident),
    )
    flag_servers(tx, body.incident)
    lay_down(tx, body.incident)
    add_update(tx, body.incident, body.update)


def reopened(tx: Transaction, entry: NumberedEntry, body: IncidentReopened) -> None:
    """Take up an incident again, as if it had never ended; checks that fail for the first time join the others."""
    row_of(tx, body.incident)
    tx.execute(
        "UPDATE incidents SET stage = ?, impact = ?, open = 1, ended_ms = NULL, resolved_ms = NULL, monitoring_ms = NULL"
        " WHERE id = ?",
        (body.update.stage, body.impact, body.incident),
    )
    _entitle(tx, body.incident, body.title)
    _note_unstable(tx, body.incident, milliseconds(entry.entry.moment), unstable=body.unstable)
    if body.servers:
        _name_servers(tx, body.incident, body.servers, body.back)
    else:
        flag_servers(tx, body.incident)
    if body.unreachable:
        _name_unreachable(tx, body.incident, body.unreachable)
    known = tuple(
        CheckKey(row["server"], row["check_id"])
        for row in tx.rows(
            "SELECT server, check_id FROM incident_checks WHERE incident = ? ORDER BY position",
            (body.incident,),
        )
    )
    _name_checks(tx, body.incident, dict.fromkeys((*known, *body.checks)))
    add_update(tx, body.incident, body.update)


def row_of(tx: Transaction, incident: IncidentId) -> Row:
    """Return an incident's row; StoreError if there is none."""
    row = tx.row("SELECT * FROM incidents WHERE id = ?", (incident,))
    if row is None:
        raise StoreError(f"there is no incident {incident}")
    return row


def lay_down(tx: Transaction, incident: IncidentId) -> None:
    """End an acknowledgement, if there is one."""
    tx.execute("DELETE FROM incident_words WHERE incident = ? AND kind = ?", (incident, ACKNOWLEDGED))


def _note(
    tx: Transaction, entry: NumberedEntry, incident: IncidentId, kind: str, until_ms: int | None = None
) -> None:
    """Keep what an operator wanted when they opened it."""
    actor, moment_ms = entry.entry.actor, milliseconds(entry.entry.moment)
    tx.execute(
        "INSERT INTO incident_words VALUES (?, ?, ?, ?, ?, '')", (incident, kind, actor, moment_ms, until_ms)
    )


def _note_unstable(tx: Transaction, incident: IncidentId, moment_ms: int, *, unstable: bool | None) -> None:
    if unstable is not None:
        at_ms = moment_ms if unstable else None
        tx.execute("UPDATE incidents SET unstable_ms = ? WHERE id = ?", (at_ms, incident))


def _entitle(tx: Transaction, incident: IncidentId, title: Mapping[str, str] | None) -> None:
    if title is not None:
        tx.execute("UPDATE incidents SET title = ? WHERE id = ?", (to_json(title), incident))


def _back(tx: Transaction, incident: IncidentId) -> tuple[ServerId, ...]:
    rows = tx.rows("SELECT server FROM incident_servers WHERE incident = ? AND back = 1", (incident,))
    return tuple(ServerId(row["server"]) for row in rows)


def _name_servers(
    tx: Transaction, incident: IncidentId, servers: Sequence[ServerId], back: Sequence[ServerId]
) -> None:
    tx.execute("DELETE FROM incident_servers WHERE incident = ?", (incident,))
    row = row_of(tx, incident)
    well = frozenset(back)
    flags = (row["open"], int(row["origin"] == Origin.DETECTED), int(row["audience"] == Audience.PUBLIC))
    tx.executemany(
        "INSERT INTO incident_servers (incident, position, server, back, open, detected, public) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(incident, place, server, int(server in well), *flags) for place, server in enumerate(servers)],
    )


def flag_servers(tx: Transaction, incident: IncidentId) -> None:
    """Let an incident's servers say whether it is open."""
    tx.execute(
        "UPDATE incident_servers SET open = (SELECT open FROM incidents WHERE id = incident) WHERE incident = ?",
        (incident,),
    )


def _name_checks(tx: Transaction, incident: IncidentId, checks: Iterable[CheckKey]) -> None:
    tx.execute("DELETE FROM incident_checks WHERE incident = ?", (incident,))
    tx.executemany(
        "INSERT INTO incident_checks (incident, position, server, check_id) VALUES (?, ?, ?, ?)",
        [(incident, place, key.server, key.check) for place, key in enumerate(checks)],
    )


def _name_unreachable(tx: Transaction, incident: IncidentId, servers: Sequence[ServerId]) -> None:
    tx.execute("DELETE FROM incident_unreachable WHERE incident = ?", (incident,))
    tx.executemany(
        "INSERT INTO incident_unreachable (incident, position, server) VALUES (?, ?, ?)",
        [(incident, place, server) for place, server in enumerate(servers)],
    )


def add_update(tx: Transaction, incident: IncidentId, update: Update) -> None:
    """Add a published word behind those before it."""
    tx.execute(
        "INSERT INTO updates (incident, position, id, stage, text, at_ms, author)"
        " VALUES (?, (SELECT COUNT(*) FROM updates WHERE incident = ?), ?, ?, ?, ?, ?)",
        (
            incident,
            incident,
            update.id,
            update.stage,
            to_json(update.text),
            milliseconds(update.at),
            update.author,
        ),
    )
