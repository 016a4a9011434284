"""The machine's clock is set back and forth while the house goes on: nobody goes deaf, nothing is told or deleted for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.actions import maintain
from monitor.clock import STANDING
from monitor.health.words import Status
from monitor.incidents.incident import Stage
from monitor.inventory.settings import Keep
from monitor.journal.consequences import Channel
from monitor.maintenance.window import WindowStage
from monitor.observation import Cause
from monitor.store import deliveries, observations, readings
from monitor.store.database import Database
from monitor.store.observations import Step
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, Lookout, key
from tests.actions.conftest import webhook
from tests.actions.jobs import Jobs, jobs, open_jobs
from tests.actions.stations import Station
from tests.conftest import SteppingClock
from tests.servers.helpdesk import Helpdesk

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TO_1970 = datetime(1970, 1, 1, 1, tzinfo=UTC) - NOON
TO_2038 = datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC) - NOON
BACK = (-SECOND, -30 * SECOND, -HOUR, -DAY, TO_1970)
FORTH = (HOUR, DAY, TO_2038)
KEEP = Keep(observations=35 * DAY, five_minutes=90 * DAY, hours=730 * DAY)


class Machine(SteppingClock):
    """A clock whose wall can be set, as an administrator or NTP would."""

    def set(self, by: timedelta) -> None:
        self._now += by


@pytest.fixture
def machine() -> Machine:
    return Machine(NOON)


@pytest.fixture
def lookout(tmp_path: Path, machine: Machine) -> Iterator[Lookout]:
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), machine)
    made.all_well()
    made.wait(MINUTE, every=SECOND)
    yield made
    made.database.close()


def due(lookout: Lookout) -> list[str]:
    """Return what may go out now by the house's clock."""
    with lookout.database.reading() as tx:
        return [row.action for row in deliveries.due(tx, lookout.bureau.clock.now(), 10, Channel.TICKET)]


def settle(lookout: Lookout) -> None:
    while lookout.bureau.settle(KEEP):
        pass


@pytest.mark.parametrize("by", [*BACK, *FORTH])
@pytest.mark.parametrize("after", [timedelta(0), 2 * STANDING], ids=["at once", "once believed"])
def test_a_fault_after_a_step_is_found_as_soon_as_ever(
    lookout: Lookout, machine: Machine, by: timedelta, after: timedelta
):
    machine.set(by)
    lookout.wait(after, every=SECOND)
    assert lookout.incidents() == []
    lookout.see("gye1/http down", times=3)
    incident = lookout.incident()
    now = lookout.bureau.clock.now()
    assert timedelta(0) <= now - incident.started_at <= 2 * MINUTE
    assert due(lookout) == ["create"]
    lookout.see("gye1/http ok", times=2)
    lookout.wait(RESOLVE_AFTER + 2 * STANDING, every=SECOND)
    assert lookout.incident().stage is Stage.RESOLVED
    assert lookout.status() is Status.OPERATIONAL


@pytest.mark.parametrize("by", [*BACK, *FORTH])
def test_a_step_in_the_middle_of_a_confirmation_loses_no_look(
    lookout: Lookout, machine: Machine, by: timedelta
):
    lookout.see("gye1/http down", times=2)
    machine.set(by)
    lookout.see("gye1/http down")
    assert lookout.incident().open


@pytest.mark.parametrize("by", [*BACK, *FORTH])
def test_a_recovery_is_watched_for_as_long_as_it_says(lookout: Lookout, machine: Machine, by: timedelta):
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    lookout.wait(MINUTE, every=SECOND)
    machine.set(by)
    lookout.wait(RESOLVE_AFTER - MINUTE - 15 * SECOND, every=SECOND)
    assert lookout.incident().stage is Stage.MONITORING
    lookout.wait(30 * SECOND, every=SECOND)
    assert lookout.incident().stage is Stage.RESOLVED


