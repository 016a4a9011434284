"""Drills: those that are under way, and how the others went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.identifiers import IncidentId
from monitor.incidents.drill import Step
from monitor.incidents.incident import Incident
from monitor.store.columns import instant
from monitor.store.database import Transaction
from monitor.store.readings.incidents import incident


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRow:
    """How a drill went: the moment of each step that was taken; `spared` are steps that nothing asked for."""

    incident: IncidentId
    finished_at: datetime
    passed: bool
    taken: Mapping[Step, datetime]
    spared: frozenset[Step]


def drills_under_way(tx: Transaction) -> tuple[Incident, ...]:
    """Return the drills that were begun and not judged yet, oldest first."""
    rows = tx.rows(
        "SELECT id FROM incidents WHERE drill = 1 AND NOT EXISTS (SELECT 1 FROM drills WHERE incident = id)"
        " ORDER BY opened_ms, id"
    )
    found = (incident(tx, IncidentId(row["id"])) for row in rows)
    return tuple(one for one in found if one is not None)


def drill(tx: Transaction, identity: IncidentId) -> DrillRow | None:
    """Return how one drill went; None while it is under way."""
    row = tx.row("SELECT * FROM drills WHERE incident = ?", (identity,))
    if row is None:
        return None
    return DrillRow(
        incident=IncidentId(row["incident"]),
        finished_at=instant(int(row["finished_ms"])),
        passed=bool(row["passed"]),
        taken={Step(step): instant(int(at)) for step, at in json.loads(row["taken"]).items()},
        spared=frozenset(Step(step) for step in json.loads(row["spared"])),
    )


def last_good_drill(tx: Transaction) -> datetime | None:
    """Return when the newest drill was over that went well; None before the first."""
    row = tx.row("SELECT MAX(finished_ms) AS finished_ms FROM drills WHERE passed = 1")
    return None if row is None else instant(row["finished_ms"])
