"""The proofs of the judgement in short; `make soak` has them at full length."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from monitor.observation import Cause
from tests.soak.alarms import BURSTS, SIGMAS, by_bursts, by_chance, expected, watch
from tests.soak.faults import CAUSES, NOT_BY_LOOKING, missed
from tests.soak.whole import Figure


def beyond(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if not figure.is_met]


@pytest.mark.parametrize(("attempts", "chance"), [(1, 0.01), (3, 0.05)])
def test_chance_raises_as_many_alarms_as_it_should(attempts: int, chance: float):
    counted = watch(70_000, attempts, by_chance(chance, Random(f"{attempts} {chance}")))
    mean, sigma = expected(counted.looks, chance, attempts)
    assert abs(counted.alarms - mean) <= SIGMAS * sigma


@pytest.mark.parametrize("longest", BURSTS)
def test_bursts_that_are_an_attempt_too_short_raise_none(longest: int):
    assert beyond(by_bursts(30_000, longest, seed=1)) == []


def test_what_is_to_be_expected_is_the_formula_of_the_rules():
    """500 checks a minute for 30 days: 216,000, 2,160 and 21.6 alarms, each turn making 1 / 0.99 looks."""
    looks = round(500 * 43_200 / 0.99)
    assert expected(looks, 0.01, 2).mean == pytest.approx(2_160, rel=0.001)
    assert expected(looks, 0.01, 3).mean == pytest.approx(21.6, rel=0.001)


def test_every_cause_is_either_one_of_a_target_that_is_looked_at_or_not():
    assert {*CAUSES, *NOT_BY_LOOKING} == set(Cause)


@pytest.mark.timeout(300)
def test_faults_of_every_cause_are_found_in_time_and_told_once():
    assert beyond(missed(count=40, servers=40, longest=timedelta(minutes=10))) == []
