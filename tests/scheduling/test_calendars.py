from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.scheduling import Scheduler
from monitor.scheduling.calendars import Daily, Every

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2105, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given beside


@given(previous=st.none() | MOMENTS, now=MOMENTS)
def test_the_next_run_lies_ahead_and_at_most_one_interval_away(previous, now):
    """However far the wall clock leapt since the previous run: nothing walks through what lies between."""
    assert now < Every(HOUR).get_next_fire_time(previous, now) <= now + HOUR
    assert (
        now
        < Daily(time(3, 15), ZoneInfo("America/Guayaquil")).get_next_fire_time(previous, now)
        <= now + timedelta(days=1)
    )


def test_a_run_that_is_a_little_late_moves_no_later_one():
    assert Every(HOUR).get_next_fire_time(NOW, NOW + timedelta(seconds=5)) == NOW + HOUR


@pytest.mark.parametrize("parted", [timedelta(days=20_000), HOUR, -HOUR, timedelta(days=-20_000)], ids=str)
def test_a_step_leaves_a_rhythm_the_time_that_it_had_left(parted):
    planned, stepped = NOW + timedelta(minutes=20), NOW + parted
    assert Every(HOUR).after_step(planned, stepped, parted) == stepped + timedelta(minutes=20)


def test_a_rhythm_that_ran_between_step_and_guard_keeps_its_interval():
    planned_after_step = NOW + timedelta(days=1) + HOUR
    moved = Every(HOUR).after_step(planned_after_step, NOW + timedelta(days=1), timedelta(days=1))
    assert moved == NOW + timedelta(days=1) + HOUR


def test_a_calendar_runs_once_for_what_was_leapt_over_and_is_read_anew_otherwise():
    night = Daily(time(0, 5), ZoneInfo("America/Guayaquil"))
    planned = night.get_next_fire_time(None, NOW)
    assert planned == datetime(2026, 11, 23, 5, 5, tzinfo=UTC)
    assert night.after_step(planned, NOW + timedelta(days=3), timedelta(days=3)) == planned
    back = NOW - timedelta(days=3)
    assert night.after_step(planned, back, timedelta(days=-3)) == datetime(2026, 11, 20, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Madrid leaps from 2:00 to 3:00 on 29 March 2026: 2:30 does not exist, and comes an hour later.
        ("2026-03-28T12:00+00:00", "2026-03-29T01:30+00:00"),
        ("2026-03-29T01:30+00:00", "2026-03-30T00:30+00:00"),
        # It falls back from 3:00 to 2:00 on 25 October 2026: the first 2:30 counts, the second does not.
        ("2026-10-24T12:00+00:00", "2026-10-25T00:30+00:00"),
        ("2026-10-25T00:30+00:00", "2026-10-26T01:30+00:00"),
        ("2026-10-25T01:15+00:00", "2026-10-26T01:30+00:00"),
    ],
)
def test_a_time_of_day_comes_once_a_day_across_clock_changes(now, expected):
    daily = Daily(time(2, 30), ZoneInfo("Europe/Madrid"))
    assert daily.get_next_fire_time(None, datetime.fromisoformat(now)) == datetime.fromisoformat(expected)


class House:
    """A scheduler without checks on a real loop."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.misses: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.scheduler = Scheduler(
            SystemClock(),
            lambda *_: None,
            self.faults.append,
            on_miss=lambda name: self.misses.update([name]),
        )

    async def until(self, fact):
        async with asyncio.timeout(60):
            while not fact():  # noqa: ASYNC110 - any fact, so there is no event to wait on
                await asyncio.sleep(0.01)

    def run(self, main):
        async def whole():
            self.scheduler.start()
            try:
                await main()
            finally:
                await self.scheduler.stop()

        asyncio.run(whole())


@pytest.fixture
def house():
    return House()


def test_jobs_of_both_kinds_run_again_and_again_and_a_failing_one_is_reported(house):
    async def awaited():
        await asyncio.sleep(0)
        house.runs["awaited"] += 1

    def failing():
        house.runs["failing"] += 1
        raise OSError("disk full")

    async def main():
        house.scheduler.every("awaited", timedelta(milliseconds=20), awaited)
        house.scheduler.every("plain", timedelta(milliseconds=20), lambda: house.runs.update(["plain"]))
        house.scheduler.every("failing", timedelta(milliseconds=20), failing)
        await house.until(lambda: all(house.runs[name] >= 3 for name in ("awaited", "plain", "failing")))

    house.run(main)
    assert set(house.faults) == {"failing: OSError: disk full"}
    assert len(house.faults) >= 3


def test_a_job_never_runs_twice_at_once_and_what_it_misses_is_counted(house):
    present = 0

    async def slow():
        nonlocal present
        present += 1
        assert present == 1
        house.runs["slow"] += 1
        await house.until(lambda: house.runs["slow"] >= 2 or house.misses["slow"] >= 2)
        present -= 1

    async def main():
        house.scheduler.every("slow", timedelta(milliseconds=20), slow)
        await house.until(lambda: house.runs["slow"] >= 2)

    house.run(main)
    assert house.faults == []


def test_a_job_of_the_same_name_takes_the_place_of_the_old_one(house):
    async def main():
        house.scheduler.every("summary", timedelta(milliseconds=20), lambda: house.runs.update(["old"]))
        house.scheduler.every("summary", timedelta(milliseconds=20), lambda: house.runs.update(["new"]))
        await house.until(lambda: house.runs["new"] >= 2)

    house.run(main)
    assert house.runs["old"] == 0


def test_a_daily_job_runs_when_its_time_comes(house):
    async def main():
        soon = SystemClock().now() + timedelta(seconds=1)
        house.scheduler.daily("night", soon.time(), "UTC", lambda: house.runs.update(["night"]))
        await house.until(lambda: house.runs["night"] == 1)

    house.run(main)


def test_stop_lets_a_job_end(house):
    ended = []

    async def working():
        house.runs["working"] += 1
        await asyncio.sleep(0.1)
        ended.append(True)

    async def main():
        house.scheduler.every("working", timedelta(milliseconds=20), working)
        await house.until(lambda: house.runs["working"] == 1)

    house.run(main)
    assert ended == [True]
