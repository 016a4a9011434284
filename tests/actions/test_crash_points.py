"""Wherever a process dies on a fault's way to its ticket, the next one ends with exactly one. More of it: `python -m tests.soak.crashes`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.soak import crashes


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", crashes.POINTS.values(), ids=crashes.POINTS)
def test_a_death_at_this_point_loses_nothing_and_doubles_nothing(tmp_path: Path, point: str) -> None:
    assert crashes.points(tmp_path, 5, [point]) == []


@pytest.mark.timeout(300)
def test_deaths_at_moments_of_chance_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    incidents, wrong = crashes.kills(tmp_path, 25, random.Random(7))
    assert wrong == []
    assert incidents
