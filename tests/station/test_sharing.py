"""Who looks at what: evenly, the same everywhere, and moved as little as can be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.scheduling import phase
from monitor.station.sharing import EASY, cores, load, probers_for, share_of
from tests.scheduling.builders import key, plan

GOLDEN = [3, 2, 0, 1, 2, 1, 2, 0]
KEYS = [key(number) for number in range(4000)]


def test_a_share_depends_on_the_name_alone():
    """Golden: another figure would move checks between the processes of a running service at its next update."""
    assert [share_of(key(number), 4) for number in range(8)] == GOLDEN


@given(number=st.integers(0, 10_000), probers=st.integers(1, 64))
def test_every_check_has_one_place(number, probers):
    assert 0 <= share_of(key(number), probers) < probers


@pytest.mark.parametrize("probers", [2, 3, 8, 64])
def test_shares_are_even(probers):
    sizes = Counter(share_of(each, probers) for each in KEYS)
    assert set(sizes) == set(range(probers))
    assert max(sizes.values()) < 1.6 * len(KEYS) / probers


@pytest.mark.parametrize("probers", range(1, 12))
def test_one_more_takes_its_share_from_the_others_and_moves_nothing_else(probers):
    moved = [each for each in KEYS if share_of(each, probers) != share_of(each, probers + 1)]
    assert all(share_of(each, probers + 1) == probers for each in moved)
    assert len(moved) == pytest.approx(len(KEYS) / (probers + 1), rel=0.25)


def test_shares_and_phases_have_nothing_to_do_with_each_other():
    """Else the checks of one process would all begin together."""
    mine = [phase(each, plan(0).every) // 300 for each in KEYS if share_of(each, 4) == 1]
    assert set(Counter(mine)) == set(range(10))
    assert max(Counter(mine).values()) < 1.6 * len(mine) / 10


def test_the_load_is_what_is_planned():
    often, rarely = plan(1, every=1), plan(2, every=60)
    assert load([often]) == pytest.approx(60 * load([rarely]))
    assert load([often, rarely]) == pytest.approx(load([often]) + load([rarely]))
    plain = replace(often, kind="http", options={"url": "http://ok.test/"})
    secured = replace(plain, options={"url": "https://ok.test/"})
    assert load([secured]) > 2 * load([plain])


@pytest.mark.parametrize(
    ("checks", "machine", "probers"), [(1, 1, 1), (1, 64, 1), (10_000, 1, 1), (10_000, 2, 1), (10_000, 4, 3)]
)
def test_a_fleet_that_one_core_serves_easily_has_one_prober_and_one_core_is_left(checks, machine, probers):
    plans = [plan(number, every=1) for number in range(checks)]
    assert probers_for(plans, machine) == probers
    assert (load(plans) > EASY) is (checks > 1)


def test_this_machine_has_a_core():
    assert cores() >= 1
