"""Reading looks back: one by one, or as a series of figures; settled and not yet settled ones together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.store import histogram
from monitor.store.columns import cause_of, instant, outcome_of
from monitor.store.database import Row, Transaction
from monitor.store.observations import rollups
from monitor.store.observations.recording import PHASES
from monitor.store.observations.rollups import Counted, Figures, Step
from monitor.store.readings.checks import Look, via_of

__all__ = ["Point", "Step", "looks", "series"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The looks of one bucket in figures; times in milliseconds, None where nothing answered."""

    start: datetime
    ok: int
    warn: int
    down: int
    unknown: int
    p50_ms: float | None
    p95_ms: float | None
    max_ms: float | None
    mean_ms: float | None


def looks(tx: Transaction, number: int, start: datetime, end: datetime) -> tuple[Look, ...]:
    """Return every stored look of a check that started from `start` until before `end`, oldest first."""
    rows = tx.rows(
        "WITH seen AS ("
        " SELECT started_ms, outcome, cause, took_us, NULL AS name_us, NULL AS connect_us, NULL AS tls_us,"
        " NULL AS first_byte_us, NULL AS total_us FROM observations"
        " WHERE check_number = :number AND started_ms >= :start AND started_ms < :end"
        " UNION ALL"
        " SELECT started_ms, outcome, cause, took_us, name_us, connect_us, tls_us, first_byte_us, total_us FROM hot"
        " WHERE check_number = :number AND started_ms >= :start AND started_ms < :end)"
        " SELECT seen.*, found, address, phases, excerpt, reproduce, via FROM seen"
        " LEFT JOIN evidence ON evidence.check_number = :number AND evidence.started_ms = seen.started_ms"
        " ORDER BY seen.started_ms",
        {"number": number, "start": milliseconds(start), "end": milliseconds(end)},
    )
    # The first row of a moment is the one that a settlement keeps.
    return tuple(_look(row) for row in {row["started_ms"]: row for row in reversed(rows)}.values())[::-1]


def series(tx: Transaction, number: int, start: datetime, end: datetime, step: Step) -> tuple[Point, ...]:
    """Return a check's buckets that begin before `end` and end after `start`, oldest first; empty ones are left out.

    Quantiles are at most some 5 % from the truth. Buckets lie where UTC puts them.
    """
    width_ms = step.value.width_ms
    first, last = milliseconds(start) // width_ms, (milliseconds(end) - 1) // width_ms
    settled = {
        (number, int(row["bucket"])): rollups.from_columns(row)
        for row in tx.rows(
            f"SELECT * FROM {step.value.table} WHERE check_number = ? AND bucket BETWEEN ? AND ?",  # noqa: S608 - our names
            (number, first, last),
        )
    }
    fresh = rollups.count(_unsettled(tx, number, first * width_ms, (last + 1) * width_ms), step)
    buckets = sorted(settled.keys() | fresh.keys())
    return tuple(
        _point(
            instant(bucket[1] * width_ms),
            rollups.add([known[bucket] for known in (settled, fresh) if bucket in known]),
        )
        for bucket in buckets
    )


def _unsettled(tx: Transaction, number: int, start_ms: int, end_ms: int) -> list[Counted]:
    rows = tx.rows(
        "SELECT started_ms, outcome, took_us FROM hot AS h WHERE check_number = ? AND started_ms >= ? AND started_ms < ?"
        " AND NOT EXISTS (SELECT 1 FROM observations AS o"
        " WHERE o.check_number = h.check_number AND o.started_ms = h.started_ms) ORDER BY rowid",
        (number, start_ms, end_ms),
    )
    once = {row["started_ms"]: row for row in reversed(rows)}
    return [Counted(number, row["started_ms"], row["outcome"], row["took_us"]) for row in once.values()]


def _look(row: Row) -> Look:
    unhealthy = row["found"] is not None
    hot = {phase: row[f"{phase}_us"] / 1000 for phase in PHASES if row[f"{phase}_us"] is not None}
    return Look(
        started_at=instant(int(row["started_ms"])),
        took_ms=row["took_us"] / 1000,
        outcome=outcome_of(row["outcome"]),
        cause=cause_of(row["cause"]),
        # Evidence that was not kept whole has no phases of its own.
        phases=(json.loads(row["phases"]) if unhealthy else None) or hot,
        found=row["found"] if unhealthy else "",
        address=row["address"],
        excerpt=row["excerpt"] if unhealthy else "",
        reproduce=row["reproduce"] if unhealthy else "",
        via=via_of(row["via"]),
    )


def _point(start: datetime, figures: Figures) -> Point:
    answered = figures.ok + figures.warn
    p50, p95 = (histogram.quantile(figures.histogram, share) for share in (0.5, 0.95))
    longest = figures.max_us / 1000
    return Point(
        start=start,
        ok=figures.ok,
        warn=figures.warn,
        down=figures.down,
        unknown=figures.unknown,
        # A bin is wider than a single time: no quantile may exceed the longest one seen.
        p50_ms=None if p50 is None else min(p50 / 1000, longest),
        p95_ms=None if p95 is None else min(p95 / 1000, longest),
        max_ms=longest if answered else None,
        mean_ms=figures.sum_us / answered / 1000 if answered else None,
    )
