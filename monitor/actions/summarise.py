"""The one picture of the present, drawn from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from zoneinfo import ZoneInfo

from monitor.actions.promises import support_view
from monitor.fleet import Fleet, Server, Site
from monitor.health.rollup import Held, Judged, group_status, indicator
from monitor.health.state import Health
from monitor.health.uptime import DayShare, Span, by_day
from monitor.health.words import Indicator, Service, State, Status, Why
from monitor.identifiers import CheckKey, IncidentId, ServerId
from monitor.incidents.incident import Audience, Incident
from monitor.language.zones import day_of, start_of_day
from monitor.maintenance.due import quiet
from monitor.maintenance.window import Window, WindowStage
from monitor.status.snapshot import (
    GREY_AFTER,
    HISTORY_DAYS,
    STALE_AFTER,
    CheckView,
    Day,
    Freshness,
    GroupView,
    ServerView,
    Snapshot,
)
from monitor.store import readings
from monitor.store.database import Transaction

_NOBODY = Site(name="Vigía", url="http://127.0.0.1")
_ONE_DAY = timedelta(days=1)
_worst = attrgetter("worst")
_UNSEEN = Judged(status=Status.UNKNOWN, services={})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Everything that the picture of one server rests on."""

    fleet: Fleet
    now: datetime
    zone: ZoneInfo
    freshness: Freshness
    standing: Mapping[ServerId, Held]
    healths: Mapping[CheckKey, Health]
    windows: Sequence[Window]
    dates: tuple[date, ...]
    lengths: tuple[float, ...]
    closed_days: Mapping[ServerId, Sequence[Day]]
    today: Mapping[ServerId, Day]
    incident_days: Mapping[ServerId, Mapping[date, tuple[IncidentId, ...]]]


def freshness_of(heard_at: datetime | None, now: datetime) -> Freshness:
    """Return how far a picture can be trusted whose last sign of life came at `heard_at`; never heard is grey.

    A sign of life from the future came before the clock was set back, and is worth no more than one that is as old.
    """
    if heard_at is None or abs(now - heard_at) > GREY_AFTER:
        return Freshness.GREY
    return Freshness.STALE if abs(now - heard_at) > STALE_AFTER else Freshness.FRESH


def summarise(tx: Transaction, now: datetime, *, number: int) -> Snapshot:
    """Return the picture of `now` under `number`; before anything was applied it is an empty page."""
    heard_at = readings.heard_at(tx)
    fleet = readings.fleet(tx) or Fleet(site=_NOBODY, groups=(), servers=())
    incidents = readings.incidents_between(tx, now - HISTORY_DAYS * _ONE_DAY, now + _ONE_DAY, Audience.PUBLIC)
    shown = [incident for incident in incidents if not incident.drill]
    windows = readings.windows(tx, ending_after=now - HISTORY_DAYS * _ONE_DAY)
    facts = _facts(tx, fleet, now, heard_at, windows, shown)
    groups = _groups(facts)
    return Snapshot(
        number=number,
        generated_at=now,
        heard_at=heard_at,
        freshness=facts.freshness,
        site=fleet.site,
        indicator=_indicator(facts),
        groups=groups,
        # Worst first; of equals the newest, which is how they come.
        open_incidents=tuple(
            sorted((each for each in shown if each.open), key=lambda each: -each.impact.severity)
        ),
        recent_incidents=tuple(incident for incident in shown if not incident.open),
        active_windows=tuple(window for window in windows if _active(window)),
        upcoming_windows=tuple(window for window in windows if window.stage is WindowStage.SCHEDULED),
        past_windows=tuple(window for window in reversed(windows) if window.stage is WindowStage.COMPLETED),
        departments=fleet.departments,
        demo=fleet.site.demo,
        blocked_since=_blocked_since(facts.standing, readings.blocked_views(tx)),
        support=support_view(tx, fleet, now),
    )


