"""When a check tells us nothing: its looks fail by our own fault, one after the other."""

from __future__ import annotations

from datetime import datetime

from monitor.health.state import Health, changed
from monitor.observation import Cause

BLIND_AFTER = 5
"""So many unknown looks in a row make a check blind: one or two are a hiccup of ours and tell nobody anything."""


def is_blind(health: Health) -> bool:
    """Have the newest looks all failed by our own fault, often enough for operators to be told?"""
    return health.unknowns >= BLIND_AFTER


def after_unknown(health: Health, at: datetime) -> Health:
    """Return the health after a look at `at` that told us nothing; the count stops where it has said enough.

    A look that our blocked view hid does not count: that is told as a trouble of its own.
    """
    blocked = health.cause is Cause.ISOLATED
    return changed(
        health,
        unknowns=health.unknowns if blocked else min(health.unknowns + 1, BLIND_AFTER),
        unknown_since=health.unknown_since or at,
    )
