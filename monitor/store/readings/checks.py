"""Checks by their numbers, their health, and the evidence of looks that were not healthy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.health.state import Doubt, Health
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Outcome
from monitor.store.columns import cause_of, instant, outcome_of
from monitor.store.database import Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look as it is stored. Healthy looks keep their phases for about an hour, the others as long as themselves.

    `found` and `address` are known only of looks that were not healthy, `excerpt`, `reproduce` and `via` only of those whose evidence was
    kept whole.
    """

    started_at: datetime
    took_ms: float
    outcome: Outcome
    cause: Cause | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    found: str = ""
    address: str | None = None
    excerpt: str = ""
    reproduce: str = ""
    via: tuple[str, ...] = ()


def check_numbers(tx: Transaction) -> Mapping[CheckKey, int]:
    """Return the number that stands for each check in the observations, retired checks included."""
    rows = tx.rows("SELECT number, server, check_id FROM checks ORDER BY number")
    return {CheckKey(ServerId(row["server"]), row["check_id"]): int(row["number"]) for row in rows}


def check_kinds(tx: Transaction) -> Mapping[CheckKey, str]:
    """Return the kind of every check that is watched."""
    rows = tx.rows("SELECT server, check_id, kind FROM checks WHERE retired_ms IS NULL ORDER BY number")
    return {CheckKey(ServerId(row["server"]), row["check_id"]): row["kind"] for row in rows}


def healths(tx: Transaction) -> Mapping[CheckKey, Health]:
    """Return the stored health of every check that is watched and was looked at."""
    rows = tx.rows(
        "SELECT checks.server, checks.check_id, streaks.* FROM streaks JOIN checks ON checks.number = check_number"
        " WHERE checks.retired_ms IS NULL ORDER BY check_number"
    )
    return {health.check: health for health in map(_health, rows)}


def evidence_of(tx: Transaction, check: CheckKey, limit: int) -> tuple[Look, ...]:
    """Return the newest looks of a check that were not healthy, newest first, at most `limit`."""
    rows = tx.rows(
        "SELECT evidence.* FROM evidence JOIN checks ON checks.number = check_number"
        " WHERE checks.server = ? AND checks.check_id = ? ORDER BY started_ms DESC LIMIT ?",
        (check.server, check.check, limit),
    )
    return tuple(map(_failing, rows))


def last_whole(tx: Transaction, check: CheckKey) -> Look | None:
    """Return the newest look of a check that was not healthy and whose evidence was kept whole, None when there is none."""
    row = tx.row(
        "SELECT evidence.* FROM evidence JOIN checks ON checks.number = check_number"
        " WHERE checks.server = ? AND checks.check_id = ? AND (excerpt <> '' OR reproduce <> '')"
        " ORDER BY started_ms DESC LIMIT 1",
        (check.server, check.check),
    )
    return None if row is None else _failing(row)


def via_of(column: str | None) -> tuple[str, ...]:
    """Return the places that redirects led to as they stand in their column."""
    return () if column is None else tuple(json.loads(column))


def memories(tx: Transaction) -> Mapping[CheckKey, Mapping[str, str]]:
    """Return what every check that is watched remembers from its earlier looks."""
    found: dict[CheckKey, dict[str, str]] = {}
    for row in tx.rows(
        "SELECT server, check_id, key, value FROM memories JOIN checks ON checks.number = check_number"
        " WHERE retired_ms IS NULL ORDER BY check_number, key"
    ):
        found.setdefault(CheckKey(ServerId(row["server"]), row["check_id"]), {})[row["key"]] = row["value"]
    return found


def _failing(row: Row) -> Look:
    return Look(
        started_at=instant(int(row["started_ms"])),
        took_ms=row["took_us"] / 1000,
        outcome=outcome_of(row["outcome"]),
        cause=cause_of(row["cause"]),
        phases={str(phase): float(ms) for phase, ms in json.loads(row["phases"]).items()},
        found=row["found"],
        address=row["address"],
        excerpt=row["excerpt"],
        reproduce=row["reproduce"],
        via=via_of(row["via"]),
    )


def _health(row: Row) -> Health:
    return Health(
        check=CheckKey(ServerId(row["server"]), row["check_id"]),
        confirmed=State(row["confirmed"]),
        state=State(row["state"]),
        since=instant(row["since_ms"]),
        streak=row["streak"],
        hard=row["hard"],
        streak_since=instant(row["streak_since_ms"]),
        persisting=bool(row["persisting"]),
        last_ok_at=instant(row["last_ok_ms"]),
        looked_at=instant(row["looked_ms"]),
        outcome=None if row["outcome"] is None else outcome_of(row["outcome"]),
        cause=cause_of(row["cause"]),
        found=row["found"],
        took_ms=row["took_us"] / 1000,
        felt=bool(row["felt"]),
        unknowns=row["unknowns"],
        unknown_since=instant(row["unknown_since_ms"]),
        doubts=_doubts(row["doubts"]) if row["doubts"] else (),
        well=None if row["well"] is None else bool(row["well"]),
        changes=row["changes"],
        flapping_since=instant(row["flapping_ms"]),
    )


def _doubts(column: str) -> tuple[Doubt, ...]:
    return tuple(Doubt(level=level, at=instant(int(at))) for level, at in json.loads(column))
