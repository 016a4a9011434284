"""Instants, days and durations in words, for page, feeds, mail and tickets alike.

Times stand on a 24-hour clock in the zone that they are handed, which is named as people call it there.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from types import ModuleType
from zoneinfo import ZoneInfo

from monitor.language.catalogue import LANGUAGES, Language, text

# Numbers and dates as Ecuador writes them: 1.234,5 and 22 de noviembre.
_LOCALES = {"es": "es_EC", "en": "en"}
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_SECONDS_MATTER = timedelta(minutes=10)


def _babel() -> ModuleType:
    """Return the tables of the Unicode project: megabytes that are needed once there is something to say."""
    from monitor.language import tables  # noqa: PLC0415

    return tables


def have_words_ready(moment: datetime, zone: ZoneInfo) -> None:
    """Read the catalogues and tables that the first sentence needs: a tenth of a second that no outage should wait for."""
    for language in LANGUAGES:
        since(moment, zone, language, seen_from=moment)


def clock_time(instant: datetime, zone: ZoneInfo) -> str:
    """Return the hour on a wall in that zone: 10:42."""
    return f"{instant.astimezone(zone):%H:%M}"


def zone_name(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return what people call the time of `zone` at that instant: hora de Ecuador, Ecuador time."""
    # Clocks are put forward and back at full quarters alone.
    quarter = instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
    return _zone_name(quarter, zone, language)


@lru_cache(maxsize=512)
def _zone_name(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    name = str(_babel().get_timezone_name(instant.astimezone(zone), locale=_LOCALES[language]))
    return name.removesuffix(" Time") + " time" if name.endswith(" Time") else name


def time_with_zone(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return the hour with the zone's name: 10:42, hora de Ecuador."""
    return f"{clock_time(instant, zone)}, {zone_name(instant, zone, language)}"


def day_and_time(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return day and hour, short and without the zone: 22 nov, 10:42."""
    return f"{short_day(instant.astimezone(zone).date(), language)}, {clock_time(instant, zone)}"


def full_moment(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """Return an instant in full: 22 de noviembre de 2026, 10:42, hora de Ecuador."""
    return _full_moment(_minute(instant), zone, language)


def since(instant: datetime, zone: ZoneInfo, language: Language, *, seen_from: datetime) -> str:
    """Return since when: "desde las 10:42, hora de Ecuador", with the day where it is not that of `seen_from`."""
    return _phrase("moment.since", _minute(instant), zone, language, seen_from.astimezone(zone).date())


def at(instant: datetime, zone: ZoneInfo, language: Language, *, seen_from: datetime) -> str:
    """Return when: "a las 10:42, hora de Ecuador", with the day where it is not that of `seen_from`."""
    return _phrase("moment.at", _minute(instant), zone, language, seen_from.astimezone(zone).date())


@lru_cache(maxsize=4096)
def short_day(day: date, language: Language) -> str:
    """Return a day without its year: 22 nov."""
    return str(_babel().format_skeleton("MMMd", day, locale=_LOCALES[language]))


@lru_cache(maxsize=4096)
def long_day(day: date, language: Language) -> str:
    """Return a day without its year, the month in full: 22 de noviembre."""
    return str(_babel().format_skeleton("MMMMd", day, locale=_LOCALES[language]))


@lru_cache(maxsize=4096)
def full_day(day: date, language: Language) -> str:
    """Return a day with its year: 22 de noviembre de 2026."""
    return str(_babel().format_date(day, "long", locale=_LOCALES[language]))


@lru_cache(maxsize=512)
def weekday(day: date, language: Language) -> str:
    """Return a day with the name of its weekday: domingo, 22 de noviembre."""
    return f"{_babel().format_date(day, 'EEEE', locale=_LOCALES[language])}, {long_day(day, language)}"


@lru_cache(maxsize=64)
def weekday_name(day: int, language: Language) -> str:
    """Return the name of a day of the week, 0 for Monday, as it stands in a sentence: lunes, Monday."""
    # The first of January 2024 was a Monday.
    return str(_babel().format_date(date(2024, 1, 1 + day), "EEEE", locale=_LOCALES[language]))


@lru_cache(maxsize=512)
def month_name(year: int, month: int, language: Language) -> str:
    """Return a month with its year, as it stands in a sentence: noviembre de 2026."""
    return str(_babel().format_skeleton("yMMMM", date(year, month, 1), locale=_LOCALES[language]))


def duration(span: timedelta, language: Language) -> str:
    """Return a duration in words, cut to its two largest units: 1 hora y 33 minutos.

    Seconds count only below ten minutes; a negative span raises ValueError.
    """
    return _in_words(tuple(_cut(span)), language)


@lru_cache(maxsize=4096)
def _in_words(numbers: tuple[tuple[int, str], ...], language: Language) -> str:
    return listed(
        [
            _babel().format_unit(number, f"duration-{unit}", "long", locale=_LOCALES[language])
            for number, unit in numbers
        ],
        language,
    )


def short_duration(span: timedelta, language: Language) -> str:
    """Return a duration in its two largest units by their symbols: 1 h 33 min."""
    return " ".join(text(f"moment.unit.{unit}", language, count=number) for number, unit in _cut(span))


def listed(words: list[str], language: Language) -> str:
    """Return words as a list in a sentence: el correo, la red y el panel."""
    return _listed(tuple(words), language)


@lru_cache(maxsize=4096)
def _listed(words: tuple[str, ...], language: Language) -> str:
    return str(_babel().format_list(words, style="standard", locale=_LOCALES[language]))


def _cut(span: timedelta) -> list[tuple[int, str]]:
    """Return a span as at most two numbers with their units: the largest that it has, and the next one below."""
    if span < timedelta(0):
        raise ValueError("a duration is not negative")
    units = _UNITS if span < _SECONDS_MATTER else _UNITS[:-1]
    rest = int(span.total_seconds())
    numbers = []
    for unit, seconds in units:
        number, rest = divmod(rest, seconds)
        numbers.append((number, unit))
    largest = next((place for place, (number, _) in enumerate(numbers) if number), len(numbers) - 1)
    return [part for part in numbers[largest : largest + 2] if part[0]] or [(0, "second")]


def _minute(instant: datetime) -> datetime:
    """Return the minute that an instant lies in: nothing finer is put into words, and many incidents begin in the same one."""
    return instant.replace(second=0, microsecond=0)


@lru_cache(maxsize=512)
def _full_moment(minute: datetime, zone: ZoneInfo, language: Language) -> str:
    day = full_day(minute.astimezone(zone).date(), language)
    return f"{day}, {time_with_zone(minute, zone, language)}"


@lru_cache(maxsize=512)
def _phrase(key: str, minute: datetime, zone: ZoneInfo, language: Language, today: date) -> str:
    local = minute.astimezone(zone)
    same_day = local.date() == today
    day = "" if same_day else (long_day if local.year == today.year else full_day)(local.date(), language)
    # Spanish says "la 01:05" and "las 10:42": the hour takes the place of a number of things.
    return text(
        f"{key}.clock" if same_day else f"{key}.day",
        language,
        count=local.hour,
        day=day,
        clock=clock_time(minute, zone),
        zone=zone_name(minute, zone, language),
    )
