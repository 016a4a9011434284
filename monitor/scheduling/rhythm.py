"""The checks of one interval, begun slot by slot on the monotonic clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

from monitor.clock import Clock
from monitor.identifiers import CheckKey
from monitor.scheduling.timetable import (
    COARSEST,
    Timetable,
    grain_of,
    moment_of,
    newest_turn,
    phase,
    tick_at,
    ticks_in,
)

FIRST_ROUND = timedelta(seconds=5)
# A start must not be a storm: above 2,000 checks the first round takes longer than its 5 s.
FIRST_LOOKS_A_SECOND = 400
# A look that would begin later than this tells more about us than about its target.
LATE = timedelta(seconds=5)
# How many intervals are handed over at a time: the next hand-over may be a whole interval late before it is missed.
AHEAD = 3


class Rhythm:
    """Begins each of its checks once an interval, at the check's own phase.

    The calendar hands over a few intervals at a time (`hand_over`). What was handed over is begun by a chain of
    timers on the monotonic clock. When the chain comes to its end and no hand-over has arrived, because the wall clock
    was moved, it hands over to itself and reports a miss: no look waits for the wall clock.

    New checks get a first look soon, spread evenly over `first_round`; their grid begins with the first turn that lies
    at least half an interval later. Settled ones were looked at by somebody else until a moment of the monotonic clock: they have every
    turn after it here, one that passed since at once. `begin` hears the key and the monotonic moment at which the look was due.
    """

    def __init__(
        self,
        every: timedelta,
        *,
        clock: Clock,
        begin: Callable[[CheckKey, float], None],
        on_skip: Callable[[int], None],
        on_miss: Callable[[], None],
    ) -> None:
        self.every = every
        self._clock = clock
        self._begin = begin
        self._on_skip = on_skip
        self._on_miss = on_miss
        self._table = Timetable(every)
        self._ticks = ticks_in(every)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done = 0
        self._handed = 0
        # Checks whose grid has not begun, with the tick until which their turns are left out.
        self._fresh: dict[CheckKey, int] = {}
        self._owed: list[CheckKey] = []

    def __len__(self) -> int:
        return len(self._table)

    def change(
        self,
        *,
        gone: Iterable[CheckKey],
        fresh: Iterable[CheckKey],
        settled: Mapping[CheckKey, float] = MappingProxyType({}),
    ) -> None:
        """Take checks out and bring others in; a fresh one that is already here gets a first look again."""
        self._come_to_the_present()
        for key in gone:
            self._table.remove(key)
            self._fresh.pop(key, None)
        welcome = list(fresh)
        for key in welcome:
            self._table.add(key)
            self._fresh[key] = 0
        for key, until in settled.items():
            self._settle(key, until)
        self._regrain()
        if self._loop is not None:
            self._welcome(welcome)
            self._make_good()
            self._arm()

    def start(self) -> None:
        """Begin, on the running loop, with a first round of every check."""
        self._loop = asyncio.get_running_loop()
        self._done = tick_at(self._clock.monotonic())
        self.hand_over()
        self._welcome([key for key, until in self._fresh.items() if not until])
        self._make_good()
        self._arm()

    def stop(self) -> None:
        """Begin no more looks."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hand_over(self) -> None:
        """Let the looks of the coming intervals begin."""
        self._handed = tick_at(self._clock.monotonic()) + AHEAD * self._ticks

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        following = self._table.following(self._done)
        if following is None or self._loop is None:
            return
        if following >= self._handed:
            self._on_miss()
            self.hand_over()
        delay = moment_of(following) - self._clock.monotonic()
        self._timer = self._loop.call_later(max(0.0, delay), self._wake, following)

    def _wake(self, due: int) -> None:
        """Begin what is due, armed anew first, so that no fault in a look can end the chain."""
        self._timer = None
        now = tick_at(self._clock.monotonic())
        # A timer may fire a moment early: then the armed tick counts as reached.
        since, self._done = self._done + 1, max(due, now)
        self._arm()
        if now - due > ticks_in(LATE):
            self._make_up(since)
            return
        for turn in self._table.turns(since, self._done):
            self._skip(turn.passed)
            if not self._fresh or self._grid_has_begun(turn.key, turn.tick):
                self._begin(turn.key, moment_of(turn.tick))

    def _come_to_the_present(self) -> None:
        """Count the time in which nothing was due as done: what is added now has no turns in it."""
        following, now = self._table.following(self._done), tick_at(self._clock.monotonic())
        self._done = max(self._done, now if following is None else min(now, following - 1))

    def _regrain(self) -> None:
        """Gather or scatter the looks as their number asks for. Each check keeps the turn that it has or had by now."""
        grain = grain_of(self.every, len(self._table))
        if grain == self._table.grain:
            return
        # Every grain divides the coarsest: what lies before its last edge lay there by the old grain as well.
        edge = self._done // COARSEST * COARSEST
        for turn in self._table.turns(edge + 1, self._done):
            self._fresh[turn.key] = max(self._fresh.get(turn.key, 0), edge + COARSEST + 1)
        self._done = edge
        self._table = self._table.regrained(grain)

    def _make_up(self, since: int) -> None:
        """After a long stop of the whole process: one look each, spread out, for what was missed; the rest is skipped."""
        missed = list(self._table.turns(since, self._done))
        self._skip(sum(turn.passed for turn in missed))
        self._welcome([turn.key for turn in missed])

    def _skip(self, looks: int) -> None:
        if looks:
            self._on_skip(looks)

    def _grid_has_begun(self, key: CheckKey, tick: int) -> bool:
        until = self._fresh.get(key)
        if until is None:
            return True
        if tick < until:
            return False
        del self._fresh[key]
        return True

    def _welcome(self, keys: list[CheckKey]) -> None:
        """Give each of these checks a look soon, in the order of their phases, and its grid after that."""
        if self._loop is None or not keys:
            return
        keys.sort(key=lambda key: phase(key, self.every))
        span = ticks_in(first_round(self.every, len(keys)))
        here = tick_at(self._clock.monotonic())
        slots: dict[int, list[CheckKey]] = {}
        for index, key in enumerate(keys):
            tick = here + index * span // len(keys)
            slots.setdefault(tick, []).append(key)
            self._fresh[key] = self._grid_from(tick)
        for tick, together in slots.items():
            # Read anew each time: laying out a large fleet takes longer than a slot.
            now = self._clock.monotonic()
            delay = max(0.0, moment_of(tick) - now)
            self._loop.call_later(delay, self._first_looks, tick, together, now + delay)

    def _first_looks(self, tick: int, keys: list[CheckKey], due: float) -> None:
        for key in keys:
            # Otherwise the check was taken out meanwhile, or its first look was put off.
            if self._loop is not None and self._fresh.get(key) == self._grid_from(tick):
                self._begin(key, due)

    def _settle(self, key: CheckKey, until: float) -> None:
        self._table.add(key)
        newest = newest_turn(key, self.every, self._clock.monotonic())
        # However many slots begin as one: that turn is not theirs and not ours.
        self._fresh[key] = newest + COARSEST + 1
        if newest != newest_turn(key, self.every, until):
            self._owed.append(key)

    def _make_good(self) -> None:
        """Begin the turns of settled checks that passed between two hands, without a storm."""
        owed, self._owed = self._owed, []
        if self._loop is None:
            return
        for index, key in enumerate(owed):
            after = index / FIRST_LOOKS_A_SECOND
            self._loop.call_later(after, self._begin_owed, key, self._clock.monotonic() + after)

    def _begin_owed(self, key: CheckKey, due: float) -> None:
        if self._loop is not None and key in self._table:
            self._begin(key, due)

    def _grid_from(self, tick: int) -> int:
        return tick + self._ticks // 2


def first_round(every: timedelta, checks: int) -> timedelta:
    """Return the span over which the first looks of so many new checks are spread."""
    return min(every, max(FIRST_ROUND, timedelta(seconds=checks / FIRST_LOOKS_A_SECOND)))
