"""After a creation: does our reference lead to exactly the ticket that we know?

A reference that leads nowhere could not prevent the next duplicate, so operators hear of it. One that leads to
several is put in order: the oldest ticket is kept, the others are closed and point to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from monitor.actions.outbox import Outbox, guarded, parcel_of
from monitor.actions.ticket_task import Addressee, Task, load, rejection
from monitor.journal.entries import Entry, Kind, TicketOpened
from monitor.store import deliveries
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.tickets import delivery, orders
from monitor.tickets.delivery import BLIND, Step
from monitor.tickets.port import DeliveryError, Fate, Found, TicketStatus

_LOG = logging.getLogger(__name__)

NOT_LISTED = "the helpdesk does not list the ticket yet"
NOT_FINDABLE = "the helpdesk does not find the ticket by its reference"


class Verifier:
    """Looks each new ticket up once it can no longer be hidden."""

    def __init__(self, outbox: Outbox, to: Addressee, on_result: Callable[[str], None]) -> None:
        self._outbox = outbox
        self._to = to
        self._on_result = on_result

    def deliver(self, row: DeliveryRow) -> None:
        """Look once; nothing is done when the journal knows no ticket any more."""
        claimed = self._outbox.claim(row, Step.SEND)
        if claimed is None:
            return
        task = self._outbox.read(lambda tx: load(tx, claimed, self._to, self._outbox.fleet))
        sending, attempt = self._outbox.begin(task.row)
        task = replace(task, row=sending)
        try:
            kept = guarded(lambda: self._one_of(task))
        except DeliveryError as error:
            self._failed(task, error, attempt)
            return
        self._done(task, kept, attempt)

    def _one_of(self, task: Task) -> Found | None:
        """Return the ticket that is kept, others closed; None if there is surely none."""
        found = orders.living(self._to.helpdesk.find(task.story.reference))
        if not found:
            lag = self._to.helpdesk.search_lag or timedelta(0)
            if self._outbox.clock.now() < task.row.created_at + lag:
                raise DeliveryError(Fate.NOT_SENT, NOT_LISTED)
            return None
        kept, *extra = found
        for ticket in extra:
            if ticket.status is not TicketStatus.CLOSED:
                self._to.helpdesk.perform(orders.duplicate_order(task.story, ticket, kept.ticket))
                self._outbox.checkpoint("merged")
            _LOG.warning("ticket %s repeats %s and was closed", ticket.ticket, kept.ticket)
            self._on_result("duplicate")
        return kept

    def _done(self, task: Task, kept: Found | None, attempt: int) -> None:
        now = self._outbox.clock.now()
        detail = NOT_FINDABLE if kept is None else ""
        entries = [rejection(task.row, self._to, detail, now)] if kept is None else self._moved(task, kept)
        after = delivery.after_success(parcel_of(task.row), detail)

        def work(tx: Transaction) -> None:
            self._outbox.put(tx, task.row, after)
            deliveries.end_attempt(tx, task.row.id, attempt, (now, "done", detail))
            self._outbox.append(tx, entries)

        if kept is None:
            _LOG.error("%s: %s", task.story.reference, NOT_FINDABLE)
        self._outbox.record(work)

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
