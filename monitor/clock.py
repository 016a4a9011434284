"""The one reader of wall time, and the one source of chance for names."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from monitor.identifiers import ENTROPY_BYTES, ulid
from monitor.leaps import Leap, Leaps


class Clock(Protocol):
    """Where moments come from; read once per action, the moment is then handed down."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never step, for durations and rhythms only."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        return time.monotonic()


EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows a time before this program was written: one that does is not believed however long it stands."""

STEP = timedelta(seconds=1)
"""Clocks that part by more than this were stepped; less is how they are kept right."""

LARGE = timedelta(seconds=60)
STANDING = timedelta(seconds=60)
"""A step of more than `LARGE` is believed once it has stood for so long: a clock that is put right again at once leaves no trace."""


class HouseClock:
    """The wall clock as the house goes by it: the machine's, but one that is stepped far is not believed before it has stood.

    Until then the house goes on at its old pace. May be called from any thread. `on_leap` hears each step that is believed, on the
    thread that noticed it, which may be in the middle of a transaction.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wall, self._monotonic = clock.now(), clock.monotonic()
        self._ahead: timedelta = timedelta(0)
        self._parted: tuple[timedelta, float] | None = None
        self._leaps = Leaps()
        self.on_leap: Callable[[Leap], None] = lambda _leap: None
        if self._wall < EARLIEST:
            self._wall, self._ahead = EARLIEST, EARLIEST - self._wall

    @property
    def leaps(self) -> Leaps:
        """The newest leaps."""
        return self._leaps

    @property
    def ahead(self) -> timedelta:
        """How far the house's time is ahead of the machine's wall clock; zero unless that one is not believed at present."""
        return self._ahead

    def now(self) -> datetime:
        leap = None
        with self._lock:
            wall, monotonic = self._clock.now(), self._clock.monotonic()
            expected = self._wall + timedelta(seconds=monotonic - self._monotonic)
            parted = wall - expected
            if self._is_believed(wall, parted, monotonic):
                if abs(parted) > STEP:
                    leap = Leap(expected, wall)
                    self._leaps = self._leaps.and_then(leap)
                expected, self._ahead, self._parted = wall, timedelta(0), None
            else:
                self._ahead = -parted
            self._wall, self._monotonic = expected, monotonic
        if leap is not None:
            self.on_leap(leap)
        return expected

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def lived(self, since: datetime, until: datetime) -> timedelta:
        """Return how long we were there between two moments of this clock (`Leaps.lived`)."""
        return self._leaps.lived(since, until)

    def wall(self) -> datetime:
        """Return what the machine's wall clock shows, believed or not: other processes go by it."""
        return self._clock.now()

    def dated(self, moment: datetime, now: datetime) -> datetime:
        """Return a moment of the machine's wall clock as the house's, at the latest `now`."""
        return min(moment + self._ahead, now)

    def note(self, leap: Leap) -> None:
        """Learn of time that passed without us: before this process began, or while it stood still."""
        with self._lock:
            self._leaps = self._leaps.and_then(leap)

    def go_on_from(self, moment: datetime) -> None:
        """Begin no earlier than `moment`, if the machine's clock shows a time that cannot be."""
        with self._lock:
            if self._ahead and moment > self._wall:
                self._ahead += moment - self._wall
                self._wall = moment

    def _is_believed(self, wall: datetime, parted: timedelta, monotonic: float) -> bool:
        """Is the wall clock to be followed: does it go on as it should, or was it stepped by little, or long enough ago?"""
        if wall < EARLIEST:
            self._parted = None
            return False
        if abs(parted) <= LARGE:
            return True
        if self._parted is None or abs(self._parted[0] - parted) > LARGE:
            self._parted = (parted, monotonic)
        return monotonic - self._parted[1] >= STANDING.total_seconds()


def fresh_ulid(moment: datetime) -> str:
    """Return a new name that sorts by `moment` and is never drawn twice."""
    return ulid(moment, secrets.token_bytes(ENTROPY_BYTES))
