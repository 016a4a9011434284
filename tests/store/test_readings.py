"""What readers ask of the tables, and what they get."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.health.words import Status
from monitor.identifiers import CheckKey, IncidentId, ServerId, WindowId
from monitor.incidents.incident import Audience, Origin
from monitor.journal import entries as j
from monitor.journal.entries import Entry, Kind
from monitor.store import readings
from monitor.store.database import Database
from tests.store.history import (
    NOON,
    append,
    applied,
    changed,
    entry,
    fleet,
    incident,
    opened,
    resolved,
    window,
)

GYE1, UIO1 = ServerId("gye1"), ServerId("uio1")
HOUR = timedelta(hours=1)


def at(hours: float):
    return NOON + hours * HOUR


def ids(incidents) -> list[str]:
    return [each.id for each in incidents]


def planned(identity: str, *servers: str, starts: float, hours: float = 2) -> Entry:
    body = j.WindowPlanned(window=window(identity, *servers, starts=at(starts), hours=hours))
    return entry(Kind.WINDOW_PLANNED, body, NOON, identity)


def moved(kind: Kind, identity: str, hours: float) -> Entry:
    return entry(kind, j.WindowMoved(window=WindowId(identity)), at(hours), identity)


def test_an_empty_database_knows_nothing_and_says_so(database):
    with database.reading() as tx:
        assert readings.fleet(tx) is None
        assert readings.fleet_number(tx) == 0
        assert readings.zone(tx) == "UTC"
        assert readings.standing(tx) == {}
        assert readings.heard_at(tx) is None
        assert readings.incident(tx, IncidentId("I1")) is None
        assert readings.window(tx, WindowId("W1")) is None
        assert readings.ticket_of(tx, IncidentId("I1")) is None
        assert readings.open_incidents(tx) == readings.tickets(tx) == readings.windows(tx) == ()


def test_the_fleet_is_the_one_applied_last(database):
    append(database, applied("gye1"))
    append(database, applied("gye1", "uio1"))
    with database.reading() as tx:
        assert readings.fleet(tx) == fleet("gye1", "uio1")
        assert readings.fleet_number(tx) == 2
        assert readings.zone(tx) == "America/Guayaquil"


class TestIncidents:
    @pytest.fixture(autouse=True)
    def _four_incidents(self, database: Database) -> None:
        append(
            database,
            applied("gye1", "uio1"),
            opened(incident("DETECTED", "gye1", at=at(0))),
            opened(incident("WARNING", "gye1", at=at(1), audience=Audience.OPERATORS, checks=("ping",))),
            opened(incident("BY-HAND", "gye1", "uio1", at=at(2), origin=Origin.OPERATOR)),
            opened(replace(incident("DRILL", "uio1", at=at(3), audience=Audience.OPERATORS), drill=True)),
        )

    def test_open_ones_are_told_apart(self, database):
        with database.reading() as tx:
            assert ids(readings.open_incidents(tx)) == ["DETECTED", "WARNING", "BY-HAND", "DRILL"]
            assert readings.open_incident_of(tx, GYE1).id == "DETECTED"
            assert readings.open_incident_of(tx, UIO1) is None
            assert readings.open_warning_of(tx, CheckKey(GYE1, "ping")).id == "WARNING"
            assert readings.open_warning_of(tx, CheckKey(GYE1, "http")) is None
            assert readings.open_warning_of(tx, CheckKey(UIO1, "http")) is None

    def test_the_one_that_a_relapse_takes_up_is_the_last_resolved_that_we_detected(self, database):
        append(database, resolved("DETECTED", at(4)), resolved("BY-HAND", at(5)), resolved("WARNING", at(5)))
        append(database, opened(incident("SECOND", "gye1", at=at(6))))
        with database.reading() as tx:
            assert readings.last_resolved_of(tx, GYE1).id == "DETECTED"
            assert readings.last_resolved_of(tx, UIO1) is None
        append(database, resolved("SECOND", at(7)))
        with database.reading() as tx:
            assert readings.last_resolved_of(tx, GYE1).id == "SECOND"

    def test_those_of_a_time_are_the_ones_that_touch_it_newest_first(self, database):
        append(database, resolved("DETECTED", at(2)), resolved("BY-HAND", at(4)))
        with database.reading() as tx:
            found = {
                (start, end): ids(readings.incidents_between(tx, at(start), at(end)))
                for start, end in [(-2, -1), (-2, 0.5), (1.5, 1.8), (2.5, 2.8), (5, 9)]
            }
        assert found == {
            (-2, -1): [],
            (-2, 0.5): ["DETECTED"],
            (1.5, 1.8): ["WARNING", "DETECTED"],
            (2.5, 2.8): ["BY-HAND", "WARNING"],
            (5, 9): ["DRILL", "WARNING"],
        }

    def test_an_audience_hears_only_of_its_own(self, database):
        with database.reading() as tx:
            public = readings.incidents_between(tx, at(-1), at(9), Audience.PUBLIC)
            operators = readings.incidents_between(tx, at(-1), at(9), Audience.OPERATORS)
        assert (ids(public), ids(operators)) == (["BY-HAND", "DETECTED"], ["DRILL", "WARNING"])


def test_more_incidents_than_one_question_can_name_come_whole(database):
    append(database, applied("gye1"))
    many = [
        incident(f"I{number:04}", "gye1", at=at(number), origin=Origin.OPERATOR) for number in range(1201)
    ]
    append(database, *map(opened, many))
    with database.reading() as tx:
        assert readings.open_incidents(tx) == tuple(many)


class TestWindows:
    @pytest.fixture(autouse=True)
    def _three_windows(self, database: Database) -> None:
        append(
            database,
            applied("gye1", "uio1"),
            planned("LATE", "gye1", starts=0),
            planned("DONE", "gye1", "uio1", starts=1),
            planned("AHEAD", "uio1", starts=20),
            moved(Kind.WINDOW_STARTED, "LATE", 0),
            moved(Kind.WINDOW_STARTED, "DONE", 1.5),
            moved(Kind.WINDOW_COMPLETED, "DONE", 2),
        )

    def names(self, found) -> list[str]:
        return [each.id for each in found]

    def test_all_come_by_their_planned_start(self, database):
        with database.reading() as tx:
            assert self.names(readings.windows(tx)) == ["LATE", "DONE", "AHEAD"]

    def test_those_that_may_still_matter_are_not_over(self, database):
        with database.reading() as tx:
            assert self.names(readings.windows(tx, ending_after=at(1.9))) == ["LATE", "DONE", "AHEAD"]
            assert self.names(readings.windows(tx, ending_after=at(2.5))) == ["LATE", "AHEAD"]
            assert self.names(readings.windows(tx, ending_after=at(40))) == ["LATE"]

    def test_maintenance_is_what_really_was(self, database):
        with database.reading() as tx:
            found = readings.maintenance_spans(tx, at(-5), at(6))
        assert {server: [(span.start, span.end) for span in spans] for server, spans in found.items()} == {
            "gye1": [(at(0), at(6)), (at(1.5), at(2))],
            "uio1": [(at(1.5), at(2))],
        }

    def test_maintenance_is_cut_to_the_time_asked_for(self, database):
        with database.reading() as tx:
            found = readings.maintenance_spans(tx, at(1.6), at(1.7))
            assert readings.maintenance_spans(tx, at(-5), at(0)) == {}
        assert [(span.start, span.end) for span in found["uio1"]] == [(at(1.6), at(1.7))]


def test_statuses_are_cut_to_the_time_asked_for(database):
    append(database, applied("gye1"), changed("gye1", Status.OPERATIONAL, since=at(0)))
    append(database, changed("gye1", Status.MAJOR_OUTAGE, since=at(2)))
    with database.reading() as tx:
        found = readings.status_spans(tx, at(1), at(3))
        assert readings.status_spans(tx, at(-3), at(0)) == {}
    assert [(span.status, span.start, span.end) for span in found[GYE1]] == [
        (Status.OPERATIONAL, at(1), at(2)),
        (Status.MAJOR_OUTAGE, at(2), at(3)),
    ]
