"""What people do in Zammad: messages say what they wrote, the history what they changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from monitor.post.html import words_of
from monitor.tickets.answers import is_number, shortened
from monitor.tickets.mapping import Places, Scale
from monitor.tickets.port import Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.reading import FirstAnswers
from monitor.tickets.zammad_api import Article, Change, History, Ticket, ZammadApi

_AGENT = "Agent"
# Zammad's own hand, which triggers and schedulers move.
_SYSTEM = 1
_NOBODY = "-"
_CLOSED = frozenset({"closed", "removed"})


class ZammadRecords:
    """Reads tickets of the followed groups, and what people did on them."""

    def __init__(
        self,
        api: ZammadApi,
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
        changed = {ticket.id: ticket for ticket in self._api.changed(since)}
        return tuple(
            self._case(ticket, department)
            for ticket in changed.values()
            if (department := self._places.department(ticket.group)) and not self._api.is_merged(ticket)
        )

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people did on one ticket, oldest first."""
        found = self._api.ticket(ticket) if is_number(ticket) else None
        if found is None:
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        history = self._api.history(ticket)
        words = [*self._written(found), *self._changed(found, history)]
        return tuple(sorted(words, key=lambda word: word.at))

    def answered_at(self, ticket: Ticket) -> datetime | None:
        """Return when an agent who is neither the customer nor us first wrote to the customer; an opening answers nothing."""
        return self._answers.of(
            ticket.id,
            ticket.updated_at,
            lambda: next((word.at for word in self._written(ticket) if word.deed is Deed.ANSWER), None),
        )

    def _case(self, ticket: Ticket, department: str) -> Case:
        answered = self.answered_at(ticket)
        closed = self._api.is_closed(ticket)
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Case(
            ticket=ticket.id,
            url=self._page(ticket.id),
            department=department,
            subject=ticket.title,
            requester=ticket.customer,
            priority=self._scale.ours(ticket.priority),
            status=TicketStatus.CLOSED if closed else open_status,
            opened_at=ticket.created_at,
            answered_at=answered,
            closed_at=(ticket.close_at or ticket.updated_at) if closed else None,
            reference=ticket.reference,
        )

    def _written(self, ticket: Ticket) -> Iterator[Word]:
        ourselves = self._api.ourselves()
        for article in self._api.articles(ticket.id)[1:]:
            if article.sender != _AGENT or article.created_by_id in (ourselves, _SYSTEM):
                continue
            if not article.internal and str(article.created_by_id) == ticket.customer_id:
                continue
            yield Word(
                key=f"article-{article.id}",
                deed=Deed.NOTE if article.internal else Deed.ANSWER,
                author=article.author,
                at=article.created_at,
                body=shortened(_plain(article)),
            )

    def _changed(self, ticket: Ticket, history: History) -> Iterator[Word]:
        nobody = {str(self._api.ourselves()), str(_SYSTEM), ticket.customer_id}
        for change in history.history:
            if change.object != "Ticket" or str(change.created_by_id) in nobody:
                continue
            told = self._told(change)
            if told is not None:
                deed, body = told
                author = history.name(change.created_by_id)
                yield Word(
                    key=f"history-{change.id}", deed=deed, author=author, at=change.created_at, body=body
                )

    def _told(self, change: Change) -> tuple[Deed, str] | None:
        match change.type, change.attribute:
            case "merged_into", _:
                return Deed.MERGED, change.id_to
            case "updated", "owner" if change.value_to not in ("", _NOBODY):
                return Deed.ASSIGNED, change.value_to
            case "updated", "priority":
                return Deed.PRIORITY, self._scale.ours(change.value_to).value
            case "updated", "state":
                before, after = (
                    self._api.type_of(each) in _CLOSED for each in (change.value_from, change.value_to)
                )
                if before == after:
                    return None
                return (Deed.CLOSED if after else Deed.REOPENED), ""
            case _:
                return None


def _plain(article: Article) -> str:
    return words_of(article.body) if "html" in article.content_type else article.body
