"""Any process may be killed at any moment: nothing acknowledged is lost, nothing is said or asked twice."""

from __future__ import annotations

import random

import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for
from tests.journeys.killing import assert_one_of_each, kill_through_outages, shuffled_roles

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", [11, 23])
def test_kill_dash_nine_loses_and_doubles_nothing(house: House, nginx: Nginx, seed: int) -> None:
    """Ten kills with each seed, at random moments of outages and recoveries; every role is met at least twice."""
    chance = random.Random(seed)
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        returns = kill_through_outages(house, nginx, shuffled_roles(chance, 10), chance)
        assert_one_of_each(house)
        assert len(returns) == 10
