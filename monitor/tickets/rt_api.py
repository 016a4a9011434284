"""How we speak to Request Tracker: its keys in the configuration, the shapes of what it answers, and its lists page by page."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Generic, TypeVar
from urllib.parse import quote

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from monitor.checks.options.durations import Duration
from monitor.language.phrases import Phrase
from monitor.language.refusals import RefusalError
from monitor.post.html import words_of
from monitor.tickets.answers import Moment, Shape, read
from monitor.tickets.client import Ask, Client, HttpOptions
from monitor.tickets.mapping import Scale
from monitor.tickets.port import Action, DeliveryError, Fate, Priority

NEWEST_FIRST = (("orderby", "LastUpdated"), ("order", "DESC"))
OLDEST_FIRST = (("orderby", "id"), ("order", "ASC"))
# RT gives no more in one page.
_PAGE = 100
_PAGES = 400
# The statuses of both lifecycles for tickets that RT brings with it.
_STATUSES = frozenset({"new", "open", "stalled", "resolved", "rejected", "deleted"})
_TOKEN = re.compile(r"\d+-(?P<user>\d+)-[0-9a-fA-F]{32}")


class RtOptions(HttpOptions):
    """Where RT is, who we are there, and what it calls what we need.

    `url` is the address that people open, without `/REST/2.0`. Either `user` with `password`, or `token`. `queue`, a name or a number, serves
    the configured department and every one that is not in `departments`. `reference_field` is a custom field of tickets that takes one
    line. `open_status` and `closed_status` are set when a ticket is opened again and closed. `search_lag` may be short, because RT
    searches its database.
    """

    user: str = ""
    password: SecretStr | None = Field(default=None, min_length=4)
    token: SecretStr | None = Field(default=None, min_length=4)
    queue: str | int
    reference_field: str = Field(default="ExternalRef", min_length=1)
    open_status: str = Field(default="open", min_length=1)
    closed_status: str = Field(default="resolved", min_length=1)
    search_lag: Duration = timedelta(seconds=10)

    @field_validator("priorities")
    @classmethod
    def _are_numbers(cls, priorities: Mapping[Priority, str | int]) -> Mapping[Priority, str | int]:
        # RT 5 keeps the label of a new ticket's priority as it was sent, and reads it as the lowest ever after.
        for value in priorities.values():
            if not str(value).isdecimal():
                raise RefusalError("configuration.helpdesk.number", found=value)
        return priorities

    @field_validator("token")
    @classmethod
    def _names_its_user(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise RefusalError("configuration.helpdesk.rt.token")
        return token

    @model_validator(mode="after")
    def _says_who_we_are(self) -> RtOptions:
        by_password = bool(self.user) and self.password is not None
        if by_password == (self.token is not None):
            raise RefusalError("configuration.helpdesk.rt.credentials")
        return self

    def doubts(self) -> tuple[Phrase, ...]:
        """RT tells nobody which statuses a lifecycle has: of one that it does not bring with it only a ticket shows whether it is there."""
        chosen = dict.fromkeys((self.open_status, self.closed_status))
        return tuple(
            Phrase("helpdesk.rt.status", {"status": status})
            for status in chosen
            if status.casefold() not in _STATUSES
        )

    def link_to(self, ticket: str) -> str:
        """Return where people read a ticket."""
        return f"{self.url.rstrip('/')}/Ticket/Display.html?id={ticket}"


class Numbers(Scale):
    """Priorities as numbers: RT takes any, so what people set there is read as the nearest of ours."""

    def ours(self, word: object) -> Priority:
        """Return our priority for a number of RT; a text, which only others write there, counts as normal."""
        if not str(word).isdecimal():
            return Priority.NORMAL
        # Of two that are as near, the more urgent one.
        return min(reversed(list(Priority)), key=lambda each: abs(int(self.theirs(each)) - int(str(word))))


def _listed(value: object) -> object:
    """RT writes an empty text where a list has nothing in it."""
    return () if value == "" else value


def _moment(value: object) -> object:
    """What never happened is said to have happened in 1970."""
    return None if value in ("", None) or str(value).startswith("1970-01-01T00:00:00") else value


Id = Annotated[str, BeforeValidator(str)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
Happened = Annotated[Moment | None, BeforeValidator(_moment)]


class Named(Shape):
    """A queue by its number, a user by the login, a field by number and name."""

    id: Id
    name: str = ""


class FieldValues(Named):
    """A custom field of a ticket with what stands in it."""

    values: tuple[object, ...] = ()


class Ticket(Shape):
    """One ticket of a list, with the fields of `FIELDS`."""

    id: Id
    subject: Text = Field(alias="Subject")
    status: str = Field(alias="Status")
    priority: Text = Field(alias="Priority")
    queue: Named = Field(alias="Queue")
    creator: Named = Field(alias="Creator")
    requestors: Annotated[tuple[Named, ...], BeforeValidator(_listed)] = Field(alias="Requestor")
    created: Moment = Field(alias="Created")
    updated: Moment = Field(alias="LastUpdated")
    told: Happened = Field(alias="Told")
    resolved: Happened = Field(alias="Resolved")
    fields: Annotated[tuple[FieldValues, ...], BeforeValidator(_listed)] = Field(alias="CustomFields")

    def value_of(self, field: str) -> str:
        """Return what stands in a custom field, by name or number; "" if nothing does."""
        values = (value for each in self.fields if field in (each.name, each.id) for value in each.values)
        return str(next(values, ""))

    def has(self, field: str) -> bool:
        """Does this custom field apply where the ticket lies? People may move it to a queue that has none."""
        return any(field in (each.name, each.id) for each in self.fields)


FIELDS = "Subject,Status,Priority,Queue,Creator,Requestor,Created,LastUpdated,Told,Resolved,CustomFields"


class Transaction(Shape):
    """One entry of a ticket's history; `data` is the subject of what was written, `ticket` where it was done."""

    id: Id
    type: str = Field(alias="Type")
    field: Text = Field(alias="Field")
    old: Text = Field(alias="OldValue")
    new: Text = Field(alias="NewValue")
    data: Text = Field(alias="Data")
    created: Moment = Field(alias="Created")
    creator: Named = Field(alias="Creator")
    ticket: Id = Field(alias="ObjectId")


