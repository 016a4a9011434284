"""Availability from exact intervals, against an oracle that counts minutes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.health.uptime import DayShare, Span, StatusSpan, by_day, measure, uptime
from monitor.health.words import Status

ZERO, HOUR, MINUTE = timedelta(0), timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ECUADOR = ZoneInfo("America/Guayaquil")


def span(first: float, last: float) -> Span:
    """Return a span by its hours after noon."""
    return Span(NOON + first * HOUR, NOON + last * HOUR)


def test_the_formula_leaves_maintenance_and_blindness_out_of_the_period():
    found = uptime([span(1, 2)], [span(3, 5)], [span(8, 9)], span(0, 10))
    assert found.share == pytest.approx(1 - 1 / (10 - 2 - 1))
    assert found.gross == pytest.approx(1 - (1 + 2) / (10 - 1))
    assert (found.down, found.maintenance, found.no_data) == (HOUR, 2 * HOUR, HOUR)


def test_a_fault_inside_a_window_costs_nothing_net_and_the_window_once_gross():
    found = uptime([span(1, 3)], [span(2, 4)], [], span(0, 10))
    assert (found.down, found.maintenance) == (HOUR, 2 * HOUR)
    assert found.share == pytest.approx(1 - 1 / 8)
    assert found.gross == pytest.approx(1 - 3 / 10)


def test_maintenance_in_which_nobody_looked_is_counted_once():
    found = uptime([], [span(2, 4)], [span(3, 6)], span(0, 10))
    assert (found.maintenance, found.no_data, found.share) == (2 * HOUR, 2 * HOUR, 1.0)


def test_a_fault_that_nobody_could_see_is_no_data():
    found = uptime([span(1, 4)], [], [span(2, 10)], span(0, 10))
    assert (found.down, found.no_data) == (HOUR, 8 * HOUR)
    assert found.share == pytest.approx(0.5)


def test_degraded_time_is_shown_apart_and_costs_nothing():
    found = uptime([span(1, 2)], [], [], span(0, 10), degraded=[span(0, 3)])
    assert (found.degraded, found.down, found.share) == (2 * HOUR, HOUR, pytest.approx(0.9))


def test_a_period_without_anything_to_count_has_no_share():
    found = uptime([span(0, 10)], [span(0, 5)], [span(5, 10)], span(0, 10))
    assert found.share is None
    assert found.gross == 0.0
    assert uptime([], [], [span(0, 10)], span(0, 10)).gross is None


def test_time_that_no_status_covers_is_no_data():
    found = measure([StatusSpan(Status.OPERATIONAL, NOON, NOON + HOUR)], [], [], span(0, 4))
    assert (found.no_data, found.share) == (3 * HOUR, 1.0)


def test_partial_and_major_outages_count_whole():
    statuses = [
        StatusSpan(Status.OPERATIONAL, NOON, NOON + 8 * HOUR),
        StatusSpan(Status.PARTIAL_OUTAGE, NOON + HOUR, NOON + 2 * HOUR),
        StatusSpan(Status.MAJOR_OUTAGE, NOON + 2 * HOUR, NOON + 3 * HOUR),
    ]
    assert measure(statuses, [], [], span(0, 8)).share == pytest.approx(0.75)


def test_a_span_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="no earlier than it starts"):
        Span(NOON, NOON - MINUTE)


class TestDays:
    def _days(
        self, statuses: list[StatusSpan], until: datetime, **planned: list[Span]
    ) -> tuple[DayShare, ...]:
        return by_day(
            statuses,
            planned.get("maintenance", []),
            planned.get("blind", []),
            zone=ECUADOR,
            first_day=date(2026, 11, 21),
            last_day=date(2026, 11, 22),
            until=until,
        )

    def test_a_fault_over_midnight_belongs_to_both_days_of_the_sites_zone(self):
        midnight = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
        statuses = [
            StatusSpan(Status.OPERATIONAL, midnight - 24 * HOUR, midnight + 24 * HOUR),
            StatusSpan(Status.MAJOR_OUTAGE, midnight - HOUR, midnight + 2 * HOUR),
        ]
        first, second = self._days(statuses, midnight + 24 * HOUR)
        assert (first.down, second.down) == (HOUR, 2 * HOUR)
        assert (first.worst, second.worst) == (Status.MAJOR_OUTAGE, Status.MAJOR_OUTAGE)

    def test_what_has_not_happened_yet_counts_nowhere(self):
        statuses = [StatusSpan(Status.OPERATIONAL, NOON - 48 * HOUR, NOON + 48 * HOUR)]
        today = self._days(statuses, NOON)[1]
        assert (today.no_data, today.down, today.worst) == (ZERO, ZERO, Status.OPERATIONAL)

    def test_a_day_nobody_looked_at_has_no_worst(self):
        first, second = self._days([], NOON + 24 * HOUR)
        assert (first.worst, first.no_data) == (None, 24 * HOUR)
        assert (second.worst, second.no_data) == (None, 24 * HOUR)

    def test_a_fault_that_a_window_hid_is_not_the_worst_of_its_day(self):
        statuses = [
            StatusSpan(Status.OPERATIONAL, NOON - 48 * HOUR, NOON + 48 * HOUR),
            StatusSpan(Status.MAJOR_OUTAGE, NOON, NOON + HOUR),
        ]
        today = self._days(statuses, NOON + 2 * HOUR, maintenance=[Span(NOON, NOON + HOUR)])[1]
        assert (today.worst, today.down, today.maintenance) == (Status.OPERATIONAL, ZERO, HOUR)

    def test_a_day_that_was_all_maintenance_says_so(self):
        whole = [Span(NOON - 48 * HOUR, NOON + 48 * HOUR)]
        assert self._days([], NOON, maintenance=whole)[1].worst is Status.UNDER_MAINTENANCE


# Days on which clocks change, some of them at midnight itself, and a day that a zone skipped.
PLACES = [
    ("America/Guayaquil", date(2026, 11, 20)),
    ("Europe/Madrid", date(2026, 3, 28)),
    ("Europe/Madrid", date(2026, 10, 24)),
    ("America/Havana", date(2026, 3, 7)),
    ("America/Havana", date(2026, 10, 31)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),
    ("Asia/Beirut", date(2026, 3, 28)),
    ("Pacific/Apia", date(2011, 12, 29)),
]
COVER = [
    Status.UNDER_MAINTENANCE,
    Status.UNKNOWN,
    Status.MAJOR_OUTAGE,
    Status.PARTIAL_OUTAGE,
    Status.DEGRADED_PERFORMANCE,
    Status.OPERATIONAL,
]
LAYERS = st.lists(
    st.tuples(st.sampled_from(COVER), st.integers(-300, 4600), st.integers(0, 2000)), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), LAYERS, st.integers(0, 4600))
def test_days_agree_with_counting_every_minute(place: tuple[str, date], layers, until_minute: int):
    zone, first = ZoneInfo(place[0]), place[1]
    last = first + timedelta(days=2)
    begin = datetime.combine(first, datetime.min.time(), UTC) - timedelta(days=1)
    until = begin + until_minute * MINUTE

    def placed(*wanted: Status) -> list[StatusSpan]:
        return [
            StatusSpan(status, begin + at * MINUTE, begin + (at + length) * MINUTE)
            for status, at, length in layers
            if status in wanted
        ]

    def plain(status: Status) -> list[Span]:
        return [Span(one.start, one.end) for one in placed(status)]

    told = by_day(
        placed(*COVER[2:]),
        plain(Status.UNDER_MAINTENANCE),
        plain(Status.UNKNOWN),
        zone=zone,
        first_day=first,
        last_day=last,
        until=until,
    )

    counted: Counter[tuple[date, Status]] = Counter()
    for minute in range(until_minute):
        now = begin + minute * MINUTE
        holding = [status for status, at, length in layers if at <= minute < at + length]
        counted[now.astimezone(zone).date(), min(holding, key=COVER.index, default=Status.UNKNOWN)] += 1
    for day in told:
        minutes = {status: counted[day.date, status] * MINUTE for status in COVER}
        assert day.down == minutes[Status.MAJOR_OUTAGE] + minutes[Status.PARTIAL_OUTAGE]
        assert day.degraded == minutes[Status.DEGRADED_PERFORMANCE]
        assert day.maintenance == minutes[Status.UNDER_MAINTENANCE]
        assert day.no_data == minutes[Status.UNKNOWN]
        judged = [status for status in COVER[2:] if minutes[status]]
        hidden = Status.UNDER_MAINTENANCE if minutes[Status.UNDER_MAINTENANCE] else None
        assert day.worst == (judged[0] if judged else hidden)


SPANS = st.lists(
    st.tuples(st.integers(-50, 150), st.integers(0, 80)).map(
        lambda pair: Span(NOON + pair[0] * MINUTE, NOON + sum(pair) * MINUTE)
    ),
    max_size=6,
)


@given(SPANS, SPANS, SPANS, SPANS, st.integers(0, 120))
def test_shares_lie_between_nothing_and_all_and_gross_is_never_the_better(
    down, planned, blind, degraded, minutes: int
):
    period = Span(NOON, NOON + minutes * MINUTE)
    found = uptime(down, planned, blind, period, degraded=degraded)
    parts = found.down + found.degraded + found.maintenance + found.no_data
    assert ZERO <= parts <= period.length
    assert found.share is None or 0.0 <= found.share <= 1.0
    assert found.gross is None or 0.0 <= found.gross <= 1.0
    if found.share is not None and found.gross is not None:
        assert found.gross <= found.share + 1e-12
