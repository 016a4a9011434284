"""When a check comes and goes: too many changes between well and failing among its newest looks.

The measure is that of Icinga 2: of the newest 20 looks each change weighs 0.80 (the oldest) to 1.18 (the newest), and the sum
is told as a share of 20. Above 30 % a check flaps, at 25 % or less it has ceased to: six changes in a row begin it (33.9 %), fifteen quiet
looks end it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from monitor.health.state import Health, changed

LOOKS = 20
"""So many looks are remembered, each as one bit: the newest is the lowest."""

LASTING = timedelta(minutes=30)
"""What comes and goes for so long, and has no incident of its own, is a matter for operators."""

_ALL = (1 << LOOKS) - 1
# In hundredths, so that the edges are exact: the sum of the weights over 20 is the share in percent.
_WEIGHTS = tuple(80 + 2 * (LOOKS - 1 - age) for age in range(LOOKS))
_BEGINS_ABOVE, _ENDS_AT = 30 * LOOKS, 25 * LOOKS


def change_share(changes: int) -> float:
    """Return how restless 20 looks were, in percent: 0 for none that changed, 99 for all."""
    return _weight(changes) / LOOKS


def after_look(health: Health, *, well: bool, at: datetime) -> Health:
    """Return the health after a look that began at `at` and told whether the target is well.

    Well means that nobody who uses it would notice: a warning that only the staff cares for is no failure here.
    """
    turned = health.well is not None and health.well is not well
    changes = (health.changes << 1 | turned) & _ALL
    return changed(health, well=well, changes=changes, flapping_since=_since(health, changes, at))


def at_rest(health: Health) -> Health:
    """Return the health with its restlessness forgotten: what was done to it in a window says nothing about later."""
    return changed(health, changes=0, flapping_since=None)


def lasts(health: Health) -> bool:
    """Has it come and gone for so long, as of its newest look, that somebody should see to it?"""
    since, seen = health.flapping_since, health.looked_at
    return since is not None and seen is not None and seen - since >= LASTING


def turned(before: Health, after: Health) -> bool:
    """Did it begin to come and go, or to last, or has it ceased to?"""
    return (before.flapping, lasts(before)) != (after.flapping, lasts(after))


def changes_seen(health: Health) -> int:
    """Return how often the newest 20 looks changed."""
    return health.changes.bit_count()


def _since(health: Health, changes: int, at: datetime) -> datetime | None:
    weight = _weight(changes)
    if health.flapping_since is not None:
        return None if weight <= _ENDS_AT else health.flapping_since
    return at if weight > _BEGINS_ABOVE else None


# Nearly all checks are at rest, or change in one of a few ways.
@lru_cache(maxsize=8192)
def _weight(changes: int) -> int:
    return sum(weight for age, weight in enumerate(_WEIGHTS) if changes >> age & 1)
