"""Tickets that belong to an incident follow it: closed with a word to their requesters when it is over, opened again when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.actions.desk_deeds import language_of
from monitor.actions.people import OURSELVES
from monitor.identifiers import IncidentId, milliseconds
from monitor.incidents.incident import Incident
from monitor.language import text
from monitor.store import desk, readings
from monitor.store.database import Database, Transaction
from monitor.store.desk_values import Deed, DeskChange, DeskTicket, Hand, NewMessage, Side
from monitor.tickets.port import TicketStatus

_RECENT = timedelta(days=7)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Following(StrEnum):
    """What an incident asks of a ticket that belongs to it."""

    RESOLVED = "resolved"
    RETURNED = "returned"


class LinkedTickets:
    """Lets the desk's tickets follow the incidents that they belong to; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def follow(self, now: datetime) -> bool:
        """Tell and close, or tell and open again, what has to follow its incident; True if anything did."""
        with self._database.reading() as tx:
            if not _due(tx, now):
                return False
        with self._database.writing() as tx:
            for due in _due(tx, now):
                _follow(tx, due, now)
        return True


def following(ticket: DeskTicket, done: Sequence[DeskChange], incident: Incident) -> Following | None:
    """Return what a ticket has to do after its incident; None for nothing.

    It closes with an end that came after it was linked, unless it is told to be a false alarm, and comes back only if it was we who closed
    it. Where customers were taken in by the fault's own ticket, or that one by theirs, we have closed it, or opened it again, already: they
    are told all the same. `done` is what was done to the ticket, oldest first.
    """
    linked_at = max((each.at for each in done if each.deed is Deed.LINKED), default=ticket.opened_at)
    turns = [each for each in done if each.deed in (Deed.CLOSED, Deed.REOPENED)]
    is_ours = bool(turns) and turns[-1].side is Side.US
    is_closed = ticket.status == TicketStatus.CLOSED
    if incident.open:
        came_back = is_ours and (is_closed or _closed_at(done) >= linked_at)
        return Following.RETURNED if came_back else None
    over = (
        incident.resolved_at is not None and incident.retracted is None and incident.resolved_at >= linked_at
    )
    return Following.RESOLVED if over and (is_ours or not is_closed) else None


def _closed_at(done: Sequence[DeskChange]) -> datetime:
    return max((each.at for each in done if each.deed is Deed.CLOSED), default=_NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A ticket that has to follow its incident; `key` names this end, or this return, whoever looks at it and how often."""

    ticket: DeskTicket
    incident: Incident
    what: Following
    key: str


def _due(tx: Transaction, now: datetime) -> list[_Due]:
    found = []
    for ticket in desk.linked(tx, now - _RECENT):
        incident = readings.incident(tx, IncidentId(ticket.incident or ""))
        if incident is None:
            continue
        done = desk.changes(tx, ticket.id)
        what = following(ticket, done, incident)
        if what is not None and not desk.is_said(tx, key := _key(ticket, done, incident, what)):
            found.append(_Due(ticket=ticket, incident=incident, what=what, key=key))
    return found


def _follow(tx: Transaction, due: _Due, now: datetime) -> None:
    ticket, incident, what = due.ticket, due.incident, due.what
    language = language_of(tx, ticket.requester)
    title = incident.title.get(language) or next(iter(incident.title.values()))
    fleet = readings.fleet(tx)
    root = "" if fleet is None else fleet.site.url.rstrip("/")
    body = text(f"desk.incident.{what}", language, title=title, url=f"{root}/incidents/{incident.id}")
    word = NewMessage(author=OURSELVES, side=Side.US, body=body, at=now, action=what, key=due.key)
    desk.say(tx, ticket.id, word)
    hand = Hand(author=OURSELVES, at=now, side=Side.US)
    if what is Following.RESOLVED:
        desk.change(tx, ticket.id, Deed.CLOSED, TicketStatus.CLOSED.value, hand)
    else:
        desk.change(tx, ticket.id, Deed.REOPENED, TicketStatus.OPEN.value, hand)


def _key(ticket: DeskTicket, done: Sequence[DeskChange], incident: Incident, what: Following) -> str:
    since = incident.resolved_at if what is Following.RESOLVED else None
    return f"desk-{ticket.id}-{what}-{incident.id}-{milliseconds(since or _closed_at(done))}"
