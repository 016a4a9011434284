"""What depends on what, to any depth."""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.lineage import lineage_of
from monitor.identifiers import ServerId
from tests.incidents.builders import SERVER


def fleet(**parents: str):
    return [
        replace(SERVER, id=ServerId(name), depends_on=tuple(map(ServerId, depends.split())))
        for name, depends in parents.items()
    ]


def test_the_nearest_come_first_and_each_once():
    lineage = lineage_of(fleet(core="", edge="core", rack="edge core", web="rack"))
    assert lineage.ancestors(ServerId("web")) == ("rack", "edge", "core")
    assert lineage.descendants(ServerId("core")) == ("edge", "rack", "web")
    assert lineage.ancestors(ServerId("core")) == lineage.descendants(ServerId("web")) == ()


def test_what_is_not_watched_is_left_out():
    assert lineage_of(fleet(web="gone")).ancestors(ServerId("web")) == ()


def test_a_circle_is_refused():
    with pytest.raises(CycleError):
        lineage_of(fleet(one="two", two="one"))


@given(st.lists(st.sets(st.integers(0, 11), max_size=4), min_size=1, max_size=12))
def test_above_and_below_say_the_same(drawn: list[set[int]]):
    servers = fleet(
        **{
            f"s{number}": " ".join(f"s{other}" for other in sorted(below) if other < number)
            for number, below in enumerate(drawn)
        }
    )
    lineage = lineage_of(servers)
    names = [server.id for server in servers]
    for one in names:
        assert set(lineage.ancestors(one)) == {other for other in names if one in lineage.descendants(other)}
        assert one not in lineage.ancestors(one)
