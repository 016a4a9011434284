"""The showing side's view of the database: one snapshot for every reader, moved on when something could be seen to change."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import disk_usage
from zoneinfo import ZoneInfo

from monitor.actions.summarise import freshness_of, summarise
from monitor.clock import Clock, SystemClock
from monitor.errors import StoreError
from monitor.health import heartbeat
from monitor.identifiers import CheckKey, IncidentId, ServerId
from monitor.incidents.incident import Audience, Incident
from monitor.journal.consequences import Channel, channel_of
from monitor.language.zones import start_of_day
from monitor.metrics.exposition import join
from monitor.metrics.picture import Counts, snapshot_lines
from monitor.station.names import DATABASE, METRICS_OPENMETRICS, METRICS_TEXT
from monitor.station.scrape import NewestLines
from monitor.status.reading import Metrics, Month, Point, Readiness, Series
from monitor.status.snapshot import Freshness, Snapshot
from monitor.store import deliveries, observations, readings
from monitor.store.database import Database, Transaction
from monitor.store.journal import last_number
from monitor.store.observations import Step

# A picture is drawn at most so often, however many readers ask and however much happens: one that takes long less often, so that
# it takes a fortieth of a core and the page that follows from it, which costs as much again, another; but every two seconds all
# the same. After a quiet time a change is shown at once.
_AT_MOST_EVERY = 0.5
_SHARE = 0.025
_AT_LEAST_EVERY = 2.0
_WRITER_SILENT = timedelta(seconds=30)
_OLDEST_DELIVERY = timedelta(minutes=5)
_LEAST_FREE = 0.05
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """What a snapshot depends on; an equal mark means that no reader could see a difference."""

    entries: int
    freshness: Freshness
    minute: int
    heard_minute: int | None


def open_reader(data: Path, clock: Clock | None = None) -> DatabaseReader:
    """Open the database of a data directory for the showing side; a missing one raises SchemaError."""
    return DatabaseReader(Database.open(data / DATABASE, owner=False), clock or SystemClock())


def present(database: Database, now: datetime) -> tuple[Snapshot, Mapping[str, str]]:
    """Return the picture of this moment, and the ticket's reference of each incident that has one."""
    with database.reading() as tx:
        return summarise(tx, now, number=last_number(tx)), readings.references(tx)


def present_measures(database: Database) -> Mapping[CheckKey, Sequence[observations.Figure]]:
    """Return the newest figures that looks took beside their times, by check."""
    with database.reading() as tx:
        newest = observations.last_measures(tx)
        numbers = readings.check_numbers(tx)
    return {key: newest[number] for key, number in numbers.items() if number in newest}


