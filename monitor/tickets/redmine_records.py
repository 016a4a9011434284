"""What people do in Redmine, read from its issues and their journals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from monitor.tickets.answers import is_number, shortened
from monitor.tickets.port import Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.redmine_client import Detail, Issue, Journal, RedmineClient, RedmineOptions
from monitor.tickets.redmine_names import Names


class RedmineRecords:
    """The tickets of the followed projects and what people did on them."""

    def __init__(self, options: RedmineOptions, client: RedmineClient, names: Callable[[], Names]) -> None:
        self._options = options
        self._client = client
        self._names = names

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket of the followed projects that was changed at `since` or later; one more request for each."""
        names = self._names()
        by_project = {project: department for department, project in self._options.projects().items()}
        return tuple(
            self._case(issue, department, names)
            for project, department in by_project.items()
            for issue in self._changed(project, since)
        )

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people did on one ticket, oldest first."""
        if not is_number(ticket):
            raise DeliveryError(Fate.MISSING, "no ticket of Redmine is called so")
        names = self._names()
        issue = self._client.issue(ticket)
        journals = [each for each in issue.history() if each.user.id != names.me]
        return tuple(word for journal in journals for word in self._words(journal, issue, names))

    def _changed(self, project: str, since: datetime) -> Iterator[Issue]:
        moment = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        # A project lists those below it as well; they are nobody's department unless somebody says so.
        listed = self._client.all(
            ("project_id", project), ("subproject_id", "!*"), ("updated_on", f">={moment}")
        )
        for each in listed:
            try:
                yield self._client.issue(each.id)
            except DeliveryError as error:
                # It was deleted meanwhile.
                if error.fate is not Fate.MISSING:
                    raise

    def _case(self, issue: Issue, department: str, names: Names) -> Case:
        answer = answered_at(issue, names.me)
        closed = names.is_closed(issue.status.id)
        open_status = TicketStatus.OPEN if answer is None else TicketStatus.ANSWERED
        return Case(
            ticket=str(issue.id),
            url=self._client.url_of(issue.id),
            department=department,
            subject=issue.subject,
            requester=issue.author.name,
            priority=names.priority_of(issue.priority.id),
            status=TicketStatus.CLOSED if closed else open_status,
            opened_at=issue.created_on,
            answered_at=answer,
            # It keeps the moment when it opens a ticket again.
            closed_at=issue.closed_on if closed else None,
            reference="" if names.reference_field is None else issue.value_of(names.reference_field),
        )

    def _words(self, journal: Journal, issue: Issue, names: Names) -> Iterator[Word]:
        author, at = journal.user.name, journal.created_on
        if (journal.notes or "").strip() and journal.user.id != issue.author.id:
            deed = Deed.NOTE if journal.private_notes else Deed.ANSWER
            body = shortened(journal.notes or "")
            yield Word(key=f"{journal.id}", deed=deed, author=author, at=at, body=body)
        for place, detail in enumerate(journal.details):
            if told := self._deed(detail, issue, names):
                deed, body = told
                yield Word(key=f"{journal.id}-{place}", deed=deed, author=author, at=at, body=body)

    def _deed(self, detail: Detail, issue: Issue, names: Names) -> tuple[Deed, str] | None:
        new = detail.new_value or ""
        match detail.property, detail.name:
            case "attr", "status_id":
                return _move(names.is_closed(detail.old_value or "0"), names.is_closed(new or "0"))
            case "attr", "assigned_to_id" if new:
                return Deed.ASSIGNED, self._person(new, issue)
            case "attr", "priority_id" if new:
                return Deed.PRIORITY, names.priority_of(int(new)).value
            case "relation", "duplicates" if new:
                return Deed.MERGED, new
            case _:
                return None

    def _person(self, number: str, issue: Issue) -> str:
        present = issue.assigned_to
        if present is not None and str(present.id) == number:
            return present.name
        return self._client.person(number)


def answered_at(issue: Issue, me: int) -> datetime | None:
    """Return when somebody who is neither the author nor we (`me`) first wrote what the author may read."""
    answers = (
        each.created_on
        for each in issue.history()
        if each.user.id not in (me, issue.author.id) and (each.notes or "").strip() and not each.private_notes
    )
    return next(answers, None)


def _move(was_closed: bool, is_closed: bool) -> tuple[Deed, str] | None:  # noqa: FBT001 - before and after
    if was_closed == is_closed:
        return None
    return (Deed.CLOSED if is_closed else Deed.REOPENED), ""
