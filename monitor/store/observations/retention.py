"""What is too old goes, in slices so small that no other writer waits long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.identifiers import milliseconds
from monitor.store.database import Transaction
from monitor.store.observations.measures import prune_measures
from monitor.store.observations.rollups import Step

SLICE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long each kind of record is kept; days, state intervals and the journal are kept for ever."""

    observations: timedelta = timedelta(days=35)
    five_minutes: timedelta = timedelta(days=90)
    hours: timedelta = timedelta(days=730)


def prune(tx: Transaction, keep: Keep, now: datetime, most: int = SLICE) -> int:
    """Delete what is older than `keep` says, at most `most` rows; return how many, fewer than `most` when done.

    Evidence and measures go with their observations.
    """
    oldest_ms = milliseconds(now - keep.observations)
    left = most - _prune_evidence(tx, oldest_ms, most)
    left -= _prune_by_check(tx, "observations", "started_ms", oldest_ms, left)
    left -= prune_measures(tx, oldest_ms, left)
    for step, kept in ((Step.FIVE_MINUTES, keep.five_minutes), (Step.HOUR, keep.hours)):
        bucket = milliseconds(now - kept) // step.value.width_ms
        left -= _prune_by_check(tx, step.value.table, "bucket", bucket, left)
    return most - left


def rows_after(tx: Transaction, moment: datetime) -> int:
    """Return how many looks are stored that began after `moment`: a clock that was wrong dated them, and nobody is shown them yet."""
    after_ms = milliseconds(moment)
    found = tx.rows("SELECT COUNT(*) AS found FROM hot WHERE started_ms > ?", (after_ms,))[0]["found"]
    return int(found) + sum(
        int(
            tx.rows(
                "SELECT COUNT(*) AS found FROM observations WHERE check_number = ? AND started_ms > ?",
                (check_number, after_ms),
            )[0]["found"]
        )
        for check_number in _check_numbers(tx, "observations")
    )


def _prune_evidence(tx: Transaction, oldest_ms: int, most: int) -> int:
    return tx.execute(
        "DELETE FROM evidence WHERE rowid IN"
        " (SELECT rowid FROM evidence WHERE started_ms < ? ORDER BY started_ms LIMIT ?)",
        (oldest_ms, most),
    )


def _prune_by_check(tx: Transaction, table: str, column: str, oldest: int, most: int) -> int:
    """Delete from each check's own stretch of the table: a search by age alone would read all of it."""
    gone = 0
    for check_number in _check_numbers(tx, table):
        if gone >= most:
            break
        gone += tx.execute(
            f"DELETE FROM {table} WHERE check_number = ? AND {column} IN (SELECT {column} FROM {table}"  # noqa: S608 - our names
            f" WHERE check_number = ? AND {column} < ? ORDER BY {column} LIMIT ?)",
            (check_number, check_number, oldest, most - gone),
        )
    return gone


def _check_numbers(tx: Transaction, table: str) -> list[int]:
    """Return the checks that a table speaks of, leaping from one to the next along its key."""
    rows = tx.rows(
        "WITH RECURSIVE leap (number) AS ("  # noqa: S608 - our names
        f" SELECT MIN(check_number) FROM {table} UNION ALL"
        f" SELECT (SELECT MIN(check_number) FROM {table} WHERE check_number > number) FROM leap WHERE number IS NOT NULL)"
        " SELECT number FROM leap WHERE number IS NOT NULL"
    )
    return [int(row["number"]) for row in rows]
