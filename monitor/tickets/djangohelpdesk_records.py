"""What people do in django-helpdesk, read from its tickets and their follow-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from monitor.tickets.answers import is_number, same_words, shortened
from monitor.tickets.djangohelpdesk_client import (
    DjangoHelpdeskClient,
    DjangoHelpdeskOptions,
    FollowUp,
    Ticket,
)
from monitor.tickets.port import (
    Case,
    Deed,
    DeliveryError,
    Fate,
    Found,
    Priority,
    TicketStatus,
    Word,
)

# The more urgent, the lower.
PRIORITIES = {Priority.LOW: 4, Priority.NORMAL: 3, Priority.HIGH: 2, Priority.URGENT: 1}


class Reading:
    """How a ticket of theirs is understood."""

    def __init__(self, options: DjangoHelpdeskOptions, client: DjangoHelpdeskClient) -> None:
        self.options = options
        self.client = client
        self._theirs = {ours: options.priorities.get(ours, usual) for ours, usual in PRIORITIES.items()}
        self._us: frozenset[int] = frozenset()

    def theirs(self, priority: Priority) -> int:
        """Return their number for a priority of ours."""
        return self._theirs[priority]

    def ours(self, number: int) -> Priority:
        """Return our word for a priority of theirs; one that we never set counts as the next more urgent one that we do."""
        known = {theirs: ours for ours, theirs in self._theirs.items()}
        above = [each for each in sorted(known, reverse=True) if each <= number]
        return known[above[0]] if above else Priority.URGENT

    def is_closed(self, ticket: Ticket) -> bool:
        """Is nobody at work on it any more?"""
        return ticket.status not in self.options.open_statuses

    def status(self, ticket: Ticket, answer: datetime | None) -> TicketStatus:
        """Return the status of a ticket that was answered at `answer`."""
        if self.is_closed(ticket):
            return TicketStatus.CLOSED
        return TicketStatus.OPEN if answer is None else TicketStatus.ANSWERED

    def reference(self, ticket: Ticket) -> str:
        """Return our name of it, empty for what we did not open."""
        return ticket.custom(self.options.reference_field)

    def found(self, ticket: Ticket) -> Found:
        """Return a ticket of ours as it is now."""
        answer = self.answered_at(ticket)
        return Found(
            ticket=str(ticket.id),
            reference=self.reference(ticket),
            url=self.client.url_of(ticket.id),
            status=self.status(ticket, answer),
            priority=self.ours(ticket.priority),
            answered_at=answer,
        )

    def answered_at(self, ticket: Ticket) -> datetime | None:
        """Return when somebody of the staff other than us first wrote what the submitter may read."""
        return next((each.date for each in self.of_people(ticket) if each.public and _is_word(each)), None)

    def of_people(self, ticket: Ticket) -> list[FollowUp]:
        """Return what people of the staff wrote or changed after the ticket was opened, oldest first.

        A customer's words come by mail, with a `message_id`, or from nobody, for only the staff is put down as the author.
        """
        us = self.us(ticket)
        return [
            each
            for each in _after_opening(ticket)
            if each.user is not None and each.user not in us and not each.message_id
        ]

    def of_us(self, ticket: Ticket) -> list[str]:
        """Return what we wrote after we opened it, oldest first; as long as nobody knows who we are, what the staff wrote."""
        us = self.us(ticket)
        return [
            each.comment
            for each in _after_opening(ticket)
            if each.comment and each.user is not None and (each.user in us or not us)
        ]

    def us(self, ticket: Ticket) -> frozenset[int]:
        """Return the accounts that are ours: nothing tells whose the token is, but who wrote with it is seen.

        What we open has its reference in the text from the first, so that nobody can have quoted it before.
        """
        ours = self.reference(ticket)
        if ours and ours in (ticket.description or ""):
            self.wrote(next((each for each in ticket.history() if ours in (each.comment or "")), None))
        return self._us

    def wrote(self, follow_up: FollowUp | None) -> None:
        """Take in who wrote something that was ours for certain."""
        if follow_up is not None and follow_up.user is not None:
            self._us |= {follow_up.user}


class DjangoHelpdeskRecords:
    """The tickets of the followed queues and what people did on them."""

    def __init__(
        self, reading: Reading, queues: Callable[[], Mapping[int, str]], now: Callable[[], datetime]
    ) -> None:
        self._reading = reading
        self._client = reading.client
        self._queues = queues
        self._now = now
        self._open: frozenset[int] | None = None
        self._people: Mapping[int, str] = {}
        self._noticed: dict[str, datetime] = {}

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return every ticket of the followed queues that has a follow-up of `since` or later.

        The first time everything is read; later what is open now, or was when it was read last. There is no way to ask for less.
        """
        queues = self._queues()
        tickets = {ticket.id: ticket for ticket in self._readable()}
        # A merged one has given its whole history away.
        followed = [each for each in tickets.values() if each.queue in queues and each.merged_to is None]
        changed = [each for each in followed if each.followup_set and each.history()[-1].date >= since]
        return tuple(self._case(each, queues[each.queue]) for each in changed)

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people did on one ticket, oldest first."""
        if not is_number(ticket):
            raise DeliveryError(Fate.MISSING, "no ticket of django-helpdesk is called so")
        read = self._client.ticket(ticket)
        words = [word for each in self._reading.of_people(read) for word in self._words(each, read)]
        words.sort(key=lambda word: word.at)
        return (*words, *self._given(read, words))

    def _readable(self) -> Iterator[Ticket]:
        if self._open is None:
            every = list(self._client.newest_first())
            self._open = frozenset(each.id for each in every if not self._reading.is_closed(each))
            yield from every
            return
        now_open = list(self._client.newest_first(status=self._reading.options.open_statuses))
        numbers = frozenset(each.id for each in now_open)
        yield from now_open
        for number in sorted(self._open - numbers):
            try:
                yield self._client.ticket(number)
            except DeliveryError as error:
                # It was deleted meanwhile.
                if error.fate is not Fate.MISSING:
                    raise
        self._open = numbers

    def _case(self, ticket: Ticket, department: str) -> Case:
        answer, history = self._reading.answered_at(ticket), ticket.history()
        closed = self._reading.is_closed(ticket)
        ends = [each.date for each in history if each.new_status == ticket.status]
        return Case(
            ticket=str(ticket.id),
            url=self._client.url_of(ticket.id),
            department=department,
            subject=ticket.title,
            requester=ticket.submitter_email or "",
            priority=self._reading.ours(ticket.priority),
            status=self._reading.status(ticket, answer),
            # It does not tell when a ticket was opened, but the opening is its first follow-up.
            opened_at=history[0].date,
            answered_at=answer,
            closed_at=(ends or [history[-1].date])[-1] if closed else None,
            reference=self._reading.reference(ticket),
        )

    def _words(self, each: FollowUp, ticket: Ticket) -> Iterator[Word]:
        author = self._person(each.user)
        if _is_word(each):
            deed = Deed.ANSWER if each.public else Deed.NOTE
            body = shortened(each.comment or "")
            yield Word(key=f"{each.id}", deed=deed, author=author, at=each.date, body=body)
        if each.new_status is not None:
            closes = each.new_status not in self._reading.options.open_statuses
            deed = Deed.CLOSED if closes else Deed.REOPENED
            yield Word(key=f"{each.id}-status", deed=deed, author=author, at=each.date)
        # Who has it stands in the ticket; since when, only in the title of a follow-up.
        if ticket.assigned_to is None or (each.title or "").startswith(ticket.title):
            return
        person = self._person(ticket.assigned_to)
        if person in (each.title or "").split():
            yield Word(key=f"{each.id}-person", deed=Deed.ASSIGNED, author=author, at=each.date, body=person)

    def _given(self, ticket: Ticket, words: Sequence[Word]) -> Iterator[Word]:
        """Yield who has a ticket that changed hands over the interface, which leaves no follow-up; by whom and when is not kept."""
        if ticket.assigned_to is None or any(word.deed is Deed.ASSIGNED for word in words):
            return
        person, key = self._person(ticket.assigned_to), f"{ticket.id}-person-{ticket.assigned_to}"
        noticed = self._noticed.setdefault(key, self._now())
        yield Word(key=key, deed=Deed.ASSIGNED, author="django-helpdesk", at=noticed, body=person)

    def _person(self, number: int | None) -> str:
        if number is not None and number not in self._people:
            self._people = self._client.choices("/api/followups/", "user")
        return self._people.get(number or 0, f"#{number}")


def _after_opening(ticket: Ticket) -> list[FollowUp]:
    history = ticket.history()
    opening = next((each for each in history if same_words(each.comment, ticket.description)), None)
    return [each for each in history if each is not opening]


def _is_word(each: FollowUp) -> bool:
    return bool((each.comment or "").strip())
