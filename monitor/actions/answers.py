"""Read the helpdesk's tickets, reckon how long an answer takes, and raise what nobody answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.actions.calendars import calendar_of
from monitor.actions.outbox import LatestFleet
from monitor.errors import NotFoundError
from monitor.fleet import Fleet
from monitor.identifiers import IncidentId
from monitor.journal.consequences import Channel, Delivery
from monitor.language.zones import day_of, instant_of
from monitor.store import cases, deliveries
from monitor.store.cases import CaseRow, Reads
from monitor.store.database import Database, Transaction
from monitor.support.answers import AnswerTime, Inquiry, answer_time
from monitor.support.escalation import Promise, Raise, next_raise
from monitor.support.hours import Calendar, Hours
from monitor.tickets.port import Case, Helpdesk

_OVERLAP = timedelta(minutes=15)
_NIGHT = time(3)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What one round stands on."""

    fleet: Fleet
    reads: Reads | None
    since: datetime
    whole: bool


class TicketReader:
    """Keeps our picture of everybody's tickets, and what follows from how long they wait."""

    def __init__(self, database: Database, helpdesk: Helpdesk) -> None:
        self._database = database
        self._helpdesk = helpdesk
        self._fleet = LatestFleet()

    def read(self, now: datetime) -> bool:
        """Read what has changed, all of it once a night; return whether something was queued to be sent.

        A helpdesk that cannot be asked raises DeliveryError, and everything stays as it was.
        """
        records = self._helpdesk.records
        if records is None:
            self._leave_out()
            return False
        ground = self._ground(now)
        found = [_row(self._helpdesk.name, case, now) for case in records.cases(ground.since)]
        with self._database.writing() as tx:
            cases.put(tx, found)
            if ground.whole:
                self._tidy(tx, found)
        # With many tickets this takes a while, which nobody who writes should wait for.
        with self._database.reading() as tx:
            rows = cases.counting(tx, self._helpdesk.name, now - ground.fleet.support.average_over)
            books = _Books(tx, ground.fleet)
            figures = _figures(books, rows, now)
            due = self._due(tx, books, rows, now)
        with self._database.writing() as tx:
            cases.put_answer_times(tx, figures)
            raised = [_queued(tx, row, step, now) for row, step in due]
            whole_at = now if ground.whole or ground.reads is None else ground.reads.whole_at
            cases.note_read(tx, self._helpdesk.name, Reads(read_at=now, whole_at=whole_at))
        return any(raised)

    def _leave_out(self) -> None:
        """Figures and tickets of another helpdesk are not those of this one."""
        with self._database.reading() as tx:
            known = cases.last_read(tx)
        if known:
            with self._database.writing() as tx:
                cases.put_answer_times(tx, ())
                cases.keep_only(tx, None)

    def _ground(self, now: datetime) -> _Ground:
        with self._database.reading() as tx:
            fleet = self._fleet.read(tx)
            reads = cases.reads(tx, self._helpdesk.name)
            oldest = cases.oldest_waiting(tx, self._helpdesk.name)
        night = _last_night(now, ZoneInfo(fleet.site.timezone))
        # A clock that was set back makes what was read last a matter of the future.
        whole = reads is None or reads.whole_at < night or reads.read_at > now
        if reads is not None and not whole:
            lag = self._helpdesk.search_lag or timedelta(0)
            return _Ground(fleet=fleet, reads=reads, since=reads.read_at - max(lag, _OVERLAP), whole=False)
        since = min(now - fleet.support.average_over, oldest or now)
        return _Ground(fleet=fleet, reads=reads, since=since, whole=True)

    def _tidy(self, tx: Transaction, found: Sequence[CaseRow]) -> None:
        """Drop what the helpdesk does not have any more, and what is over for so long that no figure rests on it."""
        gone = cases.tickets(tx, self._helpdesk.name) - {row.ticket for row in found}
        cases.forget(tx, self._helpdesk.name, gone)
        cases.keep_only(tx, self._helpdesk.name)

    def _due(
        self, tx: Transaction, books: _Books, rows: Sequence[CaseRow], now: datetime
    ) -> tuple[tuple[CaseRow, Raise], ...]:
        """Return the steps that are due. What was forgotten long before we saw it is left alone: nobody wants to hear of it in one night."""
        support = books.fleet.support
        promise, past = support.promise, cases.raises(tx, self._helpdesk.name)
        raised = (
            (row, next_raise(books.waited(row, now), row.priority, promise.after, past.get(row.ticket, ())))
            for row in rows
            if row.waits
            and promise.holds_for(row.department)
            and row.seen_at - row.opened_at <= support.average_over
        )
        return tuple((row, step) for row, step in raised if step is not None)


