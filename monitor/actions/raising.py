"""Raise a ticket that nobody answers, and tell the head of its department."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.actions.answers import hours_of, number_of, queue_of
from monitor.actions.calendars import calendar_of
from monitor.actions.messages import NOBODY, SETTLED, said
from monitor.actions.outbox import Outbox, guarded, parcel_of
from monitor.actions.ticket_task import Addressee
from monitor.errors import NotFoundError
from monitor.fleet import Fleet
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketUpdated
from monitor.language import moments, text
from monitor.store import cases, deliveries, readings
from monitor.store.cases import CaseRow, RaiseRow
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.subscribers.complaint import Complaint, Deed, complaint, waited_words
from monitor.subscribers.port import Message, Messenger
from monitor.support.answers import promised_words
from monitor.tickets import delivery
from monitor.tickets.delivery import BLIND, Parcel
from monitor.tickets.port import Action, DeliveryError, Fate, Order
from monitor.tickets.priorities import Priority

_LOG = logging.getLogger(__name__)

ANSWERED = "answered or closed meanwhile"
HIGH_ENOUGH = "it is as urgent already"
GONE = "the ticket is gone"
_ELSEWHERE = "the ticket is in another helpdesk"
_BEFORE = timedelta(minutes=1)
_NOT_TAKEN = DeliveryError(Fate.NOT_SENT, "the head of the department could not be told")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """One step with the ticket as we know it last; `case` is None for one that is gone. `refused` if the helpdesk did not raise it."""

    raised: RaiseRow
    case: CaseRow | None
    fleet: Fleet
    waited: timedelta
    refused: bool

    @property
    def priority(self) -> Priority:
        return Priority(self.raised.step.becomes)


class RaiseCourier:
    """Raises one ticket at a time. What may have been done already is seen by the ticket's priority before it is done again."""

    def __init__(self, outbox: Outbox, to: Addressee, on_result: Callable[[str], None]) -> None:
        self._outbox = outbox
        self._to = to
        self._on_result = on_result

    def carry(self, claimed: DeliveryRow) -> None:
        """Carry a step that is due to the helpdesk."""
        matter = _matter_of(self._outbox, claimed)
        needless = _needless(matter, self._to.helpdesk.name)
        if matter is None or matter.case is None or needless:
            after = delivery.after_success(parcel_of(claimed), needless)
            self._outbox.record(lambda tx: self._settle(tx, claimed, after))
            return
        doubtful = claimed.sent_at is not None
        sending, attempt = self._outbox.begin(claimed)
        order = self._order(matter, matter.case)
        try:
            if not (doubtful and guarded(lambda: self._has_risen(claimed, matter))):
                guarded(lambda: self._to.helpdesk.perform(order))
        except DeliveryError as error:
            self._failed(sending, matter, error, attempt)
            return
        self._outbox.checkpoint("answered")
        self._finish(sending, matter, delivery.after_success(parcel_of(sending)), (attempt, "done", ""))
        self._on_result("done")

    def _has_risen(self, row: DeliveryRow, matter: _Matter) -> bool:
        """Is the ticket as urgent by now as it was to become?"""
        records = self._to.helpdesk.records
        if records is None:
            return False
        try:
            found = records.cases(row.created_at - _BEFORE)
        except DeliveryError as error:
            # Nothing was learnt of what we may have done, so it stays in doubt.
            raise DeliveryError(Fate.UNCERTAIN, error.detail, retry_after=error.retry_after) from error
        return any(
            each.ticket == matter.raised.ticket and each.priority.rank >= matter.priority.rank
            for each in found
        )

    def _order(self, matter: _Matter, case: CaseRow) -> Order:
        return Order(
            action=Action.PRIORITY,
            reference=case.reference,
            key=f"VG-{self._to.installation}-{queue_of(matter.raised.number)}",
            ticket=case.ticket,
            subject=case.subject,
            body=self._words(matter, case),
            priority=matter.priority,
            department=case.department,
            language=self._to.language,
            internal=True,
        )

    def _words(self, matter: _Matter, case: CaseRow) -> str:
        language, promise = self._to.language, matter.fleet.support.promise
        zone = ZoneInfo(matter.fleet.site.timezone)
        return text(
            "support.raised.note",
            language,
            opened=moments.full_moment(case.opened_at, zone, language),
            waited=waited_words(matter.waited, language, in_service=promise.in_service),
            promised=promised_words(promise.after, language, in_service=promise.in_service),
            was=text(f"ticket.priority.{matter.raised.step.was}", language),
            becomes=text(f"ticket.priority.{matter.raised.step.becomes}", language),
        )

    def _failed(self, row: DeliveryRow, matter: _Matter, error: DeliveryError, attempt: int) -> None:
        ended = (attempt, str(error.fate), error.detail)
        if error.fate is Fate.MISSING:
            after = delivery.after_success(parcel_of(row), GONE)
        else:
            now, chance = self._outbox.clock.now(), self._outbox.chance()
            after = delivery.after_error(parcel_of(row), BLIND, error, now=now, chance=chance)
        self._finish(row, matter, after, ended)
        self._outbox.heed(row.channel, error)
        _LOG.warning("ticket %s could not be raised: %s", matter.raised.ticket, error.detail)
        self._on_result(error.fate)

    def _finish(self, row: DeliveryRow, matter: _Matter, after: Parcel, ended: tuple[int, str, str]) -> None:
        """Put on record what came of an attempt."""

        def also(tx: Transaction) -> None:
            self._tell_head(tx, row, after)
            if after.detail == GONE:
                cases.forget(tx, matter.raised.helpdesk, (matter.raised.ticket,))
            elif after.state is DeliveryState.DONE:
                self._note(tx, matter, self._outbox.clock.now())

        self._outbox.finish(row, after, ended, also)

    def _note(self, tx: Transaction, matter: _Matter, now: datetime) -> None:
        """Put the new priority on record; the journal knows the tickets that we opened."""
        cases.note_priority(tx, matter.raised.helpdesk, matter.raised.ticket, matter.priority)
        reference = "" if matter.case is None else matter.case.reference
        known = readings.ticket(tx, reference) if reference else None
        if known is None:
            return
        body = TicketUpdated(
            incident=known.incident,
            reference=reference,
            action=Action.PRIORITY,
            priority=matter.priority,
            status=known.status,
        )
        entry = Entry(kind=Kind.TICKET_UPDATED, moment=now, subject=known.incident, body=body)
        self._outbox.append(tx, (entry,))

    def _settle(self, tx: Transaction, row: DeliveryRow, after: Parcel) -> None:
        self._outbox.put(tx, row, after)
        self._tell_head(tx, row, after)

    def _tell_head(self, tx: Transaction, row: DeliveryRow, after: Parcel) -> None:
        """Once the ticket is as urgent as it can be made, the head of its department hears of it."""
        refused = after.state is DeliveryState.REJECTED
        if refused or (after.state is DeliveryState.DONE and after.detail in ("", HIGH_ENOUGH)):
            # One name for whatever came of it: a step that is tried once more is not told once more.
            told = Delivery(channel=Channel.COMPLAINT, incident=row.incident, action=Channel.COMPLAINT)
            deliveries.add(tx, told, entry=0, seq=row.seq, due=self._outbox.clock.now())


