from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.scheduling import Scheduler, phase
from monitor.scheduling.timetable import COARSEST, SLOT, grain_of, tick_at, ticks_in
from tests.scheduling.builders import key, plan
from tests.scheduling.virtual import VirtualClock, run

HOUR = 3600.0


class Diary:
    """A scheduler in virtual time and everything that it did."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.looks: dict[object, list[tuple[float, float]]] = defaultdict(list)
        self.faults: list[str] = []
        self.skipped = 0
        self.misses: Counter[str] = Counter()
        self.sleeps: list[timedelta] = []
        self.scheduler = Scheduler(
            self.clock,
            self.begin,
            self.faults.append,
            on_skip=self.skip,
            on_miss=lambda name: self.misses.update([name]),
            on_sleep=self.sleeps.append,
        )

    def begin(self, check, due):
        self.looks[check].append((due, self.clock.monotonic()))

    def skip(self, looks):
        self.skipped += looks

    def moments(self, check):
        return [moment for _, moment in self.looks[check]]

    def run(self, main):
        async def whole():
            self.scheduler.start()
            try:
                await main()
            finally:
                await self.scheduler.stop()

        run(self.clock, whole())

    async def wait(self, seconds):
        await asyncio.sleep(seconds)


@pytest.fixture
def diary():
    return Diary()


def gaps(moments):
    return [later - earlier for earlier, later in pairwise(moments)]


def on_grid(check, every, moment, grain=1):
    count = ticks_in(timedelta(seconds=every))
    # The loop's own clock may be one slot behind by rounding.
    return (tick_at(moment + 0.001) - phase(check, timedelta(seconds=every))) % count < grain


def test_ten_thousand_checks_neither_drift_nor_miss_nor_double_in_two_hours(diary):
    intervals = [60, 300, 300, 300, 300]
    plans = [plan(number, every=intervals[number % 5]) for number in range(10_000)]
    diary.scheduler.replace(plans)
    diary.run(lambda: diary.wait(2 * HOUR))
    assert len(diary.looks) == 10_000
    assert diary.skipped == 0
    assert diary.faults == []
    for each in plans:
        every = each.every.total_seconds()
        first, *grid = diary.moments(each.key)
        grain = grain_of(each.every, 2000 if every == 60 else 8000)
        assert all(on_grid(each.key, every, moment, grain) for moment in grid)
        assert all(abs(gap - every) < 0.001 for gap in gaps(grid))
        assert every / 2 <= grid[0] - first <= 1.5 * every + SLOT.total_seconds()
        assert grid[-1] > diary.clock.monotonic() - every - 1


def test_the_first_round_is_over_within_five_seconds_and_spread_evenly(diary):
    diary.scheduler.replace([plan(number) for number in range(1000)])
    began = diary.clock.monotonic()
    diary.run(lambda: diary.wait(6))
    first = sorted(moments[0] - began for moments in map(diary.moments, diary.looks))
    assert len(first) == 1000
    assert first[-1] < 5
    for second in range(5):
        assert 150 < sum(second <= moment < second + 1 for moment in first) < 250


def test_the_first_round_of_a_short_interval_ends_within_the_interval(diary):
    diary.scheduler.replace([plan(number, every=1) for number in range(20)])
    began = diary.clock.monotonic()
    diary.run(lambda: diary.wait(1))
    assert max(diary.moments(check)[0] for check in diary.looks) < began + 1
    assert len(diary.looks) == 20


def test_the_first_round_of_a_large_fleet_is_no_storm(diary):
    diary.scheduler.replace([plan(number) for number in range(10_000)])
    diary.run(lambda: diary.wait(10))
    each_second = Counter(int(moment) for check in diary.looks for moment in diary.moments(check))
    assert max(each_second.values()) < 700


def test_a_restart_keeps_the_turns():
    """Two processes one after the other on one machine share its monotonic clock."""

    def turns(pause):
        diary = Diary()
        diary.clock.pass_time(pause)
        diary.scheduler.replace([plan(number) for number in range(50)])
        diary.run(lambda: diary.wait(400))
        return {
            check: {round(moment, 2) % 60 for moment in diary.moments(check)[1:]} for check in diary.looks
        }

    assert turns(0.0) == turns(1234.567)


def test_a_new_inventory_keeps_the_turns_of_what_it_left_alone(diary):
    diary.scheduler.replace([plan(number) for number in range(10)])

    async def main():
        await diary.wait(200)
        diary.scheduler.replace([plan(number) for number in range(5, 15)])
        await diary.wait(200)

    diary.run(main)
    for number in range(5, 10):
        assert all(gap == pytest.approx(60, abs=0.001) for gap in gaps(diary.moments(key(number))[1:]))
    reload = 5_200.0
    assert all(max(diary.moments(key(number))) < reload for number in range(5))
    assert all(reload <= diary.moments(key(number))[0] < reload + 5 for number in range(10, 15))


@given(
    changes=st.lists(
        st.tuples(st.floats(0.001, 12), st.sampled_from([10, 60, 150, 300])),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_a_fleet_that_grows_and_shrinks_costs_nobody_a_turn(changes):
    """How many looks begin together changes with the size of the fleet; whoever stays moves by less than a group."""
    diary = Diary()
    diary.scheduler.replace([plan(number, every=5) for number in range(10)])

    async def main():
        await diary.wait(15)
        for seconds, size in changes:
            diary.scheduler.replace([plan(number, every=5) for number in range(size)])
            await diary.wait(seconds)
        await diary.wait(15)

    diary.run(main)
    for number in range(10):
        _, *grid = diary.moments(key(number))
        assert all(on_grid(key(number), 5, moment, COARSEST) for moment in grid)
        assert all(abs(gap - 5) < COARSEST * SLOT.total_seconds() for gap in gaps(grid))


@given(
    moves=st.lists(st.tuples(st.floats(0.001, 11), st.booleans(), st.floats(0, 3)), min_size=1, max_size=6),
    crowd=st.sampled_from([0, 60, 200]),
)
@settings(max_examples=40, deadline=None)
def test_a_check_that_changes_hands_loses_and_doubles_no_turn(moves, crowd):
    """Two schedulers, as two processes are: the one stops at a moment, the other goes on from there, sooner or later."""
    clock = VirtualClock()
    begun = []
    hands = [Scheduler(clock, lambda check, _: begun.append((check, clock.monotonic()))) for _ in range(2)]
    crowds = [[plan(number, every=5) for number in range(100, 100 + size)] for size in (0, crowd)]
    watched = plan(1, every=5)
    holder = 0

    async def main():
        nonlocal holder
        hands[0].replace([watched, *crowds[0]])
        hands[1].replace(crowds[1])
        for hand in hands:
            hand.start()
        await asyncio.sleep(15)
        for seconds, moves_on, pause in moves:
            await asyncio.sleep(seconds)
            if not moves_on:
                continue
            hands[holder].replace(crowds[holder])
            until = clock.monotonic()
            await asyncio.sleep(pause)
            holder = 1 - holder
            hands[holder].replace([watched, *crowds[holder]], settled={watched.key: until})
        await asyncio.sleep(15)
        for hand in hands:
            await hand.stop()

    run(clock, main())
    mine = [moment for check, moment in begun if check == watched.key]
    grid = [moment for moment in mine if moment > 5_010]
    # Where it comes to lie within its group, or how long nobody had it, may delay a turn; each comes once.
    turns = [round((moment - phase(watched.key, watched.every) * 0.02) / 5 - 0.02) for moment in grid]
    longest = max((pause for _, moves_on, pause in moves if moves_on), default=0)
    if longest < 2:
        assert turns == list(range(turns[0], turns[0] + len(turns)))
    assert len(set(turns)) >= len(turns) - len(moves)
    assert max(gaps(grid), default=0) <= 5 + longest + 0.21


def test_looks_of_a_small_fleet_begin_in_small_company(diary):
    diary.scheduler.replace([plan(number, every=20) for number in range(500)])
    diary.run(lambda: diary.wait(100))
    together = Counter(due for moments in diary.looks.values() for due, _ in moments if due > 5_060)
    assert sum(together.values()) / len(together) == pytest.approx(5, abs=0.5)
    assert max(together.values()) < 25


def test_a_changed_check_is_looked_at_soon_and_keeps_its_phase(diary):
    diary.scheduler.replace([plan(1)])

    async def main():
        await diary.wait(130)
        diary.scheduler.replace([plan(1, port=25)])
        await diary.wait(130)

    diary.run(main)
    after = [moment for moment in diary.moments(key(1)) if moment >= 5_130]
    assert after[0] < 5_135
    assert all(on_grid(key(1), 60, moment) for moment in after[1:])


def test_a_check_with_a_new_interval_leaves_the_old_rhythm(diary):
    diary.scheduler.replace([plan(1, every=60)])

    async def main():
        await diary.wait(100)
        diary.scheduler.replace([plan(1, every=10)])
        await diary.wait(100)

    diary.run(main)
    late = [moment for moment in diary.moments(key(1)) if moment > 5_120]
    assert all(gap == pytest.approx(10, abs=0.001) for gap in gaps(late))


def test_a_second_look_comes_after_its_time_and_beside_the_grid(diary):
    diary.scheduler.replace([plan(1)])

    async def main():
        await diary.wait(100)
        diary.scheduler.again(key(1), timedelta(seconds=15))
        diary.scheduler.again(key(1), timedelta(seconds=2.5))
        await diary.wait(200)

    diary.run(main)
    beside = [moment for moment in diary.moments(key(1))[1:] if not on_grid(key(1), 60, moment)]
    assert beside == [pytest.approx(5_102.5)]


def test_a_second_look_dies_with_its_check(diary):
    diary.scheduler.replace([plan(1), plan(2)])

    async def main():
        await diary.wait(100)
        diary.scheduler.again(key(1), timedelta(seconds=15))
        diary.scheduler.replace([plan(2)])
        diary.scheduler.again(key(1), timedelta(seconds=15))
        diary.scheduler.now([key(1), key(2)])
        await diary.wait(100)

    diary.run(main)
    assert max(diary.moments(key(1))) < 5_100
    assert 5_100 in [round(moment, 3) for moment in diary.moments(key(2))]


def test_a_fault_in_one_look_is_reported_and_stops_no_other():
    diary = Diary()
    began = []

    def begin(check, due):
        began.append(check)
        if check == key(1):
            raise RuntimeError("no more descriptors")

    diary.scheduler = Scheduler(diary.clock, begin, diary.faults.append)
    diary.scheduler.replace([plan(1, every=2), plan(2, every=2)])
    diary.run(lambda: diary.wait(60))
    counted = Counter(began)
    assert counted[key(1)] == pytest.approx(30, abs=2)
    assert counted[key(2)] == pytest.approx(30, abs=2)
    assert set(diary.faults) == {"server0/check1: RuntimeError: no more descriptors"}


@pytest.mark.parametrize(
    "wall",
    [
        timedelta(seconds=1),
        timedelta(seconds=-1),
        timedelta(hours=1),
        timedelta(hours=-1),
        timedelta(days=1),
        timedelta(days=-1),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    ],
    ids=str,
)
def test_no_step_of_the_wall_clock_moves_a_look(diary, wall):
    diary.scheduler.replace([plan(number, every=10) for number in range(20)])

    async def main():
        await diary.wait(100)
        diary.clock.set_wall(diary.clock.now() + wall if isinstance(wall, timedelta) else wall)
        await diary.wait(100)

    diary.run(main)
    for number in range(20):
        grid = diary.moments(key(number))[1:]
        assert all(gap == pytest.approx(10, abs=0.001) for gap in gaps(grid))
        assert grid[-1] > 5_185


def test_looks_go_on_when_the_calendar_never_fires(diary):
    """In virtual time the library sees a wall clock that stands still: its rhythms never come due."""
    diary.scheduler.replace([plan(number, every=10) for number in range(20)])
    diary.run(lambda: diary.wait(HOUR))
    assert all(len(diary.moments(key(number))) == pytest.approx(360, abs=2) for number in range(20))
    assert diary.misses["looks every 10 s"] > 0


def test_after_a_long_stop_each_check_is_looked_at_once_and_the_rest_is_counted(diary):
    """As SIGSTOP does it: the monotonic clock runs on while nothing is run."""
    diary.scheduler.replace([plan(number, every=10) for number in range(100)])

    async def main():
        await diary.wait(100)
        diary.clock.pass_time(150)
        await diary.wait(5)

    diary.run(main)
    woke = 5_250
    after = {check: [moment for moment in diary.moments(check) if moment >= woke] for check in diary.looks}
    assert all(len(moments) == 1 for moments in after.values())
    assert max(Counter(int(moment) for moments in after.values() for moment in moments).values()) < 40
    assert diary.skipped == 100 * 14
    assert all(moment - due < 0.1 for check in diary.looks for due, moment in diary.looks[check])


@pytest.mark.parametrize(("stood", "told"), [(20, 0), (150, 1)])
def test_a_long_stop_is_told_with_its_length(diary, stood, told):
    async def main():
        await diary.wait(10)
        diary.clock.pass_time(stood)
        await diary.wait(10)

    diary.run(main)
    assert len(diary.sleeps) == told
    assert all(abs(slept.total_seconds() - stood) <= 1 for slept in diary.sleeps)


def test_a_short_delay_skips_nothing_and_is_told_to_the_look(diary):
    diary.scheduler.replace([plan(number, every=10) for number in range(100)])

    async def main():
        await diary.wait(100)
        diary.clock.pass_time(2)
        await diary.wait(100)

    diary.run(main)
    assert diary.skipped == 0
    late = [moment - due for check in diary.looks for due, moment in diary.looks[check] if moment - due > 0.1]
    assert late
    assert max(late) < 2.1
    assert all(len(diary.moments(check)) == pytest.approx(20, abs=2) for check in diary.looks)


def test_nothing_is_begun_after_stop(diary):
    diary.scheduler.replace([plan(number, every=1) for number in range(20)])

    async def main():
        diary.scheduler.start()
        await diary.wait(3.5)
        diary.scheduler.again(key(1), timedelta(seconds=1))
        await diary.scheduler.stop()
        before = sum(map(len, diary.looks.values()))
        diary.scheduler.now([key(1)])
        diary.scheduler.again(key(1), timedelta(seconds=1))
        await diary.wait(20)
        assert sum(map(len, diary.looks.values())) == before > 0

    run(diary.clock, main())


def test_stopping_twice_or_before_the_start_is_harmless(diary):
    async def main():
        await diary.scheduler.stop()

    run(diary.clock, main())
    diary.run(diary.scheduler.stop)
