from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.inventory.scalars import resolve


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO", "y", "n", "tRUE"])
def test_words_of_yaml_1_1_are_texts(word):
    assert resolve(word) == word


@pytest.mark.parametrize(
    "word", ["22:22", "1:30:00", "2026-12-01", "1_000", "0b11", ".inf", "-.INF", ".nan", "1e999"]
)
def test_what_yaml_1_2_does_not_count_as_a_number_stays_a_text(word):
    assert resolve(word) == word


@pytest.mark.parametrize(
    ("word", "value"),
    [("0", 0), ("-12", -12), ("+7", 7), ("010", 10), ("0o17", 15), ("0xff", 255), ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("-2e3", -2000.0)],
)  # fmt: skip
def test_numbers_are_those_of_the_core_schema(word, value):
    assert resolve(word) == value
    assert type(resolve(word)) is type(value)


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_nothing_has_five_spellings(word):
    assert resolve(word) is None


@pytest.mark.parametrize(("word", "value"), [("true", True), ("True", True), ("FALSE", False)])
def test_booleans_are_true_and_false(word, value):
    assert resolve(word) is value


def test_a_number_too_long_to_be_meant_stays_a_text():
    assert resolve("9" * 5000) == "9" * 5000


@given(st.text())
def test_any_word_resolves_to_something_that_json_can_hold(word):
    assert json.loads(json.dumps(resolve(word), allow_nan=False)) == resolve(word)


@given(st.one_of(st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_that_was_written_is_read_back(number):
    written = yaml.safe_dump(number).removesuffix("\n...\n").strip()
    assert resolve(written) == number
