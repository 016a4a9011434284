"""Apply the inventory, and note that somebody began to look."""

from __future__ import annotations

from datetime import datetime

from monitor.actions.append import append
from monitor.fleet import Fleet
from monitor.journal.entries import Entry, InventoryApplied, Kind, WatchStarted
from monitor.store import observations, readings
from monitor.store.database import Transaction


def apply(tx: Transaction, fleet: Fleet, moment: datetime) -> bool:
    """Make `fleet` the one that is watched; return False when it is that already, and nothing was written."""
    before = readings.fleet(tx)
    if before == fleet:
        return False
    body = InventoryApplied(fleet=fleet)
    append(tx, (Entry(kind=Kind.INVENTORY_APPLIED, moment=moment, subject="fleet", body=body),), moment)
    if before is not None:
        _forget_others(tx, before, fleet)
    return True


def _forget_others(tx: Transaction, before: Fleet, fleet: Fleet) -> None:
    """Drop what checks remember that look at something else from now on: one host's key says nothing about another's."""
    looked_at = {plan.key: (plan.kind, plan.options) for plan in fleet.checks()}
    changed = {plan.key for plan in before.checks() if looked_at.get(plan.key) != (plan.kind, plan.options)}
    observations.forget(tx, [number for key, number in readings.check_numbers(tx).items() if key in changed])


def begin(tx: Transaction, boot: str, moment: datetime) -> None:
    """Note that watch looks from now on: since its last sign of life nobody did, and that time is no data."""
    heard = readings.heard_at(tx)
    # A sign of life from the future is a fault of the clock, and no blindness.
    blind_since = heard if heard is not None and heard < moment else None
    body = WatchStarted(boot=boot, blind_since=blind_since, learning=readings.is_learning(tx))
    append(tx, (Entry(kind=Kind.WATCH_STARTED, moment=moment, subject="watch", body=body),), moment)
