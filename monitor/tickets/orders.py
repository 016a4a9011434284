"""From what is queued to what the helpdesk is asked for: priority, words and the key of one action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

from monitor.journal.entries import Entry, IncidentAcknowledged
from monitor.tickets import wording
from monitor.tickets.port import Action, Found, Order, TicketStatus
from monitor.tickets.priorities import Priority, higher_of, lower_of
from monitor.tickets.story import Story, department, impact_at, is_for_staff, is_open, opens_ticket, priority

_BEYOND = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The ticket as we know it: its id at the helpdesk, the priority that we gave it last and the department that it was opened in.

    The department is empty for the one that its class has now.
    """

    ticket: str
    priority: Priority
    department: str = ""


def order_of(action: Action, seq: int, story: Story, entry: Entry, present: Present | None) -> Order | None:
    """Return what to ask of the helpdesk; None if the ticket has it already, or if there is to be none.

    Only a creation needs no `present` ticket, and a matter of the staff: the table of classes may have spared it.
    """
    words = _Words(action=action, seq=seq, story=story)
    if action is Action.CREATE:
        return _creation(words)
    if present is None and is_for_staff(story):
        return None
    if present is None:
        raise ValueError(f"there is no ticket yet to {action}")
    match action:
        case Action.COMMENT:
            order = words.order(present, wording.comment(story, entry), present.priority)
            return replace(order, internal=order.internal or isinstance(entry.body, IncidentAcknowledged))
        case Action.PRIORITY:
            return _rise(words, entry, present)
        case Action.RESOLVE:
            return words.order(present, wording.resolution(story, entry), present.priority)
        case Action.REOPEN:
            higher = higher_of(present.priority, priority(story, entry))
            return words.order(present, wording.reopening(story, entry), higher)


def duplicate_order(story: Story, extra: Found, kept: str, look: int) -> Order:
    """Return the order that closes a second ticket of the same reference in favour of the one that is kept.

    Its number is beyond those of all other actions, and its own for each ticket and for each `look` at the reference.
    """
    number = _BEYOND + crc32(f"{look}-{extra.ticket}".encode())
    return Order(
        action=Action.RESOLVE,
        reference=story.reference,
        key=_key(story.reference, Action.RESOLVE, number),
        ticket=extra.ticket,
        subject=wording.subject(story),
        body=wording.duplicate(story.language, kept),
        priority=extra.priority,
        department=department(story),
        language=story.language,
        internal=not story.public,
    )


def living(found: tuple[Found, ...], known: str) -> tuple[Found, ...]:
    """Return the tickets that can still be written to; where there is none, the `known` one if it was found."""
    alive = tuple(ticket for ticket in found if not ticket.frozen)
    return alive or tuple(ticket for ticket in found if ticket.ticket == known)


def shows(order: Order, found: tuple[Found, ...]) -> bool:
    """Has the helpdesk carried out this order, as far as a look-up tells?"""
    tickets = [ticket for ticket in found if order.action is Action.CREATE or ticket.ticket == order.ticket]
    match order.action:
        case Action.CREATE:
            return any(not ticket.frozen for ticket in tickets)
        case Action.RESOLVE:
            return any(ticket.status is TicketStatus.CLOSED for ticket in tickets)
        case Action.REOPEN:
            return any(ticket.status is not TicketStatus.CLOSED for ticket in tickets)
        case Action.PRIORITY:
            return any(ticket.priority is order.priority for ticket in tickets)
        case Action.COMMENT:
            return False


def status_after(order: Order) -> TicketStatus | None:
    """Return the status that an action brings with it; None if it leaves the status alone."""
    match order.action:
        case Action.RESOLVE:
            return TicketStatus.CLOSED
        case Action.CREATE | Action.REOPEN:
            return TicketStatus.OPEN
        case Action.COMMENT | Action.PRIORITY:
            return None


def _key(reference: str, action: Action, number: int) -> str:
    return f"{reference}-{action}-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    action: Action
    seq: int
    story: Story

    def order(self, present: Present | None, body: str, priority: Priority) -> Order:
        story = self.story
        return Order(
            action=self.action,
            reference=story.reference,
            key=_key(story.reference, self.action, self.seq),
            ticket="" if present is None else present.ticket,
            subject=wording.subject(story),
            body=body,
            priority=priority,
            department=(present and present.department) or department(story),
            language=story.language,
            internal=self.action is not Action.CREATE and not story.public,
        )


def _creation(words: _Words) -> Order | None:
    story = words.story
    if not opens_ticket(story):
        return None
    wanted = priority(story)
    # What is over needs no haste, but it is not passed over in silence either.
    given = wanted if is_open(story) else lower_of(wanted, Priority.NORMAL)
    return words.order(None, wording.creation(story), given)


def _rise(words: _Words, entry: Entry, present: Present) -> Order | None:
    impact = impact_at(words.story, entry)
    wanted = priority(words.story, entry)
    if not words.story.incident.open or higher_of(wanted, present.priority) is present.priority:
        return None
    return words.order(present, wording.rise(words.story, impact, wanted), wanted)
