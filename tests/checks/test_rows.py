"""What an answer to a query is held to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.checks.databases.rows import RowsExpectation, gathered, judge_rows, measures_of, number_of
from monitor.checks.options.bounds import Bounds
from monitor.observation import Cause, Measure, Outcome

COLUMNS = ("name", "Lag", "fine")
ROWS = (("gye1", 3, b"t"), ("uio1", None, b"f"))


def wrong(expect: dict[str, Any], rows: tuple[tuple[object, ...], ...] = ROWS) -> str:
    verdict = judge_rows(gathered(COLUMNS, rows), RowsExpectation.model_validate(expect), None)
    if verdict is None:
        return ""
    assert (verdict.outcome, verdict.cause) == (Outcome.DOWN, Cause.CONTENT)
    return verdict.found


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"equals": "gye1"}, ""),
        ({"equals": "gye2"}, "'gye1', expected 'gye2'"),
        ({"column": "lag", "equals": 3}, ""),
        ({"column": "lag", "equals": 3.0}, ""),
        ({"column": "lag", "equals": "3"}, ""),
        ({"column": "lag", "equals": 4}, "'3', expected '4'"),
        ({"column": "fine", "equals": True}, ""),
        ({"column": "fine", "equals": False}, "'t', expected 'false'"),
        ({"column": "LAG", "max": 3, "min": 3}, ""),
        ({"column": "lag", "min": 3.5}, "3, expected at least 3.5"),
        ({"column": "lag", "max": 2}, "3, expected at most 2"),
        ({"min": 1}, "'gye1' is no number"),
        ({"matches": "^gye[0-9]$"}, ""),
        ({"matches": "uio"}, "'gye1' does not match 'uio'"),
        ({"column": "absent", "equals": 1}, "no column 'absent' in the answer"),
        ({"rows": {"min": 2, "max": 2}}, ""),
        ({"rows": {"max": 1}}, "rows: 2, expected at most 1"),
        ({"rows": {"min": 3}, "equals": "x"}, "rows: 2, expected at least 3"),
    ],
)
def test_an_answer_is_judged(expect: dict[str, Any], said: str) -> None:
    assert wrong(expect) == said


def test_null_is_no_value() -> None:
    nothing = ((None, None, None),)
    assert wrong({"max": 60}, nothing) == "NULL is no number"
    assert wrong({"equals": ""}, nothing) == "NULL, expected ''"
    assert wrong({"matches": "."}, nothing) == "NULL does not match '.'"


def test_no_row_is_a_fault_only_where_a_value_is_wanted() -> None:
    assert wrong({"equals": 1}, ()) == "no row in the answer"
    assert wrong({"rows": {"max": 0}}, ()) == ""


def test_warn_looks_at_the_value_that_is_expected() -> None:
    rows = gathered(COLUMNS, ROWS)
    verdict = judge_rows(rows, RowsExpectation(column="lag", max=10), Bounds(max=2))
    assert verdict is not None
    assert (verdict.outcome, verdict.found) == (Outcome.WARN, "3, expected at most 2")
    assert judge_rows(rows, RowsExpectation(column="lag", max=10), Bounds(max=5)) is None
    assert judge_rows(gathered(("n",), [(7,)]), None, Bounds(min=8)) is not None


def test_a_number_is_a_measure() -> None:
    rows = gathered(COLUMNS, ROWS)
    assert measures_of(rows, "lag") == (Measure("value", 3.0),)
    assert measures_of(rows, None) == ()
    assert measures_of(rows, "absent") == ()
    assert measures_of(gathered((), ()), None) == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3.0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1_000", None),
        (" 3", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("٣", None),
        ("0x10", None),
        ("", None),
    ],
)
def test_only_what_databases_write_is_a_number(text: str, number: float | None) -> None:
    assert number_of(text) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_back(number: float) -> None:
    assert number_of(repr(number)) == number


@pytest.mark.parametrize(
    "given_", [{}, {"column": "a"}, {"min": 2, "max": 1}, {"min": float("nan")}, {"rows": {}}, {"rows": 3}]
)
def test_what_expects_nothing_or_the_impossible_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RowsExpectation.model_validate(given_)
