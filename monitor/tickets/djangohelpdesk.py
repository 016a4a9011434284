"""django-helpdesk, over its REST interface.

It filters by nothing that we could ask for, so that what it holds is read once, newest first, and then only what is new. A follow-up's
title would rename the ticket, its comment is rendered as a template, and a priority counts the more urgent the lower it is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from monitor.language.phrases import Phrase
from monitor.tickets.answers import body_of, is_number, said_before, short_subject
from monitor.tickets.beforehand import Fitness, afterwards, beforehand
from monitor.tickets.djangohelpdesk_client import (
    DjangoHelpdeskClient,
    DjangoHelpdeskOptions,
    Ticket,
    harmless,
)
from monitor.tickets.djangohelpdesk_records import PRIORITIES, DjangoHelpdeskRecords, Reading
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskTools,
    Order,
    Receipt,
)

_LOG = logging.getLogger(__name__)
# The field takes 200, but it appends what happened to the title of every follow-up, and those take no more.
_TITLE_LIMIT = 150
_REFERENCE_LENGTH = 40
# A ticket shows before its custom fields are written, and may show after one with a higher number: the newest are read again.
_REREAD = 25


class DjangoHelpdesk:
    """One django-helpdesk, with an index of the references that its tickets carry."""

    name = "djangohelpdesk"

    def __init__(self, options: DjangoHelpdeskOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._client = DjangoHelpdeskClient(options, now)
        self._reading = Reading(options, self._client)
        self._queues: Mapping[int, str] = {}
        self._fitness = Fitness(self.inspect, options.language)
        self._index: dict[int, str] = {}
        self._indexing = threading.Lock()
        self.records = DjangoHelpdeskRecords(self._reading, self._numbers, now)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find`: the list comes out of the database."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask what may be sent when a ticket is opened, and which queues there are."""
        try:
            fields = self._client.described()
            flaws = (*self._field_flaws(fields), *self._choice_flaws(fields))
            if flaws:
                # Its form may fail on a field that is not what it was.
                return flaws
            self._queues = self._client.choices("/api/tickets/", "queue")
        except DeliveryError as error:
            if error.fate is Fate.FORBIDDEN and not error.remedy:
                return (Phrase("helpdesk.djangohelpdesk.credentials"),)
            if error.fate is Fate.REFUSED:
                return (Phrase("helpdesk.djangohelpdesk.interface"),)
            raise
        return tuple(self._queue_flaws())

    def perform(self, order: Order) -> Receipt:
        """Carry out one action and read back that it was done."""
        try:
            return self._create(order) if order.action is Action.CREATE else self._follow_up(order)
        except DeliveryError as error:
            if error.fate in (Fate.REFUSED, Fate.FORBIDDEN):
                self._fitness.doubt()
            raise

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the tickets whose field holds exactly this reference, without those that people merged into another."""
        if not reference:
            return ()
        with self._indexing:
            self._catch_up()
            numbers = sorted(number for number, known in self._index.items() if known == reference)
        present = (self._present(number) for number in numbers)
        return tuple(
            self._reading.found(ticket)
            for ticket in present
            if ticket is not None and ticket.merged_to is None and self._reference(ticket) == reference
        )

    def _create(self, order: Order) -> Receipt:
        self._fitness.require()
        ticket = self._client.create(
            {
                "queue": self._number(self._options.queue_of(order.department)),
                "title": short_subject(order.subject, _TITLE_LIMIT),
                "description": harmless(body_of(order)),
                "submitter_email": self._options.submitter,
                "priority": self._reading.theirs(order.priority),
                f"custom_{self._options.reference_field}": order.reference,
            }
        )
        if self._reference(ticket) != order.reference:
            # The ticket is there, and trying again would make a second one: operators hear of it when it is looked up.
            _LOG.error("django-helpdesk keeps no reference on ticket %d", ticket.id)
            self._fitness.doubt()
        return self._receipt(ticket.id)

    def _follow_up(self, order: Order) -> Receipt:
        if not is_number(order.ticket):
            raise DeliveryError(Fate.MISSING, "no ticket of django-helpdesk is called so")
        before = beforehand(lambda: self._client.ticket(order.ticket, order.action))
        if before.merged_to is not None:
            raise DeliveryError(Fate.MISSING, f"people merged the ticket into {before.merged_to}")
        status = self._status_for(order, before)
        priority = self._priority_for(order, before)
        if order.action is Action.PRIORITY and priority is None:
            return self._receipt(before.id)
        body = harmless(order.body)
        words = "" if said_before(self._reading.of_us(before), body) else body
        writes = self._writes(order, words, status, priority)
        for place, write in enumerate(writes):
            afterwards(write) if place else write()
        after = afterwards(lambda: self._client.ticket(order.ticket, order.action))
        self._require(after, status, priority)
        return self._receipt(before.id)

    def _writes(
        self, order: Order, words: str, status: int | None, priority: int | None
    ) -> list[Callable[[], None]]:
        client, action = self._client, order.action
        writes: list[Callable[[], None]] = []
        if words.strip() or status is not None:
            # Without a title: it would become the ticket's own.
            fields: dict[str, object] = {
                "ticket": int(order.ticket),
                "comment": words,
                "public": not order.internal,
            }
            if status is not None:
                fields["new_status"] = status
            writes.append(lambda: self._reading.wrote(client.follow_up(action, fields)))
        if priority is not None:
            writes.append(partial(client.change, order.ticket, action, {"priority": priority}))
        return writes

    def _status_for(self, order: Order, before: Ticket) -> int | None:
        closed = self._reading.is_closed(before)
        if order.action is Action.RESOLVE and not closed:
            return self._options.resolved_status
        return self._options.reopened_status if order.action is Action.REOPEN and closed else None

    def _priority_for(self, order: Order, before: Ticket) -> int | None:
        if order.action not in (Action.PRIORITY, Action.REOPEN):
            return None
        wanted = self._reading.theirs(order.priority)
        return None if before.priority == wanted else wanted

    def _require(self, after: Ticket, status: int | None, priority: int | None) -> None:
        """Raise DeliveryError for what was asked for and not done."""
        if status is not None and after.status != status:
            raise DeliveryError(Fate.REFUSED, f"the helpdesk ignores the status {status}")
        if priority is not None and after.priority != priority:
            raise DeliveryError(Fate.REFUSED, f"the helpdesk ignores the priority {priority}")

    def _catch_up(self) -> None:
        """Take the references of the tickets into the index that were opened since it was last read."""
        seen = max(self._index, default=0) - _REREAD
        new = {}
        for ticket in self._client.newest_first():
            if ticket.id <= seen:
                break
            new[ticket.id] = self._reference(ticket)
        # Only now: half a list would hide what stands below it for good.
        self._index |= new

    def _present(self, number: int) -> Ticket | None:
        try:
            return self._client.ticket(number)
        except DeliveryError as error:
            if error.fate is not Fate.MISSING:
                raise
            return None

    def _reference(self, ticket: Ticket) -> str:
        return ticket.custom(self._options.reference_field)

    def _numbers(self) -> Mapping[int, str]:
        """Return the department that each followed queue serves, by the queue's number."""
        self._fitness.require()
        return {self._number(queue): name for name, queue in self._options.queues().items()}

    def _number(self, queue: str | int) -> int:
        found = self._queue(queue)
        if found is None:
            raise DeliveryError(Fate.FORBIDDEN, f"the helpdesk has no queue {queue!r}")
        return found

    def _queue(self, queue: str | int) -> int | None:
        if isinstance(queue, int):
            # Without a list nothing speaks against it; a wrong one is refused when a ticket is opened.
            return queue if not self._queues or queue in self._queues else None
        named = (number for number, title in self._queues.items() if title.casefold() == queue.casefold())
        return next(named, None)

    def _queue_flaws(self) -> list[Phrase]:
        wanted = dict.fromkeys((*self._options.queues().values(), self._options.queue))
        known = ", ".join(self._queues.values()) or "—"
        return [
            Phrase("helpdesk.djangohelpdesk.queue", {"name": queue, "known": known})
            for queue in wanted
            if self._queue(queue) is None
        ]

    def _field_flaws(self, fields: Mapping[str, Mapping[str, object]]) -> list[Phrase]:
        ours = f"custom_{self._options.reference_field}"
        named = {"name": self._options.reference_field}
        if ours not in fields:
            return [Phrase("helpdesk.djangohelpdesk.field", named)]
        limit = fields[ours].get("max_length")
        fits = not isinstance(limit, int) or limit >= _REFERENCE_LENGTH
        if fields[ours].get("type") not in ("string", "slug") or not fits:
            return [Phrase("helpdesk.djangohelpdesk.field_type", {**named, "length": _REFERENCE_LENGTH})]
        return [
            Phrase("helpdesk.djangohelpdesk.required", {"name": name.removeprefix("custom_")})
            for name, each in fields.items()
            if name.startswith("custom_") and name != ours and each.get("required") is True
        ]

    def _choice_flaws(self, fields: Mapping[str, Mapping[str, object]]) -> list[Phrase]:
        priorities, statuses = _numbers_of(fields, "priority"), _numbers_of(fields, "status")
        wanted = {ours: self._options.priorities.get(ours, number) for ours, number in PRIORITIES.items()}
        return [
            *(
                Phrase("helpdesk.djangohelpdesk.priority", {"name": theirs, "ours": ours.value})
                for ours, theirs in wanted.items()
                if str(theirs) not in priorities
            ),
            *(
                Phrase("helpdesk.djangohelpdesk.status", {"number": number})
                for number in dict.fromkeys((self._options.reopened_status, self._options.resolved_status))
                if str(number) not in statuses
            ),
        ]

    def _receipt(self, number: int) -> Receipt:
        return Receipt(ticket=str(number), url=self._client.url_of(number))


def _numbers_of(fields: Mapping[str, Mapping[str, object]], name: str) -> set[str]:
    choices = fields.get(name, {}).get("choices")
    return {str(each.get("value")) for each in choices} if isinstance(choices, list) else set()


def _build(options: DjangoHelpdeskOptions, tools: HelpdeskTools) -> DjangoHelpdesk:
    return DjangoHelpdesk(options, tools.now)


DJANGOHELPDESK = HelpdeskKind(name="djangohelpdesk", options=DjangoHelpdeskOptions, build=_build)
