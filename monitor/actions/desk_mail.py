"""Take letters in at the built-in desk: each becomes a ticket, a word on one, or nothing, and once only.

A letter belongs to a ticket if it answers one of its letters or names its number, and if its sender is one of those who read
that ticket: numbers can be guessed. Machines are not answered, and open nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from monitor.actions import desk_letters
from monitor.actions.desk_asking import (
    Asked,
    Said,
    ask,
    asked_before,
    belong,
    fault_of,
    hear,
    ticket_about,
)
from monitor.actions.desk_deeds import language_of
from monitor.actions.people import OURSELVES
from monitor.errors import RefusedError, StoreError
from monitor.fleet import Fleet
from monitor.incidents.incident import Incident
from monitor.language import text
from monitor.post.imap import Place, opened
from monitor.post.quoting import new_words
from monitor.post.reading import Received, read
from monitor.store import desk, letters, readings
from monitor.store.database import Database, Transaction
from monitor.store.desk_requesters import requester_of
from monitor.store.desk_values import DeskTicket, NewMessage, Side
from monitor.store.letters import Read
from monitor.tickets.desk_mail import DeskMailOptions

_LOG = logging.getLogger(__name__)
_AT_ONCE = 50
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
# Two machines that answer each other without saying what they are come to an end by this.
_MOST_ANSWERS = 10


class Fate(StrEnum):
    """What became of a letter."""

    OPENED = "opened"
    ADDED = "added"
    KNOWN = "known"
    BOUNCED = "bounced"
    DECLINED = "declined"
    PASSED_OVER = "passed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """A letter's fate, the ticket that it went to, and why it was declined or passed over."""

    fate: Fate
    ticket: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms letters are taken in: the options of mail, how long a closed ticket opens again, and the department of letters to no other."""

    mail: DeskMailOptions
    reopen_within: timedelta
    department: str


class DeskMail:
    """Takes letters into the desk's tables; every letter is one transaction together with how far its mailbox was read."""

    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self._terms = terms
        self._handled: list[Place] = []

    def fetch(self, now: datetime) -> bool:
        """Read what came into the mailbox; True if anything did. A mailbox that cannot be read raises PostError."""
        imap = self._terms.mail.imap
        if imap is None:
            return False
        source = f"desk:{imap.user}@{imap.host}:{imap.port}/{imap.mailbox}"
        with self._database.reading() as tx:
            known = letters.place(tx, source)
        with opened(imap) as mailbox:
            if known is None:
                # What lay there before is no request to us, and nobody expects to hear of it now.
                self._begin(source, mailbox.end())
                return False
            since, news = Place(known.validity, known.number), False
            for arrived in mailbox.new(since, _AT_ONCE):
                if self._is_received(arrived.raw, now, (source, arrived.place)):
                    self._handled.append(arrived.place)
                    news = True
            mailbox.settle(self._handled)
        return news

    def _begin(self, source: str, end: Place) -> None:
        with self._database.writing() as tx:
            letters.put_place(tx, source, Read(end.validity, end.uid))

    def receive(self, raw: bytes, now: datetime) -> TakenIn:
        """Take one letter in, as a mail server hands it over."""
        with self._database.writing() as tx:
            return take_in(tx, read(raw), self._terms, now)

    def _is_received(self, raw: bytes, now: datetime, at: tuple[str, Place]) -> bool:
        """Take one in, or leave it in the mailbox as it lies: one that trips the program must not hold back the others."""
        source, place = at
        here = Read(place.validity, place.uid)
        try:
            with self._database.writing() as tx:
                letters.put_place(tx, source, here)
                take_in(tx, read(raw), self._terms, now)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("letter %d of the desk's mailbox was not understood and is left there", place.uid)
            with self._database.writing() as tx:
                letters.put_place(tx, source, here)
            return False
        return True


