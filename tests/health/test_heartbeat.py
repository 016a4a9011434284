"""When a report is due, what it means, and what is excused because we were not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.heartbeat import (
    FAIL,
    START,
    SUCCESS,
    Arrival,
    Beat,
    Reception,
    Schedule,
    deadline,
    default_grace,
    excused,
    finding,
    fresh,
    judged,
    rescheduled,
    taken,
)
from monitor.observation import Cause, Outcome

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAILY = Schedule(every=DAY, grace=2 * HOUR)
NIGHTLY = Schedule(every=MINUTE, grace=2 * HOUR, cron="0 3 * * *", zone="America/Guayaquil", within=3 * HOUR)
LONG_AGO = NOON - 30 * DAY


def listening(now: datetime, since: datetime = LONG_AGO, before: datetime | None = None) -> Reception:
    return Reception(heard_at=now, since=since, before=before)


def at(moment: datetime, signal: int = SUCCESS, body: str = "") -> Arrival:
    return Arrival(at=moment, signal=signal, body=body)


def after(schedule: Schedule, *arrivals: Arrival, since: datetime = NOON) -> Beat:
    beat = fresh(schedule, since)
    for arrival in arrivals:
        beat = taken(schedule, beat, arrival)
    return beat


def outcome(schedule: Schedule, beat: Beat) -> tuple[Outcome, Cause | None, str] | None:
    found = finding(schedule, beat)
    return None if found is None else (found.outcome, found.cause, found.found)


@pytest.mark.parametrize(
    ("every", "cron", "grace"),
    [
        (SECOND, None, MINUTE),
        (MINUTE, None, MINUTE),
        (10 * MINUTE, None, MINUTE),
        (HOUR, None, 6 * MINUTE),
        (DAY, None, HOUR),
        (30 * DAY, None, HOUR),
        (DAY, "0 3 * * *", 10 * MINUTE),
    ],
)
def test_the_usual_grace_is_a_tenth_of_the_interval_within_bounds(every, cron, grace):
    assert default_grace(every, cron) == grace


def test_one_that_never_reported_waits_a_whole_interval_and_its_grace():
    beat = fresh(DAILY, NOON)
    assert outcome(DAILY, beat) is None
    assert deadline(DAILY, beat, listening(NOON)) == NOON + DAY + 2 * HOUR
    just_before, just_then = NOON + DAY + 2 * HOUR - SECOND, NOON + DAY + 2 * HOUR
    assert judged(DAILY, beat, listening(just_before), just_before) == beat
    late = judged(DAILY, beat, listening(just_then), just_then)
    assert outcome(DAILY, late) == (
        Outcome.DOWN,
        Cause.OVERDUE,
        "no report ever; expected by 2026-11-23 12:00:00 UTC",
    )


def test_a_report_is_believed_and_the_next_is_due_an_interval_later():
    beat = after(DAILY, at(NOON + HOUR))
    assert outcome(DAILY, beat) == (Outcome.OK, None, "")
    assert beat.expected == NOON + HOUR + DAY
    assert beat.ran is None


def test_by_a_crontab_line_the_next_moment_counts_and_not_the_last_report():
    beat = after(NIGHTLY, at(datetime(2026, 11, 22, 9, 20, tzinfo=UTC)))
    assert beat.expected == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_a_clock_that_goes_a_little_before_ours_reports_for_the_moment_to_come():
    beat = after(NIGHTLY, at(datetime(2026, 11, 22, 7, 59, 57, tzinfo=UTC)))
    assert beat.expected == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("signal", "found"), [(FAIL, "reported a failure"), (1, "exit code 1"), (255, "exit code 255")]
)
def test_a_failure_is_told_by_its_exit_code_and_starts_the_next_interval(signal, found):
    beat = after(DAILY, at(NOON + HOUR, signal, "no space left"))
    assert outcome(DAILY, beat) == (Outcome.DOWN, Cause.STATUS, found)
    assert beat.body == "no space left"
    assert beat.expected == NOON + HOUR + DAY


def test_a_run_is_timed_from_its_start_and_warned_of_when_it_was_slow():
    began = NOON + HOUR
    assert after(NIGHTLY, at(began, START), at(began + 2 * HOUR)).ran == 2 * HOUR
    assert outcome(NIGHTLY, after(NIGHTLY, at(began, START), at(began + 3 * HOUR))) == (Outcome.OK, None, "")
    slow = after(NIGHTLY, at(began, START), at(began + 3 * HOUR + SECOND))
    assert outcome(NIGHTLY, slow) == (Outcome.WARN, Cause.SLOW, "ran for 10801 s, expected within 10800 s")
    failed = after(NIGHTLY, at(began, START), at(began + 4 * HOUR, 3))
    assert outcome(NIGHTLY, failed) == (Outcome.DOWN, Cause.STATUS, "exit code 3")


def test_a_start_changes_nothing_but_how_long_one_waits():
    beat = after(DAILY, at(NOON), at(NOON + DAY, START))
    assert outcome(DAILY, beat) == (Outcome.OK, None, "")
    assert deadline(DAILY, beat, listening(NOON)) == NOON + DAY + 2 * HOUR
    late_start = after(NIGHTLY, at(NOON, START))
    assert deadline(NIGHTLY, late_start, listening(NOON)) == NOON + 3 * HOUR + 2 * HOUR


def test_a_run_that_never_ends_is_overdue():
    beat = after(NIGHTLY, at(NOON), at(NOON + HOUR, START))
    end = NOON + HOUR + 5 * HOUR
    late = judged(NIGHTLY, beat, listening(end), end)
    assert outcome(NIGHTLY, late) == (
        Outcome.DOWN,
        Cause.OVERDUE,
        "a run that began at 2026-11-22 13:00:00 UTC has not ended",
    )


def test_a_job_that_only_ever_starts_is_overdue_from_its_first_start():
    starts = [at(NOON + number * MINUTE, START) for number in range(200)]
    beat = after(NIGHTLY, *starts)
    assert deadline(NIGHTLY, beat, listening(NOON)) == NOON + 5 * HOUR
    # The run itself is the newest one.
    assert taken(NIGHTLY, beat, at(NOON + 200 * MINUTE)).ran == MINUTE


def test_a_report_ends_the_silence_whenever_it_comes():
    end = NOON + 5 * DAY
    late = judged(DAILY, fresh(DAILY, NOON), listening(end), end)
    assert deadline(DAILY, late, listening(end)) is None
    assert judged(DAILY, late, listening(end + DAY), end + DAY) == late
    beat = taken(DAILY, late, at(end + HOUR))
    assert outcome(DAILY, beat) == (Outcome.OK, None, "")
    assert beat.expected == end + HOUR + DAY


def test_a_start_alone_does_not_end_the_silence():
    end = NOON + 5 * DAY
    late = judged(DAILY, fresh(DAILY, NOON), listening(end), end)
    begun = taken(DAILY, late, at(end + HOUR, START))
    assert outcome(DAILY, begun) == (
        Outcome.DOWN,
        Cause.OVERDUE,
        "no report since 2026-11-27 13:00:00 UTC; expected by 2026-11-23 12:00:00 UTC",
    )


def test_the_newest_of_several_reports_counts_and_all_are_counted():
    beat = after(DAILY, at(NOON, 3), Arrival(at=NOON + SECOND, signal=SUCCESS, times=7), at(NOON, START))
    assert outcome(DAILY, beat) == (Outcome.OK, None, "")
    assert beat.arrivals == 9


def test_a_changed_rhythm_begins_anew():
    beat = after(DAILY, at(NOON, 3))
    hourly = Schedule(every=HOUR, grace=MINUTE)
    changed = rescheduled(hourly, beat, NOON + 20 * HOUR)
    assert changed.expected == NOON + 21 * HOUR
    assert outcome(hourly, changed) == (Outcome.DOWN, Cause.STATUS, "exit code 3")
    assert DAILY.rhythm != hourly.rhythm
    assert Schedule(every=HOUR, grace=HOUR, within=HOUR).rhythm == hourly.rhythm


# What is not the target's fault


def test_nothing_is_overdue_while_nothing_can_come_in():
    end = NOON + 5 * DAY
    beat = fresh(DAILY, NOON)
    assert judged(DAILY, beat, listening(end - MINUTE), end) == beat


def test_after_a_short_interruption_there_is_the_grace_from_our_return():
    due = NOON + DAY + 2 * HOUR
    back = listening(due + 10 * SECOND, since=due + 10 * SECOND, before=due - 10 * SECOND)
    beat = fresh(DAILY, NOON)
    assert excused(DAILY, beat, back) == beat
    assert deadline(DAILY, beat, back) == due + 10 * SECOND + 2 * HOUR


def test_a_moment_that_fell_into_a_long_interruption_is_excused():
    """The report was sent to nobody; whoever waits for it still would raise a false alarm."""
    beat = after(DAILY, at(NOON))
    back = listening(NOON + DAY + HOUR, since=NOON + DAY + HOUR, before=NOON + 20 * HOUR)
    spared = excused(DAILY, beat, back)
    assert deadline(DAILY, spared, back) == NOON + 2 * DAY + HOUR + 2 * HOUR
    assert excused(DAILY, spared, back) == spared


def test_an_interruption_beside_the_expected_moment_excuses_nothing():
    beat = after(DAILY, at(NOON))
    before = listening(NOON + 20 * HOUR, since=NOON + 20 * HOUR, before=NOON + HOUR)
    assert excused(DAILY, beat, before) == beat
    missed = listening(NOON + 3 * DAY, since=NOON + 3 * DAY, before=NOON + 2 * DAY)
    assert excused(DAILY, beat, missed) == beat, "it was overdue before we went away"


def test_the_end_of_a_run_may_be_lost_as_well():
    beat = after(NIGHTLY, at(NOON - HOUR), at(NOON, START))
    back = listening(NOON + 6 * HOUR, since=NOON + 6 * HOUR, before=NOON + HOUR)
    spared = excused(NIGHTLY, beat, back)
    assert judged(NIGHTLY, spared, back, NOON + 6 * HOUR) == spared
    assert spared.expected == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


moments = st.integers(0, 10 * 24 * 3600).map(lambda seconds: NOON + seconds * SECOND)
schedules = st.builds(
    Schedule,
    every=st.integers(1, 3 * 24 * 60).map(lambda minutes: minutes * MINUTE),
    grace=st.integers(0, 24 * 60).map(lambda minutes: minutes * MINUTE),
    cron=st.sampled_from([None, "0 3 * * *", "*/5 * * * *", "0 0 1 * *"]),
    zone=st.sampled_from(["UTC", "America/Guayaquil", "Europe/Madrid", "Australia/Lord_Howe"]),
    within=st.none() | st.integers(1, 600).map(lambda minutes: minutes * MINUTE),
)
reports = st.lists(
    st.tuples(moments, st.sampled_from([START, FAIL, SUCCESS, 1, 255])).map(lambda pair: at(*pair)),
    max_size=8,
)


@given(schedule=schedules, arrivals=reports, now=moments)
def test_no_history_is_overdue_before_its_grace_is_over(schedule, arrivals, now):
    arrivals.sort(key=lambda each: each.at)
    beat = after(schedule, *arrivals)
    late = judged(schedule, beat, listening(now), now)
    if late.overdue_since is not None:
        assert late.overdue_since <= now
        assert all(
            late.overdue_since >= each.at + schedule.grace for each in arrivals if each.signal != START
        )
        assert late.overdue_since >= NOON + schedule.grace


@given(schedule=schedules, arrivals=reports, gap=st.tuples(moments, moments), seconds=st.integers(0, 10**6))
def test_whoever_comes_back_grants_the_grace_from_then_on(schedule, arrivals, gap, seconds):
    before, since = sorted(gap)
    arrivals.sort(key=lambda each: each.at)
    beat = after(schedule, *(each for each in arrivals if each.at < since))
    now = since + seconds * SECOND
    back = listening(now, since=since, before=before)
    spared = excused(schedule, beat, back)
    late = judged(schedule, spared, back, now)
    assert late.overdue_since is None or late.overdue_since >= since + schedule.grace
    assert excused(schedule, spared, back) == spared
    assert spared.expected >= beat.expected


@given(schedule=schedules, arrivals=reports)
def test_the_next_report_is_expected_after_the_last(schedule, arrivals):
    arrivals.sort(key=lambda each: each.at)
    beat = after(schedule, *arrivals)
    assert beat.reported_at is None or beat.expected > beat.reported_at
    assert beat.arrivals == len(arrivals)
    found = finding(schedule, beat)
    assert (found is None) == all(each.signal == START for each in arrivals)
