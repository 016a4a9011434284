"""Whatever a check goes through, it stands as the rules' own sentences say; `make soak` goes further."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.health import advance
from tests.health.looks import at
from tests.health.reference import Look, Policy
from tests.health.sides import (
    LETTERS,
    SHADES,
    Real,
    contradictions,
    differences,
    disagreement,
    every_sequence,
    line,
    shortest,
    stand,
    step,
)

RULES = (Policy(3, 2), Policy(1, 1), Policy(2, 3))


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32))
def test_any_fifty_events_leave_both_sides_alike(seed: int):
    events = line(Random(seed), 50)
    assert not disagreement(events), disagreement(shortest(events))


@pytest.mark.parametrize("rules", RULES)
def test_every_sequence_of_five_letters_leaves_both_sides_alike(rules: Policy):
    assert every_sequence(LETTERS, 5, rules) == 6 + 6**2 + 6**3 + 6**4 + 6**5


@pytest.mark.parametrize("rules", RULES)
def test_every_sequence_of_four_shades_leaves_both_sides_alike(rules: Policy):
    assert every_sequence(SHADES, 4, rules) == 7 + 7**2 + 7**3 + 7**4


def test_a_judgement_that_is_wrong_by_one_look_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(advance, "IN_DOUBT", 1)
    events = [Look("D", at(number), number, doubtful=True) for number in range(1, 9)]
    assert disagreement(events)
    assert len(shortest(events)) == 4


def test_a_health_that_contradicts_itself_is_found():
    health = step(Real(), Look("D", at(1), 1)).health
    assert contradictions(health) == {}
    assert contradictions(replace(health, streak=0)).keys() == {"looks of the streak"}
    assert differences(Real(health=replace(health, hard=0)), stand([Look("D", at(1), 1)]))
