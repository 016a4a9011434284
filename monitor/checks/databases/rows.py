"""What the rows of a query are held to: pure, so that every judgement is tested without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from monitor.checks.contract import Options, Verdict
from monitor.checks.options.bounds import Bounds, Figure, Scalar, number_of
from monitor.checks.options.patterns import Pattern, found_in
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Measure, Outcome

# What is quoted of a value or a name in one line of fact.
_QUOTED = 80
_WORDS = {"t": "true", "f": "false", "1": "true", "0": "false"}


class RowsExpectation(Options):
    """What the answer to a query is held to. Where several are named, all must hold."""

    column: str | None = Field(
        default=None, min_length=1, description="The column that is looked at; the first if left out."
    )
    equals: Scalar | None = Field(
        default=None, description="What its value in the first row must be; numbers are compared as numbers."
    )
    matches: Pattern | None = Field(
        default=None, description="A pattern (RE2) that must be found in its value."
    )
    min: Figure | None = Field(
        default=None, description="Its value must be a number, and not less than this."
    )
    max: Figure | None = Field(
        default=None, description="Its value must be a number, and not more than this."
    )
    rows: Bounds | None = Field(default=None, description="How many rows there must be: min, max or both.")

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if not self.model_fields_set - {"column"}:
            raise RefusalError("options.rows")
        # Says what is wrong with the two bounds.
        _ = self.bounds
        return self

    @property
    def bounds(self) -> Bounds | None:
        """What its value is held to as a number."""
        return None if self.min is None and self.max is None else Bounds(min=self.min, max=self.max)

    @property
    def wants_value(self) -> bool:
        """Is there more to it than how many rows there are?"""
        return self.equals is not None or self.matches is not None or self.bounds is not None


@dataclass(frozen=True, slots=True)
class Rows:
    """What came back: the names of the columns, the first row as text (None is NULL), and how many rows there were."""

    columns: tuple[str, ...]
    first: tuple[str | None, ...] | None
    count: int

    def at(self, column: str | None) -> int:
        """Return where a column stands; the first one is meant by None. One that is not there raises ValueError."""
        if column is None and self.columns:
            return 0
        names = [name.casefold() for name in self.columns]
        if column is None or column.casefold() not in names:
            raise ValueError(f"no column {(column or '1')[:_QUOTED]!r} in the answer")
        return names.index(column.casefold())


def gathered(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Rows:
    """Return what is kept of an answer, its values as text."""
    first, count = None, 0
    for row in rows:
        count += 1
        first = first or tuple(map(_as_text, row))
    return Rows(tuple(columns), first, count)


def judge_rows(rows: Rows, expect: RowsExpectation | None, warn: Bounds | None) -> Verdict | None:
    """Return what is wrong with an answer, the worst first, or None when it is as expected.

    `warn` bounds the same value as `expect`, more closely.
    """
    column = None if expect is None else expect.column
    if expect is not None and (wrong := _count_fault(rows, expect) or _value_fault(rows, expect)):
        return Verdict(Outcome.DOWN, Cause.CONTENT, wrong)
    if warn is not None and (wrong := _bounds_fault(rows, column, warn)):
        return Verdict(Outcome.WARN, Cause.CONTENT, wrong)
    return None


def measures_of(rows: Rows, column: str | None) -> tuple[Measure, ...]:
    """Return the value that is looked at as a measure, if it is a number."""
    try:
        number = number_of(_value(rows, column) or "")
    except ValueError:
        return ()
    return () if number is None else (Measure("value", number),)


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


def _count_fault(rows: Rows, expect: RowsExpectation) -> str | None:
    wrong = None if expect.rows is None else expect.rows.breach(rows.count)
    return None if wrong is None else f"rows: {wrong}"


def _value_fault(rows: Rows, expect: RowsExpectation) -> str | None:
    if not expect.wants_value:
        return None
    try:
        value = _value(rows, expect.column)
    except ValueError as error:
        return str(error)
    if expect.equals is not None and not _equals(value, expect.equals):
        return f"{_shown(value)}, expected {_shown(_written(expect.equals))}"
    if expect.matches is not None and (value is None or not found_in(expect.matches, value)):
        return f"{_shown(value)} does not match {expect.matches[:_QUOTED]!r}"
    return None if expect.bounds is None else _bounds_fault(rows, expect.column, expect.bounds)


def _bounds_fault(rows: Rows, column: str | None, bounds: Bounds) -> str | None:
    try:
        value = _value(rows, column)
    except ValueError as error:
        return str(error)
    number = None if value is None else number_of(value)
    return f"{_shown(value)} is no number" if number is None else bounds.breach(number)


def _value(rows: Rows, column: str | None) -> str | None:
    if rows.first is None:
        raise ValueError("no row in the answer")
    return rows.first[rows.at(column)]


def _equals(value: str | None, expected: Scalar) -> bool:
    if value is None:
        return False
    if isinstance(expected, bool):
        return _WORDS.get(value.lower(), value.lower()) == _written(expected)
    if isinstance(expected, int | float):
        return number_of(value) == expected
    return value == expected


def _written(expected: Scalar) -> str:
    return str(expected).lower() if isinstance(expected, bool) else str(expected)


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(value[:_QUOTED])
