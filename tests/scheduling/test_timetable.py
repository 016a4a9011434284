from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.scheduling.timetable import Timetable, grain_of, moment_of, phase, tick_at, ticks_in
from tests.scheduling.builders import key

MINUTE = timedelta(minutes=1)
GOLDEN_PHASES = [1492, 1030, 1949, 1429]


def test_a_phase_depends_on_name_and_interval_alone():
    """Golden: another figure would move every look of every installation at its next update."""
    assert [phase(key(number), MINUTE) for number in range(4)] == GOLDEN_PHASES
    assert phase(key(0), timedelta(seconds=20)) == GOLDEN_PHASES[0] % 1000


def test_phases_spread_evenly_over_the_interval():
    seconds = Counter(phase(key(number), MINUTE) // 50 for number in range(6000))
    assert set(seconds) == set(range(60))
    assert max(seconds.values()) < 150


@pytest.mark.parametrize(
    ("span", "ticks"), [(1.0, 50), (60.0, 3000), (0.001, 1), (0.03, 2), (86400.0, 4_320_000)]
)
def test_an_interval_is_a_whole_number_of_slots_and_at_least_one(span, ticks):
    assert ticks_in(timedelta(seconds=span)) == ticks


@given(st.integers(min_value=0, max_value=10**12))
def test_a_tick_begins_in_itself(tick):
    """Rounding of floats may cost a tick only if it is caught up by the next: it never leaps ahead."""
    assert tick - 1 <= tick_at(moment_of(tick)) <= tick


@given(
    numbers=st.sets(st.integers(0, 500), max_size=40),
    every=st.sampled_from([0.2, 0.4, 1.0, 2.0]),
    grain=st.sampled_from([1, 2, 5, 10]),
    start=st.integers(0, 10_000),
    steps=st.lists(st.integers(1, 400), max_size=12),
)
def test_however_the_time_is_cut_every_turn_comes_once(numbers, every, grain, start, steps):
    interval = timedelta(seconds=every)
    table = Timetable(interval).regrained(grain)
    for number in numbers:
        table.add(key(number))
    found: Counter[object] = Counter()
    here = start
    for step in steps:
        for turn in table.turns(here, here + step - 1):
            assert here <= turn.tick < here + step
            assert (turn.tick - phase(turn.key, interval)) % ticks_in(interval) < grain
            assert turn.tick % grain == 0
            found[turn.key] += 1 + turn.passed
        here += step
    for number in numbers:
        count = ticks_in(interval)
        place = -(-phase(key(number), interval) // grain) * grain % count
        assert found[key(number)] == sum(tick % count == place for tick in range(start, here))


@given(numbers=st.sets(st.integers(0, 500), min_size=1, max_size=20), tick=st.integers(0, 10_000))
def test_the_following_tick_is_the_first_that_is_occupied(numbers, tick):
    table = Timetable(timedelta(seconds=1))
    for number in numbers:
        table.add(key(number))
    following = table.following(tick)
    assert following is not None
    assert list(table.turns(following, following))
    assert not list(table.turns(tick + 1, following - 1))


@pytest.mark.parametrize(
    ("every", "checks", "grain"),
    [
        (20, 1, 1),
        (20, 99, 1),
        (20, 100, 10),
        (20, 500, 10),
        (20, 501, 5),
        (10, 500, 5),
        (10, 2_500, 1),
        (1, 50, 5),
        (1.3, 65, 5),
        (1.02, 51, 1),
        (5, 2_000, 1),
    ],
)
def test_the_fewer_looks_the_more_slots_they_share(every, checks, grain):
    assert grain_of(timedelta(seconds=every), checks) == grain


def test_a_check_that_was_taken_out_has_no_turns():
    table = Timetable(MINUTE)
    for number in (1, 2):
        table.add(key(number))
    table.add(key(1))
    table.remove(key(1))
    assert len(table) == 1
    assert [turn.key for turn in table.turns(0, 6000)] == [key(2)]
    table.remove(key(2))
    assert table.following(0) is None
    with pytest.raises(KeyError):
        table.remove(key(2))
