"""The built-in desk's tickets, what is written on them and what is done to them.

Every action of ours has a key that is unique among all messages, so that the same order twice changes nothing; so has every
letter by its Message-ID. Each change raises the ticket's `revision` by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.errors import NotFoundError
from monitor.identifiers import milliseconds
from monitor.store.columns import instant
from monitor.store.database import Row, Transaction, Value
from monitor.store.desk_values import (
    Deed,
    DeskChange,
    DeskMessage,
    DeskTicket,
    Hand,
    NewMessage,
    NewTicket,
    Side,
    Wanted,
    storable,
)

_TICKETS = (
    "SELECT id, COALESCE(reference, '') AS reference, subject, department, priority, status, assignee, requester, channel,"
    " incident, merged_into, follows, opened_ms, answered_ms, closed_ms, changed_ms, revision FROM desk_tickets "
)
_MESSAGES = (
    "SELECT id, ticket, author, side, internal, body, whole, at_ms, action, message_id FROM desk_messages "
)


def open_ticket(tx: Transaction, new: NewTicket, first: NewMessage) -> int:
    """Record a ticket with its first message; return its number, or that of the one which carries the reference already."""
    present = find(tx, new.reference) if new.reference else None
    if present is not None:
        return present.id
    at = milliseconds(first.at)
    rows = tx.rows(
        "INSERT INTO desk_tickets"
        " (reference, subject, department, priority, status, requester, channel, follows, opened_ms, changed_ms)"
        " VALUES (?, ?, ?, ?, 'open', ?, ?, ?, ?, ?) RETURNING id",
        (
            new.reference or None,
            storable(new.subject),
            new.department,
            new.priority,
            new.requester,
            new.channel,
            new.follows,
            at,
            at,
        ),
    )
    ticket = int(rows[0]["id"])
    _write(tx, ticket, first)
    return ticket


def say(tx: Transaction, ticket: int, message: NewMessage) -> int | None:
    """Add a message and return its number; None if its key or its Message-ID has been said already.

    A word of the staff that the requester may read answers an open ticket; one of the requester lets an answered one need an answer.
    """
    show(tx, ticket)
    number = _write(tx, ticket, message)
    if number is None:
        return None
    answers = message.side is Side.STAFF and not message.internal
    asks = message.side is Side.REQUESTER
    tx.execute(
        "UPDATE desk_tickets SET changed_ms = :at, revision = revision + 1,"
        " answered_ms = IIF(:answers, COALESCE(answered_ms, :at), answered_ms),"
        " status = CASE WHEN :answers AND status = 'open' THEN 'answered' WHEN :asks AND status = 'answered' THEN 'open'"
        " ELSE status END WHERE id = :ticket",
        {"at": milliseconds(message.at), "answers": answers, "asks": asks, "ticket": ticket},
    )
    return number


_COLUMNS = {
    Deed.ASSIGNED: "assignee",
    Deed.PRIORITY: "priority",
    Deed.MOVED: "department",
    Deed.CLOSED: "status",
    Deed.REOPENED: "status",
    Deed.LINKED: "incident",
    Deed.MERGED: "merged_into",
}


def change(tx: Transaction, ticket: int, deed: Deed, after: str | int | None, hand: Hand) -> DeskTicket:
    """Let a deed make `after` of what it changes, and return the ticket; what is so already is no deed and leaves no trace."""
    column = _COLUMNS[deed]
    before = getattr(show(tx, ticket), column)
    if before == after:
        return show(tx, ticket)
    at = milliseconds(hand.at)
    tx.execute(
        f"UPDATE desk_tickets SET {column} = :after, changed_ms = :at, revision = revision + 1 WHERE id = :ticket",  # noqa: S608 - a constant
        {"after": after, "at": at, "ticket": ticket},
    )
    if column == "status":
        tx.execute(
            "UPDATE desk_tickets SET closed_ms = IIF(status = 'closed', ?, NULL) WHERE id = ?", (at, ticket)
        )
    note(tx, ticket, deed, (_told(before), _told(after)), hand)
    return show(tx, ticket)


def note(tx: Transaction, ticket: int, deed: Deed, told: tuple[str, str], hand: Hand) -> None:
    """Put a deed into a ticket's history: what was before it, and what is after it."""
    tx.execute(
        "INSERT INTO desk_history (ticket, at_ms, author, side, deed, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (ticket, milliseconds(hand.at), hand.author, hand.side, deed, *told),
    )


