"""What watch holds in its head between two transactions: the fleet, and the health of every check."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.actions.suspense import Suspense
from monitor.fleet import CheckPlan, Fleet, Server
from monitor.fleet.lineage import Lineage, lineage_of
from monitor.health.rollup import Standing, standing
from monitor.health.state import Health
from monitor.health.view import Insight
from monitor.identifiers import CheckKey, ServerId
from monitor.leaps import Leaps
from monitor.observation import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The fleet by its keys, the numbers of its checks, and their healths, which move on after each commit.

    They are changed where they are: a fleet of thousands is not copied for a few looks. `stale` are the checks of which what we know is
    too old, each with whether it has been so for long; `insight` is what is believed of ourselves, None before anything is.

    `leaps` are those of the clock: elapsed time is told by them. While `learning`, after the first start, nothing is opened
    (rule D14). `quiet_until` tells of servers when a window ended for them lately: what began to look before that says nothing about afterwards.
    """

    fleet: Fleet
    servers: Mapping[ServerId, Server]
    plans: Mapping[CheckKey, CheckPlan]
    numbers: Mapping[CheckKey, int]
    healths: MutableMapping[CheckKey, Health]
    quiet_until: Mapping[ServerId, datetime] = field(default_factory=dict)
    stale: Mapping[CheckKey, bool] = field(default_factory=dict)
    insight: Insight | None = None
    leaps: Leaps = field(default_factory=Leaps)
    learning: bool = False
    lineage: Lineage = field(default_factory=Lineage)
    suspense: Suspense = field(default_factory=Suspense)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which people read the site's times."""
        return ZoneInfo(self.fleet.site.timezone)

    def health(self, key: CheckKey) -> Health:
        """Return a check's health; of one that was never looked at nothing is known."""
        known = self.healths.get(key)
        if known is not None:
            return known
        return Health(check=self.plans[key].key if key in self.plans else key)

    def heard(self, healths: Mapping[CheckKey, Health]) -> Picture:
        """Return the picture in which what just told us something is not stale any more."""
        if not self.stale:
            return self
        told = {key for key, health in healths.items() if health.outcome is not Outcome.UNKNOWN}
        return replace(self, stale={key: long for key, long in self.stale.items() if key not in told})

    def standings(self, server: Server, changed: Mapping[CheckKey, Health]) -> tuple[Standing, ...]:
        """Return how a server's checks stand, `changed` taking precedence over what is held."""
        return tuple(
            standing(
                changed.get(plan.key) or self.health(plan.key),
                impact=plan.impact,
                service=plan.service,
                kind=plan.kind,
                is_stale=plan.key in self.stale,
            )
            for plan in server.checks
        )


def picture_of(fleet: Fleet, numbers: Mapping[CheckKey, int], healths: Mapping[CheckKey, Health]) -> Picture:
    """Return the picture of a fleet; healths of checks that it does not have are left out."""
    plans = {plan.key: plan for plan in fleet.checks()}
    return Picture(
        fleet=fleet,
        servers={server.id: server for server in fleet.servers},
        plans=plans,
        # Under the key that the plan holds already, for fifty thousand keys are megabytes.
        numbers={plans[key].key if key in plans else key: number for key, number in numbers.items()},
        healths={plans[key].key: health for key, health in healths.items() if key in plans},
        lineage=lineage_of(fleet.servers),
    )
