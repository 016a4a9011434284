"""However a helpdesk's answer is lost, every fault has exactly one ticket. A thousand of each: `python -m tests.soak.lost_answers`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import lost_answers


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", lost_answers.WAYS.values(), ids=lost_answers.WAYS)
def test_a_lost_answer_makes_no_second_ticket_and_loses_none(tmp_path: Path, way: lost_answers.Way) -> None:
    assert lost_answers.lose(tmp_path, way, 15) == []
