"""What each kind of entry leaves in the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.errors import StoreError
from monitor.health.rollup import Held, Judged
from monitor.health.words import Service, Status
from monitor.identifiers import CheckKey, IncidentId, ServerId, WindowId
from monitor.incidents.incident import Impact, Stage
from monitor.journal import entries as j
from monitor.journal.entries import Entry, Kind
from monitor.maintenance.window import WindowStage
from monitor.store import readings
from monitor.store.database import Database
from tests.store.history import (
    NOON,
    append,
    applied,
    changed,
    entry,
    incident,
    opened,
    resolved,
    update,
    window,
)

GYE1 = ServerId("gye1")
OK, DEGRADED, PARTIAL, MAJOR = (
    Status.OPERATIONAL,
    Status.DEGRADED_PERFORMANCE,
    Status.PARTIAL_OUTAGE,
    Status.MAJOR_OUTAGE,
)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(stage: Stage, minutes: float, *, ended: float | None = None, says: bool = True) -> Entry:
    body = j.IncidentUpdated(
        incident=IncidentId("I1"),
        reason=j.Reason.JOINED,
        stage=stage,
        impact=Impact.CRITICAL,
        servers=(GYE1,),
        checks=(CheckKey(GYE1, "http"), CheckKey(GYE1, "ping")),
        update=update(f"U{minutes}", stage, at(minutes)) if says else None,
        ended_at=None if ended is None else at(ended),
    )
    return entry(Kind.INCIDENT_UPDATED, body, at(minutes), "I1")


def intervals(database: Database, until: float = 60) -> list[tuple[str, float, float]]:
    """Return gye1's spans as status and minutes after noon."""
    with database.reading() as tx:
        spans = readings.status_spans(tx, at(-600), at(until)).get(GYE1, [])
    return [
        (span.status.value, (span.start - NOON).total_seconds() / 60, (span.end - NOON).total_seconds() / 60)
        for span in spans
    ]


def the_incident(database: Database):
    with database.reading() as tx:
        return readings.incident(tx, IncidentId("I1"))


class TestInventory:
    def test_checks_are_numbered_by_their_first_appearance_and_keep_their_number(self, database):
        append(database, applied("gye1", checks=("ping", "http")))
        append(database, applied("uio1", "gye1", checks=("http",)))
        append(database, applied("gye1", checks=("smtp", "ping")))
        with database.reading() as tx:
            numbers = {str(key): number for key, number in readings.check_numbers(tx).items()}
        assert numbers == {"gye1/ping": 1, "gye1/http": 2, "uio1/http": 3, "gye1/smtp": 4}

    def test_a_server_that_vanished_is_retired_with_its_name_and_its_status_ends(self, database):
        append(database, applied("gye1", "uio1"), changed("gye1", MAJOR, since=at(1)))
        append(database, applied("uio1", at=at(30)))
        assert intervals(database) == [("major_outage", 1, 30)]
        with database.reading() as tx:
            assert readings.retired_servers(tx) == {"gye1": "gye1.nodored.example"}
            assert readings.standing(tx) == {}

    def test_a_server_that_returns_begins_anew_and_is_retired_no_more(self, database):
        append(database, applied("gye1", "uio1"), changed("gye1", OK, since=at(1)))
        append(database, applied("uio1", at=at(10)))
        append(database, applied("gye1", "uio1", at=at(20)), changed("gye1", OK, since=at(25)))
        assert intervals(database) == [("operational", 1, 10), ("operational", 25, 60)]
        with database.reading() as tx:
            assert readings.retired_servers(tx) == {}


