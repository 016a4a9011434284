"""Tickets that belong to an incident follow it: closed with a word to their requesters when it is over, opened again when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
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
            for ticket, incident, what in _due(tx, now):
                _follow(tx, ticket, incident, what, now)
        return True


def following(ticket: DeskTicket, done: Sequence[DeskChange], incident: Incident) -> Following | None:
    """Return what a ticket has to do after its incident; None for nothing.

    It closes with an end that came after it was linked, unless it is told to be a false alarm, and comes back only if it was we who closed
    it. `done` is what was done to the ticket, oldest first.
    """
    linked_at = max((each.at for each in done if each.deed is Deed.LINKED), default=ticket.opened_at)
    closings = [each for each in done if each.deed is Deed.CLOSED]
    is_closed = ticket.status == TicketStatus.CLOSED
    if incident.open:
        return Following.RETURNED if is_closed and closings and closings[-1].side is Side.US else None
    over = (
        incident.resolved_at is not None and incident.retracted is None and incident.resolved_at >= linked_at
    )
    return Following.RESOLVED if over and not is_closed else None


def _due(tx: Transaction, now: datetime) -> list[tuple[DeskTicket, Incident, Following]]:
    found = []
    for ticket in desk.linked(tx, now - _RECENT):
        incident = readings.incident(tx, IncidentId(ticket.incident or ""))
        what = None if incident is None else following(ticket, desk.changes(tx, ticket.id), incident)
        if incident is not None and what is not None and not desk.is_said(tx, _key(ticket, incident, what)):
            found.append((ticket, incident, what))
    return found


def _follow(tx: Transaction, ticket: DeskTicket, incident: Incident, what: Following, now: datetime) -> None:
    language = language_of(tx, ticket.requester)
    title = incident.title.get(language) or next(iter(incident.title.values()))
    fleet = readings.fleet(tx)
    root = "" if fleet is None else fleet.site.url.rstrip("/")
    body = text(f"desk.incident.{what}", language, title=title, url=f"{root}/incidents/{incident.id}")
    word = NewMessage(
        author=OURSELVES, side=Side.US, body=body, at=now, action=what, key=_key(ticket, incident, what)
    )
    desk.say(tx, ticket.id, word)
    hand = Hand(author=OURSELVES, at=now, side=Side.US)
    if what is Following.RESOLVED:
        desk.change(tx, ticket.id, Deed.CLOSED, TicketStatus.CLOSED.value, hand)
    else:
        desk.change(tx, ticket.id, Deed.REOPENED, TicketStatus.OPEN.value, hand)


def _key(ticket: DeskTicket, incident: Incident, what: Following) -> str:
    """Return a name that is the same for one end, or one return, whoever looks at it and how often."""
    if what is Following.RESOLVED and incident.resolved_at is not None:
        return f"desk-{ticket.id}-{what}-{incident.id}-{milliseconds(incident.resolved_at)}"
    return f"desk-{ticket.id}-{what}-{incident.id}-{0 if ticket.closed_at is None else milliseconds(ticket.closed_at)}"
