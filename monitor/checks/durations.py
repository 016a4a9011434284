"""Durations as people write them in the configuration: `500ms`, `15s`, `5m`, `2h`, `14d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

# Nine digits of days are 2.7 million years: more is a slip of the hand, and timedelta could not hold it.
_WRITTEN = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def parse_duration(text: str) -> timedelta:
    """Return the length that `text` writes; anything that is no duration raises ValueError with a sentence that helps."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError(
            f"{text[:40]!r} is not a duration: write a whole number and its unit, such as 15s, 5m, 2h or 14d"
        )
    return int(written[1]) * _UNITS[written[2]]


def format_duration(length: timedelta) -> str:
    """Return `length` in the largest unit that holds it whole, so that `parse_duration` gives it back to the millisecond."""
    for unit, size in _UNITS.items():
        if length % size == timedelta(0) and (length or unit == "s"):
            return f"{length // size}{unit}"
    return f"{round(length / _UNITS['ms'])}ms"


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit: write {value}s, {value}m, {value}h or {value}d")  # noqa: TRY004 - pydantic reports ValueError only
    raise ValueError("a duration is text such as 15s, 5m, 2h or 14d")


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("a time that bounds something is longer than nothing: write 1s or more")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$", "examples": ["15s", "5m", "2h", "14d"]}
    ),
]

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
