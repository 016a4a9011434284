"""Durations as people write them in the configuration: `500ms`, `15s`, `5m`, `2h`, `14d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from monitor.language.refusals import RefusalError

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
    """Return the length that `text` writes; anything that is no duration raises RefusalError."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise RefusalError("configuration.duration.form", found=text)
    return int(written[1]) * _UNITS[written[2]]


def format_duration(length: timedelta) -> str:
    """Return `length` in the largest unit that holds it whole, so that `parse_duration` gives it back to the millisecond."""
    for unit, size in _UNITS.items():
        if length % size == timedelta(0) and (length or unit == "s"):
            return f"{length // size}{unit}"
    return f"{round(length / _UNITS['ms'])}ms"


def read_duration(value: object) -> timedelta:
    """Return the length that a value of the configuration stands for; anything that is no duration raises RefusalError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise RefusalError("configuration.duration.unit", number=value)
    raise RefusalError("configuration.duration.form", found=value)


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise RefusalError("options.duration.positive", found=format_duration(length))
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$", "examples": ["15s", "5m", "2h", "14d"]}
    ),
]

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


def at_most(longest: timedelta) -> AfterValidator:
    """Return what refuses a duration longer than `longest`."""

    def bounded(length: timedelta) -> timedelta:
        if length > longest:
            raise RefusalError(
                "options.duration.most", found=format_duration(length), most=format_duration(longest)
            )
        return length

    return AfterValidator(bounded)
