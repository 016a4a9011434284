"""Writing down what looks found, and how the checks' health stands after them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from monitor.health.state import Health
from monitor.identifiers import CheckKey, milliseconds
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, Observation, Outcome
from monitor.store.columns import OUTCOME_NUMBERS, cause_number, microseconds, ms_of, to_json
from monitor.store.database import Transaction, Value

PHASES = ("name", "connect", "tls", "first_byte", "total")


def record(tx: Transaction, rows: Sequence[tuple[int, Observation]]) -> None:
    """Store looks, each under the number of its check, and the evidence of those that were not healthy."""
    tx.executemany("INSERT INTO hot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [_hot(*row) for row in rows])
    unhealthy = [_evidence(*row) for row in rows if row[1].outcome is not Outcome.OK]
    if unhealthy:
        tx.executemany(
            "INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            unhealthy,
        )


def save_healths(tx: Transaction, healths: Iterable[Health], numbers: Mapping[CheckKey, int]) -> None:
    """Store the health of checks, so that a restart continues every streak; a check without a number is left out."""
    tx.executemany(
        "INSERT OR REPLACE INTO streaks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_streak(numbers[health.check], health) for health in healths if health.check in numbers],
    )


def _hot(number: int, seen: Observation) -> tuple[Value, ...]:
    phases = seen.phases
    return (
        number,
        milliseconds(seen.started_at),
        OUTCOME_NUMBERS[seen.outcome],
        cause_number(seen.cause),
        microseconds(seen.took_ms),
        *(microseconds(phases[phase]) if phase in phases else None for phase in PHASES),
    )


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
    )


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
    )
