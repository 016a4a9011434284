"""Begin a drill, follow it through the deliveries, end it, and put on record how it went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from monitor.actions import people
from monitor.actions.append import append
from monitor.actions.messages import NOBODY
from monitor.actions.ticket_task import NOT_FOUND
from monitor.clock import fresh_ulid
from monitor.errors import NotFoundError, RefusedError
from monitor.health.view import Fact
from monitor.identifiers import IncidentId, ServerId, UpdateId
from monitor.incidents.drill import Course, Move, Step, next_move, overdue_since
from monitor.incidents.incident import Audience, Impact, Incident, Origin, Stage, Update
from monitor.journal.consequences import Channel, DeliveryState, Told, channel_of
from monitor.journal.entries import DrillFinished, Entry, IncidentOpened, IncidentResolved, Kind
from monitor.language import Texts, in_every_language
from monitor.store import deliveries, desk, observations, readings
from monitor.store.database import Transaction
from monitor.store.deliveries import DeliveryRow
from monitor.tickets.desk import DESK
from monitor.tickets.port import Action, TicketStatus

EXPECTED = "drills expected"
"""The beat that tells since when drills are expected to go well."""


def begin(
    tx: Transaction, server: ServerId, lasts: timedelta, moment: datetime, *, author: str = people.OURSELVES
) -> Incident:
    """Open a drill about `server` that ends after `lasts` at the latest, and return its incident.

    Raises NotFoundError for a server that is not watched, RefusedError while another drill is under way.
    """
    fleet = readings.fleet(tx)
    if fleet is None:
        raise NotFoundError("nothing is watched yet: start `vigia run` first")
    watched = fleet.server(server)
    if running := readings.drills_under_way(tx):
        raise RefusedError(f"the drill {running[0].id} is under way: wait until it is over")
    incident = Incident(
        id=IncidentId(fresh_ulid(moment)),
        title=in_every_language("drill.title", server=watched.name),
        stage=Stage.INVESTIGATING,
        impact=Impact.NONE,
        servers=(server,),
        checks=(),
        started_at=moment,
        opened_at=moment,
        audience=Audience.OPERATORS,
        origin=Origin.OPERATOR,
        drill=True,
        drill_until=moment + lasts,
        wants_ticket=True,
        updates=(_update(Stage.INVESTIGATING, "drill.opened", author, moment, server=watched.name),),
    )
    body = IncidentOpened(incident=incident)
    entry = Entry(kind=Kind.INCIDENT_OPENED, moment=moment, subject=incident.id, body=body, actor=author)
    append(tx, (entry,), moment)
    return incident


def follow(tx: Transaction, moment: datetime) -> Sequence[Entry]:
    """Return what there is to put on record of the drills that are under way: their end, and how they went."""
    return [entry for drill in readings.drills_under_way(tx) for entry in _follow(tx, drill, moment)]


def course_of(tx: Transaction, drill: Incident) -> Course:
    """Return how far a drill has come, as the tickets and the deliveries tell it."""
    taken = {Step.CONFIRMED: drill.opened_at, **dict(_of_the_ticket(tx, drill.id))}
    spared = {Step.READ_BACK} if _is_unsearchable(tx, drill.id) and Step.READ_BACK not in taken else set()
    if drill.resolved_at is not None:
        taken[Step.RESOLVED] = drill.resolved_at
    for step, row in _said(tx, drill.id):
        if row.detail == NOBODY:
            spared.add(step)
        elif (at := _done_at(tx, row)) is not None:
            taken[step] = max(at, taken.get(step, at))
    return Course(taken=taken, until=drill.drill_until or drill.opened_at, spared=frozenset(spared))


def overdue(tx: Transaction, warn_after: timedelta | None, moment: datetime) -> Fact:
    """Return whether operators should know that drills do not go well any more; without `warn_after` none is expected."""
    if warn_after is None:
        observations.forget_beat(tx, EXPECTED)
        return Fact(holds=False, since=moment)
    expected = readings.beat_of(tx, EXPECTED)
    if expected is None:
        observations.beat(tx, EXPECTED, moment)
        expected = moment
    last = readings.last_good_drill(tx)
    due = overdue_since(expected, last, warn_after)
    if moment >= due:
        return Fact(holds=True, since=due)
    return Fact(holds=False, since=last or expected)


def _follow(tx: Transaction, drill: Incident, moment: datetime) -> Iterator[Entry]:
    course = course_of(tx, drill)
    match next_move(course, moment):
        case Move.END:
            words = _update(Stage.RESOLVED, "drill.over", people.OURSELVES, moment)
            body = IncidentResolved(incident=drill.id, ended_at=moment, update=words)
            yield Entry(kind=Kind.INCIDENT_RESOLVED, moment=moment, subject=drill.id, body=body)
        case Move.JUDGE:
            finished = DrillFinished(
                incident=drill.id,
                passed=not course.missing,
                taken={step: course.taken[step] for step in Step if step in course.taken},
                spared=tuple(step for step in Step if step in course.spared),
            )
            yield Entry(kind=Kind.DRILL_FINISHED, moment=moment, subject=drill.id, body=finished)
        case Move.WAIT:
            return


def _of_the_ticket(tx: Transaction, drill: IncidentId) -> Iterator[tuple[Step, datetime]]:
    """Yield the steps that its ticket shows; one of our own desk is read back in the transaction that opens it, one that was looked up by that."""
    ticket = readings.ticket_of(tx, drill)
    if ticket is None:
        return
    yield Step.TICKET_OPENED, ticket.opened_at
    at_home = ticket.helpdesk == DESK.name and desk.find(tx, ticket.reference) is not None
    if at_home or _was_looked_up(tx, drill):
        yield Step.READ_BACK, ticket.opened_at
    if ticket.status == TicketStatus.CLOSED and ticket.closed_at is not None:
        yield Step.TICKET_CLOSED, ticket.closed_at


def _said(tx: Transaction, drill: IncidentId) -> Iterator[tuple[Step, DeliveryRow]]:
    """Yield the deliveries that tell of a step when they are done."""
    steps = {Told.OPENED: Step.TOLD, Told.RESOLVED: Step.TOLD_OVER}
    rows = deliveries.of_incident(tx, drill)
    told = [row for row in rows if channel_of(row.channel) == Channel.OPERATORS]
    for action, step in steps.items():
        mine = [row for row in told if row.action == action]
        # Every address must have taken it, and the last one tells when.
        if all(row.state is DeliveryState.DONE for row in mine):
            yield from ((step, row) for row in mine)
    for row in rows:
        if row.channel == Channel.VERIFY and row.state is DeliveryState.DONE and row.detail not in NOT_FOUND:
            yield Step.READ_BACK, row


def _was_looked_up(tx: Transaction, drill: IncidentId) -> bool:
    """Did no answer tell of its ticket, so that it is known from its reference?"""
    rows = deliveries.of_incident(tx, drill, Channel.TICKET)
    created = next((row for row in rows if row.action == Action.CREATE), None)
    if created is None or created.state is not DeliveryState.DONE:
        return False
    attempts = deliveries.attempts_of(tx, created.id)
    return bool(attempts) and attempts[-1].outcome != "done"


def _is_unsearchable(tx: Transaction, drill: IncidentId) -> bool:
    """Was a ticket opened where nothing can be looked up?"""
    rows = deliveries.of_incident(tx, drill)
    created = any(row.action == Action.CREATE and row.state is DeliveryState.DONE for row in rows)
    return created and all(row.channel != Channel.VERIFY for row in rows)


def _done_at(tx: Transaction, row: DeliveryRow) -> datetime | None:
    ends = [one.ended_at for one in deliveries.attempts_of(tx, row.id) if one.ended_at is not None]
    return max(ends, default=None)


def _update(stage: Stage, key: str, author: str, moment: datetime, **values: object) -> Update:
    words: Texts = in_every_language(key, **values)
    return Update(id=UpdateId(fresh_ulid(moment)), stage=stage, text=words, at=moment, author=author)
