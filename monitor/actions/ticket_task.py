"""One delivery to the helpdesk with all that it means, as it is read from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.actions.outbox import LatestFleet
from monitor.errors import NotFoundError
from monitor.identifiers import IncidentId
from monitor.incidents.incident import Incident
from monitor.incidents.problem import Problem
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry, Kind, TicketRejected
from monitor.store import deliveries, journal, observations, readings
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.store.readings import TicketRow
from monitor.tickets.classes import SHIPPED, Grade
from monitor.tickets.orders import Present
from monitor.tickets.port import Action, Helpdesk, reference_of
from monitor.tickets.priorities import Priority
from monitor.tickets.story import Story

NOT_FINDABLE = "the helpdesk does not find the ticket by its reference"
STILL_NOT_FINDABLE = "the helpdesk still does not find the ticket by its reference"
NOT_FOUND = frozenset({NOT_FINDABLE, STILL_NOT_FINDABLE})
"""What a look at a reference says where it leads nowhere, although the ticket is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """The helpdesk and how it is spoken to; one that is `at_home` keeps its tickets in our own database.

    `public` tells that follow-ups are for whoever may read the ticket; `classes` is the table of classes, `drill` how urgent a drill is.
    """

    helpdesk: Helpdesk
    installation: str
    department: str
    language: str
    at_home: bool = False
    public: bool = False
    classes: Mapping[Problem, Grade] = field(default_factory=lambda: SHIPPED)
    drill: Priority = Priority.LOW


_LAST_REFERENCE = "last_reference"


def note_reference(tx: Transaction, helpdesk: str, *, found: bool) -> None:
    """Note whether the last reference that was looked for in a helpdesk led to its ticket."""
    observations.note(tx, f"{_LAST_REFERENCE}:{helpdesk}", "found" if found else "lost")


def loses_references(tx: Transaction, helpdesk: str) -> bool:
    """Did the last reference lead nowhere, although its ticket was there? A new one would not be found either then."""
    return readings.installation(tx, f"{_LAST_REFERENCE}:{helpdesk}") == "lost"


_ADDED = frozenset({Action.COMMENT, Action.PRIORITY, Action.RESOLVE, Action.REOPEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One delivery with what it means: the story so far, the ticket as we know it, and what waits behind it."""

    row: DeliveryRow
    story: Story
    entry: Entry
    ticket: TicketRow | None
    waiting: tuple[DeliveryRow, ...]

    @property
    def present(self) -> Present | None:
        """The ticket at the helpdesk; None before it exists."""
        if self.ticket is None:
            return None
        return Present(
            ticket=self.ticket.ticket,
            priority=Priority(self.ticket.priority),
            department=self.ticket.department,
        )


def load(tx: Transaction, row: DeliveryRow, to: Addressee, fleets: LatestFleet) -> Task:
    """Return what a delivery means, all of it from one picture of the database."""
    reference = reference_of(to.installation, row.incident)
    ticket = readings.ticket(tx, reference)
    mass = readings.gathered_by(tx, row.incident)
    known = {row.incident, *(each.id for each in mass)}
    asked = next((each.entry for each in journal.entries(tx, after=row.entry - 1, limit=1)), None)
    if asked is None or asked.subject not in known:
        raise NotFoundError(f"the journal has no entry {row.entry} about incident {row.incident}")
    # A new ticket tells of all that it is for; whatever is added to one is about the incident that asked for it.
    about, told = row.incident, known
    if row.action in _ADDED:
        about = IncidentId(asked.subject)
        told = {about}
    entries = [each for one in told for each in journal.entries(tx, subject=one)]
    replaced = "" if ticket is None or row.action != Action.CREATE else ticket.ticket
    return Task(
        row=row,
        story=Story(
            incident=_incident(tx, about),
            entries=tuple(each.entry for each in sorted(entries, key=lambda each: each.number)),
            fleet=fleets.read(tx),
            reference=reference,
            department=to.department,
            language=to.language,
            replaces=replaced,
            public=to.public,
            classes=to.classes,
            drill=to.drill,
            mass=mass,
        ),
        entry=asked,
        ticket=ticket,
        waiting=_waiting(tx, row),
    )


def rejection(row: DeliveryRow, to: Addressee, detail: str, moment: datetime) -> Entry:
    """Return the entry by which operators learn that an action needs their help."""
    body = TicketRejected(
        incident=row.incident,
        reference=reference_of(to.installation, row.incident),
        action=row.action,
        detail=detail,
    )
    return Entry(kind=Kind.TICKET_REJECTED, moment=moment, subject=row.incident, body=body)


def _incident(tx: Transaction, identity: IncidentId) -> Incident:
    incident = readings.incident(tx, identity)
    if incident is None:
        raise NotFoundError(f"there is no incident {identity}")
    return incident


def _waiting(tx: Transaction, row: DeliveryRow) -> tuple[DeliveryRow, ...]:
    """Return what was queued behind this delivery and has not been tried yet."""
    rows = deliveries.of_incident(tx, row.incident, Channel.TICKET)
    return tuple(each for each in rows if each.seq > row.seq and each.state is DeliveryState.READY)
