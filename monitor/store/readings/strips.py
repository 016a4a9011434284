"""The looks of a long time for whoever judges them anew: all that matter, and few of those that found nothing wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from monitor.health.uptime import Span
from monitor.identifiers import CheckKey, milliseconds
from monitor.observation import Observation, Outcome
from monitor.store.columns import OUTCOME_NUMBERS, cause_of, instant, outcome_of
from monitor.store.database import Row, Transaction

_OK = OUTCOME_NUMBERS[Outcome.OK]
_SETTLED = (
    "SELECT started_ms, outcome, cause, took_us FROM observations"
    " WHERE check_number = :number AND started_ms >= :start AND started_ms < :end"
)

_PAGE = 50_000


@dataclass(slots=True)
class Unsettled:
    """The looks of one check that are not settled yet, as they came, the middle of rows of healthy ones left out."""

    rows: list[Row] = field(default_factory=list)
    seen: int = 0
    healthy: int = 0

    def add(self, row: Row, few: int) -> None:
        """Add the next look; of healthy ones in a row the first few and the last are kept."""
        self.seen += 1
        self.healthy = self.healthy + 1 if row["outcome"] == _OK else 0
        if self.healthy > few + 1:
            self.rows.pop()
        self.rows.append(row)


Fresh = Mapping[int, Unsettled]
"""Looks that are not settled yet, by the numbers of their checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The looks of one check that matter, oldest first, and how many there were in all."""

    looks: tuple[Observation, ...]
    seen: int


def fresh_looks(tx: Transaction, period: Span, few: int) -> Fresh:
    """Return the looks that began in `period` and are not settled yet; of healthy ones in a row the first few and the last.

    They lie in the order in which they came, so that to find those of one check is to read those of all.
    """
    found: defaultdict[int, Unsettled] = defaultdict(Unsettled)
    place = 0
    while rows := tx.rows(
        "SELECT rowid AS place, check_number, started_ms, outcome, cause, took_us FROM hot"
        " WHERE rowid > ? AND started_ms >= ? AND started_ms < ? ORDER BY rowid LIMIT ?",
        (place, milliseconds(period.start), milliseconds(period.end), _PAGE),
    ):
        for row in rows:
            found[row["check_number"]].add(row, few)
        place = rows[-1]["place"]
    return found


def strip(tx: Transaction, check: tuple[CheckKey, int], period: Span, fresh: Fresh, few: int) -> Strip:
    """Return the looks of a check, given with its number, that began in `period`, without anything but their verdicts.

    Of healthy looks in a row only the first few, and the last, are there. `fresh` was read before, or in the same transaction.
    """
    key, number = check
    hot = fresh.get(number, Unsettled())
    start, end = milliseconds(period.start), milliseconds(period.end)
    # The first row of a moment is the one that a settlement keeps.
    unsettled = {row["started_ms"]: row for row in reversed(hot.rows)}
    bounds = {"number": number, "start": start, "end": end}
    rows = tx.rows(f"{_SETTLED} AND outcome <> {_OK}", bounds)
    unhealthy = {row["started_ms"] for row in rows}
    unhealthy.update(at for at, row in unsettled.items() if row["outcome"] != _OK)
    for before, after in pairwise([start - 1, *sorted(unhealthy), end]):
        rows += _healthy(tx, number, before + 1, after, few)
    # What was settled in between stands in both places.
    kept = unsettled | {row["started_ms"]: row for row in rows}
    return Strip(
        looks=tuple(_look(key, kept[at]) for at in sorted(kept)),
        seen=_count(tx, bounds) + hot.seen,
    )


def _healthy(tx: Transaction, number: int, start: int, end: int, few: int) -> list[Row]:
    """Return the first few looks, and the last, of a row of healthy ones."""
    bounds = {"number": number, "start": start, "end": end, "few": few}
    rows = tx.rows(f"{_SETTLED} ORDER BY started_ms LIMIT :few", bounds)
    if len(rows) == few:
        rows += tx.rows(f"{_SETTLED} ORDER BY started_ms DESC LIMIT 1", bounds)
    return rows


def _count(tx: Transaction, bounds: Mapping[str, int]) -> int:
    row = tx.row(f"SELECT COUNT(*) AS seen FROM ({_SETTLED})", bounds)  # noqa: S608 - our own words
    return 0 if row is None else int(row["seen"])


def _look(check: CheckKey, row: Row) -> Observation:
    return Observation(
        check=check,
        started_at=instant(int(row["started_ms"])),
        took_ms=row["took_us"] / 1000,
        outcome=outcome_of(row["outcome"]),
        cause=cause_of(row["cause"]),
    )
