"""The one write path: entries become a batch, are folded, and what follows from them is queued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.clock import fresh_ulid
from monitor.identifiers import BatchId, IncidentId
from monitor.incidents.incident import Incident
from monitor.journal.consequences import consequences
from monitor.journal.entries import Batch, Entry, IncidentOpened, Kind, NumberedEntry
from monitor.store import deliveries, journal, readings
from monitor.store.database import Transaction

_ABOUT_INCIDENTS = frozenset(
    {
        Kind.INCIDENT_OPENED,
        Kind.INCIDENT_UPDATED,
        Kind.INCIDENT_RESOLVED,
        Kind.INCIDENT_REOPENED,
        Kind.INCIDENT_ACKNOWLEDGED,
        Kind.INCIDENT_RETRACTED,
        Kind.TICKET_REJECTED,
        Kind.TICKET_DISPUTED,
    }
)


def append(tx: Transaction, entries: Sequence[Entry], moment: datetime) -> tuple[NumberedEntry, ...]:
    """Append the entries of one action as one batch and return them numbered; nothing is appended for none.

    Decisions must have been made inside `tx`: it holds the write lock, so the head cannot move meanwhile.
    """
    if not entries:
        return ()
    batch = Batch(id=BatchId(fresh_ulid(moment)), after=journal.head(tx), entries=tuple(entries))
    return journal.append(tx, batch, _queue)


def _queue(tx: Transaction, numbered: NumberedEntry) -> None:
    entry = numbered.entry
    if entry.kind not in _ABOUT_INCIDENTS:
        return
    incident = _incident(tx, entry)
    deliveries.queue(tx, numbered, consequences(entry, incident, others_open=_others_open(tx, incident)))


def _others_open(tx: Transaction, incident: Incident | None) -> bool:
    """Is any other incident open that the same ticket tells of?"""
    if incident is None or incident.mass is None:
        return False
    return any(one.open and one.id != incident.id for one in readings.gathered_by(tx, incident.mass))


def _incident(tx: Transaction, entry: Entry) -> Incident | None:
    """Return the incident that an entry is about as it stands after it; one that was just opened stands in the entry."""
    if isinstance(entry.body, IncidentOpened):
        return entry.body.incident
    named = getattr(entry.body, "incident", None)
    return readings.incident(tx, IncidentId(named if isinstance(named, str) else entry.subject))
