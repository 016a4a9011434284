"""What one Redmine calls the things that we use: the numbers of its fields, trackers, priorities and statuses.

An account that is no administrator may not list the custom fields, so the number of ours is read off where it shows: on an
issue of the project or, as long as it has none, in what Redmine says of a filter that is left empty, which names the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

from monitor.language.phrases import Phrase
from monitor.tickets.answers import Shape, read
from monitor.tickets.client import Ask, Reply
from monitor.tickets.port import DeliveryError, Fate, Priority
from monitor.tickets.redmine_client import Issue, Named, RedmineClient, RedmineOptions

PRIORITIES = {
    Priority.LOW: "Low",
    Priority.NORMAL: "Normal",
    Priority.HIGH: "High",
    Priority.URGENT: "Urgent",
}
_NEEDED = ("view_issues", "add_issues", "edit_issues", "add_issue_notes")
_NEEDED_FOR_INTERNAL = ("view_private_notes", "set_notes_private")
# The numbers of fields that are tried, so many at once that the address stays short.
_FIRST_FIELDS = range(1, 241)
_AT_ONCE = 16
# No ticket is ever called so: a list for it that is not empty was not filtered.
_NOBODY = "VG-NOBODY"
NamedT = TypeVar("NamedT", bound=Named)


class Status(Named):
    """A status; `is_closed` says whether it ends a ticket."""

    is_closed: bool = False


@dataclass(frozen=True, kw_only=True)
class Names:
    """The numbers of what we use; None where Redmine has no such thing, which then is one of `flaws`."""

    me: int = 0
    reference_field: int | None = None
    tracker: int | None = None
    priorities: Mapping[Priority, int] = field(default_factory=dict)
    ranks: Sequence[int] = ()
    statuses: Mapping[int, Status] = field(default_factory=dict)
    open_status: int | None = None
    closed_status: int | None = None
    flaws: tuple[Phrase, ...] = ()

    def is_closed(self, status: int | str) -> bool:
        """Does this status end a ticket?"""
        found = self.statuses.get(int(status))
        return found is not None and found.is_closed

    def priority_of(self, number: int) -> Priority:
        """Return what we call a priority of theirs; one that we have no word for counts as the next lower one that we have."""
        if number not in self.ranks:
            return Priority.NORMAL
        upto = self.ranks[: self.ranks.index(number) + 1]
        known = {theirs: ours for ours, theirs in self.priorities.items()}
        return next((known[each] for each in reversed(upto) if each in known), Priority.LOW)


class _Membership(Shape):
    project: Named
    roles: tuple[Named, ...] = ()


class _User(Shape):
    id: int
    admin: bool = False
    memberships: tuple[_Membership, ...] = ()


class _Me(Shape):
    user: _User


class _Tracker(Named):
    default_status: Named | None = None


class _Trackers(Shape):
    trackers: tuple[_Tracker, ...]


class _Priority(Named):
    active: bool = True


class _Priorities(Shape):
    issue_priorities: tuple[_Priority, ...]


class _Statuses(Shape):
    issue_statuses: tuple[Status, ...]


class _ProjectOnly(Named):
    trackers: tuple[Named, ...] = ()


class _Project(Shape):
    project: _ProjectOnly


class _RoleOnly(Shape):
    permissions: tuple[str, ...] = ()


class _Role(Shape):
    role: _RoleOnly


class Registrar:
    """Asks one Redmine for everything that it takes to open a ticket and to find it again; it only reads."""

    def __init__(self, options: RedmineOptions, client: RedmineClient) -> None:
        self._options = options
        self._client = client
        self._flaws: list[Phrase] = []

    def names(self) -> Names:
        """Return what was found; without an account that is accepted nothing else is asked."""
        try:
            me = read(_Me, self._get("/users/current.json", ("include", "memberships"))).user
        except DeliveryError as error:
            if error.fate is not Fate.FORBIDDEN or error.remedy:
                raise
            return Names(flaws=(Phrase("helpdesk.redmine.credentials"),))
        tracker = self._tracker()
        statuses = read(_Statuses, self._get("/issue_statuses.json")).issue_statuses
        ranked, priorities = self._priorities()
        projects = [found for found in map(self._project, self._wanted()) if found is not None]
        for project in projects:
            self._judge(project, me, tracker)
        return Names(
            me=me.id,
            reference_field=self._field(projects, tracker),
            tracker=_number(tracker),
            priorities=priorities,
            ranks=ranked,
            statuses={status.id: status for status in statuses},
            open_status=self._open_status(statuses, tracker),
            closed_status=self._closed_status(statuses),
            flaws=tuple(self._flaws),
        )

    def _wanted(self) -> list[str]:
        return list(dict.fromkeys((*self._options.projects().values(), str(self._options.project))))

    def _tracker(self) -> _Tracker | None:
        trackers = read(_Trackers, self._get("/trackers.json")).trackers
        found = _called(self._options.tracker, trackers)
        if found is None:
            self._flaw("helpdesk.redmine.tracker", name=self._options.tracker, project=self._options.project)
        return found

    def _priorities(self) -> tuple[list[int], dict[Priority, int]]:
        theirs = read(_Priorities, self._get("/enumerations/issue_priorities.json")).issue_priorities
        active = [each for each in theirs if each.active]
        found = {}
        for ours, usual in PRIORITIES.items():
            word = self._options.priorities.get(ours, usual)
            priority = _called(word, active)
            if priority is None:
                self._flaw("helpdesk.redmine.priority", name=word, ours=ours.value)
            else:
                found[ours] = priority.id
        return [each.id for each in theirs], found

    def _project(self, project: str) -> _ProjectOnly | None:
        include = ("include", "trackers")
        try:
            return read(_Project, self._get(f"/projects/{quote(project, safe='')}.json", include)).project
        except DeliveryError as error:
            # One that is closed to us answers 403, one that does not exist 404.
            if error.fate not in (Fate.FORBIDDEN, Fate.REFUSED):
                raise
        self._flaw("helpdesk.redmine.project", name=project)
        return None

    def _judge(self, project: _ProjectOnly, me: _User, tracker: _Tracker | None) -> None:
        if tracker is not None and tracker.id not in {each.id for each in project.trackers}:
            self._flaw("helpdesk.redmine.tracker", name=tracker.name, project=project.name)
        if me.admin:
            return
        roles = [role.id for each in me.memberships if each.project.id == project.id for role in each.roles]
        may = {permission for role in roles for permission in self._permissions(role)}
        needed = _NEEDED + (_NEEDED_FOR_INTERNAL if self._options.follow_ups == "internal" else ())
        if missing := [each for each in needed if each not in may]:
            self._flaw("helpdesk.redmine.rights", project=project.name, missing=", ".join(missing))

    def _permissions(self, role: int) -> tuple[str, ...]:
        return read(_Role, self._get(f"/roles/{role}.json")).role.permissions

    def _field(self, projects: Sequence[_ProjectOnly], tracker: _Tracker | None) -> int | None:
        wanted, number = self._options.reference_field, None
        for project in projects:
            found = self._field_in(project, tracker)
            if found is None:
                self._flaw("helpdesk.redmine.field", name=wanted, project=project.name)
            number = number or found
        if number is not None and self._client.newest((f"cf_{number}", _NOBODY)):
            self._flaw("helpdesk.redmine.filter", name=wanted)
        return number

    def _field_in(self, project: _ProjectOnly, tracker: _Tracker | None) -> int | None:
        wanted = self._options.reference_field
        if example := self._example(project, tracker):
            # An issue shows every field that applies to its project and tracker, empty ones too.
            return _number(_called(wanted, example.custom_fields))
        places = (wanted,) if isinstance(wanted, int) else _FIRST_FIELDS
        starts = range(0, len(places), _AT_ONCE)
        found = (self._filter(project, places[start : start + _AT_ONCE]) for start in starts)
        return next((number for number in found if number is not None), None)

    def _example(self, project: _ProjectOnly, tracker: _Tracker | None) -> Issue | None:
        if tracker is None:
            return None
        of_it = (
            ("project_id", str(project.id)),
            ("subproject_id", "!*"),
            ("tracker_id", str(tracker.id)),
        )
        return next(iter(self._client.newest(*of_it)), None)

    def _filter(self, project: _ProjectOnly, numbers: Sequence[int]) -> int | None:
        """Return which of these numbers our field has as a filter of the project, None if none of them."""
        if not self._is_among(project, numbers):
            return None
        if len(numbers) == 1:
            return numbers[0]
        half = len(numbers) // 2
        return self._filter(project, numbers[:half]) or self._filter(project, numbers[half:])

    def _is_among(self, project: _ProjectOnly, numbers: Sequence[int]) -> bool:
        """Is one of these numbers our field's? Of each filter without a value Redmine says, in its language, that it is empty."""
        said = self._client.complaints(project.id, ("subject", *(f"cf_{number}" for number in numbers)))
        return any(_names(self._options.reference_field, each, said[0]) for each in said[1:])

    def _open_status(self, statuses: Sequence[Status], tracker: _Tracker | None) -> int | None:
        if tracker is None and self._options.open_status is None:
            # That the tracker is missing says it already.
            return None
        usual = None if tracker is None or tracker.default_status is None else tracker.default_status.id
        return self._status(self._options.open_status or usual, statuses, closed=False)

    def _closed_status(self, statuses: Sequence[Status]) -> int | None:
        usual = next((each.id for each in statuses if each.is_closed), None)
        return self._status(self._options.closed_status or usual, statuses, closed=True)

    def _status(self, word: str | int | None, statuses: Sequence[Status], *, closed: bool) -> int | None:
        found = None if word is None else _called(word, statuses)
        if found is not None and found.is_closed is closed:
            return found.id
        kept = "helpdesk.redmine.closed_status" if closed else "helpdesk.redmine.open_status"
        self._flaw(kept, name=word or "—")
        return None

    def _get(self, path: str, *query: tuple[str, str]) -> Reply:
        return self._client.http.ask(Ask(method="GET", path=path, query=query))

    def _flaw(self, key: str, **values: object) -> None:
        flaw = Phrase(key, values)
        if flaw not in self._flaws:
            self._flaws.append(flaw)


def _called(word: str | int, things: Iterable[NamedT]) -> NamedT | None:
    """Return the thing of this number, or of this name in whatever case."""
    if isinstance(word, int):
        return next((each for each in things if each.id == word), None)
    return next((each for each in things if each.name.casefold() == word.casefold()), None)


def _number(thing: Named | None) -> int | None:
    return None if thing is None else thing.id


def _names(field: str | int, said: str, of_another: str) -> bool:
    """Does Redmine say of our field what it says of another one? Both sentences end in the same way."""
    if isinstance(field, int):
        return True
    end = said[len(field) :]
    return said.casefold().startswith(field.casefold()) and end.startswith(" ") and of_another.endswith(end)
