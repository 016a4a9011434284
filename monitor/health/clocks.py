"""What becomes of moments that are kept when the clock is set back: none of them may lie in the future. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.health.state import Doubt, Health


def within(health: Health, moment: datetime) -> Health:
    """Return the health without a moment later than `moment`: what came later by the old clock is as old as the new one allows."""
    if health.looked_at is None or health.looked_at <= moment:
        return health
    return replace(
        health,
        looked_at=moment,
        since=_at_latest(health.since, moment),
        streak_since=_at_latest(health.streak_since, moment),
        last_ok_at=_at_latest(health.last_ok_at, moment),
        unknown_since=_at_latest(health.unknown_since, moment),
        flapping_since=_at_latest(health.flapping_since, moment),
        doubts=tuple(Doubt(level=doubt.level, at=min(doubt.at, moment)) for doubt in health.doubts),
    )


def _at_latest(at: datetime | None, moment: datetime) -> datetime | None:
    return None if at is None else min(at, moment)
