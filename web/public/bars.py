"""Ninety days of one server as bars, drawn here so that the page needs no script.

Runs of like days share one shape filled with a pattern; only days that something happened on have a shape of their own. A
plain green history is one short element, and a page of three hundred servers stays a few kilobytes on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from markupsafe import Markup

from monitor.health.words import Status
from monitor.language import moments
from monitor.status.snapshot import Day
from web.reading import Reading

STEP, WIDTH, HEIGHT, LEAST = 6, 4, 28, 7
_DAY_S = 86_400
# A lead-in gap keeps the newest bar flush with the right edge and makes thirty days exactly a third of ninety.
_GAP = STEP - WIDTH


class Look(StrEnum):
    """How a day is drawn; the letter is its class in the style sheet and the name of its pattern."""

    FINE = "f"
    DEGRADED = "d"
    PARTIAL = "p"
    MAJOR = "x"
    MAINTENANCE = "w"
    NO_DATA = "n"


_LOOKS: Mapping[Status | None, Look] = {
    None: Look.NO_DATA,
    Status.OPERATIONAL: Look.FINE,
    Status.DEGRADED_PERFORMANCE: Look.DEGRADED,
    Status.PARTIAL_OUTAGE: Look.PARTIAL,
    Status.MAJOR_OUTAGE: Look.MAJOR,
    Status.UNDER_MAINTENANCE: Look.MAINTENANCE,
    Status.UNKNOWN: Look.NO_DATA,
}
# Nothing is told of these one by one.
_SILENT = (Look.FINE, Look.NO_DATA)
_SILENT_LOOKS = frozenset(_SILENT)
_PATTERNED = (Look.FINE, Look.NO_DATA, Look.MAINTENANCE)
_worst = attrgetter("worst")


@dataclass(frozen=True, slots=True, kw_only=True)
class Eventful:
    """A day on which something happened, in words, for the table behind the bars."""

    day: str
    iso: str
    words: str
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Ninety days as one picture with a sentence in its stead, and those of them that tell a story, newest first."""

    picture: Markup
    eventful: tuple[Eventful, ...]


class _Told(NamedTuple):
    """What is told of a day. It names neither server nor incident, so that what is drawn of one serves all that fared alike."""

    place: int
    date: date
    look: Look
    down_s: int
    degraded_s: int
    maintenance_s: int
    incidents: int


def day_words(day: Day, reading: Reading) -> str:
    """Return what happened on a day: 12 min fuera de servicio · 2 incidentes."""
    return _words(_told(0, day), reading)


def every_day(days: Sequence[Day], reading: Reading) -> tuple[Eventful, ...]:
    """Return a line for each day, newest first."""
    return _lines(_every_day(days), reading)


def summary(days: Sequence[Day], reading: Reading) -> str:
    """Return the whole history in one sentence, for those who cannot see the bars."""
    looks = _looks(days)
    return _summary(looks, _eventful(days, looks), reading)


def strip(days: Sequence[Day], reading: Reading) -> Strip:
    """Return the bars of one server, and in words the days that are worth a line: all but the plain and the empty ones."""
    looks = _looks(days)
    told = _eventful(days, looks)
    return Strip(picture=_strip(looks, told, reading), eventful=_lines(told, reading))


def linked_strip(days: Sequence[Day], reading: Reading) -> Markup:
    """Return the bars of one server with each day reachable by keyboard, leading to its line in the table below."""
    shapes = Markup().join(_linked(day, reading) for day in _every_day(days))
    return Markup(
        '<svg class="bars linked" viewBox="0 0 {} {}" preserveAspectRatio="none" role="group" aria-label="{}">{}</svg>'
    ).format(STEP * len(days), HEIGHT, summary(days, reading), shapes)


def _looks(days: Sequence[Day]) -> tuple[Look, ...]:
    """Return how each day is drawn; one that nobody looked at is hollow."""
    return tuple(map(_LOOKS.__getitem__, map(_worst, days)))


def _eventful(days: Sequence[Day], looks: tuple[Look, ...]) -> tuple[_Told, ...]:
    """Return the days that there is something to tell of; nearly every server has none."""
    if _SILENT_LOOKS.issuperset(looks):
        return ()
    return tuple(_told(place, days[place]) for place, look in enumerate(looks) if look not in _SILENT_LOOKS)


def _every_day(days: Sequence[Day]) -> tuple[_Told, ...]:
    return tuple(_told(place, day) for place, day in enumerate(days))


def _told(place: int, day: Day) -> _Told:
    return _Told(
        place,
        day.date,
        _LOOKS[day.worst],
        day.down_s,
        day.degraded_s,
        day.maintenance_s,
        len(day.incidents),
    )


