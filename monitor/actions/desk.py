"""The built-in desk as a helpdesk: where its tickets are kept, and what of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter

from monitor.actions.people import OURSELVES
from monitor.errors import NotFoundError
from monitor.store import desk, desk_values
from monitor.store.database import Database, Transaction
from monitor.store.desk_values import DeskChange, DeskMessage, DeskTicket, Hand, NewMessage, NewTicket, Side
from monitor.tickets.port import (
    WORD_LIMIT,
    Action,
    Case,
    Deed,
    Found,
    Order,
    Priority,
    Receipt,
    TicketStatus,
    Word,
)

_DEEDS = {
    desk_values.Deed.ASSIGNED: Deed.ASSIGNED,
    desk_values.Deed.PRIORITY: Deed.PRIORITY,
    desk_values.Deed.CLOSED: Deed.CLOSED,
    desk_values.Deed.REOPENED: Deed.REOPENED,
    desk_values.Deed.MERGED: Deed.MERGED,
}
_WHOM = (desk_values.Deed.ASSIGNED, desk_values.Deed.PRIORITY, desk_values.Deed.MERGED)


class StoredDesk:
    """The desk's tickets in the database; every call is one transaction. `page` is where people reach the console."""

    def __init__(self, database: Database, page: str) -> None:
        self._database = database
        self._page = page

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
        """Record a comment, a priority, a resolution or a reopening once per `order.key`; NotFoundError if it was merged away."""
        ticket = _number(order.ticket)
        with self._database.writing() as tx:
            present = desk.show(tx, ticket)
            if present.merged_into is not None:
                raise NotFoundError(f"ticket {ticket} of the desk was merged into {present.merged_into}")
            if desk.say(tx, ticket, _message(order, at)) is not None:
                _carry_out(tx, ticket, order, at)
        return self._receipt(ticket)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the ticket that is kept under this reference, if there is one."""
        with self._database.reading() as tx:
            ticket = desk.find(tx, reference) if reference else None
        if ticket is None:
            return ()
        found = Found(
            ticket=str(ticket.id),
            reference=reference,
            url=page_of(self._page, ticket.id),
            status=TicketStatus(ticket.status),
            priority=Priority(ticket.priority),
            answered_at=ticket.answered_at,
        )
        return (found,)

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket that was opened or changed at `since` or later."""
        with self._database.reading() as tx:
            return tuple(self._case(each) for each in desk.changed_since(tx, since))

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people of the departments did on one ticket, oldest first; NotFoundError for one that never was."""
        number = _number(ticket)
        with self._database.reading() as tx:
            desk.show(tx, number)
            said, done = desk.messages(tx, number), desk.changes(tx, number)
        return tuple(sorted((*_said(said), *_done(done)), key=attrgetter("at")))

    def _case(self, ticket: DeskTicket) -> Case:
        return Case(
            ticket=str(ticket.id),
            url=page_of(self._page, ticket.id),
            department=ticket.department,
            subject=ticket.subject,
            requester=ticket.requester or OURSELVES,
            priority=Priority(ticket.priority),
            status=TicketStatus(ticket.status),
            opened_at=ticket.opened_at,
            answered_at=ticket.answered_at,
            closed_at=ticket.closed_at,
            reference=ticket.reference,
        )

    def _receipt(self, ticket: int) -> Receipt:
        return Receipt(ticket=str(ticket), url=page_of(self._page, ticket))


def page_of(page: str, ticket: int) -> str:
    """Return where people read a ticket of the desk; `page` is the address of the site."""
    return f"{page.rstrip('/')}/ops/tickets/{ticket}"


def _carry_out(tx: Transaction, ticket: int, order: Order, at: datetime) -> None:
    hand = Hand(author=OURSELVES, at=at, side=Side.US)
    desk.change(tx, ticket, desk_values.Deed.PRIORITY, order.priority.value, hand)
    if order.action is Action.RESOLVE:
        desk.change(tx, ticket, desk_values.Deed.CLOSED, TicketStatus.CLOSED.value, hand)
    if order.action is Action.REOPEN and desk.show(tx, ticket).status == TicketStatus.CLOSED:
        desk.change(tx, ticket, desk_values.Deed.REOPENED, TicketStatus.OPEN.value, hand)


def _message(order: Order, at: datetime) -> NewMessage:
    return NewMessage(
        author=OURSELVES,
        side=Side.US,
        body=order.body,
        at=at,
        action=order.action,
        key=order.key,
        internal=order.internal,
    )


def _said(messages: tuple[DeskMessage, ...]) -> Iterator[Word]:
    for each in messages:
        if each.side is Side.STAFF and each.body:
            deed = Deed.NOTE if each.internal else Deed.ANSWER
            body = each.body[:WORD_LIMIT]
            yield Word(key=f"message-{each.id}", deed=deed, author=each.author, at=each.at, body=body)


def _done(changes: tuple[DeskChange, ...]) -> Iterator[Word]:
    for each in changes:
        if each.side is Side.STAFF and each.deed in _DEEDS:
            body = each.after if each.deed in _WHOM else ""
            yield Word(
                key=f"deed-{each.id}", deed=_DEEDS[each.deed], author=each.author, at=each.at, body=body
            )


def _number(ticket: str) -> int:
    if not ticket.isdecimal() or len(ticket) > 18:
        raise NotFoundError(f"the desk has no ticket {ticket!r}")
    return int(ticket)
