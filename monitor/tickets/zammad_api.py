"""The requests to Zammad that we use, and the shapes that they are answered in; names come beside numbers with `expand`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, TypeAdapter, ValidationError

from monitor.tickets.answers import Moment, Shape, read
from monitor.tickets.client import Ask, Client, Reply
from monitor.tickets.port import Action, DeliveryError, Fate

_PAGE = 100
_ENOUGH = frozenset({"read", "create", "change"})
_EXPAND = ("expand", "true")

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
Query = tuple[tuple[str, str], ...]
ShapeT = TypeVar("ShapeT", bound=Shape)


class Ticket(Shape):
    """A ticket with the names of what it points to; `reference` is what our attribute holds."""

    id: Text
    title: Text = ""
    group: Text = ""
    state: Text
    priority: Text = ""
    customer: Text = ""
    customer_id: Text = ""
    created_at: Moment
    updated_at: Moment
    close_at: Moment | None = None
    reference: Text = ""


class Article(Shape):
    """One message; `sender` is Agent, Customer or System."""

    id: int
    body: Text = ""
    content_type: Text = ""
    internal: bool = False
    sender: Text = ""
    created_by_id: int
    author: Text = Field(default="", validation_alias=AliasChoices("created_by", "from"))
    message_id: Text = ""
    created_at: Moment


class Change(Shape):
    """One entry of a ticket's history."""

    id: int
    object: str
    type: str
    attribute: Text = ""
    value_from: Text = ""
    value_to: Text = ""
    id_to: Text = ""
    created_by_id: int
    created_at: Moment


class _Person(Shape):
    id: int
    firstname: Text = ""
    lastname: Text = ""
    login: Text = ""

    @property
    def name(self) -> str:
        return f"{self.firstname} {self.lastname}".strip() or self.login


class _Assets(Shape):
    people: dict[str, _Person] = Field(default={}, alias="User")


class History(Shape):
    """What happened to a ticket beside its messages, and who the people in it are."""

    history: tuple[Change, ...]
    assets: _Assets = _Assets()

    def name(self, number: int) -> str:
        """Return a person's name."""
        person = self.assets.people.get(str(number))
        return str(number) if person is None else person.name


class _Self(Shape):
    id: int
    groups: dict[str, tuple[str, ...]] = Field(default={})


class _Named(Shape):
    name: str
    active: bool = True


class _State(_Named):
    state_type: str


class _Attribute(_Named):
    object: str
    to_create: bool = False
    to_migrate: bool = False
    to_delete: bool = False


