"""The looks of a long time, without the middle of rows of healthy ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.health.uptime import Span
from monitor.observation import Observation
from monitor.store import observations, readings
from monitor.store.database import Database
from monitor.store.readings import Strip
from tests.health.looks import CHECK, START, at, look

NUMBER = 7
EVER = Span(START - timedelta(days=1), START + timedelta(days=1))


def write(database: Database, letters: str, first: int = 0) -> list[Observation]:
    looks = [look(letter, step) for step, letter in enumerate(letters, first)]
    with database.writing() as tx:
        observations.record(tx, [(NUMBER, one) for one in looks])
    return looks


def settle(database: Database, now: datetime = EVER.end) -> None:
    with database.writing() as tx:
        while observations.settle(tx, now):
            pass


def read(database: Database, few: int = 3, period: Span = EVER) -> Strip:
    with database.reading() as tx:
        return readings.strip(tx, (CHECK, NUMBER), period, readings.fresh_looks(tx, period, few), few)


def steps(strip: Strip) -> list[int]:
    return [round((one.started_at - START) / (at(1) - START)) for one in strip.looks]


def test_the_middle_of_healthy_looks_is_left_out(database: Database):
    write(database, "OOOOOOODSOOOOOOO")
    settle(database)
    strip = read(database)
    assert (steps(strip), strip.seen) == ([0, 1, 2, 6, 7, 8, 9, 10, 11, 15], 16)
    assert [one.outcome for one in strip.looks][4:6] == [look("D", 0).outcome, look("S", 0).outcome]
    assert (strip.looks[5].cause, strip.looks[5].took_ms) == (look("S", 0).cause, 12.5)


def test_a_look_that_came_late_is_found_among_those_that_were_settled(database: Database):
    write(database, "OOOOOOOOOOOOOOOOOOOO")
    settle(database)
    late = look("D", 0)
    with database.writing() as tx:
        observations.record(tx, [(NUMBER, look("D", 0)), (NUMBER, look("O", 30))])
        tx.execute("UPDATE hot SET started_ms = started_ms + 142500 WHERE outcome = 2")
    strip = read(database)
    assert len(strip.looks) == 3 + 1 + 1 + 3 + 1 + 1
    (found,) = [one for one in strip.looks if one.outcome is late.outcome]
    assert found.started_at == late.started_at + timedelta(seconds=142.5)


def test_the_middle_of_healthy_looks_is_left_out_before_they_are_settled_too(database: Database):
    write(database, "OOOOOOODSOOOOOOO")
    strip = read(database)
    assert (steps(strip), strip.seen) == ([0, 1, 2, 6, 7, 8, 9, 10, 11, 15], 16)


def test_only_looks_of_the_period_are_read(database: Database):
    write(database, "DDDDDDDD")
    assert steps(read(database, period=Span(at(2), at(5)))) == [2, 3, 4]
    settle(database)
    strip = read(database, period=Span(at(2), at(5)))
    assert (steps(strip), strip.seen) == ([2, 3, 4], 3)


def test_of_a_check_that_nobody_looked_at_there_is_nothing(database: Database):
    assert read(database) == Strip(looks=(), seen=0)


def test_what_is_settled_between_two_readings_is_there_once(database: Database):
    write(database, "OODDOO")
    with database.reading() as tx:
        fresh = readings.fresh_looks(tx, EVER, 3)
    settle(database)
    with database.reading() as tx:
        strip = readings.strip(tx, (CHECK, NUMBER), EVER, fresh, 3)
    assert steps(strip) == [0, 1, 2, 3, 4, 5]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.tuples(st.sampled_from("OOD?NS"), st.integers(1, 12)), max_size=8),
    settled=st.integers(0, 60),
    few=st.integers(1, 5),
)
def test_all_that_matters_is_there(fresh, runs, settled, few):
    database = fresh()
    letters = "".join(letter * times for letter, times in runs)
    write(database, letters[:settled])
    settle(database)
    write(database, letters[settled:], settled)
    found = steps(read(database, few))
    assert found == sorted(set(found))
    healthy = 0
    for step, letter in enumerate(letters):
        healthy = healthy + 1 if letter == "O" else 0
        ends = step + 1 == len(letters) or letters[step + 1] != "O"
        if letter != "O" or healthy <= few or ends:
            assert step in found
