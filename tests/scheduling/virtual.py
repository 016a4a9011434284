"""A loop whose time passes at once: waiting moves its clock instead of the test."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any


class VirtualClock:
    """Wall and monotonic time of a virtual loop; the wall can be set, as an administrator or NTP would."""

    def __init__(self) -> None:
        self._monotonic = 5_000.0
        self._wall = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def pass_time(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += timedelta(seconds=seconds)

    def set_wall(self, moment: datetime) -> None:
        self._wall = moment


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self._clock.pass_time(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs hours of timers in seconds; what the loop itself would cost is all that is left."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.monotonic()


def run(clock: VirtualClock, main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(main)