def take_in(tx: Transaction, letter: Received, terms: Terms, at: datetime) -> TakenIn:
    """Let a letter become what it is; the same one again changes nothing."""
    desk_letters.begin(tx)
    if (known := desk.find_message(tx, letter.identity)) is not None:
        return TakenIn(fate=Fate.KNOWN, ticket=desk.kept(tx, known.ticket).id)
    if letter.automatic:
        return _from_a_machine(tx, letter, at)
    ticket = _ticket_of(tx, letter)
    fleet = readings.fleet(tx)
    if letter.sender in _own(terms, fleet):
        return _declined(tx, letter, at, (Fate.PASSED_OVER, "it comes from our own address"))
    if not _may_write(tx, letter.sender, ticket, terms):
        return _refused(tx, letter, terms, at)
    try:
        if ticket is not None and letter.sender in desk.readers(tx, ticket.id):
            words = new_words(letter.body).strip() or letter.body
            return _add(tx, letter, ticket, words, (terms, at))
        return _ask(tx, letter, terms, at)
    except RefusedError as error:
        _LOG.warning("the letter %s was declined: %s", letter.identity, error)
        return _declined(tx, letter, at, (Fate.DECLINED, str(error)))


class _Named(Protocol):
    @property
    def ticket(self) -> int | None: ...


def _ticket_of(tx: Transaction, letter: Received) -> DeskTicket | None:
    """Return the ticket that a letter answers, by the letters before it, then by the number in its subject."""
    for identity in letter.thread:
        found: _Named | None = desk.find_message(tx, identity) or letters.letter_of_identity(tx, identity)
        if found is not None and found.ticket is not None:
            return desk.kept(tx, found.ticket)
    number = desk_letters.number_in(letter.subject)
    return None if number is None or not desk.exists(tx, number) else desk.kept(tx, number)


def _from_a_machine(tx: Transaction, letter: Received, at: datetime) -> TakenIn:
    """Note on its ticket that a letter of ours did not arrive. Only one of ours can tell which that is: anybody can write a number."""
    identities = (*letter.returned, *letter.thread) if letter.undelivered else ()
    lost = (letters.letter_of_identity(tx, identity) for identity in identities)
    ticket = next((each.ticket for each in lost if each is not None and each.ticket is not None), None)
    if ticket is None:
        return _declined(tx, letter, at, (Fate.PASSED_OVER, "a machine wrote it"))
    body = text("desk.mail.bounced", language_of(tx, ""), subject=letter.subject, words=letter.body[:500])
    note = NewMessage(
        author=OURSELVES,
        side=Side.US,
        body=body,
        at=at,
        action="bounce",
        internal=True,
        whole=letter.body,
        message_id=letter.identity,
    )
    kept = desk.kept(tx, ticket)
    desk.say(tx, kept.id, note)
    return TakenIn(fate=Fate.BOUNCED, ticket=kept.id)


def _add(
    tx: Transaction, letter: Received, ticket: DeskTicket, words: str, on: tuple[Terms, datetime]
) -> TakenIn:
    terms, at = on
    said = Said(
        requester=letter.sender,
        body=_shown(tx, letter, words),
        channel="mail",
        whole=letter.body,
        message_id=letter.identity,
    )
    after = hear(tx, ticket.id, said, at, terms.reopen_within)
    if after.id != ticket.id:
        _acknowledge(tx, after, None, at)
    return TakenIn(fate=Fate.ADDED if after.id == ticket.id else Fate.OPENED, ticket=after.id)


def _ask(tx: Transaction, letter: Received, terms: Terms, at: datetime) -> TakenIn:
    """Open a ticket, or add to the one that is there. The letter answers none of ours: what it quotes may be what it is about."""
    subject = letter.subject or text("desk.mail.no_subject", language_of(tx, letter.sender))
    department = _department(letter, readings.fleet(tx), terms)
    before = asked_before(tx, letter.sender, (letter.subject, department), at - _DAY)
    if before is not None:
        return _add(tx, letter, before, letter.body, (terms, at))
    fault = fault_of(tx, letter.sender, subject, letter.body)
    known = None if fault is None else ticket_about(tx, letter.sender, fault, department)
    if fault is not None and known is not None:
        taken = _add(tx, letter, known, f"{letter.subject}\n\n{letter.body}", (terms, at))
        _offer(tx, known, fault, letter, at)
        return taken
    asked = Asked(
        requester=letter.sender,
        subject=subject,
        body=_shown(tx, letter, letter.body),
        department=department,
        channel="mail",
        whole=letter.body,
        message_id=letter.identity,
    )
    opened_ticket = ask(tx, asked, at)
    if fault is not None:
        belong(tx, opened_ticket.id, fault, at)
    _acknowledge(tx, opened_ticket, fault, at)
    return TakenIn(fate=Fate.OPENED, ticket=opened_ticket.id)


