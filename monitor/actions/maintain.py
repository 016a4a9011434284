"""Plan, cancel, start and complete maintenance windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.actions.append import append
from monitor.clock import fresh_ulid
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet, PlannedWindow
from monitor.identifiers import ServerId, WindowId
from monitor.incidents.incident import Incident
from monitor.journal.entries import Entry, IncidentUpdated, Kind, Reason, WindowMoved, WindowPlanned
from monitor.language.zones import zone_data
from monitor.maintenance.due import RUNNING, ending, moves, quiet
from monitor.maintenance.recurrence import parse_rule
from monitor.maintenance.window import Window, WindowStage
from monitor.store import journal, readings
from monitor.store.database import Transaction

LONGEST = timedelta(hours=24)
PLAN_AHEAD = timedelta(days=14)
LAST_LOOK = timedelta(seconds=60)
# A window that nobody moved for this long is shown nowhere any more.
_LOOK_BACK = timedelta(days=90)
_ACTOR = "vigia"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Which windows just began and which just ended."""

    started: tuple[Window, ...]
    completed: tuple[Window, ...]


def plan(  # noqa: PLR0913 - a window is these facts
    tx: Transaction,
    *,
    servers: tuple[ServerId, ...],
    starts_at: datetime,
    ends_at: datetime,
    title: Mapping[str, str],
    actor: str,
    moment: datetime,
    confirmed: bool = False,
) -> Window:
    """Plan one window and return it. Servers that depend on its own are kept quiet with them (rule M8).

    Raises NotFoundError for a server that the fleet does not have, RefusedError for a window that ends before it starts,
    lies in the past, or is longer than 24 hours without having been `confirmed` (rule M9).
    """
    fleet = _fleet(tx)
    for server in servers:
        fleet.server(server)
    if not servers:
        raise RefusedError("a window is for at least one server: name one with --server")
    _refuse_nonsense(starts_at, ends_at, moment)
    refuse_unconfirmed(ends_at - starts_at, confirmed=confirmed)
    window = Window(
        id=WindowId(fresh_ulid(moment)),
        title=title,
        servers=frozenset(servers),
        starts_at=starts_at.astimezone(UTC),
        ends_at=ends_at.astimezone(UTC),
        time_zone=fleet.site.timezone,
        planned_at=moment,
        children=fleet.behind(servers),
    )
    append(tx, (planned(window, actor, moment),), moment)
    return window


def _refuse_nonsense(starts_at: datetime, ends_at: datetime, moment: datetime) -> None:
    if ends_at <= starts_at:
        raise RefusedError("the window ends before it starts: check --from and --until")
    if ends_at <= moment:
        raise RefusedError("the window is over already: plan one that ends in the future")


def refuse_unconfirmed(length: timedelta, *, confirmed: bool) -> None:
    """Raise RefusedError for a window of more than 24 hours that nobody confirmed (rule M9)."""
    if length > LONGEST and not confirmed:
        raise RefusedError(
            "the window would last longer than 24 hours, and all that time no failure of its servers is told:"
            " confirm it with --yes-longer-than-a-day, or plan several"
        )


def cancel(tx: Transaction, window_id: WindowId, *, actor: str, moment: datetime) -> Window:
    """Cancel a window that is not over; raises NotFoundError or RefusedError."""
    window = unfinished(tx, window_id)
    append(tx, (moved(Kind.WINDOW_CANCELLED, window, actor, moment),), moment)
    return replace(window, stage=WindowStage.CANCELLED, ended_at=moment if window.started_at else None)


def unfinished(tx: Transaction, window_id: WindowId) -> Window:
    """Return a window that is not over; raises NotFoundError or RefusedError."""
    window = readings.window(tx, window_id)
    if window is None:
        raise NotFoundError(f"there is no window {window_id!r}; `vigia window list` shows them")
    if window.stage not in (WindowStage.SCHEDULED, *RUNNING):
        raise RefusedError(f"the window {window_id} is {window.stage} already")
    return window


def due(tx: Transaction, moment: datetime) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """Return the windows that have to start now and those that have to be completed."""
    return moves(readings.windows(tx, ending_after=moment - _LOOK_BACK), moment)


def keep(tx: Transaction, moment: datetime) -> Moved:
    """Start and complete what is due, and return it."""
    to_start, to_complete = due(tx, moment)
    lasting = [window for window in to_start if window not in to_complete]
    entries = [moved(Kind.WINDOW_STARTED, window, _ACTOR, moment) for window in to_start]
    entries += pauses(tx, lasting, moment)
    entries += [moved(Kind.WINDOW_COMPLETED, window, _ACTOR, moment) for window in to_complete]
    append(tx, entries, moment)
    return Moved(started=to_start, completed=to_complete)


def pauses(tx: Transaction, starting: Sequence[Window], moment: datetime) -> list[Entry]:
    """Return what the tickets of open incidents are told when windows begin: one comment each (rule M3).

    An incident that was quiet already because of another window has had its comment.
    """
    if not starting:
        return []
    running = [one for one in readings.windows(tx, ending_after=moment) if one.stage in RUNNING]
    covered = frozenset[ServerId]().union(*(window.covered for window in starting))
    hushed = [server for server in covered if quiet(running, server, moment) is None]
    return [
        _paused(incident, moment)
        for incident in _open_incidents(tx, hushed)
        if all(quiet(running, server, moment) is None for server in incident.servers)
    ]


