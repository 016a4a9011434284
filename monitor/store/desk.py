"""The built-in desk's tickets and their messages.

Every action of ours has a key that is unique among all messages, so that the same order twice changes nothing. People
write messages without a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.errors import NotFoundError
from monitor.identifiers import milliseconds
from monitor.store.columns import instant
from monitor.store.database import Row, Transaction

_COLUMNS = "id, reference, subject, department, priority, status, assignee, opened_ms, answered_ms, closed_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTicket:
    """One ticket of the desk; `answered_at` is the first word of a person that the customer may read."""

    id: int
    reference: str
    subject: str
    department: str
    priority: str
    status: str
    assignee: str | None
    opened_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskMessage:
    """One message on a ticket; an `internal` one is for the department alone. `action` says what came with it."""

    id: int
    author: str
    internal: bool
    body: str
    at: datetime
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a ticket is opened with, beside its first message."""

    reference: str
    subject: str
    priority: str
    department: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What is to be said, by whom, with which action; `key` is None for what a person writes."""

    author: str
    body: str
    at: datetime
    action: str
    key: str | None = None
    internal: bool = False


def open_ticket(tx: Transaction, new: NewTicket, first: NewMessage) -> int:
    """Record a ticket with its first message; return its number, or that of the one which carries the reference already."""
    present = find(tx, new.reference)
    if present is not None:
        return present.id
    rows = tx.rows(
        "INSERT INTO desk_tickets (reference, subject, department, priority, status, opened_ms)"
        " VALUES (?, ?, ?, ?, 'open', ?) RETURNING id",
        (new.reference, new.subject, new.department, new.priority, milliseconds(first.at)),
    )
    ticket = int(rows[0]["id"])
    _say(tx, ticket, first)
    return ticket


def act(tx: Transaction, ticket: int, message: NewMessage, priority: str) -> bool:
    """Record one action of ours (comment, priority, resolve, reopen); False if its key has acted already.

    `priority` holds from now on, whatever the action is. Raises NotFoundError for a number that was never given.
    """
    show(tx, ticket)
    if not _say(tx, ticket, message):
        return False
    tx.execute(
        "UPDATE desk_tickets SET priority = :priority,"
        " status = CASE :action WHEN 'resolve' THEN 'closed' WHEN 'reopen' THEN 'open' ELSE status END,"
        " closed_ms = CASE :action WHEN 'resolve' THEN :at WHEN 'reopen' THEN NULL ELSE closed_ms END"
        " WHERE id = :ticket",
        {"priority": priority, "action": message.action, "at": milliseconds(message.at), "ticket": ticket},
    )
    return True


def reply(
    tx: Transaction, ticket: int, *, author: str, body: str, internal: bool, at: datetime
) -> DeskTicket:
    """Add what a person writes. A word that customers may read answers an open ticket."""
    show(tx, ticket)
    _say(tx, ticket, NewMessage(author=author, body=body, at=at, action="reply", internal=internal))
    if not internal:
        tx.execute(
            "UPDATE desk_tickets SET answered_ms = COALESCE(answered_ms, ?),"
            " status = CASE status WHEN 'open' THEN 'answered' ELSE status END WHERE id = ?",
            (milliseconds(at), ticket),
        )
    return show(tx, ticket)


def close(tx: Transaction, ticket: int, *, author: str, body: str, at: datetime) -> DeskTicket:
    """Let a person close a ticket; one that is closed already stays as it is."""
    present = show(tx, ticket)
    if present.status != "closed":
        act(tx, ticket, NewMessage(author=author, body=body, at=at, action="resolve"), present.priority)
    return show(tx, ticket)


def assign(tx: Transaction, ticket: int, assignee: str | None) -> DeskTicket:
    """Hand a ticket to a person, or to nobody."""
    tx.execute("UPDATE desk_tickets SET assignee = ? WHERE id = ?", (assignee, ticket))
    return show(tx, ticket)


def show(tx: Transaction, ticket: int) -> DeskTicket:
    """Return one ticket; raises NotFoundError for a number that was never given."""
    row = tx.row(f"SELECT {_COLUMNS} FROM desk_tickets WHERE id = ?", (ticket,))  # noqa: S608 - a constant
    if row is None:
        raise NotFoundError(f"the desk has no ticket {ticket}")
    return _ticket(row)


def find(tx: Transaction, reference: str) -> DeskTicket | None:
    """Return the ticket of a reference, if there is one."""
    row = tx.row(f"SELECT {_COLUMNS} FROM desk_tickets WHERE reference = ?", (reference,))  # noqa: S608 - a constant
    return None if row is None else _ticket(row)


def list_tickets(tx: Transaction, *, closed: bool = False) -> tuple[DeskTicket, ...]:
    """Return the tickets that still need somebody, the most urgent and oldest first; with `closed` those as well."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM desk_tickets WHERE :closed OR status <> 'closed'"  # noqa: S608 - a constant
        " ORDER BY status = 'closed', CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END,"
        " opened_ms, id",
        {"closed": closed},
    )
    return tuple(_ticket(row) for row in rows)


def messages(tx: Transaction, ticket: int) -> tuple[DeskMessage, ...]:
    """Return everything that was written on a ticket, oldest first."""
    rows = tx.rows(
        "SELECT id, author, internal, body, at_ms, action FROM desk_messages WHERE ticket = ? ORDER BY id",
        (ticket,),
    )
    return tuple(
        DeskMessage(
            id=row["id"],
            author=row["author"],
            internal=bool(row["internal"]),
            body=row["body"],
            at=instant(int(row["at_ms"])),
            action=row["action"],
        )
        for row in rows
    )


def _say(tx: Transaction, ticket: int, message: NewMessage) -> bool:
    changed = tx.execute(
        "INSERT INTO desk_messages (ticket, key, author, internal, body, at_ms, action)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (
            ticket,
            message.key,
            message.author,
            message.internal,
            message.body,
            milliseconds(message.at),
            message.action,
        ),
    )
    return changed == 1


def _ticket(row: Row) -> DeskTicket:
    return DeskTicket(
        id=row["id"],
        reference=row["reference"],
        subject=row["subject"],
        department=row["department"],
        priority=row["priority"],
        status=row["status"],
        assignee=row["assignee"],
        opened_at=instant(int(row["opened_ms"])),
        answered_at=instant(row["answered_ms"]),
        closed_at=instant(row["closed_ms"]),
    )
