"""Heartbeats from the inbox to the incident: each report counts once, in its order, with its own moment; silence is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.actions import maintain
from monitor.actions import receive as receiving
from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.health.heartbeat import FAIL, START, SUCCESS
from monitor.health.state import Attempts, Policy
from monitor.health.view import AddressFamily, Fact, Insight
from monitor.health.words import State, Status
from monitor.incidents.incident import Impact
from monitor.observation import Cause, Measure, Outcome
from tests.actions.builders import GYE1, MINUTE, RETRY, Lookout
from tests.actions.jobs import BACKUP, DIGESTS, HOUR, ROTATION, SECOND, Jobs, job, jobs, open_jobs
from tests.conftest import SteppingClock


@pytest.fixture
def house(tmp_path: Path, clock: SteppingClock) -> Iterator[Jobs]:
    made = open_jobs(tmp_path, clock, jobs())
    yield made
    made.close()


def restarted(house: Jobs) -> Jobs:
    """Return what a new watch makes of the same data; the tests close both."""
    house.web.close()
    return house.restart()


def test_a_report_becomes_a_look_and_turns_the_check_green(house: Jobs):
    [look] = house.say()
    assert (look.check, look.started_at, look.outcome) == (BACKUP, house.clock.now(), Outcome.OK)
    assert (look.took_ms, dict(look.phases), look.measures) == (0.0, {"total": 0.0}, ())
    assert house.state() is State.UP
    assert house.waiting() == 0
    assert house.receive() == ()
    assert house.looks() == [Outcome.OK]


def test_a_run_is_timed_by_its_start(house: Jobs):
    assert house.say(START) == ()
    house.clock.step(90 * SECOND)
    [look] = house.say()
    assert look.took_ms == 91_000
    assert look.measures == (Measure(name="run_seconds", value=91.0, unit="seconds"),)
    [following] = house.say()
    assert (following.took_ms, following.measures) == (0.0, ())


def test_a_failure_is_believed_at_once_with_what_the_job_said(house: Jobs):
    house.say()
    [look] = house.say(3, body="no space left\x1b[31m on device\x00")
    assert (look.outcome, look.cause, look.found) == (Outcome.DOWN, Cause.STATUS, "exit code 3")
    assert look.excerpt == "no space left[31m on device"
    assert look.reproduce == "vigia probe gye1/backup"
    assert house.state() is State.DOWN
    assert house.status() is Status.DEGRADED_PERFORMANCE
    assert house.incident().impact is Impact.MINOR
    house.say()
    assert house.state() is State.UP


def test_silence_is_found_opens_an_incident_and_ends_with_the_next_report(house: Jobs):
    reported = house.say()[0].started_at
    assert house.pass_by(HOUR + 9 * MINUTE) == []
    [look] = house.pass_by(2 * MINUTE)
    assert (look.outcome, look.cause) == (Outcome.DOWN, Cause.OVERDUE)
    assert look.started_at == reported + HOUR + 10 * MINUTE
    assert look.found == "no report since 2026-11-22 15:00:01 UTC; expected by 2026-11-22 16:00:01 UTC"
    incident = house.incident()
    assert incident.started_at == look.started_at
    assert house.told(incident.id) == ["create"]
    assert house.pass_by(5 * HOUR) == [], "it is told once"
    house.say()
    assert house.state() is State.UP
    house.pass_by(10 * MINUTE)
    assert not house.incident().open


def test_one_that_never_reported_is_unknown_for_an_interval_and_never_an_alarm_at_the_first_start(
    house: Jobs,
):
    assert house.pass_by(HOUR + 9 * MINUTE) == []
    assert house.state() is State.UNKNOWN
    assert house.incidents() == []
    [look] = house.pass_by(MINUTE)
    assert look.found == "no report ever; expected by 2026-11-22 16:00:00 UTC"
    assert house.state() is State.DOWN


def test_reports_of_one_round_are_judged_one_by_one_in_their_order(house: Jobs):
    for signal in (SUCCESS, 1, SUCCESS, FAIL):
        house.report(signal)
    looks = house.receive()
    assert [look.outcome for look in looks] == [Outcome.OK, Outcome.DOWN, Outcome.OK, Outcome.DOWN]
    assert len({look.started_at for look in looks}) == 4, "looks of one moment would be one look"
    assert house.looks() == [look.outcome for look in looks]
    assert house.state() is State.DOWN
    assert house.arrivals() == 4


def test_a_late_report_in_the_same_round_is_no_silence(house: Jobs):
    house.say()
    house.clock.step(HOUR + 11 * MINUTE)
    house.listen()
    house.report()
    assert [look.outcome for look in house.receive()] == [Outcome.OK]
    assert house.incidents() == []


def test_what_came_while_watch_was_away_counts_with_its_own_moments(house: Jobs):
    house.say()
    moments = []
    for _ in range(3):
        house.pass_unwatched(HOUR)
        moments.append(house.report())
    again = restarted(house)
    looks = again.receive()
    assert [look.started_at for look in looks] == moments
    assert [look.outcome for look in looks] == [Outcome.OK] * 3
    assert again.incidents() == []
    assert again.looks() == [Outcome.OK] * 4
    again.close()


def test_nobody_is_blamed_for_a_moment_in_which_nothing_could_come_in(house: Jobs):
    house.say()
    house.clock.step(5 * HOUR)
    again = restarted(house)
    again.listen(anew=True)
    assert again.receive() == ()
    # The moment itself fell into the gap; the next one is expected an interval after our return.
    assert again.pass_by(HOUR + 9 * MINUTE) == []
    [look] = again.pass_by(2 * MINUTE)
    assert look.cause is Cause.OVERDUE
    again.close()


def test_nothing_is_overdue_while_web_is_away(house: Jobs):
    house.say()
    for _ in range(200):
        house.clock.step(MINUTE)
        assert house.receive() == ()
    assert house.incidents() == []


def test_silence_while_watch_alone_was_away_is_told_on_its_return(house: Jobs):
    reported = house.say()[0].started_at
    house.pass_unwatched(3 * HOUR)
    again = restarted(house)
    [look] = again.receive()
    assert look.started_at == reported + HOUR + 10 * MINUTE
    assert again.state() is State.DOWN
    again.close()


def test_a_restart_goes_on_where_the_last_watch_stopped(house: Jobs):
    house.say(START)
    house.clock.step(MINUTE)
    house.listen()
    again = restarted(house)
    [look] = again.say()
    assert look.took_ms == 61_000
    assert again.arrivals() == 2
    again.close()


def test_what_is_asked_to_be_confirmed_is_looked_at_again_after_the_gap(tmp_path: Path, clock: SteppingClock):
    patient = Policy(confirm=Attempts(attempts=3, retry=RETRY), recover=Attempts(attempts=2, retry=RETRY))
    house = open_jobs(tmp_path, clock, jobs(job(policy=patient)))
    house.say()
    house.pass_by(HOUR + 9 * MINUTE)
    looks = house.pass_by(3 * MINUTE, every=SECOND)
    assert [look.cause for look in looks] == [Cause.OVERDUE] * 3
    assert looks[-1].started_at - looks[0].started_at == 2 * RETRY
    assert house.state() is State.DOWN
    house.say()
    assert house.state() is State.RECOVERING
    assert [look.outcome for look in house.pass_by(MINUTE, every=SECOND)] == [Outcome.OK]
    assert house.state() is State.UP
    assert house.pass_by(5 * MINUTE) == []
    house.close()


def test_silence_within_a_window_is_told_when_the_window_is_over(house: Jobs):
    house.say()
    began = house.clock.now()
    plan_window(house, began + HOUR, began + 2 * HOUR)
    house.pass_by(HOUR + 30 * MINUTE)
    assert house.state() is State.DOWN
    assert house.incidents() == []
    house.pass_by(31 * MINUTE)
    incident = house.incident()
    assert incident.open
    assert incident.started_at >= began + 2 * HOUR - SECOND
    assert house.pass_by(HOUR) == []


def plan_window(house: Jobs, starts: datetime, ends: datetime) -> None:
    with house.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=starts,
            ends_at=ends,
            title={"es": "Discos", "en": "Disks"},
            actor="operator",
            moment=house.clock.now(),
        )


def test_a_changed_rhythm_waits_anew_and_a_changed_grace_does_not(house: Jobs):
    house.say()
    house.pass_by(50 * MINUTE)
    house.bureau.apply(jobs(job(every=5 * MINUTE)), DIGESTS)
    assert house.pass_by(14 * MINUTE) == []
    [late] = house.pass_by(2 * MINUTE)
    assert late.found.startswith("no report since 2026-11-22 15:00:01")
    house.say()
    house.bureau.apply(jobs(job(every=5 * MINUTE, grace="1m")), DIGESTS)
    assert house.pass_by(5 * MINUTE) == []
    assert len(house.pass_by(2 * MINUTE)) == 1


def test_a_heartbeat_that_leaves_the_file_is_forgotten_and_one_that_joins_begins(house: Jobs):
    house.say()
    house.report()
    house.bureau.apply(jobs(job("gye1/rotation")), DIGESTS)
    assert house.waiting() == 0
    assert house.pass_by(2 * HOUR)[0].check == ROTATION
    house.bureau.apply(jobs(job(), job("gye1/rotation")), DIGESTS)
    assert house.arrivals() == 0
    assert house.pass_by(HOUR) == []


def test_a_crontab_line_is_read_in_the_zone_of_the_site(tmp_path: Path, clock: SteppingClock):
    """Guayaquil is five hours behind: three in the morning there is eight in the morning."""
    house = open_jobs(tmp_path, clock, jobs(job(cron="0 3 * * *")))
    assert house.pass_by(17 * HOUR + 9 * MINUTE) == []
    [look] = house.pass_by(2 * MINUTE)
    assert look.found == "no report ever; expected by 2026-11-23 08:00:00 UTC"
    house.close()


def test_a_round_that_cannot_be_written_changes_nothing_and_comes_again(house: Jobs):
    house.report()
    held = house.bureau.picture
    with house.database.writing() as tx:
        tx.execute(
            "CREATE TRIGGER full BEFORE INSERT ON hot BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    with pytest.raises(StoreError, match="the disk is full"):
        house.bureau.receive()
    assert house.bureau.picture is held
    assert (house.waiting(), house.arrivals(), house.looks()) == (1, 0, [])
    with house.database.writing() as tx:
        tx.execute("DROP TRIGGER full")
    assert len(house.receive()) == 1
    assert (house.waiting(), house.arrivals(), house.looks()) == (0, 1, [Outcome.OK])


def test_a_flood_is_counted_whole_and_observed_within_measure(house: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(receiving, "AN_HOUR", 30)
    monkeypatch.setattr(receiving, "MOST", 10)
    rounds = 0
    for number in range(100):
        house.clock.step(timedelta(milliseconds=10))
        house.report(1 if number == 99 else SUCCESS)
    while house.waiting():
        house.receive()
        rounds += 1
    assert rounds == 10
    assert house.arrivals() == 100
    looks = house.looks()
    assert len(looks) == 30 + 7
    assert looks[-1] is Outcome.DOWN, "the newest of a round is never left out"
    house.clock.step(HOUR)
    assert len(house.say()) == 1


def test_a_clock_that_was_set_back_hides_no_recovery(house: Jobs):
    house.say()
    house.pass_by(2 * HOUR)
    assert house.state() is State.DOWN
    house.clock.step(-HOUR)
    house.listen()
    house.say()
    assert house.state() is State.UP


def test_a_house_without_news_is_left_alone(house: Jobs):
    house.receive()
    assert house.bureau.receive() is None
    house.clock.step(SECOND)
    house.listen()
    assert house.bureau.receive() is not None
    assert house.bureau.receive() is None


def test_a_fleet_without_heartbeats_asks_nobody(tmp_path: Path, clock: Clock, lookout: Lookout):
    assert lookout.bureau.receive() is None


def test_a_report_that_could_not_reach_us_is_no_silence(house: Jobs):
    """While no sentinel answers nobody can report either; what was due then is excused when our view is clear."""
    family = AddressFamily.IPV4
    house.say()
    house.pass_by(HOUR)
    began = house.clock.now()
    house.bureau.look_inward(Insight(blocked={family: Fact(holds=True, since=began)}))
    assert house.pass_by(HOUR) == []
    over = Fact(holds=False, since=house.clock.now(), before=began)
    house.bureau.look_inward(Insight(blocked={family: over}))
    assert house.pass_by(HOUR + 9 * MINUTE) == []
    assert [look.cause for look in house.pass_by(2 * MINUTE)] == [Cause.OVERDUE]
