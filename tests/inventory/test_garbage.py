"""Whatever the file holds, the answer is a configuration or a report: never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.inventory import Configuration, ConfigurationError, load, schema

EXAMPLE = Path(__file__).parents[2] / "config/examples/hosting.yaml"
ENVIRONMENT = {
    "HELPDESK_SECRET": "lo-que-nadie-sabe",
    "PANEL_TOKEN": "ficha",
    "VIGIA_OPS_URL": "json://ops.example.com",
}

varied = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def keys(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from part.get("properties", {})
        for inner in part.values():
            yield from keys(inner)
    if isinstance(part, list):
        for inner in part:
            yield from keys(inner)


KEYS = sorted(set(keys(schema())))
words = st.sampled_from(
    [
        *KEYS,
        "yes",
        "1h",
        "-5",
        "0",
        "1.5",
        "es",
        "en",
        "hosting",
        "gye1",
        "ping",
        "http",
        "http://x/",
        "192.0.2.1",
        "${X}",
        "file:x",
        "every day 02:00",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | words
plausible = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=40,
)  # fmt: skip
punctuation = st.text(st.sampled_from(list("[]{}:,-?&*!|>'\"%@`# \n\tab0\\$~<")), max_size=80)


def answer(path: Path, content: bytes) -> Configuration | str:
    path.write_bytes(content)
    try:
        return load(path, environment=ENVIRONMENT)
    except ConfigurationError as error:
        return error.report("en") + error.report("es")


@varied
@given(content=st.binary(max_size=300))
def test_any_bytes_give_an_answer(content: bytes, tmp_path: Path):
    assert answer(tmp_path / "servers.yaml", content)


@varied
@given(content=punctuation)
def test_any_punctuation_gives_an_answer(content: str, tmp_path: Path):
    assert answer(tmp_path / "servers.yaml", content.encode())


@varied
@given(content=st.dictionaries(st.sampled_from(sorted(schema()["properties"])), plausible, max_size=8))
def test_any_tree_of_known_words_gives_an_answer(content: dict[str, object], tmp_path: Path):
    assert answer(tmp_path / "servers.yaml", yaml.safe_dump(content).encode())


@varied
@given(data=st.data())
def test_a_good_file_with_one_value_exchanged_gives_an_answer(data: st.DataObject, tmp_path: Path):
    tree = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8").replace("*panel-server", "[ping]"))
    here, step = tree, data.draw(st.sampled_from(sorted(tree)))
    while isinstance(here[step], dict | list) and here[step] and data.draw(st.booleans()):
        here = here[step]
        step = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
    here[step] = data.draw(plausible)
    assert answer(tmp_path / "servers.yaml", yaml.safe_dump(tree).encode())


@varied
@given(data=st.data())
def test_a_good_file_with_a_piece_cut_out_gives_an_answer(data: st.DataObject, tmp_path: Path):
    content = EXAMPLE.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(1, 200))
    assert answer(tmp_path / "servers.yaml", content[:start] + content[start + length :])


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_read(ending: str, tmp_path: Path):
    content = EXAMPLE.read_bytes().replace(b"\n", ending.encode())
    assert isinstance(answer(tmp_path / "servers.yaml", content), Configuration)


def test_a_byte_order_mark_is_read_over(tmp_path: Path):
    assert isinstance(
        answer(tmp_path / "servers.yaml", b"\xef\xbb\xbf" + EXAMPLE.read_bytes()), Configuration
    )