class ComplaintCourier:
    """Tells the heads of departments, each ticket once a step. What was perhaps heard is said again."""

    def __init__(self, outbox: Outbox, to: Addressee, heads: Mapping[str, Messenger]) -> None:
        self._outbox = outbox
        self._to = to
        self._heads = heads

    def carry(self, claimed: DeliveryRow) -> None:
        """Say it once more, unless it has become needless."""
        matter = _matter_of(self._outbox, claimed)
        if matter is None or matter.case is None or not matter.case.waits:
            _put(self._outbox, claimed, delivery.after_success(parcel_of(claimed), SETTLED))
            return
        head = self._heads.get(matter.case.department)
        if head is None:
            _put(self._outbox, claimed, delivery.after_success(parcel_of(claimed), NOBODY))
            return
        sending, attempt = self._outbox.begin(claimed)
        try:
            history = guarded(lambda: self._history(matter))
            if not said(head, self._message(matter, matter.case, history)):
                raise _NOT_TAKEN
            after, outcome = delivery.after_success(parcel_of(sending)), "done"
        except DeliveryError as error:
            now, chance = self._outbox.clock.now(), self._outbox.chance()
            after = delivery.after_error(parcel_of(sending), BLIND, error, now=now, chance=chance)
            outcome = error.fate
        self._outbox.finish(sending, after, (attempt, outcome, after.detail))

    def _history(self, matter: _Matter) -> tuple[Deed, ...]:
        """Return what people did on the ticket; a helpdesk that cannot tell holds up no complaint."""
        records = self._to.helpdesk.records
        if records is None or self._to.helpdesk.name != matter.raised.helpdesk:
            return ()
        try:
            words = records.words(matter.raised.ticket)
        except DeliveryError as error:
            _LOG.warning("what happened on ticket %s cannot be read: %s", matter.raised.ticket, error.detail)
            return ()
        return tuple(Deed(at=word.at, author=word.author, what=word.deed, body=word.body) for word in words)

    def _message(self, matter: _Matter, case: CaseRow, history: tuple[Deed, ...]) -> Message:
        fleet, step = matter.fleet, matter.raised.step
        language = fleet.site.languages[0]
        names = {each.id: each.name for each in fleet.departments}
        return complaint(
            Complaint(
                site=fleet.site.name,
                zone=ZoneInfo(fleet.site.timezone),
                language=language,
                department=names.get(case.department, {}).get(language) or case.department,
                ticket=case.ticket,
                url=case.url,
                subject=case.subject,
                requester=case.requester,
                opened_at=case.opened_at,
                waited=matter.waited,
                in_service=fleet.support.promise.in_service,
                promised=fleet.support.promise.after,
                was=step.was,
                becomes=step.becomes,
                refused=matter.refused,
                history=history,
            )
        )


