"""An operator's word: what is shown of a server instead of what its checks say (rule D12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.rollup import ORDER, Judged
from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId

LONGEST = timedelta(hours=24)
"""An operator's word expires: nobody remembers for longer why it was given."""

# These say something of all that a server does; a fault in part leaves it open what is hit.
_OF_THE_WHOLE = (Status.OPERATIONAL, Status.MAJOR_OUTAGE, Status.UNDER_MAINTENANCE, Status.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """The status that an operator wants shown of a server, from `since` to `until`, and why.

    `released_at` is when it ended, None while it holds: it ends with an entry and not with the clock.
    """

    server: ServerId
    status: Status
    reason: str
    author: str
    since: datetime
    until: datetime
    released_at: datetime | None = None

    @property
    def holds(self) -> bool:
        """Is it in force?"""
        return self.released_at is None


def shown(seen: Judged, force: Force | None) -> Judged:
    """Return what is shown of a server whose checks say `seen`: an operator's word that holds comes before all else."""
    if force is None or not force.holds:
        return seen
    return Judged(status=force.status, services=_services(seen.services, force.status), because=Why.FORCED)


def keeps_quiet(force: Force | None) -> bool:
    """Does an operator say that all is well, so that what fails opens no incident?"""
    return force is not None and force.holds and force.status is Status.OPERATIONAL


def _services(seen: Mapping[Service, Status], status: Status) -> Mapping[Service, Status]:
    """No service looks worse than its server, and all of them look like one that is well, out, or not to be judged."""
    if status in _OF_THE_WHOLE:
        return dict.fromkeys(seen, status)
    return {service: min(held, status, key=ORDER.index) for service, held in seen.items()}
