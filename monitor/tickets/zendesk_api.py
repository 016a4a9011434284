"""The requests to Zendesk that only read, and the shapes that they are answered in; lists go on by a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from monitor.tickets.answers import Moment, Shape, read
from monitor.tickets.client import Ask, Client
from monitor.tickets.port import Action, DeliveryError, Fate

_PAGE = 100
_STAFF = frozenset({"agent", "admin"})
CLOSED = frozenset({"solved", "closed"})
_MERGED = "closed_by_merge"

Number = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


class Ticket(Shape):
    """A ticket as Zendesk lists it; `closed` is the status that nothing leads out of."""

    id: Number
    external_id: Number = ""
    subject: Number = ""
    status: str
    priority: Number = ""
    group_id: Number = ""
    requester_id: Number = ""
    tags: tuple[str, ...] = ()
    created_at: Moment
    updated_at: Moment

    @property
    def is_closed(self) -> bool:
        """Is the matter over?"""
        return self.status in CLOSED

    @property
    def is_frozen(self) -> bool:
        """Can nothing be written to it any more?"""
        return self.status == "closed"

    @property
    def is_merged(self) -> bool:
        """Did people fold it into another one?"""
        return self.is_frozen and _MERGED in self.tags


class OneTicket(Shape):
    """What is answered to a change."""

    ticket: Ticket


class Person(Shape):
    """A user of Zendesk; who is not signed in is one without a number."""

    id: Number
    name: str = ""
    email: Number = ""
    role: str = ""

    @property
    def is_staff(self) -> bool:
        """May this person answer customers?"""
        return self.id != "" and self.role in _STAFF


class _Via(Shape):
    channel: Number = ""


class Event(Shape):
    """One thing that an audit tells: a comment, or a field that was changed."""

    id: Number
    type: str
    author_id: Number = ""
    body: Number = ""
    public: bool = True
    field_name: Number = ""
    value: object = None
    previous_value: object = None
    via: _Via = _Via()

    @property
    def is_of_a_rule(self) -> bool:
        """Did a trigger or an automation do it?"""
        return self.via.channel == "rule"


class _Metadata(Shape):
    custom: dict[str, object] = Field(default={})


class Audit(Shape):
    """One change of a ticket by somebody, with everything that came with it."""

    id: Number
    author_id: Number
    created_at: Moment
    metadata: _Metadata = _Metadata()
    events: tuple[Event, ...] = ()

    @property
    def is_opening(self) -> bool:
        """Is it how the ticket began?"""
        return any(event.type == "Create" for event in self.events)


class _Meta(Shape):
    has_more: bool = False
    after_cursor: Number = ""


class _Page(Shape):
    meta: _Meta = _Meta()


class _Tickets(_Page):
    tickets: tuple[Ticket, ...]


class _Audits(_Page):
    audits: tuple[Audit, ...]
    users: tuple[Person, ...] = ()


class _Group(Shape):
    id: int
    name: str
    deleted: bool = False


class _Groups(_Page):
    groups: tuple[_Group, ...]


class _OnePerson(Shape):
    user: Person


class _Choice(Shape):
    value: str


class _Field(Shape):
    type: str
    active: bool = True
    system_field_options: tuple[_Choice, ...] = ()


class _Fields(_Page):
    ticket_fields: tuple[_Field, ...]


PageT = TypeVar("PageT", bound=_Page)
ShapeT = TypeVar("ShapeT", bound=Shape)
Query = tuple[tuple[str, str], ...]


class ZendeskApi:
    """The requests that only read; what hardly ever changes is asked once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ourselves: Person | None = None
        self._groups: dict[str, int] = {}
        self._people: dict[str, Person] = {}

    def ourselves(self) -> Person:
        """Return who we are; Zendesk answers even somebody whom it does not know."""
        if self._ourselves is None or not self._ourselves.is_staff:
            self._ourselves = self._read(_OnePerson, "/api/v2/users/me").user
        return self._ourselves

    def person(self, number: str) -> Person:
        """Return a user; one that is gone has nothing but the number."""
        if number not in self._people:
            try:
                self._people[number] = self._read(_OnePerson, f"/api/v2/users/{number}").user
            except DeliveryError as error:
                if error.fate is not Fate.REFUSED:
                    raise
                self._people[number] = Person(id=number)
        return self._people[number]

    def groups(self) -> dict[str, int]:
        """Return the numbers of the groups by their names, and by themselves as text."""
        found: dict[str, int] = {}
        for page in self._pages(_Groups, "/api/v2/groups"):
            for group in page.groups:
                if not group.deleted:
                    found |= {group.name: group.id, str(group.id): group.id}
        return found

    def priorities(self) -> tuple[str, ...]:
        """Return the words that the priority of a ticket may have; none if it has no such field."""
        pages = self._pages(_Fields, "/api/v2/ticket_fields")
        fields = [field for page in pages for field in page.ticket_fields]
        wanted = (field for field in fields if field.type == "priority" and field.active)
        return tuple(choice.value for field in wanted for choice in field.system_field_options)

    def ticket(self, number: str) -> Ticket:
        """Return one ticket; DeliveryError with `missing` if it is gone."""
        ask = Ask(method="GET", path=f"/api/v2/tickets/{number}", action=Action.COMMENT)
        return read(OneTicket, self._client.ask(ask)).ticket

    def pages_of_tickets(self, query: Query) -> Iterator[tuple[Ticket, ...]]:
        """Return a list of tickets page by page."""
        for page in self._pages(_Tickets, "/api/v2/tickets", query):
            yield page.tickets

    def audits(self, number: str) -> Iterator[Audit]:
        """Return what happened to a ticket, oldest first; whoever is named is remembered."""
        for page in self._pages(_Audits, f"/api/v2/tickets/{number}/audits", (("include", "users"),)):
            self._people |= {person.id: person for person in page.users}
            yield from page.audits

    def _pages(self, shape: type[PageT], path: str, query: Query = ()) -> Iterator[PageT]:
        cursor: Query = ()
        while True:
            page = self._read(shape, path, (*query, ("page[size]", str(_PAGE)), *cursor))
            yield page
            if not page.meta.has_more or not page.meta.after_cursor:
                return
            cursor = (("page[after]", page.meta.after_cursor),)

    def _read(self, shape: type[ShapeT], path: str, query: Query = ()) -> ShapeT:
        return read(shape, self._client.ask(Ask(method="GET", path=path, query=query)))
