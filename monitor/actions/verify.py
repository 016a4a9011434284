"""After a creation, and each night for a week: does our reference lead to exactly the ticket that we know?

A reference that leads nowhere could not prevent the next duplicate, so operators hear of it. One that leads to
several is put in order: the oldest ticket is kept, the others are closed and point to it. One that led somewhere and does so no more,
or that leads nowhere when others do, belonged to a ticket that is lost: another one is opened that says which it replaces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.actions.outbox import Outbox, guarded, parcel_of
from monitor.actions.ticket_task import (
    NOT_FINDABLE,
    NOT_FOUND,
    STILL_NOT_FINDABLE,
    Addressee,
    Task,
    load,
    loses_references,
    note_reference,
    rejection,
)
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketOpened
from monitor.store import deliveries, readings
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.tickets import delivery, orders
from monitor.tickets.delivery import BLIND
from monitor.tickets.port import Action, Deed, DeliveryError, Fate, Found, TicketStatus
from monitor.tickets.story import is_open

_LOG = logging.getLogger(__name__)

NOT_LISTED = "the helpdesk does not list the ticket yet"
UNDER_WAY = "something is on its way to the ticket, and may find out"
ELSEWHERE = "the ticket was opened in another helpdesk"
DUPLICATE_RESULT, LOST_RESULT = "duplicate", "lost"


class _End(StrEnum):
    """What there is to say where a reference leads to no ticket."""

    NEWS = NOT_FINDABLE
    KNOWN = STILL_NOT_FINDABLE
    MERGED = "a person merged the ticket into another one"
    REFUSED = "the helpdesk refused to open it anew, which was told"
    LOST = "the ticket was lost: another one is opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What is known of a ticket from before: whether its reference ever led to it, and that it did not was told.

    `is_exception`: it was told, and other references were found since, so that this ticket alone is not there; it is opened anew once.
    `is_refused`: another one was to be opened, and was refused. `is_under_way`: what waits for the ticket may find that it is gone, or
    opens another one.
    """

    was_found: bool
    was_told: bool
    was_merged: bool
    is_exception: bool
    is_refused: bool
    is_under_way: bool


