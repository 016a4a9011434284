"""What people do in WHMCS: its times are local and without an offset, and it keeps no history beside its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.language.zones import instant_of
from monitor.tickets.answers import is_number, shortened
from monitor.tickets.mapping import Places, Scale
from monitor.tickets.port import Case, Deed, DeliveryError, Fate, TicketStatus, Word
from monitor.tickets.reading import FirstAnswers, is_past
from monitor.tickets.whmcs_api import Api, Listed, Message, Note, Ticket

_OPENING = "0"
# A change of the status alone moves no date of a ticket, so that more is read than seems to have changed.
_MARGIN = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customs:
    """How this WHMCS is used: our words for its departments and priorities, its zone, its word for what is closed.

    `email` stands on what we opened; `page` tells where people read a ticket.
    """

    places: Places
    scale: Scale
    zone: ZoneInfo
    closed_status: str
    email: str
    page: Callable[[str], str]


class Clerks:
    """Who works there, asked once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ourselves: str | None = None
        self._names: dict[str, str] = {}

    def ourselves(self) -> str:
        """Return the name that stands on what we write."""
        if self._ourselves is None:
            self._ourselves = self._api.ourselves()
        return self._ourselves

    def name(self, number: str) -> str:
        """Return an administrator's name; only the number, where our role may not read names."""
        if number not in self._names:
            try:
                self._names = self._api.admins()
            except DeliveryError as error:
                if error.fate is not Fate.FORBIDDEN:
                    raise
        return self._names.get(number, f"admin {number}")


