"""What is remembered of tickets that live in letters: the book, its threads, and the names that letters have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.post.imap import Place
from monitor.tickets.port import Priority, TicketStatus, Word

_REFERENCE = r"VG-[A-Z0-9]{8}-[0-9A-HJKMNP-TV-Z]{26}"
_IDENTITY = re.compile(rf"<({_REFERENCE})-[a-z]+-[A-Za-z0-9_-]+@[^<>\s]+>")
_NAMED = re.compile(rf"\b{_REFERENCE}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One ticket as we know it: the Message-ID that opened it, and the tag that the helpdesk puts into its subjects, if it does.

    `letters` are the Message-IDs of what surely went out about it, oldest first: none before its opening did, at `opened_at`.
    """

    reference: str
    identity: str
    subject: str
    department: str
    priority: Priority
    status: TicketStatus
    opened_at: datetime
    changed_at: datetime
    tag: str = ""
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    letters: tuple[str, ...] = ()

    def before(self, identity: str) -> tuple[str, ...]:
        """Return which letters of ours went before one about this ticket, oldest first."""
        if identity == self.identity:
            return ()
        sent = self.letters or (self.identity,)
        return sent[: sent.index(identity)] if identity in sent else sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one letter told of a ticket: its tag, and the word of a person if one wrote it."""

    reference: str
    tag: str
    at: datetime
    word: Word | None


class LetterBook(Protocol):
    """Where tickets that live in letters are remembered; every call is one transaction of its own."""

    def thread(self, identity: str) -> Thread | None:
        """Return the ticket that a letter opened, None if it is not known."""

    def known(self, reference: str) -> bool:
        """Is a ticket of this reference known?"""

    def threads(self, since: datetime) -> tuple[Thread, ...]:
        """Return every ticket whose opening went out and that changed at `since` or later."""

    def keep(self, thread: Thread) -> None:
        """Let a ticket be as it is described now; a tag, an answer, or a letter of ours that is known stays as long as the ticket is the same."""

    def words(self, reference: str) -> tuple[Word, ...]:
        """Return what people wrote on a ticket, oldest first."""

    def place(self, mailbox: str) -> Place | None:
        """Return how far a mailbox was read."""

    def hear(self, mailbox: str, place: Place, heard: Heard | None) -> None:
        """Note that a letter was read, and what it told."""


def identity_of(key: str, domain: str) -> str:
    """Return the Message-ID of an action, the same for every attempt at it."""
    return f"<{key}@{domain}>"


def reference_in(identity: str) -> str:
    """Return the reference that a Message-ID of ours is about, empty for any other."""
    found = _IDENTITY.fullmatch(identity)
    return found[1] if found else ""


def references_named(words: str) -> tuple[str, ...]:
    """Return every reference that stands in a subject, in its order."""
    return tuple(dict.fromkeys(_NAMED.findall(words)))
