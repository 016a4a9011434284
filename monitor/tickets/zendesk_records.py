"""What is read of Zendesk: tickets page by page, and the audits that say who did what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from monitor.tickets.answers import Moment, Shape, is_number, read, shortened
from monitor.tickets.client import Ask, Client
from monitor.tickets.mapping import Places, Scale
from monitor.tickets.port import Action, Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.reading import FirstAnswers, is_past

_PAGE = 100
_STAFF = frozenset({"agent", "admin"})
_CLOSED = frozenset({"solved", "closed"})
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
        return self.status in _CLOSED

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


class _Event(Shape):
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
        return self.via.channel == "rule"


class _Metadata(Shape):
    custom: dict[str, object] = Field(default={})


class _Audit(Shape):
    id: Number
    author_id: Number
    created_at: Moment
    metadata: _Metadata = _Metadata()
    events: tuple[_Event, ...] = ()

    @property
    def is_opening(self) -> bool:
        return any(event.type == "Create" for event in self.events)


class _Meta(Shape):
    has_more: bool = False
    after_cursor: Number = ""


class _Page(Shape):
    meta: _Meta = _Meta()


class _Tickets(_Page):
    tickets: tuple[Ticket, ...]


class _Audits(_Page):
    audits: tuple[_Audit, ...]
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

    def audits(self, number: str) -> Iterator[_Audit]:
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


def _merging(words: Sequence[Word]) -> Word:
    """The last that was done to a ticket that was merged away is that; what was said with it names the ticket that is kept."""
    named = (re.search(r"#(\d+)", word.body) for word in reversed(words))
    kept = next((found[1] for found in named if found), "")
    return replace(words[-1], deed=Deed.MERGED, body=kept)


class ZendeskRecords:
    """Reads tickets of the followed groups, and what people did on them."""

    def __init__(
        self,
        api: ZendeskApi,
        places: Places,
        scale: Scale,
        now: Callable[[], datetime],
        page: Callable[[str], str],
    ) -> None:
        """Take the parts; `page` tells where people read a ticket."""
        self._api = api
        self._places = places
        self._scale = scale
        self._page = page
        self._answers = FirstAnswers(now)

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return the tickets of the followed groups that changed at `since` or later."""
        groups = self._api.groups()
        followed = {str(groups.get(place)): ours for ours, place in self._places.followed.items()}
        return tuple(
            self._case(ticket, followed[ticket.group_id])
            for ticket in self._recent(since)
            if ticket.group_id in followed and not ticket.is_merged
        )

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people did on one ticket, oldest first."""
        if not is_number(ticket):
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket")
        found = self._api.ticket(ticket)
        words = tuple(self._words(found))
        return (*words[:-1], _merging(words)) if found.is_merged and words else words

    def knows(self, ticket: str, key: str) -> bool:
        """Was an order of this key carried out on the ticket?"""
        return any(audit.metadata.custom.get("vigia") == key for audit in self._api.audits(ticket))

    def answered_at(self, ticket: Ticket) -> datetime | None:
        """Return when somebody of the staff who is neither the requester nor us first wrote to the requester."""
        return self._answers.of(
            ticket.id,
            ticket.updated_at,
            lambda: next((word.at for word in self._words(ticket) if word.deed is Deed.ANSWER), None),
        )

    def _recent(self, since: datetime) -> Iterator[Ticket]:
        for page in self._api.pages_of_tickets((("sort", "-updated_at"),)):
            yield from (ticket for ticket in page if ticket.updated_at >= since)
            if not page or is_past([ticket.updated_at for ticket in page], since):
                return

    def _case(self, ticket: Ticket, department: str) -> Case:
        answered = self.answered_at(ticket)
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        requester = self._api.person(ticket.requester_id)
        return Case(
            ticket=ticket.id,
            url=self._page(ticket.id),
            department=department,
            subject=ticket.subject,
            requester=requester.email or requester.name or requester.id,
            priority=self._scale.ours(ticket.priority),
            status=TicketStatus.CLOSED if ticket.is_closed else open_status,
            opened_at=ticket.created_at,
            answered_at=answered,
            closed_at=ticket.updated_at if ticket.is_closed else None,
            reference=ticket.external_id if ticket.requester_id == self._api.ourselves().id else "",
        )

    def _words(self, ticket: Ticket) -> Iterator[Word]:
        ourselves = self._api.ourselves().id
        for audit in self._api.audits(ticket.id):
            if audit.is_opening:
                continue
            for event in audit.events:
                author = event.author_id or audit.author_id
                person = self._api.person(author) if author.isdigit() and author != ourselves else None
                if person is None or not person.is_staff or event.is_of_a_rule:
                    continue
                told = self._told(event, answers=author != ticket.requester_id)
                if told is not None:
                    deed, body = told
                    yield Word(key=event.id, deed=deed, author=person.name, at=audit.created_at, body=body)

    def _told(self, event: _Event, *, answers: bool) -> tuple[Deed, str] | None:
        match event.type, event.field_name:
            case "Comment", _ if event.public:
                return (Deed.ANSWER, shortened(event.body)) if answers else None
            case "Comment", _:
                return Deed.NOTE, shortened(event.body)
            case "Change", "assignee_id" if event.value:
                return Deed.ASSIGNED, self._api.person(str(event.value)).name
            case "Change", "priority":
                return Deed.PRIORITY, self._scale.ours(event.value).value
            case "Change", "status" if event.value in _CLOSED and event.previous_value not in _CLOSED:
                return Deed.CLOSED, ""
            case "Change", "status" if event.previous_value in _CLOSED and event.value not in _CLOSED:
                return Deed.REOPENED, ""
            case _:
                return None
