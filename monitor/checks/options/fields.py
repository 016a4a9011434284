"""What the figures that a server tells of itself are held to, field by field: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.checks.options.bounds import Bounds, Scalar, number_of
from monitor.language.refusals import RefusalError
from monitor.observation import MEASURE_NAME, MEASURES_LIMIT, Measure

# What is quoted of a value in one line of fact.
_QUOTED = 80


def _named(fields: dict[str, Scalar | Bounds]) -> dict[str, Scalar | Bounds]:
    if any(not name for name in fields):
        raise RefusalError("options.field.name")
    return fields


def _read(value: object) -> object:
    """Return the bounds that a mapping stands for, so that what is wrong with one is said of bounds alone."""
    return Bounds.model_validate(value) if isinstance(value, dict) else value


Wanted = Annotated[Scalar | Bounds, BeforeValidator(_read)]
Fields = Annotated[dict[str, Wanted], Field(max_length=MEASURES_LIMIT), AfterValidator(_named)]
"""What each field must be: a text, a number, true or false, or within `min` and `max`."""


def judge_fields(told: Mapping[str, str], expected: Mapping[str, Scalar | Bounds]) -> str | None:
    """Return in words what is wrong with the first field that is not as expected, None when all are."""
    for name, wanted in expected.items():
        value = told.get(name)
        if value is None:
            return f"it tells nothing of {name[:_QUOTED]}"
        if wrong := _breach(value, wanted):
            return f"{name[:_QUOTED]} is {wrong}"
    return None


def measures_of(told: Mapping[str, str], expected: Mapping[str, Scalar | Bounds]) -> tuple[Measure, ...]:
    """Return the expected fields that are numbers as measures, those that have a name for one."""
    numbers = {
        name.lower(): number_of(told[name])
        for name in expected
        if name in told and re.fullmatch(MEASURE_NAME, name.lower())
    }
    return tuple(Measure(name, number) for name, number in numbers.items() if number is not None)


def _breach(value: str, wanted: Scalar | Bounds) -> str | None:
    if isinstance(wanted, Bounds):
        number = number_of(value)
        return f"no number: {value[:_QUOTED]!r}" if number is None else wanted.breach(number)
    if isinstance(wanted, bool):
        fine = value.lower() in (("yes", "true", "1", "on") if wanted else ("no", "false", "0", "off"))
    elif isinstance(wanted, int | float):
        fine = number_of(value) == wanted
    else:
        fine = value == wanted
    return None if fine else f"{value[:_QUOTED]}, expected {str(wanted)[:_QUOTED]}"
