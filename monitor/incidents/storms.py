"""Many incidents at once: who works at the helpdesk is not helped by a ticket for each (pure).

More than ten that are opened within a minute are a storm. The first ten keep their tickets, the eleventh has one that tells of itself and of all
that follow at that pace. What counts is when an incident was opened, never when its ticket is: a backlog is no storm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.identifiers import IncidentId

SPAN = timedelta(seconds=60)
_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An incident that was opened at `at`; `mass` is the incident whose ticket tells of it, None if that is its own alone."""

    id: IncidentId
    at: datetime
    mass: IncidentId | None


def mass_of(before: Sequence[Opening], identity: IncidentId, moment: datetime) -> IncidentId | None:
    """Return the incident whose ticket tells of one that is opened at `moment`, after those `before` it.

    That is itself if it is the first of a mass; None if it has a ticket of its own alone.
    """
    near = [one for one in before if moment - SPAN < one.at <= moment]
    if len(near) < _MOST:
        return None
    return next((one.mass for one in reversed(near) if one.mass is not None), identity)
