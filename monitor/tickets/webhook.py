"""Any helpdesk behind a signed webhook.

We POST each action as JSON and look tickets up by GET. Both carry `Vigia-Signature: t=<unix>,v1=<hex>`, an HMAC-SHA256 with the
shared secret over the moment, a dot and the body, so that the other side can tell us from anybody else and an old request
from a fresh one. `Idempotency-Key` is the same for every attempt at one action.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from monitor.checks.options.durations import Duration
from monitor.language.refusals import RefusalError
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskOptions,
    HelpdeskTools,
    Order,
    Priority,
    Receipt,
    TicketStatus,
)

if TYPE_CHECKING:
    from monitor.tickets.line import Answer

TOTAL_DEADLINE = timedelta(seconds=30)
SEARCH_LAG = timedelta(seconds=30)


class WebhookOptions(HelpdeskOptions):
    """Where to, the shared secret, and the authority that signed the other side's certificate if it is a private one.

    Plain http is only for loopback and private networks; it is checked again for each connection. `timeout` holds for a
    whole call. `search_lag` is how long a ticket may be missing in the answer to a look-up after it was made.
    """

    url: str
    # What is shorter could not be hidden in what we show without hiding half of every sentence.
    secret: SecretStr = Field(min_length=4)
    ca_file: str | None = None
    timeout: Duration = Field(default=TOTAL_DEADLINE, gt=timedelta(0), le=TOTAL_DEADLINE)
    search_lag: Duration = SEARCH_LAG

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusalError("configuration.webhook.form", found=url)
        if parts.username or parts.password or parts.fragment:
            raise RefusalError("configuration.webhook.user")
        if parts.scheme == "http" and _is_public(parts.hostname):
            raise RefusalError("configuration.webhook.clear", found=url)
        return url


class Webhook:
    """Speaks to one URL; every call opens a line of its own and ends within the configured `timeout`."""

    name = "webhook"

    def __init__(self, options: WebhookOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._now = now

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def perform(self, order: Order) -> Receipt:
        """POST one action and return the other side's id; failures carry their fate."""
        answer = self._send("POST", self._options.url, self._body(order), {"Idempotency-Key": order.key})
        raise_for_status(answer, order.action, self._now())
        return _receipt(answer.body, order)

    def find(self, reference: str) -> tuple[Found, ...]:
        """GET the tickets of a reference; anything that does not carry exactly this one is left out."""
        separator = "&" if urlsplit(self._options.url).query else "?"
        url = f"{self._options.url}{separator}{urlencode({'reference': reference})}"
        answer = self._send("GET", url, b"", {})
        raise_for_status(answer, None, self._now())
        try:
            listing = _Listing.model_validate_json(answer.body)
        except ValidationError as error:
            raise DeliveryError(Fate.UNCERTAIN, "the list of tickets cannot be read") from error
        found = (self._found(ticket) for ticket in listing.tickets if ticket.reference == reference)
        return tuple(sorted(found, key=lambda ticket: (len(ticket.ticket), ticket.ticket)))

    def _send(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        signed = headers | {
            "Content-Type": "application/json",
            "User-Agent": "vigia",
            "Vigia-Signature": sign(self._options.secret.get_secret_value(), self._now(), body),
        }
        # The client is needed when there is something to say, which for most of a service's life there is not.
        from monitor.tickets.line import Call, exchange  # noqa: PLC0415

        call = Call(method=method, url=url, headers=signed, body=body, ca_file=self._options.ca_file)
        return exchange(call, self._options.timeout)

    def _body(self, order: Order) -> bytes:
        fields = {
            "action": order.action.value,
            "reference": order.reference,
            "ticket": order.ticket or None,
            "subject": order.subject,
            "body": order.body,
            "priority": self._options.priorities.get(order.priority, order.priority.value),
            "department": order.department,
            **({"internal": True} if order.internal else {}),
        }
        return json.dumps(fields, ensure_ascii=False).encode()

    def _found(self, ticket: _Listed) -> Found:
        return Found(
            ticket=str(ticket.id),
            reference=ticket.reference,
            url=_link(ticket.url),
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


def raise_for_status(answer: Answer, action: Action | None, now: datetime) -> None:
    """Raise DeliveryError with the fate that an answer's status tells; `action` is None for a look-up."""
    if 200 <= answer.status < 300:
        return
    wait = retry_after(answer.headers.get("retry-after", ""), now)
    raise DeliveryError(
        _fate(answer.status, action, wait), f"the helpdesk answers {answer.status}", retry_after=wait
    )


def _fate(status: int, action: Action | None, wait: timedelta | None) -> Fate:
    if status in (401, 403) or 300 <= status < 400:
        return Fate.FORBIDDEN
    if status in (425, 429) or (status == 503 and wait is not None):
        return Fate.NOT_SENT
    if status == 409:
        return Fate.CONFLICT
    if status in (404, 410) and action not in (None, Action.CREATE):
        return Fate.MISSING
    # 408 says that the other side gave up waiting for us, not what it did with what it had.
    return Fate.REFUSED if 400 <= status < 500 and status != 408 else Fate.UNCERTAIN


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Return how long the other side asks us to wait, by seconds or by date; None if it does not say."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 86_400))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - now, timedelta(0))


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
        raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer cannot be read") from error
    ticket = str(made.id)
    if not ticket or len(ticket) > 200 or not ticket.isprintable():
        raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer names no usable ticket")
    return Receipt(ticket=ticket, url=_link(made.url))


def _link(url: str) -> str:
    """Only what a browser may safely follow is kept of a link that somebody else gives us."""
    return url if url.startswith(("https://", "http://")) and url.isprintable() and len(url) <= 2000 else ""


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_private)


def _build(options: WebhookOptions, tools: HelpdeskTools) -> Webhook:
    return Webhook(options, tools.now)


WEBHOOK = HelpdeskKind(name="webhook", options=WebhookOptions, build=_build)