class DatabaseReader:
    """Answers every question of the showing side; safe to use from several threads.

    While the database cannot be read, StoreError is raised; the page goes on with its last picture, which turns grey.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock = clock
        self._database = database
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._mark: _Mark | None = None
        self._asked_at = float("-inf")
        self._pause_s = _AT_MOST_EVERY
        self._checks = NewestLines()

    def snapshot(self) -> Snapshot:
        """Return the present; the same object until something changed that a reader could see."""
        held = self._snapshot
        if held is not None and self.clock.monotonic() - self._asked_at < self._pause_s:
            return held
        with self._lock:
            began = self.clock.monotonic()
            if self._snapshot is None or began - self._asked_at >= self._pause_s:
                self._move_on()
                self._asked_at = self.clock.monotonic()
                self._pause_s = min(max(_AT_MOST_EVERY, (self._asked_at - began) / _SHARE), _AT_LEAST_EVERY)
            if self._snapshot is None:
                raise StoreError("there is no picture to show yet")
            return self._snapshot

    def _move_on(self) -> None:
        now = self.clock.now()
        with self._database.reading() as tx:
            mark = self._mark_of(tx, now)
            if mark == self._mark:
                return
            number = 1 if self._snapshot is None else self._snapshot.number + 1
            self._snapshot = summarise(tx, now, number=number)
        self._mark = mark

    @staticmethod
    def _mark_of(tx: Transaction, now: datetime) -> _Mark:
        heard_at = readings.heard_at(tx)
        return _Mark(
            entries=last_number(tx),
            freshness=freshness_of(heard_at, now),
            minute=_minute(now),
            heard_minute=None if heard_at is None else _minute(heard_at),
        )

    def incident(self, incident: IncidentId) -> Incident | None:
        """Return a public incident of any age, None if there is none of that id."""
        with self._database.reading() as tx:
            found = readings.incident(tx, incident)
        shown = found is not None and found.audience is Audience.PUBLIC and not found.drill
        return found if shown else None

    def month(self, year: int, month: int) -> Month:
        """Return what happened in one month of the site's zone."""
        with self._database.reading() as tx:
            zone = ZoneInfo(readings.zone(tx))
            first = datetime(year, month, 1, tzinfo=UTC).date()
            following = (first.replace(day=28) + 4 * _DAY).replace(day=1)
            start, end = start_of_day(first, zone), start_of_day(following, zone)
            incidents = readings.incidents_between(tx, start, end, Audience.PUBLIC)
            windows = [
                window
                for window in readings.windows(tx, ending_after=start)
                if window.started_at is not None and window.started_at < end
            ]
        windows.reverse()
        return Month(
            incidents=tuple(incident for incident in incidents if not incident.drill), windows=tuple(windows)
        )

    def response_times(self, server: ServerId) -> tuple[Series, ...]:
        """Return the response times of the checks that look at a server, over the last 24 hours."""
        now = self.clock.now()
        with self._database.reading() as tx:
            fleet = readings.fleet(tx)
            watched = [each for each in fleet.servers if each.id == server] if fleet is not None else []
            numbers = readings.check_numbers(tx)
            return tuple(
                Series(
                    check=plan.key.check,
                    service=plan.service,
                    points=_points(tx, numbers, plan.key, now),
                )
                for each in watched
                for plan in each.checks
                # A report answers nothing; how long its run took is no response time.
                if plan.kind != heartbeat.KIND
            )

    def metrics(self) -> Metrics:
        """Return what a scrape gets: what watch published, and what every reader sees."""
        now = self.clock.now()
        snapshot = self.snapshot()
        with self._database.reading() as tx:
            published = {name: readings.publication(tx, name) for name in (METRICS_TEXT, METRICS_OPENMETRICS)}
            checks = self._checks.text(tx)
            pending = deliveries.pending(tx)
        moments = [each[0] for each in published.values() if each is not None]
        counts = Counts(
            pending=_by_channel({name: backlog.count for name, backlog in pending.items()}),
            uncertain=_by_channel({name: backlog.uncertain for name, backlog in pending.items()}),
            oldest_since=min((backlog.oldest_at for backlog in pending.values()), default=None),
            published_at=min(moments, default=None),
        )
        texts = {name: "" if each is None else each[1] for name, each in published.items()}
        lines = checks + snapshot_lines(snapshot, counts, now)
        return Metrics(
            text=join(texts[METRICS_TEXT], lines, openmetrics=False),
            openmetrics=join(texts[METRICS_OPENMETRICS], lines, openmetrics=True),
        )

    def readiness(self) -> Readiness:
        """Return whether looks are made, recorded and acted upon."""
        now = self.clock.now()
        try:
            with self._database.reading() as tx:
                heard_at = readings.heard_at(tx)
                pending = deliveries.pending(tx)
        except StoreError as error:
            return Readiness(ok=False, problems=(f"the database cannot be read: {error}",))
        problems = [
            *_writer(heard_at, now),
            *_disk(self._database.path.parent),
            *(
                f"a delivery ({channel}) has been waiting since {backlog.oldest_at:%Y-%m-%d %H:%M:%S} UTC"
                for channel, backlog in pending.items()
                if now - backlog.oldest_at > _OLDEST_DELIVERY
            ),
        ]
        return Readiness(ok=not problems, problems=tuple(problems))

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _by_channel(found: Mapping[str, int]) -> Mapping[str, int]:
    counts = Counter[str](dict.fromkeys(Channel, 0))
    for name, count in found.items():
        counts[channel_of(name)] += count
    return counts


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def _points(
    tx: Transaction, numbers: Mapping[CheckKey, int], check: CheckKey, now: datetime
) -> tuple[Point, ...]:
    if check not in numbers:
        return ()
    found = observations.series(tx, numbers[check], now - _DAY, now, Step.FIVE_MINUTES)
    return tuple(Point(moment=one.start, p50_ms=one.p50_ms, p95_ms=one.p95_ms) for one in found)


def _writer(heard_at: datetime | None, now: datetime) -> list[str]:
    if heard_at is None:
        return ["watch has not begun to look"]
    if now - heard_at > _WRITER_SILENT:
        return [f"watch has given no sign of life since {heard_at:%Y-%m-%d %H:%M:%S} UTC"]
    return []


def _disk(folder: Path) -> list[str]:
    usage = disk_usage(folder)
    free = usage.free / usage.total
    return [] if free > _LEAST_FREE else [f"only {free:.1%} of the disk is free"]