def show(tx: Transaction, ticket: int) -> DeskTicket:
    """Return one ticket; raises NotFoundError for a number that was never given."""
    row = tx.row(f"{_TICKETS} WHERE id = ?", (ticket,))
    if row is None:
        raise NotFoundError(f"the desk has no ticket {ticket}; `vigia desk list` shows them")
    return _ticket(row)


def kept(tx: Transaction, ticket: int) -> DeskTicket:
    """Return the ticket that a number leads to: itself, or the one that it was merged into in the end."""
    found = show(tx, ticket)
    while found.merged_into is not None:
        found = show(tx, found.merged_into)
    return found


def find(tx: Transaction, reference: str) -> DeskTicket | None:
    """Return the ticket that is kept under one of our references, if there is one."""
    row = tx.row("SELECT id FROM desk_tickets WHERE reference = ?", (reference,))
    return None if row is None else kept(tx, row["id"])


def taken_in(tx: Transaction, ticket: int) -> tuple[DeskTicket, ...]:
    """Return the tickets that were merged into this one, and into those, lowest number first."""
    rows = tx.rows(
        f"{_TICKETS} WHERE id IN (WITH RECURSIVE below (nested) AS (SELECT id FROM desk_tickets WHERE merged_into = ?"  # noqa: S608 - a constant
        " UNION SELECT id FROM desk_tickets JOIN below ON merged_into = nested) SELECT nested FROM below) ORDER BY id",
        (ticket,),
    )
    return tuple(map(_ticket, rows))


def readers(tx: Transaction, ticket: int) -> tuple[str, ...]:
    """Return the addresses of those who read what is said to the requester: his, and those of the tickets taken in."""
    every = (show(tx, ticket), *taken_in(tx, ticket))
    return tuple(dict.fromkeys(each.requester for each in every if each.requester))


def list_tickets(
    tx: Transaction, *, closed: bool = False, wanted: Wanted | None = None
) -> tuple[DeskTicket, ...]:
    """Return the tickets that still need somebody, the most urgent and oldest first; with `closed` those as well."""
    asked = wanted or Wanted(closed=closed)
    rows = tx.rows(
        f"{_TICKETS} WHERE (:closed OR :status IS NOT NULL OR status <> 'closed')"
        " AND (:status IS NULL OR status = :status) AND (:department IS NULL OR department = :department)"
        " AND (:assignee IS NULL OR assignee = :assignee) AND (:requester IS NULL OR requester = :requester)"
        " AND (:incident IS NULL OR incident = :incident)"
        " ORDER BY status = 'closed', CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END,"
        " opened_ms, id",
        {
            "closed": asked.closed,
            "status": asked.status,
            "department": asked.department,
            "assignee": asked.assignee,
            "requester": asked.requester,
            "incident": asked.incident,
        },
    )
    return tuple(map(_ticket, rows))


def changed_since(tx: Transaction, since: datetime) -> tuple[DeskTicket, ...]:
    """Return every ticket that was opened or changed at `since` or later, lowest number first."""
    rows = tx.rows(f"{_TICKETS} WHERE changed_ms >= ? ORDER BY id", (milliseconds(since),))
    return tuple(map(_ticket, rows))


def linked(tx: Transaction, since: datetime) -> tuple[DeskTicket, ...]:
    """Return the tickets that belong to an incident and were not merged: those that are not closed, or were closed since a moment."""
    rows = tx.rows(
        f"{_TICKETS} WHERE incident IS NOT NULL AND merged_into IS NULL AND (status <> 'closed' OR closed_ms >= ?) ORDER BY id",
        (milliseconds(since),),
    )
    return tuple(map(_ticket, rows))


def is_said(tx: Transaction, key: str) -> bool:
    """Has a message been said under this key?"""
    return tx.row("SELECT 1 FROM desk_messages WHERE key = ?", (key,)) is not None


def messages(tx: Transaction, ticket: int) -> tuple[DeskMessage, ...]:
    """Return everything that was written on a ticket, oldest first."""
    return _messages(tx, "WHERE ticket = ? ORDER BY id", (ticket,))


