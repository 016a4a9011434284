"""Redmine, over its REST interface.

A good answer from Redmine does not say that something was done: it drops fields that it does not know, statuses that its workflow does
not let us set and notes that we may not keep private, and it lists everything when it is asked to filter by what is no filter.
So every write is read back and every hit compared.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.language.phrases import Phrase
from monitor.tickets.answers import body_of, is_number, said_before, same_words, short_subject
from monitor.tickets.beforehand import afterwards, beforehand
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Found,
    HelpdeskKind,
    HelpdeskTools,
    Order,
    Receipt,
    TicketStatus,
)
from monitor.tickets.redmine_client import Issue, RedmineClient, RedmineOptions
from monitor.tickets.redmine_names import Names, Registrar
from monitor.tickets.redmine_records import RedmineRecords, answered_at

_LOG = logging.getLogger(__name__)
_SUBJECT_LIMIT = 255
# In a filter `|` means or and some first letters are operators; what we call tickets has neither.
_OURS = re.compile(r"VG-[A-Za-z0-9-]+")


class Redmine:
    """One Redmine. What its things are called is asked once; anything that it refuses makes us ask anew."""

    name = "redmine"

    def __init__(self, options: RedmineOptions, now: Callable[[], datetime]) -> None:
        self._options = options
        self._client = RedmineClient(options, now)
        self._known: Names | None = None
        self.records = RedmineRecords(options, self._client, self._names)

    @property
    def search_lag(self) -> timedelta:
        """How long a ticket may be missing in `find`: the list comes out of the database."""
        return self._options.search_lag

    def inspect(self) -> tuple[Phrase, ...]:
        """Ask for account, rights, projects, tracker, field, priorities and statuses."""
        return self._ask_names().flaws

    def perform(self, order: Order) -> Receipt:
        """Carry out one action and read back that it was done."""
        try:
            receipt = self._create(order) if order.action is Action.CREATE else self._follow_up(order)
        except DeliveryError as error:
            if error.fate in (Fate.REFUSED, Fate.FORBIDDEN):
                self._known = None
            raise
        return receipt

    def find(self, reference: str) -> tuple[Found, ...]:
        """Return the tickets whose field holds exactly this reference, without those that people made duplicates of another."""
        if not _OURS.fullmatch(reference):
            return ()
        names = self._names()
        if names.reference_field is None:
            raise self._unfit(names)
        hits = list(self._client.all((f"cf_{names.reference_field}", reference)))
        values = [each.value_of(names.reference_field) for each in hits]
        if any(value.casefold() != reference.casefold() for value in values):
            # Without a filter of this name it lists every ticket that there is.
            self._known = None
            raise DeliveryError(Fate.FORBIDDEN, "the helpdesk does not filter by the reference's field")
        ours = [each for each, value in zip(hits, values, strict=True) if value == reference]
        if not ours:
            self._client.require_account()
        found = (self._found(self._client.issue(each.id, None), reference, names) for each in ours)
        return tuple(each for each in found if each is not None)

    def _create(self, order: Order) -> Receipt:
        if self._known is not None and self._known.flaws:
            # Somebody may have seen to it meanwhile.
            self._known = None
        names = beforehand(self._names)
        if names.flaws or names.reference_field is None:
            raise self._unfit(names)
        issue = self._client.create(
            {
                "project_id": self._options.project_of(order.department),
                "tracker_id": names.tracker,
                "subject": short_subject(order.subject, _SUBJECT_LIMIT),
                "description": body_of(order),
                "priority_id": names.priorities[order.priority],
                "custom_fields": [{"id": names.reference_field, "value": order.reference}],
            }
        )
        if issue.value_of(names.reference_field) != order.reference:
            # The ticket is there, and trying again would make a second one: operators hear of it when it is looked up.
            _LOG.error("redmine keeps no reference on ticket %d", issue.id)
            self._known = None
        if issue.priority.id != names.priorities[order.priority]:
            _LOG.warning("redmine gave ticket %d the priority %s", issue.id, issue.priority.name)
        return self._receipt(issue.id)

    def _follow_up(self, order: Order) -> Receipt:
        if not is_number(order.ticket):
            raise DeliveryError(Fate.MISSING, "no ticket of Redmine is called so")
        names = beforehand(self._names)
        before = beforehand(lambda: self._client.issue(order.ticket, order.action))
        if self._is_merged(before, names):
            raise DeliveryError(Fate.MISSING, f"people closed the ticket in favour of {before.repeats()}")
        fields = self._changes(order, before, names)
        if fields:
            self._client.change(order.ticket, order.action, fields)
            after = afterwards(lambda: self._client.issue(order.ticket, order.action))
            self._require(fields, after, before, names)
        return self._receipt(before.id)

    def _changes(self, order: Order, before: Issue, names: Names) -> dict[str, object]:
        """Return what to ask for; nothing that is so already."""
        fields: dict[str, object] = {}
        closed = names.is_closed(before.status.id)
        if order.action in (Action.PRIORITY, Action.REOPEN):
            wanted = self._known_one(names.priorities.get(order.priority), names)
            if before.priority.id != wanted:
                fields["priority_id"] = wanted
            elif order.action is Action.PRIORITY:
                return {}
        if order.action is Action.RESOLVE and not closed:
            fields["status_id"] = self._known_one(names.closed_status, names)
        if order.action is Action.REOPEN and closed:
            fields["status_id"] = self._known_one(names.open_status, names)
        ours = [each.notes for each in before.history() if each.user.id == names.me and each.notes]
        if order.body.strip() and not said_before(ours, order.body):
            fields |= {"notes": order.body, "private_notes": order.internal}
        return fields

    def _require(self, fields: dict[str, object], after: Issue, before: Issue, names: Names) -> None:
        """Raise DeliveryError for the first thing that was asked for and not done."""
        for name, found in (("priority_id", after.priority.id), ("status_id", after.status.id)):
            if fields.get(name, found) != found:
                detail = f"the helpdesk ignores {name}: see whether the workflow lets our role set it"
                raise DeliveryError(Fate.REFUSED, detail)
        if "notes" not in fields:
            return
        last = before.history()[-1].id if before.journals else 0
        notes = [
            each
            for each in after.history()
            if each.id > last and each.user.id == names.me and same_words(each.notes, str(fields["notes"]))
        ]
        if not notes:
            raise DeliveryError(
                Fate.REFUSED, "the helpdesk dropped the note: see whether our role may add notes"
            )
        if notes[-1].private_notes is not fields["private_notes"]:
            detail = "the helpdesk published the note: see whether our role may set notes as private"
            raise DeliveryError(Fate.REFUSED, detail)

    def _found(self, issue: Issue, reference: str, names: Names) -> Found | None:
        if self._is_merged(issue, names):
            return None
        answer = answered_at(issue, names.me)
        open_status = TicketStatus.OPEN if answer is None else TicketStatus.ANSWERED
        return Found(
            ticket=str(issue.id),
            reference=reference,
            url=self._client.url_of(issue.id),
            status=TicketStatus.CLOSED if names.is_closed(issue.status.id) else open_status,
            priority=names.priority_of(issue.priority.id),
            answered_at=answer,
        )

    def _is_merged(self, issue: Issue, names: Names) -> bool:
        return issue.repeats() is not None and names.is_closed(issue.status.id)

    def _known_one(self, number: int | None, names: Names) -> int:
        if number is None:
            raise self._unfit(names)
        return number

    def _names(self) -> Names:
        return self._known or self._ask_names()

    def _ask_names(self) -> Names:
        names = self._known = Registrar(self._options, self._client).names()
        return names

    def _unfit(self, names: Names) -> DeliveryError:
        self._known = None
        return DeliveryError(Fate.FORBIDDEN, names.flaws[0].say(self._options.language))

    def _receipt(self, number: int) -> Receipt:
        return Receipt(ticket=str(number), url=self._client.url_of(number))


def _build(options: RedmineOptions, tools: HelpdeskTools) -> Redmine:
    return Redmine(options, tools.now)


REDMINE = HelpdeskKind(name="redmine", options=RedmineOptions, build=_build)
