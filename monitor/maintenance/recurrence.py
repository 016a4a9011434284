"""Rules of recurrence: "every sunday 02:00", read in a zone, as instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.language.phrases import listed
from monitor.language.refusals import RefusalError
from monitor.language.zones import day_of, instant_of

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = frozenset(range(7))
_FORM = re.compile(r"every\s+(?P<days>[a-z]+(?:\s*,\s*[a-z]+)*)\s+(?P<hour>\d{2}):(?P<minute>\d{2})")
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})")
# A skipped day, a week ahead, and the day on which the moment itself may still fall.
_DAYS_AHEAD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The days of the week (0 is Monday) and the local time at which a window starts."""

    weekdays: frozenset[int]
    at: time

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ValueError("a rule names at least one day of the week")

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first start after `moment`, in UTC.

        A local time that the zone's clocks skip means the first instant after the gap, one that they show twice the
        first of the two (rule M7).
        """
        # A skipped time is passed on the next day at the earliest; so the day before may still have one to come.
        begin = day_of(moment, zone) - timedelta(days=1)
        for ahead in range(_DAYS_AHEAD):
            day = begin + timedelta(days=ahead)
            start = instant_of(datetime.combine(day, self.at), zone)
            if day.weekday() in self.weekdays and start > moment:
                return start
        raise AssertionError("a week holds each of its days")

    def __str__(self) -> str:
        days = (
            "day" if self.weekdays == EVERY_DAY else ", ".join(WEEKDAYS[day] for day in sorted(self.weekdays))
        )
        return f"every {days} {self.at:%H:%M}"


def parse_rule(text: str) -> Rule:
    """Return the rule that `text` states, as "every day 02:00" or "every monday, friday 22:30".

    Raises RefusalError that says what was found and what is allowed.
    """
    match = _FORM.fullmatch(" ".join(text.lower().split()))
    if match is None:
        raise RefusalError("configuration.rule.form", found=text)
    return Rule(weekdays=_weekdays(match["days"]), at=_time(match["hour"], match["minute"]))


def parse_start(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, that a local time like "2026-12-01 22:00" means in `zone`; ValueError if it is none."""
    match = _LOCAL.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is no local time; write it as "2026-12-01 22:00"')
    return instant_of(datetime.fromisoformat(f"{match[1]}T{match[2]}"), zone)


def _weekdays(words: str) -> frozenset[int]:
    names = [word.strip() for word in words.split(",")]
    if names == ["day"]:
        return EVERY_DAY
    unknown = [name for name in names if name not in WEEKDAYS]
    if unknown:
        raise RefusalError("configuration.rule.weekday", found=unknown[0], allowed=listed(WEEKDAYS))
    return frozenset(WEEKDAYS.index(name) for name in names)


def _time(hour: str, minute: str) -> time:
    if int(hour) > 23 or int(minute) > 59:
        raise RefusalError("configuration.rule.time", found=f"{hour}:{minute}")
    return time(int(hour), int(minute))
