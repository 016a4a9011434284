"""Availability from exact intervals.

    share = 1 - down / (period - maintenance - no data)

Every instant of a period belongs to one kind: maintenance before no data, no data before what was judged. So a fault
inside a window counts for nothing in the share, and what overlaps is counted once. `gross` counts maintenance as down.
All spans are half-open: the end is not part of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.health.rollup import worst
from monitor.health.words import Status
from monitor.language.zones import start_of_day

_NOTHING = timedelta(0)
# What covers what where spans overlap; an instant that no span covers is one without data.
_COVER = (
    Status.UNDER_MAINTENANCE,
    Status.UNKNOWN,
    Status.MAJOR_OUTAGE,
    Status.PARTIAL_OUTAGE,
    Status.DEGRADED_PERFORMANCE,
    Status.OPERATIONAL,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; the end is not part of it."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("a span ends no earlier than it starts")

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A stretch of time in which one status held; the end is not part of it."""

    status: Status
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("a span ends no earlier than it starts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """Availability of a period; `share` and `gross` lie between 0 and 1, None when nothing of the period counts."""

    share: float | None
    gross: float | None
    down: timedelta
    degraded: timedelta
    maintenance: timedelta
    no_data: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShare:
    """One day; `worst` is the worst status that was judged in it, None when nobody looked at all.

    A day that was all maintenance, or maintenance and no data, is `under_maintenance`.
    """

    date: date
    down: timedelta
    degraded: timedelta
    maintenance: timedelta
    no_data: timedelta
    worst: Status | None


def uptime(
    down: Iterable[Span],
    maintenance: Iterable[Span],
    blind: Iterable[Span],
    period: Span,
    *,
    degraded: Iterable[Span] = (),
) -> Uptime:
    """Return the availability of `period`; `blind` are the times without data, the rest counts as up."""
    statuses = [
        StatusSpan(Status.OPERATIONAL, period.start, period.end),
        *(StatusSpan(Status.MAJOR_OUTAGE, span.start, span.end) for span in down),
        *(StatusSpan(Status.DEGRADED_PERFORMANCE, span.start, span.end) for span in degraded),
    ]
    return measure(statuses, maintenance, blind, period)


def measure(
    statuses: Iterable[StatusSpan], maintenance: Iterable[Span], blind: Iterable[Span], period: Span
) -> Uptime:
    """Return the availability of `period` from a server's statuses; what no status covers is time without data."""
    lengths = _lengths(_pieces(statuses, maintenance, blind, period))
    down = lengths[Status.MAJOR_OUTAGE] + lengths[Status.PARTIAL_OUTAGE]
    planned, no_data = lengths[Status.UNDER_MAINTENANCE], lengths[Status.UNKNOWN]
    return Uptime(
        share=_share(down, period.length - planned - no_data),
        gross=_share(down + planned, period.length - no_data),
        down=down,
        degraded=lengths[Status.DEGRADED_PERFORMANCE],
        maintenance=planned,
        no_data=no_data,
    )


def by_day(  # noqa: PLR0913 - what was, and which days of which zone until when: named at every call
    statuses: Iterable[StatusSpan],
    maintenance: Iterable[Span],
    blind: Iterable[Span],
    *,
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    until: datetime,
) -> tuple[DayShare, ...]:
    """Return each day of `zone` from `first_day` to `last_day`, oldest first; time from `until` on counts nowhere."""
    days = [first_day + timedelta(days=ahead) for ahead in range((last_day - first_day).days + 1)]
    edges = [min(start_of_day(day, zone), until) for day in (*days, last_day + timedelta(days=1))]
    pieces = _pieces(statuses, maintenance, blind, Span(edges[0], edges[-1]))
    shares = []
    at = 0
    for day, start, end in zip(days, edges, edges[1:], strict=False):
        while at < len(pieces) and pieces[at].end <= start:
            at += 1
        shares.append(_day(day, _within(pieces, at, Span(start, end))))
    return tuple(shares)


def _share(lost: timedelta, counted: timedelta) -> float | None:
    return 1 - lost / counted if counted > _NOTHING else None


def _pieces(
    statuses: Iterable[StatusSpan], maintenance: Iterable[Span], blind: Iterable[Span], period: Span
) -> tuple[StatusSpan, ...]:
    """Return `period` cut into pieces without gaps or overlaps, each with the status that covers the others there."""
    layers = [
        *statuses,
        *(StatusSpan(Status.UNDER_MAINTENANCE, span.start, span.end) for span in maintenance),
        *(StatusSpan(Status.UNKNOWN, span.start, span.end) for span in blind),
    ]
    edges = sorted(edge for layer in layers for edge in _edges(layer, period))
    depth = dict.fromkeys(_COVER, 0)
    pieces: list[StatusSpan] = []
    start = period.start
    for at, status, step in (*edges, (period.end, Status.UNKNOWN, 0)):
        if start < at:
            pieces.append(StatusSpan(_covering(depth), start, at))
            start = at
        depth[status] += step
    return tuple(pieces)


def _edges(layer: StatusSpan, period: Span) -> tuple[tuple[datetime, Status, int], ...]:
    """Return the steps up and down that a layer makes inside the period."""
    start, end = max(layer.start, period.start), min(layer.end, period.end)
    return ((start, layer.status, 1), (end, layer.status, -1)) if start < end else ()


def _covering(depth: Mapping[Status, int]) -> Status:
    return next((status for status in _COVER if depth[status] > 0), Status.UNKNOWN)


def _within(pieces: Sequence[StatusSpan], at: int, day: Span) -> list[StatusSpan]:
    """Return what of the pieces from index `at` on lies in `day`."""
    found = []
    while at < len(pieces) and pieces[at].start < day.end:
        piece = pieces[at]
        found.append(StatusSpan(piece.status, max(piece.start, day.start), min(piece.end, day.end)))
        at += 1
    return found


def _lengths(pieces: Iterable[StatusSpan]) -> dict[Status, timedelta]:
    lengths = dict.fromkeys(_COVER, _NOTHING)
    for piece in pieces:
        lengths[piece.status] += piece.end - piece.start
    return lengths


def _day(day: date, pieces: Sequence[StatusSpan]) -> DayShare:
    lengths = _lengths(pieces)
    return DayShare(
        date=day,
        down=lengths[Status.MAJOR_OUTAGE] + lengths[Status.PARTIAL_OUTAGE],
        degraded=lengths[Status.DEGRADED_PERFORMANCE],
        maintenance=lengths[Status.UNDER_MAINTENANCE],
        no_data=lengths[Status.UNKNOWN],
        worst=_worst({status for status, length in lengths.items() if length > _NOTHING}),
    )


def _worst(seen: set[Status]) -> Status | None:
    judged = seen - {Status.UNKNOWN, Status.UNDER_MAINTENANCE}
    if judged:
        return worst(judged)
    return Status.UNDER_MAINTENANCE if Status.UNDER_MAINTENANCE in seen else None
