"""Incidents and windows as cards and as a diary of days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from monitor.identifiers import ServerId
from monitor.incidents.incident import Incident, Origin, Update
from monitor.language import moments
from monitor.maintenance.window import Window, WindowStage
from web.figures import stretch_of_days
from web.reading import Moment, Reading, Said

Names = Mapping[ServerId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server that something happened to; one that has retired has no page and keeps its id."""

    name: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLine:
    """One published word on an incident."""

    anchor: str
    stage: str
    stage_words: str
    said: Said
    at: Moment
    by_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentCard:
    """An incident as pages show it: its published words, never its evidence."""

    id: str
    path: str
    title: Said
    stage: str
    stage_words: str
    impact: str
    impact_words: str
    places: tuple[Place, ...]
    behind: tuple[Place, ...]
    started: Moment
    hours: str
    ended: Moment | None
    lasted: str | None
    detected: bool
    updates: tuple[UpdateLine, ...]
    open: bool

    @property
    def latest(self) -> UpdateLine | None:
        """The newest word, None when nothing was published yet."""
        return self.updates[0] if self.updates else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCard:
    """A window as pages show it."""

    id: str
    path: str
    title: Said
    stage: str
    stage_words: str
    places: tuple[Place, ...]
    span: str
    starts: Moment
    ends: Moment
    ends_utc: str
    started: Moment | None
    ended: Moment | None
    planned: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryDay:
    """One day, or a quiet stretch of days, newest first."""

    words: str
    iso: str
    incidents: tuple[IncidentCard, ...] = ()
    windows: tuple[WindowCard, ...] = ()
    rest: Rest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """How many incidents more there are than a place shows, and the month that tells them all."""

    words: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """What the diary is written from."""

    incidents: Sequence[Incident]
    windows: Sequence[Window]


def incident_card(incident: Incident, names: Names, reading: Reading) -> IncidentCard:
    """Return an incident ready to be shown, newest word first."""
    ended = incident.ended_at or incident.resolved_at
    over = None if incident.open or ended is None else ended
    return IncidentCard(
        id=incident.id,
        path=reading.incident_path(incident.id),
        title=reading.told(incident.title),
        stage=incident.stage.value,
        stage_words=stage_words(incident, reading),
        impact=incident.impact.value,
        impact_words=reading.say(f"impact.{incident.impact.value}"),
        places=places(incident.servers, names, reading),
        behind=places(incident.unreachable, names, reading),
        started=reading.moment(incident.started_at),
        hours=_hours(incident, over, reading),
        ended=reading.moment(over) if over else None,
        lasted=reading.in_full(over - incident.started_at) if over else None,
        detected=incident.origin is Origin.DETECTED,
        updates=tuple(_line(incident, update, reading) for update in reversed(incident.updates)),
        open=incident.open,
    )


def window_card(window: Window, names: Names, reading: Reading) -> WindowCard:
    """Return a window ready to be shown."""
    return WindowCard(
        id=window.id,
        path=reading.window_path(window.id),
        title=reading.told(window.title),
        stage=window.stage.value,
        stage_words=reading.say(f"page.window.{window.stage.value}"),
        places=places((*sorted(window.servers), *sorted(window.children)), names, reading),
        span=reading.span(window.starts_at, window.ends_at),
        starts=reading.moment(window.starts_at),
        ends=reading.moment(window.ends_at),
        ends_utc=reading.in_utc(window.ends_at),
        started=reading.moment(window.started_at) if window.started_at else None,
        ended=reading.moment(window.ended_at) if window.ended_at else None,
        planned=reading.moment(window.planned_at) if window.planned_at else None,
    )


def places(servers: Iterable[ServerId], names: Names, reading: Reading) -> tuple[Place, ...]:
    """Return servers by name, with their pages."""
    return tuple(
        Place(name=names.get(server, server), path=reading.server_path(server) if server in names else None)
        for server in servers
    )


