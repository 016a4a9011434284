"""How we speak to django-helpdesk: its keys in the configuration, the shapes of what it answers, and its list page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from html.parser import HTMLParser

from pydantic import ConfigDict, Field, SecretStr

from monitor.checks.options.durations import Duration
from monitor.post.port import Address
from monitor.tickets.answers import Moment, Shape, read
from monitor.tickets.client import Ask, Client, HttpOptions
from monitor.tickets.port import Action, DeliveryError, Fate, Priority

_PAGE = 25
_PAGES = 400
# A comment is rendered as a template of Django, in which one brace too many makes the whole fail; and `#7` anywhere writes into ticket 7.
_RENDERED = re.compile(r"\{(?=[{%#])|%(?=\})|#(?=\d)")


class DjangoHelpdeskOptions(HttpOptions):
    """Where django-helpdesk is mounted and how it calls what we need.

    `token` belongs to a staff account of our own. `queue` is the title or number of the queue that serves the configured department and every
    one that is not in `departments`. `submitter` is the address in whose name tickets are opened. `reference_field` is the name of a custom
    field. A status that is not in `open_statuses` closes a ticket; `reopened_status` and `resolved_status` are the ones that we set.
    """

    token: SecretStr = Field(min_length=4)
    queue: str | int
    submitter: Address
    reference_field: str = Field(default="external_ref", pattern=r"^[A-Za-z0-9_-]+$")
    priorities: Mapping[Priority, int] = Field(default_factory=dict)
    open_statuses: tuple[int, ...] = Field(default=(1, 2), min_length=1)
    reopened_status: int = 2
    resolved_status: int = 3
    search_lag: Duration = timedelta(seconds=10)

    def queue_of(self, department: str) -> str | int:
        """Return the queue that serves a department of ours."""
        return self.departments.get(department, self.queue)

    def queues(self) -> Mapping[str, str | int]:
        """Return the queue of every department that is named in the configuration."""
        return {name: self.queue_of(name) for name in (self.department, *self.departments)}


class FollowUp(Shape):
    """One entry of a ticket's history; `user` is None for a customer who is no member of the staff."""

    id: int
    date: Moment
    user: int | None = None
    title: str | None = None
    comment: str | None = None
    public: bool = False
    new_status: int | None = None
    message_id: str | None = None


class Ticket(Shape):
    """A ticket with its history; custom fields stand beside the others as `custom_<name>`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: int
    queue: int
    title: str = ""
    description: str | None = None
    submitter_email: str | None = None
    assigned_to: int | None = None
    status: int
    priority: int
    merged_to: int | None = None
    followup_set: tuple[FollowUp, ...] = ()

    def custom(self, name: str) -> str:
        """Return what stands in a custom field, empty if there is none."""
        value = (self.model_extra or {}).get(f"custom_{name}")
        return value if isinstance(value, str) else ""

    def history(self) -> list[FollowUp]:
        """Return everything that was written or changed, oldest first."""
        return sorted(self.followup_set, key=lambda each: (each.date, each.id))


class _Page(Shape):
    count: int
    results: tuple[Ticket, ...]


class DjangoHelpdeskClient:
    """Requests to one django-helpdesk, answers by their shape."""

    def __init__(self, options: DjangoHelpdeskOptions, now: Callable[[], datetime]) -> None:
        self._http = Client(
            options, now, lambda: {"Authorization": f"Token {options.token.get_secret_value()}"}
        )
        self._url = options.url.rstrip("/")

    def url_of(self, ticket: int | str) -> str:
        """Return where people read a ticket."""
        return f"{self._url}/tickets/{ticket}/"

    def ticket(self, ticket: int | str, action: Action = Action.COMMENT) -> Ticket:
        """Return one ticket with its history; one that is gone raises DeliveryError with `missing`."""
        return read(Ticket, self._http.ask(Ask(method="GET", path=f"/api/tickets/{ticket}/", action=action)))

    def create(self, fields: Mapping[str, object]) -> Ticket:
        """Open a ticket and return it as it was made."""
        ask = Ask(method="POST", path="/api/tickets/", action=Action.CREATE, json=fields)
        return read(Ticket, self._http.ask(ask))

    def follow_up(self, action: Action, fields: Mapping[str, object]) -> FollowUp:
        """Write a follow-up, which may set a status, and return it as it was made."""
        ask = Ask(method="POST", path="/api/followups/", action=action, json=fields)
        return read(FollowUp, self._http.ask(ask))

    def change(self, ticket: str, action: Action, fields: Mapping[str, object]) -> None:
        """Change fields of a ticket."""
        self._http.ask(Ask(method="PATCH", path=f"/api/tickets/{ticket}/", action=action, json=fields))

    def described(self) -> Mapping[str, Mapping[str, object]]:
        """Return what may be sent when a ticket is opened: for each field its type, choices and limits."""
        answer = self._http.ask(Ask(method="OPTIONS", path="/api/tickets/")).json()
        fields = answer.get("actions", {}).get("POST", {}) if isinstance(answer, dict) else {}
        return {name: each for name, each in fields.items() if isinstance(each, dict)}

    def choices(self, path: str, name: str) -> Mapping[int, str]:
        """Return what may be chosen for a field, by its number; empty where the interface has no pages for people.

        There is no list of queues or users in the interface itself, only in the form that it shows to browsers.
        """
        query = (("page_size", "1"),)
        try:
            page = self._http.ask(Ask(method="GET", path=path, query=query, headers={"Accept": "text/html"}))
        except DeliveryError as error:
            if error.fate is not Fate.REFUSED:
                raise
            return {}
        form = _Choices(name)
        form.feed(page.body.decode(errors="replace"))
        return form.found

    def newest_first(self, *, status: tuple[int, ...] = ()) -> Iterator[Ticket]:
        """Return the tickets, the newest first, at most 10,000.

        The list begins with the oldest, so that pages are taken from its end: what is opened or deleted meanwhile hides nothing.
        """
        conditions = (("status", ",".join(map(str, status))),) if status else ()
        last = -(-self._page(conditions, 1, 1).count // _PAGE)
        for number in range(last, max(last - _PAGES, 0), -1):
            try:
                yield from reversed(self._page(conditions, number, _PAGE).results)
            except DeliveryError as error:
                # So many were deleted meanwhile that there is no such page any more.
                if error.fate is not Fate.MISSING:
                    raise

    def _page(self, conditions: tuple[tuple[str, str], ...], number: int, size: int) -> _Page:
        query = (*conditions, ("page", str(number)), ("page_size", str(size)))
        ask = Ask(method="GET", path="/api/tickets/", action=Action.COMMENT, query=query)
        return read(_Page, self._http.ask(ask))


def harmless(words: str) -> str:
    """Return words that django-helpdesk neither renders nor takes for the number of another ticket: a space stands between."""
    return _RENDERED.sub(lambda found: f"{found[0]} ", words)


class _Choices(HTMLParser):
    """The options of one `select` of a page."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._inside = False
        self._value = ""
        self.found: dict[int, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "select":
            self._inside = given.get("name") == self._name
        elif tag == "option" and self._inside:
            self._value = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and self._value.isdigit() and data.strip():
            self.found.setdefault(int(self._value), data.strip())