@pytest.mark.parametrize("by", [HOUR, TO_2038])
def test_what_fails_again_after_a_step_forward_is_the_same_incident(
    lookout: Lookout, machine: Machine, by: timedelta
):
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    lookout.wait(RESOLVE_AFTER + MINUTE, every=SECOND)
    machine.set(by)
    lookout.wait(2 * STANDING, every=SECOND)
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().open
    assert lookout.told().count("create") == 1


@pytest.mark.parametrize("by", [HOUR, DAY, TO_2038])
def test_a_clock_that_is_put_right_within_a_minute_ends_no_window(
    lookout: Lookout, machine: Machine, by: timedelta
):
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=lookout.clock.now(),
            ends_at=lookout.clock.now() + 30 * MINUTE,
            title={"es": "Trabajos", "en": "Work"},
            actor="ana",
            moment=lookout.clock.now(),
        )
    lookout.wait(MINUTE, every=SECOND)
    machine.set(by)
    lookout.see("gye1/http down", times=3)
    machine.set(-by)
    lookout.see("gye1/http down", times=3)
    lookout.wait(MINUTE, every=SECOND)
    assert [window.stage for window in lookout.windows()] == [WindowStage.IN_PROGRESS]
    assert lookout.incidents() == []


def test_a_deferred_delivery_does_not_wait_for_an_hour_that_comes_twice(lookout: Lookout, machine: Machine):
    lookout.see("gye1/http down", times=3)
    machine.set(-HOUR)
    lookout.wait(2 * STANDING, every=SECOND)
    assert due(lookout) == ["create"]


def test_a_year_that_never_was_deletes_nothing(lookout: Lookout, machine: Machine):
    for _ in range(3):
        machine.step(2 * HOUR)
        lookout.all_well()
    settle(lookout)
    with lookout.database.reading() as tx:
        number = readings.check_numbers(tx)[key("gye1/http")]
        before = observations.looks(tx, number, NOON - DAY, NOON + DAY)
    machine.set(TO_2038)
    for _ in range(60):
        lookout.wait(MINUTE, every=20 * SECOND)
        lookout.see("gye1/http ok")
        settle(lookout)
    assert lookout.bureau.clock.now() > NOON + TO_2038
    with lookout.database.reading() as tx:
        kept = observations.looks(tx, number, NOON - DAY, NOON + DAY)
    assert before
    assert all(look in kept for look in before)
    machine.set(-TO_2038)
    lookout.wait(2 * STANDING, every=SECOND)
    settle(lookout)
    assert lookout.bureau.future_rows is not None
    assert lookout.bureau.future_rows > 50
    now = lookout.bureau.clock.now()
    with lookout.database.reading() as tx:
        points = observations.series(tx, number, now - 2 * DAY, now, Step.HOUR)
        days = readings.server_days(tx, now.date() - 90 * DAY)
    assert all(point.start <= now for point in points)
    assert all(day.date <= now.date() for some in days.values() for day in some)


def test_what_is_too_old_goes_as_ever_while_the_clock_goes_as_it_should(lookout: Lookout, machine: Machine):
    settle(lookout)
    for _ in range(36):
        machine.step(DAY)
        settle(lookout)
    with lookout.database.reading() as tx:
        number = readings.check_numbers(tx)[key("gye1/http")]
        assert observations.looks(tx, number, NOON - DAY, NOON + DAY) == ()


def test_after_a_month_switched_off_what_is_too_old_goes_within_the_next(lookout: Lookout, machine: Machine):
    settle(lookout)
    lookout.bureau.publish("", "")
    machine.step(40 * DAY)
    again = lookout.restart()
    settle(again)
    with again.database.reading() as tx:
        number = readings.check_numbers(tx)[key("gye1/http")]
        assert observations.looks(tx, number, NOON - DAY, NOON + DAY)
    for _ in range(41):
        machine.step(DAY)
        settle(again)
    with again.database.reading() as tx:
        assert not observations.looks(tx, number, NOON - DAY, NOON + DAY)
    again.database.close()