class TestStatus:
    def test_what_holds_of_a_server_is_the_last_word(self, database):
        append(
            database, applied("gye1"), changed("gye1", OK, since=at(1)), changed("gye1", MAJOR, since=at(5))
        )
        with database.reading() as tx:
            assert readings.standing(tx) == {
                "gye1": Held(
                    judged=Judged(status=MAJOR, services={Service.WEB: MAJOR}), since=at(5), last_known=MAJOR
                )
            }
        assert intervals(database) == [("operational", 1, 5), ("major_outage", 5, 60)]

    def test_a_change_of_services_alone_goes_on_with_the_interval(self, database):
        append(
            database,
            applied("gye1"),
            changed("gye1", PARTIAL, since=at(1)),
            changed("gye1", PARTIAL, since=at(5)),
        )
        assert intervals(database) == [("partial_outage", 1, 60)]

    @pytest.mark.parametrize(
        ("since", "expected"),
        [
            (5, [("operational", 0, 5), ("major_outage", 5, 60)]),
            (3, [("operational", 0, 3), ("major_outage", 3, 60)]),
            (0, [("major_outage", 0, 60)]),
            (-5, [("major_outage", -5, 60)]),
        ],
        ids=["as late as the present one", "before it", "as early as the first", "before the first"],
    )
    def test_a_late_confirmation_rewrites_what_it_overlaps(self, database, since, expected):
        append(
            database,
            applied("gye1"),
            changed("gye1", OK, since=at(0)),
            changed("gye1", DEGRADED, since=at(5)),
        )
        append(database, changed("gye1", MAJOR, since=at(since), at=at(8)))
        assert intervals(database) == expected

    def test_a_server_that_nobody_knows_is_refused(self, database):
        with pytest.raises(StoreError, match=r"entry 1 \(server\.changed\) .*FOREIGN KEY"):
            append(database, changed("gye1", OK, since=at(0)))


class TestIncident:
    @pytest.fixture(autouse=True)
    def _opened(self, database: Database) -> None:
        append(database, applied("gye1"), opened(incident("I1", "gye1")))

    def test_it_reads_back_as_it_was_opened(self, database):
        assert the_incident(database) == incident("I1", "gye1")

    def test_an_update_says_what_holds_from_now_on(self, database):
        append(database, told(Stage.IDENTIFIED, 5))
        found = the_incident(database)
        assert (found.stage, found.impact) == (Stage.IDENTIFIED, Impact.CRITICAL)
        assert [key.check for key in found.checks] == ["http", "ping"]
        assert [each.id for each in found.updates] == ["I1-opened", "U5"]

    def test_a_title_changes_only_when_an_entry_brings_a_new_one(self, database):
        before = the_incident(database).title
        append(database, told(Stage.IDENTIFIED, 5))
        assert the_incident(database).title == before
        told_anew = told(Stage.IDENTIFIED, 6)
        append(
            database, replace(told_anew, body=replace(told_anew.body, title={"es": "Otro", "en": "Another"}))
        )
        assert the_incident(database).title == {"es": "Otro", "en": "Another"}

    def test_an_update_without_words_moves_the_incident_in_silence(self, database):
        append(database, told(Stage.IDENTIFIED, 5, says=False))
        assert the_incident(database).stage is Stage.IDENTIFIED
        assert len(the_incident(database).updates) == 1

    def test_monitoring_counts_from_its_first_entry(self, database):
        append(database, told(Stage.MONITORING, 10, ended=9))
        append(database, told(Stage.MONITORING, 12))
        found = the_incident(database)
        assert (found.monitoring_since, found.ended_at) == (at(10), at(9))

    def test_a_relapse_takes_the_end_back_and_the_next_recovery_counts_anew(self, database):
        append(database, told(Stage.MONITORING, 10, ended=9), told(Stage.INVESTIGATING, 12))
        assert (the_incident(database).monitoring_since, the_incident(database).ended_at) == (None, None)
        append(database, told(Stage.MONITORING, 20, ended=19))
        assert (the_incident(database).monitoring_since, the_incident(database).ended_at) == (at(20), at(19))

    def test_resolution_closes_it_for_good_and_frees_its_server(self, database):
        append(database, told(Stage.MONITORING, 10, ended=9), resolved("I1", at(20)))
        found = the_incident(database)
        assert not found.open
        assert (found.resolved_at, found.ended_at, found.monitoring_since) == (at(20), at(15), None)
        append(database, opened(incident("I2", "gye1", at=at(30))))

    def test_a_postmortem_leaves_the_times_as_they_were(self, database):
        append(database, resolved("I1", at(20)), told(Stage.POSTMORTEM, 60))
        found = the_incident(database)
        assert not found.open
        assert (found.resolved_at, found.ended_at) == (at(20), at(15))

    def test_a_relapse_after_resolution_opens_it_again_and_new_checks_join(self, database):
        append(database, resolved("I1", at(20)))
        body = j.IncidentReopened(
            incident=IncidentId("I1"),
            impact=Impact.MINOR,
            checks=(CheckKey(GYE1, "ping"),),
            update=update("again", Stage.INVESTIGATING, at(25)),
        )
        append(database, entry(Kind.INCIDENT_REOPENED, body, at(25), "I1"))
        found = the_incident(database)
        assert found.open
        assert (found.resolved_at, found.ended_at, found.impact) == (None, None, Impact.MINOR)
        assert [key.check for key in found.checks] == ["http", "ping"]
        with pytest.raises(StoreError, match="UNIQUE"):
            append(database, opened(incident("I2", "gye1", at=at(30))))

    @pytest.mark.parametrize("subject", ["update", "resolve"])
    def test_an_entry_about_no_incident_is_refused(self, database, subject):
        lost = {
            "update": replace(
                told(Stage.IDENTIFIED, 5), body=replace(told(Stage.IDENTIFIED, 5).body, incident="I9")
            ),
            "resolve": resolved("I9", at(5)),
        }
        with pytest.raises(StoreError, match="there is no incident I9"):
            append(database, lost[subject])


