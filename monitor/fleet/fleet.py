"""What is watched, as it was applied. The journal carries a whole fleet as one entry, secrets as references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from monitor.errors import NotFoundError
from monitor.health.state import Policy
from monitor.health.words import CheckImpact, Service
from monitor.identifiers import CheckKey, GroupId, ServerId
from monitor.support.hours import Hours
from monitor.support.reach import Support


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The page: its name, its address for absolute links, its zone, its languages (the first is the default).

    `metrics_networks` may read `/metrics` beside this machine; `demo` has the page say that its past is made up.
    """

    name: str
    url: str
    timezone: str = "UTC"
    languages: tuple[str, ...] = ("es", "en")
    metrics_networks: tuple[str, ...] = ()
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Servers that customers know together."""

    id: GroupId
    name: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """One way to look at a server, with everything defaulted that the file left out.

    `options` are the options of the kind, JSON-like, validated by the kind's own model; the value is opaque here. Secrets
    in them are references (`${NAME}`, `file:PATH`), resolved only where the look is made.
    """

    key: CheckKey
    kind: str
    options: Mapping[str, Any]
    every: timedelta
    timeout: timedelta
    policy: Policy
    impact: CheckImpact = CheckImpact.OUTAGE
    service: Service = Service.NETWORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What customers know by name: a machine or a named service."""

    id: ServerId
    name: str
    group: GroupId
    checks: tuple[CheckPlan, ...]
    resolve_after: timedelta
    reopen_within: timedelta
    host: str = ""
    addresses: tuple[str, ...] = ()
    depends_on: tuple[ServerId, ...] = ()
    plans: tuple[str, ...] = ()
    description: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWindow:
    """A window kept as code: a rule, or one start, in the site's zone."""

    id: str
    servers: tuple[ServerId, ...]
    lasts: timedelta
    title: Mapping[str, str]
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A department of the helpdesk that customers know by name. Without `hours` of its own those of all hold."""

    id: str
    name: Mapping[str, str]
    email: str = ""
    hours: Hours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that is watched, in the order of the file."""

    site: Site
    groups: tuple[Group, ...]
    servers: tuple[Server, ...]
    windows: tuple[PlannedWindow, ...] = ()
    departments: tuple[Department, ...] = ()
    support: Support = field(default_factory=Support)

    def server(self, server: ServerId) -> Server:
        """Return one server; an unknown id raises NotFoundError."""
        for candidate in self.servers:
            if candidate.id == server:
                return candidate
        raise NotFoundError(f"there is no server {server!r}")

    def behind(self, servers: Iterable[ServerId]) -> frozenset[ServerId]:
        """Return the other servers that depend on any of `servers`, directly or through others."""
        first = frozenset(servers)
        found, nearest = first, first
        while nearest:
            nearest = frozenset(one.id for one in self.servers if nearest & {*one.depends_on}) - found
            found |= nearest
        return found - first

    def checks(self) -> tuple[CheckPlan, ...]:
        """Return every check of every server."""
        return tuple(plan for server in self.servers for plan in server.checks)
