"""How values stand in columns: instants as milliseconds, closed words of hot tables as small numbers, maps as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import overload

from monitor.identifiers import milliseconds
from monitor.observation import Cause, Outcome

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Numbers in millions of rows: a word may be added with a number of its own, none may ever change.
OUTCOME_NUMBERS: Mapping[Outcome, int] = {
    Outcome.OK: 0,
    Outcome.WARN: 1,
    Outcome.DOWN: 2,
    Outcome.UNKNOWN: 3,
}
CAUSE_NUMBERS: Mapping[Cause, int] = {
    Cause.NAME: 1,
    Cause.REFUSED: 2,
    Cause.RESET: 3,
    Cause.UNREACHABLE: 4,
    Cause.TIMEOUT_NAME: 5,
    Cause.TIMEOUT_CONNECT: 6,
    Cause.TIMEOUT_TLS: 7,
    Cause.TIMEOUT_FIRST_BYTE: 8,
    Cause.TIMEOUT_TOTAL: 9,
    Cause.CERTIFICATE_EXPIRED: 10,
    Cause.CERTIFICATE_HOST: 11,
    Cause.CERTIFICATE_ISSUER: 12,
    Cause.CERTIFICATE_ENDING: 13,
    Cause.STATUS: 14,
    Cause.CONTENT: 15,
    Cause.PROTOCOL: 16,
    Cause.SLOW: 17,
    Cause.LOSS: 18,
    Cause.CAPACITY: 19,
    Cause.RIGHTS: 20,
    Cause.OWN: 21,
    Cause.LOGIN: 22,
    Cause.OVERDUE: 23,
    Cause.LISTED: 24,
    Cause.DOMAIN_ENDING: 25,
    Cause.HOST_KEY: 26,
    Cause.DNSSEC: 27,
    Cause.ISOLATED: 28,
    Cause.RESOLVER: 29,
}
_OUTCOMES = {number: outcome for outcome, number in OUTCOME_NUMBERS.items()}
_CAUSES = {number: cause for cause, number in CAUSE_NUMBERS.items()}


def outcome_of(number: int) -> Outcome:
    """Return the outcome that a number stands for."""
    return _OUTCOMES[number]


def cause_of(number: int | None) -> Cause | None:
    """Return the cause that a number stands for."""
    return None if number is None else _CAUSES[number]


def cause_number(cause: Cause | None) -> int | None:
    """Return the number that stands for a cause."""
    return None if cause is None else CAUSE_NUMBERS[cause]


@overload
def instant(ms: int) -> datetime: ...
@overload
def instant(ms: int | None) -> datetime | None: ...
def instant(ms: int | None) -> datetime | None:
    """Return the instant of a `*_ms` column, aware, in UTC."""
    return None if ms is None else _EPOCH + timedelta(milliseconds=ms)


def ms_of(moment: datetime | None) -> int | None:
    """Return an instant for a `*_ms` column that may be empty."""
    return None if moment is None else milliseconds(moment)


def microseconds(took_ms: float) -> int:
    """Return a duration for a `*_us` column."""
    return round(took_ms * 1000)


def to_json(value: Mapping[str, object]) -> str:
    """Return a map as compact JSON in its own order."""
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))


def texts(column: str) -> Mapping[str, str]:
    """Return the text of each language."""
    return {str(language): str(text) for language, text in json.loads(column).items()}
