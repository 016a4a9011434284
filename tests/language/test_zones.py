"""Local times as instants: gaps, doubled hours, skipped days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.language.zones import day_of, instant_of, start_of_day

ZONES = [
    ZoneInfo(name)
    for name in (
        "America/Guayaquil",
        "Europe/Madrid",
        "America/New_York",
        "America/Havana",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Beirut",
        "Pacific/Apia",
        "UTC",
    )
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("America/Guayaquil", "2026-12-01T22:00", "2026-12-02T03:00"),
        ("Europe/Madrid", "2026-03-29T02:30", "2026-03-29T01:00"),
        ("Europe/Madrid", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Madrid", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("America/Havana", "2026-03-08T00:15", "2026-03-08T05:00"),
        ("America/Havana", "2026-11-01T00:15", "2026-11-01T04:15"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),
    ],
)
def test_a_time_in_a_gap_is_the_first_instant_after_it_and_a_doubled_one_the_first(
    zone: str, local: str, instant: str
):
    assert instant_of(datetime.fromisoformat(local), ZoneInfo(zone)) == utc(instant)


def test_a_day_whose_midnight_is_skipped_starts_after_the_gap():
    assert start_of_day(date(2026, 3, 8), ZoneInfo("America/Havana")) == utc("2026-03-08T05:00")
    assert start_of_day(date(2011, 12, 30), ZoneInfo("Pacific/Apia")) == utc("2011-12-30T10:00")
    assert start_of_day(date(2011, 12, 31), ZoneInfo("Pacific/Apia")) == utc("2011-12-30T10:00")


def test_a_local_time_with_a_zone_of_its_own_is_refused():
    with pytest.raises(ValueError, match="no zone of its own"):
        instant_of(utc("2026-01-01T00:00"), ZoneInfo("UTC"))


@given(
    st.datetimes(datetime.fromisoformat("2009-01-01"), datetime.fromisoformat("2030-01-01")).map(
        lambda at: at.replace(microsecond=0)
    ),
    st.sampled_from(ZONES),
)
def test_no_clock_shows_the_time_before_that_instant_and_none_is_behind_it_then(
    local: datetime, zone: ZoneInfo
):
    instant = instant_of(local, zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    just_before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown >= local
    assert just_before < local
    assert day_of(instant, zone) == shown.date()
