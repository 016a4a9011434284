"""Read in a mailbox what a helpdesk answers to our letters: the tag of a ticket, and what people write on it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from monitor.checks.options.patterns import group_in
from monitor.post.imap import Place, opened
from monitor.post.port import ImapOptions, PostError
from monitor.post.quoting import new_words
from monitor.post.reading import Received, read
from monitor.tickets.letterbook import Heard, LetterBook, reference_in, references_named
from monitor.tickets.port import WORD_LIMIT, Case, Deed, DeliveryError, Fate, Word

_AT_ONCE = 50
_FRESH = timedelta(seconds=30)
_JUST_NOW = timedelta(seconds=2)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
# As the usual helpdesks tag their subjects: [name #12], [#12], [Ticket ID: 12], [Ticket#12], (Ticket#12).
_TAG = re.compile(
    r"\[[^\[\]#]{1,40} #[0-9]{1,12}\]|\[#[A-Za-z0-9-]{1,20}\]|\[Ticket ID: [^\[\]]{1,20}\]|[\[(]Ticket#[0-9]{1,20}[\])]"
)
_LONGEST_TAG = 60


class Answers:
    """The records of a helpdesk that is reached by mail: only tickets of ours, only answers, as far as they reach the mailbox."""

    def __init__(
        self,
        options: ImapOptions,
        book: LetterBook,
        now: Callable[[], datetime],
        tag: Callable[[str], str],
    ) -> None:
        self._options = options
        self._book = book
        self._now = now
        self._tag = tag
        self._source = f"{options.user}@{options.host}:{options.port}/{options.mailbox}"
        self._read_at: datetime | None = None
        self._failed_at: datetime | None = None
        self._handled: list[Place] = []
        self._visiting = threading.Lock()

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket of ours that changed at `since` or later."""
        self._visit()
        return tuple(
            Case(
                ticket=each.identity,
                url="",
                department=each.department,
                subject=each.subject,
                requester="",
                priority=each.priority,
                status=each.status,
                opened_at=each.opened_at,
                answered_at=each.answered_at,
                closed_at=each.closed_at,
                reference=each.reference,
            )
            for each in self._book.threads(since)
        )

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people wrote on one ticket, oldest first."""
        thread = self._book.thread(ticket)
        if thread is None:
            raise DeliveryError(Fate.MISSING, "no letter of ours opened this ticket")
        self._visit()
        return self._book.words(thread.reference)

    def catch_up(self) -> None:
        """Read what is there now, if it can be read: a mailbox that was away a moment ago is not asked again yet."""
        if not self._is_within(_FRESH, self._failed_at):
            with suppress(DeliveryError):
                self._visit(_JUST_NOW)

    def _visit(self, fresh: timedelta = _FRESH) -> None:
        """Read what came since the last visit; one of a moment ago is enough for all tickets."""
        with self._visiting:
            now = self._now()
            if self._is_within(fresh, self._read_at):
                return
            try:
                while self._read_some(now) == _AT_ONCE:
                    pass
            except PostError as error:
                self._failed_at = now
                raise DeliveryError(Fate.NOT_SENT, error.detail) from error
            self._read_at = now

    def _is_within(self, time: timedelta, moment: datetime | None) -> bool:
        return moment is not None and timedelta(0) <= self._now() - moment < time

    def _read_some(self, now: datetime) -> int:
        since = self._book.place(self._source) or self._first_day()
        if since is None:
            return 0
        count = 0
        with opened(self._options) as mailbox:
            for arrived in mailbox.new(since, _AT_ONCE):
                heard = self._heard(read(arrived.raw), now)
                self._book.hear(self._source, arrived.place, heard)
                count += 1
                if heard is not None:
                    self._handled.append(arrived.place)
            # What is somebody else's stays as it lies.
            mailbox.settle(self._handled)
        return count

    def _first_day(self) -> date | None:
        """Return the day before our first letter: what came earlier answers none; None as long as we wrote none."""
        opened_at = min((each.opened_at for each in self._book.threads(_EVER)), default=None)
        return None if opened_at is None else (opened_at - timedelta(days=1)).date()

    def _heard(self, letter: Received, now: datetime) -> Heard | None:
        named = (
            *(reference_in(identity) for identity in letter.thread),
            *references_named(letter.subject),
        )
        reference = next((each for each in named if each and self._book.known(each)), None)
        if reference is None or letter.bounce or reference_in(letter.identity):
            return None
        return Heard(reference=reference, tag=self._tag(letter.subject), at=now, word=_word(letter, now))


def tag_in(subject: str, pattern: str | None = None) -> str:
    """Return the tag in a subject: by the configured pattern if there is one, else as the usual helpdesks write it."""
    if pattern is not None:
        return (group_in(pattern, subject) or "")[:_LONGEST_TAG]
    found = _TAG.search(subject)
    return found[0] if found else ""


def _word(letter: Received, now: datetime) -> Word | None:
    """An acknowledgement is no answer: only what a person wrote is."""
    if letter.by_machine:
        return None
    said = new_words(letter.body)[:WORD_LIMIT]
    return Word(key=letter.identity, deed=Deed.ANSWER, author=letter.name or letter.sender, at=now, body=said)
