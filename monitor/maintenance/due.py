"""Which windows must move now, and which servers they keep quiet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.identifiers import ServerId
from monitor.maintenance.window import Window, WindowStage

RUNNING = (WindowStage.IN_PROGRESS, WindowStage.VERIFYING)


def moves(windows: Iterable[Window], now: datetime) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """Return the windows that have to start and those that have to be completed, each by its planned time.

    A window that came and went while nobody was there stands in both, so that its life is told in full.
    """
    known = sorted(windows, key=lambda window: (window.starts_at, window.id))
    to_start = tuple(
        window for window in known if window.stage is WindowStage.SCHEDULED and window.starts_at <= now
    )
    to_complete = tuple(
        window for window in known if window.ends_at <= now if window in to_start or window.stage in RUNNING
    )
    return to_start, to_complete


def quiet(windows: Iterable[Window], server: ServerId, moment: datetime) -> Window | None:
    """Return the window that keeps `server` quiet at `moment`; of several the one that ends last (rule M6)."""
    covering = [window for window in windows if server in window.covered and window.covers(moment)]
    return max(covering, key=lambda window: (_end(window), window.id), default=None)


def ending(windows: Iterable[Window], now: datetime, ahead: timedelta) -> frozenset[ServerId]:
    """Return the servers whose quiet time ends within `ahead` from `now`, and not before it."""
    known = tuple(windows)
    near = [one for one in known if one.stage in RUNNING and now < one.ends_at <= now + ahead]
    return frozenset(
        server for window in near for server in window.covered if quiet(known, server, window.ends_at) is None
    )


def spans(windows: Iterable[Window], server: ServerId) -> tuple[tuple[datetime, datetime], ...]:
    """Return when windows keep `server` quiet: disjoint spans in order, overlapping and touching ones made one (M6)."""
    mine = sorted(
        (_start(window), _end(window)) for window in windows if server in window.covered and _counts(window)
    )
    union: list[tuple[datetime, datetime]] = []
    for start, end in mine:
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        elif start < end:
            union.append((start, end))
    return tuple(union)


def quiet_until(windows: Iterable[Window], server: ServerId, moment: datetime) -> datetime | None:
    """Return the newest end, at or before `moment`, of the times in which `server` was kept quiet; None if never."""
    ends = [end for _, end in spans(windows, server) if end <= moment]
    return max(ends, default=None)


def _counts(window: Window) -> bool:
    return window.stage is not WindowStage.CANCELLED or window.started_at is not None


def _start(window: Window) -> datetime:
    return window.started_at or window.starts_at


def _end(window: Window) -> datetime:
    return window.ended_at or window.ends_at
