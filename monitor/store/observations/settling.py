"""Closed hours move from the hot table to their place, and into the roll-ups in the same transaction.

A row leaves the hot table as it is counted, so that running again counts nothing twice, and a look that arrives long
after its hour is simply added to what its buckets hold.
"""

from __future__ import annotations

from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.store.database import Transaction
from monitor.store.observations import rollups
from monitor.store.observations.measures import settle_measures
from monitor.store.observations.rollups import Counted, Step

SLICE = 20_000
_HOUR_MS = Step.HOUR.value.width_ms


def settle(tx: Transaction, now: datetime, most: int = SLICE) -> int:
    """Settle looks and figures of hours that are over, at most `most` of each; return how many, 0 when none is left.

    Large slices are cheaper a row, small ones let other writers in sooner.
    """
    closed_ms = milliseconds(now) // _HOUR_MS * _HOUR_MS
    return _settle_looks(tx, closed_ms, most) + settle_measures(tx, closed_ms, most)


def _settle_looks(tx: Transaction, closed_ms: int, most: int) -> int:
    rows = tx.rows(
        "SELECT rowid AS place, check_number, started_ms, outcome, cause, took_us, EXISTS"
        " (SELECT 1 FROM observations AS o WHERE o.check_number = h.check_number AND o.started_ms = h.started_ms) AS known"
        " FROM hot AS h WHERE started_ms < ? ORDER BY rowid LIMIT ?",
        (closed_ms, most),
    )
    if not rows:
        return 0
    # A check cannot be looked at twice in one millisecond: the second row of that name is a repetition.
    fresh = {(row["check_number"], row["started_ms"]): row for row in reversed(rows) if not row["known"]}
    settled = [fresh[key] for key in sorted(fresh)]
    tx.executemany(
        "INSERT INTO observations (check_number, started_ms, outcome, cause, took_us) VALUES (?, ?, ?, ?, ?)",
        [
            (row["check_number"], row["started_ms"], row["outcome"], row["cause"], row["took_us"])
            for row in settled
        ],
    )
    tx.execute("DELETE FROM hot WHERE rowid <= ? AND started_ms < ?", (rows[-1]["place"], closed_ms))
    _roll_up(
        tx,
        [Counted(row["check_number"], row["started_ms"], row["outcome"], row["took_us"]) for row in settled],
    )
    return len(rows)


def _roll_up(tx: Transaction, looks: list[Counted]) -> None:
    five_minutes = rollups.count(looks, Step.FIVE_MINUTES)
    hours = rollups.widen(five_minutes, Step.FIVE_MINUTES, Step.HOUR)
    days = rollups.widen(hours, Step.HOUR, Step.DAY)
    for step, figures in ((Step.FIVE_MINUTES, five_minutes), (Step.HOUR, hours), (Step.DAY, days)):
        tx.executemany(
            f"INSERT INTO {step.value.table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - the names are ours
            " ON CONFLICT (check_number, bucket) DO UPDATE SET ok = ok + excluded.ok, warn = warn + excluded.warn,"
            " down = down + excluded.down, unknown = unknown + excluded.unknown, sum_us = sum_us + excluded.sum_us,"
            " max_us = MAX(max_us, excluded.max_us), histogram = merge_histograms(histogram, excluded.histogram)",
            [rollups.to_columns(bucket, each) for bucket, each in figures.items()],
        )
