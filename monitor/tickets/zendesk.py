"""Zendesk by its API: our reference is the `external_id`, one request carries words and changes together.

The key of each order goes into the metadata of what it writes, so that the same order twice is seen; a creation has it as its
`Idempotency-Key`. What Zendesk has closed cannot be written to any more, which is why such a ticket counts as gone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, SecretStr

from monitor.checks.options.durations import Duration
from monitor.language.phrases import Phrase, listed
from monitor.post.port import Address
from monitor.tickets.answers import is_number, read
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
from monitor.tickets.zendesk_api import OneTicket, Ticket, ZendeskApi
from monitor.tickets.zendesk_records import ZendeskRecords

_SEARCH_LAG = timedelta(minutes=15)
_OPEN, _SOLVED = "open", "solved"


class ZendeskOptions(HttpOptions):
    """Where Zendesk is, and who we are there.

    `user` is the address of an agent of our own and `token` an API token. `group` is the name, or the number, of the group that tickets
    go to. `search_lag` is long, because lists may lag behind by minutes.
    """

    user: Address
    token: SecretStr = Field(min_length=4)
    group: str | int
    search_lag: Duration = _SEARCH_LAG


class Zendesk:
    """Speaks to one Zendesk as one of its agents."""

    name = "zendesk"

    def __init__(self, options: ZendeskOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._client = Client(options, now, lambda: _credentials(options))
        self._api = ZendeskApi(self._client)
        self._scale = Scale({ours: ours.value for ours in Priority}, options.priorities)
        self._places = Places(options, options.group)
        self._fitness = Fitness(self.inspect, options.language)
        self.records = ZendeskRecords(self._api, self._places, self._scale, now, self._url)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask who we are, for the groups and for the priorities that may be given."""
        return inspected(self._flaws, "helpdesk.zendesk.credentials")

    def perform(self, order: Order) -> Receipt:
        """Carry out one action; an order whose key the ticket knows is done already."""
        if order.action is Action.CREATE:
            return self._create(order)
        ticket = beforehand(lambda: self._living(order))
        if ticket.is_frozen or beforehand(lambda: self.records.knows(ticket.id, order.key)):
            return self._receipt(ticket.id)
        changes = self._changes(order, ticket)
        body = {
            "comment": {"body": order.body, "public": not order.internal},
            "metadata": {"vigia": order.key},
            **changes,
        }
        after = self._write(
            Ask(method="PUT", path=f"/api/v2/tickets/{ticket.id}", action=order.action, json={"ticket": body})
        )
        if any(getattr(after, name) != value for name, value in changes.items()):
            raise DeliveryError(Fate.REFUSED, "the helpdesk accepts the change and does not make it")
        return self._receipt(after.id)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the tickets with exactly this `external_id`; those that were merged into others are none."""
        pages = self._api.pages_of_tickets((("external_id", reference),))
        listing = (each for page in pages for each in page if each.external_id == reference)
        ours = {each.id: each for each in listing if not each.is_merged}
        return tuple(self._found(ours[key]) for key in sorted(ours, key=int))

    def _flaws(self) -> Iterator[Phrase]:
        if not self._api.ourselves().is_staff:
            yield Phrase("helpdesk.zendesk.credentials")
            return
        groups = self._api.groups()
        for ours, group in self._places.followed.items():
            if group not in groups:
                values = {"department": ours, "group": group, "found": listed(groups)}
                yield Phrase("helpdesk.zendesk.group", values)
        allowed = self._api.priorities()
        for word in self._scale.words:
            if word not in allowed:
                values = {"priority": word, "found": listed(allowed)}
                yield Phrase("helpdesk.zendesk.priority", values)

    def _create(self, order: Order) -> Receipt:
        self._fitness.require()
        known = [each for each in beforehand(lambda: self.find(order.reference)) if not each.frozen]
        if known:
            return Receipt(ticket=known[0].ticket, url=known[0].url)
        group = beforehand(lambda: self._api.groups().get(self._places.of(order.department)))
        ticket = {
            "subject": order.subject,
            "comment": {"body": f"{order.body}\n\n[{order.reference}]"},
            "priority": self._scale.theirs(order.priority),
            "type": "incident",
            "external_id": order.reference,
            "group_id": group,
            "metadata": {"vigia": order.key},
        }
        headers = {"Idempotency-Key": f"{order.key}-{_digest(ticket)}"}
        made = self._write(
            Ask(
                method="POST",
                path="/api/v2/tickets",
                action=order.action,
                json={"ticket": ticket},
                headers=headers,
            )
        )
        if made.external_id != order.reference:
            self._fitness.doubt()
        return self._receipt(made.id)

    def _write(self, ask: Ask) -> Ticket:
        return read(OneTicket, self._client.ask(ask)).ticket

    def _living(self, order: Order) -> Ticket:
        if not is_number(order.ticket):
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket")
        ticket = self._api.ticket(order.ticket)
        if ticket.is_merged or (ticket.is_frozen and order.action is not Action.RESOLVE):
            raise DeliveryError(Fate.MISSING, "the helpdesk has closed the ticket for good")
        return ticket

    def _changes(self, order: Order, ticket: Ticket) -> dict[str, Any]:
        changes = {}
        if order.action is Action.RESOLVE and not ticket.is_closed:
            changes["status"] = _SOLVED
        if order.action is Action.REOPEN and ticket.is_closed:
            changes["status"] = _OPEN
        if order.action in (Action.PRIORITY, Action.REOPEN):
            changes["priority"] = self._scale.theirs(order.priority)
        return changes

    def _found(self, ticket: Ticket) -> Found:
        answered = self.records.answered_at(ticket)
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Found(
            ticket=ticket.id,
            reference=ticket.external_id,
            url=self._url(ticket.id),
            status=TicketStatus.CLOSED if ticket.is_closed else open_status,
            priority=self._scale.ours(ticket.priority),
            answered_at=answered,
            frozen=ticket.is_frozen,
        )

    def _receipt(self, ticket: str) -> Receipt:
        return Receipt(ticket=ticket, url=self._url(ticket))

    def _url(self, ticket: str) -> str:
        return f"{self._options.url.rstrip('/')}/agent/tickets/{ticket}"


def _credentials(options: ZendeskOptions) -> dict[str, str]:
    pair = f"{options.user}/token:{options.token.get_secret_value()}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _digest(ticket: object) -> str:
    """What a key stands for: Zendesk refuses one that comes back with other words, and a late creation has others."""
    return hashlib.sha256(repr(ticket).encode()).hexdigest()[:12]


def _build(options: ZendeskOptions, tools: HelpdeskTools) -> Zendesk:
    return Zendesk(options, tools.now)


ZENDESK = HelpdeskKind(name="zendesk", options=ZendeskOptions, build=_build)
