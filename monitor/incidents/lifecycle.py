"""The life of an incident: which stage may follow which."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.errors import RefusedError
from monitor.incidents.incident import Stage

# A further word in the same stage is always allowed while the incident is open. A resolved incident goes back to
# investigating when it is reopened; what has a postmortem is history.
MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.INVESTIGATING: frozenset({Stage.INVESTIGATING, Stage.IDENTIFIED, Stage.MONITORING, Stage.RESOLVED}),
    Stage.IDENTIFIED: frozenset({Stage.IDENTIFIED, Stage.INVESTIGATING, Stage.MONITORING, Stage.RESOLVED}),
    Stage.MONITORING: frozenset({Stage.MONITORING, Stage.INVESTIGATING, Stage.IDENTIFIED, Stage.RESOLVED}),
    Stage.RESOLVED: frozenset({Stage.INVESTIGATING, Stage.POSTMORTEM}),
    Stage.POSTMORTEM: frozenset(),
}


def may_move(before: Stage, after: Stage) -> bool:
    """May an incident that stands at `before` go on at `after`?"""
    return after in MOVES[before]


def require_move(before: Stage, after: Stage) -> None:
    """Raise RefusedError, naming what is allowed, unless an incident may go from `before` to `after`."""
    if may_move(before, after):
        return
    allowed = ", ".join(stage for stage in Stage if stage in MOVES[before]) or "nothing: it is history"
    raise RefusedError(f"an incident that is {before} cannot become {after}; allowed: {allowed}")
