"""The built-in desk: where its helpdesk keeps the tickets, and what a person may do with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from monitor.errors import NotFoundError
from monitor.identifiers import IncidentId
from monitor.journal.entries import Entry, Kind, TicketUpdated
from monitor.store import desk, readings
from monitor.store.database import Database, Transaction
from monitor.store.desk import DeskTicket, NewMessage, NewTicket
from monitor.tickets.port import Found, Order, Priority, Receipt, TicketStatus

AUTHOR = "vigia"

Append = Callable[[Transaction, Sequence[Entry]], object]


class StoredDesk:
    """The desk's tickets in the database; every call is one transaction. `page` is where people reach the console."""

    def __init__(self, database: Database, page: str) -> None:
        self._database = database
        self._page = page.rstrip("/")

    def open(self, order: Order, at: datetime) -> Receipt:
        """Record a new ticket, or return the one that already carries this reference."""
        new = NewTicket(
            reference=order.reference,
            subject=order.subject,
            priority=order.priority,
            department=order.department,
        )
        with self._database.writing() as tx:
            return self._receipt(desk.open_ticket(tx, new, _message(order, at)))

    def act(self, order: Order, at: datetime) -> Receipt:
        """Record a comment, a priority, a resolution or a reopening once per `order.key`."""
        ticket = _number(order.ticket)
        with self._database.writing() as tx:
            desk.act(tx, ticket, _message(order, at), order.priority)
        return self._receipt(ticket)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the ticket with this reference, if there is one."""
        with self._database.reading() as tx:
            ticket = desk.find(tx, reference)
        if ticket is None:
            return ()
        found = Found(
            ticket=str(ticket.id),
            reference=ticket.reference,
            url=self._url(ticket.id),
            status=TicketStatus(ticket.status),
            priority=Priority(ticket.priority),
            answered_at=ticket.answered_at,
        )
        return (found,)

    def _receipt(self, ticket: int) -> Receipt:
        return Receipt(ticket=str(ticket), url=self._url(ticket))

    def _url(self, ticket: int) -> str:
        return f"{self._page}/ops/tickets/{ticket}"


def reply(tx: Transaction, append: Append, ticket: int, message: NewMessage) -> DeskTicket:
    """Let a person write on a ticket; a word that is not internal answers it, and the journal says so."""
    after = desk.reply(
        tx, ticket, author=message.author, body=message.body, internal=message.internal, at=message.at
    )
    if not message.internal:
        _record(tx, append, after, message)
    return after


def close(tx: Transaction, append: Append, ticket: int, message: NewMessage) -> DeskTicket:
    """Let a person close a ticket with a last word; the journal says so."""
    after = desk.close(tx, ticket, author=message.author, body=message.body, at=message.at)
    _record(tx, append, after, message)
    return after


def _record(tx: Transaction, append: Append, ticket: DeskTicket, message: NewMessage) -> None:
    known = readings.ticket(tx, ticket.reference)
    if known is None:
        return
    body = TicketUpdated(
        incident=IncidentId(known.incident),
        reference=ticket.reference,
        action=message.action,
        priority=ticket.priority,
        status=ticket.status,
        answered_at=ticket.answered_at,
    )
    entry = Entry(
        kind=Kind.TICKET_UPDATED, moment=message.at, subject=known.incident, body=body, actor=message.author
    )
    append(tx, (entry,))


def _message(order: Order, at: datetime) -> NewMessage:
    return NewMessage(
        author=AUTHOR,
        body=order.body,
        at=at,
        action=order.action,
        key=order.key,
        internal=order.internal,
    )


def _number(ticket: str) -> int:
    if not ticket.isdecimal() or len(ticket) > 18:
        raise NotFoundError(f"the desk has no ticket {ticket!r}")
    return int(ticket)
