"""A check that comes and goes, by Icinga 2's measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.advance import advance, persist
from monitor.health.flapping import LOOKS, change_share, changes_seen
from monitor.health.state import Health
from tests.health.looks import CHECK, at, look, policy, watch


def share_of(line: str) -> float:
    """Icinga's formula as its manual has it, of the changes among the newest 21 results in letters."""
    newest = line[-(LOOKS + 1) :].rjust(LOOKS + 1, line[0])
    changed = [before != after for before, after in pairwise(newest)]
    return 100 / 20 * sum(one * (0.80 + 0.02 * place) for place, one in enumerate(changed))


@pytest.mark.parametrize(
    ("changes", "share"), [(0, 0.0), (1, 5.9), (0b111111, 33.9), ((1 << LOOKS) - 1, 99.0)]
)
def test_the_published_examples_come_out(changes: int, share: float):
    assert change_share(changes) == pytest.approx(share)


def test_six_changes_in_a_row_begin_it_and_the_sixth_is_its_start():
    health, _ = watch("O DODOD", policy())
    assert not health.flapping
    health, _ = watch("O", policy(), health, first=6)
    assert health.flapping_since == at(6)
    assert changes_seen(health) == 6


def test_fifteen_quiet_looks_end_it_and_fourteen_do_not():
    restless, _ = watch("O DODODO", policy())
    health, _ = watch("O" * 14, policy(), restless, first=7)
    assert health.flapping
    health, _ = watch("O" * 15, policy(), restless, first=7)
    assert not health.flapping


def test_a_single_failure_in_a_hundred_is_nowhere_near():
    health, _ = watch(("O" * 99 + "D") * 3, policy())
    assert not health.flapping
    assert change_share(health.changes) < 12


def test_a_single_look_that_fails_in_each_of_seven_is_not_held_for_flapping():
    """Two changes in seven looks weigh less than a third: that is a weak line, and one that is told by its fault alone."""
    health, _ = watch("OOOOOOD" * 10, policy())
    assert not health.flapping


@pytest.mark.parametrize("letters", ["O?D?O?D?O?D?O", "?ODO??DODO"])
def test_our_own_trouble_is_no_change(letters: str):
    with_trouble, _ = watch(letters, policy())
    without, _ = watch(letters.replace("?", ""), policy())
    assert (with_trouble.changes, with_trouble.flapping) == (without.changes, without.flapping)


def test_what_only_the_staff_cares_for_does_not_flap():
    assert not watch("ONONONONONON", policy())[0].flapping
    assert watch("OSOSOSOSOSOS", policy())[0].flapping


def test_a_window_is_forgotten_with_its_end():
    """Whoever restarts a machine six times during planned work has not made it unstable."""
    restless, _ = watch("O DODODO", policy())
    rested = persist(restless)
    assert (rested.changes, rested.flapping) == (0, False)
    assert not watch("DODOD", policy(), rested, first=7)[0].flapping


@given(line=st.text("OD", min_size=1, max_size=80))
def test_it_begins_and_ends_where_the_formula_says(line: str):
    flapping, health = False, Health(check=CHECK)
    for step, letter in enumerate(line):
        health, _ = advance(health, look(letter, step), policy())
        share = share_of(line[: step + 1])
        assert change_share(health.changes) == pytest.approx(share)
        flapping = share > 30 + 1e-9 or (flapping and share > 25 + 1e-9)
        assert health.flapping is flapping


@given(line=st.text("ODNS?", max_size=60), cut=st.integers(0, 60))
def test_flapping_changes_nothing_about_what_is_confirmed(line: str, cut: int):
    """The rows of D2 and D9 know nothing of it; and a health that was stored and read goes on as if it never had been."""
    whole, changes = watch(line, policy())
    before, first = watch(line[:cut], policy())
    after, rest = watch(line[cut:], policy(), replace(before, sequence=0), first=min(cut, len(line)))
    assert after == whole
    assert first + rest == changes


class TestOrder:
    """Looks are judged in their order, whatever the clock says."""

    def numbered(self, letter: str, step: int, number: int):
        return replace(look(letter, step), sequence=number)

    @pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=1), timedelta(days=20_000)])
    def test_a_clock_that_is_set_back_makes_no_look_late(self, back: timedelta):
        health, change = Health(check=CHECK), None
        for number, letter in enumerate("OODDD", start=1):
            seen = self.numbered(letter, number, number)
            seen = replace(seen, started_at=seen.started_at - (back if number > 2 else timedelta(0)))
            health, change = advance(health, seen, policy())
        assert change is not None
        assert change.since == at(3) - back

    def test_the_same_look_twice_and_one_from_before_change_nothing(self):
        health = Health(check=CHECK)
        for number, letter in enumerate("ODD", start=1):
            health, _ = advance(health, self.numbered(letter, number, number), policy())
        for number in (3, 2, 1):
            assert advance(health, self.numbered("D", number, number), policy()) == (health, None)

    def test_somebody_else_who_counts_from_one_again_is_heard(self):
        health = Health(check=CHECK)
        for number in range(1, 50):
            health, _ = advance(health, self.numbered("O", number, number), policy())
        for number in range(1, 4):
            health, _ = advance(health, self.numbered("D", 49 + number, number), policy())
        assert health.confirmed == "down"

    def test_after_a_restart_the_first_numbered_look_is_the_newest(self):
        health, _ = watch("OOO", policy())
        early = replace(self.numbered("D", 0, 1), started_at=at(0) - timedelta(hours=1))
        health, _ = advance(health, early, policy())
        assert health.state == "suspect"