class WhmcsRecords:
    """Reads tickets and what was said on them; everything is asked anew but answers that cannot have changed."""

    def __init__(self, api: Api, customs: Customs, now: Callable[[], datetime]) -> None:
        self._api = api
        self._customs = customs
        self._now = now
        self._clerks = Clerks(api)
        self._answers = FirstAnswers(now)
        self._noticed: dict[tuple[str, str], datetime] = {}
        self._closed_by_us: set[str] = set()

    def put_down(self, number: str, *, closed: bool) -> None:
        """Remember whether it was we who closed a ticket, for WHMCS does not."""
        (self._closed_by_us.add if closed else self._closed_by_us.discard)(number)

    def of_us(self, ticket: Ticket, *, internal: bool) -> list[str]:
        """Return the notes, or else the replies, that we wrote on a ticket after we opened it, oldest first."""
        ourselves = self._clerks.ourselves()
        said: Sequence[Message | Note] = ticket.notes if internal else ticket.replies
        ours = (each for each in said if each.admin == ourselves and each.id != _OPENING)
        return [each.message for each in sorted(ours, key=lambda each: int(each.id))]

    def cases(self, since: datetime) -> tuple[Case, ...]:
        """Return the tickets of the followed departments that changed at `since` or later, and some that did not."""
        listed = {
            each.id: each
            for number in dict.fromkeys(self._customs.places.followed.values())
            for each in self._recent(number, since - _MARGIN)
            if not each.merged
        }
        self._answers.keep_only(listed)
        return tuple(case for each in listed.values() if (case := self._case(each)) is not None)

    def words(self, ticket: str) -> tuple[Word, ...]:
        """Return what people wrote, and that it is assigned, closed or merged, as of the moment when that was first noticed."""
        whole = self._api.ticket(ticket) if is_number(ticket) else None
        if whole is None:
            raise DeliveryError(Fate.MISSING, "the helpdesk has no such ticket any more")
        if whole.merged:
            key = f"merged-{whole.merged_ticket_id}"
            at = self._noticed_at(ticket, key)
            return (_word(key, Deed.MERGED, "", at, whole.merged_ticket_id),)
        return tuple(sorted(self._words(whole), key=lambda word: word.at))

    def answered_at(self, ticket: Ticket) -> datetime | None:
        """Return when an administrator who is not us first wrote to the requester; an opening answers nothing."""
        ourselves = self._clerks.ourselves()
        answers = (at for reply, at in self._dated(ticket) if _is_answer(reply, ourselves))
        return next(answers, None)

    def _recent(self, number: str, since: datetime) -> Iterator[Listed]:
        """Read page by page; where the newest come first, those that lie too far back end it."""
        start, total = 0, 1
        while start < total:
            page = self._api.page(start, {"deptid": number})
            moments = [self._touched(each) for each in page.tickets]
            yield from (each for each, at in zip(page.tickets, moments, strict=True) if at >= since)
            if not moments or is_past(moments, since):
                return
            start, total = start + len(moments), page.total

    def _touched(self, ticket: Listed) -> datetime:
        opened = self._moment(ticket.date)
        return max(opened, self._moment(ticket.lastreply)) if _is_date(ticket.lastreply) else opened

    def _case(self, listed: Listed) -> Case | None:
        department = self._customs.places.department(listed.deptid)
        if department is None:
            return None
        answered = self._answers.of(listed.id, self._touched(listed), lambda: self._answered_at(listed.id))
        closed = listed.status == self._customs.closed_status
        open_status = TicketStatus.OPEN if answered is None else TicketStatus.ANSWERED
        return Case(
            ticket=listed.id,
            url=self._customs.page(listed.id),
            department=department,
            subject=listed.subject,
            requester=listed.email or listed.name,
            priority=self._customs.scale.ours(listed.priority),
            status=TicketStatus.CLOSED if closed else open_status,
            opened_at=self._moment(listed.date),
            answered_at=answered,
            closed_at=self._touched(listed) if closed else None,
            reference=_reference(listed, self._customs.email),
        )

    def _answered_at(self, number: str) -> datetime | None:
        whole = self._api.ticket(number)
        return None if whole is None else self.answered_at(whole)

    def _words(self, ticket: Ticket) -> Iterator[Word]:
        ourselves = self._clerks.ourselves()
        for reply, at in self._dated(ticket):
            if _is_answer(reply, ourselves):
                yield _word(f"reply-{reply.id}", Deed.ANSWER, reply.admin, at, reply.message)
        for note in ticket.notes:
            if note.admin != ourselves:
                yield _word(f"note-{note.id}", Deed.NOTE, note.admin, self._moment(note.date), note.message)
        if ticket.flag not in ("", "0"):
            key = f"flag-{ticket.flag}"
            name = self._clerks.name(ticket.flag)
            yield _word(key, Deed.ASSIGNED, name, self._noticed_at(ticket.id, key), name)
        if ticket.status == self._customs.closed_status and ticket.id not in self._closed_by_us:
            key = f"closed-{ticket.lastreply}"
            yield _word(key, Deed.CLOSED, "", self._noticed_at(ticket.id, key))

    def _noticed_at(self, ticket: str, key: str) -> datetime:
        return self._noticed.setdefault((ticket, key), self._now())

    def _dated(self, ticket: Ticket) -> Iterable[tuple[Message, datetime]]:
        replies = sorted(ticket.replies, key=lambda reply: int(reply.id))
        moments = in_order([_local(reply.date) for reply in replies], self._customs.zone)
        return zip(replies, moments, strict=True)

    def _moment(self, date: str) -> datetime:
        return instant_of(_local(date), self._customs.zone)


def in_order(locals_: Iterable[datetime], zone: ZoneInfo) -> list[datetime]:
    """Return local times that followed one another as instants in UTC.

    One that clocks showed twice is taken for the first time, unless that lies before the one that came before it.
    """
    instants: list[datetime] = []
    for local in locals_:
        first = instant_of(local, zone)
        if instants and first < instants[-1]:
            first = max(first, local.replace(tzinfo=zone, fold=1).astimezone(UTC))
        instants.append(first)
    return instants


def _local(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date).replace(tzinfo=None)
    except ValueError as error:
        raise DeliveryError(Fate.UNCERTAIN, "the helpdesk writes a date that cannot be read") from error


def _is_date(date: str) -> bool:
    return not date.startswith("0000") and date != ""


def _is_answer(reply: Message, ourselves: str) -> bool:
    return reply.id != _OPENING and reply.admin not in ("", ourselves)


def _reference(ticket: Listed, email: str) -> str:
    """Return our reference if the ticket is one of ours: nobody else's words in a subject make it so."""
    mark = ticket.subject.partition("]")[0]
    return mark.removeprefix("[") if ticket.email == email and mark.startswith("[VG-") else ""


def _word(key: str, deed: Deed, author: str, at: datetime, body: str = "") -> Word:
    return Word(key=key, deed=deed, author=author, at=at, body=shortened(body))
