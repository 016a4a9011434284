"""Zammad by its API: our reference is an attribute of the ticket that somebody has to make first; states and priorities go by name.

Zammad drops fields that it does not know without a word, which is why the attribute is looked for before a ticket is opened. Its
search reads an index that lags; asked by a condition it reads the database. We ask both ways and compare ourselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from monitor.checks.options.durations import Duration
from monitor.language.phrases import Phrase, listed
from monitor.language.refusals import RefusalError
from monitor.post.port import Address
from monitor.tickets.answers import is_number
from monitor.tickets.beforehand import Fitness, beforehand, inspected
from monitor.tickets.client import Ask, Client, HttpOptions
from monitor.tickets.mapping import Places, Scale
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
from monitor.tickets.zammad_api import Ticket, ZammadApi
from monitor.tickets.zammad_records import ZammadRecords

_SEARCH_LAG = timedelta(minutes=15)
_PRIORITIES = {
    Priority.LOW: "1 low",
    Priority.NORMAL: "2 normal",
    Priority.HIGH: "3 high",
    Priority.URGENT: "3 high",
}


def _attribute(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise RefusalError("configuration.helpdesk.attribute", found=name)
    return name


class ZammadOptions(HttpOptions):
    """Where Zammad is, and who we are there.

    `token` is an access token of an agent of our own. `group` is the name of the group that tickets go to. `customer` is the address that
    tickets are opened for. `reference_field` is the ticket attribute that keeps our reference, a text. `open_state` and `closed_state` are the
    states that we reopen and close with. `search_lag` is long, because the search index may lag behind.
    """

    token: SecretStr = Field(min_length=4)
    group: str = Field(min_length=1)
    customer: Address
    reference_field: Annotated[str, AfterValidator(_attribute)] = "vigia_reference"
    open_state: str = Field(default="open", min_length=1)
    closed_state: str = Field(default="closed", min_length=1)
    search_lag: Duration = _SEARCH_LAG


class Zammad:
    """Speaks to one Zammad as one of its agents."""

    name = "zammad"

    def __init__(self, options: ZammadOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._api = ZammadApi(Client(options, now, lambda: _credentials(options)), options.reference_field)
        self._scale = Scale(_PRIORITIES, options.priorities)
        self._places = Places(options, options.group)
        self._fitness = Fitness(self.inspect, options.language)
        self.records = ZammadRecords(self._api, self._places, self._scale, now, self._url)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask who we are and what we may, for states and priorities, and for the attribute."""
        return inspected(self._flaws, "helpdesk.zammad.credentials")

    def perform(self, order: Order) -> Receipt:
        """Carry out one action; an order whose key the ticket knows is done already."""
        if order.action is Action.CREATE:
            return self._create(order)
        ticket = beforehand(lambda: self._living(order.ticket))
        mark = _mark(order)
        if any(article.message_id == mark for article in beforehand(lambda: self._api.articles(ticket.id))):
            return self._receipt(ticket.id)
        changes = self._changes(order, ticket)
        body = {**changes, "article": self._article(order, order.body)}
        path = f"/api/v1/tickets/{ticket.id}"
        after = self._api.write(Ask(method="PUT", path=path, action=order.action, json=body))
        if any(getattr(after, name) != value for name, value in changes.items()):
            raise DeliveryError(Fate.REFUSED, "the helpdesk accepts the change and does not make it")
        return self._receipt(after.id)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the tickets whose attribute is exactly this reference; those that were merged into others are none."""
        listing = [*self._api.indexed(reference), *self._api.stored(reference)]
        ours = {each.id: each for each in listing if each.reference == reference}
        living = (ours[key] for key in sorted(ours, key=int) if not self._api.is_merged(ours[key]))
        return tuple(self._found(ticket) for ticket in living)

    def _flaws(self) -> Iterator[Phrase]:
        groups = self._api.groups()
        for ours, group in self._places.followed.items():
            if group not in groups:
                values = {"department": ours, "group": group, "found": listed(groups)}
                yield Phrase("helpdesk.zammad.group", values)
        states = self._api.states()
        for state in (self._options.open_state, self._options.closed_state):
            if state not in states:
                yield Phrase("helpdesk.zammad.state", {"state": state, "found": listed(states)})
        allowed = self._api.priorities()
        for word in self._scale.words:
            if word not in allowed:
                yield Phrase("helpdesk.zammad.priority", {"priority": word, "found": listed(allowed)})
        if not self._api.has_field():
            yield Phrase("helpdesk.zammad.field", {"field": self._options.reference_field})

    def _create(self, order: Order) -> Receipt:
        self._fitness.require()
        if known := self._known(order.reference):
            return Receipt(ticket=known[0].ticket, url=known[0].url)
        body = {
            "title": order.subject,
            "group": self._places.of(order.department),
            # Zammad makes the customer if there is none of this address yet.
            "customer_id": f"guess:{self._options.customer}",
            "priority": self._scale.theirs(order.priority),
            self._options.reference_field: order.reference,
            "article": {
                **self._article(order, f"{order.body}\n\n[{order.reference}]"),
                "subject": order.subject,
                "internal": False,
            },
        }
        made = self._api.write(Ask(method="POST", path="/api/v1/tickets", action=order.action, json=body))
        if made.reference != order.reference:
            self._fitness.doubt()
        return self._receipt(made.id)

    def _known(self, reference: str) -> tuple[Found, ...]:
        """Return what is there already; a search that fails may mean that the attribute is gone by now."""
        try:
            return beforehand(lambda: self.find(reference))
        except DeliveryError:
            self._fitness.doubt()
            raise

    def _article(self, order: Order, words: str) -> dict[str, Any]:
        return {
            "body": words,
            "content_type": "text/plain",
            "type": "note",
            "internal": order.internal,
            "message_id": _mark(order),
        }

    def _living(self, number: str) -> Ticket:
        ticket = self._api.ticket(number) if is_number(number) else None
        if ticket is None or self._api.is_merged(ticket):
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        return ticket

    def _changes(self, order: Order, ticket: Ticket) -> dict[str, str]:
        changes = {}
        closed = self._api.is_closed(ticket)
        if order.action is Action.RESOLVE and not closed:
            changes["state"] = self._options.closed_state
        if order.action is Action.REOPEN and closed:
            changes["state"] = self._options.open_state
        if order.action in (Action.PRIORITY, Action.REOPEN):
            changes["priority"] = self._scale.theirs(order.priority)
        return changes

    def _found(self, ticket: Ticket) -> Found:
        answered = self.records.answered_at(ticket)
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Found(
            ticket=ticket.id,
            reference=ticket.reference,
            url=self._url(ticket.id),
            status=TicketStatus.CLOSED if self._api.is_closed(ticket) else open_status,
            priority=self._scale.ours(ticket.priority),
            answered_at=answered,
        )

    def _receipt(self, ticket: str) -> Receipt:
        return Receipt(ticket=ticket, url=self._url(ticket))

    def _url(self, ticket: str) -> str:
        return f"{self._options.url.rstrip('/')}/#ticket/zoom/{ticket}"


def _credentials(options: ZammadOptions) -> dict[str, str]:
    return {"Authorization": f"Token token={options.token.get_secret_value()}"}


def _mark(order: Order) -> str:
    """The key of an order as the name of the message that it writes, where nobody but a mail program would look for it."""
    return f"<{order.key}@vigia>"


def _build(options: ZammadOptions, tools: HelpdeskTools) -> Zammad:
    return Zammad(options, tools.now)


ZAMMAD = HelpdeskKind(name="zammad", options=ZammadOptions, build=_build)
