"""What the showing side reads beside the snapshot: months, response times, metrics, readiness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.health.words import Service
from monitor.incidents.incident import Incident
from monitor.maintenance.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What happened in one month of the site's zone: public incidents and windows that touch it, newest first."""

    incidents: tuple[Incident, ...]
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The response times of one stretch of looks, in milliseconds; None where no look succeeded."""

    moment: datetime
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """How fast one check answered over the last 24 hours, oldest point first."""

    check: str
    service: Service
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The same samples in the two forms that scrapers ask for: text 0.0.4, and OpenMetrics 1.0 with its `# EOF`."""

    text: str
    openmetrics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Is the service fit to be relied on? `problems` says in plain words why not."""

    ok: bool
    problems: tuple[str, ...] = ()