def _blocked_since(
    standing: Mapping[ServerId, Held], blocked: Sequence[readings.BlockedView]
) -> datetime | None:
    """Return since when our view is blocked; one way out of several matters only once it hides a server."""
    whole = any(len(blocked) >= view.families for view in blocked)
    hides = whole or any(held.judged.because is Why.ISOLATED for held in standing.values())
    return min((view.since for view in blocked), default=None) if hides else None


def _active(window: Window) -> bool:
    return window.stage in (WindowStage.IN_PROGRESS, WindowStage.VERIFYING)


def _facts(
    tx: Transaction,
    fleet: Fleet,
    now: datetime,
    heard_at: datetime | None,
    windows: Sequence[Window],
    incidents: Sequence[Incident],
) -> _Facts:
    freshness = freshness_of(heard_at, now)
    zone = ZoneInfo(fleet.site.timezone)
    today = day_of(now, zone)
    dates = tuple(today - ahead * _ONE_DAY for ahead in range(HISTORY_DAYS - 1, -1, -1))
    return _Facts(
        fleet=fleet,
        now=now,
        zone=zone,
        freshness=freshness,
        standing=readings.standing(tx),
        healths=readings.healths(tx),
        windows=windows,
        dates=dates,
        lengths=tuple(_length_s(day, zone, now) for day in dates),
        closed_days=readings.server_days(tx, dates[0]),
        today=_today(tx, fleet, zone, now, heard_at if freshness is not Freshness.FRESH else now),
        incident_days=_incident_days(incidents, zone, now),
    )


def _today(
    tx: Transaction, fleet: Fleet, zone: ZoneInfo, now: datetime, seen_until: datetime | None
) -> Mapping[ServerId, Day]:
    """Work out the day that is not over yet; what came after the last sign of life is no data."""
    day = day_of(now, zone)
    start = start_of_day(day, zone)
    statuses = readings.status_spans(tx, start, now)
    maintenance = readings.maintenance_spans(tx, start, now)
    blind = [*readings.blind_spans(tx, start, now)]
    if seen_until is None or seen_until < now:
        blind.append(Span(max(start, seen_until or start), now))
    return {
        server.id: _day(
            by_day(
                statuses.get(server.id, ()),
                maintenance.get(server.id, ()),
                blind,
                zone=zone,
                first_day=day,
                last_day=day,
                until=now,
            )[0]
        )
        for server in fleet.servers
    }


def _day(share: DayShare) -> Day:
    return Day(
        date=share.date,
        worst=share.worst,
        down_s=round(share.down.total_seconds()),
        degraded_s=round(share.degraded.total_seconds()),
        maintenance_s=round(share.maintenance.total_seconds()),
        no_data_s=round(share.no_data.total_seconds()),
    )


def _incident_days(
    incidents: Iterable[Incident], zone: ZoneInfo, now: datetime
) -> Mapping[ServerId, Mapping[date, tuple[IncidentId, ...]]]:
    """Return which incidents touch which of the days shown, of which server."""
    oldest = day_of(now, zone) - (HISTORY_DAYS - 1) * _ONE_DAY
    found: dict[ServerId, dict[date, tuple[IncidentId, ...]]] = {}
    for incident in incidents:
        # A false alarm was nothing that happened on a day.
        if incident.retracted is not None:
            continue
        first = max(day_of(incident.started_at, zone), oldest)
        last = day_of(incident.ended_at or now, zone)
        for ahead in range((last - first).days + 1):
            day = first + ahead * _ONE_DAY
            for server in incident.concerned:
                days = found.setdefault(server, {})
                days[day] = (*days.get(day, ()), incident.id)
    return found


def _groups(facts: _Facts) -> tuple[GroupView, ...]:
    views = {server.id: _server(facts, server) for server in facts.fleet.servers}
    groups = []
    for group in facts.fleet.groups:
        servers = tuple(views[server.id] for server in facts.fleet.servers if server.group == group.id)
        status = group_status(server.status for server in servers)
        groups.append(GroupView(id=group.id, name=group.name, status=status, servers=servers))
    return tuple(group for group in groups if group.servers)


