"""Request Tracker 5 by its REST 2 interface.

RT answers well to much that it does not do: it drops fields that it does not know, and a status that the queue has not, and a search
in a field that is gone finds nothing. Therefore everything is looked at before the first ticket and read back after each change, and that
nothing was found counts only while the field is there. A ticket is always asked for by a search, for under its own address a
merged one answers as the one that it was merged into, and a deleted one as if it were there. Follow-ups are comments, which change
neither status nor dates; each carries the key of its order as its subject, so that none is written twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from monitor.language.phrases import Phrase
from monitor.tickets.answers import body_of, is_number, said_before, short_subject
from monitor.tickets.beforehand import Fitness, afterwards, beforehand
from monitor.tickets.mapping import Places
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskTools,
    Order,
    Priority,
    Receipt,
    TicketStatus,
)
from monitor.tickets.priorities import higher_of
from monitor.tickets.rt_api import Api, Numbers, Queue, RtOptions, Ticket
from monitor.tickets.rt_records import RtRecords
from monitor.tickets.rt_statuses import Statuses

_PRIORITIES = {
    Priority.LOW: "0",
    Priority.NORMAL: "50",
    Priority.HIGH: "80",
    Priority.URGENT: "100",
}
_SUBJECT_LIMIT = 200


class _Unmarked(NamedTuple):
    """A ticket of ours whose reference RT did not keep."""

    ticket: str
    field: str
    reference: str


class Rt:
    """One RT and our account there."""

    name = "rt"

    def __init__(self, options: RtOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._api = Api(options, now)
        self._scale = Numbers(_PRIORITIES, options.priorities)
        self._places = Places(options, options.queue)
        self._statuses = Statuses(self._api)
        self._fitness = Fitness(self.inspect, options.language)
        self._field: str | None = None
        self._unmarked: _Unmarked | None = None
        self.records = RtRecords(options, self._api, self._scale, self._places, now)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask for our account, and for each queue with its rights and its reference field. Which statuses it has RT tells nobody."""
        self._api.us()
        return tuple(
            flaw for place in sorted(set(self._places.followed.values())) for flaw in self._flaws_of(place)
        )

    def perform(self, order: Order) -> Receipt:
        """Carry out one action and read back what RT made of it; failures carry their fate."""
        if order.action is Action.CREATE:
            return self._create(order)
        before = beforehand(lambda: self._before(order))
        match order.action:
            case Action.COMMENT:
                self._say(order, before)
            case Action.PRIORITY:
                self._raise(order, before)
            case Action.RESOLVE:
                self._close(order, before)
            case Action.REOPEN:
                self._reopen(order, before)
        return self._receipt(order.ticket)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Search the reference field and compare what it finds; that it finds nothing counts only where the field is still there."""
        field = self._known_field()
        listed = self._api.tickets(f"CF.{{{field}}} = '{reference}'")
        ours = [ticket for ticket in listed if self._is_ours(ticket, reference, field)]
        if not ours:
            self._require_field()
            return ()
        found = (self._found(ticket, reference) for ticket in ours)
        return tuple(sorted(found, key=lambda each: int(each.ticket)))

    def _create(self, order: Order) -> Receipt:
        self._fitness.require()
        field = beforehand(self._known_field)
        beforehand(self._require_mark)
        content = {
            "Queue": self._places.of(order.department),
            "Subject": short_subject(order.subject, _SUBJECT_LIMIT),
            "Content": body_of(order),
            "ContentType": "text/plain",
            # A number, not the text of one: RT keeps what it is given.
            "Priority": int(self._scale.theirs(order.priority)),
            "CustomFields": {field: order.reference},
        }
        try:
            ticket = self._api.create(content)
        except DeliveryError as error:
            if error.fate in (Fate.FORBIDDEN, Fate.REFUSED):
                self._fitness.doubt()
            raise
        # The ticket is there, whatever comes now; it is looked up once more when nothing can be hidden from a search.
        with suppress(DeliveryError):
            if not self._carries(ticket, field, order.reference):
                self._unmarked = _Unmarked(ticket, field, order.reference)
        return self._receipt(ticket)

    def _carries(self, ticket: str, field: str, reference: str) -> bool:
        made = self._ticket(ticket)
        return made is not None and made.value_of(field) == reference

    def _require_mark(self) -> None:
        """Set the reference that RT dropped from the last ticket that we opened; until it takes it, no other one is opened."""
        if self._unmarked is None:
            return
        ticket, field, reference = self._unmarked
        if self._ticket(ticket) is not None:
            self._api.change(ticket, Action.PRIORITY, {"CustomFields": {field: reference}})
            if not self._carries(ticket, field, reference):
                raise self._forbidden(self._without_field(self._places.of(self._options.department)))
        self._unmarked = None

    def _before(self, order: Order) -> _Before:
        """Return the ticket of an order as it is; DeliveryError with `missing` if it is gone or none of ours."""
        ticket = self._ticket(order.ticket) if is_number(order.ticket) else None
        if ticket is None:
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        if order.reference and not self._is_ours(ticket, order.reference, self._known_field()):
            raise DeliveryError(Fate.MISSING, f"ticket {order.ticket} does not carry our reference")
        return _Before(
            ticket=ticket,
            closed=order.action in (Action.RESOLVE, Action.REOPEN) and self._statuses.is_final(ticket),
            said=self._was_said(order),
        )

    def _was_said(self, order: Order) -> bool:
        """Did we write this already? Only what is internal carries its key: the subject of a reply is for those who get it."""
        us = self._api.us()
        ours = [each for each in self._api.written(order.ticket) if each.creator.id == us]
        if order.internal:
            return any(each.type == "Comment" and each.data.strip() == order.key for each in ours)
        if not ours or ours[0].type != "Correspond":
            return False
        return said_before([self._api.words_of(ours[0].id)], order.body)

    def _say(self, order: Order, before: _Before, status: str = "") -> None:
        """Write what an order says; a new status goes with it, so that there is never the one without the other."""
        body = order.body.strip()
        if before.said or not body:
            if status:
                self._api.change(order.ticket, order.action, {"Status": status})
            return
        way, subject = ("comment", {"Subject": order.key}) if order.internal else ("correspond", {})
        content = {"Content": body, "ContentType": "text/plain", **subject}
        self._api.write(
            order.ticket, way, order.action, {**content, **({"Status": status} if status else {})}
        )

    def _raise(self, order: Order, before: _Before) -> None:
        if not self._rises(order, before) and not order.internal:
            return
        self._say(order, before)
        self._lift(order, before)

    def _rises(self, order: Order, before: _Before) -> bool:
        present = self._scale.ours(before.ticket.priority)
        return higher_of(present, order.priority) is not present

    def _lift(self, order: Order, before: _Before) -> None:
        """Raise the priority to that of the order; what people have set higher is left alone."""
        if not self._rises(order, before):
            return
        wanted = self._scale.theirs(order.priority)
        afterwards(lambda: self._api.change(order.ticket, order.action, {"Priority": int(wanted)}))
        after = afterwards(lambda: self._ticket(order.ticket))
        if after is None or after.priority != wanted:
            raise DeliveryError(Fate.UNCERTAIN, "the helpdesk did not change the priority")

    def _close(self, order: Order, before: _Before) -> None:
        if before.closed and not order.internal:
            return
        self._say(order, before, "" if before.closed else self._options.closed_status)
        if not before.closed and not afterwards(lambda: self._is_closed(order.ticket)):
            raise self._not_taken(self._options.closed_status)

    def _reopen(self, order: Order, before: _Before) -> None:
        if not before.closed and not order.internal:
            return
        self._say(order, before, self._options.open_status if before.closed else "")
        if before.closed and afterwards(lambda: self._is_closed(order.ticket)):
            raise self._not_taken(self._options.open_status)
        self._lift(order, before)

    def _not_taken(self, status: str) -> DeliveryError:
        flaw = Phrase("helpdesk.rt.status_not_taken", {"status": status})
        return DeliveryError(Fate.REFUSED, flaw.say(self._options.language))

    def _ticket(self, ticket: str) -> Ticket | None:
        return next(islice(self._api.tickets(f"id = {ticket}"), 1), None)

    def _is_closed(self, ticket: str) -> bool:
        present = self._ticket(ticket)
        return present is not None and self._statuses.is_final(present)

    def _is_ours(self, ticket: Ticket, reference: str, field: str) -> bool:
        """Where people moved it to a queue without the field, the subject tells."""
        if ticket.has(field):
            return ticket.value_of(field) == reference
        return f"[{reference}]" in ticket.subject

    def _known_field(self) -> str:
        if self._field is None:
            self._field = self._require_field()
        return self._field

    def _require_field(self) -> str:
        """Return the number of the reference field, asked for anew; DeliveryError with `forbidden` if it is gone."""
        place = self._places.of(self._options.department)
        queue = self._api.queue(place)
        field = None if queue is None else self._field_of(queue)
        if field is None:
            self._fitness.doubt()
            raise self._forbidden(self._without_field(place))
        return field

    def _forbidden(self, flaw: Phrase) -> DeliveryError:
        return DeliveryError(Fate.FORBIDDEN, flaw.say(self._options.language))

    def _field_of(self, queue: Queue) -> str | None:
        wanted = self._options.reference_field
        return next((each.id for each in queue.fields if wanted in (each.name, each.id)), None)

    def _without_field(self, place: str) -> Phrase:
        return Phrase("helpdesk.rt.field", {"field": self._options.reference_field, "queue": place})

    def _flaws_of(self, place: str) -> list[Phrase]:
        try:
            queue = self._api.queue(place)
        except DeliveryError as error:
            # Who we are was accepted a moment ago, so it is the queue that we may not see.
            if error.fate is not Fate.FORBIDDEN:
                raise
            queue = None
        if queue is None or queue.disabled != "0":
            return [Phrase("helpdesk.rt.queue", {"queue": place})]
        flaws = []
        if not any(link.ref == "create" for link in queue.links):
            flaws.append(Phrase("helpdesk.rt.create", {"queue": place}))
        return flaws + self._flaws_of_field(queue, place)

    def _flaws_of_field(self, queue: Queue, place: str) -> list[Phrase]:
        field = self._field_of(queue)
        definition = None if field is None else self._api.custom_field(field)
        if definition is None:
            return [self._without_field(place)]
        if definition.kind != "Freeform" or definition.most != "1":
            return [Phrase("helpdesk.rt.field_kind", {"field": self._options.reference_field})]
        return []

    def _found(self, ticket: Ticket, reference: str) -> Found:
        return Found(
            ticket=ticket.id,
            reference=reference,
            url=self._options.link_to(ticket.id),
            status=TicketStatus.CLOSED if self._statuses.is_final(ticket) else TicketStatus.OPEN,
            priority=self._scale.ours(ticket.priority),
        )

    def _receipt(self, ticket: str) -> Receipt:
        return Receipt(ticket=ticket, url=self._options.link_to(ticket))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What is known of a ticket before it is changed; `said` is whether the order's words stand there already."""

    ticket: Ticket
    closed: bool
    said: bool


def _build(options: RtOptions, tools: HelpdeskTools) -> Rt:
    return Rt(options, tools.now)


RT = HelpdeskKind(name="rt", options=RtOptions, build=_build)
