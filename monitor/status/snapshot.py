"""The snapshot as a value: everything that a public reader may see, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from monitor.fleet import Department, Site
from monitor.health.words import Indicator, Service, State, Status, Why
from monitor.identifiers import GroupId, IncidentId, ServerId
from monitor.incidents.incident import Incident
from monitor.maintenance.window import Window
from monitor.observation import Cause, Outcome
from monitor.status.support import SupportView

STALE_AFTER = timedelta(seconds=90)
GREY_AFTER = timedelta(minutes=5)
HISTORY_DAYS = 90


class Freshness(StrEnum):
    """How far the picture can be trusted, by the age of watch's last sign of life."""

    FRESH = "fresh"
    STALE = "stale"
    GREY = "grey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of one server in the site's zone, in whole seconds; `worst` is None when nobody looked at all."""

    date: date
    worst: Status | None
    down_s: int = 0
    degraded_s: int = 0
    maintenance_s: int = 0
    no_data_s: int = 0
    incidents: tuple[IncidentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check as `status --json` and the API show it; the page shows only its service."""

    id: str
    kind: str
    service: Service
    state: State
    outcome: Outcome | None
    cause: Cause | None
    took_ms: float | None
    checked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """One server. `status` is what is shown: maintenance and grey already applied; `last_known` is the last status that was judged.
    `because` tells why the judged one is not simply what its checks say.

    `uptime` is the share of the last 90 days by the published formula, 0.0 to 1.0; None without data.
    `days` holds 90 days, oldest first.
    """

    id: ServerId
    name: str
    group: GroupId
    status: Status
    last_known: Status
    since: datetime | None
    services: Mapping[Service, Status]
    checks: tuple[CheckView, ...]
    days: tuple[Day, ...]
    uptime: float | None
    description: Mapping[str, str]
    because: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group with the worst status of its servers."""

    id: GroupId
    name: Mapping[str, str]
    status: Status
    servers: tuple[ServerView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The present in one value.

    `number` grows with every change that a reader could see. `heard_at` is watch's last sign of life, None before the
    first. `open_incidents` and `recent_incidents` (resolved, newest first, 90 days) are public ones only; windows that
    are cancelled or over are left out, `past_windows` are those completed within 90 days, newest first. Since `blocked_since` our own
    view is blocked, and what is shown is the last known state; None while we see.
    """

    number: int
    generated_at: datetime
    heard_at: datetime | None
    freshness: Freshness
    site: Site
    indicator: Indicator
    groups: tuple[GroupView, ...]
    open_incidents: tuple[Incident, ...]
    recent_incidents: tuple[Incident, ...]
    active_windows: tuple[Window, ...]
    upcoming_windows: tuple[Window, ...]
    past_windows: tuple[Window, ...]
    departments: tuple[Department, ...]
    demo: bool = False
    blocked_since: datetime | None = None
    support: SupportView | None = None

    def servers(self) -> tuple[ServerView, ...]:
        """Return every server of every group, in the order of the page."""
        return tuple(server for group in self.groups for server in group.servers)
