"""The five fields of a crontab line, read in a zone, as instants: `0 3 * * *`, `*/15 8-18 * * mon-fri`, `@daily`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.language.phrases import Phrase, listed, nearest
from monitor.language.refusals import RefusalError
from monitor.language.zones import day_of, instant_of

NICKNAMES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:(\*)|([a-z]+|[0-9]{1,2})(?:-([a-z]+|[0-9]{1,2}))?)(?:/([0-9]{1,2}))?")
_LONGEST = 200
# The 29th of February falls on a given day of the week at least once in so many years.
_DAYS_AHEAD = 41 * 366
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the five: the text that says what it is called, what it may hold, and the names that stand for numbers."""

    name: str
    least: int
    most: int
    names: Mapping[str, int]

    @property
    def said(self) -> Phrase:
        """What it is called."""
        return Phrase(self.name)


_FIELDS = (
    _Field(name="options.cron.field.minute", least=0, most=59, names={}),
    _Field(name="options.cron.field.hour", least=0, most=23, names={}),
    _Field(name="options.cron.field.day", least=1, most=31, names={}),
    _Field(
        name="options.cron.field.month",
        least=1,
        most=12,
        names={name: at for at, name in enumerate(_MONTHS, 1)},
    ),
    _Field(
        name="options.cron.field.weekday",
        least=0,
        most=7,
        names={name: at for at, name in enumerate(_WEEKDAYS)},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """When a crontab line comes due.

    `times` are the times of a day in order; `weekdays` count from Sunday, which is 0. As crontab(5) has it, `either` says that both days are
    limited, so that a day of one or of the other serves.
    """

    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first instant after `moment`, in UTC, at which clocks in `zone` come to one of these times.

        A local time that the zone's clocks skip means the first instant after the gap, one that they show twice the
        first of the two.
        """

        def instant(day: date, at: time) -> datetime:
            return instant_of(datetime.combine(day, at), zone)

        # A skipped time is passed on the next day at the earliest; so the day before may still have one to come.
        for day in self._days_from(day_of(moment, zone) - timedelta(days=1)):
            first = bisect_right(self.times, moment, key=lambda at, day=day: instant(day, at))  # type: ignore[misc]
            if first < len(self.times):
                return instant(day, self.times[first])
        raise AssertionError("a line that never comes due is not parsed")

    def _days_from(self, day: date) -> Iterator[date]:
        for ahead in range(_DAYS_AHEAD):
            if self._falls_on(following := day + timedelta(days=ahead)):
                yield following

    def _falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either else of_month and of_week


def parse_cron(line: str) -> Cron:
    """Return what a crontab line of five fields, or one of the nicknames, says.

    Raises RefusalError that says what was found and what is allowed, with the nearest right word.
    """
    line = line.strip().lower()
    if len(line) > _LONGEST:
        raise RefusalError("options.cron.long", limit=_LONGEST, length=len(line))
    fields = _resolved(line).split()
    if len(fields) != len(_FIELDS):
        raise RefusalError("options.cron.fields", found=line, number=len(fields))
    minutes, hours, days, months, weekdays = map(_read, fields, _FIELDS)
    cron = Cron(
        times=tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either=not (fields[2].startswith("*") or fields[4].startswith("*")),
    )
    if not cron.either and not any(min(days) <= _LONGEST_MONTHS[month - 1] for month in months):
        raise RefusalError("options.cron.never", found=line, day=min(days))
    return cron


def _resolved(line: str) -> str:
    if not line.startswith("@"):
        return line
    if line not in NICKNAMES:
        raise _no_word("options.cron.nickname", line, NICKNAMES)
    return NICKNAMES[line]


def _read(text: str, field: _Field) -> frozenset[int]:
    return frozenset(value for part in text.split(",") for value in _values(part, field))


def _values(part: str, field: _Field) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise RefusalError("options.cron.part", found=part, field=field.said)
    star, first, last, step = found.groups()
    if step is not None and int(step) == 0:
        raise RefusalError("options.cron.step", found=part)
    low = field.least if star else _number(first, field)
    # A step counts from its first number to the end: `10/20` are the minutes 10, 30 and 50.
    high = field.most if star or (last is None and step) else _number(last or first, field)
    if low > high:
        raise RefusalError("options.cron.backwards", found=part)
    return range(low, high + 1, int(step or 1))


def _number(word: str, field: _Field) -> int:
    if word in field.names:
        return field.names[word]
    if not word.isdigit() and field.names:
        raise _no_word("options.cron.word", word, field.names, field=field.said)
    if not word.isdigit() or not field.least <= int(word) <= field.most:
        raise RefusalError(
            "options.cron.number", found=word, field=field.said, least=field.least, most=field.most
        )
    return int(word)


def _no_word(key: str, word: str, allowed: Iterable[str], **facts: object) -> RefusalError:
    """Refuse a word that is none of those allowed, and name the one that was most likely meant."""
    near = nearest(word, allowed)
    if near:
        facts["nearest"] = near
    return RefusalError(f"{key}.near" if near else f"{key}.far", found=word, allowed=listed(allowed), **facts)
