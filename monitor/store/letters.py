"""What comes and goes as mail: how far it was read, what helpdesks answer by it, what the desk sends and what it declines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.store.columns import instant, ms_of
from monitor.store.database import Row, Transaction

_THREADS = (
    "SELECT reference, identity, tag, subject, department, priority, status, opened_ms, changed_ms, answered_ms, closed_ms,"
    " letters FROM letter_threads "
)


@dataclass(frozen=True, slots=True)
class Read:
    """How far something was read; `validity` says which count `number` belongs to."""

    validity: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRow:
    """A ticket at a helpdesk that is reached by mail. `identity` is the Message-ID that opened it, `tag` what its subject carries there.

    `letters` are the Message-IDs of what surely went out about it, oldest first.
    """

    reference: str
    identity: str
    tag: str
    subject: str
    department: str
    priority: str
    status: str
    opened_at: datetime
    changed_at: datetime
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    letters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRow:
    """What a person wrote on such a ticket, known by its Message-ID."""

    identity: str
    reference: str
    author: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRow:
    """A letter of the desk. `ticket` is None for a refusal, `message` the desk's message that it carries, if it carries one.

    `thread` are the Message-IDs before it, oldest first. What is not `automatic` was written by a person.
    """

    recipient: str
    subject: str
    body: str
    identity: str
    at: datetime
    thread: tuple[str, ...] = ()
    ticket: int | None = None
    message: int | None = None
    automatic: bool = False
    id: int = 0


def place(tx: Transaction, source: str) -> Read | None:
    """Return how far a source was read, None before it was."""
    row = tx.row("SELECT validity, number FROM letter_places WHERE source = ?", (source,))
    return None if row is None else Read(row["validity"], row["number"])


def put_place(tx: Transaction, source: str, read: Read) -> None:
    """Note how far a source was read."""
    tx.execute(
        "INSERT INTO letter_places (source, validity, number) VALUES (?, ?, ?)"
        " ON CONFLICT (source) DO UPDATE SET validity = excluded.validity, number = excluded.number",
        (source, read.validity, read.number),
    )


def thread(tx: Transaction, reference: str) -> ThreadRow | None:
    """Return the ticket of a reference, if we know one."""
    row = tx.row(f"{_THREADS} WHERE reference = ?", (reference,))
    return None if row is None else _thread(row)


def thread_of(tx: Transaction, identity: str) -> ThreadRow | None:
    """Return the ticket that a letter opened, if we know it."""
    row = tx.row(f"{_THREADS} WHERE identity = ?", (identity,))
    return None if row is None else _thread(row)


def threads(tx: Transaction, since: datetime) -> tuple[ThreadRow, ...]:
    """Return every ticket whose opening went out and that changed at `since` or later, by reference."""
    rows = tx.rows(
        f"{_THREADS} WHERE changed_ms >= ? AND letters <> '[]' ORDER BY reference", (milliseconds(since),)
    )
    return tuple(map(_thread, rows))


def put_thread(tx: Transaction, row: ThreadRow) -> None:
    """Let a ticket be as it is described now."""
    tx.execute(
        "INSERT INTO letter_threads (reference, identity, tag, subject, department, priority, status, opened_ms, changed_ms,"
        " answered_ms, closed_ms, letters) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reference) DO UPDATE SET"
        " identity = excluded.identity, tag = excluded.tag, subject = excluded.subject, department = excluded.department,"
        " priority = excluded.priority, status = excluded.status, opened_ms = excluded.opened_ms, changed_ms = excluded.changed_ms,"
        " answered_ms = excluded.answered_ms, closed_ms = excluded.closed_ms, letters = excluded.letters",
        (
            row.reference,
            row.identity,
            row.tag,
            row.subject,
            row.department,
            row.priority,
            row.status,
            milliseconds(row.opened_at),
            milliseconds(row.changed_at),
            ms_of(row.answered_at),
            ms_of(row.closed_at),
            json.dumps(row.letters),
        ),
    )


def add_word(tx: Transaction, row: WordRow) -> bool:
    """Keep what a person wrote; False if that letter was read before."""
    added = tx.execute(
        "INSERT INTO letter_words (identity, reference, author, body, at_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (identity) DO NOTHING",
        (row.identity, row.reference, row.author, row.body, milliseconds(row.at)),
    )
    return added == 1


def words(tx: Transaction, reference: str) -> tuple[WordRow, ...]:
    """Return what people wrote on a ticket, oldest first."""
    rows = tx.rows(
        "SELECT identity, reference, author, body, at_ms FROM letter_words WHERE reference = ? ORDER BY at_ms, identity",
        (reference,),
    )
    return tuple(
        WordRow(
            identity=row["identity"],
            reference=row["reference"],
            author=row["author"],
            body=row["body"],
            at=instant(int(row["at_ms"])),
        )
        for row in rows
    )


def add_letter(tx: Transaction, letter: LetterRow) -> int | None:
    """Keep a letter that is to go out and return its number; None if one of this Message-ID is there already."""
    rows = tx.rows(
        "INSERT INTO letters (ticket, message, recipient, subject, body, identity, thread, automatic, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO NOTHING RETURNING id",
        (
            letter.ticket,
            letter.message,
            letter.recipient,
            letter.subject,
            letter.body,
            letter.identity,
            json.dumps(letter.thread),
            letter.automatic,
            milliseconds(letter.at),
        ),
    )
    return int(rows[0]["id"]) if rows else None


def letter(tx: Transaction, number: int) -> LetterRow | None:
    """Return a letter by its number."""
    return next(iter(_letters(tx, "WHERE id = ?", number)), None)


def letter_of_identity(tx: Transaction, identity: str) -> LetterRow | None:
    """Return the letter that went out under a Message-ID."""
    return next(iter(_letters(tx, "WHERE identity = ?", identity)), None)


def decline(tx: Transaction, identity: str, about: tuple[str, str], at: datetime, *, told: bool) -> bool:
    """Note that a letter was declined, by its sender and the reason; False if it was before. `told` says that the sender hears of it."""
    added = tx.execute(
        "INSERT INTO letters_declined (identity, sender, reason, told, at_ms) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (identity) DO NOTHING",
        (identity, *about, told, milliseconds(at)),
    )
    return added == 1


def was_told(tx: Transaction, sender: str, since: datetime) -> bool:
    """Was a sender told since a moment that his letters are declined?"""
    row = tx.row(
        "SELECT 1 FROM letters_declined WHERE sender = ? AND told AND at_ms > ? LIMIT 1",
        (sender, milliseconds(since)),
    )
    return row is not None


def receipts_since(tx: Transaction, requester: str, since: datetime) -> int:
    """Return how many requests of somebody were acknowledged since a moment."""
    row = tx.row(
        "SELECT COUNT(*) AS found FROM desk_messages JOIN desk_tickets ON desk_tickets.id = ticket"
        " WHERE requester = ? AND action = 'receipt' AND at_ms > ?",
        (requester, milliseconds(since)),
    )
    return 0 if row is None else int(row["found"])


def _letters(tx: Transaction, condition: str, value: int | str) -> tuple[LetterRow, ...]:
    rows = tx.rows(
        "SELECT id, ticket, message, recipient, subject, body, identity, thread, automatic, at_ms FROM letters "  # noqa: S608 - values are bound
        + condition,
        (value,),
    )
    return tuple(map(_letter, rows))


def _letter(row: Row) -> LetterRow:
    return LetterRow(
        id=row["id"],
        ticket=row["ticket"],
        message=row["message"],
        recipient=row["recipient"],
        subject=row["subject"],
        body=row["body"],
        identity=row["identity"],
        thread=tuple(json.loads(row["thread"])),
        automatic=bool(row["automatic"]),
        at=instant(int(row["at_ms"])),
    )


def _thread(row: Row) -> ThreadRow:
    return ThreadRow(
        reference=row["reference"],
        identity=row["identity"],
        tag=row["tag"],
        subject=row["subject"],
        department=row["department"],
        priority=row["priority"],
        status=row["status"],
        opened_at=instant(int(row["opened_ms"])),
        changed_at=instant(int(row["changed_ms"])),
        answered_at=instant(row["answered_ms"]),
        closed_at=instant(row["closed_ms"]),
        letters=tuple(json.loads(row["letters"])),
    )
