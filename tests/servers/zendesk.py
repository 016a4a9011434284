"""A Zendesk of our own, as its API is documented: strict about fields, slow to list what is new, and final about what is closed.

Lists come by cursor, what was not understood is answered by 400 or 422, a stranger is somebody without a number, and more requests a
minute than are allowed are answered by 429.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from monitor.tickets.port import Priority
from tests.contracts.benches import Ability, Bench, Ground
from tests.servers.answering import Answered, Answering, Asked

USER, TOKEN = "vigia@nodored.example", "6wiIBWbGkBMo1mRDMuVwkw1EPsNkeUj95PIz2akv"
US, ANA, LUZ = 361495318501, 361495318502, 361495318503
SALES, SUPPORT = 360001, 360002
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
_NEW = frozenset(
    [
        "subject",
        "comment",
        "priority",
        "type",
        "status",
        "external_id",
        "group_id",
        "assignee_id",
        "tags",
        "metadata",
        "requester",
    ]
)
_CHANGED = frozenset(
    ["comment", "priority", "status", "group_id", "assignee_id", "tags", "metadata", "subject"]
)


@dataclass
class Ticket:
    id: int
    external_id: str | None
    subject: str
    priority: str | None
    status: str
    group_id: int
    requester_id: int
    created_at: datetime
    updated_at: datetime
    listed_at: datetime
    tags: list[str] = field(default_factory=list)
    assignee_id: int | None = None
    deleted: bool = False
    audits: list[dict[str, Any]] = field(default_factory=list)


class RecordInvalidError(Exception):
    """What Zendesk says of values that it does not take."""


class Zendesk(Answering):
    """One account; its clock is `now`, and lists know a new ticket after `lag`."""

    def __init__(self, now: Callable[[], datetime], *, lag: timedelta = timedelta(minutes=5)) -> None:
        self.now = now
        self.lag = lag
        self.token = TOKEN
        self.groups = {SALES: "Ventas", SUPPORT: "Soporte"}
        self.deleted_groups: set[int] = set()
        self.priorities = ["low", "normal", "high", "urgent"]
        self.people = {
            US: {"name": "Vigía", "email": USER, "role": "agent"},
            ANA: {"name": "Ana Paz", "email": "ana@nodored.example", "role": "agent"},
            LUZ: {"name": "Luz", "email": "luz@example.com", "role": "end-user"},
        }
        self.page_size = 25
        self.allowed: int | None = None
        self.ignores_changes = False
        self.sorts = True
        self.tickets: list[Ticket] = []
        self.keys: dict[str, tuple[bytes, Answered]] = {}
        self._count = 5000
        super().__init__()

    def answer(self, asked: Asked) -> Answered:
        self.asked.append((asked.method, asked.path))
        if self.allowed is not None:
            if self.allowed == 0:
                return Answered(429, {"error": "TooManyRequests"}, {"Retry-After": "38"})
            self.allowed -= 1
        wanted = base64.b64encode(f"{USER}/token:{self.token}".encode()).decode()
        known = asked.headers.get("authorization") == f"Basic {wanted}"
        if asked.headers.get("authorization") and not known:
            return Answered(401, {"error": "Couldn't authenticate you"})
        try:
            return self._routed(asked, known=known)
        except RecordInvalidError as error:
            details = {"base": [{"description": str(error)}]}
            return Answered(
                422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
            )

    def _routed(self, asked: Asked, *, known: bool) -> Answered:
        path, query = asked.path.removeprefix("/api/v2"), dict(asked.query)
        if (asked.method, path) == ("GET", "/users/me"):
            stranger = {
                "id": None,
                "name": "Anonymous user",
                "email": "invalid@example.com",
                "role": "end-user",
            }
            return Answered(200, {"user": self.person(US) if known else stranger})
        if not known:
            return Answered(401, {"error": "Couldn't authenticate you"})
        match asked.method, path:
            case "GET", "/groups":
                groups = [
                    {"id": key, "name": name, "deleted": key in self.deleted_groups}
                    for key, name in self.groups.items()
                ]
                return self._page("groups", groups, query)
            case "GET", "/ticket_fields":
                options = [{"name": word.title(), "value": word} for word in self.priorities]
                fields = [
                    {"id": 1, "type": "subject", "active": True},
                    {"id": 2, "type": "priority", "active": True, "system_field_options": options},
                ]
                return self._page("ticket_fields", fields, query)
            case "GET", "/tickets":
                return self._listed(query)
            case "POST", "/tickets":
                return self._once(asked)
        return self._one(asked, path, query)

    def _one(self, asked: Asked, path: str, query: dict[str, str]) -> Answered:
        if found := re.fullmatch(r"/users/(\d+)", path):
            number = int(found[1])
            if number in self.people:
                return Answered(200, {"user": self.person(number)})
        found = re.fullmatch(r"/tickets/(\d+)(/audits)?", path)
        ticket = self.find(found[1]) if found else None
        if found is None or ticket is None:
            return Answered(404, {"error": "RecordNotFound", "description": "Not found"})
        if found[2]:
            assert query.pop("include", "users") == "users"
            people = [self.person(number) for number in self.people]
            return self._page("audits", ticket.audits, query, users=people)
        if asked.method == "PUT":
            self.change(ticket, asked.json()["ticket"], US)
        return Answered(200, {"ticket": self.shown(ticket)})

    def find(self, number: str) -> Ticket | None:
        return next((each for each in self.tickets if str(each.id) == number and not each.deleted), None)

    def ticket(self, number: str) -> Ticket:
        found = self.find(number)
        assert found is not None
        return found

    def person(self, number: int) -> dict[str, Any]:
        return {"id": number, **self.people[number]}

    def create(self, fields: Mapping[str, Any], author: int) -> Ticket:
        unknown = fields.keys() - _NEW
        assert not unknown, f"a new ticket takes no {sorted(unknown)}"
        self._check(fields)
        if not fields.get("comment", {}).get("body"):
            raise RecordInvalidError("Description: cannot be blank")
        ticket = Ticket(
            id=len(self.tickets) + 1,
            external_id=fields.get("external_id"),
            subject=fields["subject"],
            priority=fields.get("priority"),
            status=fields.get("status", "new"),
            group_id=fields.get("group_id", SALES),
            requester_id=author,
            created_at=self.now(),
            updated_at=self.now(),
            listed_at=self.now() + self.lag,
        )
        self.tickets.append(ticket)
        events = [{"type": "Create", "field_name": "subject", "value": ticket.subject}]
        self.note(ticket, author, [self._comment(fields["comment"], author), *events], fields.get("metadata"))
        return ticket

    def change(self, ticket: Ticket, fields: Mapping[str, Any], author: int) -> None:
        unknown = fields.keys() - _CHANGED
        assert not unknown, f"a change takes no {sorted(unknown)}"
        if ticket.status == "closed":
            raise RecordInvalidError("Status: closed prevents ticket update")
        self._check(fields)
        events = []
        if "comment" in fields:
            events.append(self._comment(fields["comment"], author))
        for name in ("priority", "status", "group_id", "assignee_id", "tags"):
            before = getattr(ticket, name)
            if name in fields and fields[name] != before and not (self.ignores_changes and author == US):
                setattr(ticket, name, fields[name])
                events.append(
                    {"type": "Change", "field_name": name, "value": fields[name], "previous_value": before}
                )
        # A trigger of the account has something to say about everything.
        events.append(
            {"type": "Change", "field_name": "priority", "value": "low", "via": {"channel": "rule"}}
        )
        self.note(ticket, author, events, fields.get("metadata"))

    def note(self, ticket: Ticket, author: int, events: list[dict[str, Any]], metadata: Any = None) -> None:
        self._count += 1
        ticket.audits.append(
            {
                "id": self._count,
                "ticket_id": ticket.id,
                "author_id": author,
                "created_at": stamp(self.now()),
                "metadata": {"system": {}, "custom": metadata or {}},
                "via": {"channel": "api"},
                "events": [{"id": self._number(), **event} for event in events],
            }
        )
        ticket.updated_at = self.now()

    def shown(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "url": f"{self.url}/api/v2/tickets/{ticket.id}.json",
            "external_id": ticket.external_id,
            "subject": ticket.subject,
            "priority": ticket.priority,
            "status": ticket.status,
            "group_id": ticket.group_id,
            "requester_id": ticket.requester_id,
            "assignee_id": ticket.assignee_id,
            "tags": ticket.tags,
            "created_at": stamp(ticket.created_at),
            "updated_at": stamp(ticket.updated_at),
        }

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _comment(self, comment: Mapping[str, Any], author: int) -> dict[str, Any]:
        unknown = comment.keys() - {"body", "public"}
        assert not unknown, f"a comment takes no {sorted(unknown)}"
        public = comment.get("public", True)
        return {"type": "Comment", "author_id": author, "body": comment["body"], "public": public}

    def _check(self, fields: Mapping[str, Any]) -> None:
        if fields.get("priority", "low") not in self.priorities:
            raise RecordInvalidError(f"Priority: {fields['priority']} is not valid")
        if fields.get("status", "open") not in STATUSES:
            raise RecordInvalidError(f"Status: {fields['status']} is not valid")
        if fields.get("group_id", SALES) not in self.groups.keys() - self.deleted_groups:
            raise RecordInvalidError(f"Group: {fields['group_id']} is not valid")

    def _once(self, asked: Asked) -> Answered:
        key = asked.headers["idempotency-key"]
        assert 0 < len(key) <= 255
        if key in self.keys:
            body, answered = self.keys[key]
            if body != asked.body:
                return Answered(400, {"error": "IdempotentRequestError"})
            return Answered(answered.status, answered.content, {"X-Idempotency-Lookup": "hit"})
        ticket = self.create(asked.json()["ticket"], US)
        answered = Answered(201, {"ticket": self.shown(ticket)}, {"X-Idempotency-Lookup": "miss"})
        self.keys[key] = (asked.body, answered)
        return answered

    def _listed(self, query: dict[str, str]) -> Answered:
        wanted = query.pop("external_id", None)
        order = query.pop("sort", "id")
        assert order in ("id", "-updated_at"), f"tickets cannot be sorted by {order}"
        now = self.now()
        found = [
            each
            for each in self.tickets
            if not each.deleted and (wanted is None or (each.external_id == wanted and each.listed_at <= now))
        ]
        if order == "-updated_at" and self.sorts:
            found.sort(key=lambda ticket: ticket.updated_at, reverse=True)
        return self._page("tickets", [self.shown(each) for each in found], query)

    def _page(self, name: str, items: list[Any], query: dict[str, str], **beside: Any) -> Answered:
        unknown = query.keys() - {"page[size]", "page[after]"}
        assert not unknown, f"a list takes no {sorted(unknown)}"
        start = int(query.get("page[after]", "0"))
        end = start + min(int(query["page[size]"]), self.page_size)
        more = end < len(items)
        meta = {"has_more": more, "after_cursor": str(end) if more else None}
        return Answered(200, {name: items[start:end], "meta": meta, **beside})


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class ZendeskBench(Bench):
    """The fake with one agent beside us, and a customer."""

    lacks: ClassVar[Mapping[Ability, str]] = {}
    counts: ClassVar[Mapping[Priority, Priority]] = {}

    def __init__(self, ground: Ground) -> None:
        self.zendesk = Zendesk(ground.tools.now)
        self.options: dict[str, Any] = {
            "url": self.zendesk.url,
            "user": USER,
            "token": TOKEN,
            "group": "Soporte",
            "departments": {"comercial": "Ventas"},
        }

    def close(self) -> None:
        self.zendesk.close()

    def human_closes(self, ticket: str) -> None:
        self._change(ticket, ANA, status="solved")

    def human_answers(self, ticket: str, words: str) -> None:
        self._change(ticket, ANA, comment={"body": words, "public": True})

    def human_notes(self, ticket: str, words: str) -> None:
        self._change(ticket, ANA, comment={"body": words, "public": False})

    def human_assigns(self, ticket: str, person: str) -> None:
        assert person == "ana"
        self._change(ticket, ANA, assignee_id=ANA)

    def human_deletes(self, ticket: str) -> None:
        self.zendesk.ticket(ticket).deleted = True

    def human_merges(self, ticket: str, into: str) -> None:
        said = {"body": f"This request was closed and merged into request #{into}.", "public": False}
        self._change(ticket, ANA, status="closed", tags=["closed_by_merge"], comment=said)
        self._change(
            into, ANA, comment={"body": f"Request #{ticket} was closed and merged.", "public": False}
        )

    def automation_closes(self, ticket: str) -> None:
        """What an account does with a solved ticket after some days."""
        self.zendesk.ticket(ticket).status = "closed"

    def customer_opens(self, subject: str, department: str) -> str:
        group = {"soporte": SUPPORT, "comercial": SALES}[department]
        fields = {"subject": subject, "comment": {"body": "No funciona."}, "group_id": group}
        return str(self.zendesk.create(fields, LUZ).id)

    def customer_writes(self, ticket: str, words: str) -> None:
        self._change(ticket, LUZ, comment={"body": words, "public": True})

    def ages(self, ticket: str, by: timedelta) -> None:
        self.zendesk.ticket(ticket).created_at -= by

    def messages(self, ticket: str) -> list[tuple[str, bool, str]]:
        events = [event for audit in self.zendesk.ticket(ticket).audits for event in audit["events"]]
        return [
            (self.zendesk.people[event["author_id"]]["name"], not event["public"], event["body"])
            for event in events
            if event["type"] == "Comment"
        ]

    def lose(self, what: str) -> None:
        match what:
            case "queue":
                self.zendesk.deleted_groups.add(SUPPORT)
            case "priority":
                self.zendesk.priorities = ["normal", "high"]
            case "credentials":
                self.zendesk.token = "another token since today"
            case _:
                raise NotImplementedError(what)

    def _change(self, ticket: str, author: int, **fields: Any) -> None:
        self.zendesk.change(self.zendesk.ticket(ticket), fields, author)
