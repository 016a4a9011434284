"""Rules of recurrence: what they accept, and when they start next."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.maintenance.recurrence import EVERY_DAY, Rule, parse_rule, parse_start

ECUADOR = ZoneInfo("America/Guayaquil")
MADRID = ZoneInfo("Europe/Madrid")
HAVANA = ZoneInfo("America/Havana")
ZONES = [
    ECUADOR,
    MADRID,
    HAVANA,
    *map(ZoneInfo, ("Australia/Lord_Howe", "America/New_York", "Pacific/Apia", "UTC")),
]
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "days", "at"),
    [
        ("every day 02:00", EVERY_DAY, time(2, 0)),
        ("every sunday 02:00", {6}, time(2, 0)),
        ("every monday, friday 22:30", {0, 4}, time(22, 30)),
        ("  Every  Monday,friday ,sunday   00:00 ", {0, 4, 6}, time(0, 0)),
    ],
)
def test_a_rule_names_days_and_a_time(text: str, days: set[int], at: time):
    assert parse_rule(text) == Rule(weekdays=frozenset(days), at=at)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sunday 02:00", "expected a rule"),
        ("every sunday", "expected a rule"),
        ("every sunday 2:00", "expected a rule"),
        ("every sunday 02:00 and more", "expected a rule"),
        ("", "expected a rule"),
        ("every domingo 02:00", '"domingo" as day of the week'),
        ("every day, sunday 02:00", '"day" as day of the week'),
        ("every sunday 24:00", '"24:00" as time of day'),
        ("every sunday 02:60", '"02:60" as time of day'),
    ],
)
def test_what_is_no_rule_is_refused_with_what_is_allowed(text: str, told: str):
    with pytest.raises(ValueError, match=told):
        parse_rule(text)


@given(st.frozensets(st.integers(0, 6), min_size=1), st.integers(0, 1439))
def test_a_rule_that_is_written_out_reads_the_same(days: frozenset[int], minute: int):
    rule = Rule(weekdays=days, at=time(minute // 60, minute % 60))
    assert parse_rule(str(rule)) == rule


def test_a_rule_without_a_day_is_refused():
    with pytest.raises(ValueError, match="at least one day"):
        Rule(weekdays=frozenset(), at=time(2, 0))


@pytest.mark.parametrize(
    ("rule", "zone", "after", "start"),
    [
        ("every sunday 02:00", ECUADOR, "2026-11-20T12:00", "2026-11-22T07:00"),
        ("every sunday 02:00", ECUADOR, "2026-11-22T06:59", "2026-11-22T07:00"),
        ("every sunday 02:00", ECUADOR, "2026-11-22T07:00", "2026-11-29T07:00"),
        ("every day 23:30", ECUADOR, "2026-11-22T04:00", "2026-11-22T04:30"),
        ("every monday, friday 22:30", ECUADOR, "2026-11-24T04:00", "2026-11-28T03:30"),
        # 02:30 does not exist on 29 March in Madrid, and exists twice on 25 October
        ("every day 02:30", MADRID, "2026-03-28T12:00", "2026-03-29T01:00"),
        ("every day 02:30", MADRID, "2026-03-29T01:00", "2026-03-30T00:30"),
        ("every day 02:30", MADRID, "2026-10-24T12:00", "2026-10-25T00:30"),
        ("every day 02:30", MADRID, "2026-10-25T00:30", "2026-10-26T01:30"),
        # midnight itself is skipped in Havana
        ("every sunday 00:00", HAVANA, "2026-03-02T12:00", "2026-03-08T05:00"),
    ],
)
def test_the_next_start_is_read_on_the_zones_clock(rule: str, zone: ZoneInfo, after: str, start: str):
    assert parse_rule(rule).next_after(utc(after), zone) == utc(start)


@settings(deadline=None)
@given(
    st.datetimes(datetime.fromisoformat("2010-01-01"), datetime.fromisoformat("2030-01-01")),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.sampled_from(ZONES),
)
def test_the_next_start_lies_ahead_on_its_day_and_no_start_is_skipped(
    moment: datetime, days: frozenset[int], minute: int, zone: ZoneInfo
):
    rule = Rule(weekdays=days, at=time(minute // 60, minute % 60))
    start = rule.next_after(moment.replace(tzinfo=UTC), zone)
    shown = start.astimezone(zone)
    assert moment.replace(tzinfo=UTC) < start <= moment.replace(tzinfo=UTC) + timedelta(days=9)
    exists = shown.replace(tzinfo=None, fold=0).time() == rule.at
    assert not exists or shown.weekday() in days
    assert exists or _skipped(shown.replace(tzinfo=None), start, zone)
    assert rule.next_after(start - timedelta(microseconds=1), zone) == start
    assert rule.next_after(start, zone) > start


def _skipped(shown: datetime, start: datetime, zone: ZoneInfo) -> bool:
    """Did the zone's clocks jump to what they show at that instant?"""
    before = (start - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    return shown - before > timedelta(seconds=1)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_a_daily_rule_starts_once_a_day_all_year(zone: ZoneInfo):
    rule = parse_rule("every day 02:10")
    start, days = utc("2026-01-01T00:00"), []
    while len(days) < 365:
        start = rule.next_after(start, zone)
        days.append(start.astimezone(zone).date())
    assert days == [days[0] + timedelta(days=ahead) for ahead in range(365)]
    assert days[0] in (date(2026, 1, 1), date(2026, 1, 2))


def test_one_start_is_read_on_the_zones_clock():
    assert parse_start("2026-12-01 22:00", ECUADOR) == utc("2026-12-02T03:00")
    assert parse_start(" 2026-03-29T02:30 ", MADRID) == utc("2026-03-29T01:00")


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-12-01", "2026-13-01 22:00", "2026-12-01 25:00", "01/12/2026 22:00"]
)
def test_what_is_no_local_time_is_refused(text: str):
    with pytest.raises(ValueError):
        parse_start(text, ECUADOR)
