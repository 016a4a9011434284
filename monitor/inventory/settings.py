"""What the configuration says about our own running, as values; what is watched is the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path

from pydantic import SecretStr

from monitor.checks.policy import TargetPolicy
from monitor.fleet import Fleet
from monitor.identifiers import ServerId
from monitor.inventory.references import Secrets
from monitor.tickets.port import HelpdeskOptions
from monitor.tickets.priorities import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long measurements are kept; sums of days stay for ever."""

    observations: timedelta
    five_minutes: timedelta
    hours: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverChoice:
    """The name servers to ask, each an address or `address:port`, and a name that always exists."""

    servers: tuple[str, ...]
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """A drill every day `at` a time of the site's zone, about one server; operators are told when none has gone well for `warn_after`."""

    server: ServerId
    at: time
    lasts: timedelta
    warn_after: timedelta
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How we run. `resolver` is None for the system's; `data` counts from the folder in which we were started.

    `helpdesk` holds the options of the kind `helpdesk_kind`, its references filled. `sentinels` are validated and
    otherwise as written. `heads` are the Apprise URLs of those who answer for a department, by its id. `probers` is how many processes look, None to decide by what is planned.
    """

    listen_host: str
    listen_port: int
    data: Path
    keep: Keep
    helpdesk_kind: str
    helpdesk: HelpdeskOptions
    probers: int | None = None
    resolver: ResolverChoice | None = None
    operators: tuple[SecretStr, ...] = ()
    heads: Mapping[str, SecretStr] = field(default_factory=dict)
    targets: TargetPolicy = field(default_factory=TargetPolicy)
    sentinels: tuple[Mapping[str, object], ...] = field(default=())
    drill: DrillPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A file that was found to be right: what is watched, how we run, and the secrets that both refer to.

    `digest` is the SHA-256 of the file's bytes, in hexadecimal.
    """

    fleet: Fleet
    settings: Settings
    path: Path
    digest: str
    secrets: Secrets
