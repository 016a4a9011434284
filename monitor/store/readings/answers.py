"""How long departments take to answer, as it was reckoned last."""

from __future__ import annotations

from datetime import timedelta

from monitor.store.columns import instant
from monitor.store.database import Transaction
from monitor.support.answers import AnswerTime


def answer_times(tx: Transaction) -> tuple[AnswerTime, ...]:
    """Return how long each department takes to answer, as it was reckoned last; nothing where no ticket can be read."""
    return tuple(
        AnswerTime(
            department=row["department"],
            since=instant(int(row["since_ms"])),
            until=instant(int(row["until_ms"])),
            answered=row["answered"],
            counted=row["counted"],
            waiting=row["waiting"],
            mean=_span(row["mean_us"]),
            median=_span(row["median_us"]),
            p90=_span(row["p90_us"]),
        )
        for row in tx.rows("SELECT * FROM answer_times ORDER BY department")
    )


def _span(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)