class Verifier:
    """Looks each new ticket up once it can no longer be hidden."""

    def __init__(self, outbox: Outbox, to: Addressee, on_result: Callable[[str], None]) -> None:
        self._outbox = outbox
        self._to = to
        self._on_result = on_result

    def carry(self, claimed: DeliveryRow) -> None:
        """Look once; nothing is done when the journal knows no ticket any more."""
        task = self._outbox.read(lambda tx: load(tx, claimed, self._to, self._outbox.fleet))
        if task.ticket is not None and task.ticket.helpdesk != self._to.helpdesk.name:
            after = delivery.after_success(parcel_of(claimed), ELSEWHERE)
            self._outbox.record(lambda tx: self._outbox.put(tx, claimed, after))
            return
        sending, attempt = self._outbox.begin(task.row)
        task = replace(task, row=sending)
        try:
            kept = guarded(lambda: self._one_of(task))
            end = None if kept is not None else guarded(lambda: self._end_of(task))
        except DeliveryError as error:
            self._failed(task, error, attempt)
            return
        if kept is not None:
            self._found(task, kept, attempt)
        elif end is _End.LOST:
            self._lost(task, attempt)
        else:
            self._unfound(task, end or _End.NEWS, attempt)

    def _one_of(self, task: Task) -> Found | None:
        """Return the ticket that is kept, the oldest that is open, others closed; None if there is surely none."""
        known = "" if task.ticket is None else task.ticket.ticket
        found = orders.living(self._to.helpdesk.find(task.story.reference), known)
        if not found:
            lag = self._to.helpdesk.search_lag or timedelta(0)
            if self._outbox.clock.now() < task.row.created_at + lag:
                raise DeliveryError(Fate.NOT_SENT, NOT_LISTED)
            return None
        opened = [each for each in found if each.status is not TicketStatus.CLOSED]
        if not opened:
            return next((each for each in found if each.ticket == known), found[0])
        kept, *extra = opened
        for ticket in extra:
            order = orders.duplicate_order(task.story, ticket, kept.ticket, task.row.seq)
            self._to.helpdesk.perform(order)
            self._outbox.checkpoint("merged")
            _LOG.warning("ticket %s repeats %s and was closed", ticket.ticket, kept.ticket)
            self._on_result(DUPLICATE_RESULT)
        return kept

    def _end_of(self, task: Task) -> _End:
        """Return what to do where nothing was found; only a helpdesk that is fit can be believed that a ticket is lost."""
        past = self._outbox.read(lambda tx: _past(tx, task, self._to.helpdesk.name))
        if past.is_refused:
            return _End.REFUSED
        if past.is_under_way:
            raise DeliveryError(Fate.NOT_SENT, UNDER_WAY)
        if past.was_merged:
            return _End.MERGED
        unfound = _End.KNOWN if past.was_told else _End.NEWS
        if not (past.was_found or past.is_exception or self._to.at_home):
            return unfound
        flaws = self._to.helpdesk.inspect()
        if flaws:
            raise DeliveryError(Fate.NOT_SENT, flaws[0].say(self._to.language))
        return unfound if self._is_still_there(task) else _End.LOST

    def _is_still_there(self, task: Task) -> bool:
        """Does the helpdesk hold the ticket by its own id, although not by our reference?"""
        records = self._to.helpdesk.records
        if records is None or task.ticket is None:
            return False
        try:
            records.words(task.ticket.ticket)
        except DeliveryError as error:
            if error.fate is Fate.MISSING:
                return False
            raise
        return True

    def _lost(self, task: Task, attempt: int) -> None:
        """Open another ticket behind all that was ever asked for, and close it if everything is over."""
        now = self._outbox.clock.now()
        after = delivery.after_success(parcel_of(task.row), _End.LOST)

        def work(tx: Transaction) -> None:
            is_exception = _past(tx, task, self._to.helpdesk.name).is_exception
            self._outbox.put(tx, task.row, after)
            deliveries.end_attempt(tx, task.row.id, attempt, (now, "done", _End.LOST))
            if is_exception:
                # Should references not be kept any more, no other one is opened anew before this one was found again.
                note_reference(tx, self._to.helpdesk.name, found=False)
            rows = deliveries.of_incident(tx, task.row.incident, Channel.TICKET)
            create = Delivery(channel=Channel.TICKET, incident=task.row.incident, action=Action.CREATE)
            behind = max(row.seq for row in rows) + 1
            # As one that was tried before, it is looked for first.
            deliveries.add(tx, create, entry=task.row.entry, seq=behind, due=now, state=DeliveryState.RETRY)
            _close_what_is_over(tx, task, now)

        _LOG.error("%s: %s", task.story.reference, _End.LOST)
        self._outbox.record(work)
        self._on_result(LOST_RESULT)

    def _unfound(self, task: Task, end: _End, attempt: int) -> None:
        told: list[Entry] = []
        if end is _End.NEWS:
            told = [rejection(task.row, self._to, NOT_FINDABLE, self._outbox.clock.now())]
            _LOG.error("%s: %s", task.story.reference, NOT_FINDABLE)

        self._outbox.record(lambda tx: self._done(tx, task, end, told, attempt))

    def _found(self, task: Task, kept: Found, attempt: int) -> None:
        moved = self._moved(task, kept)

        def work(tx: Transaction) -> None:
            self._done(tx, task, "", moved, attempt)
            if moved:
                _close_what_is_over(tx, task, self._outbox.clock.now())

        self._outbox.record(work)

    def _done(self, tx: Transaction, task: Task, detail: str, entries: Sequence[Entry], attempt: int) -> None:
        now = self._outbox.clock.now()
        self._outbox.put(tx, task.row, delivery.after_success(parcel_of(task.row), detail))
        deliveries.end_attempt(tx, task.row.id, attempt, (now, "done", detail))
        if detail in ("", *NOT_FOUND):
            note_reference(tx, self._to.helpdesk.name, found=detail == "")
        self._outbox.append(tx, entries)

    def _moved(self, task: Task, kept: Found) -> list[Entry]:
        """The journal follows when the ticket that is kept is not the one that it knows."""
        known = task.ticket
        if known is None or known.ticket == kept.ticket or known.helpdesk != self._to.helpdesk.name:
            return []
        body = TicketOpened(
            incident=task.row.incident,
            reference=known.reference,
            helpdesk=known.helpdesk,
            ticket=kept.ticket,
            url=kept.url,
            department=known.department,
            priority=known.priority,
            subject=known.subject,
        )
        moment = self._outbox.clock.now()
        return [Entry(kind=Kind.TICKET_OPENED, moment=moment, subject=task.row.incident, body=body)]

    def _failed(self, task: Task, error: DeliveryError, attempt: int) -> None:
        now = self._outbox.clock.now()
        # Looking changes nothing, so whatever went wrong may be tried again.
        harmless = DeliveryError(Fate.NOT_SENT, error.detail, retry_after=error.retry_after)
        after = delivery.after_error(
            parcel_of(task.row), BLIND, harmless, now=now, chance=self._outbox.chance()
        )

        def work(tx: Transaction) -> None:
            self._outbox.put(tx, task.row, after)
            deliveries.end_attempt(tx, task.row.id, attempt, (now, error.fate, error.detail))

        self._outbox.record(work)
        self._outbox.heed(task.row.channel, error)


def _close_what_is_over(tx: Transaction, task: Task, now: datetime) -> None:
    """Queue the end of what is over for the ticket that is the right one from now on, unless it waits already."""
    ends = [
        row
        for row in deliveries.of_incident(tx, task.row.incident, Channel.TICKET)
        if row.action == Action.RESOLVE
    ]
    if is_open(task.story) or not ends or ends[-1].state not in (DeliveryState.DONE, DeliveryState.REJECTED):
        return
    resolve = Delivery(channel=Channel.TICKET, incident=task.row.incident, action=Action.RESOLVE)
    deliveries.queue_later(tx, resolve, entry=ends[-1].entry, due=now)


def _past(tx: Transaction, task: Task, helpdesk: str) -> _Past:
    looks = [
        row
        for row in deliveries.of_incident(tx, task.row.incident, Channel.VERIFY)
        if row.state is DeliveryState.DONE
    ]
    asked = deliveries.of_incident(tx, task.row.incident, Channel.TICKET)
    waits = [row for row in asked if row.state not in (DeliveryState.DONE, DeliveryState.REJECTED)]
    was_found = any(row.detail == "" for row in looks)
    was_told = any(row.detail in NOT_FOUND for row in looks)
    was_lost = any(row.detail == _End.LOST for row in looks)
    is_exception = was_told and not (was_found or was_lost) and not loses_references(tx, helpdesk)
    may_be_lost = was_found or is_exception
    return _Past(
        was_found=was_found,
        was_told=was_told,
        was_merged=any(note.deed == Deed.MERGED for note in readings.notes(tx, task.story.reference)),
        is_exception=is_exception,
        is_refused=any(row.action == Action.CREATE and row.state is DeliveryState.REJECTED for row in asked),
        is_under_way=any(may_be_lost or row.action == Action.CREATE for row in waits),
    )
