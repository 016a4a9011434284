"""One server's page as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from monitor.health.words import Service
from monitor.status.snapshot import Freshness, ServerView, Snapshot
from web.public import bars, happenings, standing
from web.public.bars import Eventful
from web.public.chart import Chart, chart
from web.public.happenings import Happenings, IncidentCard, WindowCard
from web.public.overview import Cell, Mark, cells_of, last_known, mark, server_names, uptime_words
from web.reader import Series
from web.reading import Reading, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPage:
    """One server: what is true of it, its ninety days, how fast it answers, what happened."""

    id: str
    name: str
    sentence: str
    mark: Mark
    last_known: str | None
    since: str | None
    description: Said
    cells: tuple[Cell, ...]
    bars: Markup
    days: tuple[Eventful, ...]
    summary: str
    uptime: str
    charts: tuple[Chart, ...]
    open_incidents: tuple[IncidentCard, ...]
    past_incidents: tuple[IncidentCard, ...]
    windows: tuple[WindowCard, ...]


def server_page(
    server: ServerView, series: Sequence[Series], snapshot: Snapshot, reading: Reading
) -> ServerPage:
    """Return one server's page."""
    happened = _happened(server, snapshot)
    names = server_names(snapshot)
    cards = [happenings.incident_card(incident, names, reading) for incident in happened.incidents]
    charts = (chart(one, happened, snapshot.generated_at, reading) for one in series)
    return ServerPage(
        id=server.id,
        name=server.name,
        sentence=_sentence(server, snapshot, reading),
        mark=mark(server.status, reading),
        last_known=last_known(server, snapshot, reading),
        since=_since(server, snapshot, reading),
        description=reading.told(server.description),
        cells=cells_of(server, (service for service in Service if service in server.services), reading),
        bars=bars.linked_strip(server.days, reading),
        days=bars.every_day(server.days, reading),
        summary=bars.summary(server.days, reading),
        uptime=uptime_words(server, reading),
        charts=tuple(one for one in charts if one is not None),
        open_incidents=tuple(card for card in cards if card.open),
        past_incidents=tuple(card for card in cards if not card.open),
        windows=tuple(
            happenings.window_card(window, names, reading)
            for window in (*snapshot.active_windows, *snapshot.upcoming_windows)
            if server.id in window.covered
        ),
    )


def _happened(server: ServerView, snapshot: Snapshot) -> Happenings:
    incidents = (*snapshot.open_incidents, *snapshot.recent_incidents)
    windows = (*snapshot.active_windows, *snapshot.past_windows)
    return Happenings(
        incidents=tuple(incident for incident in incidents if server.id in incident.concerned),
        windows=tuple(window for window in windows if server.id in window.covered),
    )


def _sentence(server: ServerView, snapshot: Snapshot, reading: Reading) -> str:
    if snapshot.freshness is Freshness.GREY and snapshot.heard_at is not None:
        return reading.say(
            "page.sentence.grey",
            server=server.name,
            since=reading.since(snapshot.heard_at, snapshot.generated_at),
        )
    return standing.server_sentence(server, reading)


def _since(server: ServerView, snapshot: Snapshot, reading: Reading) -> str | None:
    if server.since is None or snapshot.freshness is Freshness.GREY:
        return None
    return reading.say("page.like_this_since", since=reading.since(server.since, snapshot.generated_at))
