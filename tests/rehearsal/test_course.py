"""The leap over looks that found the same changes nothing but the time it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.advance import advance, persist
from monitor.health.flapping import LASTING
from monitor.health.state import Health, Policy, Transition
from monitor.health.words import State
from monitor.observation import Observation
from monitor.rehearsal import course as rehearsal
from monitor.rehearsal.course import Course, replay, settles_within
from tests.health.looks import CHECK, STEP, at, look, policy

RUNS = st.lists(st.tuples(st.sampled_from("OOONSDD?"), st.integers(1, 60)), max_size=14)
POLICIES = st.builds(policy, st.integers(1, 6), st.integers(1, 5))


def line(letters: str) -> list[Observation]:
    return [look(letter, step) for step, letter in enumerate(letters.replace(" ", ""))]


def plainly(
    looks: list[Observation], rules: Policy, ends: list[datetime]
) -> tuple[Health, list[tuple[datetime, Transition]], list[tuple[datetime, tuple[State, bool]]]]:
    """Judge every single look, one by one, as watch does; return what was confirmed, and what was held from when on."""
    health = Health(check=CHECK)
    transitions = []
    held = []
    waiting = list(ends)

    def left() -> None:
        nonlocal health
        end = waiting.pop(0)
        if health.looked_at is not None:
            health = persist(health)
            held.append((end, (health.confirmed, health.persisting)))

    for one in looks:
        while waiting and waiting[0] <= one.started_at and (health.looked_at or at(-1)) < one.started_at:
            left()
        health, transition = advance(health, one, rules)
        ended = one.started_at + timedelta(milliseconds=one.took_ms)
        held.append((ended, (health.confirmed, health.persisting)))
        if transition is not None:
            transitions.append((ended, transition))
    while waiting:
        left()
    return health, transitions, held


def replayed(course: Course) -> list[tuple[datetime, Transition]]:
    return [(turn.at, turn.transition) for turn in course.turns if turn.transition is not None]


@given(
    runs=RUNS,
    rules=POLICIES,
    late=st.lists(st.tuples(st.integers(0, 200), st.sampled_from("OSD?"), st.integers(0, 5)), max_size=4),
    ends=st.lists(st.integers(-1, 300), max_size=4, unique=True).map(sorted),
)
def test_the_leap_comes_to_what_every_single_look_comes_to(runs, rules, late, ends):
    looks = line("".join(letter * times for letter, times in runs))
    for place, letter, back in late:
        looks.insert(min(place, len(looks)), look(letter, max(0, min(place, len(looks)) - back)))
    # No look of the letters lasts until then.
    moments = [at(end) + STEP / 2 for end in ends]
    course = replay(CHECK, looks, rules, moments)
    health, transitions, held = plainly(looks, rules, moments)
    assert course.health == health
    assert replayed(course) == transitions
    told = [(turn.at, (turn.health.confirmed, turn.health.persisting)) for turn in course.turns]
    assert news(told) == news(held)


def news(held: list[tuple[datetime, tuple[State, bool]]]) -> list[tuple[datetime, tuple[State, bool]]]:
    """Return when something else was held than before."""
    nothing = (at(-2), (State.UNKNOWN, False))
    return [one for before, one in pairwise([nothing, *held]) if before[1] != one[1]]


@pytest.mark.parametrize("letter", "ONSD?")
def test_a_long_row_of_equal_looks_is_judged_by_a_few_of_them(letter, monkeypatch):
    """What makes a month of looks a matter of seconds."""
    judged = []

    def counted(health: Health, observation: Observation, rules: Policy):
        judged.append(observation)
        return advance(health, observation, rules)

    monkeypatch.setattr(rehearsal, "advance", counted)
    looks = line(letter * 5000)
    assert replay(CHECK, looks, policy(), ()).health.looked_at == at(4999)
    assert len(judged) < 40


def test_the_past_is_judged_by_the_attempts_that_are_asked_for():
    looks = line("O D D O D D D D O O")
    assert replayed_states(looks, policy(confirm=2)) == [State.UP, State.DOWN, State.UP]
    assert replayed_states(looks, policy(confirm=2, recover=1)) == [
        State.UP,
        State.DOWN,
        State.UP,
        State.DOWN,
        State.UP,
    ]
    assert replayed_states(looks, policy(confirm=4)) == [State.UP, State.DOWN, State.UP]
    assert replayed_states(looks, policy(confirm=5)) == [State.UP]


def replayed_states(looks: list[Observation], rules: Policy) -> list[State]:
    return [transition.after for _, transition in replayed(replay(CHECK, looks, rules, ()))]


def test_a_change_is_known_when_the_look_that_confirms_it_ends():
    looks = [replace(one, took_ms=2500.0) for one in line("O D D D")]
    (_, down) = replay(CHECK, looks, policy(), ()).turns
    assert down.transition is not None
    assert (down.transition.since, down.at) == (at(1), at(3) + timedelta(seconds=2.5))


def test_a_window_that_ends_before_the_first_look_leaves_nothing_behind():
    assert replay(CHECK, line("O"), policy(), (at(-1),)) == replay(CHECK, line("O"), policy(), ())


@given(runs=RUNS, rules=POLICIES, more=st.integers(1, 5))
def test_so_many_healthy_looks_settle_whatever_was_before(runs, rules, more):
    """What is not read is what could not change anything: the middle of a long row of healthy looks."""
    before = "".join(letter * times for letter, times in runs)
    settling = "O" * settles_within(rules)
    health = replay(CHECK, line(before + settling), rules, ()).health
    after = replay(CHECK, line(before + settling + "O" * more), rules, ())
    newest = {"looked_at": after.health.looked_at, "last_ok_at": after.health.last_ok_at}
    assert after.health == replace(health, **newest, sequence=after.health.sequence)


def test_a_check_that_has_come_and_gone_for_long_turns_when_that_is_known():
    course = replay(CHECK, line("OD" * 100), policy(), ())
    flapping = [turn.at for turn in course.turns if turn.health.flapping]
    assert flapping[1] - flapping[0] >= LASTING
