"""What people do in Zendesk: the audits of a ticket say who did what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.tickets.answers import is_number, shortened
from monitor.tickets.mapping import Places, Scale
from monitor.tickets.port import Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.reading import FirstAnswers, is_past
from monitor.tickets.zendesk_api import CLOSED, Event, Ticket, ZendeskApi


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

    def _told(self, event: Event, *, answers: bool) -> tuple[Deed, str] | None:
        match event.type, event.field_name:
            case "Comment", _ if event.public:
                return (Deed.ANSWER, shortened(event.body)) if answers else None
            case "Comment", _:
                return Deed.NOTE, shortened(event.body)
            case "Change", "assignee_id" if event.value:
                return Deed.ASSIGNED, self._api.person(str(event.value)).name
            case "Change", "priority":
                return Deed.PRIORITY, self._scale.ours(event.value).value
            case "Change", "status" if event.value in CLOSED and event.previous_value not in CLOSED:
                return Deed.CLOSED, ""
            case "Change", "status" if event.previous_value in CLOSED and event.value not in CLOSED:
                return Deed.REOPENED, ""
            case _:
                return None