def message(tx: Transaction, number: int) -> DeskMessage:
    """Return one message; raises NotFoundError for a number that was never given."""
    found = _messages(tx, "WHERE id = ?", (number,))
    if not found:
        raise NotFoundError(f"the desk has no message {number}")
    return found[0]


def find_message(tx: Transaction, message_id: str) -> DeskMessage | None:
    """Return the message that came, or went out, under a Message-ID, if there is one."""
    return next(iter(_messages(tx, "WHERE message_id = ?", (message_id,))), None)


def name_message(tx: Transaction, number: int, message_id: str) -> None:
    """Record the Message-ID under which a message goes out, so that an answer to it finds its ticket."""
    tx.execute("UPDATE desk_messages SET message_id = ? WHERE id = ?", (message_id, number))


def exists(tx: Transaction, ticket: int) -> bool:
    """Was this number ever given to a ticket?"""
    return tx.row("SELECT 1 FROM desk_tickets WHERE id = ?", (ticket,)) is not None


def last_message(tx: Transaction) -> int:
    """Return the number of the newest message, 0 before there is one."""
    row = tx.row("SELECT MAX(id) AS newest FROM desk_messages")
    return 0 if row is None else int(row["newest"] or 0)


def words_for_requesters(tx: Transaction, after: int, limit: int) -> tuple[DeskMessage, ...]:
    """Return what requesters may read and did not write themselves, with a number above `after`, lowest first.

    Of tickets that nobody requested those are left out that are ours: they are for the department, whoever was taken in since.
    """
    return _messages(
        tx,
        "WHERE id > ? AND side <> 'requester' AND NOT internal AND body <> ''"
        " AND (side = 'staff' OR action IN ('resolved', 'returned')"
        " OR (SELECT requester FROM desk_tickets WHERE id = ticket) <> '') ORDER BY id LIMIT ?",
        (after, limit),
    )


def changes(tx: Transaction, ticket: int) -> tuple[DeskChange, ...]:
    """Return everything that was done to a ticket, oldest first."""
    rows = tx.rows(
        "SELECT id, ticket, at_ms, author, side, deed, before, after FROM desk_history WHERE ticket = ? ORDER BY id",
        (ticket,),
    )
    return tuple(
        DeskChange(
            id=row["id"],
            ticket=row["ticket"],
            deed=Deed(row["deed"]),
            author=row["author"],
            side=Side(row["side"]),
            at=instant(int(row["at_ms"])),
            before=row["before"],
            after=row["after"],
        )
        for row in rows
    )


def _write(tx: Transaction, ticket: int, message: NewMessage) -> int | None:
    rows = tx.rows(
        "INSERT INTO desk_messages (ticket, key, author, side, internal, body, whole, at_ms, action, message_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (
            ticket,
            message.key,
            message.author,
            message.side,
            message.internal,
            storable(message.body),
            storable(message.whole),
            milliseconds(message.at),
            message.action,
            message.message_id,
        ),
    )
    return int(rows[0]["id"]) if rows else None


def _told(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _messages(tx: Transaction, condition: str, parameters: Sequence[Value]) -> tuple[DeskMessage, ...]:
    return tuple(
        DeskMessage(
            id=row["id"],
            ticket=row["ticket"],
            author=row["author"],
            side=Side(row["side"]),
            internal=bool(row["internal"]),
            body=row["body"],
            whole=row["whole"],
            at=instant(int(row["at_ms"])),
            action=row["action"],
            message_id=row["message_id"],
        )
        for row in tx.rows(_MESSAGES + condition, parameters)
    )


def _ticket(row: Row) -> DeskTicket:
    return DeskTicket(
        id=row["id"],
        reference=row["reference"],
        subject=row["subject"],
        department=row["department"],
        priority=row["priority"],
        status=row["status"],
        assignee=row["assignee"],
        requester=row["requester"],
        channel=row["channel"],
        incident=row["incident"],
        merged_into=row["merged_into"],
        follows=row["follows"],
        opened_at=instant(int(row["opened_ms"])),
        answered_at=instant(row["answered_ms"]),
        closed_at=instant(row["closed_ms"]),
        changed_at=instant(int(row["changed_ms"])),
        revision=row["revision"],
    )
