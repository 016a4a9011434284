"""One thread with duties that come again: none of them keeps the others from their turn, or the process from its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.actions.clerk import Clerk, Duty
from monitor.errors import BusyError
from tests.conftest import SteppingClock

EVERY = timedelta(seconds=30)


class Work:
    """A duty that trips over `faults`, one a time, and then says whether there is `news`."""

    def __init__(self, *faults: Exception, news: bool = False) -> None:
        self.faults = list(faults)
        self.news = news
        self.count = 0

    def __call__(self, now: datetime) -> bool:
        del now
        self.count += 1
        if self.faults:
            raise self.faults.pop()
        return self.news


def clerk(clock: SteppingClock, *works: Callable[[datetime], bool], told: Callable[[], None]) -> Clerk:
    duties = [Duty(name=f"do {number}", every=EVERY, do=work) for number, work in enumerate(works)]
    return Clerk(duties, clock, told)


def test_each_duty_has_its_turn_and_news_are_told(clock: SteppingClock) -> None:
    quiet, talks, told = Work(), Work(news=True), list[str]()
    made = clerk(clock, quiet, talks, told=lambda: told.append("news"))
    for _ in range(3):
        made.round()
        clock.step(EVERY / 2)
    assert (quiet.count, talks.count, told) == (2, 2, ["news"] * 2)


def test_a_duty_that_trips_the_program_ends_no_other_one_and_has_its_next_turn(clock: SteppingClock) -> None:
    trips, other = Work(ValueError("ours")), Work()
    made = clerk(clock, trips, other, told=lambda: None)
    made.round()
    made.round()
    assert (trips.count, other.count) == (1, 1)
    clock.step(EVERY)
    made.round()
    assert (trips.count, other.count) == (2, 2)


def test_a_duty_that_found_the_database_locked_does_not_wait_for_its_next_turn(clock: SteppingClock) -> None:
    work = Work(BusyError("locked"))
    made = clerk(clock, work, told=lambda: None)
    made.round()
    made.round()
    made.round()
    assert work.count == 2


def test_a_duty_that_never_ends_does_not_hold_the_process(clock: SteppingClock) -> None:
    daemons: list[bool] = []

    async def work() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def note(now: datetime) -> bool:
            del now
            daemons.append(threading.current_thread().daemon)
            loop.call_soon_threadsafe(stop.set)
            return False

        await clerk(clock, note, told=lambda: None).run(stop)

    asyncio.run(work())
    assert daemons == [True]