_REPLIES = json.dumps([{"field": "Type", "value": "Correspond"}])
_WRITTEN = json.dumps([{"field": "Type", "value": kind} for kind in ("Correspond", "Comment")])
_HISTORY = "Type,Field,OldValue,NewValue,Data,Created,Creator,ObjectId"


class _Part(Shape):
    transaction: Id = Field(alias="TransactionId")
    kind: Text = Field(alias="ContentType")
    file: Text = Field(alias="Filename")
    content: Text = Field(alias="Content")

    def words(self) -> str:
        return words_of(self.content) if self.kind == "text/html" else self.content


class Link(Shape):
    """What may be done with a queue: `create` opens a ticket there."""

    ref: str = ""


class Queue(Shape):
    """A queue as we may see it."""

    id: Id
    name: str = Field(alias="Name")
    disabled: Text = Field(default="0", alias="Disabled")
    fields: tuple[Named, ...] = Field(default=(), alias="TicketCustomFields")
    links: tuple[Link, ...] = Field(default=(), alias="_hyperlinks")


class CustomField(Shape):
    """The definition of a custom field; `most` is how many values a ticket may have of it, 0 for any number."""

    kind: str = Field(alias="Type")
    most: Text = Field(alias="MaxValues")


class User(Shape):
    """A user by login; `staff` is whether RT counts the user among those who work there."""

    login: str = Field(alias="Name")
    staff: bool = Field(default=False, alias="Privileged")


class _Made(Shape):
    id: Id


ShapeT = TypeVar("ShapeT", bound=Shape)


class _Page(Shape, Generic[ShapeT]):
    items: tuple[ShapeT, ...]
    pages: float | None


