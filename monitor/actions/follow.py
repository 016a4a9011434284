"""What people do at the helpdesk to the tickets of what goes on or just ended: answers, notes, assignments, closing one too early.

It is put on record for operators, never taken for `vigia incident acknowledge`, and each thing once, whoever reads it how often.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from monitor.actions.outbox import Append
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketDisputed, TicketNoted, TicketUpdated
from monitor.store import deliveries, readings
from monitor.store.database import Database, Transaction
from monitor.store.readings import TicketRow
from monitor.tickets.port import Deed, DeliveryError, Fate, Found, Helpdesk, TicketStatus, Word
from monitor.tickets.wording import printable

_LOG = logging.getLogger(__name__)

DISPUTED_AFTER = timedelta(minutes=15)
"""So long a ticket may be closed although what it is about goes on, before that is said there."""
FOLLOWED_FOR = timedelta(hours=24)
"""So long after its end the ticket of an incident is still read, for what people write then."""
_UNREADABLE = 3
"""Where so many tickets of one round cannot be read, it is the helpdesk and not the tickets."""


_TURNS: Mapping[Deed, TicketStatus] = {
    Deed.CLOSED: TicketStatus.CLOSED,
    Deed.REOPENED: TicketStatus.OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was read of one ticket: how it stands, None if that cannot be told, and what people did on it."""

    known: TicketRow
    goes_on: bool
    status: TicketStatus | None
    answered_at: datetime | None
    words: tuple[Word, ...]


class _Rounds:
    """Which tickets have their turn: each once in `every`, at most `at_once` of them, those first that were read longest ago.

    Helpdesks count requests: of many tickets each is read less often.
    """

    def __init__(self, every: timedelta, at_once: int) -> None:
        self._every = every
        self._at_once = at_once
        self._read_at: dict[str, datetime] = {}

    def due(self, tx: Transaction, rows: Sequence[TicketRow], now: datetime) -> list[TicketRow]:
        """Return the tickets to be read now; what is no more among the rows is forgotten."""
        self._read_at = {
            row.reference: self._read_at[row.reference] for row in rows if row.reference in self._read_at
        }
        ordered = sorted(rows, key=lambda row: self._read_at.get(row.reference, row.opened_at))
        return list(islice((row for row in ordered if self._is_due(tx, row, now)), self._at_once))

    def note(self, row: TicketRow, now: datetime) -> None:
        """Note that a ticket was read, or could not be: its next turn comes after those of the others."""
        self._read_at[row.reference] = now

    def _is_due(self, tx: Transaction, row: TicketRow, now: datetime) -> bool:
        last = self._read_at.get(row.reference)
        # A clock that was set back makes what was read last a matter of the future.
        is_early = last is not None and timedelta(0) <= now - last < self._every
        return not is_early and not _is_under_way(tx, row)


