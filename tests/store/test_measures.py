"""Figures beside the times, what checks remember, and how much evidence a long outage leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.observation import (
    MEASURES_LIMIT,
    MEMORY_KEYS_LIMIT,
    MEMORY_LIMIT,
    Cause,
    Measure,
    Observation,
    Outcome,
)
from monitor.store import observations, readings
from monitor.store.database import Database
from monitor.store.observations import Keep
from monitor.store.observations.measures import NAMES_LIMIT
from monitor.store.observations.recording import MOST_AN_HOUR, SAME_AN_HOUR
from tests.store.history import NOON, append, applied
from tests.store.test_observations import HTTP, LONG, count, look, record, settle, stored

DAY = timedelta(days=1)


def taken(minutes: float = 0, **figures: float) -> Observation:
    return look(minutes, measures=tuple(Measure(name, value) for name, value in figures.items()))


def series(database: Database, name: str, number: int = 1) -> list[tuple[float, float]]:
    """Return the values of a measure with the minute they were taken in."""
    with database.reading() as tx:
        found = observations.measure_series(tx, number, name, NOON - LONG, NOON + LONG)
    return [((figure.at - NOON) / timedelta(minutes=1), figure.value) for figure in found]


def last(database: Database, number: int = 1) -> dict[str, float]:
    with database.reading() as tx:
        return {figure.name: figure.value for figure in observations.last_measures(tx).get(number, ())}


class TestMeasures:
    def test_a_series_reads_back_the_same_before_and_after_it_is_settled(self, database):
        record(database, *(taken(minute, load=minute / 10, users=3) for minute in range(90)))
        before = series(database, "load")
        assert before == [(minute, minute / 10) for minute in range(90)]
        assert settle(database, NOON + timedelta(minutes=95), most=7) == 14
        assert series(database, "load") == before
        while settle(database, NOON + timedelta(minutes=95), most=7):
            assert series(database, "load") == before
        assert (count(database, "measures"), count(database, "hot_measures")) == (120, 60)
        assert last(database) == {"load": 8.9, "users": 3}

    def test_a_look_without_figures_writes_none(self, database):
        record(database, look(0), look(1))
        assert [count(database, table) for table in ("measure_names", "hot_measures", "memories")] == [0] * 3

    def test_the_same_name_in_another_unit_is_another_series(self, database):
        record(database, look(0, measures=(Measure("used", 0.5, "ratio"),)))
        record(database, look(1, measures=(Measure("used", 50.0, "percent"),)))
        with database.reading() as tx:
            found = observations.measure_series(tx, 1, "used", NOON, NOON + DAY)
            newest = observations.last_measures(tx)[1]
        assert [(figure.value, figure.unit) for figure in found] == [(0.5, "ratio"), (50.0, "percent")]
        assert [figure.unit for figure in newest] == ["ratio", "percent"]

    def test_what_is_no_figure_is_left_out(self, database):
        wrong = (
            Measure("Load", 1),
            Measure("a b", 1),
            Measure("", 1),
            Measure("x" * 64, 1),
            Measure("nan", math.nan),
            Measure("endless", -math.inf),
        )
        record(database, look(0, measures=(*wrong, Measure("load", 0.5), Measure("load", 9))))
        assert last(database) == {"load": 0.5}

    def test_only_so_many_figures_of_a_look_and_so_many_names_of_a_check_are_kept(self, database):
        for minute in range(NAMES_LIMIT):
            record(database, taken(minute, **{f"m{minute}_{one}": one for one in range(MEASURES_LIMIT + 9)}))
        record(database, taken(0, load=1), number=2)
        assert count(database, "measure_names") == NAMES_LIMIT + 1
        assert count(database, "hot_measures") == NAMES_LIMIT + 1

    def test_a_repeated_look_counts_once(self, database):
        record(database, taken(0, load=1), taken(0, load=2))
        assert series(database, "load") == [(0, 1)]
        settle(database, NOON + DAY)
        record(database, taken(0, load=3))
        assert series(database, "load") == [(0, 1)]
        settle(database, NOON + DAY)
        assert series(database, "load") == [(0, 1)]

    def test_figures_go_with_their_looks_and_names_with_their_figures(self, database):
        record(
            database, *(taken(1440 * day, **({"old": 1} if day < 5 else {"new": day})) for day in range(40))
        )
        settle(database, NOON + 40 * DAY)
        slices = []
        while not slices or slices[-1] == 7:
            with database.writing() as tx:
                slices.append(observations.prune(tx, Keep(observations=10 * DAY), NOON + 40 * DAY, 7))
        assert [minute / 1440 for minute, _ in series(database, "new")] == list(range(30, 40))
        assert count(database, "measures") == 10
        assert last(database) == {"new": 39}
        assert count(database, "measure_names") == 1

    def test_the_end_of_the_asked_time_is_not_part_of_it(self, database):
        record(database, *(taken(minute, load=minute) for minute in range(3)))
        with database.reading() as tx:
            found = observations.measure_series(tx, 1, "load", NOON, NOON + timedelta(minutes=2))
        assert [figure.value for figure in found] == [0, 1]


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 3 * 86_400_000),
        st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    ),
    max_size=40,
    unique_by=lambda seen: seen[:2],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=LOOKS, sizes=st.lists(st.integers(1, 40), max_size=6))
def test_any_way_of_settling_keeps_every_series_as_it_was(fresh: Callable[[], Database], seen, sizes):
    database = fresh()
    for number, ms, figures in seen:
        record(
            database,
            replace(taken(0, **figures), started_at=NOON + timedelta(milliseconds=ms)),
            number=number,
        )
    expected = {
        (number, name): [
            (timedelta(milliseconds=ms) / timedelta(minutes=1), figures[name])
            for _, ms, figures in sorted_looks(seen, number, name)
        ]
        for number in (1, 2, 3)
        for name in "abc"
    }
    for ahead, size in enumerate([*sizes, 1000]):
        for (number, name), values in expected.items():
            assert series(database, name, number) == values
        for number in (1, 2, 3):
            newest = {
                name: values[-1][1] for (of, name), values in expected.items() if of == number and values
            }
            assert last(database, number) == newest
        settle(database, NOON + timedelta(hours=13 * ahead), size)


def sorted_looks(seen, number: int, name: str):
    return sorted((each for each in seen if each[0] == number and name in each[2]), key=lambda each: each[1])


class TestMemories:
    def remembered(self, database: Database) -> dict[str, str]:
        with database.reading() as tx:
            return dict(readings.memories(tx).get(HTTP, {}))

    def test_what_a_look_remembers_replaces_all_that_was_known(self, database):
        append(database, applied("gye1"))
        record(database, look(0, remember={"key": "ssh-ed25519 AAAA", "asked": "noon"}), number=2)
        record(database, look(1), number=2)
        assert self.remembered(database) == {"key": "ssh-ed25519 AAAA", "asked": "noon"}
        record(database, look(2, remember={"key": "x"}), look(3, remember={"key": "ñ"}), number=2)
        assert self.remembered(database) == {"key": "ñ"}
        record(database, look(4, remember={}), number=2)
        assert self.remembered(database) == {}

    def test_a_memory_is_bounded_and_never_cut_in_half(self, database):
        append(database, applied("gye1"))
        many = {f"k{number}": "v" for number in range(MEMORY_KEYS_LIMIT + 9)}
        record(database, look(0, remember={"long": "x" * (MEMORY_LIMIT + 1), **many}), number=2)
        held = self.remembered(database)
        assert len(held) == MEMORY_KEYS_LIMIT
        assert "long" not in held

    def test_a_check_that_is_watched_no_more_remembers_nothing(self, database):
        append(database, applied("gye1"))
        record(database, look(0, remember={"key": "x"}), number=2)
        append(database, applied("gye1", checks=("ping",)))
        assert self.remembered(database) == {}


class TestEvidenceOfALongOutage:
    def outage(self, database: Database, minutes: float, found: str = "503, expected 2xx", **more) -> None:
        seen = {"cause": Cause.STATUS, "excerpt": "<html>" * 300, "reproduce": "curl https://gye1.example/"}
        record(database, look(minutes, Outcome.DOWN, found=found, **(seen | more)), number=2)

    def whole(self, database: Database) -> int:
        return sum(bool(each.excerpt) for each in stored(database, 2))

    def test_a_few_looks_an_hour_that_found_the_same_are_kept_whole_and_every_finding(self, database):
        for minute in range(6 * 60):
            self.outage(database, minute, phases={"connect": 1.5})
        assert self.whole(database) == 6 * SAME_AN_HOUR
        found = stored(database, 2)
        assert {each.found for each in found} == {"503, expected 2xx"}
        assert all(each.phases == {"connect": 1.5} for each in found)
        assert all(bool(each.excerpt) is bool(each.reproduce) for each in found)

    def test_another_finding_is_kept_whole_at_once(self, database):
        for minute in range(30):
            self.outage(database, minute)
        self.outage(database, 30, found="500, expected 2xx")
        self.outage(database, 31, cause=Cause.RESET)
        assert [bool(each.excerpt) for each in stored(database, 2)[-3:]] == [False, True, True]

    def test_findings_that_are_never_the_same_are_bounded_too(self, database):
        for second in range(3600):
            self.outage(database, second / 60, found=f"the header says {second}")
        assert self.whole(database) == MOST_AN_HOUR
        assert len({each.found for each in stored(database, 2)}) == 3600

    def test_another_check_has_room_of_its_own(self, database):
        for minute in range(30):
            self.outage(database, minute)
        record(database, look(30, Outcome.DOWN, excerpt="page", reproduce="curl"), number=1)
        assert [each.excerpt for each in stored(database, 1)] == ["page"]

    def test_a_line_that_repeats_the_fault_is_found_however_long_it_lasts(self, database):
        append(database, applied("gye1"))
        for minute in range(30):
            self.outage(database, minute)
        with database.reading() as tx:
            assert readings.evidence_of(tx, HTTP, 1)[0].reproduce == ""
            kept = readings.last_whole(tx, HTTP)
        assert kept is not None
        assert kept.reproduce == "curl https://gye1.example/"

    def test_a_month_of_failing_looks_stays_small(self, database):
        """35 days of a check that looks every minute: with every page kept it would be some 110 MB."""
        with database.writing() as tx:
            for minute in range(35 * 1440):
                seen = look(
                    minute,
                    Outcome.DOWN,
                    cause=Cause.STATUS,
                    found="503, expected 2xx",
                    excerpt="x" * 2000,
                    reproduce="curl",
                )
                observations.record(tx, [(2, seen)])
        database.checkpoint()
        assert database.size().file < 25_000_000
