"""The front page as a value: what stands where, in the words of one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain

from markupsafe import Markup

from monitor.health.words import Service, Status
from monitor.identifiers import ServerId
from monitor.status.snapshot import Freshness, GroupView, ServerView, Snapshot
from web.figures import percent
from web.public import bars, happenings, standing
from web.public.bars import Eventful
from web.public.happenings import DiaryDay, Happenings, IncidentCard, Rest, WindowCard
from web.public.support import SupportPage, support_page
from web.reading import Moment, Reading

DIARY_DAYS = 14
# Nobody reads five hundred cards; what all of them are is told by the sentence, the servers and the month.
MOST_CARDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A status as shape and word; `name` picks the shape, `html` is both as they stand on a page."""

    name: str
    words: str
    html: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One service of one server; `mark` is None where the server does not offer it."""

    service: str
    mark: Mark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server on the front page. `uniform` when every service is as the server, so that its word says it for all."""

    id: str
    name: str
    path: str
    mark: Mark
    last_known: str | None
    cells: tuple[Cell, ...]
    uniform: bool
    bars: Markup
    uptime: str
    eventful: tuple[Eventful, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A group of servers, with the services that any of them offers as columns."""

    id: str
    name: str
    mark: Mark
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    eventful: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every page shows of the present: the sentence, how old it is, and whether it may be believed."""

    sentence: str
    mark: Mark
    freshness: str
    heard: Moment | None
    heard_words: str
    heard_at: str
    zone: str
    blocked: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The front page."""

    head: Head
    incidents: tuple[IncidentCard, ...]
    rest: Rest | None
    active: tuple[WindowCard, ...]
    upcoming: tuple[WindowCard, ...]
    groups: tuple[Card, ...]
    diary: tuple[DiaryDay, ...]
    legend: tuple[Mark, ...]
    support: SupportPage | None


def overview(snapshot: Snapshot, reading: Reading) -> Overview:
    """Return the front page for one snapshot and one language."""
    names = server_names(snapshot)
    days = happenings.days_back(snapshot.generated_at, DIARY_DAYS, reading)
    past = Happenings(
        incidents=(*snapshot.open_incidents, *snapshot.recent_incidents),
        windows=(*snapshot.active_windows, *snapshot.past_windows),
    )
    return Overview(
        head=head(snapshot, reading),
        incidents=tuple(
            happenings.incident_card(incident, names, reading)
            for incident in snapshot.open_incidents[:MOST_CARDS]
        ),
        rest=happenings.rest(len(snapshot.open_incidents) - MOST_CARDS, days[0], reading),
        active=tuple(happenings.window_card(window, names, reading) for window in snapshot.active_windows),
        upcoming=tuple(
            happenings.window_card(window, names, reading) for window in snapshot.upcoming_windows
        ),
        groups=tuple(_card(group, snapshot, reading) for group in snapshot.groups if group.servers),
        diary=happenings.diary(past, days, names, reading, most=MOST_CARDS),
        legend=tuple(mark(status, reading) for status in Status),
        support=_support(snapshot, reading),
    )


def _support(snapshot: Snapshot, reading: Reading) -> SupportPage | None:
    support = snapshot.support
    return support_page(support, snapshot, reading) if support is not None and support.is_told else None


def head(snapshot: Snapshot, reading: Reading) -> Head:
    """Return what every page shows of the present."""
    told_at = snapshot.heard_at or snapshot.generated_at
    return Head(
        sentence=standing.sentence(snapshot, reading),
        mark=mark(standing.overall(snapshot), reading),
        freshness=snapshot.freshness.value,
        heard=_to_the_minute(snapshot.heard_at, reading),
        heard_words=_heard_words(snapshot, reading),
        heard_at=reading.at(told_at, snapshot.generated_at),
        zone=reading.zone_name(told_at),
        blocked=_blocked(snapshot, reading),
    )


def _blocked(snapshot: Snapshot, reading: Reading) -> str | None:
    """Return the sentence about our own view while it is blocked."""
    if snapshot.blocked_since is None:
        return None
    return reading.say("page.blocked", since=reading.since(snapshot.blocked_since, snapshot.generated_at))


@lru_cache(maxsize=64)
def mark(status: Status, reading: Reading) -> Mark:
    """Return a status as shape and word; made once, since a page shows it thousands of times."""
    words = reading.say(f"status.{status.value}")
    html = Markup(
        '<span class="mark {0}"><svg class="icon" aria-hidden="true"><use href="#{0}"/></svg><span>{1}</span></span>'
    ).format(status.value, words)
    return Mark(name=status.value, words=words, html=html)


def server_names(snapshot: Snapshot) -> Mapping[ServerId, str]:
    """Return every server's name by its id."""
    return {server.id: server.name for server in snapshot.servers()}


def uptime_words(server: ServerView, reading: Reading) -> str:
    """Return the share of the last ninety days in words."""
    if server.uptime is None:
        return reading.say("page.uptime.none")
    return reading.say("page.uptime", share=percent(server.uptime, reading.language))


def last_known(server: ServerView, snapshot: Snapshot, reading: Reading) -> str | None:
    """Return why a server is shown as it is, and what was true before we lost sight of it; None when there is nothing to add."""
    hidden = server.status is Status.UNKNOWN or snapshot.freshness is Freshness.GREY
    said = []
    if server.because is not None and snapshot.freshness is not Freshness.GREY:
        said.append(reading.say(f"page.because.{server.because.value}"))
    if hidden and server.last_known is not Status.UNKNOWN:
        said.append(reading.say("page.last_known", status=reading.say(f"status.{server.last_known.value}")))
    return " · ".join(said) or None


def _heard_words(snapshot: Snapshot, reading: Reading) -> str:
    if snapshot.heard_at is None:
        return reading.say("page.never")
    zone = reading.zone_name(snapshot.heard_at)
    return reading.hour_phrase("page.updated", snapshot.heard_at, zone=zone)


def _to_the_minute(instant: datetime | None, reading: Reading) -> Moment | None:
    """Return a moment without its seconds: a page that names them would be another page at every sign of life."""
    return None if instant is None else reading.moment(instant.replace(second=0, microsecond=0))


def _card(group: GroupView, snapshot: Snapshot, reading: Reading) -> Card:
    offered = set(chain.from_iterable(server.services for server in group.servers))
    columns = tuple(service for service in Service if service in offered)
    rows = tuple(_row(server, columns, snapshot, reading) for server in group.servers)
    return Card(
        id=group.id,
        name=reading.told(group.name).text,
        mark=mark(group.status, reading),
        columns=tuple(reading.say(f"service.{service.value}") for service in columns),
        rows=rows,
        eventful=any(row.eventful for row in rows),
    )


def _row(server: ServerView, columns: tuple[Service, ...], snapshot: Snapshot, reading: Reading) -> Row:
    strip = bars.strip(server.days, reading)
    return Row(
        id=server.id,
        name=server.name,
        path=reading.server_path(server.id),
        mark=mark(server.status, reading),
        last_known=last_known(server, snapshot, reading),
        cells=cells_of(server, columns, reading),
        uniform=set(server.services.values()) == {server.status},
        bars=strip.picture,
        uptime=uptime_words(server, reading),
        eventful=strip.eventful,
    )


def cells_of(server: ServerView, columns: Iterable[Service], reading: Reading) -> tuple[Cell, ...]:
    """Return a cell for each service of a row."""
    return tuple(_cell(server.services.get(service), service, reading) for service in columns)


@lru_cache(maxsize=256)
def _cell(status: Status | None, service: Service, reading: Reading) -> Cell:
    shown = None if status is None else mark(status, reading)
    return Cell(service=reading.say(f"service.{service.value}"), mark=shown)
