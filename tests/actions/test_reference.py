"""Whatever a small fleet goes through, it is judged and told as the rules' own sentences say; `make soak` goes further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.actions import respond
from monitor.health import flapping
from monitor.incidents import decision, parents
from tests.actions.sides import (
    LETTERS,
    Act,
    Begin,
    beginning,
    disagreement,
    every_sequence,
    rules,
    shortest,
    story,
)

FIGURES = ((1, 1), (2, 1), (3, 2))


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    with beginning(tmp_path) as one_more:
        yield one_more


@pytest.mark.timeout(300)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), figures=st.sampled_from(FIGURES))
def test_any_thirty_acts_leave_both_sides_alike_and_end(begin: Begin, seed: int, figures: tuple[int, int]):
    watched, acts = rules(*figures), story(Random(seed), 30)
    assert not disagreement(begin, watched, acts), disagreement(
        begin, watched, shortest(begin, watched, acts)
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("figures", [(1, 1), (2, 1)])
def test_every_sequence_of_three_letters_leaves_both_sides_alike(begin: Begin, figures: tuple[int, int]):
    assert len(LETTERS) == 9
    assert every_sequence(begin(rules(*figures)), 3) == 9 + 9**2 + 9**3


DOWN, WELL = LETTERS["down"], LETTERS["ok"]


@pytest.mark.parametrize(
    ("room", "name", "wrong", "acts"),
    [
        (flapping, "_BEGINS_ABOVE", 2000, [DOWN, WELL] * 5),
        (decision, "_reopens", lambda *_: False, [DOWN, WELL, *["wait"] * 4, DOWN]),
        (decision, "due", lambda *_: False, [DOWN, WELL, *["wait"] * 4]),
        (parents, "is_out", lambda _: False, [LETTERS["parent down"], DOWN]),
    ],
    ids=["what comes and goes", "what is back soon", "what is over", "what is behind another"],
)
def test_a_judgement_that_is_wrong_is_found(
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
    room: ModuleType,
    name: str,
    wrong: object,
    acts: list[Act],
):
    assert not disagreement(begin, rules(1, 1), acts)
    monkeypatch.setattr(room, name, wrong)
    monkeypatch.setattr(respond, "due", decision.due)
    assert disagreement(begin, rules(1, 1), acts)
