"""How we speak to Redmine: its keys in the configuration, the shapes of what it answers, and its lists page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field, SecretStr

from monitor.checks.options.durations import Duration
from monitor.tickets.answers import Moment, Shape, read
from monitor.tickets.client import Ask, Client, HttpOptions
from monitor.tickets.port import Action, DeliveryError, Fate

_PAGE = 25
_PAGES = 400
# In Redmine's words: the first issue repeats the second one.
_REPEATS = "duplicates"
_EMPTY_FILTER = 422


class RedmineOptions(HttpOptions):
    """Where Redmine is and how it calls what we need; everything with a name there may be given by its number instead.

    `key` is the API key of an account of our own. `project` serves the configured department and every one that is not in `departments`.
    `reference_field` is a custom field of issues, a text that is used as a filter. `open_status` and `closed_status` are set when
    a ticket is opened again and closed; without them the tracker's first status and the first one that closes.
    """

    key: SecretStr = Field(min_length=4)
    project: str | int
    tracker: str | int = "Support"
    reference_field: str | int = "ExternalRef"
    open_status: str | int | None = None
    closed_status: str | int | None = None
    search_lag: Duration = timedelta(seconds=10)

    def project_of(self, department: str) -> str:
        """Return the project that serves a department of ours."""
        return str(self.departments.get(department, self.project))

    def projects(self) -> Mapping[str, str]:
        """Return the project of every department that is named in the configuration."""
        return {name: self.project_of(name) for name in (self.department, *self.departments)}


class Named(Shape):
    """Anything that Redmine lists by number and name."""

    id: int
    name: str = ""


class Value(Named):
    """A custom field of an issue; one that takes several values has a list."""

    value: str | list[str] | None = None


class Detail(Shape):
    """What one journal says to have changed."""

    property: str
    name: str
    old_value: str | None = None
    new_value: str | None = None


class Journal(Shape):
    """One entry of an issue's history: a note, changes, or both."""

    id: int
    user: Named = Named(id=0)
    notes: str | None = None
    created_on: Moment
    private_notes: bool = False
    details: tuple[Detail, ...] = ()


class Relation(Shape):
    """How one issue relates to another."""

    issue_id: int
    issue_to_id: int
    relation_type: str


class Issue(Shape):
    """A ticket; journals and relations are there only if they were asked for."""

    id: int
    project: Named
    status: Named
    priority: Named
    author: Named = Named(id=0)
    assigned_to: Named | None = None
    subject: str = ""
    custom_fields: tuple[Value, ...] = ()
    created_on: Moment
    closed_on: Moment | None = None
    relations: tuple[Relation, ...] = ()
    journals: tuple[Journal, ...] = ()

    def value_of(self, field: int) -> str:
        """Return what stands in a custom field, empty if the issue has no such field."""
        found = next((each.value for each in self.custom_fields if each.id == field), None)
        return found if isinstance(found, str) else ""

    def repeats(self) -> int | None:
        """Return the issue that people said this one is a duplicate of."""
        own = (each for each in self.relations if each.relation_type == _REPEATS and each.issue_id == self.id)
        return next((each.issue_to_id for each in own), None)

    def history(self) -> list[Journal]:
        """Return the journals, oldest first, whatever order the account has chosen to see them in."""
        return sorted(self.journals, key=lambda each: each.id)


class _Name(Shape):
    firstname: str = ""
    lastname: str = ""


class _Person(Shape):
    user: _Name


class _One(Shape):
    issue: Issue


class _Page(Shape):
    issues: tuple[Issue, ...]
    total_count: int


class _Refusal(Shape):
    errors: tuple[str, ...]


class RedmineClient:
    """Requests to one Redmine, answers by their shape."""

    def __init__(self, options: RedmineOptions, now: Callable[[], datetime]) -> None:
        self.http = Client(options, now, lambda: {"X-Redmine-API-Key": options.key.get_secret_value()})
        self._url = options.url.rstrip("/")

    def url_of(self, ticket: int | str) -> str:
        """Return where people read a ticket."""
        return f"{self._url}/issues/{ticket}"

    def issue(self, ticket: int | str, action: Action | None = Action.COMMENT) -> Issue:
        """Return one ticket with all that was said on it; one that is gone raises DeliveryError with `missing`."""
        query = (("include", "journals,relations"),)
        return read(
            _One, self.http.ask(Ask(method="GET", path=f"/issues/{ticket}.json", action=action, query=query))
        ).issue

    def require_account(self) -> None:
        """Raise DeliveryError with `forbidden` if our key is not accepted.

        What Redmine lists for a key that it does not know is what a guest may see, not a refusal.
        """
        self.http.ask(Ask(method="GET", path="/users/current.json"))

    def person(self, number: str) -> str:
        """Return how a user is called; one whom we may not see goes by the number."""
        try:
            found = read(_Person, self.http.ask(Ask(method="GET", path=f"/users/{number}.json"))).user
        except DeliveryError:
            return f"#{number}"
        return f"{found.firstname} {found.lastname}".strip()

    def create(self, fields: Mapping[str, object]) -> Issue:
        """Open a ticket and return it as Redmine made it."""
        ask = Ask(method="POST", path="/issues.json", action=Action.CREATE, json={"issue": fields})
        return read(_One, self.http.ask(ask)).issue

    def change(self, ticket: str, action: Action, fields: Mapping[str, object]) -> None:
        """Ask for changes of a ticket; that the answer is good does not mean that they were made."""
        self.http.ask(Ask(method="PUT", path=f"/issues/{ticket}.json", action=action, json={"issue": fields}))

    def complaints(self, project: int, filters: Sequence[str]) -> tuple[str, ...]:
        """Return what Redmine says of filters that are left empty: a sentence with the name of each that the project has, in their order."""
        asked = (
            pair for name in filters for pair in (("f[]", name), (f"op[{name}]", "="), (f"v[{name}][]", ""))
        )
        query = (("set_filter", "1"), ("limit", "1"), *asked)
        answer = self.http.answer(Ask(method="GET", path=f"/projects/{project}/issues.json", query=query))
        if answer.status == _EMPTY_FILTER:
            return read(_Refusal, answer).errors
        self.http.require(answer)
        return ()

    def newest(self, *conditions: tuple[str, str], count: int = 1) -> tuple[Issue, ...]:
        """Return the newest issues that these conditions let through, open and closed."""
        return self._page(conditions, "id:desc", 0, count).issues

    def all(self, *conditions: tuple[str, str]) -> Iterator[Issue]:
        """Return every issue that these conditions let through, open and closed, oldest first."""
        for page in range(_PAGES):
            found = self._page(conditions, "id", page * _PAGE, _PAGE)
            yield from found.issues
            if not found.issues or (page + 1) * _PAGE >= found.total_count:
                return
        raise DeliveryError(Fate.UNCERTAIN, f"the helpdesk lists more than {_PAGES * _PAGE} tickets")

    def _page(self, conditions: tuple[tuple[str, str], ...], sort: str, offset: int, limit: int) -> _Page:
        # Without `status_id` it lists open issues only.
        query = (
            *conditions,
            ("status_id", "*"),
            ("include", "relations"),
            ("sort", sort),
            ("offset", str(offset)),
            ("limit", str(limit)),
        )
        return read(_Page, self.http.ask(Ask(method="GET", path="/issues.json", query=query)))