class Follower:
    """Reads the tickets of incidents that are open every time, and of those that ended lately at once and then every five minutes."""

    def __init__(
        self,
        database: Database,
        helpdesk: Helpdesk,
        append: Append,
        *,
        reopens: bool,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the parts; with `reopens` a ticket that was closed too early is opened again, else it is only told.

        `is_over` tells, between two tickets, that no more are to be read.
        """
        self._database = database
        self._helpdesk = helpdesk
        self._append = append
        self._reopens = reopens
        self._is_over = is_over
        self._open = _Rounds(timedelta(0), at_once=60)
        self._ended = _Rounds(timedelta(minutes=5), at_once=15)
        self._unreadable: set[str] = set()

    def follow(self, now: datetime) -> bool:
        """Read once, and put on record what is new; return whether anything was.

        A ticket that cannot be read holds up no other. A helpdesk that cannot be asked, or asks for a pause, raises DeliveryError; what was
        read before it is on record.
        """
        if self._helpdesk.search_lag is None and self._helpdesk.records is None:
            return False
        with self._database.reading() as tx:
            going_on = self._open.due(tx, readings.followed(tx, self._helpdesk.name), now)
            lately = readings.followed_after(tx, self._helpdesk.name, now - FOLLOWED_FOR)
            ended = self._ended.due(tx, lately, now)
        turns = [*((row, self._open) for row in going_on), *((row, self._ended) for row in ended)]
        news: list[bool] = []
        failed = 0
        for row, rounds in turns:
            if self._is_over():
                break
            try:
                news.append(self._one(row, rounds, now))
                self._unreadable.discard(row.reference)
            except DeliveryError as error:
                rounds.note(row, now)
                failed += 1
                if error.retry_after is not None or failed == min(_UNREADABLE, len(turns)):
                    raise
                self._tell(row, error)
        return any(news)

    def _tell(self, row: TicketRow, error: DeliveryError) -> None:
        """Say once of a ticket that it cannot be read."""
        if row.reference not in self._unreadable:
            self._unreadable.add(row.reference)
            _LOG.warning("ticket %s (%s) cannot be read: %s", row.ticket, row.reference, error.detail)

    def _one(self, row: TicketRow, rounds: _Rounds, now: datetime) -> bool:
        seen = self._look(row, goes_on=rounds is self._open)
        with self._database.writing() as tx:
            known = readings.ticket(tx, row.reference)
            # Our own deliveries may have changed it while it was read: then it is read anew the next time.
            if known != row or _is_under_way(tx, row):
                return False
            rounds.note(row, now)
            entries = [*self._noted(tx, seen, now), *_turned(seen, now), *self._disputed(seen, now)]
            self._append(tx, entries)
        return bool(entries)

    def _look(self, row: TicketRow, *, goes_on: bool) -> _Seen:
        records, lag = self._helpdesk.records, self._helpdesk.search_lag
        try:
            words = () if records is None else records.words(row.ticket)
        except DeliveryError as error:
            if error.fate is not Fate.MISSING:
                raise
            # That it is gone is for who looks for lost tickets.
            words = ()
        found = () if lag is None else self._helpdesk.find(row.reference)
        mine = next((one for one in found if one.ticket == row.ticket), None)
        return _Seen(
            known=row,
            goes_on=goes_on,
            # What is over stays as our own resolution left it, whatever an index that lags behind still shows.
            status=_status(row, mine, words) if goes_on else None,
            answered_at=_answered(mine, words),
            words=words,
        )

    def _noted(self, tx: Transaction, seen: _Seen, now: datetime) -> Iterator[Entry]:
        known = {note.key for note in readings.notes(tx, seen.known.reference)}
        for word in seen.words:
            if word.key not in known:
                known.add(word.key)
                body = TicketNoted(
                    incident=seen.known.incident,
                    reference=seen.known.reference,
                    key=word.key,
                    deed=word.deed,
                    author=printable(word.author),
                    at=word.at,
                    body=printable(word.body),
                )
                yield _entry(Kind.TICKET_NOTED, seen.known, body, now, word.author)

    def _disputed(self, seen: _Seen, now: datetime) -> Iterator[Entry]:
        known = seen.known
        closed = known.status == TicketStatus.CLOSED and seen.status is TicketStatus.CLOSED
        if not seen.goes_on or not closed or known.disputed_at is not None or known.closed_at is None:
            return
        if now - known.closed_at >= DISPUTED_AFTER:
            body = TicketDisputed(incident=known.incident, reference=known.reference, reopen=self._reopens)
            yield _entry(Kind.TICKET_DISPUTED, known, body, now)


def _turned(seen: _Seen, now: datetime) -> Iterator[Entry]:
    """Yield how a ticket stands from now on, if a person has changed that."""
    known = seen.known
    status = known.status if seen.status is None else seen.status
    is_answer = seen.answered_at is not None and known.first_answer_at is None
    if status == known.status and not is_answer:
        return
    body = TicketUpdated(
        incident=known.incident,
        reference=known.reference,
        action="follow",
        priority=known.priority,
        status=status,
        answered_at=seen.answered_at,
    )
    last = seen.words[-1].author if seen.words else "helpdesk"
    yield _entry(Kind.TICKET_UPDATED, known, body, now, last)


def _entry(
    kind: Kind,
    known: TicketRow,
    body: TicketNoted | TicketUpdated | TicketDisputed,
    now: datetime,
    actor: str = "vigia",
) -> Entry:
    return Entry(kind=kind, moment=now, subject=known.incident, body=body, actor=actor or "helpdesk")


def _is_under_way(tx: Transaction, row: TicketRow) -> bool:
    """Is anything on its way to this ticket? Until it is there, how the ticket stands may be our own doing."""
    waiting = (
        each.state not in (DeliveryState.DONE, DeliveryState.REJECTED)
        for each in deliveries.of_incident(tx, row.incident, Channel.TICKET)
    )
    return any(waiting)


def _status(known: TicketRow, found: Found | None, words: Sequence[Word]) -> TicketStatus:
    """Return how a ticket stands by what was found of it, else by what people did last; one that a person answered is not just open."""
    status = TicketStatus(known.status) if found is None else found.status
    if found is None:
        turns = (_TURNS[word.deed] for word in reversed(words) if word.deed in _TURNS)
        status = next(turns, status)
    # A look-up that knows of an answer knows as well whether another one is owed.
    is_told = found is not None and found.answered_at is not None
    is_answered = any(word.deed is Deed.ANSWER for word in words)
    return TicketStatus.ANSWERED if status is TicketStatus.OPEN and is_answered and not is_told else status


def _answered(found: Found | None, words: Sequence[Word]) -> datetime | None:
    answers = [word.at for word in words if word.deed is Deed.ANSWER]
    if answers:
        return min(answers)
    return None if found is None else found.answered_at
