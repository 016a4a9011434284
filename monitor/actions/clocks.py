"""The clock of the house leapt: what is kept by moments is carried over to the new time."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.actions.picture import Picture
from monitor.actions.receive import Heartbeat
from monitor.health.clocks import within
from monitor.health.heartbeat import over_leap
from monitor.health.state import Health
from monitor.identifiers import CheckKey
from monitor.leaps import Leap
from monitor.store import deliveries, heartbeats, observations
from monitor.store.database import Transaction


def carry_healths(tx: Transaction, picture: Picture, leap: Leap) -> Mapping[CheckKey, Health]:
    """Return the healths that a leap changes, and store them. What waits to be delivered waits no longer for it.

    A leap forward leaves them as they are: their moments are past ones in either time.
    """
    if leap.entered >= leap.left:
        return {}
    deliveries.bring_forward(tx, leap.left - leap.entered, after=leap.entered)
    found = {key: within(health, leap.entered) for key, health in picture.healths.items()}
    moved = {key: health for key, health in found.items() if health is not picture.healths[key]}
    observations.save_healths(tx, moved.values(), picture.numbers)
    return moved


def carry_heartbeats(
    tx: Transaction, picture: Picture, held: Mapping[CheckKey, Heartbeat], leap: Leap
) -> Mapping[CheckKey, Heartbeat]:
    """Return the heartbeats as they stand after a leap, stored: none is overdue for want of time that never was.

    While we only slept, reports came in and were missing as ever.
    """
    if leap.slept:
        return held
    after = {
        key: each.at(over_leap(each.schedule, each.beat, leap.left, leap.entered))
        for key, each in held.items()
    }
    moved = {key: each for key, each in after.items() if each is not held[key]}
    heartbeats.save(tx, {picture.numbers[key]: each.stored for key, each in moved.items()})
    return after