def _matter_of(outbox: Outbox, row: DeliveryRow) -> _Matter | None:
    """Return what a delivery is about, all of it from one picture of the database; None if there is no such step."""
    now = outbox.clock.now()

    def work(tx: Transaction) -> _Matter | None:
        raised = cases.raise_of(tx, number_of(row.incident))
        if raised is None:
            return None
        fleet = outbox.fleet.read(tx)
        case = cases.case(tx, raised.helpdesk, raised.ticket)
        raises = deliveries.of_incident(tx, row.incident, Channel.RAISE)
        refused = any(each.seq == row.seq and each.state is DeliveryState.REJECTED for each in raises)
        return _Matter(
            raised=raised, case=case, fleet=fleet, waited=_waited(tx, fleet, case, now), refused=refused
        )

    try:
        return outbox.read(work)
    except NotFoundError:
        _LOG.exception("delivery %d is about nothing", row.id)
        return None


def _waited(tx: Transaction, fleet: Fleet, case: CaseRow | None, now: datetime) -> timedelta:
    if case is None:
        return timedelta(0)
    if not fleet.support.promise.in_service:
        return max(now - case.opened_at, timedelta(0))
    calendar = calendar_of(tx, hours_of(fleet, case.department), fleet.site.timezone)
    return calendar.worked(case.opened_at, now)


def _needless(matter: _Matter | None, helpdesk: str) -> str:
    """Return why nothing is to be done any more; empty if the ticket is to be raised."""
    if matter is None or matter.case is None:
        return GONE
    if matter.raised.helpdesk != helpdesk:
        return _ELSEWHERE
    if not matter.case.waits:
        return ANSWERED
    return HIGH_ENOUGH if Priority(matter.case.priority).rank >= matter.priority.rank else ""


def _put(outbox: Outbox, row: DeliveryRow, after: Parcel) -> None:
    outbox.record(lambda tx: outbox.put(tx, row, after))