def _acknowledge(tx: Transaction, ticket: DeskTicket, fault: Incident | None, at: datetime) -> None:
    """Say that a request has its number and, where it is about a known fault, where that can be followed."""
    if letters.receipts_since(tx, ticket.requester, at - _HOUR) >= _MOST_ANSWERS:
        return
    language = language_of(tx, ticket.requester)
    body = text("desk.mail.received", language, ticket=ticket.id)
    if fault is not None:
        body = f"{body}\n\n{text('desk.mail.received.fault', language, **_named(tx, fault, language))}"
    word = NewMessage(
        author=OURSELVES, side=Side.US, body=body, at=at, action="receipt", key=f"desk-{ticket.id}-receipt"
    )
    desk.say(tx, ticket.id, word)


def _offer(tx: Transaction, ticket: DeskTicket, fault: Incident, letter: Received, at: datetime) -> None:
    """Lead whoever writes once more about a known fault to its incident, and to the ticket that has it, unless others would read that."""
    if desk.readers(tx, ticket.id) != (ticket.requester,):
        return
    if letters.receipts_since(tx, ticket.requester, at - _HOUR) >= _MOST_ANSWERS:
        return
    language = language_of(tx, ticket.requester)
    body = text("desk.mail.received.again", language, ticket=ticket.id, **_named(tx, fault, language))
    key = f"desk-{ticket.id}-again-{letter.identity}"
    desk.say(
        tx, ticket.id, NewMessage(author=OURSELVES, side=Side.US, body=body, at=at, action="receipt", key=key)
    )


def _named(tx: Transaction, fault: Incident, language: str) -> dict[str, str]:
    fleet = readings.fleet(tx)
    root = "" if fleet is None else fleet.site.url.rstrip("/")
    title = fault.title.get(language) or next(iter(fault.title.values()))
    return {"title": title, "url": f"{root}/incidents/{fault.id}"}


def _refused(tx: Transaction, letter: Received, terms: Terms, at: datetime) -> TakenIn:
    """Decline a letter politely, and tell its sender so once a day."""
    reason = f"{letter.sender} is not registered"
    told = not letters.was_told(tx, letter.sender, at - _DAY)
    if letters.decline(tx, letter.identity, (letter.sender, reason), at, told=told) and told:
        desk_letters.refuse(tx, letter, terms.mail.sender, at)
    return TakenIn(fate=Fate.DECLINED, reason=reason)


def _declined(tx: Transaction, letter: Received, at: datetime, why: tuple[Fate, str]) -> TakenIn:
    letters.decline(tx, letter.identity, (letter.sender, why[1]), at, told=False)
    return TakenIn(fate=why[0], reason=why[1])


def _shown(tx: Transaction, letter: Received, words: str) -> str:
    """Return the words of a letter, or that it has none, and what hangs on it by name: nothing else of it is kept.

    Where only its beginning was read, words may stand behind that.
    """
    language = language_of(tx, "")
    hanging = [
        text("desk.mail.attached", language, name=each.name or each.kind, kind=each.kind, size=each.size)
        for each in letter.attachments
    ]
    told = words.strip()
    if letter.cut:
        hanging.append(text("desk.mail.cut", language))
    elif not told:
        told = text("desk.mail.no_words", language)
    return "\n\n".join(part for part in (told, "\n".join(hanging)) if part)


def _may_write(tx: Transaction, sender: str, ticket: DeskTicket | None, terms: Terms) -> bool:
    """Is a sender heard? Who was disabled is not, whatever he has; who is unknown may go on where a ticket is his."""
    known = requester_of(tx, sender)
    if known is not None:
        return known.disabled_at is None
    is_his = ticket is not None and sender in desk.readers(tx, ticket.id)
    return is_his or not terms.mail.registered_only


def _department(letter: Received, fleet: Fleet | None, terms: Terms) -> str:
    """Return whom a letter was written to, by the departments' addresses."""
    departments = () if fleet is None else fleet.departments
    written = {each.email.lower(): each.id for each in departments if each.email}
    return next((written[to] for to in letter.recipients if to in written), terms.department)


def _own(terms: Terms, fleet: Fleet | None) -> frozenset[str]:
    departments = () if fleet is None else fleet.departments
    return frozenset({terms.mail.sender.lower(), *(each.email.lower() for each in departments if each.email)})
