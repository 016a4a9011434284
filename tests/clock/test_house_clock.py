"""The house's clock: what it makes of a machine's clock that is stepped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.clock import EARLIEST, LARGE, STANDING, HouseClock
from monitor.leaps import Leap, Leaps

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


class Machine:
    """A machine's two clocks; the wall can be set, as an administrator or NTP would."""

    def __init__(self, wall: datetime = NOON) -> None:
        self.wall = wall
        self.boot = 500.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.boot

    def live(self, house: HouseClock, span: timedelta) -> datetime:
        """Let time pass, read once a second as the house does."""
        for _ in range(span // SECOND):
            self.wall += SECOND
            self.boot += 1
            house.now()
        return house.now()

    def set(self, by: timedelta) -> None:
        self.wall += by


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def house(machine: Machine) -> HouseClock:
    made = HouseClock(machine)
    machine.live(made, MINUTE)
    return made


def test_it_goes_with_the_machine(machine: Machine, house: HouseClock):
    assert machine.live(house, 10 * MINUTE) == machine.wall
    assert house.leaps == Leaps()


def test_a_clock_that_runs_a_little_fast_is_followed(machine: Machine, house: HouseClock):
    for _ in range(600):
        machine.live(house, SECOND)
        machine.set(timedelta(milliseconds=50))
    assert machine.live(house, SECOND) == machine.wall
    assert house.leaps == Leaps()


@pytest.mark.parametrize("by", [2 * SECOND, -2 * SECOND, LARGE, -LARGE])
def test_a_small_step_is_taken_at_once(machine: Machine, house: HouseClock, by: timedelta):
    before = house.now()
    machine.set(by)
    assert house.now() == machine.wall
    assert house.leaps.known == (Leap(before, before + by),)


@pytest.mark.parametrize("by", [HOUR, DAY, datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC) - NOON, -HOUR, -DAY])
def test_a_large_step_is_taken_once_it_has_stood(machine: Machine, house: HouseClock, by: timedelta):
    before = house.now()
    machine.set(by)
    assert machine.live(house, STANDING - SECOND) == before + STANDING - SECOND
    assert house.ahead == -by
    assert machine.live(house, 2 * SECOND) == machine.wall
    assert house.ahead == timedelta(0)
    (leap,) = house.leaps.known
    assert leap.by == by
    assert house.leaps.lived(before, house.now()) == STANDING + SECOND


@pytest.mark.parametrize("by", [HOUR, -HOUR, 4000 * DAY])
def test_a_step_that_is_taken_back_leaves_no_trace(machine: Machine, house: HouseClock, by: timedelta):
    before = house.now()
    machine.set(by)
    machine.live(house, STANDING / 2)
    machine.set(-by)
    assert machine.live(house, 2 * MINUTE) == before + STANDING / 2 + 2 * MINUTE == machine.wall
    assert house.leaps == Leaps()


def test_a_clock_that_is_stepped_again_and_again_has_to_stand_anew(machine: Machine, house: HouseClock):
    before = house.now()
    for _ in range(10):
        machine.set(HOUR)
        machine.live(house, STANDING / 2)
    assert house.now() == before + 5 * STANDING
    machine.live(house, STANDING)
    assert house.now() == machine.wall


def test_a_time_before_the_program_was_written_is_never_believed(machine: Machine, house: HouseClock):
    before = house.now()
    machine.set(datetime(1970, 1, 2, tzinfo=UTC) - machine.wall)
    assert machine.live(house, HOUR) == before + HOUR
    machine.set(before + HOUR - machine.wall)
    assert machine.live(house, MINUTE) == before + HOUR + MINUTE
    assert house.leaps == Leaps()


def test_a_start_in_1970_goes_on_from_what_is_known_until_the_clock_is_right():
    machine = Machine(datetime(1970, 1, 1, tzinfo=UTC))
    house = HouseClock(machine)
    assert house.now() == EARLIEST
    house.go_on_from(NOON)
    assert machine.live(house, MINUTE) == NOON + MINUTE
    assert house.dated(machine.wall, house.now()) == NOON + MINUTE
    machine.wall = NOON + 3 * DAY
    assert machine.live(house, STANDING + 2 * SECOND) == machine.wall


def test_a_clock_that_is_right_goes_on_from_nothing(machine: Machine, house: HouseClock):
    house.go_on_from(NOON + DAY)
    assert house.now() == machine.wall


def test_moments_of_a_clock_that_is_not_believed_are_dated(machine: Machine, house: HouseClock):
    machine.set(-HOUR)
    now = house.now()
    assert house.dated(machine.wall, now) == now
    assert house.dated(machine.wall - 5 * SECOND, now) == now - 5 * SECOND
    machine.set(HOUR)
    assert house.dated(machine.wall + DAY, house.now()) == house.now()


def test_each_believed_step_is_heard_once(machine: Machine, house: HouseClock):
    heard: list[Leap] = []
    house.on_leap = heard.append
    machine.set(HOUR)
    machine.live(house, 2 * STANDING)
    assert [leap.by for leap in heard] == [HOUR]


class TestLived:
    """How long we were there between two moments, whatever the clock did."""

    def test_without_a_leap_it_is_the_difference(self):
        assert Leaps().lived(NOON, NOON + HOUR) == HOUR

    def test_a_step_forward_counts_for_nothing(self):
        leaps = Leaps().and_then(Leap(NOON, NOON + DAY))
        assert leaps.lived(NOON - MINUTE, NOON + DAY + MINUTE) == 2 * MINUTE
        assert leaps.lived(NOON + DAY, NOON + DAY + MINUTE) == MINUTE

    def test_a_step_back_is_made_up_for(self):
        leaps = Leaps().and_then(Leap(NOON, NOON - HOUR))
        assert leaps.lived(NOON - MINUTE, NOON - HOUR + MINUTE) == 2 * MINUTE
        # This moment came twice: the later one is meant.
        assert leaps.lived(NOON - HOUR + SECOND, NOON - HOUR + MINUTE) == MINUTE - SECOND

    def test_there_and_back_again(self):
        leaps = Leaps().and_then(Leap(NOON, NOON + DAY)).and_then(Leap(NOON + DAY + MINUTE, NOON + MINUTE))
        assert leaps.lived(NOON - MINUTE, NOON + 2 * MINUTE) == 3 * MINUTE

    def test_a_moment_of_the_future_without_explanation_is_none_of_life(self):
        assert Leaps().lived(NOON + DAY, NOON) == timedelta(0)
        assert Leaps().passed(NOON + DAY, NOON) < timedelta(0)

    def test_sleep_is_not_lived_and_passes(self):
        leaps = Leaps().and_then(Leap(NOON, NOON + HOUR, slept=True))
        assert leaps.lived(NOON - MINUTE, NOON + HOUR) == MINUTE
        assert leaps.passed(NOON - MINUTE, NOON + HOUR) == HOUR + MINUTE

    def test_only_the_newest_are_remembered(self):
        leaps = Leaps()
        for hours in range(100):
            leaps = leaps.and_then(Leap(NOON + hours * HOUR, NOON + hours * HOUR + MINUTE))
        assert len(leaps.known) == 32
