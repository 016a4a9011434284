"""Rhythms and calendars by APScheduler, behind types of our own, and safe from steps of the wall clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from inspect import isawaitable
from typing import Protocol
from zoneinfo import ZoneInfo

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_SCHEDULER_SHUTDOWN,
    JobEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

# What it would log is reported through `on_miss` and `on_fault`, and each run of each job is not worth a line.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

Job = Callable[[], Awaitable[object] | object]

# A run that is late is still wanted, once; by default the library drops a run that is one second late.
_OPTIONS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
_FAULTS = EVENT_JOB_MISSED | EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES
_PATIENCE_S = 5.0


class Trigger(Protocol):
    """When a job runs next, as the library asks it and as a step of the wall clock needs it."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the next moment after the run at `previous` (None before the first); always later than `now`.

        The library walks from run to run until it passes the present. With triggers of its own a step from 1970
        to today would make it walk for hours, so ours leap.
        """

    def after_step(self, planned: datetime, now: datetime, parted: timedelta) -> datetime:
        """Return when to run instead of `planned`, once the wall clock has moved by `parted` to `now`."""


class Every:
    """A rhythm. Its interval is lived time: a step of the wall clock neither hastens nor delays it."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        following = now + self._interval if previous is None else previous + self._interval
        return following if now < following <= now + self._interval else now + self._interval

    def after_step(self, planned: datetime, now: datetime, parted: timedelta) -> datetime:
        remaining = planned - (now - parted)
        return now + min(max(remaining, timedelta(0)), self._interval)


class Daily:
    """A time of day in a zone. A time that a clock change leaves out comes as much later as the clock leapt."""

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        self._at = at
        self._zone = zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        del previous
        today = now.astimezone(self._zone).date()
        moments = (self._on(today + timedelta(days=ahead)) for ahead in range(3))
        return next(moment for moment in moments if moment > now)

    def after_step(self, planned: datetime, now: datetime, parted: timedelta) -> datetime:
        """One that came due in what was leapt over runs at once; otherwise the calendar is read anew."""
        del parted
        return planned if planned <= now else self.get_next_fire_time(None, now)

    def _on(self, day: date) -> datetime:
        # In UTC before it is compared: two moments of one zone compare by their wall time.
        return datetime.combine(day, self._at, tzinfo=self._zone).astimezone(UTC)


BaseTrigger.register(Every)
BaseTrigger.register(Daily)


class Calendars:
    """Named jobs on the loop. A job that fails or is late is reported and runs again at its next time.

    Everything is called on the loop's thread. `on_miss` hears the name of a job that could not run when it was
    due, `on_fault` one line about a job that failed.
    """

    def __init__(self, *, on_miss: Callable[[str], None], on_fault: Callable[[str], None]) -> None:
        self._on_miss = on_miss
        self._on_fault = on_fault
        self._engine = AsyncIOScheduler(timezone=UTC, job_defaults=_OPTIONS)
        self._engine.add_listener(self._heard, _FAULTS)
        self._triggers: dict[str, Trigger] = {}
        self._running: set[asyncio.Task[object]] = set()

    def put(self, name: str, trigger: Trigger, job: Job) -> None:
        """Add a job, or replace the one of that name."""
        self._triggers[name] = trigger
        self._engine.add_job(self._run, trigger, args=(name, job), id=name, name=name, replace_existing=True)

    def remove(self, name: str) -> None:
        """Take a job away, unless `stop` has taken all; a run that is under way ends by itself."""
        if self._triggers.pop(name, None) is not None:
            self._engine.remove_job(name)

    def start(self) -> None:
        """Begin, on the running loop."""
        self._engine.start()

    async def stop(self) -> None:
        """Begin no more runs, wait up to 5 s for those under way, then cancel them."""
        if not self._engine.running:
            return
        self._engine.remove_all_jobs()
        self._triggers.clear()
        if self._running:
            await asyncio.wait(self._running, timeout=_PATIENCE_S)
        for task in self._running:
            task.cancel()
        # The engine stops in a later turn of the loop.
        ended = asyncio.Event()
        self._engine.add_listener(lambda _: ended.set(), EVENT_SCHEDULER_SHUTDOWN)
        self._engine.shutdown(wait=False)
        await ended.wait()

    def step(self, now: datetime, parted: timedelta) -> None:
        """Plan every job anew after the wall clock moved by `parted` to `now`."""
        for name, trigger in self._triggers.items():
            planned = self._engine.get_job(name).next_run_time
            self._engine.modify_job(name, next_run_time=trigger.after_step(planned, now, parted))

    async def _run(self, name: str, job: Job) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        try:
            result = job()
            if isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001 - one job's fault must not stop its rhythm; it is reported
            self._on_fault(f"{name}: {type(error).__name__}: {error}")

    def _heard(self, event: JobEvent) -> None:
        self._on_miss(event.job_id)