def ending_soon(tx: Transaction, moment: datetime) -> frozenset[ServerId]:
    """Return the servers whose quiet time ends within a minute: they are looked at once more before it does (rule M2)."""
    return ending(readings.windows(tx, ending_after=moment), moment, LAST_LOOK)


def follow(tx: Transaction, fleet: Fleet, moment: datetime) -> None:
    """Let windows that are not over keep quiet what depends on their servers now that another fleet is in force."""
    entries = []
    for window in readings.windows(tx, ending_after=moment):
        children = fleet.behind(window.servers)
        if window.stage in (WindowStage.SCHEDULED, *RUNNING) and children != window.children:
            entries.append(planned(replace(window, children=children), _ACTOR, moment))
    append(tx, entries, moment)


def plan_recurring(tx: Transaction, fleet: Fleet, moment: datetime) -> int:
    """Plan the occurrences of the next 14 days of every window kept as code; return how many were planned.

    An occurrence is named by its window and its start, so that it is planned once; while it has not begun it follows the
    configuration, and is cancelled when its rule is gone from there. What a person cancelled stays cancelled.
    """
    known = {window.id: window for window in readings.windows(tx, ending_after=moment)}
    zone, until = fleet.site.timezone, moment + PLAN_AHEAD
    wanted = {
        window.id: replace(window, children=fleet.behind(window.servers))
        for rule in fleet.windows
        for window in occurrences(rule, zone, moment, until)
    }
    missing = [window for name, window in wanted.items() if _is_missing(tx, known.get(name), window)]
    entries = [planned(window, _ACTOR, moment) for window in missing]
    gone = (
        window
        for name, window in known.items()
        if window.rule is not None and name not in wanted and window.stage is WindowStage.SCHEDULED
        if window.starts_at > moment
    )
    entries += [moved(Kind.WINDOW_CANCELLED, window, _ACTOR, moment) for window in gone]
    append(tx, entries, moment)
    return len(missing)


def _is_missing(tx: Transaction, known: Window | None, wanted: Window) -> bool:
    if known is None:
        return True
    if known.stage is WindowStage.SCHEDULED:
        differs = replace(known, planned_at=wanted.planned_at) != wanted
        return differs and not (known.ends_at > wanted.ends_at and _was_extended(tx, known))
    # Its rule was taken out of the configuration, and is back.
    return (
        known.stage is WindowStage.CANCELLED
        and known.started_at is None
        and _cancelled_by(tx, known) == _ACTOR
    )


def _was_extended(tx: Transaction, window: Window) -> bool:
    """Did a person give it another end? Then the plan is theirs."""
    return any(journal.entries(tx, subject=window.id, kinds=(Kind.WINDOW_EXTENDED,)))


def _cancelled_by(tx: Transaction, window: Window) -> str:
    return [
        numbered.entry.actor
        for numbered in journal.entries(tx, subject=window.id, kinds=(Kind.WINDOW_CANCELLED,))
    ][-1]


def occurrences(
    planned: PlannedWindow, time_zone: str, moment: datetime, until: datetime
) -> Iterable[Window]:
    """Return the windows that a window kept as code comes to after `moment` and no later than `until`, in their order."""
    rule = parse_rule(planned.rule)
    zone = ZoneInfo(time_zone)
    start = rule.next_after(moment, zone)
    while start <= until:
        yield Window(
            id=WindowId(f"{planned.id}-{start.astimezone(UTC):%Y%m%d%H%M}"),
            title=planned.title,
            servers=frozenset(planned.servers),
            starts_at=start.astimezone(UTC),
            ends_at=start.astimezone(UTC) + planned.lasts,
            time_zone=time_zone,
            rule=planned.rule,
            planned_at=moment,
        )
        start = rule.next_after(start, zone)


def _fleet(tx: Transaction) -> Fleet:
    fleet = readings.fleet(tx)
    if fleet is None:
        raise RefusedError("nothing is watched yet: start the service once with `vigia run`")
    return fleet


def _open_incidents(tx: Transaction, servers: Iterable[ServerId]) -> tuple[Incident, ...]:
    found = (readings.open_incident_of(tx, server) for server in sorted(servers))
    return tuple({incident.id: incident for incident in found if incident is not None}.values())


def planned(window: Window, actor: str, moment: datetime) -> Entry:
    """Return the entry of a window as planned, with the version of the zones that its local times were read by (rule M7)."""
    return Entry(
        kind=Kind.WINDOW_PLANNED,
        moment=moment,
        actor=actor,
        subject=window.id,
        body=WindowPlanned(window=window, zone_data=zone_data()),
    )


def moved(kind: Kind, window: Window, actor: str, moment: datetime) -> Entry:
    """Return the entry of a window that moved on in its life."""
    return Entry(kind=kind, moment=moment, actor=actor, subject=window.id, body=WindowMoved(window=window.id))


def _paused(incident: Incident, moment: datetime) -> Entry:
    return Entry(
        kind=Kind.INCIDENT_UPDATED,
        moment=moment,
        subject=incident.id,
        body=IncidentUpdated(
            incident=incident.id,
            reason=Reason.WINDOW_BEGAN,
            stage=incident.stage,
            impact=incident.impact,
            servers=incident.servers,
            checks=incident.checks,
            unreachable=incident.unreachable,
            update=None,
            ended_at=incident.ended_at,
        ),
    )
