"""When to look, and when to keep house: rhythms for the checks, calendars for the rest."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from monitor.clock import Clock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.scheduling.calendars import Calendars, Daily, Every, Job
from monitor.scheduling.rhythm import Rhythm

GUARD = timedelta(seconds=1)
ASLEEP = timedelta(seconds=30)
STEP = timedelta(seconds=1)


def _ignore(_: object) -> None:
    """Hear nothing."""


class Scheduler:
    """Begins every look in its slot, and runs the jobs of the house.

    All methods are called on the thread of the loop. `begin` starts a look and returns at once; it hears the check
    and the monotonic moment at which the look was due. `on_fault` hears one line about our own trouble, `on_skip`
    how many looks will never be made because we slept through them, `on_miss` the name of a job that could not
    run when it was due, `on_sleep` for how long the whole process stood still.
    """

    def __init__(
        self,
        clock: Clock,
        begin: Callable[[CheckKey, float], object],
        on_fault: Callable[[str], None] = _ignore,
        *,
        on_skip: Callable[[int], None] = _ignore,
        on_miss: Callable[[str], None] = _ignore,
        on_sleep: Callable[[timedelta], None] = _ignore,
    ) -> None:
        self._clock = clock
        self._start_look = begin
        self._on_fault = on_fault
        self._on_skip = on_skip
        self._on_miss = on_miss
        self._on_sleep = on_sleep
        self._calendars = Calendars(on_miss=on_miss, on_fault=on_fault)
        self._plans: dict[CheckKey, CheckPlan] = {}
        self._rhythms: dict[timedelta, Rhythm] = {}
        self._agains: dict[CheckKey, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._wall = clock.now()
        self._guarded_at = self._monotonic = clock.monotonic()

    def start(self) -> None:
        """Begin, on the running loop: a first look of every check within 5 s, then the grid."""
        self._loop = asyncio.get_running_loop()
        self._calendars.start()
        for rhythm in self._rhythms.values():
            rhythm.start()
        self._note_clocks()
        self._guarded_at = self._monotonic
        self._watch_clocks()

    async def stop(self) -> None:
        """Begin nothing any more; jobs under way get 5 s to end."""
        self._loop = None
        for timer in (*self._agains.values(), *([self._guard] if self._guard else ())):
            timer.cancel()
        self._agains.clear()
        for rhythm in self._rhythms.values():
            rhythm.stop()
        await self._calendars.stop()

    def replace(
        self, plans: Iterable[CheckPlan], settled: Mapping[CheckKey, float] = MappingProxyType({})
    ) -> None:
        """Watch exactly these checks from now on.

        A check whose plan is untouched keeps its turns. A new or changed one is looked at within seconds, unless it is `settled`:
        then another process took its turns until that moment of the monotonic clock, and it has all later ones here. Its phase
        depends on its name and interval alone.
        """
        wanted = {plan.key: plan for plan in plans}
        gone: dict[timedelta, list[CheckKey]] = defaultdict(list)
        fresh: dict[timedelta, list[CheckKey]] = defaultdict(list)
        kept: dict[timedelta, dict[CheckKey, float]] = defaultdict(dict)
        for key, plan in self._plans.items():
            if key not in wanted or wanted[key].every != plan.every:
                gone[plan.every].append(key)
                self._forget_again(key)
        for key, plan in wanted.items():
            if self._plans.get(key) == plan:
                continue
            if key in settled:
                kept[plan.every][key] = settled[key]
            else:
                fresh[plan.every].append(key)
        self._plans = wanted
        for every in {**gone, **fresh, **kept}:
            rhythm = self._rhythms.get(every) or self._open_rhythm(every)
            rhythm.change(gone=gone[every], fresh=fresh[every], settled=kept[every])
            self._close_if_empty(rhythm)

    def again(self, key: CheckKey, after: timedelta) -> None:
        """Look at a check once more `after` this moment, besides its grid; replaces an earlier wish for it.

        A check that is not watched (any more) is left alone.
        """
        self._forget_again(key)
        if self._loop is None or key not in self._plans:
            return
        due = self._clock.monotonic() + after.total_seconds()
        self._agains[key] = self._loop.call_later(after.total_seconds(), self._look_again, key, due)

    def now(self, keys: Iterable[CheckKey]) -> None:
        """Look at these checks at once; those that are not watched are left alone."""
        moment = self._clock.monotonic()
        for key in keys:
            if self._loop is not None and key in self._plans:
                self._begin(key, moment)

    def every(self, name: str, interval: timedelta, job: Job) -> None:
        """Run a job of the house each `interval`, the first time one interval from now; never twice at once."""
        self._calendars.put(name, Every(interval), job)

    def daily(self, name: str, at: time, zone: str, job: Job) -> None:
        """Run a job of the house each day `at` a time of a zone; replaces the job of that name."""
        self._calendars.put(name, Daily(at, ZoneInfo(zone)), job)

    def _close_if_empty(self, rhythm: Rhythm) -> None:
        if not len(rhythm):
            rhythm.stop()
            del self._rhythms[rhythm.every]
            self._calendars.remove(_name(rhythm.every))

    def _open_rhythm(self, every: timedelta) -> Rhythm:
        name = _name(every)
        rhythm = Rhythm(
            every,
            clock=self._clock,
            begin=self._begin,
            on_skip=self._on_skip,
            on_miss=lambda: self._on_miss(name),
        )
        self._rhythms[every] = rhythm
        self._calendars.put(name, Every(every), rhythm.hand_over)
        if self._loop is not None:
            rhythm.start()
        return rhythm

    def _begin(self, key: CheckKey, due: float) -> None:
        try:
            self._start_look(key, due)
        except Exception as error:  # noqa: BLE001 - one check's fault must not stop the others; it is reported
            self._on_fault(f"{key}: {type(error).__name__}: {error}")

    def _look_again(self, key: CheckKey, due: float) -> None:
        del self._agains[key]
        self._begin(key, due)

    def _forget_again(self, key: CheckKey) -> None:
        timer = self._agains.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _note_clocks(self) -> None:
        self._wall, self._monotonic = self._clock.now(), self._clock.monotonic()

    def _watch_clocks(self) -> None:
        """Plan the calendars anew when wall and monotonic time have parted by more than a second, and tell when we slept."""
        if self._loop is None:
            return
        self._guard = self._loop.call_later(GUARD.total_seconds(), self._watch_clocks)
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        pause, self._guarded_at = timedelta(seconds=monotonic - self._guarded_at), monotonic
        if pause > ASLEEP:
            self._on_sleep(pause)
        parted = wall - self._wall - timedelta(seconds=monotonic - self._monotonic)
        if abs(parted) > STEP:
            self._note_clocks()
            self._calendars.step(wall, parted)


def _name(every: timedelta) -> str:
    return f"looks every {every.total_seconds():g} s"