class TestWindow:
    def move(self, kind: Kind, minutes: float) -> Entry:
        return entry(kind, j.WindowMoved(window=WindowId("W1")), at(minutes), "W1")

    def plan(self, *servers: str, starts: float = 10, minutes: float = 0) -> Entry:
        body = j.WindowPlanned(window=window("W1", *servers, starts=at(starts)))
        return entry(Kind.WINDOW_PLANNED, body, at(minutes), "W1")

    def found(self, database: Database):
        with database.reading() as tx:
            return readings.window(tx, WindowId("W1"))

    def test_a_plan_reads_back_with_the_moment_it_was_published(self, database):
        append(database, applied("gye1", "uio1"), self.plan("gye1", "uio1", minutes=3))
        assert self.found(database) == replace(window("W1", "gye1", "uio1", starts=at(10)), planned_at=at(3))

    def test_the_same_id_again_replaces_the_plan(self, database):
        append(database, applied("gye1", "uio1"), self.plan("gye1"), self.plan("uio1", starts=30))
        assert self.found(database).servers == {"uio1"}
        assert self.found(database).starts_at == at(30)

    def test_it_starts_and_ends_when_the_entries_say_so(self, database):
        append(database, applied("gye1"), self.plan("gye1"), self.move(Kind.WINDOW_STARTED, 11))
        assert (self.found(database).stage, self.found(database).started_at) == (
            WindowStage.IN_PROGRESS,
            at(11),
        )
        append(database, self.move(Kind.WINDOW_COMPLETED, 95))
        assert (self.found(database).stage, self.found(database).ended_at) == (WindowStage.COMPLETED, at(95))

    def test_one_that_is_cancelled_in_its_midst_kept_quiet_until_then(self, database):
        append(database, applied("gye1"), self.plan("gye1"), self.move(Kind.WINDOW_STARTED, 11))
        append(database, self.move(Kind.WINDOW_CANCELLED, 20))
        assert self.found(database).covers(at(15))
        assert not self.found(database).covers(at(25))

    def test_one_that_is_cancelled_before_never_kept_quiet(self, database):
        append(database, applied("gye1"), self.plan("gye1"), self.move(Kind.WINDOW_CANCELLED, 5))
        assert self.found(database).ended_at is None
        assert not self.found(database).covers(at(15))

    @pytest.mark.parametrize("kind", [Kind.WINDOW_STARTED, Kind.WINDOW_COMPLETED, Kind.WINDOW_CANCELLED])
    def test_a_move_of_no_window_is_refused(self, database, kind):
        with pytest.raises(StoreError, match="there is no window W1"):
            append(database, self.move(kind, 5))


