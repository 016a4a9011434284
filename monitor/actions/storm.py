"""Which ticket tells of an incident that was just opened: decided with it, so that no backlog is ever taken for a storm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.incidents.storms import SPAN, Opening, mass_of
from monitor.journal.entries import Entry, IncidentOpened
from monitor.store import readings
from monitor.store.database import Transaction


def gathered(tx: Transaction, entries: Sequence[Entry], moment: datetime) -> list[Entry]:
    """Return the entries of one decision with every incident that they open for customers told of the mass that it belongs to."""
    if not any(isinstance(entry.body, IncidentOpened) for entry in entries):
        return list(entries)
    before = list(readings.openings_since(tx, moment - SPAN))
    told: list[Entry] = []
    for entry in entries:
        body = entry.body
        if isinstance(body, IncidentOpened):
            incident = body.incident
            mass = mass_of(before, incident.id, entry.moment)
            before.append(Opening(id=incident.id, at=entry.moment, mass=mass))
            told.append(replace(entry, body=replace(body, incident=replace(incident, mass=mass))))
        else:
            told.append(entry)
    return told
