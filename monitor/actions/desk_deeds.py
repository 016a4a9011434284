"""What people of a department do on the built-in desk. Every call decides inside the transaction it is given.

All of it stands in the desk's history; what concerns the ticket of an incident also becomes an entry of the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from monitor.actions import people
from monitor.actions.append import append
from monitor.actions.desk import page_of
from monitor.errors import NotFoundError, RefusedError
from monitor.identifiers import IncidentId
from monitor.journal.entries import Entry, Kind, TicketOpened, TicketUpdated
from monitor.language import text
from monitor.language.phrases import listed
from monitor.store import desk, readings
from monitor.store.database import Transaction
from monitor.store.desk_requesters import requester_of
from monitor.store.desk_values import Deed, DeskTicket, Hand, NewMessage, Side
from monitor.store.readings import TicketRow
from monitor.tickets.desk import DESK
from monitor.tickets.port import Priority, TicketStatus

LONGEST = 100_000
_ACTIONS = {Deed.CLOSED: "close", Deed.REOPENED: "reopen", Deed.PRIORITY: "priority"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts, and when. `seen` is the revision of the ticket that was looked at; None acts on whatever it has become."""

    name: str
    at: datetime
    seen: int | None = None

    @property
    def hand(self) -> Hand:
        """The same as the history keeps it; RefusedError for a name that nobody may have."""
        return Hand(author=people.author(self.name), at=self.at)


def reply(
    tx: Transaction, ticket: int, words: str, by: Person, *, internal: bool = False, key: str | None = None
) -> DeskTicket:
    """Write on a ticket, for the requester or for the department alone; the former answers it.

    The same `key` twice is said once. Raises NotFoundError, or RefusedError if the ticket was merged away or has changed meanwhile.
    """
    _present(tx, ticket, by)
    message = _words(words, by, "reply", internal=internal, key=key)
    if desk.say(tx, ticket, message) is not None and not internal:
        _record(tx, ticket, "reply", by)
    return desk.show(tx, ticket)


def close(tx: Transaction, ticket: int, words: str, by: Person) -> DeskTicket:
    """Close a ticket, with a last word for the requester if there is one; without one, a closed ticket stays as it is."""
    present = _present(tx, ticket, by)
    if present.status == TicketStatus.CLOSED:
        if words.strip():
            raise RefusedError(
                f"ticket {ticket} is closed already: write on it with `vigia desk reply {ticket}`"
            )
        return present
    if words.strip():
        desk.say(tx, ticket, _words(words, by, "close"))
    return _done(tx, ticket, Deed.CLOSED, TicketStatus.CLOSED.value, by)


def reopen(tx: Transaction, ticket: int, by: Person) -> DeskTicket:
    """Open a closed ticket again; one that is not closed stays as it is."""
    present = _present(tx, ticket, by)
    if present.status != TicketStatus.CLOSED:
        return present
    return _done(tx, ticket, Deed.REOPENED, TicketStatus.OPEN.value, by)


def assign(tx: Transaction, ticket: int, person: str | None, by: Person) -> DeskTicket:
    """Hand a ticket to a person, or to nobody; RefusedError for no name."""
    if person is not None and not person.strip():
        raise RefusedError("name whose hands it goes to, or `-` for nobody")
    _present(tx, ticket, by)
    name = None if person is None else people.author(person)
    return desk.change(tx, ticket, Deed.ASSIGNED, name, by.hand)


def prioritise(tx: Transaction, ticket: int, priority: Priority, by: Person) -> DeskTicket:
    """Give a ticket another priority, higher or lower."""
    _present(tx, ticket, by)
    return _done(tx, ticket, Deed.PRIORITY, priority.value, by)


def move(tx: Transaction, ticket: int, department: str, by: Person) -> DeskTicket:
    """Hand a ticket to another department of the configuration."""
    _present(tx, ticket, by)
    return desk.change(tx, ticket, Deed.MOVED, known_department(tx, department), by.hand)


def link(tx: Transaction, ticket: int, incident: IncidentId | None, by: Person) -> DeskTicket:
    """Let a ticket belong to an incident, or to none."""
    _present(tx, ticket, by)
    if incident is not None and readings.incident(tx, incident) is None:
        raise NotFoundError(f"there is no incident {incident!r}; `vigia incident list` shows them")
    return desk.change(tx, ticket, Deed.LINKED, incident, by.hand)


def merge(tx: Transaction, ticket: int, into: int, by: Person) -> DeskTicket:
    """Let one ticket go on in another, and return that one; what was written on either is read there.

    The requester of the one that closes is told. References of ours lead to the one that is kept, which takes the higher of both priorities
    and needs an answer if the other did. Raises RefusedError where that would hide something.
    """
    closing, keeping = _present(tx, ticket, by), _open_for_merging(tx, into)
    if ticket == into:
        raise RefusedError(f"ticket {ticket} cannot go on in itself: name another one")
    told = text("desk.merged", language_of(tx, closing.requester), kept=into)
    desk.say(
        tx, ticket, NewMessage(author=people.OURSELVES, body=told, at=by.at, action="merge", side=Side.US)
    )
    desk.change(tx, ticket, Deed.CLOSED, TicketStatus.CLOSED.value, by.hand)
    desk.change(tx, ticket, Deed.MERGED, into, by.hand)
    higher = max(Priority(closing.priority), Priority(keeping.priority), key=list(Priority).index)
    desk.change(tx, into, Deed.PRIORITY, higher.value, by.hand)
    own = (*told_on(tx, ticket), *told_on(tx, into))
    about = (keeping.incident, closing.incident, *(row.incident for row in own))
    desk.change(tx, into, Deed.LINKED, next(filter(None, about), None), by.hand)
    if (closing.status, keeping.status) == (TicketStatus.OPEN, TicketStatus.ANSWERED):
        desk.change(tx, into, Deed.REOPENED, TicketStatus.OPEN.value, by.hand)
    _lead(tx, ticket, into, by)
    _record(tx, into, "merge", by)
    return desk.show(tx, into)


