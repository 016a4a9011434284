"""The newest look of every check, for a reader that wants them all: it asks for those that are new to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.health.state import Health
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Measure, Observation, Outcome, sound_measures
from monitor.store.columns import OUTCOME_NUMBERS, cause_of, instant, ms_of, outcome_of
from monitor.store.database import Row, Transaction, Value
from monitor.store.observations.recording import PHASES, hot_row

_MET = (OUTCOME_NUMBERS[Outcome.OK], OUTCOME_NUMBERS[Outcome.WARN])


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What was new: looks with the health after them, in the order of the checks, and the number to ask with next time."""

    number: int
    looks: tuple[tuple[Observation, Health], ...]


def note_newest(tx: Transaction, looks: Mapping[int, Observation], edition: int) -> None:
    """Store the newest looks by the numbers of their checks; `edition` is higher than any before.

    A look that failed before it met the certificate says nothing about it: what was known of its end stays.
    """
    tx.executemany(
        "INSERT INTO newest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (check_number) DO UPDATE SET"  # noqa: S608 - two numbers of ours
        " started_ms = excluded.started_ms, outcome = excluded.outcome, cause = excluded.cause,"
        " took_us = excluded.took_us, name_us = excluded.name_us, connect_us = excluded.connect_us,"
        " tls_us = excluded.tls_us, first_byte_us = excluded.first_byte_us, total_us = excluded.total_us,"
        f" expires_ms = IIF(excluded.outcome IN {_MET}, excluded.expires_ms, COALESCE(excluded.expires_ms, expires_ms)),"
        " measures = excluded.measures, edition = excluded.edition",
        [_row(number, look, edition) for number, look in looks.items()],
    )


def last_edition(tx: Transaction) -> int:
    """Return the highest number of an edition, 0 before the first."""
    row = tx.row("SELECT COALESCE(MAX(edition), 0) AS edition FROM newest")
    return 0 if row is None else int(row["edition"])


def newest(tx: Transaction, after: int) -> Edition:
    """Return the newest looks of watched checks that came in editions after this one."""
    rows = tx.rows(
        "SELECT newest.*, checks.server, checks.check_id, streaks.confirmed, streaks.state FROM newest"
        " JOIN checks ON checks.number = newest.check_number JOIN streaks ON streaks.check_number = newest.check_number"
        " WHERE newest.edition > ? AND checks.retired_ms IS NULL ORDER BY newest.check_number",
        (after,),
    )
    looks = tuple((_look(row), _health(row)) for row in rows)
    return Edition(number=max((int(row["edition"]) for row in rows), default=after), looks=looks)


def _row(number: int, look: Observation, edition: int) -> tuple[Value, ...]:
    measures = [(one.name, one.value, one.unit) for one in sound_measures(look.measures)]
    return (
        *hot_row(number, look),
        ms_of(look.tls_expires_at),
        json.dumps(measures) if measures else None,
        edition,
    )


def _look(row: Row) -> Observation:
    return Observation(
        check=CheckKey(ServerId(row["server"]), row["check_id"]),
        started_at=instant(int(row["started_ms"])),
        took_ms=row["took_us"] / 1000,
        outcome=outcome_of(row["outcome"]),
        cause=cause_of(row["cause"]),
        phases={phase: row[f"{phase}_us"] / 1000 for phase in PHASES if row[f"{phase}_us"] is not None},
        tls_expires_at=instant(row["expires_ms"]),
        measures=tuple(Measure(*one) for one in json.loads(row["measures"] or "[]")),
    )


def _health(row: Row) -> Health:
    return Health(
        check=CheckKey(ServerId(row["server"]), row["check_id"]),
        confirmed=State(row["confirmed"]),
        state=State(row["state"]),
    )
