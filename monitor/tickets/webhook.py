"""Any helpdesk behind a signed webhook.

We POST each action as JSON and look tickets up by GET. Both carry `Vigia-Signature: t=<unix>,v1=<hex>`, an HMAC-SHA256 with the
shared secret over the moment, a dot and the body, so that the other side can tell us from anybody else and an old request
from a fresh one. `Idempotency-Key` is the same for every attempt at one action.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from monitor.language.phrases import Phrase
from monitor.tickets.answers import body_of
from monitor.tickets.client import Client, HttpOptions, Reply, UnreadableError, link
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

# No ticket is ever called so: whoever answers an empty list to it can look tickets up.
_NOBODY = "VG-NOBODY"


class WebhookOptions(HttpOptions):
    """Where to, and the shared secret."""

    # What is shorter could not be hidden in what we show without hiding half of every sentence.
    secret: SecretStr = Field(min_length=4)


class Webhook:
    """Speaks to one URL; every call opens a line of its own and ends within the configured `timeout`."""

    name = "webhook"
    records = None

    def __init__(self, options: WebhookOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._now = now
        self._client = Client(options, now)

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask for a ticket that nobody has: that shows whether the other side accepts us and can look tickets up."""
        if self.find(_NOBODY):
            return (Phrase("helpdesk.webhook.lists_anything"),)
        return ()

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def perform(self, order: Order) -> Receipt:
        """POST one action and return the other side's id; failures carry their fate."""
        answer = self._send("POST", self._options.url, self._body(order), {"Idempotency-Key": order.key})
        self._client.require(answer, order.action)
        return _receipt(answer.body, order)

    def find(self, reference: str) -> tuple[Found, ...]:
        """GET the tickets of a reference; anything that does not carry exactly this one is left out."""
        separator = "&" if urlsplit(self._options.url).query else "?"
        url = f"{self._options.url}{separator}{urlencode({'reference': reference})}"
        answer = self._send("GET", url, b"", {})
        self._client.require(answer)
        try:
            listing = _Listing.model_validate_json(answer.body)
        except ValidationError as error:
            raise UnreadableError from error
        found = (self._found(ticket) for ticket in listing.tickets if ticket.reference == reference)
        return tuple(sorted(found, key=lambda ticket: (len(ticket.ticket), ticket.ticket)))

    def _send(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        signed = headers | {
            "Content-Type": "application/json",
            "Vigia-Signature": sign(self._options.secret.get_secret_value(), self._now(), body),
        }
        return self._client.send(method, url, body, signed)

    def _body(self, order: Order) -> bytes:
        fields = {
            "action": order.action.value,
            "reference": order.reference,
            "ticket": order.ticket or None,
            "subject": order.subject,
            "body": body_of(order) if order.action is Action.CREATE else order.body,
            "priority": self._options.priorities.get(order.priority, order.priority.value),
            "department": self._options.departments.get(order.department, order.department),
            **({"internal": True} if order.internal else {}),
        }
        return json.dumps(fields, ensure_ascii=False).encode()

    def _found(self, ticket: _Listed) -> Found:
        return Found(
            ticket=str(ticket.id),
            reference=ticket.reference,
            url=link(ticket.url),
            status=TicketStatus(ticket.status) if ticket.status in set(TicketStatus) else TicketStatus.OPEN,
            priority=self._priority(ticket.priority),
            answered_at=ticket.answered_at,
        )

    def _priority(self, word: str | int | None) -> Priority:
        for ours in Priority:
            if str(self._options.priorities.get(ours, ours.value)) == str(word):
                return ours
        return Priority.NORMAL


def sign(secret: str, moment: datetime, body: bytes) -> str:
    """Return the value of `Vigia-Signature` for a body sent at `moment`."""
    seconds = str(int(moment.timestamp()))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class _Made(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | int = Field(union_mode="left_to_right")
    url: str = ""


class _Listed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | int = Field(union_mode="left_to_right")
    reference: str
    status: str = TicketStatus.OPEN
    priority: str | int | None = None
    url: str = ""
    answered_at: datetime | None = None


class _Listing(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tickets: tuple[_Listed, ...]


def _receipt(body: bytes, order: Order) -> Receipt:
    # Only a creation tells us something new; a helpdesk may answer the rest with an empty body.
    if not body.strip() and order.action is not Action.CREATE:
        return Receipt(ticket=order.ticket, url="")
    try:
        made = _Made.model_validate_json(body)
    except ValidationError as error:
        raise UnreadableError from error
    ticket = str(made.id)
    if not ticket or len(ticket) > 200 or not ticket.isprintable():
        raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer names no usable ticket")
    return Receipt(ticket=ticket, url=link(made.url))


def _build(options: WebhookOptions, tools: HelpdeskTools) -> Webhook:
    return Webhook(options, tools.now)


WEBHOOK = HelpdeskKind(name="webhook", options=WebhookOptions, build=_build)