def known_department(tx: Transaction, department: str) -> str:
    """Return a department of the fleet in force; RefusedError for another, with those that there are."""
    fleet = readings.fleet(tx)
    names = () if fleet is None else tuple(each.id for each in fleet.departments)
    if names and department not in names:
        raise RefusedError(f"there is no department {department!r}; there are {listed(names)}")
    return department


def language_of(tx: Transaction, address: str) -> str:
    """Return the language in which a requester is spoken to: his own, else the first of the site."""
    known = requester_of(tx, address) if address else None
    if known is not None and known.language:
        return known.language
    fleet = readings.fleet(tx)
    return "es" if fleet is None else fleet.site.languages[0]


def told_on(tx: Transaction, ticket: int) -> Sequence[TicketRow]:
    """Return what the journal holds of the incidents whose own ticket this is: more than one if theirs were merged."""
    every = (desk.show(tx, ticket), *desk.taken_in(tx, ticket))
    rows = [readings.ticket(tx, each.reference) for each in every if each.reference]
    return [row for row in rows if row is not None and row.helpdesk == DESK.name]


def incidents_of(tx: Transaction, ticket: DeskTicket) -> tuple[IncidentId, ...]:
    """Return the incidents that a ticket is about: the one that it was linked to, then those that it was opened for."""
    linked = () if ticket.incident is None else (IncidentId(ticket.incident),)
    own = (each for row in told_on(tx, ticket.id) for each in row.incidents)
    return tuple(dict.fromkeys((*linked, *own)))


def _present(tx: Transaction, ticket: int, by: Person) -> DeskTicket:
    present = desk.show(tx, ticket)
    if present.merged_into is not None:
        raise RefusedError(f"ticket {ticket} was merged into {present.merged_into}: it goes on there")
    if by.seen is not None and by.seen != present.revision:
        raise RefusedError(
            f"ticket {ticket} changed meanwhile ({_newest(tx, ticket)}): look again with `vigia desk show {ticket}`"
        )
    return present


def _newest(tx: Transaction, ticket: int) -> str:
    said, done = desk.messages(tx, ticket)[-1:], desk.changes(tx, ticket)[-1:]
    told = [(each.at, f"{each.author}: {each.action}") for each in said]
    told += [(each.at, f"{each.author}: {each.deed}") for each in done]
    return max(told, key=itemgetter(0))[1]


def _open_for_merging(tx: Transaction, into: int) -> DeskTicket:
    keeping = desk.show(tx, into)
    if keeping.merged_into is not None:
        raise RefusedError(f"ticket {into} was merged into {keeping.merged_into} itself: merge into that one")
    if keeping.status == TicketStatus.CLOSED:
        raise RefusedError(f"ticket {into} is closed: open it again with `vigia desk reopen {into}` first")
    return keeping


def _words(
    words: str, by: Person, action: str, *, internal: bool = False, key: str | None = None
) -> NewMessage:
    if not words.strip():
        raise RefusedError("write at least one word")
    if len(words) > LONGEST:
        raise RefusedError(f"write at most {LONGEST} letters")
    return NewMessage(
        author=by.hand.author, body=words.strip(), at=by.at, action=action, internal=internal, key=key
    )


def _done(tx: Transaction, ticket: int, deed: Deed, after: str, by: Person) -> DeskTicket:
    before = desk.show(tx, ticket)
    present = desk.change(tx, ticket, deed, after, by.hand)
    if present.revision != before.revision:
        _record(tx, ticket, _ACTIONS[deed], by)
    return present


def _record(tx: Transaction, ticket: int, action: str, by: Person) -> None:
    """Tell the journal how the ticket of an incident stands after a person's deed."""
    present = desk.show(tx, ticket)
    entries = [_updated(row, present, action, by) for row in told_on(tx, ticket)]
    append(tx, entries, by.at)


def _updated(row: TicketRow, present: DeskTicket, action: str, by: Person) -> Entry:
    body = TicketUpdated(
        incident=row.incident,
        reference=row.reference,
        action=action,
        priority=present.priority,
        status=present.status,
        answered_at=present.answered_at,
    )
    return Entry(
        kind=Kind.TICKET_UPDATED, moment=by.at, subject=row.incident, body=body, actor=by.hand.author
    )


def _lead(tx: Transaction, ticket: int, into: int, by: Person) -> None:
    """Tell the journal under which number the ticket of an incident goes on."""
    fleet, kept = readings.fleet(tx), desk.show(tx, into)
    page = "" if fleet is None else fleet.site.url
    entries = [
        Entry(
            kind=Kind.TICKET_OPENED,
            moment=by.at,
            subject=row.incident,
            actor=by.hand.author,
            body=TicketOpened(
                incident=row.incident,
                reference=row.reference,
                helpdesk=row.helpdesk,
                ticket=str(into),
                url=page_of(page, into),
                department=kept.department,
                priority=kept.priority,
                subject=row.subject,
            ),
        )
        for row in told_on(tx, ticket)
    ]
    append(tx, entries, by.at)
