"""What feeds tell: incidents and windows as entries that grow, and each published word as an entry of its own.

Dates are those of publishing: never the first failing look, which lies before, and never a planned start, which
lies ahead. Readers drop what seems old and announce what seems new by these dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from markupsafe import Markup

from monitor.identifiers import ServerId
from monitor.incidents.incident import Incident, Update
from monitor.maintenance.window import Window
from monitor.status.snapshot import Snapshot
from web.feeds.feed import Category, Item
from web.public.happenings import stage_words
from web.public.overview import server_names
from web.reading import Reading

LONGEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that a feed may tell, already cut to one server if it is that server's."""

    incidents: Sequence[Incident]
    windows: Sequence[Window]
    names: Mapping[ServerId, str]
    now: datetime


def story(snapshot: Snapshot, server: ServerId | None) -> Story:
    """Return what there is to tell of the last ninety days, of everything or of one server."""
    incidents = (*snapshot.open_incidents, *snapshot.recent_incidents)
    windows = (*snapshot.upcoming_windows, *snapshot.active_windows, *snapshot.past_windows)
    return Story(
        incidents=[one for one in incidents if server is None or server in one.concerned],
        windows=[one for one in windows if server is None or server in one.covered],
        names=server_names(snapshot),
        now=snapshot.generated_at,
    )


def history_items(told: Story, reading: Reading) -> tuple[Item, ...]:
    """Return an entry for each incident and each window, the newest publication first."""
    incidents = (_incident_item(incident, told, reading) for incident in told.incidents)
    windows = (_window_item(window, told, reading) for window in told.windows)
    return _newest_first([*incidents, *windows])


def update_items(told: Story, reading: Reading) -> tuple[Item, ...]:
    """Return an entry for each published word and each step of a window, newest first."""
    updates = [
        _update_item(incident, update, told, reading)
        for incident in told.incidents
        for update in incident.updates
    ]
    steps = [item for window in told.windows for item in _step_items(window, told, reading)]
    return _newest_first([*updates, *steps])


def tag(reading: Reading, day: datetime, specific: str) -> str:
    """Return a name that is unique for ever (RFC 4151), from the host that is configured and a day it was ours."""
    host = urlsplit(reading.site.url).hostname or "localhost"
    return f"tag:{host},{day.astimezone(UTC):%Y-%m-%d}:{specific}"


def _newest_first(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: (item.published, item.id), reverse=True)[:LONGEST])


def _incident_item(incident: Incident, told: Story, reading: Reading) -> Item:
    stage = stage_words(incident, reading)
    published = min(incident.opened_at, told.now)
    return Item(
        id=tag(reading, incident.opened_at, f"incident/{incident.id}"),
        title=f"[{stage}] {reading.told(incident.title).text}",
        link=reading.absolute(f"/incidents/{incident.id}"),
        html=Markup().join(_paragraph(incident, update, reading) for update in reversed(incident.updates)),
        published=published,
        updated=max([published, *(update.at for update in incident.updates)]),
        categories=_incident_categories(incident, incident.stage.value, told, reading),
    )


def _update_item(incident: Incident, update: Update, told: Story, reading: Reading) -> Item:
    stage = stage_words(incident, reading, update)
    published = min(update.at, told.now)
    return Item(
        id=tag(reading, update.at, f"update/{update.id}"),
        title=f"[{stage}] {reading.told(incident.title).text}",
        link=reading.absolute(f"/incidents/{incident.id}") + f"#{update.id}",
        html=_paragraph(incident, update, reading),
        published=published,
        updated=published,
        categories=_incident_categories(incident, update.stage.value, told, reading),
    )


def _paragraph(incident: Incident, update: Update, reading: Reading) -> Markup:
    return Markup("<p><small>{}</small><br><strong>{}</strong> - {}</p>").format(
        f"{reading.moment(update.at).words}, {reading.zone_name(update.at)}",
        stage_words(incident, reading, update),
        reading.told(update.text).text,
    )


def _incident_categories(
    incident: Incident, stage: str, told: Story, reading: Reading
) -> tuple[Category, ...]:
    impact = incident.impact.value
    return (
        Category(term=stage, words=reading.say(f"stage.{stage}"), scheme="stage"),
        Category(term=impact, words=reading.say(f"impact.{impact}"), scheme="impact"),
        *_server_categories(incident.concerned, told),
    )


def _server_categories(servers: Iterable[ServerId], told: Story) -> Iterator[Category]:
    return (
        Category(term=server, words=told.names.get(server, server), scheme="server") for server in servers
    )


def _published(window: Window, now: datetime) -> datetime:
    """Return when a window was announced; where nobody noted it, the earliest moment that is surely not ahead."""
    return min(window.planned_at or window.starts_at, now)


def _window_item(window: Window, told: Story, reading: Reading) -> Item:
    published = _published(window, told.now)
    moved = [moment for moment in (window.started_at, window.ended_at) if moment is not None]
    return Item(
        id=tag(reading, window.planned_at or window.starts_at, f"window/{window.id}"),
        title=_window_title(window, reading),
        link=reading.absolute(f"/windows/{window.id}"),
        html=_window_words(window, window.stage.value, told, reading),
        published=published,
        updated=max([published, *moved]),
        categories=_window_categories(window, window.stage.value, told, reading),
    )


def _step_items(window: Window, told: Story, reading: Reading) -> Iterator[Item]:
    steps = (
        ("scheduled", _published(window, told.now)),
        ("in_progress", window.started_at),
        ("completed", window.ended_at),
    )
    for stage, moment in steps:
        if moment is not None:
            published = min(moment, told.now)
            yield Item(
                id=tag(reading, window.planned_at or window.starts_at, f"window/{window.id}/{stage}"),
                title=_window_title(window, reading),
                link=reading.absolute(f"/windows/{window.id}"),
                html=_window_words(window, stage, told, reading),
                published=published,
                updated=published,
                categories=_window_categories(window, stage, told, reading),
            )


def _window_title(window: Window, reading: Reading) -> str:
    return f"[{reading.say('page.window')}] {reading.told(window.title).text}"


def _window_words(window: Window, stage: str, told: Story, reading: Reading) -> Markup:
    return Markup("<p><strong>{}</strong> - {}, {}</p><p>{}</p>").format(
        reading.say(f"page.window.{stage}"),
        reading.span(window.starts_at, window.ends_at),
        reading.zone_name(window.starts_at),
        ", ".join(told.names.get(server, server) for server in sorted(window.servers)),
    )


def _window_categories(window: Window, stage: str, told: Story, reading: Reading) -> tuple[Category, ...]:
    return (
        Category(term="maintenance", words=reading.say("page.window"), scheme="impact"),
        Category(term=stage, words=reading.say(f"page.window.{stage}"), scheme="stage"),
        *_server_categories(sorted(window.servers), told),
    )
