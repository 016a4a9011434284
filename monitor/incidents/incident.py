"""An incident as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.identifiers import CheckKey, IncidentId, ServerId, UpdateId
from monitor.observation import Cause, Outcome


class Stage(StrEnum):
    """Where an incident stands; Statuspage's words."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"


class Impact(StrEnum):
    """How bad an incident is for customers; ordered by `severity`."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def severity(self) -> int:
        """0 for none to 3 for critical."""
        return list(Impact).index(self)


class Audience(StrEnum):
    """Who is told: everybody, or only operators (our own troubles)."""

    PUBLIC = "public"
    OPERATORS = "operators"


class Trouble(StrEnum):
    """A trouble of our own; each has at most one open incident.

    Checks that tell nothing by our fault, a view that is blocked, name servers that do not answer, a loop that stands still, checks of
    which what we know is too old, drills that do not go well, a helpdesk that is not
    fit to be given tickets.
    """

    BLIND = "blind"
    ISOLATED = "isolated"
    RESOLVER = "resolver"
    LATE = "late"
    STALE = "stale"
    HELPDESK = "helpdesk"
    DRILL = "drill"


class Origin(StrEnum):
    """Who opened it: our own looks, or a person."""

    DETECTED = "detected"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One published word on an incident; its wording never changes later. `author` is `vigia` or a person."""

    id: UpdateId
    stage: Stage
    text: Mapping[str, str]
    at: datetime
    author: str = "vigia"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """An operator has the incident in hand: operators hear no more of it until `until`, or its end if that is None (rule D13)."""

    author: str
    at: datetime
    until: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Is it still in force at `moment`?"""
        return self.until is None or moment < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """An operator withdrew the incident: it was a false alarm, for a reason that customers read."""

    author: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvidence:
    """What a technician wants to know of one failing check; private, never shown to customers.

    `via` names the places that redirects led to, in order; `address` belongs to the last of them.
    """

    check: CheckKey
    kind: str
    outcome: Outcome
    cause: Cause | None
    found: str
    failing_since: datetime
    last_ok_at: datetime | None
    looked_at: datetime
    took_ms: float
    address: str | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    excerpt: str = ""
    reproduce: str = ""
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What customers, or only operators, are told about one problem.

    `started_at` is the first failing look and `ended_at` the first good one; `opened_at` and `resolved_at` are the
    moments of our own entries. `monitoring_since` counts towards `resolve_after`; it is None in other stages.
    `checks` are all that ever joined, `updates` stand oldest first. `unreachable` are servers behind those of the incident that
    nobody could judge meanwhile, `back` those of its servers that are told to be well again. `acknowledged` ends with the incident, `retracted` stays.
    `unstable_at` is when it was told last that the failure comes and goes; None while it does not. `mass` is the incident whose ticket tells
    of this one because too many were opened at once, itself if it is the first of them; None if its ticket tells of nothing else.
    `wants_ticket` tells that the operator who opened it asked for one. A `drill` ends by `drill_until` at the latest.
    """

    id: IncidentId
    title: Mapping[str, str]
    stage: Stage
    impact: Impact
    servers: tuple[ServerId, ...]
    checks: tuple[CheckKey, ...]
    started_at: datetime
    opened_at: datetime
    ended_at: datetime | None = None
    resolved_at: datetime | None = None
    monitoring_since: datetime | None = None
    audience: Audience = Audience.PUBLIC
    trouble: Trouble | None = None
    origin: Origin = Origin.DETECTED
    drill: bool = False
    updates: tuple[Update, ...] = ()
    unreachable: tuple[ServerId, ...] = ()
    back: tuple[ServerId, ...] = ()
    acknowledged: Acknowledgement | None = None
    retracted: Retraction | None = None
    unstable_at: datetime | None = None
    mass: IncidentId | None = None
    wants_ticket: bool = False
    drill_until: datetime | None = None

    @property
    def ticketed(self) -> IncidentId:
        """The incident under whose reference the ticket is that tells of this one: itself, or the first of a mass."""
        return self.mass or self.id

    @property
    def concerned(self) -> tuple[ServerId, ...]:
        """Every server that it names: those that fail or failed, then those that could not be judged behind them."""
        return tuple(dict.fromkeys((*self.servers, *self.unreachable)))

    @property
    def open(self) -> bool:
        """Not yet resolved."""
        return self.stage not in (Stage.RESOLVED, Stage.POSTMORTEM)

    @property
    def seen_well(self) -> bool:
        """Have our own looks found everything well again, so that it is only watched? What a person says of it is no look."""
        return self.origin is Origin.DETECTED and self.stage is Stage.MONITORING