class TestTicket:
    def ticket(self, number: str = "7", minutes: float = 1) -> Entry:
        body = j.TicketOpened(
            incident=IncidentId("I1"),
            reference="VG-T-I1",
            helpdesk="desk",
            ticket=number,
            url=f"/ops/desk/{number}",
            department="soporte",
            priority="high",
            subject="gye1",
        )
        return entry(Kind.TICKET_OPENED, body, at(minutes), "I1")

    def move(self, action: str, status: str, minutes: float, answered: float | None = None) -> Entry:
        body = j.TicketUpdated(
            incident=IncidentId("I1"),
            reference="VG-T-I1",
            action=action,
            priority="urgent",
            status=status,
            answered_at=None if answered is None else at(answered),
        )
        return entry(Kind.TICKET_UPDATED, body, at(minutes), "I1")

    @pytest.fixture(autouse=True)
    def _opened(self, database: Database) -> None:
        append(database, applied("gye1"), opened(incident("I1", "gye1")), self.ticket())

    def found(self, database: Database):
        with database.reading() as tx:
            return readings.ticket(tx, "VG-T-I1")

    def test_it_opens_with_the_helpdesks_own_number(self, database):
        found = self.found(database)
        assert (found.ticket, found.status, found.opened_at, found.closed_at) == ("7", "open", at(1), None)
        with database.reading() as tx:
            assert readings.ticket_of(tx, IncidentId("I1")) == found
            assert readings.tickets(tx) == (found,)

    def test_only_the_first_answer_counts(self, database):
        append(
            database,
            self.move("comment", "answered", 5, answered=4),
            self.move("comment", "answered", 9, answered=8),
        )
        assert (self.found(database).first_answer_at, self.found(database).priority) == (at(4), "urgent")

    def test_it_closes_once_and_opens_again(self, database):
        append(database, self.move("resolve", "closed", 10), self.move("comment", "closed", 12))
        assert self.found(database).closed_at == at(10)
        append(database, self.move("reopen", "open", 15))
        assert self.found(database).closed_at is None

    def test_a_ticket_that_the_helpdesk_lost_gets_a_new_number_under_the_same_reference(self, database):
        append(database, self.move("resolve", "closed", 10), self.ticket(number="8", minutes=12))
        found = self.found(database)
        assert (found.ticket, found.status, found.opened_at, found.closed_at) == ("8", "open", at(1), None)

    def test_an_action_on_no_ticket_is_refused(self, database):
        lost = self.move("comment", "open", 5)
        with pytest.raises(StoreError, match="there is no ticket VG-T-I9"):
            append(database, replace(lost, body=replace(lost.body, reference="VG-T-I9")))


class TestBlindness:
    def started(self, since: float | None, minutes: float) -> Entry:
        body = j.WatchStarted(boot="b", blind_since=None if since is None else at(since))
        return entry(Kind.WATCH_STARTED, body, at(minutes), "watch")

    def spans(self, database: Database) -> list[tuple[float, float]]:
        with database.reading() as tx:
            found = readings.blind_spans(tx, at(0), at(60))
        return [
            ((span.start - NOON).total_seconds() / 60, (span.end - NOON).total_seconds() / 60)
            for span in found
        ]

    def test_from_the_last_sign_of_life_until_the_start_nobody_looked(self, database):
        append(database, self.started(None, 0), self.started(5, 8), self.started(50, 70))
        assert self.spans(database) == [(5, 8), (50, 60)]

    def test_a_second_start_within_the_same_silence_makes_it_longer(self, database):
        append(database, self.started(5, 8), self.started(5, 12))
        assert self.spans(database) == [(5, 12)]

    def test_a_clock_that_was_put_right_takes_back_what_it_made_up(self, database):
        append(database, self.started(5, 12), self.started(5, 9))
        assert self.spans(database) == [(5, 9)]

    def test_a_clock_that_went_back_makes_no_silence(self, database):
        append(database, self.started(5, 5), self.started(9, 7))
        assert self.spans(database) == []