class Api:
    """The requests that we make below `/REST/2.0`, each one exchange, and lists as long as somebody goes on asking."""

    def __init__(self, options: RtOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._client = Client(options, now, self._credentials)
        self._users: dict[str, User | None] = {}
        self._us: str | None = None

    def us(self) -> str:
        """Return our own login as RT writes it, which need not be how the configuration does."""
        if self._us is None:
            token = self._options.token
            known = _TOKEN.fullmatch(token.get_secret_value()) if token else None
            number = known["user"] if known else quote(self._options.user, safe="")
            self._us = self._one(User, f"/user/{number}").login
        return self._us

    def user(self, login: str) -> User | None:
        """Return a user by login or number; None if there is none any more."""
        if login not in self._users:
            self._users[login] = self._one_or_none(User, f"/user/{quote(login, safe='')}")
        return self._users[login]

    def queue(self, name: str) -> Queue | None:
        """Return a queue by name or number; None if there is none that we may see."""
        return self._one_or_none(Queue, f"/queue/{quote(name, safe='')}")

    def custom_field(self, number: str) -> CustomField | None:
        """Return the definition of a custom field; None if there is none that we may see."""
        return self._one_or_none(CustomField, f"/customfield/{number}")

    def tickets(self, query: str, order: tuple[tuple[str, str], ...] = OLDEST_FIRST) -> Iterator[Ticket]:
        """Return the tickets of a search in TicketSQL; RT leaves out deleted ones, and those that were merged into others."""
        asked = (("query", query), ("fields", FIELDS), *order)
        return self._list(_Page[Ticket], "/tickets", asked)

    def history(self, ticket: str) -> Iterator[Transaction]:
        """Return what was done on a ticket and on those that were merged into it, oldest first."""
        return self._list(_Page[Transaction], f"/ticket/{ticket}/history", (("fields", _HISTORY),))

    def written(self, ticket: str) -> tuple[Transaction, ...]:
        """Return the last hundred things that were written on a ticket after it was opened, the newest first."""
        asked = (("query", _WRITTEN), ("fields", _HISTORY), ("orderby", "id"), ("order", "DESC"))
        return self._page(_Page[Transaction], f"/ticket/{ticket}/history", asked, 1).items

    def replies(self, ticket: str) -> Iterator[Transaction]:
        """Return what was written to everybody on a ticket, oldest first."""
        asked = (("query", _REPLIES), ("fields", _HISTORY))
        return self._list(_Page[Transaction], f"/ticket/{ticket}/history", asked, shows_all=True)

    def texts(self, ticket: str) -> Mapping[str, str]:
        """Return what was written on a ticket, plain text by the number of the transaction."""
        texts = json.dumps([{"field": "ContentType", "operator": "STARTSWITH", "value": "text/"}])
        return self._said(f"/ticket/{ticket}/attachments", (("query", texts),))

    def words_of(self, transaction: str) -> str:
        """Return what was written in one entry of a history, plain text; empty if nothing was."""
        return self._said(f"/transaction/{transaction}/attachments").get(transaction, "")

    def create(self, content: Mapping[str, object]) -> str:
        """Open a ticket and return its number."""
        return read(
            _Made,
            self._client.ask(Ask(method="POST", path="/REST/2.0/ticket", action=Action.CREATE, json=content)),
        ).id

    def change(self, ticket: str, action: Action, content: Mapping[str, object]) -> None:
        """Set fields of a ticket. RT answers 200 even to what it does not do."""
        self._client.ask(Ask(method="PUT", path=f"/REST/2.0/ticket/{ticket}", action=action, json=content))

    def write(self, ticket: str, way: str, action: Action, content: Mapping[str, object]) -> None:
        """Add a `comment`, for those who work there, or a `correspond`, for everybody."""
        path = f"/REST/2.0/ticket/{ticket}/{way}"
        self._client.ask(Ask(method="POST", path=path, action=action, json=content))

    def _said(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> Mapping[str, str]:
        said: dict[str, str] = {}
        asked = (*query, ("fields", "TransactionId,ContentType,Filename,Content"))
        for part in self._list(_Page[_Part], path, asked):
            # Mail comes in several versions of one text, the plain one first, and with files.
            if not part.file and part.content:
                said.setdefault(part.transaction, part.words())
        return said

    def _credentials(self) -> Mapping[str, str]:
        options = self._options
        if options.token is not None:
            return {"Authorization": f"token {options.token.get_secret_value()}"}
        password = options.password.get_secret_value() if options.password else ""
        pair = base64.b64encode(f"{options.user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def _one(self, shape: type[ShapeT], path: str) -> ShapeT:
        return read(shape, self._client.ask(Ask(method="GET", path=f"/REST/2.0{path}")))

    def _one_or_none(self, shape: type[ShapeT], path: str) -> ShapeT | None:
        # As if it were a ticket to be changed: so a 404 tells that there is none.
        try:
            return read(
                shape, self._client.ask(Ask(method="GET", path=f"/REST/2.0{path}", action=Action.COMMENT))
            )
        except DeliveryError as error:
            if error.fate is Fate.MISSING:
                return None
            raise

    def _list(
        self,
        page: type[_Page[ShapeT]],
        path: str,
        asked: tuple[tuple[str, str], ...],
        *,
        shows_all: bool = False,
    ) -> Iterator[ShapeT]:
        """Go on from page to page. Without a count of pages only an empty one is the last, for RT hides single entries.

        Where it `shows_all` that there are, one that is not full is the last.
        """
        for number in range(1, _PAGES + 1):
            found = self._page(page, path, asked, number)
            yield from found.items
            enough = _PAGE if shows_all else 1
            if number >= found.pages if found.pages is not None else len(found.items) < enough:
                return
        raise DeliveryError(Fate.UNCERTAIN, f"a list of the helpdesk does not end after {_PAGES} pages")

    def _page(
        self, page: type[_Page[ShapeT]], path: str, asked: tuple[tuple[str, str], ...], number: int
    ) -> _Page[ShapeT]:
        paged = (*asked, ("per_page", str(_PAGE)), ("page", str(number)))
        return read(page, self._client.ask(Ask(method="GET", path=f"/REST/2.0{path}", query=paged)))
