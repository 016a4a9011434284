"""Instants, days and durations in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.language import moments

ECUADOR = ZoneInfo("America/Guayaquil")
MADRID = ZoneInfo("Europe/Madrid")
MORNING = datetime(2026, 11, 22, 15, 42, tzinfo=UTC)
DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("span", "spanish", "english", "short"),
    [
        (timedelta(0), "0 segundos", "0 seconds", "0 s"),
        (timedelta(seconds=1.9), "1 segundo", "1 second", "1 s"),
        (timedelta(seconds=90), "1 minuto y 30 segundos", "1 minute and 30 seconds", "1 min 30 s"),
        (timedelta(minutes=10, seconds=59), "10 minutos", "10 minutes", "10 min"),
        (timedelta(minutes=93), "1 hora y 33 minutos", "1 hour and 33 minutes", "1 h 33 min"),
        (timedelta(hours=2), "2 horas", "2 hours", "2 h"),
        (timedelta(days=1, minutes=5), "1 día", "1 day", "1 d"),
        (timedelta(days=3, hours=4, minutes=5), "3 días y 4 horas", "3 days and 4 hours", "3 d 4 h"),
    ],
)
def test_durations_have_at_most_two_units(span: timedelta, spanish: str, english: str, short: str):
    assert moments.duration(span, "es") == spanish
    assert moments.duration(span, "en") == english
    assert moments.short_duration(span, "es") == short


def test_a_negative_duration_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        moments.duration(timedelta(seconds=-1), "es")


def test_times_stand_on_the_zones_clock_under_the_name_people_use():
    assert moments.clock_time(MORNING, ECUADOR) == "10:42"
    assert moments.time_with_zone(MORNING, ECUADOR, "es") == "10:42, hora de Ecuador"
    assert moments.time_with_zone(MORNING, ECUADOR, "en") == "10:42, Ecuador time"


def test_a_zone_with_summer_time_is_named_as_it_is_then():
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert moments.zone_name(MORNING, MADRID, "es") == "hora estándar de Europa central"
    assert moments.zone_name(summer, MADRID, "es") == "hora de verano de Europa central"


def test_moments_in_full_and_in_short():
    assert moments.full_moment(MORNING, ECUADOR, "es") == "22 de noviembre de 2026, 10:42, hora de Ecuador"
    assert moments.full_moment(MORNING, ECUADOR, "en") == "November 22, 2026, 10:42, Ecuador time"
    assert moments.day_and_time(MORNING, ECUADOR, "es") == "22 nov, 10:42"
    assert moments.day_and_time(datetime(2026, 11, 22, 3, 0, tzinfo=UTC), ECUADOR, "es") == "21 nov, 22:00"


def test_days_and_months():
    assert moments.long_day(DAY, "es") == "22 de noviembre"
    assert moments.full_day(DAY, "en") == "November 22, 2026"
    assert moments.weekday(DAY, "es") == "domingo, 22 de noviembre"
    assert moments.weekday(DAY, "en") == "Sunday, November 22"
    assert moments.month_name(2026, 11, "es") == "noviembre de 2026"
    assert moments.month_name(2026, 11, "en") == "November 2026"


@pytest.mark.parametrize(
    ("hours_before", "since", "at"),
    [
        (0, "desde las 10:42, hora de Ecuador", "a las 10:42, hora de Ecuador"),
        (9, "desde la 01:42, hora de Ecuador", "a la 01:42, hora de Ecuador"),
        (
            11,
            "desde el 21 de noviembre a las 23:42, hora de Ecuador",
            "el 21 de noviembre a las 23:42, hora de Ecuador",
        ),
        (
            8760,
            "desde el 22 de noviembre de 2025 a las 10:42, hora de Ecuador",
            "el 22 de noviembre de 2025 a las 10:42, hora de Ecuador",
        ),
    ],
)
def test_a_moment_in_a_sentence_says_as_much_as_is_needed(hours_before: int, since: str, at: str):
    instant = MORNING - timedelta(hours=hours_before)
    assert moments.since(instant, ECUADOR, "es", seen_from=MORNING) == since
    assert moments.at(instant, ECUADOR, "es", seen_from=MORNING) == at


def test_a_moment_in_an_english_sentence():
    assert moments.since(MORNING, ECUADOR, "en", seen_from=MORNING) == "since 10:42, Ecuador time"
    yesterday = MORNING - timedelta(hours=11)
    assert moments.at(yesterday, ECUADOR, "en", seen_from=MORNING) == "on November 21 at 23:42, Ecuador time"


def test_words_become_a_list():
    assert moments.listed(["el correo"], "es") == "el correo"
    assert moments.listed(["el correo", "la red", "el panel"], "es") == "el correo, la red y el panel"
