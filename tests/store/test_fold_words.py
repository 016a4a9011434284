"""What operators' words leave in the tables: above all, what a retraction makes of the intervals and the days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import StoreError
from monitor.health.words import Status
from monitor.identifiers import IncidentId, ServerId, WindowId
from monitor.incidents.incident import Stage
from monitor.journal import entries as j
from monitor.journal.entries import Entry, Kind
from monitor.store import readings
from monitor.store.database import Database
from monitor.store.days import refresh_days
from monitor.store.fold_words import _acquitted, _joined
from tests.store.history import NOON, append, applied, changed, entry, incident, opened, update

GYE1, UIO1 = ServerId("gye1"), ServerId("uio1")
OK, PARTIAL, MAJOR = Status.OPERATIONAL, Status.PARTIAL_OUTAGE, Status.MAJOR_OUTAGE
UNKNOWN = Status.UNKNOWN


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def retracted(since: float, until: float, *servers: ServerId, said: float = 60) -> Entry:
    body = j.IncidentRetracted(
        incident=IncidentId("I1"),
        reason="Our own line was cut.",
        servers=servers or (GYE1,),
        since=at(since),
        until=at(until),
        was_open=True,
        update=update("U9", Stage.RESOLVED, at(said)),
    )
    return entry(Kind.INCIDENT_RETRACTED, body, at(said), "I1")


def intervals(database: Database, server: ServerId = GYE1) -> list[tuple[Status, float, float]]:
    with database.reading() as tx:
        spans = readings.status_spans(tx, at(-600), at(120)).get(server, [])
    return [(one.status, (one.start - NOON).seconds / 60, (one.end - NOON).seconds / 60) for one in spans]


def since(database: Database, server: ServerId = GYE1) -> datetime:
    with database.reading() as tx:
        return readings.standing(tx)[server].since


@pytest.fixture(autouse=True)
def _an_incident(database: Database) -> None:
    append(database, applied("gye1", "uio1"), opened(incident("I1", "gye1", at=at(10))))


def statuses(database: Database, *said: tuple[Status, float], server: str = "gye1") -> None:
    append(database, *(changed(server, status, since=at(minutes)) for status, minutes in said))


def test_what_was_down_in_between_was_operational(database):
    statuses(database, (OK, 0), (MAJOR, 10), (OK, 20))
    append(database, retracted(10, 20))
    assert intervals(database) == [(OK, 0, 120)]
    assert since(database) == at(0)


def test_it_takes_all_of_the_steps_of_one_incident(database):
    statuses(database, (OK, 0), (PARTIAL, 10), (MAJOR, 12), (PARTIAL, 15), (OK, 20))
    append(database, retracted(10, 20))
    assert intervals(database) == [(OK, 0, 120)]


def test_faults_before_and_after_it_stay(database):
    statuses(database, (OK, 0), (MAJOR, 2), (OK, 5), (MAJOR, 10), (OK, 20), (PARTIAL, 30), (OK, 40))
    append(database, retracted(10, 20))
    assert intervals(database) == [(OK, 0, 2), (MAJOR, 2, 5), (OK, 5, 30), (PARTIAL, 30, 40), (OK, 40, 120)]


def test_what_reaches_beyond_it_is_cut(database):
    statuses(database, (OK, 0), (MAJOR, 5), (OK, 30))
    append(database, retracted(10, 20))
    assert intervals(database) == [(OK, 0, 5), (MAJOR, 5, 10), (OK, 10, 20), (MAJOR, 20, 30), (OK, 30, 120)]


def test_what_still_holds_goes_on_from_there(database):
    statuses(database, (OK, 0), (MAJOR, 10))
    append(database, retracted(10, 60))
    assert intervals(database) == [(OK, 0, 60), (MAJOR, 60, 120)]
    assert since(database) == at(60)
    with database.reading() as tx:
        assert readings.standing(tx)[GYE1].judged.status is MAJOR


def test_what_nobody_knew_stays_unknown(database):
    statuses(database, (OK, 0), (MAJOR, 10), (UNKNOWN, 12), (MAJOR, 15), (OK, 20))
    append(database, retracted(10, 20))
    assert intervals(database) == [(OK, 0, 12), (UNKNOWN, 12, 15), (OK, 15, 120)]


def test_other_servers_are_left_alone(database):
    for name in ("gye1", "uio1"):
        statuses(database, (OK, 0), (MAJOR, 10), (OK, 20), server=name)
    append(database, retracted(10, 20))
    assert intervals(database, UIO1) == [(OK, 0, 10), (MAJOR, 10, 20), (OK, 20, 120)]


def test_a_retraction_reads_back_and_keeps_the_end_that_was_known(database):
    append(database, retracted(9.25, 60))
    with database.reading() as tx:
        found = readings.incident(tx, IncidentId("I1"))
    assert found is not None
    assert found.retracted is not None
    assert (found.retracted.reason, found.retracted.at) == ("Our own line was cut.", at(60))
    assert (found.open, found.ended_at, found.resolved_at) == (False, at(60), at(60))


def test_days_are_worked_out_anew_where_a_retraction_changed_them(database):
    zone = ZoneInfo("UTC")
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    statuses(database, (OK, 0), (MAJOR, 10), (OK, 20))
    statuses(database, (OK, 0), (MAJOR, 10), (OK, 20), server="uio1")
    with database.writing() as tx:
        refresh_days(tx, zone, now, date(2026, 11, 21))
    append(database, retracted(10, 20, said=60 * 48))
    with database.writing() as tx:
        assert refresh_days(tx, zone, now, date(2026, 11, 21)) == 2
    with database.reading() as tx:
        days = readings.server_days(tx, date(2026, 11, 21))
    down = {server: sum(day.down_s for day in some) for server, some in days.items()}
    assert down == {GYE1: 0, UIO1: 600}


pieces = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([OK, PARTIAL, MAJOR, UNKNOWN])), min_size=1, max_size=8
)


@given(lengths=pieces, bounds=st.tuples(st.integers(0, 120), st.integers(0, 120)))
def test_any_correction_leaves_no_gap_and_changes_nothing_outside(lengths, bounds):
    first, last = min(bounds), max(bounds)
    held, begin = [], 0
    for length, status in lengths:
        held.append((begin, begin + length, status))
        begin += length
    after = _joined([piece for one in held for piece in _acquitted(one, first, last)])
    assert after[0][0] == held[0][0]
    assert after[-1][1] == held[-1][1]
    assert all(one[1] == other[0] and one[2] != other[2] for one, other in pairwise(after))
    for moment in range(begin):
        was = next(status for start, end, status in held if start <= moment < end)
        now = next(status for start, end, status in after if start <= moment < end)
        bad = was in (PARTIAL, MAJOR) and first <= moment < last
        assert now == (OK if bad else was)


@pytest.mark.parametrize(
    "wrong",
    [
        retracted(10, 20),
        entry(
            Kind.INCIDENT_ACKNOWLEDGED,
            j.IncidentAcknowledged(incident=IncidentId("I1"), until=None),
            at(1),
            "I1",
        ),
        entry(Kind.SERVER_RELEASED, j.ServerReleased(server=GYE1), at(1), "gye1"),
        entry(Kind.WINDOW_EXTENDED, j.WindowExtended(window=WindowId("W1"), ends_at=at(90)), at(1), "W1"),
    ],
    ids=lambda wrong: wrong.kind.value,
)
def test_a_word_about_nothing_is_refused(fresh, wrong):
    database = fresh()
    append(database, applied("gye1"))
    with pytest.raises(StoreError, match=r"there is no|nobody has forced"):
        append(database, wrong)