class _Books:
    """The calendars of a fleet's departments, and how long a ticket has waited by what was promised."""

    def __init__(self, tx: Transaction, fleet: Fleet) -> None:
        self.fleet = fleet
        self._tx = tx
        self._own = {each.id: each.hours for each in fleet.departments if each.hours is not None}

    def of(self, department: str) -> Calendar:
        """Return the calendar of a department; those of all for one that is not configured."""
        return calendar_of(self._tx, hours_of(self.fleet, department), self.fleet.site.timezone)

    def waited(self, row: CaseRow, now: datetime) -> timedelta:
        """Return how long a ticket has waited by what its promise counts."""
        if self.fleet.support.promise.in_service:
            return self.of(row.department).worked(row.opened_at, now)
        return now - row.opened_at


def waits_of(tx: Transaction, fleet: Fleet, now: datetime) -> tuple[tuple[CaseRow, timedelta], ...]:
    """Return every ticket that waits for an answer, the oldest first, each with how long by what its promise counts."""
    books = _Books(tx, fleet)
    return tuple((row, books.waited(row, now)) for row in cases.waiting(tx))


def left_of(promise: Promise, row: CaseRow, waited: timedelta) -> timedelta | None:
    """Return how much is left of the promise to a ticket that waits, less than nothing once it is broken; None without a promise."""
    return promise.after - waited if promise.holds_for(row.department) else None


def hours_of(fleet: Fleet, department: str) -> Hours:
    """Return the service hours of a department: its own, else those of all."""
    own = (each.hours for each in fleet.departments if each.id == department)
    return next(own, None) or fleet.support.hours


def _queued(tx: Transaction, row: CaseRow, step: Raise, now: datetime) -> bool:
    """Decide a step, once, whatever becomes of it; False if it was decided before."""
    number = cases.note_raise(tx, row, step, now)
    if number is not None:
        queue(tx, number, step, now)
    return number is not None


def queue(tx: Transaction, number: int, step: Raise, now: datetime) -> None:
    """Queue a step: the ticket is raised, and its department's head hears of it; of one at the top only that."""
    channel = Channel.COMPLAINT if step.was == step.becomes else Channel.RAISE
    raised = Delivery(channel=channel, incident=queue_of(number), action=channel)
    deliveries.add(tx, raised, entry=0, seq=step.step, due=now)


def queue_of(number: int) -> IncidentId:
    """Return the name of the queue of deliveries about one step; no incident has one like it."""
    return IncidentId(f"raise-{number}")


def number_of(queue: str) -> int:
    """Return the number of the step that a queue is about."""
    prefix, _, number = queue.partition("-")
    if prefix != "raise" or not number.isdecimal():
        raise NotFoundError(f"{queue!r} is no queue about a ticket that was raised")
    return int(number)


def _figures(books: _Books, rows: Iterable[CaseRow], now: datetime) -> tuple[AnswerTime, ...]:
    """Return the figures of every department that is configured or has tickets; ours are no customer's question."""
    asked: dict[str, list[Inquiry]] = {each.id: [] for each in books.fleet.departments}
    for row in rows:
        if not row.reference:
            inquiry = Inquiry(opened_at=row.opened_at, answered_at=row.answered_at, closed_at=_closed(row))
            asked.setdefault(row.department, []).append(inquiry)
    since = now - books.fleet.support.average_over
    return tuple(
        answer_time(department, inquiries, books.of(department), since, now)
        for department, inquiries in asked.items()
    )


def _closed(row: CaseRow) -> datetime | None:
    """Return when a ticket was closed; a helpdesk that does not say when it was counts as at once."""
    return row.closed_at or (row.opened_at if row.status == "closed" else None)


def _last_night(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the last time that it was three at night."""
    today = instant_of(datetime.combine(day_of(now, zone), _NIGHT), zone)
    return today if today <= now else instant_of(datetime.combine(day_of(now, zone) - _DAY, _NIGHT), zone)


def _row(helpdesk: str, case: Case, seen_at: datetime) -> CaseRow:
    return CaseRow(
        helpdesk=helpdesk,
        ticket=case.ticket,
        url=case.url,
        department=case.department,
        subject=case.subject,
        requester=case.requester,
        priority=case.priority,
        status=case.status,
        opened_at=case.opened_at,
        seen_at=seen_at,
        answered_at=case.answered_at,
        closed_at=case.closed_at,
        reference=case.reference,
    )
