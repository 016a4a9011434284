"""How looks become confirmed states."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.health.advance import advance, persist, retry_gap, wants_retry
from monitor.health.blindness import BLIND_AFTER, is_blind
from monitor.health.state import Health, Policy
from monitor.health.words import State
from monitor.observation import Cause
from tests.health.looks import CHECK, at, look, policy, watch

SHORT = {
    State.UNKNOWN: "?",
    State.UP: "U",
    State.SUSPECT: "s",
    State.DEGRADED: "W",
    State.DOWN: "D",
    State.RECOVERING: "r",
}


@pytest.mark.parametrize(
    ("looks", "states", "rules"),
    [
        ("O D D D", "U s s D", policy()),
        ("O D D O D D O", "U s s U s s U", policy()),
        ("O S S S", "U s s W", policy()),
        ("O D S D", "U s s s", policy()),
        ("O S D D D", "U s s s D", policy()),
        ("D D D", "s s D", policy()),
        ("D D O", "s s U", policy()),
        ("O D D D O O", "U s s D r U", policy()),
        ("O D D D O D O O", "U s s D r D r U", policy()),
        ("O D D D S S", "U s s D r W", policy()),
        ("O D D D S O O", "U s s D r r U", policy()),
        ("O D D D O S S", "U s s D r W W", policy()),
        ("O S S S O O", "U s s W r U", policy()),
        ("O S S S D D D", "U s s W s s D", policy()),
        ("O S S S D S O S", "U s s W s W r W", policy()),
        ("O ? D ? D ? D", "U U s s s s D", policy()),
        ("? ?", "? ?", policy()),
        ("O D O", "U D U", policy(1, 1)),
        ("O S D O", "U W D U", policy(1, 1)),
        ("D O", "D U", policy(1, 1)),
        ("O D S S S", "U D W W W", policy(1, 1)),
    ],
)
def test_a_change_counts_only_when_it_repeats(looks: str, states: str, rules: Policy):
    seen = []
    health = Health(check=CHECK)
    for step, letter in enumerate(looks.split()):
        health, _ = advance(health, look(letter, step), rules)
        seen.append(SHORT[health.state])
    assert " ".join(seen) == states


def test_mixed_failures_confirm_degraded_and_remember_how_far_down_they_are():
    """`O D S D` is degraded with one `down` on its way: two more make three in a row."""
    health, changes = watch("O D S D D D", policy())
    after = [change.after if change else None for change in changes]
    assert after == [State.UP, None, None, State.DEGRADED, None, State.DOWN]
    assert changes[3].since == at(1)
    assert changes[5].since == at(3)
    assert health.confirmed is State.DOWN


def test_a_fault_starts_with_the_first_failing_look_and_ends_with_the_first_good_one():
    health, changes = watch("O D D D D O O", policy())
    assert (changes[3].since, changes[3].observation.started_at) == (at(1), at(3))
    assert changes[3].last_ok_at == at(0)
    assert (changes[6].before, changes[6].after, changes[6].since) == (State.DOWN, State.UP, at(5))
    assert health.since == at(5)


def test_the_first_good_look_ever_says_up_and_is_a_change():
    _, changes = watch("O", policy(recover=5))
    assert (changes[0].before, changes[0].after) == (State.UNKNOWN, State.UP)


def test_a_late_look_changes_nothing_at_all():
    health, _ = watch("O D D", policy())
    for letter in "ONSD?":
        assert advance(health, look(letter, 2), policy()) == (health, None)
        assert advance(health, look(letter, 1), policy()) == (health, None)


def test_our_own_trouble_neither_raises_nor_resets_a_streak():
    suspect, _ = watch("O D D", policy())
    troubled, change = advance(suspect, look("?", 9), policy())
    assert change is None
    assert troubled == replace(
        suspect,
        looked_at=at(9),
        outcome=troubled.outcome,
        cause=Cause.OWN,
        found="?",
        took_ms=12.5,
        unknowns=1,
        unknown_since=at(9),
    )


def test_looks_that_tell_nothing_make_a_check_blind_until_one_does():
    blind, _ = watch("O ? ? ? ? ? ? ?", policy())
    assert is_blind(blind)
    assert (blind.unknowns, blind.unknown_since) == (BLIND_AFTER, at(1))
    seeing, _ = advance(blind, look("D", 9), policy())
    assert not is_blind(seeing)
    assert seeing.unknown_since is None


def test_four_looks_that_tell_nothing_are_a_hiccup():
    health, _ = watch("O ? ? ? ?", policy())
    assert not is_blind(health)


@pytest.mark.parametrize("letter", ["O", "N", "S", "D"])
def test_a_steady_check_carries_nothing_that_grows(letter: str):
    settled, _ = watch(letter * 5, policy())
    later, changes = watch(letter * 100, policy(), settled, first=5)
    assert not any(changes)
    assert later == replace(settled, looked_at=later.looked_at, last_ok_at=later.last_ok_at)
    assert (later.streak, later.hard, later.streak_since, later.doubts) == (0, 0, None, ())


def test_a_restart_in_mid_streak_goes_on_counting():
    """What is stored is the value; nothing else remembers."""
    health, _ = watch("O D D", policy())
    assert (health.streak, health.hard, health.streak_since) == (2, 2, at(1))
    restored = Health(**{name: getattr(health, name) for name in Health.__slots__})
    assert watch("D", policy(), restored, first=3)[0].confirmed is State.DOWN


def test_fewer_attempts_after_a_reload_are_used_by_the_next_look():
    health, _ = watch("O D D D", policy(5))
    assert health.state is State.SUSPECT
    lowered, change = advance(health, look("D", 4), policy(2))
    assert (lowered.confirmed, change.since) == (State.DOWN, at(1))


class TestWarnings:
    """Rule D11: what only the staff cares for stays apart from what users feel."""

    def test_a_certificate_near_its_end_is_not_felt_and_slowness_is(self):
        assert watch("O N N N", policy())[0].felt is False
        assert watch("O S S S", policy())[0].felt is True
        assert watch("O D D D", policy())[0].felt is True

    def test_one_slip_of_a_check_that_warns_the_staff_is_not_felt(self):
        """A certificate near its end warns for weeks; a single lost look among that must not alarm customers."""
        health, changes = watch("O N N N D N N D D N", policy())
        assert (health.confirmed, health.felt) == (State.DEGRADED, False)
        assert sum(change is not None for change in changes) == 2

    def test_slowness_on_top_of_a_staff_warning_is_confirmed_like_any_change(self):
        health, changes = watch("O N N N S S S", policy())
        assert (health.confirmed, health.felt) == (State.DEGRADED, True)
        assert (changes[6].before, changes[6].after, changes[6].since) == (
            State.DEGRADED,
            State.DEGRADED,
            at(4),
        )

    def test_slowness_that_ends_leaves_the_staff_warning(self):
        health, changes = watch("O S S S N N", policy())
        assert (health.confirmed, health.felt) == (State.DEGRADED, False)
        assert changes[5].since == at(4)


class TestEndOfWindow:
    """Rules M1 and M2: what a window hid needs fresh looks before it tells anybody."""

    def test_a_failure_that_goes_on_is_confirmed_anew_and_keeps_its_start(self):
        down, _ = watch("O D D D", policy())
        after = persist(down)
        assert (after.confirmed, after.persisting, after.streak) == (State.DOWN, True, 0)
        confirmed, changes = watch("D D D", policy(), after, first=10)
        assert changes[:2] == [None, None]
        assert (changes[2].before, changes[2].after, changes[2].since) == (State.DOWN, State.DOWN, at(1))
        assert (confirmed.persisting, confirmed.since) == (False, at(1))

    def test_a_failure_that_is_over_recovers_and_persists_no_more(self):
        after = persist(watch("O D D D", policy())[0])
        up, changes = watch("D O O", policy(), after, first=10)
        assert (up.confirmed, up.persisting) == (State.UP, False)
        assert (changes[2].before, changes[2].after, changes[2].since) == (State.DOWN, State.UP, at(11))

    def test_a_failure_that_became_milder_is_confirmed_as_what_it_is_now(self):
        after = persist(watch("O D D D", policy())[0])
        health, changes = watch("S S S", policy(), after, first=10)
        assert (health.confirmed, changes[2].since) == (State.DEGRADED, at(10))

    def test_suspicion_gathered_inside_counts_for_nothing(self):
        after = persist(watch("O D D", policy())[0])
        assert (after.state, after.streak, after.persisting) == (State.UP, 0, False)
        assert watch("D D", policy(), after, first=10)[0].confirmed is State.UP

    def test_a_healthy_check_is_left_as_it_is(self):
        up, _ = watch("O O", policy())
        assert persist(up) == up


class TestRetry:
    @pytest.mark.parametrize(
        ("looks", "wanted"),
        [("", False), ("O", False), ("O D", True), ("O D D D", False), ("O D D D O", True), ("D", True)],
    )
    def test_a_change_on_its_way_is_looked_at_again_soon(self, looks: str, wanted: bool):
        assert wants_retry(watch(looks, policy())[0]) is wanted

    def test_after_a_window_failing_checks_are_looked_at_again_soon(self):
        assert wants_retry(persist(watch("O D D D", policy())[0]))

    def test_failures_and_recoveries_have_gaps_of_their_own(self):
        suspect, _ = watch("O D", policy())
        recovering, _ = watch("O D D D O", policy())
        assert retry_gap(suspect, policy()) == timedelta(seconds=15)
        assert retry_gap(recovering, policy()) == timedelta(seconds=20)
