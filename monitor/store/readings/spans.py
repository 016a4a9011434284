"""Stretches of time: what was held of each server, when nobody looked, when work was planned, and days in figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache

from monitor.health.uptime import Span, StatusSpan
from monitor.health.words import Status
from monitor.identifiers import ServerId, milliseconds
from monitor.status.snapshot import Day
from monitor.store.columns import instant
from monitor.store.database import Transaction
from monitor.store.readings.service import installation

DAYS_EDITION = "days.edition"
"""Under this key of the installation stands another word whenever the days in figures may have changed."""

_Days = Mapping[ServerId, Sequence[Day]]
# The days that were read last: a picture is drawn every minute, and they change once a day.
_read: dict[tuple[str, date], _Days] = {}


def status_spans(tx: Transaction, start: datetime, end: datetime) -> Mapping[ServerId, list[StatusSpan]]:
    """Return what was held of each server between `start` and `end`, oldest first, cut to that time.

    Spans of a server never overlap. Where there is none, the server was not judged: new, or retired.
    """
    bounds = {"start": milliseconds(start), "end": milliseconds(end)}
    found: defaultdict[ServerId, list[StatusSpan]] = defaultdict(list)
    for row in tx.rows(
        "SELECT server, status, MAX(start_ms, :start) AS since, MIN(COALESCE(end_ms, :end), :end) AS until"
        " FROM status_intervals WHERE start_ms < :end AND (end_ms IS NULL OR end_ms > :start)"
        " ORDER BY server, start_ms",
        bounds,
    ):
        found[ServerId(row["server"])].append(
            StatusSpan(Status(row["status"]), instant(int(row["since"])), instant(int(row["until"])))
        )
    return dict(found)


def blind_spans(tx: Transaction, start: datetime, end: datetime) -> list[Span]:
    """Return when nobody looked between `start` and `end`, oldest first, cut to that time."""
    rows = tx.rows(
        "SELECT MAX(start_ms, :start) AS since, MIN(end_ms, :end) AS until FROM blind_intervals"
        " WHERE start_ms < :end AND end_ms > :start ORDER BY start_ms",
        {"start": milliseconds(start), "end": milliseconds(end)},
    )
    return [Span(instant(int(row["since"])), instant(int(row["until"]))) for row in rows]


def maintenance_spans(tx: Transaction, start: datetime, end: datetime) -> Mapping[ServerId, list[Span]]:
    """Return when windows really were in force for each server between `start` and `end`, cut to that time.

    Windows may overlap, and so may the spans of a server. One in progress lasts to the end of the time asked for.
    """
    found: defaultdict[ServerId, list[Span]] = defaultdict(list)
    for row in tx.rows(
        "SELECT server, MAX(started_ms, :start) AS since, MIN(COALESCE(ended_ms, :end), :end) AS until"
        " FROM windows JOIN window_servers ON window = id"
        " WHERE started_ms < :end AND (ended_ms IS NULL OR ended_ms > MAX(started_ms, :start))"
        " ORDER BY server, started_ms, id",
        {"start": milliseconds(start), "end": milliseconds(end)},
    ):
        found[ServerId(row["server"])].append(Span(instant(int(row["since"])), instant(int(row["until"]))))
    return dict(found)


def server_days(tx: Transaction, first_day: date) -> _Days:
    """Return the closed days of each server from `first_day` on, oldest first, as far as they were worked out."""
    edition = installation(tx, DAYS_EDITION)
    key = (edition or "", first_day)
    if key in _read:
        return _read[key]
    found: defaultdict[ServerId, list[Day]] = defaultdict(list)
    for row in tx.rows(
        "SELECT server, day, worst, down_s, degraded_s, maintenance_s, no_data_s FROM server_days"
        " WHERE day >= ? ORDER BY server, day",
        (first_day.isoformat(),),
    ):
        found[row[0]].append(_day(*row[1:]))
    days = {server: tuple(some) for server, some in found.items()}
    if edition is not None:
        _read.clear()
        _read[key] = days
    return days


# Nearly all days of all servers are alike, and each picture of the page reads 90 of them a server: one value serves all.
@lru_cache(maxsize=10_000)
def _day(
    day: str, worst: str | None, down_s: int, degraded_s: int, maintenance_s: int, no_data_s: int
) -> Day:
    return Day(
        date=date.fromisoformat(day),
        worst=None if worst is None else Status(worst),
        down_s=down_s,
        degraded_s=degraded_s,
        maintenance_s=maintenance_s,
        no_data_s=no_data_s,
    )
