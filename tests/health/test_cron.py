"""Crontab lines: what they mean by crontab(5), and where clocks jump, checked against a walk from minute to minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.health.cron import NICKNAMES, parse_cron

GUAYAQUIL = "America/Guayaquil"
MINUTE = timedelta(minutes=1)
# Where clocks jumped by an hour, by half of one, at midnight, and over a whole day.
CHANGES = [
    (GUAYAQUIL, "2026-11-22"),
    ("UTC", "2026-02-28"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Madrid", "2026-03-29"),
    ("Europe/Madrid", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Santiago", "2026-09-06"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kathmandu", "2026-01-01"),
]


def following(line: str, moment: str, zone: str = GUAYAQUIL) -> str:
    """Return the next moment as clocks in the zone show it."""
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    return (
        parse_cron(line)
        .next_after(at.astimezone(UTC), ZoneInfo(zone))
        .astimezone(ZoneInfo(zone))
        .isoformat(sep=" ")
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 3 * * *", "2026-11-23 03:00"),
        ("30 15 * * *", "2026-11-22 15:30"),
        ("0 15 * * *", "2026-11-23 15:00"),
        ("*/15 * * * *", "2026-11-22 15:15"),
        ("10/20 * * * *", "2026-11-22 15:10"),
        ("5,35 8-18/2 * * *", "2026-11-22 16:05"),
        ("0 9 * * mon-fri", "2026-11-23 09:00"),
        ("0 9 * * 1-5", "2026-11-23 09:00"),
        ("0 9 * * sun", "2026-11-29 09:00"),
        ("0 9 * * 0", "2026-11-29 09:00"),
        ("0 9 * * 7", "2026-11-29 09:00"),
        ("0 0 1 * *", "2026-12-01 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 31 JAN,Mar *", "2027-01-31 00:00"),
        ("@hourly", "2026-11-22 16:00"),
        ("@daily", "2026-11-23 00:00"),
        ("@weekly", "2026-11-29 00:00"),
        ("@yearly", "2027-01-01 00:00"),
        ("  0   3  * * *  ", "2026-11-23 03:00"),
    ],
)
def test_a_line_comes_due_when_crontab_says(line, expected):
    assert following(line, "2026-11-22 15:00").startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Both days are limited: one of them is enough.
        ("0 0 1 * mon", "2026-11-23 00:00"),
        ("0 0 24 * mon", "2026-11-23 00:00"),
        ("0 0 23 * fri", "2026-11-23 00:00"),
        # A day that begins with a star limits nothing by itself, so that both have to fit.
        ("0 0 */2 * mon", "2026-11-23 00:00"),
        ("0 0 1-22 * */7", "2026-12-06 00:00"),
    ],
)
def test_two_kinds_of_day_are_combined_as_crontab_combines_them(line, expected):
    assert following(line, "2026-11-22 15:00").startswith(expected)


def test_the_rarest_day_is_found():
    """The 29th of February on a Sunday, over a century that leaves a leap year out: forty years."""
    assert following("0 12 29 2 */7", "2088-03-01 00:00") == "2128-02-29 12:00:00-05:00"


@pytest.mark.parametrize(
    ("line", "after", "zone", "expected"),
    [
        # There is no 02:30 on that day: the first instant after the gap, and the usual time on the next.
        ("30 2 * * *", "2026-03-08 00:00", "America/New_York", "2026-03-08 03:00:00-04:00"),
        ("30 2 * * *", "2026-03-08 03:00", "America/New_York", "2026-03-09 02:30:00-04:00"),
        # 01:30 comes twice: the first time counts, and only that.
        ("30 1 * * *", "2026-11-01 00:00", "America/New_York", "2026-11-01 01:30:00-04:00"),
        ("30 1 * * *", "2026-11-01 01:31", "America/New_York", "2026-11-02 01:30:00-05:00"),
        # Midnight itself is skipped.
        ("0 0 * * *", "2026-09-05 12:00", "America/Santiago", "2026-09-06 01:00:00-03:00"),
        # A day that never was.
        ("0 9 30 12 *", "2011-12-29 12:00", "Pacific/Apia", "2011-12-31 00:00:00+14:00"),
        ("0 9 * * *", "2011-12-31 00:00", "Pacific/Apia", "2011-12-31 09:00:00+14:00"),
    ],
)
def test_where_clocks_jump(line, after, zone, expected):
    assert following(line, after, zone) == expected


def walked(line: str, moment: datetime, zone: ZoneInfo, most: timedelta) -> datetime | None:
    """The same answer by brute force: the first minute by which clocks have come to, or passed, a time of the line."""
    cron = parse_cron(line)

    def shows(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    def fits(local: datetime) -> bool:
        of_month, of_week = local.day in cron.days, local.isoweekday() % 7 in cron.weekdays
        day = of_month or of_week if cron.either else of_month and of_week
        return day and local.month in cron.months and local.time() in cron.times

    at = moment.replace(second=0, microsecond=0) - timedelta(hours=4)
    passed = shows(at)
    while at < moment + most:
        at += MINUTE
        local = shows(at)
        met = False
        while passed < local:
            passed += MINUTE
            met = met or fits(passed)
        if met and at > moment:
            return at
    return None


fields = st.tuples(
    st.sampled_from(["*", "0", "30", "15,45", "*/20", "7-9", "59"]),
    st.sampled_from(["*", "0", "1", "2", "3", "0-3", "*/2", "23"]),
    st.sampled_from(["*", "1", "8", "29,30,31", "*/3"]),
    st.just("*"),
    st.sampled_from(["*", "sun", "mon-fri", "*/2"]),
).map(" ".join)


@given(
    line=fields, change=st.sampled_from(CHANGES), minutes=st.integers(-1500, 1500), seconds=st.integers(0, 59)
)
@example(line="30 2 * * *", change=("America/New_York", "2026-03-08"), minutes=0, seconds=0)
@example(line="* * * * *", change=("Europe/Madrid", "2026-10-25"), minutes=30, seconds=0)
def test_the_next_moment_is_the_one_that_a_patient_watcher_sees(line, change, minutes, seconds):
    name, day = change
    zone = ZoneInfo(name)
    moment = datetime.fromisoformat(f"{day}T06:00Z") + timedelta(minutes=minutes, seconds=seconds)
    seen = walked(line, moment, zone, timedelta(days=3))
    found = parse_cron(line).next_after(moment, zone)
    assert found > moment
    assert found == seen if seen is not None else found >= moment + timedelta(days=3)


@given(line=fields, change=st.sampled_from(CHANGES), minutes=st.integers(-3000, 3000))
def test_moments_never_come_twice_and_never_go_back(line, change, minutes):
    name, day = change
    at = datetime.fromisoformat(f"{day}T06:00Z") + timedelta(minutes=minutes)
    cron, zone = parse_cron(line), ZoneInfo(name)
    for _ in range(5):
        following_at = cron.next_after(at, zone)
        assert following_at > at
        # Nothing lies between: whoever asks a moment earlier gets the same answer.
        assert cron.next_after(following_at - timedelta(microseconds=1), zone) == following_at
        at = following_at


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "with 0 fields"),
        ("0 3 * *", "with 4 fields"),
        ("0 3 * * * root", "with 6 fields"),
        ("60 3 * * *", 'found the text "60" as minute; allowed is 0 to 59'),
        ("0 24 * * *", '"24" as hour; allowed is 0 to 23'),
        ("0 3 0 * *", '"0" as day of the month; allowed is 1 to 31'),
        ("0 3 * 13 *", '"13" as month; allowed is 1 to 12'),
        ("0 3 * * 8", '"8" as day of the week; allowed is 0 to 7'),
        ("0 3 * * frid", '"frid" as day of the week; did you mean "fri"?'),
        ("0 3 * sept *", '"sept" as month; did you mean "sep"?'),
        ("x 3 * * *", '"x" as minute; allowed is 0 to 59'),
        ("5-1 3 * * *", '"5-1", a range that ends before it begins'),
        ("*/0 3 * * *", "a step of 0"),
        ("-5 3 * * *", '"-5" as minute'),
        ("0 3 31 2 *", "never comes due: none of its months has a day 31"),
        ("0 0 30,31 feb *", "never comes due: none of its months has a day 30"),
        ("@dayly", '"@dayly"; did you mean "@daily"?'),
        ("@reboot", '"@reboot"; allowed: @hourly'),
        ("0 " * 200, "at most 200 characters"),
    ],
)
def test_what_is_no_line_is_refused_with_a_sentence(line, sentence):
    with pytest.raises(ValueError) as raised:
        parse_cron(line)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("nickname", NICKNAMES)
def test_every_nickname_stands_for_a_line(nickname):
    assert parse_cron(nickname) == parse_cron(NICKNAMES[nickname])
