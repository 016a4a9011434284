"""How one sample looks in text, and which families of samples we write by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A gauge: its name and what it tells. Both text formats write gauges alike, so one text serves both."""

    name: str
    tells: str

    @property
    def head(self) -> str:
        """The two lines that stand before the samples."""
        return f"# HELP {self.name} {self.tells}\n# TYPE {self.name} gauge\n"


CHECK_UP = Family(
    name="vigia_check_up",
    tells="Whether the check is held to be up (1) or confirmed down (0); absent before that is known.",
)
CHECK_STATE = Family(
    name="vigia_check_state", tells="The state of the check: 1 for the present one, 0 for the others."
)
CHECK_FLAPPING = Family(
    name="vigia_check_flapping",
    tells="1 for a check that comes and goes too often to be called well or failing; absent for the others.",
)
PROBE_DURATION = Family(
    name="vigia_probe_duration_seconds", tells="How long each phase of the newest look took, in seconds."
)
TLS_EXPIRY = Family(
    name="vigia_tls_expiry_timestamp_seconds",
    tells="When the certificate that was met last ends, in Unix time.",
)
MEASURE = Family(
    name="vigia_measure",
    tells="Figures that the newest look took beside its times, by name and base unit.",
)
SERVER_STATUS = Family(
    name="vigia_server_status",
    tells="The status that the page shows: 1 for the present one, 0 for the others.",
)
INCIDENTS_OPEN = Family(name="vigia_incidents_open", tells="Open public incidents by impact.")
WINDOWS_ACTIVE = Family(name="vigia_windows_active", tells="Maintenance windows in progress.")
DELIVERIES_PENDING = Family(
    name="vigia_deliveries_pending",
    tells="Messages to helpdesk and people that are not confirmed yet, by kind.",
)
DELIVERIES_UNCERTAIN = Family(
    name="vigia_deliveries_uncertain",
    tells="Those of them of which nobody knows whether they arrived, by kind.",
)
DELIVERY_OLDEST = Family(
    name="vigia_delivery_oldest_seconds",
    tells="How long the oldest unconfirmed message has waited; 0 when none waits.",
)
WATCH_HEARD = Family(
    name="vigia_watch_heard_timestamp_seconds",
    tells="When the watching process last gave a sign of life, in Unix time.",
)
PUBLISHED = Family(
    name="vigia_published_timestamp_seconds",
    tells="When the watching process last published its own figures, in Unix time.",
)

TICKETS_UNANSWERED = Family(
    name="vigia_tickets_unanswered",
    tells="Tickets that wait for the first answer of a person, by department.",
)
ANSWER_TIME = Family(
    name="vigia_ticket_answer_seconds",
    tells="How long a department takes to answer on average, in seconds of its service hours; absent without an answer.",
)

CHECK_FAMILIES = (CHECK_UP, CHECK_STATE, CHECK_FLAPPING, PROBE_DURATION, TLS_EXPIRY, MEASURE)
SNAPSHOT_FAMILIES = (
    SERVER_STATUS,
    INCIDENTS_OPEN,
    WINDOWS_ACTIVE,
    DELIVERIES_PENDING,
    DELIVERIES_UNCERTAIN,
    DELIVERY_OLDEST,
    WATCH_HEARD,
    PUBLISHED,
    TICKETS_UNANSWERED,
    ANSWER_TIME,
)

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def labels(**values: str) -> str:
    """Return labels as they stand between the braces, escaped, in the order given."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items())


def number(value: float) -> str:
    """Return a figure without needless digits: to the microsecond for durations, whole where it is whole."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def block(family: Family, samples: Iterable[tuple[str, float]]) -> str:
    """Return a family with its samples, each with its labels ("" for none)."""
    rows = (
        f"{family.name}{{{held}}} {number(value)}\n" if held else f"{family.name} {number(value)}\n"
        for held, value in samples
    )
    return family.head + "".join(rows)
