"""What watch and its outposts say to each other arrives as it was meant, whole or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.checks.policy import TargetPolicy
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Measure, Observation, Outcome
from monitor.prober import Known, ResolverSettings
from monitor.station.lookout import Assignment
from monitor.station.wire import (
    Again,
    Close,
    Drop,
    Now,
    Open,
    Renew,
    Take,
    Told,
    frame_of,
    read_order,
    read_told,
)
from tests.scheduling.builders import key, plan

MOMENT = datetime(2026, 11, 22, 15, 0, 0, 123_456, tzinfo=UTC)
LOOK = Observation(
    check=key(7),
    started_at=MOMENT,
    took_ms=12.345678901,
    outcome=Outcome.DOWN,
    cause=Cause.STATUS,
    found='503, "expected" 2xx',
    address="2001:db8::1",
    phases={"connect": 1.25, "total": 12.0},
    excerpt="ñandú\nline",
    reproduce="curl 'https://ok.test/'",
    tls_expires_at=MOMENT + timedelta(days=3),
    sequence=99,
    via=("https://ok.test/a",),
    measures=(Measure("used", 0.1 + 0.2, "ratio"),),
    remember={"key": "value"},
)
ORDERS = [
    Open(
        resolver=ResolverSettings(servers=("192.0.2.1:53",), reference="ok.test"),
        policy=TargetPolicy(refuse=("private",), allow=("192.0.2.1",)),
        per_host=4,
    ),
    Open(resolver=None, policy=TargetPolicy(), per_host=16),
    Renew(folder=Path("/etc/vigia"), variables={"TOKEN": "secret"}, files={"key.pem": "secret\n"}),
    Take(assignments=(Assignment(plan=plan(1, port=25, deep={"a": [1, 2.5, None, "x"]})),)),
    Take(
        assignments=(
            Assignment(
                plan=plan(2), until=12.5, known=Known(sequence=3, looked_at=MOMENT, memory={"a": "b"})
            ),
        )
    ),
    Drop(keys=(key(1), key(2)), number=5),
    Again(key=key(1), after=timedelta(seconds=1.5)),
    Now(keys=(key(3),)),
    Close(),
]


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


@pytest.mark.parametrize("order", ORDERS, ids=[f"{order.order}-{n}" for n, order in enumerate(ORDERS)])
def test_an_order_arrives_as_it_was_given(order):
    async def arrives():
        return await read_order(reader_of(frame_of(order)))

    assert asyncio.run(arrives()) == order


def test_a_report_arrives_as_it_was_made():
    told = Told(
        looks=(LOOK,),
        late=(0.001, 2.5),
        skipped=3,
        lost=1,
        missed=("job",),
        faults=(("a", "b"),),
        dropped=(5,),
    )

    async def arrives():
        return await read_told(reader_of(frame_of(told) + frame_of(Told())))

    assert asyncio.run(arrives()) == told


@given(
    found=st.text(st.characters(exclude_categories=["Cs"])),
    took=st.floats(0, 1e7),
    value=st.floats(allow_nan=False, allow_infinity=False),
    seconds=st.floats(-1e9, 1e9),
)
def test_every_look_survives_the_way(found, took, value, seconds):
    look = Observation(
        check=CheckKey(ServerId("s"), "c"),
        started_at=MOMENT + timedelta(seconds=seconds),
        took_ms=took,
        outcome=Outcome.WARN,
        found=found,
        measures=(Measure("m", value),),
    )

    async def arrives():
        return await read_told(reader_of(frame_of(Told(looks=(look,)))))

    assert asyncio.run(arrives()) == Told(looks=(look,))


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 20, -1])
def test_a_message_that_is_cut_off_is_no_message(cut):
    async def arrives():
        return await read_order(reader_of(frame_of(ORDERS[3])[:cut]))

    assert asyncio.run(arrives()) is None


def test_what_references_stand_for_is_not_in_the_words_of_an_order():
    assert "secret" not in repr(ORDERS[2])
