from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.inventory.document import UnreadableError, read_document
from monitor.inventory.faults import Place, place_of
from monitor.inventory.scalars import resolve


def test_a_value_stands_where_it_begins_and_a_key_where_it_begins():
    marks = read_document("site:\n  name: Nodored\ngroups:\n  - {id: hosting}\n").marks
    assert place_of(marks, ("site", "name")) == Place(2, 9)
    assert place_of(marks, ("site", "name"), at_key=True) == Place(2, 3)
    assert place_of(marks, ("groups", 0, "id")) == Place(4, 10)


def test_what_the_file_does_not_hold_stands_where_its_nearest_ancestor_does():
    marks = read_document("servers:\n  - id: gye1\n").marks
    assert place_of(marks, ("servers", 0, "host", "name")) == Place(2, 5)
    assert place_of(marks, ("windows", 3)) == Place(1, 1)


def test_columns_count_letters_not_bytes():
    assert place_of(read_document("{año: {ñandú: x}}").marks, ("año", "ñandú")) == Place(1, 15)


def test_an_alias_is_the_value_of_its_anchor_and_its_faults_stand_there():
    document = read_document("a: &a [x, y]\nb: *a\n")
    assert document.value == {"a": ["x", "y"], "b": ["x", "y"]}
    assert place_of(document.marks, ("b", 1)) == Place(1, 11)


def test_keys_are_texts_whatever_they_look_like():
    assert read_document("1: a\nno: b\ntrue: c\n").value == {"1": "a", "no": "b", "true": "c"}


def test_quotes_make_a_text_of_anything():
    assert read_document("['22', \"true\", 'null']").value == ["22", "true", "null"]


def test_every_fault_until_the_reading_stops_is_told():
    with pytest.raises(UnreadableError) as caught:
        read_document("site: {name: a, name: b}\nx: !y z\nw: [\n")
    assert [finding.said.key.rpartition(".")[2] for finding in caught.value.findings[:2]] == [
        "duplicate_key",
        "tag",
    ]
    assert len(caught.value.findings) == 3


def test_of_equal_keys_the_first_counts():
    document = read_document("a: 1\na: {b: 2}\n")
    assert document.value == {"a": 1}
    assert place_of(document.marks, ("a",)) == Place(1, 4)


# The parser takes no surrogate pairs, which is how JSON escapes what lies beyond, and ends lines at old separators.
letters = st.characters(
    max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"
)
texts = st.text(letters, max_size=20)
# PyYAML writes for YAML 1.1, where `0E0` is a text and needs no quotes; we read 1.2, where it is a number.
plain_texts = texts.filter(lambda word: not word or isinstance(resolve(word), str))


def values(words: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | words,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=5),
        max_leaves=20,
    )


@given(values(texts))
def test_what_json_writes_is_read_back(value):
    """Every JSON document is a YAML 1.2 document."""
    assert read_document(json.dumps(value)).value == value


@given(values(plain_texts))
def test_what_yaml_writes_is_read_back(value):
    written = yaml.safe_dump(value, allow_unicode=True)
    assert read_document(written).value == value
