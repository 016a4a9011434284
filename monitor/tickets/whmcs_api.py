"""The calls of WHMCS that we use: every answer is HTTP 200, numbers come as texts, and a list of none as anything."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from monitor.language.phrases import one_line
from monitor.tickets.answers import Shape, read
from monitor.tickets.client import Ask, Client, HttpOptions, Reply
from monitor.tickets.port import Action, DeliveryError, Fate

# WHMCS hands out so many at a time.
PAGE = 25
_PATH = "/includes/api.php"
_GONE = "ticket id not found"
_LOCKED_OUT = (
    "authentication failed",
    "invalid ip",
    "invalid permissions",
    "invalid or missing",
    "access denied",
)
_LONGEST_ERROR = 160


def _inner(name: str) -> BeforeValidator:
    """`{"reply": [...]}` stands for a list; where there is none, PHP writes an empty text, an empty list or nothing."""

    def taken(value: object) -> object:
        found = value.get(name) if isinstance(value, dict) else value
        if isinstance(found, dict):
            return list(found.values())
        return found if isinstance(found, list) else []

    return BeforeValidator(taken)


def _plain(value: object) -> str:
    """WHMCS keeps what people write with its special characters escaped."""
    text = "" if value is None else html.unescape(str(value))
    return text.replace("\r\n", "\n").strip()


Plain = Annotated[str, BeforeValidator(_plain)]


class Message(Shape):
    """One public message; `admin` is empty for what the customer wrote. The opening is number 0."""

    id: Plain = Field(alias="replyid")
    date: Plain
    message: Plain = ""
    admin: Plain = ""


class Note(Shape):
    """One note for the department alone."""

    id: Plain = Field(alias="noteid")
    date: Plain
    message: Plain = ""
    admin: Plain = ""


class Listed(Shape):
    """A ticket as a list shows it, without what was said."""

    id: Plain = Field(validation_alias=AliasChoices("id", "ticketid"))
    deptid: Plain
    subject: Plain
    status: Plain
    priority: Plain
    name: Plain = ""
    email: Plain = ""
    date: Plain
    lastreply: Plain = ""
    flag: Plain = ""
    merged_ticket_id: Plain = ""

    @property
    def merged(self) -> bool:
        """Do its messages stand on another ticket now?"""
        return self.merged_ticket_id not in ("", "0")


class Ticket(Listed):
    """A ticket with everything that was said on it."""

    replies: Annotated[list[Message], _inner("reply")] = Field(default=[])
    notes: Annotated[list[Note], _inner("note")] = Field(default=[])

    @property
    def opening(self) -> str:
        """The first message."""
        return next((reply.message for reply in self.replies if reply.id == "0"), "")


class Api:
    """One WHMCS with our credentials; each call is one POST."""

    def __init__(
        self, options: HttpOptions, now: Callable[[], datetime], credentials: Mapping[str, str]
    ) -> None:
        self._client = Client(options, now)
        self._credentials = credentials

    def ask(self, call: str, action: Action | None = None, /, **fields: str) -> Reply:
        """Return the answer to one call, or raise DeliveryError by what WHMCS says; `action` is what it does to a ticket."""
        form = {**self._credentials, "action": call, "responsetype": "json", **fields}
        reply = self._client.ask(Ask(method="POST", path=_PATH, action=action, form=form))
        outcome = read(_Outcome, reply)
        if outcome.result == "success":
            return reply
        if outcome.result != "error":
            raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer cannot be read")
        raise DeliveryError(
            _fate(outcome.message), f"the helpdesk refuses {call}: {self._quoted(outcome.message)}"
        )

    def open(self, **fields: str) -> str:
        """Open a ticket and return its number."""
        made = read(_Made, self.ask("OpenTicket", Action.CREATE, **fields))
        return made.id

    def ticket(self, number: str) -> Ticket | None:
        """Return one ticket with all that was said on it; None if it is gone."""
        try:
            return read(Ticket, self.ask("GetTicket", ticketid=number, repliessort="ASC"))
        except DeliveryError as error:
            if error.fate is Fate.MISSING:
                return None
            raise

    def tickets(self, **criteria: str) -> list[Listed]:
        """Return every ticket that meets the criteria, as far as WHMCS thinks so, all pages of them."""
        found: dict[str, Listed] = {}
        start, total = 0, 1
        while start < total:
            page = self.page(start, criteria)
            found |= {each.id: each for each in page.tickets}
            if not page.tickets:
                break
            start, total = start + len(page.tickets), page.total
        return list(found.values())

    def page(self, start: int, criteria: Mapping[str, str]) -> Page:
        """Return one page of a list."""
        fields = {
            "limitstart": str(start),
            "limitnum": str(PAGE),
            "ignore_dept_assignments": "true",
            **criteria,
        }
        return read(Page, self.ask("GetTickets", **fields))

    def departments(self) -> list[str]:
        """Return the numbers of the support departments."""
        answer = self.ask("GetSupportDepartments", ignore_dept_assignments="true")
        return [each.id for each in read(_Departments, answer).departments]

    def statuses(self) -> list[str]:
        """Return the names of the statuses of tickets."""
        return [each.title for each in read(_Statuses, self.ask("GetSupportStatuses")).statuses]

    def ourselves(self) -> str:
        """Return the name of the administrator whose credentials we have, as it stands on what we write."""
        return read(_Self, self.ask("GetAdminDetails")).name

    def admins(self) -> dict[str, str]:
        """Return the names of the administrators by their numbers."""
        listed = read(_Admins, self.ask("GetAdminUsers")).admin_users
        return {each.id: f"{each.firstname} {each.lastname}".strip() or each.username for each in listed}

    def _quoted(self, message: str) -> str:
        shown = one_line(message)
        for secret in self._credentials.values():
            shown = shown.replace(secret, "***")
        return shown[:_LONGEST_ERROR]


def _fate(message: str) -> Fate:
    said = message.casefold()
    if _GONE in said:
        return Fate.MISSING
    return Fate.FORBIDDEN if any(words in said for words in _LOCKED_OUT) else Fate.REFUSED


class Page(Shape):
    """One page of a list, and how many tickets the whole list has."""

    total: int = Field(alias="totalresults")
    tickets: Annotated[list[Listed], _inner("ticket")] = Field(default=[])


class _Outcome(Shape):
    result: str = ""
    message: Plain = ""


class _Made(Shape):
    id: Plain = Field(min_length=1)


class _Department(Shape):
    id: Plain


class _Departments(Shape):
    departments: Annotated[list[_Department], _inner("department")]


class _Status(Shape):
    title: Plain


class _Statuses(Shape):
    statuses: Annotated[list[_Status], _inner("status")]


class _Self(Shape):
    name: Plain


class _Admin(Shape):
    id: Plain
    username: Plain = ""
    firstname: Plain = ""
    lastname: Plain = ""


class _Admins(Shape):
    admin_users: Annotated[list[_Admin], _inner("admin_users")]
