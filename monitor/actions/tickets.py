"""Carry one action to the helpdesk, or find out what became of it, and put the outcome on record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.actions.outbox import Outbox, guarded, parcel_of
from monitor.actions.ticket_task import Addressee, Task, load, loses_references, rejection
from monitor.errors import StoreError
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketOpened, TicketRejected, TicketUpdated
from monitor.store import deliveries
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.tickets import delivery, orders
from monitor.tickets.delivery import BLIND, Manner, Parcel
from monitor.tickets.port import Action, DeliveryError, Fate, Found, Helpdesk, Order, Receipt, TicketStatus
from monitor.tickets.priorities import lower_of
from monitor.tickets.story import priority

_LOG = logging.getLogger(__name__)

VERIFY = "verify"
UNCERTAIN = "uncertain"
BLIND_TO_US = "perhaps it was opened: the helpdesk does not find tickets by their reference"
_WITHOUT_EFFECT = frozenset({Fate.NOT_SENT, Fate.FORBIDDEN, Fate.REFUSED})
_NOT_TAKEN = frozenset({Fate.NOT_SENT, Fate.FORBIDDEN, Fate.UNCERTAIN})
NO_TICKET = "a problem of its class opens no ticket"


class TicketCourier:
    """One delivery at a time: look or send, then one transaction that says what happened."""

    def __init__(self, outbox: Outbox, to: Addressee, on_result: Callable[[str], None]) -> None:
        self._outbox = outbox
        self._to = to
        self._on_result = on_result
        # Whether it did not take something since it took the last one; nobody knows at the start.
        self._is_away = True

    def carry(self, claimed: DeliveryRow) -> None:
        """Send it, or look it up."""
        manner = manner_at(self._to.helpdesk, claimed)
        try:
            task = self._outbox.read(lambda tx: load(tx, claimed, self._to, self._outbox.fleet))
            order = orders.order_of(Action(claimed.action), claimed.seq, task.story, task.entry, task.present)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery must not stay claimed for ever
            self._misfit(claimed, error)
            return
        if order is None:
            self._needless(claimed, NO_TICKET if task.ticket is None else "the ticket has it already")
        elif claimed.state is DeliveryState.LOOKUP:
            self._look(task, order, manner)
        else:
            self._send(task, order, manner)

    def _send(self, task: Task, order: Order, manner: Manner) -> None:
        row, attempt = self._outbox.begin(task.row)
        begun = replace(task, row=row)
        try:
            receipt = guarded(lambda: self._perform(begun, order))
        except DeliveryError as error:
            changes = manner.searchable and order.action is not Action.CREATE
            held = self._held_already(order) if changes and error.fate is Fate.REFUSED else None
            if held is not None:
                _LOG.info("delivery %d (%s): %s, but it is so already", row.id, row.action, error.detail)
                self._done(begun, order, held, attempt)
                return
            after = delivery.after_error(
                parcel_of(row), manner, error, now=self._outbox.clock.now(), chance=self._outbox.chance()
            )
            self._failed(begun, after, error, attempt)
            return
        self._outbox.checkpoint("answered")
        self._done(begun, order, receipt, attempt)

    def _held_already(self, order: Order) -> Receipt | None:
        """Return the ticket if it shows what was refused, as one that a person closed before us; None also where nobody can tell now."""
        try:
            found = orders.living(guarded(lambda: self._to.helpdesk.find(order.reference)), order.ticket)
        except DeliveryError:
            return None
        return _shown(order, found)

    def _perform(self, task: Task, order: Order) -> Receipt:
        elsewhere = task.ticket is not None and task.ticket.helpdesk != self._to.helpdesk.name
        if elsewhere and order.action is not Action.CREATE:
            # An id of another helpdesk could be somebody else's ticket in this one.
            raise DeliveryError(Fate.MISSING, "the ticket was opened in another helpdesk")
        return self._to.helpdesk.perform(order)

    def _look(self, task: Task, order: Order, manner: Manner) -> None:
        now = self._outbox.clock.now()
        try:
            found = orders.living(guarded(lambda: self._to.helpdesk.find(order.reference)), order.ticket)
        except DeliveryError as error:
            after = delivery.after_lookup_error(
                parcel_of(task.row), error, now=self._outbox.clock.now(), chance=self._outbox.chance()
            )
            self._failed(task, after, error, None)
            return
        self._outbox.checkpoint("looked")
        receipt = _shown(order, found)
        if receipt is not None:
            self._done(task, order, receipt, None)
            return
        after = self._after_lookup(parcel_of(task.row), manner, now)
        if after.state is DeliveryState.READY and self._finds_nothing(task.row):
            self._doubt(task, now)
            return
        self._outbox.record(lambda tx: self._settle(tx, task, after))

    def _finds_nothing(self, row: DeliveryRow) -> bool:
        """Was the ticket perhaps made, at a helpdesk that did not find the last one by its reference? Who asks for it again wants it."""
        if row.sent_at is None or row.attempts == 0:
            return False
        return self._outbox.read(lambda tx: loses_references(tx, self._to.helpdesk.name))

    def _doubt(self, task: Task, now: datetime) -> None:
        """Look on, and tell a person once: that none is found proves nothing while the last reference was not, and there must not be two."""
        after = delivery.after_doubt(parcel_of(task.row), now, BLIND_TO_US)
        is_told = any(_is_doubt_since(task.row.sent_at, entry) for entry in task.story.entries)

        def work(tx: Transaction) -> None:
            self._settle(tx, task, after)
            if not is_told:
                self._outbox.append(tx, (rejection(task.row, self._to, BLIND_TO_US, now),))

        self._outbox.record(work)
        if not is_told:
            self._on_result(Fate.UNCERTAIN)

    def _after_lookup(self, parcel: Parcel, manner: Manner, now: datetime) -> Parcel:
        """Move a parcel by the time that really passed since it was sent: a clock that is set forward hides nothing any sooner."""
        if parcel.sent_at is None:
            return delivery.after_lookup(parcel, manner, now)
        seen = replace(parcel, sent_at=now - self._outbox.lived(parcel.sent_at, now))
        return replace(delivery.after_lookup(seen, manner, now), sent_at=parcel.sent_at)

    def _done(self, task: Task, order: Order, receipt: Receipt, attempt: int | None) -> None:
        now = self._outbox.clock.now()
        after = delivery.after_success(parcel_of(task.row))

        def work(tx: Transaction) -> None:
            self._outbox.put(tx, task.row, after)
            if attempt is not None:
                deliveries.end_attempt(tx, task.row.id, attempt, (now, "done", ""))
            sure = attempt is not None and _is_first_effect(tx, task.row, attempt)
            self._outbox.append(tx, (self._entry(task, order, receipt, sure=sure),))
            if self._is_away:
                deliveries.wake(tx, task.row.channel, now)
            if order.action is Action.CREATE:
                self._after_creation(tx, task, sure=sure)

        self._outbox.record(work)
        self._is_away = False
        self._outbox.checkpoint("committed")
        self._on_result("done")

    def _after_creation(self, tx: Transaction, task: Task, *, sure: bool) -> None:
        if sure:
            _leave_out_what_was_told(tx, task.waiting)
            if self._to.at_home:
                # The ticket is in this very transaction, and its reference is unique there.
                return
        lag = self._to.helpdesk.search_lag
        if lag is None:
            # Whoever reads the mails has to see to it: nothing can be looked up from here.
            return
        # What was made in doubt is looked at once nothing can be hidden any more: there may be two.
        pause = timedelta(0) if sure else lag
        verify = Delivery(channel=Channel.VERIFY, incident=task.row.incident, action=VERIFY)
        deliveries.queue_later(tx, verify, entry=task.row.entry, due=self._outbox.clock.now() + pause)

    def _failed(self, task: Task, after: Parcel, error: DeliveryError, attempt: int | None) -> None:
        now = self._outbox.clock.now()
        # The same trouble every five minutes is told once.
        news = after.state is DeliveryState.REJECTED or (
            delivery.is_alarming(error) and task.row.detail != error.detail
        )

        def work(tx: Transaction) -> None:
            if attempt is not None:
                deliveries.end_attempt(tx, task.row.id, attempt, (now, error.fate, error.detail))
            if error.fate is Fate.MISSING and after.state is not DeliveryState.REJECTED:
                _create_anew(tx, task, now)
            self._settle(tx, task, after)
            if news:
                self._outbox.append(tx, (rejection(task.row, self._to, error.detail, now),))

        self._outbox.record(work)
        self._is_away = self._is_away or error.fate in _NOT_TAKEN
        self._outbox.heed(task.row.channel, error)
        _LOG.warning("delivery %d (%s): %s", task.row.id, task.row.action, error.detail)
        self._on_result(error.fate)

    def _settle(self, tx: Transaction, task: Task, after: Parcel) -> None:
        self._outbox.put(tx, task.row, after)
        if after.state in (DeliveryState.AMBIGUOUS, DeliveryState.REJECTED):
            wait = delivery.FALLBACK_AFTER if after.state is DeliveryState.AMBIGUOUS else timedelta(0)
            fallback = Delivery(channel=Channel.FALLBACK, incident=task.row.incident, action=UNCERTAIN)
            due = self._outbox.clock.now() + wait
            deliveries.add(tx, fallback, entry=task.row.entry, seq=task.row.seq, due=due)

    def _misfit(self, row: DeliveryRow, error: Exception) -> None:
        _LOG.error("no order can be made of delivery %d", row.id, exc_info=error)
        detail = f"our own fault: {type(error).__name__}"
        after = delivery.after_misfit(parcel_of(row), detail)

        def work(tx: Transaction) -> None:
            self._outbox.put(tx, row, after)
            self._outbox.append(tx, (rejection(row, self._to, detail, self._outbox.clock.now()),))

        self._outbox.record(work)
        self._on_result(DeliveryState.REJECTED)

    def _needless(self, row: DeliveryRow, detail: str) -> None:
        after = delivery.after_success(parcel_of(row), detail)
        self._outbox.record(lambda tx: self._outbox.put(tx, row, after))

    def _entry(self, task: Task, order: Order, receipt: Receipt, *, sure: bool) -> Entry:
        moment = self._outbox.clock.now()
        if order.action is Action.CREATE:
            rises = any(row.action == Action.PRIORITY for row in task.waiting)
            # Where it is not sure, an earlier attempt may have made it, as urgent as it was then: what waits shall raise it.
            then = priority(task.story, task.entry) if rises and not sure else order.priority
            opened = TicketOpened(
                incident=task.row.incident,
                reference=order.reference,
                helpdesk=self._to.helpdesk.name,
                ticket=receipt.ticket,
                url=receipt.url,
                department=order.department,
                priority=lower_of(then, order.priority),
                subject=order.subject,
            )
            return Entry(kind=Kind.TICKET_OPENED, moment=moment, subject=task.row.incident, body=opened)
        known = TicketStatus.OPEN if task.ticket is None else TicketStatus(task.ticket.status)
        updated = TicketUpdated(
            incident=task.row.incident,
            reference=order.reference,
            action=order.action,
            priority=order.priority,
            status=orders.status_after(order) or known,
        )
        return Entry(kind=Kind.TICKET_UPDATED, moment=moment, subject=task.row.incident, body=updated)


def manner_at(helpdesk: Helpdesk, row: DeliveryRow) -> Manner:
    """Return what may be done about a delivery whose fate is unknown; of what is no action on a ticket nothing can be looked up."""
    if row.channel != Channel.TICKET:
        return BLIND
    return delivery.manner_of(Action(row.action), helpdesk.search_lag)


def _shown(order: Order, found: Sequence[Found]) -> Receipt | None:
    """Return the ticket if what was found shows that the order was carried out, else None."""
    if not orders.shows(order, tuple(found)):
        return None
    return Receipt(ticket=order.ticket or found[0].ticket, url=found[0].url)


def _is_first_effect(tx: Transaction, row: DeliveryRow, attempt: int) -> bool:
    """Is it sure that nothing before this attempt made a ticket? Else the helpdesk may have given the answer that got lost then."""
    before = [each for each in deliveries.attempts_of(tx, row.id) if each.number < attempt]
    return row.detail != deliveries.RESTORED and all(each.outcome in _WITHOUT_EFFECT for each in before)


def _is_doubt_since(sent_at: datetime | None, entry: Entry) -> bool:
    """Was it told after that moment that nobody knows whether there is a ticket?"""
    is_doubt = isinstance(entry.body, TicketRejected) and entry.body.detail == BLIND_TO_US
    return is_doubt and (sent_at is None or entry.moment >= sent_at)


def _leave_out_what_was_told(tx: Transaction, waiting: Sequence[DeliveryRow]) -> None:
    told = delivery.told_by_creation([Action(row.action) for row in waiting])
    for row, already in zip(waiting, told, strict=True):
        if already:
            deliveries.finish_unsent(tx, row, "told when the ticket was opened")


def _create_anew(tx: Transaction, task: Task, now: datetime) -> None:
    """Queue a creation in front of an action whose ticket is gone; it looks first whether there is another one."""
    create = Delivery(channel=Channel.TICKET, incident=task.row.incident, action=Action.CREATE)
    state = DeliveryState.RETRY
    deliveries.add(tx, create, entry=task.row.entry, seq=task.row.seq, due=now, state=state)
