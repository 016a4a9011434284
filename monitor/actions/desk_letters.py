"""What the built-in desk writes to requesters: put down whole as a letter, queued, and carried to a mail server.

Once a letter is put down nothing of it changes any more, its Message-ID included: where nobody knows whether it arrived, the same
one goes again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from monitor.actions.desk_deeds import language_of
from monitor.actions.outbox import Outbox, guarded, parcel_of
from monitor.actions.people import OURSELVES
from monitor.errors import NotFoundError
from monitor.fleet import Fleet
from monitor.identifiers import IncidentId
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.language import text
from monitor.post.composing import Letter, compose, one_line
from monitor.post.port import PostError, plain_address
from monitor.post.reading import Received
from monitor.post.smtp import Envelope, send
from monitor.store import deliveries, desk, letters, readings
from monitor.store.database import Database, Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.store.desk_values import DeskMessage, DeskTicket, NewMessage, Side
from monitor.store.letters import LetterRow, Read
from monitor.support.answers import average_line
from monitor.tickets import delivery
from monitor.tickets.delivery import BLIND
from monitor.tickets.desk_mail import DeskMailOptions
from monitor.tickets.port import DeliveryError, Fate

_LOG = logging.getLogger(__name__)
_SOURCE = "desk:words"
_AT_ONCE = 50
_LONGEST_THREAD = 50
LETTER = "letter"
_NUMBER = re.compile(r"\[#([1-9][0-9]{0,17})\]")


def begin(tx: Transaction) -> Read:
    """Return up to which word requesters have been written to; what was said before mail was set up is mailed to nobody."""
    read = letters.place(tx, _SOURCE)
    if read is None:
        read = Read(0, desk.last_message(tx))
        letters.put_place(tx, _SOURCE, read)
    return read


def number_in(subject: str) -> int | None:
    """Return the number of the ticket that a subject names."""
    found = _NUMBER.search(subject)
    return int(found[1]) if found else None


class LetterWriter:
    """Puts down as letters what was said to requesters since the last time."""

    def __init__(self, database: Database, sender: str) -> None:
        self._database = database
        self._domain = sender.rpartition("@")[2]

    def write(self, now: datetime) -> bool:
        """Put down and queue what is new, in one transaction; True if there was anything."""
        with self._database.reading() as tx:
            read = letters.place(tx, _SOURCE)
            if read is not None and not desk.words_for_requesters(tx, read.number, 1):
                return False
        with self._database.writing() as tx:
            words = desk.words_for_requesters(tx, begin(tx).number, _AT_ONCE)
            for word in words:
                self._put_down(tx, word, now)
                letters.put_place(tx, _SOURCE, Read(0, word.id))
        return bool(words)

    def _put_down(self, tx: Transaction, word: DeskMessage, now: datetime) -> None:
        ticket = desk.show(tx, word.ticket)
        installation = readings.installation(tx, "id") or "vigia"
        for place, recipient in enumerate(desk.readers(tx, ticket.id), 1):
            identity = f"<{installation}-desk-{ticket.id}-{word.id}-{place}@{self._domain}>"
            letter = LetterRow(
                ticket=ticket.id,
                message=word.id,
                recipient=recipient,
                subject=f"[#{ticket.id}] {one_line(ticket.subject)}",
                body=_body(tx, ticket, word, recipient),
                identity=identity,
                thread=_thread(tx, ticket.id, word),
                automatic=word.side is Side.US,
                at=now,
            )
            _queue(tx, letter, f"desk-{ticket.id}")


def refuse(tx: Transaction, letter: Received, sender: str, at: datetime) -> None:
    """Put down a polite word to somebody whose letter was declined."""
    language = language_of(tx, "")
    refusal = LetterRow(
        recipient=letter.sender,
        subject=text("desk.mail.refused.subject", language, subject=letter.subject),
        body=text("desk.mail.refused", language, address=letter.sender),
        identity=f"<refusal-{_digest(letter.identity)}@{sender.rpartition('@')[2]}>",
        thread=(letter.identity,),
        automatic=True,
        at=at,
    )
    _queue(tx, refusal, f"declined-{letter.sender}")


class LetterCourier:
    """Carries one letter at a time to the mail server."""

    def __init__(
        self, outbox: Outbox, mail: DeskMailOptions, on_result: Callable[[str], None] = lambda _result: None
    ) -> None:
        self._outbox = outbox
        self._mail = mail
        self._on_result = on_result

    def carry(self, claimed: DeliveryRow) -> None:
        """Send it once more under the same name."""
        letter, fleet = self._outbox.read(lambda tx: (letters.letter(tx, claimed.entry), readings.fleet(tx)))
        if letter is None:
            raise NotFoundError(f"there is no letter {claimed.entry}")
        sending, attempt = self._outbox.begin(claimed)
        try:
            guarded(lambda: self._send(letter, fleet))
        except DeliveryError as error:
            self._failed(sending, letter, error, attempt)
            return
        self._outbox.checkpoint("answered")
        self._outbox.finish(sending, delivery.after_success(parcel_of(sending)), (attempt, "done", ""))

    def _send(self, letter: LetterRow, fleet: Fleet | None) -> None:
        try:
            recipient = plain_address(letter.recipient)
            raw = compose(
                _composed(letter, self._mail.sender, recipient, "" if fleet is None else fleet.site.name)
            )
        except ValueError as error:
            raise DeliveryError(Fate.REFUSED, "no letter can be written to this address") from error
        # What a machine wrote asks for no report: those would be answered by nobody.
        sender = "" if letter.automatic and letter.ticket is None else self._mail.sender
        try:
            send(self._mail.smtp, Envelope(sender=sender, recipient=recipient, letter=raw))
        except PostError as error:
            raise DeliveryError(Fate(error.outcome), error.detail) from error

    def _failed(self, row: DeliveryRow, letter: LetterRow, error: DeliveryError, attempt: int) -> None:
        now = self._outbox.clock.now()
        after = delivery.after_error(parcel_of(row), BLIND, error, now=now, chance=self._outbox.chance())

        def note(tx: Transaction) -> None:
            if after.state is DeliveryState.REJECTED and letter.ticket is not None:
                _note_rejection(tx, letter.ticket, letter, error.detail, now)

        self._outbox.finish(row, after, (attempt, error.fate, error.detail), note)
        _LOG.warning("letter %d was not sent: %s", letter.id, error.detail)


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _note_rejection(tx: Transaction, ticket: int, letter: LetterRow, detail: str, now: datetime) -> None:
    """Let the department know on the ticket that its words reached nobody."""
    body = text("desk.mail.rejected", language_of(tx, ""), address=letter.recipient, reason=detail)
    note = NewMessage(
        author=OURSELVES,
        side=Side.US,
        body=body,
        at=now,
        action="rejected",
        internal=True,
        key=f"letter-{letter.id}-rejected",
    )
    desk.say(tx, ticket, note)


def _queue(tx: Transaction, letter: LetterRow, queue: str) -> None:
    number = letters.add_letter(tx, letter)
    if number is None:
        return
    if letter.message is not None:
        desk.name_message(tx, letter.message, letter.identity)
    asked = Delivery(channel=Channel.MAIL, incident=IncidentId(queue), action=LETTER)
    deliveries.queue_later(tx, asked, entry=number, due=letter.at)


def _body(tx: Transaction, ticket: DeskTicket, word: DeskMessage, recipient: str) -> str:
    """Return the words with the department's average at their head, as customers are promised."""
    language = language_of(tx, recipient)
    head = _average(tx, ticket.department, language)
    foot = text("desk.mail.foot", language, ticket=ticket.id)
    return "\n\n".join(part for part in (head, word.body, foot) if part)


def _average(tx: Transaction, department: str, language: str) -> str:
    fleet = readings.fleet(tx)
    names = {} if fleet is None else {each.id: each.name for each in fleet.departments}
    named = names.get(department, {})
    name = named.get(language) or next(iter(named.values()), department)
    times = (each for each in readings.answer_times(tx) if each.department == department)
    return next((average_line(name, each, language) for each in times), "")


def _thread(tx: Transaction, ticket: int, word: DeskMessage) -> tuple[str, ...]:
    """Return the letters of a ticket before this one, those of the requester among them and no notes, oldest first."""
    before = (each for each in desk.messages(tx, ticket) if each.id < word.id and not each.internal)
    said = [each.message_id for each in before if each.message_id]
    return tuple(said[-_LONGEST_THREAD:])


def _composed(letter: LetterRow, sender: str, recipient: str, name: str) -> Letter:
    known = tuple(each for each in letter.thread if each.isascii() and each.isprintable())
    composed = Letter(
        sender=sender,
        recipient=recipient,
        name=name,
        subject=letter.subject,
        body=letter.body,
        identity=letter.identity,
        at=letter.at,
        references=known,
        automatic=letter.automatic,
    )
    return replace(composed, in_reply_to=known[-1]) if known else composed
