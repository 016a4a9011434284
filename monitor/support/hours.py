"""Service hours as stretches of time: when people answer, when they will answer next, how much of a wait they were there for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.language.zones import day_of, instant_of

_DAY = timedelta(days=1)
_NOTHING = timedelta(0)
# Whoever is closed for longer has no hours at all.
_LOOK_AHEAD = 400 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A part of some days of the week (0 is Monday); `opens` and `closes` are minutes after midnight, 1440 its end."""

    days: tuple[int, ...]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When people answer, in the zone of the site.

    The holidays of `country` are free, without any if it is empty. So are the dates `closed`; on the dates `open` people answer
    although they are holidays.
    """

    shifts: tuple[Shift, ...] = (Shift(days=(0, 1, 2, 3, 4), opens=8 * 60, closes=18 * 60),)
    country: str = ""
    closed: tuple[date, ...] = ()
    open: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of service from `start` to before `end`, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A free day with what it is called in each language; no names for one that only the configuration knows."""

    day: date
    name: Mapping[str, str] = field(default_factory=dict)


class Calendar:
    """Service hours in a zone, holidays included. Every question about years costs one step a day."""

    def __init__(self, hours: Hours, zone: ZoneInfo, holidays: Mapping[date, Mapping[str, str]]) -> None:
        """Take the hours, the zone, and the holidays of their country with their names."""
        self.hours = hours
        self._zone = zone
        self._free = {day: names for day, names in holidays.items() if day not in hours.open}
        self._free |= {day: self._free.get(day, {}) for day in hours.closed}
        self._known: dict[date, tuple[Stretch, ...]] = {}

    def stretches(self, since: datetime, until: datetime) -> Iterator[Stretch]:
        """Yield the stretches of service between two moments, cut to them, in order."""
        day, last = day_of(since, self._zone), day_of(until, self._zone)
        while day <= last:
            for whole in self._of(day):
                cut = Stretch(start=max(whole.start, since), end=min(whole.end, until))
                if cut.start < cut.end:
                    yield cut
            day += _DAY

    def worked(self, since: datetime, until: datetime) -> timedelta:
        """Return how much service there was between two moments; nothing if `until` is not later."""
        return sum((each.end - each.start for each in self.stretches(since, until)), _NOTHING)

    def open_until(self, moment: datetime) -> datetime | None:
        """Return when service ends that is open at `moment`; None while it is closed. A day that follows at once is the same service."""
        end = None
        for each in self.stretches(moment, moment + _LOOK_AHEAD):
            if each.start > (end or moment):
                break
            end = each.end
        return end

    def next_opening(self, moment: datetime) -> datetime | None:
        """Return when service begins that is closed at `moment`; None while it is open, and where it never opens."""
        first = next(self.stretches(moment, moment + _LOOK_AHEAD), None)
        return None if first is None or first.start <= moment else first.start

    def holidays(self, first: date, last: date) -> tuple[Holiday, ...]:
        """Return the days off between two dates, both included, on which people would answer otherwise."""
        weekdays = {weekday for shift in self.hours.shifts for weekday in shift.days}
        return tuple(
            Holiday(day=day, name=self._free[day])
            for day in sorted(self._free)
            if first <= day <= last and day.weekday() in weekdays
        )

    def _of(self, day: date) -> tuple[Stretch, ...]:
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = () if day in self._free else tuple(self._drawn(day))
        return known

    def _drawn(self, day: date) -> Iterator[Stretch]:
        """Yield what one day holds; shifts that touch or overlap are one stretch."""
        joined: list[list[int]] = []
        for opens, closes in sorted(
            (one.opens, one.closes) for one in self.hours.shifts if day.weekday() in one.days
        ):
            if joined and opens <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], closes)
            else:
                joined.append([opens, closes])
        for opens, closes in joined:
            start, end = self._instant(day, opens), self._instant(day, closes)
            # A clock that springs forward may leave nothing of it.
            if start < end:
                yield Stretch(start=start, end=end)

    def _instant(self, day: date, minutes: int) -> datetime:
        return instant_of(datetime.combine(day, time.min) + timedelta(minutes=minutes), self._zone)
