"""Figures that looks take beside their times: written hot, settled by the hour, read back as series.

A series is one figure of one check in one unit, and has a number, so that a row is three small values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import milliseconds
from monitor.observation import MEASURES_LIMIT, Measure, sound_measures
from monitor.store.columns import instant
from monitor.store.database import Row, Transaction

# A plugin that names its figures anew at each look would fill the disk with names.
NAMES_LIMIT = 4 * MEASURES_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The newest value of a measure, and when the look began that took it."""

    name: str
    value: float
    unit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """The measures of one look."""

    check_number: int
    started_ms: int
    measures: tuple[Measure, ...]


def record_measures(tx: Transaction, looks: Sequence[Taken]) -> None:
    """Store the measures of looks; a figure whose name cannot be a name, or whose value is no number, is left out."""
    known: dict[int, dict[tuple[str, str], int]] = {}
    rows: list[tuple[int, int, float]] = []
    for look in looks:
        numbers = known.setdefault(look.check_number, {})
        if not numbers:
            numbers.update(_numbers(tx, look.check_number))
        for measure in sound_measures(look.measures):
            number = _number(tx, look.check_number, measure, numbers)
            if number is not None:
                rows.append((number, look.started_ms, float(measure.value)))
    tx.executemany("INSERT INTO hot_measures VALUES (?, ?, ?)", rows)


def settle_measures(tx: Transaction, closed_ms: int, most: int) -> int:
    """Move figures of looks that began before `closed_ms` to their place, at most so many; return how many were moved."""
    moved = "SELECT rowid FROM hot_measures WHERE started_ms < ? ORDER BY rowid LIMIT ?"
    # The first figure of a moment is the one that stays, as with the looks themselves.
    tx.execute(
        "INSERT OR IGNORE INTO measures SELECT measure_number, started_ms, value FROM hot_measures"  # noqa: S608 - ours
        f" WHERE rowid IN ({moved}) ORDER BY measure_number, started_ms, rowid",
        (closed_ms, most),
    )
    return tx.execute(f"DELETE FROM hot_measures WHERE rowid IN ({moved})", (closed_ms, most))  # noqa: S608 - ours


def prune_measures(tx: Transaction, oldest_ms: int, most: int) -> int:
    """Delete figures from before `oldest_ms`, at most so many, and the series that have none left; return how many figures."""
    gone = 0
    for row in tx.rows(
        "SELECT number FROM measure_names AS n WHERE EXISTS"
        " (SELECT 1 FROM measures AS m WHERE m.measure_number = n.number AND m.started_ms < ?)",
        (oldest_ms,),
    ):
        if gone >= most:
            break
        gone += tx.execute(
            "DELETE FROM measures WHERE measure_number = ? AND started_ms IN (SELECT started_ms FROM measures"
            " WHERE measure_number = ? AND started_ms < ? ORDER BY started_ms LIMIT ?)",
            (row["number"], row["number"], oldest_ms, most - gone),
        )
    if gone:
        tx.execute(
            "DELETE FROM measure_names WHERE NOT EXISTS"
            " (SELECT 1 FROM measures AS m WHERE m.measure_number = measure_names.number)"
            " AND number NOT IN (SELECT measure_number FROM hot_measures)"
        )
    return gone


def last_measures(tx: Transaction) -> Mapping[int, tuple[Figure, ...]]:
    """Return the newest value of every series, by the number of its check."""
    rows = tx.rows(
        "WITH newest AS (SELECT measure_number, value, MAX(started_ms) AS at_ms FROM ("
        " SELECT measure_number, started_ms, value FROM hot_measures UNION ALL"
        " SELECT m.measure_number, m.started_ms, m.value FROM measure_names AS n JOIN measures AS m"
        " ON m.measure_number = n.number AND m.started_ms ="
        " (SELECT MAX(started_ms) FROM measures WHERE measure_number = n.number)"
        ") GROUP BY measure_number)"
        " SELECT check_number, name, unit, value, at_ms FROM measure_names JOIN newest ON measure_number = number"
        " ORDER BY check_number, number"
    )
    found: dict[int, tuple[Figure, ...]] = {}
    for row in rows:
        figure = Figure(name=row["name"], value=row["value"], unit=row["unit"], at=instant(int(row["at_ms"])))
        found[row["check_number"]] = (*found.get(row["check_number"], ()), figure)
    return found


def measure_series(
    tx: Transaction, number: int, name: str, start: datetime, end: datetime
) -> tuple[Figure, ...]:
    """Return every value of a check's measure of looks that began from `start` until before `end`, oldest first."""
    found: dict[tuple[int, str], Figure] = {}
    for row in tx.rows(
        "SELECT number, unit FROM measure_names WHERE check_number = ? AND name = ?", (number, name)
    ):
        for point in _points(tx, row["number"], start, end):
            figure = Figure(
                name=name, value=point["value"], unit=row["unit"], at=instant(int(point["started_ms"]))
            )
            # The first figure of a moment is the one that a settlement keeps.
            found.setdefault((point["started_ms"], row["unit"]), figure)
    return tuple(found[moment] for moment in sorted(found))


def _points(tx: Transaction, measure_number: int, start: datetime, end: datetime) -> list[Row]:
    return tx.rows(
        "SELECT started_ms, value FROM measures"
        " WHERE measure_number = :number AND started_ms >= :start AND started_ms < :end"
        " UNION ALL SELECT started_ms, value FROM hot_measures"
        " WHERE measure_number = :number AND started_ms >= :start AND started_ms < :end",
        {"number": measure_number, "start": milliseconds(start), "end": milliseconds(end)},
    )


def _numbers(tx: Transaction, check_number: int) -> dict[tuple[str, str], int]:
    rows = tx.rows("SELECT number, name, unit FROM measure_names WHERE check_number = ?", (check_number,))
    return {(row["name"], row["unit"]): int(row["number"]) for row in rows}


def _number(
    tx: Transaction, check_number: int, measure: Measure, numbers: dict[tuple[str, str], int]
) -> int | None:
    """Return the number of a series, given when it is met first; None for one too many."""
    series = measure.name, measure.unit
    if series not in numbers:
        if len(numbers) >= NAMES_LIMIT:
            return None
        row = tx.rows(
            "INSERT INTO measure_names (check_number, name, unit) VALUES (?, ?, ?) RETURNING number",
            (check_number, *series),
        )[0]
        numbers[series] = int(row["number"])
    return numbers[series]
