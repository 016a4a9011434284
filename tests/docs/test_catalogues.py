"""Every text exists in every language, and every key that is asked for exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from monitor.checks import KINDS
from monitor.language import LANGUAGES
from monitor.language.catalogue import messages
from tests.docs.reading import ROOT

CATALOGUES = ROOT / "monitor/language/catalogues"
FILES = sorted({path.name for path in CATALOGUES.rglob("*.po")})
KEY = re.compile(r"[a-z_]+(\.[a-z0-9_]+)+")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
ANY = "*"
# One moment in two grammatical forms ("desde las 10:42", "at 10:42"): both are always handed in.
SAME_FACT = {"since": "at"}


def sources() -> Iterator[Path]:
    for folder in ("monitor", "web"):
        yield from (ROOT / folder).rglob("*.py")


def templates() -> Iterator[Path]:
    yield from (ROOT / "web/templates").rglob("*.html")


def asked_for() -> Iterator[tuple[str, str]]:
    """Every key handed to a function that gives a text, with its place; `*` stands for what is filled in at run time."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and node.args
                and _name(node.func) in {"text", "in_every_language", "say", "RefusalError"}
            ):
                for key in _keys(node.args[0]):
                    yield key, f"{path.relative_to(ROOT)}:{node.lineno}"
    for path in templates():
        for found in re.findall(r"""\bsay\(\s*["']([^"']+)["']\s*(~?)""", path.read_text()):
            yield found[0] + (ANY if found[1] else ""), str(path.relative_to(ROOT))


def mentioned() -> Iterator[str]:
    """Every string in the program that could be a key, wherever it stands."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            yield from _keys(node)
    for path in templates():
        for found in re.findall(r"""["']([a-z_.]+)["']\s*(~?)""", path.read_text()):
            yield found[0] + (ANY if found[1] else "")


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _keys(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else ANY for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_keys(node.body), *_keys(node.orelse)]
    return []


def matches(pattern: str, key: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(re.escape(ANY), ".+"), key) is not None


def placeholders(language: str, name: str) -> dict[str, set[str]]:
    """The placeholders of every text of one file, all plural forms together."""
    with (CATALOGUES / language / name).open("rb") as stream:
        catalogue = read_po(stream, locale=language)
    found = {}
    for message in catalogue:
        if message.id:
            key = message.id[0] if isinstance(message.id, list | tuple) else message.id
            texts = [message.string] if isinstance(message.string, str) else list(message.string)
            assert all(texts), f"{language}/{name}: {key} has no text"
            named = {name for text in texts for name in PLACEHOLDER.findall(text)}
            found[key] = {SAME_FACT.get(name, name) for name in named}
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_language_has_the_same_texts_with_the_same_placeholders(name):
    first, *others = (placeholders(language, name) for language in LANGUAGES)
    for other in others:
        assert other == first


@pytest.mark.parametrize("name", FILES)
def test_no_text_is_marked_as_unsure(name):
    for language in LANGUAGES:
        assert "#, fuzzy" not in (CATALOGUES / language / name).read_text()


def test_every_key_that_is_asked_for_exists():
    known = set(messages(LANGUAGES[0]))
    missing = {
        f"{place}: {key}"
        for key, place in asked_for()
        if KEY.match(key) and not any(matches(key, each) for each in known)
    }
    assert missing == set()


def test_every_kind_of_check_has_a_name_for_people():
    assert {f"check.kind.{kind}" for kind in KINDS} - set(messages(LANGUAGES[0])) == set()


def test_no_text_is_left_over():
    """A text that nothing can ask for misleads whoever translates."""
    patterns = {
        key for key in mentioned() if re.fullmatch(r"[a-z0-9_.*]+", key) and "." in key and key != ANY
    }
    whole = {key for key in patterns if ANY not in key} | {f"check.kind.{kind}" for kind in KINDS}
    open_ended = [key for key in patterns - whole if key.strip("*.")]
    left = {
        key
        for key in messages(LANGUAGES[0])
        if key not in whole and not any(matches(each, key) for each in open_ended)
    }
    assert left == set()