@pytest.mark.parametrize("by", BACK)
def test_a_clock_that_was_set_back_while_watch_was_away_leaves_no_check_deaf(
    lookout: Lookout, machine: Machine, by: timedelta
):
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    lookout.bureau.publish("", "")
    machine.set(by)
    again = lookout.restart()
    again.wait(RESOLVE_AFTER + 2 * STANDING, every=SECOND)
    assert again.incident().stage is Stage.RESOLVED
    again.see("gye1/smtp down", times=3)
    assert again.status() is not Status.OPERATIONAL
    again.database.close()


def test_a_start_in_1970_deletes_no_history(lookout: Lookout, machine: Machine):
    lookout.see("gye1/http down", times=3)
    lookout.bureau.publish("", "")
    began = lookout.since()
    machine.set(TO_1970)
    again = lookout.restart()
    again.see("gye1/http ok", times=2)
    again.wait(2 * MINUTE, every=SECOND)
    settle(again)
    with again.database.reading() as tx:
        spans = readings.status_spans(tx, NOON - DAY, NOON + DAY)[GYE1]
    assert any(span.status is not Status.OPERATIONAL and span.start == began for span in spans)
    machine.set(-TO_1970)
    again.wait(3 * MINUTE, every=SECOND)
    assert again.bureau.clock.now() == machine.now()
    again.database.close()


def test_sleep_does_not_count_as_having_watched(lookout: Lookout, machine: Machine):
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    machine.step(2 * HOUR)
    lookout.bureau.slept(2 * HOUR)
    lookout.bureau.keep_house()
    assert lookout.incident().stage is Stage.MONITORING
    lookout.wait(RESOLVE_AFTER, every=SECOND)
    assert lookout.incident().stage is Stage.RESOLVED


def test_what_may_be_hidden_at_the_helpdesk_is_not_created_again_because_of_a_step(
    tmp_path: Path, machine: Machine
):
    """The clock of the helpdesk is right all the while: it hides a new ticket for eight seconds."""
    wrong = timedelta(0)
    with closing(Helpdesk(lambda: machine.now() - wrong, lag=8 * SECOND)) as desk:
        station = Station(tmp_path / "here", machine, lambda _: webhook(desk, machine))
        station.lookout.see("gye1/http down", times=3)
        desk.modes.append("reset")
        station.steps()
        wrong = 40 * SECOND
        machine.set(wrong)
        station.wait(6 * SECOND)
        assert station.tickets() == []
        station.wait(MINUTE)
        assert len(desk.tickets) == 1
        assert len(station.tickets()) == 1
        station.database.close()


class TestHeartbeats:
    @pytest.fixture
    def house(self, tmp_path: Path, machine: Machine) -> Iterator[Jobs]:
        made = open_jobs(tmp_path, machine, jobs())
        made.say()
        made.pass_by(MINUTE, every=SECOND)
        yield made
        made.close()

    @pytest.mark.parametrize("by", [HOUR, DAY, TO_2038])
    def test_a_moment_that_was_leapt_over_is_excused(self, house: Jobs, machine: Machine, by: timedelta):
        machine.set(by)
        assert house.pass_by(30 * MINUTE) == []
        assert house.incidents() == []

    @pytest.mark.parametrize("by", [-HOUR, -DAY, TO_1970])
    def test_silence_is_found_no_later_than_an_interval_after_a_step_back(
        self, house: Jobs, machine: Machine, by: timedelta
    ):
        machine.set(by)
        found = house.pass_by(HOUR + 15 * MINUTE)
        assert [look.cause for look in found] == [Cause.OVERDUE]

    @pytest.mark.parametrize("by", [-HOUR, HOUR, TO_1970])
    def test_reports_are_taken_in_at_once_after_a_step(self, house: Jobs, machine: Machine, by: timedelta):
        machine.set(by)
        for _ in range(4):
            assert len(house.say()) == 1
            house.pass_by(MINUTE)
        assert house.incidents() == []