def _indicator(facts: _Facts) -> Indicator:
    """The state of the whole page rests on what was judged: a grey page says so by its freshness."""
    return indicator(
        [_judged(facts, server) for server in facts.fleet.servers if server.group == group.id]
        for group in facts.fleet.groups
    )


def _judged(facts: _Facts, server: Server) -> Status:
    return facts.standing[server.id].last_known if server.id in facts.standing else Status.UNKNOWN


def _instead(facts: _Facts, server: ServerId) -> Status | None:
    """Return what is shown of a server and its services whatever was judged, None when that is shown."""
    if facts.freshness is Freshness.GREY:
        return Status.UNKNOWN
    return None if quiet(facts.windows, server, facts.now) is None else Status.UNDER_MAINTENANCE


def _server(facts: _Facts, server: Server) -> ServerView:
    held = facts.standing.get(server.id)
    judged = _UNSEEN if held is None else held.judged
    instead = _instead(facts, server.id)
    days = _days(facts, server.id)
    return ServerView(
        id=server.id,
        name=server.name,
        group=server.group,
        status=instead or judged.status,
        last_known=_judged(facts, server),
        since=None if held is None else held.since,
        services=judged.services if instead is None else dict.fromkeys(judged.services, instead),
        checks=tuple(_check(facts, plan.key, plan.kind, plan.service) for plan in server.checks),
        days=days,
        uptime=_uptime(facts, days),
        description=server.description,
        because=judged.because,
    )


def _check(facts: _Facts, key: CheckKey, kind: str, service: Service) -> CheckView:
    health = facts.healths.get(key)
    return CheckView(
        id=key.check,
        kind=kind,
        service=service,
        state=State.UNKNOWN if health is None else health.state,
        outcome=None if health is None else health.outcome,
        cause=None if health is None else health.cause,
        took_ms=None if health is None or health.looked_at is None else health.took_ms,
        checked_at=None if health is None else health.looked_at,
    )


def _days(facts: _Facts, server: ServerId) -> tuple[Day, ...]:
    """Return 90 days, oldest first; a day of which nothing is recorded is one without data.

    A large fleet has tens of thousands of them: those that are alike are one and the same.
    """
    closed = facts.closed_days.get(server, ())
    if len(closed) == HISTORY_DAYS - 1 and closed[0].date == facts.dates[0]:
        days = (*closed, facts.today[server])
    else:
        days = _filled(facts.dates, (*closed, facts.today[server]))
    incidents = facts.incident_days.get(server)
    if incidents is None:
        return days
    touched = list(days)
    for day, names in incidents.items():
        place = (day - facts.dates[0]).days
        if 0 <= place < len(touched):
            touched[place] = replace(touched[place], incidents=names)
    return tuple(touched)


def _filled(dates: Sequence[date], known: Sequence[Day]) -> tuple[Day, ...]:
    """Return a day for each date: a known one, else one without data."""
    days = list(_without_data_from(dates[0], len(dates)))
    for day in known:
        if dates[0] <= day.date <= dates[-1]:
            days[(day.date - dates[0]).days] = day
    return tuple(days)


@lru_cache(maxsize=4)
def _without_data_from(first: date, count: int) -> tuple[Day, ...]:
    return tuple(Day(date=first + ahead * _ONE_DAY, worst=None) for ahead in range(count))


def _uptime(facts: _Facts, days: Sequence[Day]) -> float | None:
    """Return the share of the last 90 days by the published formula; days without any data count nowhere."""
    counted = down = 0.0
    for day, length in compress(zip(days, facts.lengths, strict=True), map(_worst, days)):
        counted += max(0.0, length - day.maintenance_s - day.no_data_s)
        down += day.down_s
    return max(0.0, 1 - down / counted) if counted > 0 else None


def _length_s(day: date, zone: ZoneInfo, now: datetime) -> float:
    """Return how many seconds of a day are over."""
    return (min(start_of_day(day + _ONE_DAY, zone), now) - start_of_day(day, zone)).total_seconds()
