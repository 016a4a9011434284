"""Looks: written hot, settled by the hour, rolled up, read back whole, and gone when they are too old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.health.state import Doubt, Health
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, VIA_LIMIT, Cause, Observation, Outcome
from monitor.store import columns, observations, readings
from monitor.store.database import Database, Transaction
from monitor.store.observations import Keep, Step
from tests.store.history import NOON, append, applied

PING, HTTP = CheckKey(ServerId("gye1"), "ping"), CheckKey(ServerId("gye1"), "http")
LONG = timedelta(days=400)
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def look(minutes: float = 0, outcome: Outcome = Outcome.OK, took_ms: float = 12.5, **more) -> Observation:
    return Observation(
        check=HTTP, started_at=NOON + timedelta(minutes=minutes), took_ms=took_ms, outcome=outcome, **more
    )


def record(database: Database, *looks: Observation, number: int = 1) -> None:
    with database.writing() as tx:
        observations.record(tx, [(number, each) for each in looks])


def settle(database: Database, now: datetime, most: int = 1000) -> int:
    with database.writing() as tx:
        return observations.settle(tx, now, most)


def stored(database: Database, number: int = 1):
    with database.reading() as tx:
        return observations.looks(tx, number, NOON - LONG, NOON + LONG)


def points(database: Database, step: Step, number: int = 1):
    with database.reading() as tx:
        return observations.series(tx, number, NOON - LONG, NOON + LONG, step)


def count(database: Database, table: str) -> int:
    with database.reading() as tx:
        return int(tx.rows(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608 - a name of ours


class TestLooks:
    def test_a_healthy_look_reads_back_with_its_phases(self, database):
        record(database, look(phases={"connect": 1.25, "tls": 4.5, "total": 12.5}))
        (found,) = stored(database)
        assert (found.started_at, found.took_ms, found.outcome) == (NOON, 12.5, Outcome.OK)
        assert found.phases == {"connect": 1.25, "tls": 4.5, "total": 12.5}

    def test_a_failing_look_keeps_its_evidence_also_after_it_is_settled(self, database):
        seen = look(
            outcome=Outcome.DOWN,
            cause=Cause.STATUS,
            found="503, expected 2xx",
            address="192.0.2.10",
            excerpt="Service Unavailable",
            reproduce="curl -sv https://gye1.example/",
            phases={"connect": 1.5, "own": 0.25},
            via=("https://gye1.example/login", "https://gye1.example/año"),
        )
        record(database, seen)
        before = stored(database)
        assert settle(database, NOON + timedelta(hours=1)) == 1
        assert stored(database) == before
        (found,) = before
        for name in (
            "outcome",
            "cause",
            "found",
            "address",
            "excerpt",
            "reproduce",
            "phases",
            "took_ms",
            "via",
        ):
            assert getattr(found, name) == getattr(seen, name), name

    def test_only_looks_that_were_not_healthy_are_evidence_newest_first(self, database):
        append(database, applied("gye1"))
        record(
            database,
            look(0, Outcome.WARN),
            look(1),
            look(2, Outcome.DOWN),
            look(3, Outcome.UNKNOWN),
            number=2,
        )
        with database.reading() as tx:
            found = readings.evidence_of(tx, HTTP, 2)
            assert readings.evidence_of(tx, PING, 10) == ()
        assert [each.outcome for each in found] == [Outcome.UNKNOWN, Outcome.DOWN]

    def test_what_came_back_is_cut_to_its_bounds(self, database):
        led = tuple(f"https://gye1.example/{hop}{'z' * 900}" for hop in range(2 * VIA_LIMIT))
        record(database, look(outcome=Outcome.DOWN, found="x" * 900, excerpt="y" * 9000, via=led))
        (found,) = stored(database)
        assert (len(found.found), len(found.excerpt)) == (FOUND_LIMIT, EXCERPT_LIMIT)
        assert found.via == tuple(place[:FOUND_LIMIT] for place in led[-VIA_LIMIT:])

    def test_the_end_of_the_asked_time_is_not_part_of_it(self, database):
        record(database, look(0), look(1), look(2))
        with database.reading() as tx:
            found = observations.looks(tx, 1, NOON, NOON + timedelta(minutes=2))
        assert [each.started_at for each in found] == [NOON, NOON + timedelta(minutes=1)]

    def test_every_outcome_and_cause_has_a_number_that_never_changes(self):
        assert set(columns.OUTCOME_NUMBERS) == set(Outcome)
        assert set(columns.CAUSE_NUMBERS) == set(Cause)
        assert [columns.OUTCOME_NUMBERS[each] for each in (Outcome.OK, Outcome.UNKNOWN)] == [0, 3]
        assert [columns.CAUSE_NUMBERS[each] for each in (Cause.NAME, Cause.SLOW, Cause.OWN)] == [1, 17, 21]
        assert len(set(columns.CAUSE_NUMBERS.values())) == len(Cause)


class TestHealth:
    def test_every_field_of_a_health_survives_a_restart(self, database):
        append(database, applied("gye1"))
        plain = Health(check=PING)
        full = Health(
            check=HTTP,
            confirmed=State.DOWN,
            state=State.RECOVERING,
            since=NOON - timedelta(hours=1),
            streak=2,
            hard=1,
            streak_since=NOON - timedelta(minutes=1),
            persisting=True,
            last_ok_at=NOON - timedelta(hours=2),
            looked_at=NOON,
            outcome=Outcome.OK,
            cause=Cause.SLOW,
            found="200",
            took_ms=41.125,
            felt=True,
            unknowns=3,
            unknown_since=NOON - timedelta(minutes=3),
            doubts=(Doubt(level=2, at=NOON - timedelta(minutes=1)), Doubt(level=1, at=NOON)),
            well=False,
            changes=0b1011,
            flapping_since=NOON - timedelta(minutes=2),
        )
        # Numbers count within a process.
        untouched = [
            each.name
            for each in fields(Health)
            if getattr(full, each.name) == getattr(plain, each.name) and each.name != "sequence"
        ]
        assert untouched == [], "give the new field a value here, and a column in `streaks`"
        with database.writing() as tx:
            observations.save_healths(tx, [plain, replace(full, streak=1)], readings.check_numbers(tx))
            observations.save_healths(tx, [full], readings.check_numbers(tx))
        with database.reading() as tx:
            assert readings.healths(tx) == {PING: plain, HTTP: full}

    def test_a_retired_check_has_no_health(self, database):
        append(database, applied("gye1"))
        with database.writing() as tx:
            observations.save_healths(tx, [Health(check=HTTP)], readings.check_numbers(tx))
        append(database, applied("gye1", checks=("ping",)))
        with database.reading() as tx:
            assert readings.healths(tx) == {}


class TestSettling:
    def test_only_closed_hours_are_settled(self, database):
        record(database, look(0), look(59.9), look(60), look(61))
        assert settle(database, NOON + timedelta(minutes=119)) == 2
        assert (count(database, "hot"), count(database, "observations")) == (2, 2)
        assert settle(database, NOON + timedelta(minutes=119)) == 0
        assert settle(database, NOON + timedelta(minutes=120)) == 2

    def test_nothing_is_counted_twice(self, database):
        record(database, *(look(minute, took_ms=10) for minute in range(60)))
        settle(database, NOON + timedelta(hours=1))
        settle(database, NOON + timedelta(hours=1))
        (hour,) = points(database, Step.HOUR)
        assert (hour.ok, hour.mean_ms) == (60, 10)

    def test_a_repeated_look_counts_once_before_and_after(self, database):
        record(database, look(0), look(0, Outcome.DOWN))
        assert [(point.ok, point.down) for point in points(database, Step.HOUR)] == [(1, 0)]
        settle(database, NOON + timedelta(hours=1))
        record(database, look(0, Outcome.DOWN))
        assert [(point.ok, point.down) for point in points(database, Step.HOUR)] == [(1, 0)]
        settle(database, NOON + timedelta(hours=1))
        assert [(point.ok, point.down) for point in points(database, Step.HOUR)] == [(1, 0)]
        assert len(stored(database)) == 1

    def test_a_look_that_arrives_long_after_its_hour_is_added_to_it(self, database):
        record(database, look(0), look(1))
        settle(database, NOON + timedelta(hours=1))
        record(database, look(2, Outcome.DOWN))
        settle(database, NOON + timedelta(hours=9))
        assert [(point.ok, point.down) for point in points(database, Step.HOUR)] == [(2, 1)]

    def test_the_times_of_failing_looks_do_not_spoil_the_response_time(self, database):
        record(
            database,
            look(0, took_ms=20),
            look(1, Outcome.DOWN, took_ms=10_000),
            look(2, Outcome.WARN, took_ms=40),
        )
        (hour,) = points(database, Step.HOUR)
        assert (hour.max_ms, hour.mean_ms, hour.down, hour.warn) == (40, 30, 1, 1)

    def test_quantiles_of_an_hour_settled_in_parts_are_those_of_the_whole_hour(self, database):
        record(database, *(look(minute, took_ms=10 + minute) for minute in range(60)))
        whole = points(database, Step.HOUR)
        assert whole[0].p50_ms == pytest.approx(39, rel=0.05)
        assert whole[0].p95_ms == pytest.approx(66, rel=0.05)
        while settle(database, NOON + timedelta(hours=1), 7):
            assert points(database, Step.HOUR) == whole

    def test_a_bucket_in_which_nothing_answered_has_no_times(self, database):
        record(database, look(0, Outcome.DOWN))
        (hour,) = points(database, Step.HOUR)
        assert (hour.p50_ms, hour.p95_ms, hour.max_ms, hour.mean_ms) == (None, None, None, None)


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 3 * 86_400_000),
        st.sampled_from(list(Outcome)),
        st.integers(0, 20_000_000).map(lambda us: us / 1000),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda seen: seen[:2],
)


@MANY
@given(seen=LOOKS, sizes=st.lists(st.integers(1, 40), max_size=6), step=st.sampled_from(Step))
def test_any_way_of_settling_gives_the_figures_of_a_plain_count(
    fresh: Callable[[], Database], seen, sizes, step
):
    database = fresh()
    with database.writing() as tx:
        observations.record(
            tx,
            [
                (number, replace(look(0, outcome, took), started_at=NOON + timedelta(milliseconds=ms)))
                for number, ms, outcome, took in seen
            ],
        )
    before = [stored(database, number) for number in (1, 2, 3)]
    expected = [_plainly(looks, step) for looks in before]
    assert [_figures(points(database, step, number)) for number in (1, 2, 3)] == expected
    for ahead, size in enumerate(sizes):
        settle(database, NOON + timedelta(hours=13 * ahead), size)
        assert [_figures(points(database, step, number)) for number in (1, 2, 3)] == expected
    assert [stored(database, number) for number in (1, 2, 3)] == before


def _plainly(looks, step: Step) -> list[tuple[object, ...]]:
    width = timedelta(milliseconds=step.value.width_ms)
    epoch = datetime.fromtimestamp(0, NOON.tzinfo)
    buckets: dict[datetime, list] = {}
    for each in looks:
        buckets.setdefault(epoch + (each.started_at - epoch) // width * width, []).append(each)
    return [
        (
            start,
            *(sum(each.outcome is outcome for each in some) for outcome in Outcome),
            max((each.took_ms for each in some if each.outcome in (Outcome.OK, Outcome.WARN)), default=None),
        )
        for start, some in sorted(buckets.items())
    ]


def _figures(series) -> list[tuple[object, ...]]:
    return [(point.start, point.ok, point.warn, point.down, point.unknown, point.max_ms) for point in series]


class TestRetention:
    @pytest.fixture(autouse=True)
    def _a_past(self, database: Database) -> None:
        with database.writing() as tx:
            for number in (1, 2):
                observations.record(
                    tx, [(number, look(1440 * day, Outcome(["ok", "down"][day % 2]))) for day in range(100)]
                )
            self.everything(tx)

    def everything(self, tx: Transaction) -> None:
        assert observations.settle(tx, NOON + timedelta(days=100)) == 200

    def prune(self, database: Database, most: int = 1000, days: float = 100, **keep: int) -> int:
        kept = Keep(**{name: timedelta(days=each) for name, each in keep.items()})
        with database.writing() as tx:
            return observations.prune(tx, kept, NOON + timedelta(days=days), most)

    def test_each_kind_of_record_goes_after_its_own_time(self, database):
        assert self.prune(database, observations=10, five_minutes=20, hours=50) > 0
        assert count(database, "observations") == 2 * 10
        assert count(database, "evidence") == 2 * 5
        assert count(database, "rollup_five_minutes") == 2 * 20
        assert count(database, "rollup_hours") == 2 * 50
        assert count(database, "rollup_days") == 2 * 100

    def test_slices_are_small_and_come_to_an_end(self, database):
        slices = []
        while not slices or slices[-1] == 7:
            slices.append(self.prune(database, most=7, observations=10, five_minutes=20, hours=50))
        assert sum(slices) == 2 * 90 + 2 * 45 + 2 * 80 + 2 * 50
        assert max(slices) == 7
        assert count(database, "observations") == 2 * 10

    def test_the_newest_stay_whatever_the_check(self, database):
        self.prune(database, observations=1, five_minutes=1, hours=1)
        for number in (1, 2):
            assert [each.started_at for each in stored(database, number)] == [NOON + timedelta(days=99)]

    def test_nothing_goes_before_its_time(self, database):
        assert self.prune(database, days=30) == 0


class TestNotes:
    def test_the_last_sign_of_life_is_heard(self, database):
        with database.writing() as tx:
            assert readings.heard_at(tx) is None
            observations.beat(tx, "watch", NOON)
            observations.beat(tx, "watch", NOON + timedelta(seconds=10))
            observations.beat(tx, "web", NOON)
        with database.reading() as tx:
            assert readings.heard_at(tx) == NOON + timedelta(seconds=10)
            assert readings.beat_of(tx, "web") == NOON

    def test_a_publication_replaces_the_last_one(self, database):
        with database.writing() as tx:
            assert readings.publication(tx, "instruments") is None
            observations.publish(tx, "instruments", NOON, "one")
            observations.publish(tx, "instruments", NOON + timedelta(seconds=5), "two")
        with database.reading() as tx:
            assert readings.publication(tx, "instruments") == (NOON + timedelta(seconds=5), "two")

    def test_an_installation_is_named_once(self, database):
        names = iter(["ABCDEFGH", "ZZZZZZZZ"])
        with database.writing() as tx:
            assert observations.installation_id(tx, lambda: next(names)) == "ABCDEFGH"
        with database.writing() as tx:
            assert observations.installation_id(tx, lambda: next(names)) == "ABCDEFGH"

    def test_a_fact_is_noted_in_place_of_the_last_one(self, database):
        with database.writing() as tx:
            assert readings.installation(tx, "demo") is None
            observations.note(tx, "demo", "yes")
            observations.note(tx, "demo", "no")
        with database.reading() as tx:
            assert readings.installation(tx, "demo") == "no"
