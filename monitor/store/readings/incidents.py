"""Incidents, whole: with their servers, checks and updates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from monitor.identifiers import CheckKey, IncidentId, ServerId, UpdateId, milliseconds
from monitor.incidents.incident import (
    Acknowledgement,
    Audience,
    Impact,
    Incident,
    Origin,
    Retraction,
    Stage,
    Trouble,
    Update,
)
from monitor.incidents.storms import Opening
from monitor.store.columns import instant, texts
from monitor.store.database import Row, Transaction, Value
from monitor.store.fold_incidents import ACKNOWLEDGED, DRILL, RETRACTED, TICKET

# More placeholders than this in one statement, and SQLite's limits come into sight.
_TOGETHER = 500


def incident(tx: Transaction, identity: IncidentId) -> Incident | None:
    """Return one incident, None if there is none of that id."""
    return _one(tx, "WHERE id = ?", (identity,))


def open_incidents(tx: Transaction) -> tuple[Incident, ...]:
    """Return every incident that is not resolved, of every audience, oldest first."""
    return _select(tx, "WHERE open = 1 ORDER BY opened_ms, id")


def ending_incidents(tx: Transaction) -> tuple[Incident, ...]:
    """Return the open incidents that may end by themselves, oldest first.

    Those are: watched since a recovery, without a server, or about checks none of which is watched any more.
    """
    return _select(
        tx,
        "WHERE open = 1 AND (stage = ? OR NOT EXISTS (SELECT 1 FROM incident_servers WHERE incident = incidents.id)"
        " OR NOT EXISTS (SELECT 1 FROM incident_checks JOIN checks USING (server, check_id)"
        " WHERE incident = incidents.id AND retired_ms IS NULL)) ORDER BY opened_ms, id",
        (Stage.MONITORING,),
    )


def unstable_incidents(tx: Transaction) -> tuple[Incident, ...]:
    """Return the open incidents that were told to come and go, oldest first."""
    return _select(tx, "WHERE open = 1 AND unstable_ms IS NOT NULL ORDER BY opened_ms, id")


def open_incident_of(tx: Transaction, server: ServerId) -> Incident | None:
    """Return the open incident for customers that our own looks opened about a server; there is at most one."""
    return _one(
        tx,
        "WHERE id = (SELECT incident FROM incident_servers"
        " WHERE server = ? AND open = 1 AND detected = 1 AND public = 1)",
        (server,),
    )


def open_warning_of(tx: Transaction, check: CheckKey) -> Incident | None:
    """Return the open incident for operators alone that our own looks opened about a check, the newest of several.

    It names the check's server; one without a server is about ourselves.
    """
    return _one(
        tx,
        "WHERE open = 1 AND audience = ? AND origin = ? AND drill = 0 AND id IN"
        " (SELECT incident FROM incident_checks WHERE server = ? AND check_id = ?) AND id IN"
        " (SELECT incident FROM incident_servers WHERE server = ?) ORDER BY opened_ms DESC LIMIT 1",
        (Audience.OPERATORS, Origin.DETECTED, check.server, check.check, check.server),
    )


def last_warning_of(tx: Transaction, check: CheckKey) -> Incident | None:
    """Return the incident for operators alone about a check that was resolved last."""
    return _one(
        tx,
        "WHERE resolved_ms IS NOT NULL AND open = 0 AND audience = ? AND origin = ? AND id IN"
        " (SELECT incident FROM incident_checks WHERE server = ? AND check_id = ?) AND id IN"
        " (SELECT incident FROM incident_servers WHERE server = ?) ORDER BY resolved_ms DESC, id DESC LIMIT 1",
        (Audience.OPERATORS, Origin.DETECTED, check.server, check.check, check.server),
    )


def last_resolved_of(tx: Transaction, server: ServerId) -> Incident | None:
    """Return the detected public incident of a server that was resolved last: the one a relapse may take up again."""
    return _one(
        tx,
        "WHERE resolved_ms IS NOT NULL AND open = 0 AND audience = ? AND origin = ? AND id IN"
        " (SELECT incident FROM incident_servers WHERE server = ?) ORDER BY resolved_ms DESC, id DESC LIMIT 1",
        (Audience.PUBLIC, Origin.DETECTED, server),
    )


def openings_since(tx: Transaction, since: datetime) -> tuple[Opening, ...]:
    """Return what our own looks opened for customers after `since`, oldest first."""
    rows = tx.rows(
        "SELECT id, opened_ms, mass FROM incidents WHERE opened_ms > ? AND audience = ? AND origin = ? AND drill = 0"
        " ORDER BY opened_ms, id",
        (milliseconds(since), Audience.PUBLIC, Origin.DETECTED),
    )
    return tuple(
        Opening(id=IncidentId(row["id"]), at=instant(int(row["opened_ms"])), mass=row["mass"]) for row in rows
    )


def gathered_by(tx: Transaction, first: IncidentId) -> tuple[Incident, ...]:
    """Return the incidents that the ticket of `first` tells of, itself among them, oldest first; none if it tells of itself alone."""
    return _select(tx, "WHERE mass = ? ORDER BY opened_ms, id", (first,))


def incidents_between(
    tx: Transaction, start: datetime, end: datetime, audience: Audience | None = None
) -> tuple[Incident, ...]:
    """Return the incidents that touch the time from `start` to `end`, the newest start first.

    One that is still open lasts until now; one that was resolved lasted until its first good look, and at least
    until the look it began with.
    """
    condition, parameters = "", list[Value]([milliseconds(end), milliseconds(start)])
    if audience is not None:
        condition = "AND audience = ? "
        parameters.append(audience)
    return _select(
        tx,
        "WHERE started_ms < ? AND (open = 1 OR MAX(COALESCE(ended_ms, resolved_ms, started_ms), started_ms) >= ?)"
        f" {condition}ORDER BY started_ms DESC, id DESC",
        parameters,
    )


def _one(tx: Transaction, condition: str, parameters: Sequence[Value]) -> Incident | None:
    return next(iter(_select(tx, condition, parameters)), None)


def _select(tx: Transaction, condition: str, parameters: Sequence[Value] = ()) -> tuple[Incident, ...]:
    rows = tx.rows(f"SELECT * FROM incidents {condition}", parameters)  # noqa: S608 - values are bound
    if not rows:
        return ()
    names = [row["id"] for row in rows]
    servers = _grouped(tx, "SELECT * FROM incident_servers WHERE incident IN ({}) ORDER BY position", names)
    checks = _grouped(tx, "SELECT * FROM incident_checks WHERE incident IN ({}) ORDER BY position", names)
    updates = _grouped(tx, "SELECT * FROM updates WHERE incident IN ({}) ORDER BY position", names)
    behind = _grouped(
        tx, "SELECT * FROM incident_unreachable WHERE incident IN ({}) ORDER BY position", names
    )
    words = _grouped(tx, "SELECT * FROM incident_words WHERE incident IN ({}) ORDER BY kind", names)
    return tuple(
        _incident(row, *(every.get(name, ()) for every in (servers, checks, updates, behind, words)))
        for name, row in zip(names, rows, strict=True)
    )


def _grouped(tx: Transaction, sql: str, names: Sequence[str]) -> Mapping[str, tuple[Row, ...]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for first in range(0, len(names), _TOGETHER):
        some = names[first : first + _TOGETHER]
        for row in tx.rows(sql.format(", ".join("?" * len(some))), some):
            found[row["incident"]].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


# Each picture of the page reads the incidents of ninety days, and hardly one has changed since the last: equal rows are equal incidents.
@lru_cache(maxsize=2048)
def _incident(
    row: Row,
    servers: tuple[Row, ...],
    checks: tuple[Row, ...],
    updates: tuple[Row, ...],
    behind: tuple[Row, ...],
    words: tuple[Row, ...],
) -> Incident:
    said = {row["kind"]: row for row in words}
    return Incident(
        id=IncidentId(row["id"]),
        title=texts(row["title"]),
        stage=Stage(row["stage"]),
        impact=Impact(row["impact"]),
        servers=tuple(ServerId(server["server"]) for server in servers),
        back=tuple(ServerId(server["server"]) for server in servers if server["back"]),
        checks=tuple(CheckKey(ServerId(check["server"]), check["check_id"]) for check in checks),
        started_at=instant(int(row["started_ms"])),
        opened_at=instant(int(row["opened_ms"])),
        ended_at=instant(row["ended_ms"]),
        resolved_at=instant(row["resolved_ms"]),
        monitoring_since=instant(row["monitoring_ms"]),
        unstable_at=instant(row["unstable_ms"]),
        audience=Audience(row["audience"]),
        origin=Origin(row["origin"]),
        drill=bool(row["drill"]),
        trouble=None if row["trouble"] is None else Trouble(row["trouble"]),
        updates=tuple(_update(update) for update in updates),
        unreachable=tuple(ServerId(server["server"]) for server in behind),
        acknowledged=_acknowledgement(said.get(ACKNOWLEDGED)),
        retracted=_retraction(said.get(RETRACTED)),
        mass=None if row["mass"] is None else IncidentId(row["mass"]),
        wants_ticket=TICKET in said,
        drill_until=instant(said[DRILL]["until_ms"]) if DRILL in said else None,
    )


def _acknowledgement(row: Row | None) -> Acknowledgement | None:
    if row is None:
        return None
    return Acknowledgement(
        author=row["author"], at=instant(int(row["at_ms"])), until=instant(row["until_ms"])
    )


def _retraction(row: Row | None) -> Retraction | None:
    if row is None:
        return None
    return Retraction(author=row["author"], at=instant(int(row["at_ms"])), reason=row["reason"])


def _update(row: Row) -> Update:
    return Update(
        id=UpdateId(row["id"]),
        stage=Stage(row["stage"]),
        text=texts(row["text"]),
        at=instant(int(row["at_ms"])),
        author=row["author"],
    )
