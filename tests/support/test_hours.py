"""Service hours against a calendar that goes minute by minute, over holidays, turns of the year and clocks that are changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.support.holidays import holidays_of
from monitor.support.hours import Calendar, Holiday, Hours, Shift

ECUADOR = ZoneInfo("America/Guayaquil")
MINUTE = timedelta(minutes=1)
WEEK = Shift(days=(0, 1, 2, 3, 4), opens=480, closes=1080)
# Clocks are changed at night, at midnight, by half an hour, and once by a whole day.
ZONES = (
    "America/Guayaquil",
    "Europe/Madrid",
    "America/Havana",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
)
TURNS = (
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 4, tzinfo=UTC),
    datetime(2026, 9, 6, tzinfo=UTC),
    datetime(2026, 12, 31, tzinfo=UTC),
)


def local(text: str, zone: ZoneInfo = ECUADOR) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def calendar(hours: Hours | None = None, zone: ZoneInfo = ECUADOR) -> Calendar:
    free = {date.fromisoformat(day): names for day, names in holidays_of("EC", 2025, 2028).items()}
    return Calendar(hours or Hours(country="EC"), zone, free)


def open_minutes(
    hours: Hours, zone: ZoneInfo, free: frozenset[date], since: datetime, until: datetime
) -> Iterator[datetime]:
    """Walk through every minute with an eye on the wall: a shift begins, and ends, when the clock shows or passes its time first."""
    begun: set[tuple[date, Shift]] = set()
    ended: set[tuple[date, Shift]] = set()
    moment = since - timedelta(days=2)
    while moment < until:
        wall = moment.astimezone(zone)
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        off = day in hours.closed or (day in free and day not in hours.open)
        for shift in hours.shifts:
            if day.weekday() in shift.days and not off:
                if minute >= shift.opens:
                    begun.add((day, shift))
                if minute >= shift.closes:
                    ended.add((day, shift))
        if moment >= since and any(at == day for at, _ in begun - ended):
            yield moment
        moment += MINUTE


shifts = st.builds(
    lambda days, ends: Shift(days=tuple(sorted(days)), opens=min(ends), closes=max(ends)),
    st.sets(st.integers(0, 6), min_size=1),
    st.sets(st.integers(0, 1440), min_size=2, max_size=2),
)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(shifts, min_size=1, max_size=3, unique=True),
    st.sampled_from(ZONES),
    st.sampled_from(TURNS),
    st.integers(-2880, 1440),
    st.integers(0, 4000),
    st.tuples(*[st.sets(st.integers(-2, 3))] * 3),
)
def test_service_is_what_a_walk_through_the_minutes_finds(shifts, zone, turn, offset, length, special):
    day = turn.date()
    free, closed, opened = special
    free_days = frozenset(day + timedelta(days=each) for each in free)
    hours = Hours(
        shifts=tuple(shifts),
        closed=tuple(day + timedelta(days=each) for each in closed - opened),
        open=tuple(day + timedelta(days=each) for each in opened),
    )
    since = turn + offset * MINUTE
    until = since + length * MINUTE
    book = Calendar(hours, ZoneInfo(zone), {each: {} for each in free_days})

    minutes = list(open_minutes(hours, ZoneInfo(zone), free_days, since, until))

    assert book.worked(since, until) == len(minutes) * MINUTE
    # The walk cannot see that a shift of the first minute is open unless it is looked at then.
    if length:
        assert (book.open_until(since) is not None) == (since in minutes)
    end, opening = book.open_until(since), book.next_opening(since)
    if since in minutes and end is not None and end < until:
        assert end not in minutes
    if opening is not None and opening < until:
        assert minutes[0] == opening


@given(st.integers(0, 1_000_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_wait_is_the_sum_of_its_parts(start, first, second):
    book = calendar()
    since = datetime(2025, 1, 1, tzinfo=UTC) + start * MINUTE
    middle = since + first * MINUTE
    end = middle + second * MINUTE

    assert book.worked(since, end) == book.worked(since, middle) + book.worked(middle, end)


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-11-20T17:30", "2026-11-23T08:30", 1),
        ("2026-11-21T10:00", "2026-11-22T20:00", 0),
        ("2026-10-30T17:00", "2026-11-04T09:00", 2),
        ("2026-12-24T12:00", "2026-12-28T10:00", 8),
        ("2026-12-31T17:00", "2027-01-04T09:00", 2),
        ("2027-08-06T17:00", "2027-08-10T09:00", 2),
        ("2027-10-29T17:00", "2027-11-03T09:00", 2),
        ("2026-11-23T09:00", "2026-11-23T09:00", 0),
        ("2026-11-23T12:00", "2026-11-23T09:00", 0),
    ],
)
def test_nights_weekends_and_the_holidays_of_ecuador_are_not_waited(since, until, hours):
    assert calendar().worked(local(since), local(until)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("year", "free"),
    [
        (2018, "0101 0212 0213 0330 0430 0525 0810 1008 1101 1102 1225"),
        (2019, "0101 0304 0305 0419 0503 0524 0809 1011 1101 1104 1225"),
        (2021, "0101 0215 0216 0402 0430 0524 0809 1008 1101 1102 1224 1231"),
        (2022, "0228 0301 0415 0502 0523 0812 1010 1103 1104 1226"),
        (2023, "0102 0220 0221 0407 0501 0526 0811 1009 1102 1103 1225"),
        (2024, "0101 0212 0213 0329 0503 0524 0809 1011 1101 1104 1225"),
        (2025, "0101 0303 0304 0418 0502 0523 0811 1010 1103 1104 1225"),
        (2026, "0101 0216 0217 0403 0501 0525 0810 1009 1102 1103 1225"),
        (2027, "0101 0208 0209 0326 0430 0524 0809 1008 1101 1102 1224 1231"),
    ],
)
def test_in_ecuador_a_day_off_that_is_moved_leaves_a_day_of_work(year, free):
    days = map(date.fromisoformat, holidays_of("EC", year, year))

    assert " ".join(f"{day:%m%d}" for day in days if day.weekday() < 5) == free


def test_it_tells_when_it_closes_and_when_it_opens_next():
    book = calendar()
    friday, sunday = local("2026-10-30T10:00"), local("2026-11-01T10:00")

    assert (book.open_until(friday), book.next_opening(friday)) == (local("2026-10-30T18:00"), None)
    # Monday and Tuesday are Día de Difuntos and Independencia de Cuenca.
    assert (book.open_until(sunday), book.next_opening(sunday)) == (None, local("2026-11-04T08:00"))


def test_the_moment_of_closing_is_closed_and_that_of_opening_is_open():
    book = calendar()
    assert book.open_until(local("2026-11-20T18:00")) is None
    assert book.open_until(local("2026-11-20T08:00")) == local("2026-11-20T18:00")


def test_days_that_follow_at_once_are_one_service():
    book = calendar(
        Hours(shifts=(Shift(days=tuple(range(7)), opens=0, closes=1440),), closed=(date(2026, 11, 25),))
    )
    assert book.open_until(local("2026-11-22T10:00")) == local("2026-11-25T00:00")


def test_who_never_answers_never_opens():
    nobody = Calendar(Hours(shifts=()), ECUADOR, {})
    assert nobody.next_opening(local("2026-11-22T10:00")) is None


def test_holidays_ahead_are_those_on_which_people_would_answer():
    hours = Hours(country="EC", closed=(date(2026, 12, 24),), open=(date(2026, 12, 25),))
    ahead = calendar(hours).holidays(date(2026, 11, 1), date(2027, 1, 1))

    assert ahead == (
        Holiday(day=date(2026, 11, 2), name={"es": "Día de Difuntos", "en": "All Souls' Day"}),
        Holiday(
            day=date(2026, 11, 3), name={"es": "Independencia de Cuenca", "en": "Independence of Cuenca"}
        ),
        Holiday(day=date(2026, 12, 24)),
        Holiday(day=date(2027, 1, 1), name={"es": "Año Nuevo", "en": "New Year's Day"}),
    )


def test_twenty_years_of_a_wait_are_counted_by_their_days():
    book = Calendar(Hours(shifts=(WEEK,)), ECUADOR, {})
    # 5217 working days of ten hours, from a Thursday to a Sunday.
    assert book.worked(local("2015-01-01T00:00"), local("2035-01-01T00:00")) == timedelta(hours=10 * 5217)
