"""Availability of one server over any period, from the exact intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from monitor.errors import NotFoundError
from monitor.health.uptime import Span, StatusSpan, Uptime, measure
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.language.zones import day_of, start_of_day
from monitor.store import readings
from monitor.store.database import Transaction

_OUT = frozenset({Status.MAJOR_OUTAGE, Status.PARTIAL_OUTAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What a period came to: as a whole, day by day in the site's zone, and each stretch in which the server was out.

    `period` ends at the last sign of life when that lies inside it: what came after is not known to anybody.
    """

    period: Span
    whole: Uptime
    days: tuple[tuple[date, Uptime], ...]
    outages: tuple[StatusSpan, ...]


def reckon(tx: Transaction, server: ServerId, period: Span, zone: ZoneInfo) -> Reckoning:
    """Return the availability of a server in a period; an unknown one raises NotFoundError, a retired one still has its past."""
    if not readings.is_known(tx, server):
        raise NotFoundError(f"there is no server {server!r}; `vigia status` lists them")
    heard = readings.heard_at(tx)
    counted = Span(period.start, max(period.start, min(period.end, heard or period.end)))
    bounds = counted.start, counted.end
    statuses = readings.status_spans(tx, *bounds).get(server, [])
    maintenance = readings.maintenance_spans(tx, *bounds).get(server, [])
    blind = readings.blind_spans(tx, *bounds)
    return Reckoning(
        period=counted,
        whole=measure(statuses, maintenance, blind, counted),
        days=tuple((day, measure(statuses, maintenance, blind, span)) for day, span in _days(counted, zone)),
        outages=tuple(span for span in statuses if span.status in _OUT),
    )


def _days(period: Span, zone: ZoneInfo) -> Iterator[tuple[date, Span]]:
    """Return each day that the period touches, cut to it."""
    day, start = day_of(period.start, zone), period.start
    while start < period.end:
        following = day + timedelta(days=1)
        end = min(start_of_day(following, zone), period.end)
        if start < end:
            yield day, Span(start, end)
        day, start = following, end
