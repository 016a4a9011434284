"""A Zammad of our own, as its API is documented: it drops what it does not know, and its search knows what is new only later.

Names that lead nowhere are answered by 422, a search with words reads the index, one with a condition alone the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from monitor.tickets.port import Priority
from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.answering import Answered, Answering, Asked

TOKEN = "mzm6SE2sF3gmY3kWvm1C6Zz0Q2pVbN3u"
SYSTEM, US, ANA, LUZ = 1, 3, 4, 5
FIELD = "vigia_reference"
STATES = {
    "new": "new",
    "open": "open",
    "pending reminder": "pending reminder",
    "closed": "closed",
    "merged": "merged",
}
_ARTICLE = {"subject", "body", "content_type", "type", "internal", "message_id", "to", "cc", "sender"}


class RefusedError(Exception):
    """What Zammad says of values that it does not take."""


@dataclass
class Article:
    id: int
    body: str
    internal: bool
    sender: str
    created_by_id: int
    created_at: datetime
    content_type: str = "text/plain"
    message_id: str = ""
    type: str = "note"


@dataclass
class Ticket:
    id: int
    title: str
    group: str
    state: str
    priority: str
    customer_id: int
    created_at: datetime
    updated_at: datetime
    indexed_at: datetime
    owner: str = "-"
    close_at: datetime | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    articles: list[Article] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)


class Zammad(Answering):
    """One installation; its clock is `now`, its search index lags by `lag`, and an agent reads attributes only as an administrator."""

    def __init__(self, now: Callable[[], datetime], *, lag: timedelta = timedelta(minutes=10)) -> None:
        self.now = now
        self.lag = lag
        self.token = TOKEN
        self.attributes = [FIELD]
        self.is_admin = False
        self.takes_conditions = True
        self.takes_pages = True
        self.ignores_changes = False
        self.rights = {"Ventas": ["read", "create", "change"], "Soporte": ["full"], "Otros": ["read"]}
        self.states = dict(STATES)
        self.priorities = ["1 low", "2 normal", "3 high"]
        self.people = {
            SYSTEM: ("-", "", "-"),
            US: ("Vigía", "Robot", "vigia@nodored.example"),
            ANA: ("Ana", "Paz", "ana@nodored.example"),
            LUZ: ("Luz", "Vera", "luz@example.com"),
        }
        self.page_size = 25
        self.tickets: list[Ticket] = []
        self._count = 100
        super().__init__()

    def answer(self, asked: Asked) -> Answered:
        self.asked.append((asked.method, asked.path))
        if asked.headers.get("authorization") != f"Token token={self.token}":
            return Answered(401, {"error": "Invalid BasicAuth credentials"})
        path, query = asked.path.removeprefix("/api/v1"), dict(asked.query)
        try:
            match asked.method, path:
                case "GET", "/users/me":
                    return Answered(200, {**self.person(US), "groups": self.rights})
                case "GET", "/ticket_states":
                    listed = [
                        {"id": 1, "name": n, "state_type": t, "active": True} for n, t in self.states.items()
                    ]
                    return Answered(200, listed)
                case "GET", "/ticket_priorities":
                    return Answered(200, [{"id": 1, "name": n, "active": True} for n in self.priorities])
                case "GET", "/object_manager_attributes":
                    return self._attributes()
                case "GET", "/tickets":
                    found = self.tickets[: int(query["per_page"])]
                    return Answered(200, [self.shown(each) for each in found])
                case "GET", "/tickets/search":
                    return Answered(200, [self.shown(each) for each in self._searched(query)])
                case "POST", "/tickets":
                    ticket = self.create(asked.json(), US)
                    return Answered(201, self.shown(ticket))
            return self._one(asked, path)
        except RefusedError as error:
            return Answered(422, {"error": str(error)})

    def _one(self, asked: Asked, path: str) -> Answered:
        found = re.fullmatch(r"/(tickets|ticket_articles/by_ticket|ticket_history)/(\d+)", path)
        ticket = self.find(found[2]) if found else None
        if found is None or ticket is None:
            return Answered(404, {"error": "Couldn't find Ticket", "error_human": "Couldn't find Ticket"})
        match asked.method, found[1]:
            case "PUT", "tickets":
                self.change(ticket, asked.json(), US)
                return Answered(200, self.shown(ticket))
            case "GET", "tickets":
                return Answered(200, self.shown(ticket))
            case "GET", "ticket_articles/by_ticket":
                return Answered(200, [self._written(ticket, each) for each in ticket.articles])
            case _:
                people = {str(number): self.person(number) for number in self.people}
                return Answered(200, {"history": ticket.history, "assets": {"User": people}})

    def find(self, number: str) -> Ticket | None:
        return next((each for each in self.tickets if str(each.id) == number), None)

    def ticket(self, number: str) -> Ticket:
        found = self.find(number)
        assert found is not None
        return found

    def person(self, number: int) -> dict[str, Any]:
        first, last, login = self.people[number]
        return {"id": number, "firstname": first, "lastname": last, "login": login, "email": login}

    def create(self, fields: Mapping[str, Any], author: int) -> Ticket:
        self._check(fields)
        if not fields.get("article", {}).get("body"):
            raise RefusedError('Need at least article: { body: "some text" }')
        ticket = Ticket(
            id=len(self.tickets) + 1,
            title=fields["title"],
            group=fields["group"],
            state=fields.get("state", "new"),
            priority=fields.get("priority", "2 normal"),
            customer_id=self._customer(fields["customer_id"]),
            created_at=self.now(),
            updated_at=self.now(),
            indexed_at=self.now() + self.lag,
            # Whatever else was sent is dropped without a word.
            attributes={name: fields[name] for name in self.attributes if name in fields},
        )
        self.tickets.append(ticket)
        self.write(ticket, fields["article"], author)
        self.record(ticket, author, "created")
        return ticket

    def change(self, ticket: Ticket, fields: Mapping[str, Any], author: int) -> None:
        self._check(fields)
        for name in ("state", "priority", "owner", "group"):
            before = getattr(ticket, name)
            if name in fields and fields[name] != before and not (self.ignores_changes and author == US):
                setattr(ticket, name, fields[name])
                self.record(ticket, author, "updated", name, before, fields[name])
        if self.states[ticket.state] == "closed" and ticket.close_at is None:
            ticket.close_at = self.now()
        if "article" in fields:
            self.write(ticket, fields["article"], author)
        ticket.updated_at = self.now()

    def write(self, ticket: Ticket, article: Mapping[str, Any], author: int) -> None:
        unknown = article.keys() - _ARTICLE
        assert not unknown, f"an article takes no {sorted(unknown)}"
        self._count += 1
        ticket.articles.append(
            Article(
                id=self._count,
                body=article["body"],
                internal=article.get("internal", False),
                sender=article.get("sender", "Customer" if author == ticket.customer_id else "Agent"),
                created_by_id=author,
                created_at=self.now(),
                content_type=article.get("content_type", "text/plain"),
                message_id=article.get("message_id", ""),
            )
        )

    def record(
        self, ticket: Ticket, author: int, kind: str, attribute: str = "", before: str = "", after: str = ""
    ) -> None:
        self._count += 1
        ticket.history.append(
            {
                "id": self._count,
                "o_id": ticket.id,
                "object": "Ticket",
                "type": kind,
                "created_by_id": author,
                "created_at": stamp(self.now()),
                **({"attribute": attribute, "value_from": before, "value_to": after} if attribute else {}),
            }
        )

    def shown(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "number": f"71{ticket.id:03}",
            "title": ticket.title,
            "group": ticket.group,
            "state": ticket.state,
            "priority": ticket.priority,
            "customer_id": ticket.customer_id,
            "customer": self.people[ticket.customer_id][2],
            "owner": ticket.owner,
            "close_at": None if ticket.close_at is None else stamp(ticket.close_at),
            "created_at": stamp(ticket.created_at),
            "updated_at": stamp(ticket.updated_at),
            **{name: ticket.attributes.get(name) for name in self.attributes},
        }

    def _written(self, ticket: Ticket, article: Article) -> dict[str, Any]:
        return {
            "id": article.id,
            "ticket_id": ticket.id,
            "from": " ".join(self.people[article.created_by_id][:2]),
            "body": article.body,
            "content_type": article.content_type,
            "type": article.type,
            "internal": article.internal,
            "sender": article.sender,
            "message_id": article.message_id,
            "created_by_id": article.created_by_id,
            "created_by": self.people[article.created_by_id][2],
            "created_at": stamp(article.created_at),
        }

    def _attributes(self) -> Answered:
        if not self.is_admin:
            return Answered(403, {"error": "Not authorized"})
        names = ["title", "state_id", *self.attributes]
        return Answered(
            200,
            [
                {
                    "id": 1,
                    "name": name,
                    "object": "Ticket",
                    "active": True,
                    "to_create": False,
                    "to_migrate": False,
                }
                for name in names
            ],
        )

    def _searched(self, query: dict[str, str]) -> list[Ticket]:
        words = query.pop("query", None)
        condition = _condition(query) if self.takes_conditions else {}
        found = [each for each in self.tickets if self._meets(each, condition)]
        if words is not None:
            name, _, value = words.partition(":")
            alike = value.strip('"')[:12].lower()
            found = [
                each
                for each in found
                if each.indexed_at <= self.now() and alike in each.attributes.get(name, "").lower()
            ]
        if query.get("sort_by", "updated_at") == "updated_at":
            found.sort(key=lambda ticket: ticket.updated_at, reverse=True)
        size = min(int(query["per_page"]), self.page_size)
        start = (int(query.get("page", "1")) - 1) * size if self.takes_pages else 0
        return found[start : start + size]

    def _meets(self, ticket: Ticket, condition: Mapping[str, tuple[str, str]]) -> bool:
        for name, (operator, value) in condition.items():
            match name, operator:
                case "updated_at", "after (absolute)":
                    if ticket.updated_at <= datetime.fromisoformat(value).astimezone(UTC) - timedelta(
                        seconds=1
                    ):
                        return False
                case _, "is" if name in self.attributes:
                    if ticket.attributes.get(name) != value:
                        return False
                case _:
                    raise RefusedError(f"invalid selector ticket, {name}")
        return True

    def _customer(self, wanted: str) -> int:
        address = wanted.removeprefix("guess:")
        for number, person in self.people.items():
            if person[2] == address:
                return number
        number = max(self.people) + 1
        self.people[number] = (address, "", address)
        return number

    def _check(self, fields: Mapping[str, Any]) -> None:
        for name, known in (
            ("group", self.rights),
            ("state", self.states),
            ("priority", self.priorities),
        ):
            if name in fields and fields[name] not in known:
                raise RefusedError(f"No lookup value found for '{name}': \"{fields[name]}\"")


def _condition(query: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, value in query.items():
        if parts := re.fullmatch(r"condition\[ticket\.(\w+)\]\[(operator|value)\]", name):
            found.setdefault(parts[1], {})[parts[2]] = value
    return {name: (each["operator"], each["value"]) for name, each in found.items()}


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


class ZammadBench(Bench):
    """The fake with one agent beside us, and a customer."""

    lacks: ClassVar[Mapping[Ability, str]] = {}
    counts: ClassVar[Mapping[Priority, Priority]] = {Priority.HIGH: Priority.URGENT}

    def __init__(self, ground: Ground) -> None:
        self.zammad = Zammad(ground.tools.now)
        self.zammad.is_admin = True
        self.options: dict[str, Any] = {
            "url": self.zammad.url,
            "token": TOKEN,
            "group": "Soporte",
            "customer": "vigia@nodored.example",
            "departments": {"comercial": "Ventas"},
        }

    def close(self) -> None:
        self.zammad.close()

    def human_closes(self, ticket: str) -> None:
        self._change(ticket, ANA, state="closed")

    def human_answers(self, ticket: str, words: str) -> None:
        page = f"<div>{words}<br>Saludos</div>"
        self._change(ticket, ANA, article={"body": page, "content_type": "text/html", "type": "email"})

    def human_notes(self, ticket: str, words: str) -> None:
        self._change(ticket, ANA, article={"body": words, "internal": True})

    def human_assigns(self, ticket: str, person: str) -> None:
        assert person == "ana"
        self._change(ticket, ANA, owner="Ana Paz")

    def human_deletes(self, ticket: str) -> None:
        self.zammad.tickets.remove(self.zammad.ticket(ticket))

    def human_merges(self, ticket: str, into: str) -> None:
        gone, kept = self.zammad.ticket(ticket), self.zammad.ticket(into)
        kept.articles += gone.articles
        gone.articles = []
        self._change(ticket, ANA, state="merged")
        self.zammad.record(gone, ANA, "merged_into")
        gone.history[-1] |= {"id_to": kept.id, "id_from": gone.id}

    def customer_opens(self, subject: str, department: str) -> str:
        group = {"soporte": "Soporte", "comercial": "Ventas"}[department]
        fields = {
            "title": subject,
            "group": group,
            "customer_id": "guess:luz@example.com",
            "article": {"body": "No funciona."},
        }
        return str(self.zammad.create(fields, LUZ).id)

    def customer_writes(self, ticket: str, words: str) -> None:
        self._change(ticket, LUZ, article={"body": words})

    def ages(self, ticket: str, by: timedelta) -> None:
        self.zammad.ticket(ticket).created_at -= by

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        return [
            (self.zammad.people[each.created_by_id][0], each.internal, each.body)
            for each in self.zammad.ticket(ticket).articles
        ]

    def lose(self, what: str) -> None:
        match what:
            case "reference_field":
                self.zammad.attributes.remove(FIELD)
            case "queue":
                self.zammad.rights["Soporte"] = ["read"]
            case "priority":
                self.zammad.priorities.remove("1 low")
            case "status":
                del self.zammad.states["closed"]
            case _:
                self.zammad.token = "another token since today"

    def _change(self, ticket: str, author: int, **fields: Any) -> None:
        self.zammad.change(self.zammad.ticket(ticket), fields, author)
