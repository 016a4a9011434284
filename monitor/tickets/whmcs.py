"""WHMCS by its API: forms posted to one address, errors that come as HTTP 200, no field for a reference and no keys.

Our reference stands in the subject, and once more in the opening for the day that somebody renames the ticket. It is compared
exactly, whatever the search thinks to be like it. How what people did there is read stands in `monitor.tickets.whmcs_records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator

from monitor.checks.options.durations import Duration
from monitor.language.phrases import Phrase, listed
from monitor.language.refusals import RefusalError
from monitor.language.zones import known_zone
from monitor.post.port import Address
from monitor.tickets.answers import is_number, said_before
from monitor.tickets.beforehand import Fitness, afterwards, beforehand, inspected
from monitor.tickets.client import HttpOptions
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
from monitor.tickets.whmcs_api import Api, Listed, Ticket
from monitor.tickets.whmcs_records import Customs, WhmcsRecords

_PRIORITIES = {
    Priority.LOW: "Low",
    Priority.NORMAL: "Medium",
    Priority.HIGH: "High",
    Priority.URGENT: "High",
}


class WhmcsOptions(HttpOptions):
    """Where WHMCS is, and who we are there.

    `identifier` and `secret` are API credentials of an administrator of our own, `access_key` the key that lets us in from any
    address, if one is set. `department_id` is the number of the support department. `time_zone` is the zone that WHMCS writes its times in.
    `name` and `email` stand as who opened a ticket. `admin_username` is the administrator's login: without it public words are written
    as notes. `admin_path` is the folder of the admin area, for links. `open_status` and `closed_status` are how the two are called there.
    `search_lag` may be short, because the list is read from the database.
    """

    identifier: str = Field(min_length=4)
    secret: SecretStr = Field(min_length=4)
    access_key: SecretStr | None = Field(default=None, min_length=4)
    department_id: int = Field(ge=1)
    time_zone: Annotated[str, AfterValidator(known_zone)]
    name: str = Field(default="Vigía", min_length=1)
    email: Address = "vigia@vigia.invalid"
    admin_username: str = ""
    admin_path: str = Field(default="admin", pattern=r"^[A-Za-z0-9_-]+$")
    open_status: str = Field(default="Open", min_length=1)
    closed_status: str = Field(default="Closed", min_length=1)
    search_lag: Duration = timedelta(seconds=10)

    @field_validator("priorities")
    @classmethod
    def _three_words(cls, priorities: Mapping[Priority, str | int]) -> Mapping[Priority, str | int]:
        allowed = sorted(set(_PRIORITIES.values()))
        for word in priorities.values():
            if word not in allowed:
                raise RefusalError("configuration.helpdesk.word", found=word, allowed=", ".join(allowed))
        return priorities

    @field_validator("departments")
    @classmethod
    def _numbers(cls, departments: Mapping[str, str | int]) -> Mapping[str, str | int]:
        for number in departments.values():
            if not is_number(str(number)):
                raise RefusalError("configuration.helpdesk.number", found=number)
        return departments


class Whmcs:
    """Speaks to one WHMCS as one of its administrators."""

    name = "whmcs"

    def __init__(self, options: WhmcsOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._api = Api(options, now, _credentials(options))
        self._scale = Scale(_PRIORITIES, options.priorities)
        self._places = Places(options, options.department_id)
        self._fitness = Fitness(self.inspect, options.language)
        customs = Customs(
            places=self._places,
            scale=self._scale,
            zone=ZoneInfo(options.time_zone),
            closed_status=options.closed_status,
            email=options.email,
            page=self._url,
        )
        self.records = WhmcsRecords(self._api, customs, now)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find` after it was made."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask who we are and what there is; every call that a role of the API may forbid is tried, as far as it only reads."""
        return inspected(self._flaws, "helpdesk.whmcs.credentials")

    def perform(self, order: Order) -> Receipt:
        """Carry out one action; what the ticket has already is not done again."""
        if order.action is Action.CREATE:
            return self._create(order)
        ticket = beforehand(lambda: self._living(order.ticket))
        wanted = {} if order.action is Action.COMMENT else self._wanted(order, ticket)
        if wanted:
            self._api.ask("UpdateTicket", order.action, ticketid=ticket.id, **wanted)
            after = afterwards(lambda: self._living(order.ticket))
            _require(after, wanted)
            afterwards(lambda: self._say(order, after))
            if "status" in wanted:
                self.records.put_down(ticket.id, closed=order.action is Action.RESOLVE)
        elif not beforehand(lambda: self._was_said(order, ticket)):
            self._say(order, ticket)
        return self._receipt(ticket.id)

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the tickets whose subject has exactly our mark; if none has, those that lost it by a new name."""
        mark = f"[{reference}]"
        marked = (each for each in self._api.tickets(subject=reference) if mark in each.subject)
        # Whatever still bears a mark of ours is the ticket of another fault.
        renamed = (
            each for each in self._api.tickets(email=self._options.email) if "[VG-" not in each.subject
        )
        ours = self._opened_with(mark, marked) or self._opened_with(mark, renamed)
        return tuple(self._found(ours[key], reference) for key in sorted(ours, key=int))

    def _opened_with(self, mark: str, candidates: Iterable[Listed]) -> dict[str, Ticket]:
        """Return those that we opened with this mark: anybody may quote it, but nobody else ends an opening with it."""
        tickets = (self._api.ticket(each.id) for each in candidates)
        return {
            ticket.id: ticket
            for ticket in tickets
            if ticket is not None and ticket.opening.endswith(mark) and not ticket.merged
        }

    def _flaws(self) -> Iterator[Phrase]:
        self._api.ourselves()
        departments = self._api.departments()
        for ours, number in self._places.followed.items():
            if number not in departments:
                values = {"department": ours, "number": number, "found": listed(departments)}
                yield Phrase("helpdesk.whmcs.department", values)
        statuses = self._api.statuses()
        for status in (self._options.open_status, self._options.closed_status):
            if status not in statuses:
                yield Phrase("helpdesk.whmcs.status", {"status": status, "found": listed(statuses)})
        self._api.page(0, {})

    def _create(self, order: Order) -> Receipt:
        self._fitness.require()
        if known := beforehand(lambda: self.find(order.reference)):
            return Receipt(ticket=known[0].ticket, url=known[0].url)
        ticket = self._api.open(
            deptid=self._places.of(order.department),
            subject=order.subject,
            message=f"{order.body}\n\n[{order.reference}]",
            priority=self._scale.theirs(order.priority),
            name=self._options.name,
            email=self._options.email,
            noemail="true",
        )
        return self._receipt(ticket)

    def _living(self, number: str) -> Ticket:
        ticket = self._api.ticket(number) if is_number(number) else None
        if ticket is None or ticket.merged:
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        return ticket

    def _wanted(self, order: Order, ticket: Ticket) -> dict[str, str]:
        """Return what is not yet as the order wants it."""
        closed = self._is_closed(ticket)
        changes: dict[str, str] = {}
        if order.action is Action.RESOLVE and not closed:
            changes["status"] = self._options.closed_status
        if order.action is Action.REOPEN and closed:
            changes["status"] = self._options.open_status
        priority = self._scale.theirs(order.priority)
        if order.action is not Action.RESOLVE and ticket.priority != priority:
            changes["priority"] = priority
        return changes

    def _is_note(self, order: Order) -> bool:
        return order.internal or not self._options.admin_username

    def _was_said(self, order: Order, ticket: Ticket) -> bool:
        return said_before(self.records.of_us(ticket, internal=self._is_note(order)), order.body)

    def _say(self, order: Order, ticket: Ticket) -> None:
        """Write what the order says; an answer of ours leaves the status as it is, for it is nobody's answer."""
        if self._is_note(order):
            self._api.ask("AddTicketNote", order.action, ticketid=ticket.id, message=order.body)
            return
        self._api.ask(
            "AddTicketReply",
            order.action,
            ticketid=ticket.id,
            message=order.body,
            adminusername=self._options.admin_username,
            status=ticket.status,
        )

    def _is_closed(self, ticket: Ticket) -> bool:
        return ticket.status == self._options.closed_status

    def _found(self, ticket: Ticket, reference: str) -> Found:
        answered = self.records.answered_at(ticket)
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Found(
            ticket=ticket.id,
            reference=reference,
            url=self._url(ticket.id),
            status=TicketStatus.CLOSED if self._is_closed(ticket) else open_status,
            priority=self._scale.ours(ticket.priority),
            answered_at=answered,
        )

    def _receipt(self, ticket: str) -> Receipt:
        return Receipt(ticket=ticket, url=self._url(ticket))

    def _url(self, ticket: str) -> str:
        root = self._options.url.rstrip("/")
        return f"{root}/{self._options.admin_path}/supporttickets.php?action=view&id={ticket}"


def _require(ticket: Ticket, wanted: Mapping[str, str]) -> None:
    now = {"status": ticket.status, "priority": ticket.priority}
    if any(now[key] != value for key, value in wanted.items()):
        raise DeliveryError(Fate.REFUSED, "the helpdesk accepts the change and does not make it")


def _credentials(options: WhmcsOptions) -> dict[str, str]:
    given = {"identifier": options.identifier, "secret": options.secret.get_secret_value()}
    if options.access_key is not None:
        given["accesskey"] = options.access_key.get_secret_value()
    return given


def _build(options: WhmcsOptions, tools: HelpdeskTools) -> Whmcs:
    return Whmcs(options, tools.now)


WHMCS = HelpdeskKind(name="whmcs", options=WhmcsOptions, build=_build)
