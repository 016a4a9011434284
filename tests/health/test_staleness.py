"""When what we know of a check is too old, and when that is our own absence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.staleness import patience, survey, told_at
from monitor.health.state import Health
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Outcome

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND, LIMIT = timedelta(seconds=1), timedelta(seconds=180)
KEY = CheckKey(ServerId("gye1"), "http")


def seen(age: timedelta) -> Health:
    return Health(check=KEY, confirmed=State.UP, looked_at=NOON - age, outcome=Outcome.OK)


def judged(health: Health, *, awake: timedelta = timedelta(days=1), before: bool = False):
    return survey([(health, LIMIT)], before={KEY} if before else (), awake_since=NOON - awake, moment=NOON)


@pytest.mark.parametrize(
    ("every", "timeout", "expected"), [(60, 10, 180), (1, 10, 71), (3600, 10, 10800), (30, 30, 120)]
)
def test_patience_is_three_intervals_or_one_and_a_minute(every: int, timeout: int, expected: int):
    assert patience(every * SECOND, timeout * SECOND) == expected * SECOND


def test_only_looks_that_told_something_count():
    told = Health(check=KEY, looked_at=NOON, outcome=Outcome.DOWN)
    assert told_at(told) == NOON
    silent = Health(
        check=KEY,
        confirmed=State.UP,
        looked_at=NOON,
        outcome=Outcome.UNKNOWN,
        last_ok_at=NOON - LIMIT,
        unknown_since=NOON - 60 * SECOND,
    )
    assert told_at(silent) == NOON - LIMIT
    assert told_at(Health(check=KEY, looked_at=NOON, outcome=Outcome.UNKNOWN)) is None


@given(st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_a_check_is_stale_after_its_patience_and_operators_hear_after_the_same_again(age: timedelta):
    found = judged(seen(age))
    assert (KEY in found.stale) == (age > LIMIT)
    assert found.stale.get(KEY, False) == (age > 2 * LIMIT)
    if found.due is not None:
        later = survey([(seen(age), LIMIT)], before=(), awake_since=NOON - LIMIT, moment=found.due)
        assert later.stale.keys() == found.stale.keys(), "nothing turns before it is due"


@given(st.timedeltas(timedelta(0), timedelta(days=2)), st.timedeltas(timedelta(0), LIMIT))
def test_after_an_absence_of_ours_nobody_is_stale_before_a_fresh_round(age: timedelta, awake: timedelta):
    assert not judged(seen(age), awake=awake).stale


def test_what_was_stale_stays_so_until_a_look_tells_something():
    assert KEY in judged(seen(2 * LIMIT), awake=SECOND, before=True).stale
    assert KEY not in judged(seen(SECOND), awake=SECOND, before=True).stale


def test_a_clock_that_was_set_back_makes_nobody_stale():
    assert not judged(seen(-timedelta(hours=1))).stale
