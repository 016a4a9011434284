"""Where tickets that live in letters are remembered: in our database, every call one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.post.imap import Place
from monitor.store import letters
from monitor.store.database import Database, Transaction
from monitor.store.letters import Read, ThreadRow, WordRow
from monitor.tickets.letterbook import Heard, Thread
from monitor.tickets.port import Deed, Priority, TicketStatus, Word


class StoredLetters:
    """The letter book of a helpdesk that is reached by mail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def thread(self, identity: str) -> Thread | None:
        """Return the ticket that a letter opened, None if it is not known."""
        with self._database.reading() as tx:
            row = letters.thread_of(tx, identity)
        return None if row is None else _thread(row)

    def known(self, reference: str) -> bool:
        """Is a ticket of this reference known?"""
        with self._database.reading() as tx:
            return letters.thread(tx, reference) is not None

    def threads(self, since: datetime) -> tuple[Thread, ...]:
        """Return every ticket whose opening went out and that changed at `since` or later."""
        with self._database.reading() as tx:
            return tuple(map(_thread, letters.threads(tx, since)))

    def keep(self, thread: Thread) -> None:
        """Let a ticket be as it is described now; a tag, an answer, or a letter of ours that is known stays as long as the ticket is the same."""
        with self._database.writing() as tx:
            known = letters.thread(tx, thread.reference)
            row = _row(thread)
            if known is not None and known.identity == row.identity:
                row = _with_what_is_known(row, known)
            letters.put_thread(tx, row)

    def words(self, reference: str) -> tuple[Word, ...]:
        """Return what people wrote on a ticket, oldest first."""
        with self._database.reading() as tx:
            rows = letters.words(tx, reference)
        return tuple(
            Word(key=row.identity, deed=Deed.ANSWER, author=row.author, at=row.at, body=row.body)
            for row in rows
        )

    def place(self, mailbox: str) -> Place | None:
        """Return how far a mailbox was read."""
        with self._database.reading() as tx:
            read = letters.place(tx, mailbox)
        return None if read is None else Place(read.validity, read.number)

    def hear(self, mailbox: str, place: Place, heard: Heard | None) -> None:
        """Note that a letter was read, and what it told."""
        with self._database.writing() as tx:
            letters.put_place(tx, mailbox, Read(place.validity, place.uid))
            if heard is not None:
                _take_in(tx, heard)


def _take_in(tx: Transaction, heard: Heard) -> None:
    known = letters.thread(tx, heard.reference)
    if known is None:
        return
    after = replace(known, tag=known.tag or heard.tag)
    word = heard.word
    if word is not None and letters.add_word(
        tx,
        WordRow(identity=word.key, reference=heard.reference, author=word.author, body=word.body, at=word.at),
    ):
        after = replace(after, answered_at=after.answered_at or word.at)
    if after != known:
        letters.put_thread(tx, replace(after, status=_status(after), changed_at=heard.at))


def _with_what_is_known(row: ThreadRow, known: ThreadRow) -> ThreadRow:
    together = replace(
        row,
        tag=known.tag or row.tag,
        answered_at=known.answered_at or row.answered_at,
        letters=tuple(dict.fromkeys((*known.letters, *row.letters))),
    )
    return replace(together, status=_status(together))


def _status(row: ThreadRow) -> str:
    if row.closed_at is not None:
        return TicketStatus.CLOSED.value
    return (TicketStatus.OPEN if row.answered_at is None else TicketStatus.ANSWERED).value


def _row(thread: Thread) -> ThreadRow:
    return ThreadRow(
        reference=thread.reference,
        identity=thread.identity,
        tag=thread.tag,
        subject=thread.subject,
        department=thread.department,
        priority=thread.priority.value,
        status=thread.status.value,
        opened_at=thread.opened_at,
        changed_at=thread.changed_at,
        answered_at=thread.answered_at,
        closed_at=thread.closed_at,
        letters=thread.letters,
    )


def _thread(row: ThreadRow) -> Thread:
    return Thread(
        reference=row.reference,
        identity=row.identity,
        tag=row.tag,
        subject=row.subject,
        department=row.department,
        priority=Priority(row.priority),
        status=TicketStatus(row.status),
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        answered_at=row.answered_at,
        closed_at=row.closed_at,
        letters=row.letters,
    )
