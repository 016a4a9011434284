"""Ninety days of one server as bars, drawn here so that the page needs no script.

Runs of like days share one shape filled with a pattern; only days that something happened on have a shape of their own. A
plain green history is one short element, and a page of three hundred servers stays a few kilobytes on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import groupby

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


_LOOKS = {
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Eventful:
    """A day on which something happened, in words, for the table behind the bars."""

    day: str
    iso: str
    words: str
    look: Look


def look_of(day: Day) -> Look:
    """Return how a day is drawn; a day that nobody looked at is hollow."""
    return Look.NO_DATA if day.worst is None else _LOOKS[day.worst]


def day_words(day: Day, reading: Reading) -> str:
    """Return what happened on a day: 12 min fuera de servicio · 2 incidentes."""
    spans = (("down", day.down_s), ("degraded", day.degraded_s), ("maintenance", day.maintenance_s))
    parts = [
        reading.say(f"page.day.{name}", span=reading.duration(timedelta(seconds=seconds)))
        for name, seconds in spans
        if seconds
    ]
    if day.incidents:
        parts.append(reading.say("page.day.incidents", count=len(day.incidents)))
    if parts:
        return " · ".join(parts)
    return reading.say("page.day.no_data" if look_of(day) is Look.NO_DATA else "page.day.fine")


def eventful(days: Sequence[Day], reading: Reading) -> tuple[Eventful, ...]:
    """Return the days that are worth a line, newest first: all but the plain and the empty ones."""
    if is_plain(days):
        return ()
    return tuple(_eventful(day, reading) for day in reversed(days) if look_of(day) not in _SILENT)


def every_day(days: Sequence[Day], reading: Reading) -> tuple[Eventful, ...]:
    """Return a line for each day, newest first."""
    return tuple(_eventful(day, reading) for day in reversed(days))


def summary(days: Sequence[Day], reading: Reading) -> str:
    """Return the whole history in one sentence, for those who cannot see the bars."""
    down = timedelta(seconds=sum(day.down_s for day in days))
    bad = sum(1 for day in days if day.down_s)
    if not bad:
        return _without_outage([look_of(day) for day in days], reading)
    return reading.say("page.bars.trouble", days=len(days), count=bad, span=reading.in_full(down))


def _without_outage(looks: Sequence[Look], reading: Reading) -> str:
    """Return that nothing failed, claimed only of the days that somebody looked at."""
    observed = len(looks) - looks.count(Look.NO_DATA)
    if observed == len(looks):
        return reading.say("page.bars.fine", days=len(looks))
    if not observed:
        return reading.say("page.bars.none", days=len(looks))
    return reading.say("page.bars.observed", count=observed, days=len(looks))


def strip(days: Sequence[Day], reading: Reading) -> Markup:
    """Return the bars of one server as one picture with a sentence in its stead; eventful days tell their story."""
    if is_plain(days):
        return _calm_strip((Look.FINE,) * len(days), reading)
    looks = tuple(map(look_of, days))
    if _SILENT_LOOKS.issuperset(looks):
        return _calm_strip(looks, reading)
    marks = (_mark(index, day, reading) for index, day in enumerate(days) if looks[index] not in _SILENT)
    return _picture(len(days), [*_ground(looks), *marks], summary(days, reading))


def is_plain(days: Sequence[Day]) -> bool:
    """Is there nothing to tell of any day? So it is with nearly every server, and then little has to be drawn."""
    return all(day.worst is Status.OPERATIONAL for day in days)


@lru_cache(maxsize=256)
def _calm_strip(looks: tuple[Look, ...], reading: Reading) -> Markup:
    """Draw days of which there is nothing to tell; servers that are watched since the same day share one picture."""
    return _picture(len(looks), _runs(looks), _without_outage(looks, reading))


@lru_cache(maxsize=1024)
def _ground(looks: tuple[Look, ...]) -> tuple[Markup, ...]:
    return tuple(_runs(looks))


def _picture(count: int, shapes: Iterable[Markup], words: str) -> Markup:
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(STEP * count, HEIGHT, words, Markup().join(shapes))


def linked_strip(days: Sequence[Day], reading: Reading) -> Markup:
    """Return the bars of one server with each day reachable by keyboard, leading to its line in the table below."""
    shapes = Markup().join(_linked(index, day, reading) for index, day in enumerate(days))
    return Markup(
        '<svg class="bars linked" viewBox="0 0 {} {}" preserveAspectRatio="none" role="group" aria-label="{}">{}</svg>'
    ).format(STEP * len(days), HEIGHT, summary(days, reading), shapes)


def _eventful(day: Day, reading: Reading) -> Eventful:
    words = day_words(day, reading)
    return Eventful(
        day=moments.full_day(day.date, reading.language),
        iso=day.date.isoformat(),
        words=words,
        look=look_of(day),
    )


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


def _mark(index: int, day: Day, reading: Reading) -> Markup:
    title = f"{moments.long_day(day.date, reading.language)}: {day_words(day, reading)}"
    return Markup("<g><title>{}</title>{}</g>").format(title, _shape(index, look_of(day), _height(day)))


def _linked(index: int, day: Day, reading: Reading) -> Markup:
    title = f"{moments.long_day(day.date, reading.language)}: {day_words(day, reading)}"
    return Markup('<a href="#d{}"><title>{}</title>{}</a>').format(
        day.date.isoformat(), title, _shape(index, look_of(day), _height(day))
    )


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


def _height(day: Day) -> int:
    """Return how tall the lost share stands; even one lost minute has to be seen, so it never vanishes."""
    share = min(1.0, (day.down_s or day.degraded_s) / _DAY_S)
    return LEAST + round((HEIGHT - LEAST) * share)
