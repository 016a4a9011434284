"""Tickets of incidents, as the journal knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import IncidentId, TicketId, milliseconds
from monitor.store.columns import instant
from monitor.store.database import Row, Transaction, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    """The helpdesk's record of one incident; priority and status in the product's words (`urgent`, `open`).

    `gathers` are the incidents of a mass that it tells of, oldest first; none if it tells of one alone. `disputed_at` is when it was
    said that what it is about goes on although a person closed it.
    """

    reference: str
    incident: IncidentId
    helpdesk: str
    ticket: TicketId
    url: str
    department: str
    priority: str
    status: str
    subject: str
    opened_at: datetime
    first_answer_at: datetime | None
    closed_at: datetime | None
    gathers: tuple[IncidentId, ...] = ()
    disputed_at: datetime | None = None

    @property
    def incidents(self) -> tuple[IncidentId, ...]:
        """Every incident that it tells of, oldest first: its own alone, or a mass of them."""
        return self.gathers or (self.incident,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a person did or wrote on a ticket at the helpdesk; `deed` is one of the port's."""

    key: str
    deed: str
    author: str
    at: datetime
    body: str


def notes(tx: Transaction, reference: str) -> tuple[Note, ...]:
    """Return what people did and wrote on a ticket, oldest first."""
    rows = tx.rows("SELECT * FROM ticket_notes WHERE reference = ? ORDER BY at_ms, key", (reference,))
    return tuple(
        Note(
            key=row["key"],
            deed=row["deed"],
            author=row["author"],
            at=instant(int(row["at_ms"])),
            body=row["body"],
        )
        for row in rows
    )


def followed(tx: Transaction, helpdesk: str) -> tuple[TicketRow, ...]:
    """Return the tickets at a helpdesk that tell of anything that goes on, the newest first."""
    return _select(
        tx, f"WHERE helpdesk = ? AND {_GOES_ON} ORDER BY opened_ms DESC, reference DESC", (helpdesk,)
    )


def followed_after(tx: Transaction, helpdesk: str, since: datetime) -> tuple[TicketRow, ...]:
    """Return the tickets at a helpdesk of which nothing goes on any more, but something did at `since`, the newest first."""
    condition = f"WHERE helpdesk = ? AND NOT {_GOES_ON} AND incident IN {_ENDED} ORDER BY opened_ms DESC, reference DESC"
    return _select(tx, condition, (helpdesk, milliseconds(since)))


_GOES_ON = (
    "EXISTS (SELECT 1 FROM incidents WHERE open = 1"
    " AND (incidents.id = tickets.incident OR incidents.mass = tickets.incident))"
)
_ENDED = "(SELECT COALESCE(mass, id) FROM incidents WHERE resolved_ms >= ?)"

_TICKETS = (
    "SELECT *, (SELECT group_concat(id) FROM (SELECT id FROM incidents WHERE mass = tickets.incident ORDER BY opened_ms, id))"
    " AS gathers FROM tickets"
)


def references(tx: Transaction) -> Mapping[str, str]:
    """Return for each incident that a ticket tells of the reference of that ticket."""
    return {incident: row.reference for row in tickets(tx) for incident in row.incidents}


def tickets(tx: Transaction, since: datetime | None = None) -> tuple[TicketRow, ...]:
    """Return every ticket, or those that were opened at `since` or later, the newest first."""
    after = 0 if since is None else milliseconds(since)
    return _select(tx, "WHERE opened_ms >= ? ORDER BY opened_ms DESC, reference DESC", (after,))


def ticket(tx: Transaction, reference: str) -> TicketRow | None:
    """Return the ticket under our own reference, None if there is none."""
    return next(iter(_select(tx, "WHERE reference = ?", (reference,))), None)


def ticket_of(tx: Transaction, incident: IncidentId) -> TicketRow | None:
    """Return the ticket that tells of an incident, its own or that of a mass; None while there is none."""
    condition = "WHERE incident = COALESCE((SELECT mass FROM incidents WHERE id = ?1), ?1) ORDER BY opened_ms, reference LIMIT 1"
    return next(iter(_select(tx, condition, (incident,))), None)


def _select(tx: Transaction, condition: str, parameters: Sequence[Value] = ()) -> tuple[TicketRow, ...]:
    return tuple(map(_ticket, tx.rows(f"{_TICKETS} {condition}", parameters)))


def _ticket(row: Row) -> TicketRow:
    return TicketRow(
        reference=row["reference"],
        incident=IncidentId(row["incident"]),
        helpdesk=row["helpdesk"],
        ticket=TicketId(row["ticket"]),
        url=row["url"],
        department=row["department"],
        priority=row["priority"],
        status=row["status"],
        subject=row["subject"],
        opened_at=instant(int(row["opened_ms"])),
        first_answer_at=instant(row["first_answer_ms"]),
        closed_at=instant(row["closed_ms"]),
        disputed_at=instant(row["disputed_ms"]),
        gathers=tuple(map(IncidentId, row["gathers"].split(","))) if row["gathers"] else (),
    )