@lru_cache(maxsize=4096)
def _words(day: _Told, reading: Reading) -> str:
    spans = (("down", day.down_s), ("degraded", day.degraded_s), ("maintenance", day.maintenance_s))
    parts = [
        reading.say(f"page.day.{name}", span=reading.duration(timedelta(seconds=seconds)))
        for name, seconds in spans
        if seconds
    ]
    if day.incidents:
        parts.append(reading.say("page.day.incidents", count=day.incidents))
    if parts:
        return " · ".join(parts)
    return reading.say("page.day.no_data" if day.look is Look.NO_DATA else "page.day.fine")


@lru_cache(maxsize=1024)
def _lines(days: tuple[_Told, ...], reading: Reading) -> tuple[Eventful, ...]:
    return tuple(
        Eventful(
            day=moments.full_day(day.date, reading.language),
            iso=day.date.isoformat(),
            words=_words(day, reading),
            look=day.look,
        )
        for day in reversed(days)
    )


def _summary(looks: Sequence[Look], days: Sequence[_Told], reading: Reading) -> str:
    bad = sum(1 for day in days if day.down_s)
    if not bad:
        return _without_outage(looks, reading)
    down = timedelta(seconds=sum(day.down_s for day in days))
    return reading.say("page.bars.trouble", days=len(looks), count=bad, span=reading.in_full(down))


def _without_outage(looks: Sequence[Look], reading: Reading) -> str:
    """Return that nothing failed, claimed only of the days that somebody looked at."""
    observed = len(looks) - looks.count(Look.NO_DATA)
    if observed == len(looks):
        return reading.say("page.bars.fine", days=len(looks))
    if not observed:
        return reading.say("page.bars.none", days=len(looks))
    return reading.say("page.bars.observed", count=observed, days=len(looks))


# In an outage of hundreds they go down within seconds of each other, and on calm days nearly all pictures are the same.
@lru_cache(maxsize=1024)
def _strip(looks: tuple[Look, ...], days: tuple[_Told, ...], reading: Reading) -> Markup:
    shapes = [*_runs(looks), *(_mark(day, reading) for day in days)]
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(STEP * len(looks), HEIGHT, _summary(looks, days, reading), Markup().join(shapes))


def _runs(looks: Sequence[Look]) -> Iterator[Markup]:
    """Yield one shape for all plain days and one for all empty ones."""
    for look in _SILENT:
        path = "".join(_run(start, length) for found, start, length in _stretches(looks) if found is look)
        if path:
            yield Markup('<path d="{}" fill="url(#{})"/>').format(path, look.value)


def _stretches(looks: Sequence[Look]) -> Iterator[tuple[Look, int, int]]:
    start = 0
    for look, members in groupby(looks):
        length = len(list(members))
        yield look, start, length
        start += length


def _run(start: int, length: int) -> str:
    return f"M{STEP * start} 0h{STEP * length}v{HEIGHT}h{-STEP * length}z"


def _mark(day: _Told, reading: Reading) -> Markup:
    return Markup("<g><title>{}</title>{}</g>").format(_title(day, reading), _shape_of(day))


def _linked(day: _Told, reading: Reading) -> Markup:
    return Markup('<a href="#d{}"><title>{}</title>{}</a>').format(
        day.date.isoformat(), _title(day, reading), _shape_of(day)
    )


def _title(day: _Told, reading: Reading) -> str:
    return f"{moments.long_day(day.date, reading.language)}: {_words(day, reading)}"


def _shape_of(day: _Told) -> Markup:
    return _shape(day.place, day.look, _height(day))


@lru_cache(maxsize=16384)
def _shape(index: int, look: Look, height: int) -> Markup:
    """Return a day's bar: a pale ground in the colour of the day, and on it the share of the day that was lost."""
    x = STEP * index + _GAP
    if look in _PATTERNED:
        return Markup('<path d="M{} 0h{}v{}h{}z" fill="url(#{})"/>').format(
            STEP * index, STEP, HEIGHT, -STEP, look.value
        )
    ground = Markup('<path class="{}g" d="M{} 0h{}v{}h{}z"/>').format(look.value, x, WIDTH, HEIGHT, -WIDTH)
    lost = Markup('<path class="{}" d="M{} {}v{}h{}v{}z"/>').format(
        look.value, x, HEIGHT, -height, WIDTH, height
    )
    return ground + lost


def _height(day: _Told) -> int:
    """Return how tall the lost share stands; even one lost minute has to be seen, so it never vanishes."""
    share = min(1.0, (day.down_s or day.degraded_s) / _DAY_S)
    return LEAST + round((HEIGHT - LEAST) * share)
