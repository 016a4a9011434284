"""What Request Tracker lets us read: its tickets as they change, and what people did on one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from monitor.tickets.answers import is_number, shortened
from monitor.tickets.mapping import Places, Scale
from monitor.tickets.port import Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.rt_api import NEWEST_FIRST, Api, RtOptions, Ticket, Transaction

# A search takes its moments in the zone of RT or of our account there, which nobody tells us: at most 12 hours behind UTC.
_ZONES = timedelta(hours=12)
# RT itself, which carries out its rules, and whoever has what nobody has.
_NOBODY = frozenset({"RT_System", "Nobody"})
_DELETED = "deleted"
_FINAL = frozenset({"resolved", "rejected", _DELETED})
_SETTLED = timedelta(minutes=1)
_KEPT = 500
_MERGED_INTO = re.compile(r"/ticket/(\d+)$")


class _Known(NamedTuple):
    """What people did on a ticket until it was last changed."""

    updated: datetime
    words: tuple[Word, ...]


class RtRecords:
    """Reads tickets by searches and people's deeds by the history; what RT did by itself, and we, is nobody's deed."""

    def __init__(
        self, options: RtOptions, api: Api, scale: Scale, places: Places, now: Callable[[], datetime]
    ) -> None:
        self._now = now
        self._known: dict[str, _Known] = {}
        self._options = options
        self._api = api
        self._scale = scale
        self._places = places
        self._final = _FINAL | {options.closed_status}

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """List the queues of our departments, the last changed first, until what is older than `since`."""
        departments = self._departments()
        queues = " OR ".join(f"Queue = {number}" for number in departments)
        earliest = (since.astimezone(UTC) - _ZONES).strftime("%Y-%m-%d %H:%M:%S")
        query = f"({queues}) AND LastUpdated >= '{earliest}' AND Status = "
        found: dict[str, Case] = {}
        # What changes while we read comes to the front of its list, and so again the next time.
        for status, closed in (("__Active__", False), ("__Inactive__", True)):
            for ticket in self._api.tickets(f"{query}'{status}'", NEWEST_FIRST):
                if ticket.updated < since.replace(microsecond=0):
                    break
                found[ticket.id] = self._case(ticket, departments[ticket.queue.id], closed=closed)
        return tuple(found.values())

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Read the history of a ticket, with what was merged into it; nothing of it is read again before something changes."""
        present = next(self._api.tickets(f"id = {ticket}"), None) if is_number(ticket) else None
        if present is None:
            return self._read(ticket)
        known = self._known.get(ticket)
        if known is not None and known.updated == present.updated:
            return known.words
        words = self._read(ticket)
        self._known.pop(ticket, None)
        # RT writes whole seconds, and its clock need not be ours: what is too young may still change without a sign of it.
        if self._now() - present.updated > _SETTLED:
            self._keep(ticket, _Known(present.updated, words))
        return words

    def _keep(self, ticket: str, known: _Known) -> None:
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)), None)
        self._known[ticket] = known

    def _read(self, ticket: str) -> tuple[Word, ...]:
        history = tuple(self._api.history(ticket)) if is_number(ticket) else ()
        statuses = [each.new for each in history if each.type == "Status"]
        if not history or statuses[-1:] == [_DELETED]:
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        theirs = [each for each in history if self._is_of_staff(each.creator.id)]
        written = any(each.type in ("Correspond", "Comment") for each in theirs)
        texts = self._api.texts(ticket) if written else {}
        told = (self._word(each, ticket, texts.get(each.id, "")) for each in theirs)
        return tuple(word for word in told if word is not None)

    def _departments(self) -> dict[str, str]:
        """Return our department of each followed queue, by the number of the queue."""
        numbers: dict[str, str] = {}
        for department, place in self._places.followed.items():
            queue = self._api.queue(place)
            if queue is None:
                raise DeliveryError(Fate.FORBIDDEN, f"the helpdesk shows no queue {place}")
            numbers.setdefault(queue.id, department)
        return numbers

    def _case(self, ticket: Ticket, department: str, *, closed: bool) -> Case:
        requesters = [each.id for each in ticket.requestors]
        answered = self._answered_at(ticket, requesters)
        status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Case(
            ticket=ticket.id,
            url=self._options.link_to(ticket.id),
            department=department,
            subject=ticket.subject,
            requester=", ".join(requesters) or ticket.creator.id,
            priority=self._scale.ours(ticket.priority),
            status=TicketStatus.CLOSED if closed else status,
            opened_at=ticket.created,
            answered_at=answered,
            closed_at=ticket.resolved if closed else None,
            reference=ticket.value_of(self._options.reference_field),
        )

    def _answered_at(self, ticket: Ticket, requesters: list[str]) -> datetime | None:
        """RT notes when a requester was last told something. Only where somebody was, or nobody could be, the history says who first."""
        if requesters and ticket.told is None:
            return None
        answers = (
            each.created
            for each in self._api.replies(ticket.id)
            if each.creator.id not in requesters and self._is_of_staff(each.creator.id)
        )
        return next(answers, None)

    def _is_of_staff(self, login: str) -> bool:
        """Somebody who works there: not we, not RT itself, and not a customer who was only sent a copy."""
        if login in _NOBODY or login == self._api.us():
            return False
        user = self._api.user(login)
        return user is not None and user.staff

    def _word(self, done: Transaction, ticket: str, text: str) -> Word | None:
        deed = self._deed(done, ticket, text)
        if deed is None:
            return None
        kind, body = deed
        return Word(key=done.id, deed=kind, author=done.creator.id, at=done.created, body=shortened(body))

    def _deed(self, done: Transaction, ticket: str, text: str) -> tuple[Deed, str] | None:
        match done.type, done.field:
            case "Correspond", _:
                return Deed.ANSWER, text
            case "Comment", _:
                return Deed.NOTE, text
            case "SetWatcher", "Owner":
                return self._assigned(done)
            case "Set", "Priority":
                return Deed.PRIORITY, self._scale.ours(done.new)
            case "Status", _:
                return self._moved(done)
            case "AddLink", "MergedInto":
                return _merged(done, ticket)
            case _:
                return None

    def _assigned(self, done: Transaction) -> tuple[Deed, str] | None:
        owner = self._api.user(done.new)
        return None if owner is None or owner.login in _NOBODY else (Deed.ASSIGNED, owner.login)

    def _moved(self, done: Transaction) -> tuple[Deed, str] | None:
        was, is_now = done.old in self._final, done.new in self._final
        if was == is_now:
            return None
        return (Deed.CLOSED if is_now else Deed.REOPENED), ""


def _merged(done: Transaction, ticket: str) -> tuple[Deed, str] | None:
    """A merge stands in the history of both tickets; it is told of the one that went away."""
    into = _MERGED_INTO.search(done.new)
    if into is None or done.ticket != ticket or into[1] == ticket:
        return None
    return Deed.MERGED, into[1]
