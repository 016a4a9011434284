"""What requesters do on the built-in desk, whichever way it reaches us: they ask, and they write again.

Whoever reads mail, or takes a call, hands their words in; every call decides inside the transaction it is given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from monitor.actions import people
from monitor.actions.desk_deeds import Person, known_department
from monitor.errors import RefusedError
from monitor.incidents.incident import Audience, Incident
from monitor.store import desk, readings
from monitor.store.database import Transaction
from monitor.store.desk_requesters import requester_of
from monitor.store.desk_values import Deed, DeskTicket, Hand, NewMessage, NewTicket, Side, Wanted
from monitor.tickets.port import Priority, TicketStatus
from monitor.tickets.same_problem import Asked as Question
from monitor.tickets.same_problem import same_fault, same_subject

Channel = Literal["ticket", "mail", "phone", "chat"]
_LONGEST_SUBJECT = 250
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\\]{1,189}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody's request: whose, about what, in which words, over which way, and for which department.

    `whole` is all that arrived where `body` is less of it; `message_id` is its Message-ID if it has one.
    """

    requester: str
    subject: str
    body: str
    department: str
    channel: Channel = "ticket"
    priority: Priority = Priority.NORMAL
    whole: str = ""
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a requester writes on a ticket that exists; the fields as in `Asked`."""

    requester: str
    body: str
    channel: Channel = "mail"
    whole: str = ""
    message_id: str | None = None


def ask(tx: Transaction, asked: Asked, at: datetime, by: Person | None = None) -> DeskTicket:
    """Open a ticket for a requester and return it; `by` is the person who wrote a call down.

    The same Message-ID again opens nothing and returns the ticket that it belongs to. Raises RefusedError for a department that
    does not exist, an address that is none, or no words.
    """
    if asked.message_id and (known := desk.find_message(tx, asked.message_id)) is not None:
        return desk.kept(tx, known.ticket)
    return _opened(tx, asked, at, by, follows=None)


def hear(tx: Transaction, ticket: int, said: Said, at: datetime, reopen_within: timedelta) -> DeskTicket:
    """Add what a requester writes and return the ticket that has it: it needs an answer again.

    A ticket that was merged away leads to the one that is kept. One that was closed no longer ago than `reopen_within` is opened again; a
    later word opens a new ticket that points to it. The same Message-ID again changes nothing.
    """
    if said.message_id and (known := desk.find_message(tx, said.message_id)) is not None:
        return desk.kept(tx, known.ticket)
    present = desk.kept(tx, ticket)
    if present.closed_at is not None and at - present.closed_at > reopen_within:
        return _opened(tx, _anew(present, said), at, None, follows=present.id)
    address = address_of(said.requester)
    if present.status == TicketStatus.CLOSED:
        hand = Hand(author=address, at=at, side=Side.REQUESTER)
        desk.change(tx, present.id, Deed.REOPENED, TicketStatus.OPEN.value, hand)
    desk.say(tx, present.id, _message(address, said, at))
    return desk.show(tx, present.id)


def belong(tx: Transaction, ticket: int, incident: Incident, at: datetime) -> DeskTicket:
    """Let a ticket belong to the incident that it is about by all appearances; a person may take it back."""
    return desk.change(
        tx, ticket, Deed.LINKED, incident.id, Hand(author=people.OURSELVES, at=at, side=Side.US)
    )


def fault_of(tx: Transaction, requester: str, subject: str, body: str) -> Incident | None:
    """Return the open public incident that a request is about by all appearances, the oldest if there are several."""
    fleet, known = readings.fleet(tx), requester_of(tx, requester)
    if fleet is None:
        return None
    asked = Question(subject=subject, body=body, places=() if known is None else known.places)
    for incident in readings.open_incidents(tx):
        if incident.audience is Audience.PUBLIC and not incident.drill and same_fault(asked, incident, fleet):
            return incident
    return None


def asked_before(
    tx: Transaction, requester: str, about: tuple[str, str], since: datetime
) -> DeskTicket | None:
    """Return the newest ticket that a requester opened since a moment and that is not closed, with the same subject and department, if any."""
    subject, department = about
    own = desk.list_tickets(tx, wanted=Wanted(requester=address_of(requester)))
    alike = [
        each
        for each in own
        if each.opened_at >= since and same_subject(each.subject, subject) and _was_for(tx, each, department)
    ]
    return max(alike, key=lambda each: (each.opened_at, each.id), default=None)


def ticket_about(tx: Transaction, requester: str, incident: Incident, department: str) -> DeskTicket | None:
    """Return the newest open ticket of an incident and a department on which a requester is answered: his own, or one that took his in."""
    address = address_of(requester)
    about = desk.list_tickets(tx, wanted=Wanted(incident=incident.id))
    own = [each for each in about if address in desk.readers(tx, each.id) and _was_for(tx, each, department)]
    return max(own, key=lambda each: each.id, default=None)


def _was_for(tx: Transaction, ticket: DeskTicket, department: str) -> bool:
    """Is this the department that a ticket is in, or from which it was moved first?"""
    moved = (each.before for each in desk.changes(tx, ticket.id) if each.deed is Deed.MOVED)
    return department in (ticket.department, next(moved, None))


def address_of(written: str) -> str:
    """Return an address of mail in lower case; RefusedError for what is none."""
    address = written.strip().lower()
    if not _ADDRESS.fullmatch(address) or not address.isprintable():
        raise RefusedError(f"{written!r} is no address: write it as ana@example.com")
    return address


def _opened(
    tx: Transaction, asked: Asked, at: datetime, by: Person | None, *, follows: int | None
) -> DeskTicket:
    subject = " ".join(asked.subject.split())[:_LONGEST_SUBJECT]
    if not subject or not asked.body.strip():
        raise RefusedError("a ticket needs a subject and at least one word about the problem")
    address = address_of(asked.requester)
    new = NewTicket(
        reference="",
        subject=subject,
        priority=asked.priority.value,
        department=known_department(tx, asked.department),
        requester=address,
        channel=asked.channel,
        follows=follows,
    )
    said = Said(
        requester=address,
        body=asked.body,
        whole=asked.whole,
        message_id=asked.message_id,
        channel=asked.channel,
    )
    ticket = desk.open_ticket(tx, new, _message(address, said, at))
    if by is not None:
        desk.note(tx, ticket, Deed.OPENED, ("", asked.channel), by.hand)
    return desk.show(tx, ticket)


def _anew(present: DeskTicket, said: Said) -> Asked:
    return Asked(
        requester=said.requester,
        subject=present.subject,
        body=said.body,
        department=present.department,
        channel=said.channel,
        whole=said.whole,
        message_id=said.message_id,
    )


def _message(address: str, said: Said, at: datetime) -> NewMessage:
    return NewMessage(
        author=address,
        side=Side.REQUESTER,
        body=said.body.strip(),
        whole=said.whole,
        message_id=said.message_id,
        at=at,
        action="ask",
    )
