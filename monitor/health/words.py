"""The words of health: states of a check, statuses of a server, what a check's failure means."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A check's state. `up`, `degraded` and `down` are confirmed; `suspect` and `recovering` are on the way.

    `unknown` means that no look has told us anything yet.
    """

    UNKNOWN = "unknown"
    UP = "up"
    SUSPECT = "suspect"
    DEGRADED = "degraded"
    DOWN = "down"
    RECOVERING = "recovering"


class Status(StrEnum):
    """What customers read about a server, a service or a group; Statuspage's words, and `unknown`."""

    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    UNDER_MAINTENANCE = "under_maintenance"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why a server's status is not simply what its own checks say."""

    UNREACHABLE = "unreachable"
    ISOLATED = "isolated"
    STALE = "stale"
    FLAPPING = "flapping"
    FORCED = "forced"
    RECHECKING = "rechecking"


class CheckImpact(StrEnum):
    """What the failure of a check means for its server."""

    OUTAGE = "outage"
    DEGRADED = "degraded"
    NONE = "none"


class Service(StrEnum):
    """What customers get from a server."""

    WEB = "web"
    MAIL = "mail"
    PANEL = "panel"
    DATABASES = "databases"
    FILES = "files"
    NAMES = "names"
    NETWORK = "network"


class Indicator(StrEnum):
    """The state of the whole page, in Statuspage's words."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"