class ZammadApi:
    """One Zammad with our token; states are asked for once, and again when an unknown one turns up."""

    def __init__(self, client: Client, field: str) -> None:
        self._client = client
        self._field = field
        self._types: dict[str, str] = {}
        self._ourselves: int | None = None

    def write(self, ask: Ask) -> Ticket:
        """Send a change and return the ticket as it is then."""
        reply = self._client.ask(
            Ask(method=ask.method, path=ask.path, action=ask.action, query=(_EXPAND,), json=ask.json)
        )
        return self._ticket(_decoded(reply))

    def ticket(self, number: str) -> Ticket:
        """Return one ticket; DeliveryError with `missing` if it is gone."""
        path = f"/api/v1/tickets/{number}"
        # Asked on behalf of an action, because then a 404 says that its ticket is gone.
        ask = Ask(method="GET", path=path, query=(_EXPAND,), action=Action.COMMENT)
        return self._ticket(_decoded(self._client.ask(ask)))

    def indexed(self, reference: str) -> list[Ticket]:
        """Return what the search index finds, sooner or later."""
        return self._searched((("query", f'{self._field}:"{reference}"'),))

    def stored(self, reference: str) -> list[Ticket]:
        """Return what the database holds, for a search by a condition asks no index."""
        return self._searched(_condition(self._field, "is", reference))

    def changed(self, since: datetime) -> Iterator[Ticket]:
        """Return every ticket that changed at `since` or later, in the order in which nothing slips from one page to another."""
        asked = (*_condition("updated_at", "after (absolute)", f"{since:%Y-%m-%dT%H:%M:%SZ}"), *_BY_NUMBER)
        seen: set[str] = set()
        page = 1
        while new := [each for each in self._searched((*asked, ("page", str(page)))) if each.id not in seen]:
            seen |= {ticket.id for ticket in new}
            yield from (ticket for ticket in new if ticket.updated_at >= since)
            page += 1

    def articles(self, number: str) -> list[Article]:
        """Return the messages of a ticket, oldest first."""
        found = self._listed(Article, f"/api/v1/ticket_articles/by_ticket/{number}")
        return sorted(found, key=lambda article: article.id)

    def history(self, number: str) -> History:
        """Return what happened to a ticket, oldest first."""
        return read(History, self._client.ask(Ask(method="GET", path=f"/api/v1/ticket_history/{number}")))

    def ourselves(self) -> int:
        """Return our own number."""
        if self._ourselves is None:
            self._ourselves = self._me().id
        return self._ourselves

    def groups(self) -> list[str]:
        """Return the names of the groups in which we may read, create and change tickets."""
        return [
            name for name, rights in self._me().groups.items() if "full" in rights or set(rights) >= _ENOUGH
        ]

    def states(self) -> dict[str, str]:
        """Return the type of each active state by its name."""
        listed = self._listed(_State, "/api/v1/ticket_states")
        self._types = {state.name: state.state_type for state in listed}
        return {state.name: state.state_type for state in listed if state.active}

    def priorities(self) -> list[str]:
        """Return the names of the active priorities."""
        return [each.name for each in self._listed(_Named, "/api/v1/ticket_priorities") if each.active]

    def has_field(self) -> bool:
        """Does a ticket have our attribute? Who may not read the attributes is shown it by any ticket; without one, nothing speaks against it."""
        try:
            listed = self._listed(_Attribute, "/api/v1/object_manager_attributes")
        except DeliveryError as error:
            if error.fate is not Fate.FORBIDDEN:
                raise
            some = _decoded(self._get("/api/v1/tickets", (("per_page", "1"),)))
            return not some or self._field in some[0]
        ours = (each for each in listed if (each.object, each.name) == ("Ticket", self._field))
        return any(each.active and not (each.to_create or each.to_migrate or each.to_delete) for each in ours)

    def is_closed(self, ticket: Ticket) -> bool:
        """Is the matter over?"""
        return self.type_of(ticket.state) in ("closed", "removed")

    def is_merged(self, ticket: Ticket) -> bool:
        """Did people fold it into another one?"""
        return self.type_of(ticket.state) == "merged"

    def type_of(self, state: str) -> str:
        """Return the type of a state; empty if there is none of that name any more."""
        if state not in self._types:
            self.states()
        return self._types.get(state, "")

    def _me(self) -> _Self:
        return read(_Self, self._get("/api/v1/users/me", (_EXPAND,)))

    def _searched(self, query: Query) -> list[Ticket]:
        asked = (*query, _EXPAND, ("per_page", str(_PAGE)))
        found = _decoded(self._get("/api/v1/tickets/search", asked))
        if not isinstance(found, list):
            raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer cannot be read")
        return [self._ticket(each) for each in found]

    def _ticket(self, found: Any) -> Ticket:
        held = {**found, "reference": found.get(self._field)} if isinstance(found, dict) else found
        return _checked(TypeAdapter(Ticket), held)

    def _listed(self, shape: type[ShapeT], path: str) -> list[ShapeT]:
        return _checked(TypeAdapter(list[shape]), _decoded(self._get(path, (_EXPAND,))))  # type: ignore[valid-type] # made at run time

    def _get(self, path: str, query: Query) -> Reply:
        return self._client.ask(Ask(method="GET", path=path, query=query))


_BY_NUMBER: Query = (("sort_by", "id"), ("order_by", "asc"))
ResultT = TypeVar("ResultT")


def _condition(attribute: str, operator: str, value: str) -> Query:
    name = f"condition[ticket.{attribute}]"
    return (f"{name}[operator]", operator), (f"{name}[value]", value)


def _decoded(reply: Reply) -> Any:
    return reply.json()


def _checked(shape: TypeAdapter[ResultT], found: object) -> ResultT:
    try:
        return shape.validate_json(json.dumps(found))
    except ValidationError as error:
        raise DeliveryError(Fate.UNCERTAIN, "the helpdesk's answer cannot be read") from error
