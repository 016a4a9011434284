"""What stands on the page as the average time to answer, and what an unanswered ticket does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.support.answers import AnswerTime, Inquiry, answer_time, average_line, hours_and_minutes
from monitor.support.escalation import Raise, next_raise
from monitor.support.hours import Calendar, Hours

BOOK = Calendar(Hours(), ZoneInfo("UTC"), {})
NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
HOUR = timedelta(hours=1)


def asked(waited: timedelta, *, before: timedelta = timedelta(days=1)) -> Inquiry:
    """Return a ticket that was answered `before` now after so much time on one day."""
    return Inquiry(opened_at=NOW - before - waited, answered_at=NOW - before, closed_at=None)


def waiting(since: timedelta) -> Inquiry:
    return Inquiry(opened_at=NOW - since, answered_at=None, closed_at=None)


def told(*inquiries: Inquiry) -> AnswerTime:
    return answer_time("soporte", inquiries, BOOK, SINCE, NOW)


def test_only_time_of_service_is_waited():
    friday, monday = datetime(2026, 11, 13, 17, 30, tzinfo=UTC), datetime(2026, 11, 16, 8, 45, tzinfo=UTC)
    assert told(Inquiry(opened_at=friday, answered_at=monday, closed_at=None)).mean == timedelta(minutes=75)


def test_mean_median_and_ninetieth_percentile_stand_side_by_side():
    found = told(*(asked(timedelta(minutes=minutes)) for minutes in (1, 2, 3, 4, 5, 6, 7, 8, 9, 100)))

    assert (found.mean, found.median, found.p90) == (
        timedelta(minutes=14.5),
        timedelta(minutes=5),
        timedelta(minutes=9),
    )
    assert (found.answered, found.counted, found.sample) == (10, 0, 10)


def test_without_an_answer_there_is_no_figure():
    assert told() == AnswerTime(
        department="soporte",
        since=SINCE,
        until=NOW,
        answered=0,
        counted=0,
        waiting=0,
        mean=None,
        median=None,
        p90=None,
    )
    alone = told(waiting(3 * HOUR))
    assert (alone.mean, alone.waiting, alone.sample) == (None, 1, 0)


def test_a_ticket_that_waits_longer_than_the_average_counts_and_one_that_does_not_is_left_out():
    found = told(asked(2 * HOUR), asked(4 * HOUR), waiting(2 * HOUR), waiting(6 * HOUR))

    assert (found.mean, found.answered, found.counted, found.waiting) == (4 * HOUR, 2, 1, 2)


def test_what_was_closed_without_an_answer_is_nobody_s_wait():
    shut = Inquiry(opened_at=NOW - 8 * HOUR, answered_at=None, closed_at=NOW - HOUR)
    assert told(asked(HOUR), shut) == told(asked(HOUR))


def test_an_answer_counts_when_it_was_given_however_long_ago_it_was_asked():
    late = Inquiry(opened_at=SINCE - timedelta(days=7), answered_at=SINCE + timedelta(days=1), closed_at=None)
    old = Inquiry(opened_at=SINCE - timedelta(days=7), answered_at=SINCE - timedelta(days=1), closed_at=None)

    assert told(late, old).answered == 1


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 h 0 min"),
        (timedelta(seconds=20), "0 h 1 min"),
        (timedelta(minutes=1), "0 h 1 min"),
        (timedelta(hours=23, minutes=40), "23 h 40 min"),
        (timedelta(hours=9, minutes=17, seconds=59), "9 h 18 min"),
        (timedelta(hours=30), "30 h 0 min"),
    ],
)
def test_an_average_is_told_in_hours_and_minutes(span, words):
    assert hours_and_minutes(span, "es") == hours_and_minutes(span, "en") == words


def test_a_mail_tells_the_average_of_its_department_or_nothing():
    found = told(asked(HOUR))
    assert average_line("Soporte técnico", found, "es") == (
        "Tiempo promedio de respuesta de Soporte técnico: 1 h 0 min dentro del horario de atención, en los últimos 30 días."
    )
    assert average_line("Technical support", found, "en") == (
        "Average time to answer of Technical support: 1 h 0 min within service hours, over the last 30 days."
    )
    assert average_line("Soporte técnico", told(), "es") == ""


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("waited", "priority", "past", "due"),
    [
        (DAY - timedelta(seconds=1), "normal", (), None),
        (DAY, "normal", (), ("normal", "high", 1)),
        (DAY, "low", (), ("low", "normal", 1)),
        # One step at a time, however long nobody looked.
        (9 * DAY, "low", (), ("low", "normal", 9)),
        (DAY, "high", (Raise(step=1, was="normal", becomes="high"),), None),
        # Lowered by a person: raised again when the next day is over, and not before.
        (DAY + timedelta(hours=23), "low", (Raise(step=1, was="low", becomes="normal"),), None),
        (2 * DAY, "low", (Raise(step=1, was="low", becomes="normal"),), ("low", "normal", 2)),
        # At the top the head hears of it once.
        (DAY, "urgent", (), ("urgent", "urgent", 1)),
        (2 * DAY, "urgent", (Raise(step=1, was="urgent", becomes="urgent"),), None),
        (3 * DAY, "urgent", (Raise(step=2, was="high", becomes="urgent"),), None),
        (4 * DAY, "normal", (Raise(step=2, was="high", becomes="urgent"),), ("normal", "high", 4)),
        # Lowered from the top, or in a helpdesk whose highest is what we call high.
        (4 * DAY, "high", (Raise(step=2, was="high", becomes="urgent"),), None),
    ],
)
def test_a_ticket_rises_one_step_for_each_day_that_nobody_answers(waited, priority, past, due):
    found = next_raise(waited, priority, DAY, past)
    assert (None if found is None else (found.was, found.becomes, found.step)) == due
