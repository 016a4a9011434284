"""What people do at the helpdesk to the tickets of what goes on: answers, notes, assignments, and that they close one too early.

It is put on record for operators, never taken for `vigia incident acknowledge`, and each thing once, whoever reads it how often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.actions.outbox import Append
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketDisputed, TicketNoted, TicketUpdated
from monitor.store import deliveries, readings
from monitor.store.database import Database, Transaction
from monitor.store.readings import TicketRow
from monitor.tickets.port import Deed, DeliveryError, Fate, Found, Helpdesk, TicketStatus, Word
from monitor.tickets.wording import printable

DISPUTED_AFTER = timedelta(minutes=15)
"""So long a ticket may be closed although what it is about goes on, before that is said there."""
# Helpdesks count requests: in a large outage each ticket is read less often.
_AT_ONCE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was read of one ticket: how it stands, None if that cannot be told, and what people did on it."""

    known: TicketRow
    status: TicketStatus | None
    answered_at: datetime | None
    words: tuple[Word, ...]


class Follower:
    """Reads the tickets of open incidents, those first that were read longest ago."""

    def __init__(self, database: Database, helpdesk: Helpdesk, append: Append, *, reopens: bool) -> None:
        """Take the parts; with `reopens` a ticket that was closed too early is opened again, else it is only told."""
        self._database = database
        self._helpdesk = helpdesk
        self._append = append
        self._reopens = reopens
        self._read_at: dict[str, datetime] = {}

    def follow(self, now: datetime) -> bool:
        """Read once, and put on record what is new; return whether anything was.

        A helpdesk that cannot be asked raises DeliveryError; what was read before it is on record.
        """
        if self._helpdesk.search_lag is None and self._helpdesk.records is None:
            return False
        with self._database.reading() as tx:
            rows = readings.followed(tx, self._helpdesk.name)
        self._read_at = {row.reference: self._read_at.get(row.reference, row.opened_at) for row in rows}
        ordered = sorted(rows, key=lambda row: self._read_at[row.reference])
        news = [self._one(row, now) for row in ordered[:_AT_ONCE]]
        return any(news)

    def _one(self, row: TicketRow, now: datetime) -> bool:
        seen = self._look(row)
        self._read_at[row.reference] = now
        with self._database.writing() as tx:
            known = readings.ticket(tx, row.reference)
            # Our own deliveries may have changed it while it was read: then it is read anew the next time.
            if known != row or _is_under_way(tx, row):
                return False
            entries = [*self._noted(tx, seen, now), *_turned(seen, now), *self._disputed(seen, now)]
            self._append(tx, entries)
        return bool(entries)

    def _look(self, row: TicketRow) -> _Seen:
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
        return _Seen(known=row, status=_status(mine, words), answered_at=_answered(mine, words), words=words)

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
        closed = known.status == TicketStatus.CLOSED and seen.status in (None, TicketStatus.CLOSED)
        if not closed or known.disputed_at is not None or known.closed_at is None:
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


def _status(found: Found | None, words: Sequence[Word]) -> TicketStatus | None:
    """Return how a ticket stands by what was found of it, else by what people did last."""
    if found is not None:
        return found.status
    turns: dict[Deed, TicketStatus] = {
        Deed.CLOSED: TicketStatus.CLOSED,
        Deed.REOPENED: TicketStatus.OPEN,
    }
    return next((turns[word.deed] for word in reversed(words) if word.deed in turns), None)


def _answered(found: Found | None, words: Sequence[Word]) -> datetime | None:
    answers = [word.at for word in words if word.deed is Deed.ANSWER]
    if answers:
        return min(answers)
    return None if found is None else found.answered_at
