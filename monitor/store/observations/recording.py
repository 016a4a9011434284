"""Writing down what looks found, and how the checks' health stands after them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from monitor.health.state import Health
from monitor.identifiers import CheckKey, milliseconds
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, VIA_LIMIT, Observation, Outcome
from monitor.store.columns import OUTCOME_NUMBERS, cause_number, microseconds, ms_of, to_json
from monitor.store.database import Transaction, Value
from monitor.store.observations.measures import Taken, record_measures
from monitor.store.observations.memories import record_memories

PHASES = ("name", "connect", "tls", "first_byte", "total")

# How much evidence an hour of a check is kept whole: of looks that found the same, and of all that were not healthy.
SAME_AN_HOUR = 5
MOST_AN_HOUR = 20
_HOUR_MS = 3_600_000


def record(tx: Transaction, rows: Sequence[tuple[int, Observation]]) -> None:
    """Store looks, each under the number of its check: what was found, figured and remembered.

    A look that was not healthy leaves evidence. Of the looks of a long outage, which would fill the disk with one page over and over, only a
    few an hour are kept whole; of the others there remains what was found and where.
    """
    tx.executemany("INSERT INTO hot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [hot_row(*row) for row in rows])
    for number, seen in rows:
        if seen.outcome is not Outcome.OK:
            _record_evidence(tx, number, seen)
    if taken := [
        Taken(number, milliseconds(seen.started_at), seen.measures) for number, seen in rows if seen.measures
    ]:
        record_measures(tx, taken)
    if memories := {number: seen.remember for number, seen in rows if seen.remember is not None}:
        record_memories(tx, memories)


def save_healths(tx: Transaction, healths: Iterable[Health], numbers: Mapping[CheckKey, int]) -> None:
    """Store the health of checks, so that a restart continues every streak; a check without a number is left out."""
    tx.executemany(
        "INSERT OR REPLACE INTO streaks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_streak(numbers[health.check], health) for health in healths if health.check in numbers],
    )


def hot_row(number: int, seen: Observation) -> tuple[Value, ...]:
    """Return the columns that every look has, wherever it is stored."""
    phases = seen.phases
    return (
        number,
        milliseconds(seen.started_at),
        OUTCOME_NUMBERS[seen.outcome],
        cause_number(seen.cause),
        microseconds(seen.took_ms),
        *(microseconds(phases[phase]) if phase in phases else None for phase in PHASES),
    )


def _record_evidence(tx: Transaction, number: int, seen: Observation) -> None:
    row = _evidence(number, seen)
    if not _tells_more(tx, number, seen):
        row = (*row[:7], "{}", "", "", None)
    tx.execute("INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def _tells_more(tx: Transaction, number: int, seen: Observation) -> bool:
    """Is there still room in the hour before this look for evidence that is kept whole?"""
    started_ms = milliseconds(seen.started_at)
    kept = tx.rows(
        "SELECT COUNT(*) AS every, COALESCE(SUM(outcome = :outcome AND cause IS :cause AND found = :found), 0) AS same"
        " FROM evidence WHERE check_number = :number AND started_ms > :since AND started_ms < :until"
        " AND (excerpt <> '' OR reproduce <> '')",
        {
            "number": number,
            "since": started_ms - _HOUR_MS,
            "until": started_ms,
            "outcome": OUTCOME_NUMBERS[seen.outcome],
            "cause": cause_number(seen.cause),
            "found": seen.found[:FOUND_LIMIT],
        },
    )[0]
    return bool(kept["same"] < SAME_AN_HOUR and kept["every"] < MOST_AN_HOUR)


def _evidence(number: int, seen: Observation) -> tuple[Value, ...]:
    return (
        number,
        milliseconds(seen.started_at),
        OUTCOME_NUMBERS[seen.outcome],
        cause_number(seen.cause),
        microseconds(seen.took_ms),
        seen.found[:FOUND_LIMIT],
        seen.address,
        to_json(seen.phases),
        seen.excerpt[:EXCERPT_LIMIT],
        seen.reproduce,
        _via(seen),
    )


def _via(seen: Observation) -> str | None:
    """Return the places that redirects led to; most looks were led nowhere, and an empty column costs nothing."""
    places = [place[:FOUND_LIMIT] for place in seen.via[-VIA_LIMIT:]]
    return json.dumps(places, ensure_ascii=False, separators=(",", ":")) if places else None


def _streak(number: int, health: Health) -> tuple[Value, ...]:
    return (
        number,
        health.confirmed,
        health.state,
        ms_of(health.since),
        health.streak,
        health.hard,
        ms_of(health.streak_since),
        int(health.persisting),
        ms_of(health.last_ok_at),
        ms_of(health.looked_at),
        None if health.outcome is None else OUTCOME_NUMBERS[health.outcome],
        cause_number(health.cause),
        health.found[:FOUND_LIMIT],
        microseconds(health.took_ms),
        int(health.felt),
        health.unknowns,
        ms_of(health.unknown_since),
        # Nearly every check has none, and an empty column costs nothing.
        json.dumps([(doubt.level, milliseconds(doubt.at)) for doubt in health.doubts])
        if health.doubts
        else None,
        None if health.well is None else int(health.well),
        health.changes,
        ms_of(health.flapping_since),
    )
