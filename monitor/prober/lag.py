"""How late our own loop has been: a look that ran while we slept says nothing about its target (rule D1)."""

from __future__ import annotations

import asyncio
from collections import deque

_BEAT = 0.25
LATE_S = 5.0
"""A loop that stood still for longer spoils every look that was under way."""
# Stalls are remembered longer than any look lasts.
_REMEMBERED = 64


class LagWatch:
    """Beats four times a second and remembers when a beat came late."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._stalls: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def start(self) -> None:
        """Begin to watch the running loop; once is enough."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._schedule(self._loop)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None

    def worst_since(self, moment: float) -> float:
        """Return the longest stall in seconds that ended after `moment` of the loop's clock, one still unfelt included."""
        if self._loop is None:
            return 0.0
        felt = [lasted for ended, lasted in self._stalls if ended >= moment]
        return max(0.0, self._loop.time() - self._due, *felt)

    def stalls_since(self, moment: float, longer_than: float) -> int:
        """Return how often the loop stood still for more than so many seconds since `moment` of its clock."""
        return sum(ended >= moment and lasted > longer_than for ended, lasted in self._stalls)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _BEAT
        self._timer = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self._due
        if late > _BEAT:
            self._stalls.append((loop.time(), late))
        self._schedule(loop)