def rest(count: int, day: date, reading: Reading) -> Rest | None:
    """Return the way to `count` incidents that are not shown, of the month of `day`; None when all are."""
    if count <= 0:
        return None
    return Rest(
        words=reading.say("page.incidents.rest", count=count), path=reading.path(f"/history/{day:%Y-%m}")
    )


def diary(
    happenings: Happenings, days: Sequence[date], names: Names, reading: Reading, *, most: int | None = None
) -> tuple[DiaryDay, ...]:
    """Return the days with what began on each; days without anything are told together.

    `days` come newest first. An incident stands on the day of its first failing look, a window on the day it began.
    With `most`, of each day only the newest incidents are told, and how many more there are.
    """
    incidents, windows = _by_day(happenings, reading)
    filled = [
        (day, _filled(day, incidents.get(day, []), windows.get(day, []), names, reading, most))
        for day in days
    ]
    return tuple(_told_together(filled, reading))


def days_back(now: datetime, count: int, reading: Reading) -> tuple[date, ...]:
    """Return today and the days before it in the site's zone, newest first."""
    today = reading.day(now)
    return tuple(today - timedelta(days=back) for back in range(count))


def _by_day(
    happenings: Happenings, reading: Reading
) -> tuple[Mapping[date, list[Incident]], Mapping[date, list[Window]]]:
    """Return what began on each day, incidents the newest first."""
    incidents: dict[date, list[Incident]] = {}
    for incident in sorted(happenings.incidents, key=lambda each: each.started_at, reverse=True):
        incidents.setdefault(reading.day(incident.started_at), []).append(incident)
    windows: dict[date, list[Window]] = {}
    for window in happenings.windows:
        if (began := _window_day(window, reading)) is not None:
            windows.setdefault(began, []).append(window)
    return incidents, windows


def _filled(
    day: date,
    incidents: Sequence[Incident],
    windows: Sequence[Window],
    names: Names,
    reading: Reading,
    most: int | None,
) -> DiaryDay:
    return DiaryDay(
        words=moments.weekday(day, reading.language),
        iso=day.isoformat(),
        incidents=tuple(incident_card(incident, names, reading) for incident in incidents[:most]),
        windows=tuple(window_card(window, names, reading) for window in windows),
        rest=None if most is None else rest(len(incidents) - most, day, reading),
    )


def _window_day(window: Window, reading: Reading) -> date | None:
    if window.stage in (WindowStage.SCHEDULED, WindowStage.CANCELLED):
        return None
    return reading.day(window.started_at or window.starts_at)


def _told_together(filled: Sequence[tuple[date, DiaryDay]], reading: Reading) -> Iterator[DiaryDay]:
    for quiet, members in groupby(filled, key=lambda pair: not (pair[1].incidents or pair[1].windows)):
        stretch = list(members)
        if not quiet or len(stretch) == 1:
            yield from (entry for _, entry in stretch)
            continue
        (newest, first), (oldest, _) = stretch[0], stretch[-1]
        yield replace(first, words=stretch_of_days(oldest, newest, reading.language))


def _hours(incident: Incident, over: datetime | None, reading: Reading) -> str:
    """Return from when to when, for a place that names the first day already."""
    start = incident.started_at
    if over is None:
        return reading.hour_phrase("page.since.hour", start)
    same_day = reading.day(start) == reading.day(over)
    end = reading.hour(over) if same_day else reading.moment(over)
    return reading.say("page.from_to", start=reading.hour(start).words, end=end.words)


def stage_words(incident: Incident, reading: Reading, update: Update | None = None) -> str:
    """Return where an incident stands, or stood with one of its updates; one that was withdrawn says so."""
    withdrawn = incident.retracted
    if withdrawn is not None and (update is None or update.at == withdrawn.at):
        return reading.say("stage.retracted")
    return reading.say(f"stage.{(incident if update is None else update).stage.value}")


def _line(incident: Incident, update: Update, reading: Reading) -> UpdateLine:
    return UpdateLine(
        anchor=update.id,
        stage=update.stage.value,
        stage_words=stage_words(incident, reading, update),
        said=reading.told(update.text),
        at=reading.moment(update.at),
        by_person=update.author != "vigia",
    )
