"""Looks in figures, by buckets of five minutes, hours and days of UTC.

A bucket is numbered by its start divided by its width. Response times count only where something answered as it
should (`ok` and `warn`): a time-out says how patient we are, not how fast the target is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from monitor.observation import Outcome
from monitor.store import histogram
from monitor.store.columns import OUTCOME_NUMBERS
from monitor.store.database import Row, Value

_OK, _WARN, _DOWN, _UNKNOWN = (
    OUTCOME_NUMBERS[outcome] for outcome in (Outcome.OK, Outcome.WARN, Outcome.DOWN, Outcome.UNKNOWN)
)


@dataclass(frozen=True, slots=True)
class Level:
    """One width of buckets and the table that holds them."""

    table: str
    width_ms: int


class Step(Enum):
    """How wide the buckets of a series are."""

    FIVE_MINUTES = Level("rollup_five_minutes", 300_000)
    HOUR = Level("rollup_hours", 3_600_000)
    DAY = Level("rollup_days", 86_400_000)


@dataclass(frozen=True, slots=True)
class Counted:
    """The columns of one look that a roll-up counts."""

    check_number: int
    started_ms: int
    outcome: int
    took_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of the looks of one bucket; the times in microseconds are those of `ok` and `warn`."""

    ok: int
    warn: int
    down: int
    unknown: int
    sum_us: int
    max_us: int
    histogram: histogram.Histogram


Bucket = tuple[int, int]
"""The number of a check and the number of a bucket."""


def count(looks: Iterable[Counted], step: Step) -> dict[Bucket, Figures]:
    """Return the figures of each check and bucket that `looks` fall into."""
    together: defaultdict[Bucket, list[Counted]] = defaultdict(list)
    width_ms = step.value.width_ms
    for look in looks:
        together[look.check_number, look.started_ms // width_ms].append(look)
    return {bucket: _figures(some) for bucket, some in together.items()}


def widen(narrow: Mapping[Bucket, Figures], from_: Step, to: Step) -> dict[Bucket, Figures]:
    """Return the figures of wider buckets, made of narrower ones."""
    together: defaultdict[Bucket, list[Figures]] = defaultdict(list)
    ratio = to.value.width_ms // from_.value.width_ms
    for (check_number, bucket), figures in narrow.items():
        together[check_number, bucket // ratio].append(figures)
    return {bucket: add(some) for bucket, some in together.items()}


def add(several: Sequence[Figures]) -> Figures:
    """Return the figures of several sets of looks taken together."""
    times: Counter[int] = Counter()
    for figures in several:
        times.update(figures.histogram)
    return Figures(
        ok=sum(figures.ok for figures in several),
        warn=sum(figures.warn for figures in several),
        down=sum(figures.down for figures in several),
        unknown=sum(figures.unknown for figures in several),
        sum_us=sum(figures.sum_us for figures in several),
        max_us=max(figures.max_us for figures in several),
        histogram=times,
    )


def to_columns(bucket: Bucket, figures: Figures) -> tuple[Value, ...]:
    """Return a row of a roll-up table."""
    return (
        *bucket,
        figures.ok,
        figures.warn,
        figures.down,
        figures.unknown,
        figures.sum_us,
        figures.max_us,
        histogram.encode(figures.histogram),
    )


def from_columns(row: Row) -> Figures:
    """Return the figures that a row of a roll-up table holds."""
    return Figures(
        ok=row["ok"],
        warn=row["warn"],
        down=row["down"],
        unknown=row["unknown"],
        sum_us=row["sum_us"],
        max_us=row["max_us"],
        histogram=histogram.decode(row["histogram"]),
    )


def _figures(looks: Sequence[Counted]) -> Figures:
    outcomes = Counter(look.outcome for look in looks)
    times = [look.took_us for look in looks if look.outcome in (_OK, _WARN)]
    return Figures(
        ok=outcomes[_OK],
        warn=outcomes[_WARN],
        down=outcomes[_DOWN],
        unknown=outcomes[_UNKNOWN],
        sum_us=sum(times),
        max_us=max(times, default=0),
        histogram=Counter(map(histogram.bin_of, times)),
    )
