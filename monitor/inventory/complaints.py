"""From pydantic's errors to sentences of ours, each at its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.inventory.faults import ENOUGH, Finding, Path
from monitor.inventory.fields import CHECK_NAME, COUNTRY, IDENTIFIER, WEEKDAYS
from monitor.inventory.references import refers
from monitor.inventory.scalars import YAML_1_1_BOOLEANS
from monitor.inventory.shapes import is_secret, keys_of
from monitor.language.phrases import (
    Phrase,
    Plain,
    found,
    listed,
    nearest,
    one_line,
    phrase,
    quoted,
    without_userinfo,
)
from monitor.language.refusals import RefusalError

_LONGEST_REASON = 240
_ALLOWED_WORD = re.compile(r"'([^']*)'")
# pydantic's mark that an error is about a key of a mapping and not about its value.
_KEY = "[key]"

_TYPES = {
    "string_type": "expected.text",
    "int_type": "expected.whole_number",
    "int_from_float": "expected.whole_number",
    "float_type": "expected.number",
    "int_parsing": "expected.whole_number",
    "float_parsing": "expected.number",
    "finite_number": "expected.number",
    "bool_type": "expected.boolean",
    "list_type": "expected.list",
    "tuple_type": "expected.list",
    "dict_type": "expected.mapping",
    "mapping_type": "expected.mapping",
    "model_type": "expected.mapping",
    "model_attributes_type": "expected.mapping",
}
_BOUNDS = {
    "greater_than": ("expected.more_than", "gt"),
    "greater_than_equal": ("expected.at_least", "ge"),
    "less_than": ("expected.less_than", "lt"),
    "less_than_equal": ("expected.at_most", "le"),
    "string_too_short": ("expected.longer_text", "min_length"),
    "string_too_long": ("expected.shorter_text", "max_length"),
    "too_short": ("expected.more_items", "min_length"),
    "too_long": ("expected.fewer_items", "max_length"),
    "string_pattern_mismatch": ("expected.pattern", "pattern"),
}
_NOT_EMPTY = {"string_too_short": "expected.some_text", "too_short": "expected.some_items"}
# Patterns of ours have names: nobody wants to read a regular expression at night.
_PATTERNS = {
    IDENTIFIER: "expected.identifier",
    CHECK_NAME: "expected.check_name",
    WEEKDAYS: "expected.weekdays",
    COUNTRY: "expected.country",
    "^/": "expected.absolute_path",
    r"^[^\x00]*$": "expected.text_without_nul",
    r"^[a-z][a-z0-9_]{0,30}$": "expected.capture_name",
}
# What pydantic says of a value that is none of several simple ones.
_NO_SCALAR = frozenset({"bool_type", "string_type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of the file that was validated.

    `written` is what stands in the file at `base`, references unfilled: only that is ever quoted. `filled` tells whether
    references were filled before the validation. `also` are keys that the mapping at `base` takes beside those of `model`.
    """

    model: type[BaseModel]
    written: Plain
    base: Path = ()
    also: frozenset[str] = frozenset()
    filled: bool = True


def complaints(error: ValidationError, part: Part) -> Iterator[Finding]:
    """Say what pydantic found in a part of the file, as far as it will be shown; of several about one place the first counts."""
    details = error.errors(include_url=False)[:ENOUGH]
    yield from _no_scalars(details, part)
    yield from (_finding(detail, part) for detail in details if not _of_its_items(detail))


def unknown_key(key: str, allowed: frozenset[str]) -> Phrase:
    """Say that there is no such key, which ones there are, and which one was most likely meant."""
    if key == "<<":
        return phrase("yaml.merge_key")
    near = nearest(key, allowed)
    if near:
        return phrase("unknown_key.near", nearest=near, allowed=listed(sorted(allowed)))
    return phrase("unknown_key.far", allowed=listed(sorted(allowed)))


def wrong_word(value: Plain, allowed: tuple[str, ...]) -> Phrase:
    """Say that a value is none of the words allowed, and which one was most likely meant."""
    near = nearest(value, allowed) if isinstance(value, str) else None
    if near:
        return phrase("wrong_word.near", found=found(value), nearest=near, allowed=listed(allowed))
    return phrase("wrong_word.far", found=found(value), allowed=listed(allowed))


def wrong(value: Plain, expected: Phrase) -> Phrase:
    """Say what was found and what belongs there."""
    return phrase("wrong", found=found(value), expected=expected)


def refused(error: ValueError) -> Phrase:
    """Return why somebody else refused a value: a sentence of ours, or his own."""
    return error.said if isinstance(error, RefusalError) else phrase("said", reason=_reason(str(error)))


def _reason(sentence: str) -> str:
    """Return a sentence that somebody else wrote, on one line, no longer than it is worth, without user and password."""
    said = one_line(without_userinfo(sentence.removeprefix("Value error, ")))
    return said if len(said) <= _LONGEST_REASON else said[: _LONGEST_REASON - 1] + "…"


def _of_its_items(detail: ErrorDetails) -> bool:
    """Is a list called too short only because its items are wrong, which is said of each?"""
    given = detail["input"]
    return (
        detail["type"] == "too_short"
        and isinstance(given, list)
        and len(given) >= detail["ctx"]["min_length"]
    )


def _no_scalars(details: list[ErrorDetails], part: Part) -> Iterator[Finding]:
    """Say of a value that might be a text, a number, true or false, and is none of them, what it might be."""
    kinds: dict[Path, set[str]] = {}
    for detail in details:
        kinds.setdefault(_reach(part.written, detail["loc"])[0], set()).add(detail["type"])
    for path, said in kinds.items():
        if said >= _NO_SCALAR:
            value = _reach(part.written, path)[1]
            shown = _hidden(value, path, part) or found(value)
            key = "expected.scalar_or_mapping" if "model_type" in said else "expected.scalar"
            yield Finding(path=(*part.base, *path), said=phrase("wrong", found=shown, expected=phrase(key)))


def _finding(detail: ErrorDetails, part: Part) -> Finding:
    steps = tuple(step for step in detail["loc"] if step != _KEY)
    if detail["type"] == "extra_forbidden":
        allowed = keys_of(part.model, steps[:-1]) | (frozenset() if steps[:-1] else part.also)
        said = unknown_key(str(steps[-1]), allowed)
        return Finding(path=(*part.base, *steps), said=said, at_key=True)
    if _KEY in detail["loc"]:
        return Finding(path=(*part.base, *steps), said=_key_said(detail, str(steps[-1])), at_key=True)
    path, value = _reach(part.written, steps)
    if detail["type"] == "missing":
        return Finding(path=(*part.base, *steps), said=phrase("missing"))
    return Finding(path=(*part.base, *path), said=_said(detail, value, path, part))


def _key_said(detail: ErrorDetails, key: str) -> Phrase:
    expected = _expected(detail, key)
    return wrong(key, expected) if expected else unknown_key(key, frozenset(_allowed_words(detail)))


def _reach(written: Plain, steps: Path) -> tuple[Path, Plain]:
    """Return how far a path leads into what was written, and what stands there.

    Behind a scalar nothing follows: pydantic names the branches of a union there, and the option that a short form
    stands for. Into a mapping one step more is taken, to a key that has been filled in for the file.
    """
    here = written
    for depth, step in enumerate(steps):
        if isinstance(here, dict) and isinstance(step, str):
            if step not in here:
                return steps[: depth + 1], None
            here = here[step]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return steps[:depth], here
    return steps, here


def _said(detail: ErrorDetails, value: Plain, path: Path, part: Part) -> Phrase:
    kind, context = detail["type"], detail.get("ctx", {})
    if shown := _hidden(value, path, part):
        return _said_without(shown, detail, value)
    if kind in ("literal_error", "enum"):
        return wrong_word(value, _allowed_words(detail))
    if isinstance(refusal := context.get("error"), RefusalError):
        return refusal.said
    if kind == "bool_type" and isinstance(value, str) and value.lower() in YAML_1_1_BOOLEANS:
        return phrase("yaml_1_1_boolean", found=found(value))
    expected = _expected(detail, value)
    return wrong(value, expected) if expected else _others_words(detail, value)


def _hidden(value: Plain, path: Path, part: Part) -> Phrase | None:
    """Return what is shown instead of a value that is secret or was filled in; None where it may be quoted."""
    if is_secret(part.model, path):
        return phrase("found.secret")
    return _outline(value) if part.filled and refers(value) else None


def _said_without(shown: Phrase, detail: ErrorDetails, value: Plain) -> Phrase:
    """Say what is wrong with a value that must not be shown, not even by a sentence that was made from it."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("literal_error", "enum"):
        return phrase("wrong_word.far", found=shown, allowed=listed(_allowed_words(detail)))
    if isinstance(refusal := context.get("error"), RefusalError):
        return refusal.said_of(shown) or phrase("refused", found=shown)
    expected = _expected(detail, value)
    return phrase("wrong", found=shown, expected=expected) if expected else phrase("refused", found=shown)


def _outline(value: Plain) -> Phrase:
    if isinstance(value, str):
        return phrase("found.filled", written=quoted(value))
    return phrase("found.filled_below")


def _expected(detail: ErrorDetails, value: Plain) -> Phrase | None:
    kind = detail["type"]
    if kind == "string_type" and isinstance(value, bool | int | float):
        return phrase("expected.text_in_quotes")
    if kind in ("too_short", "too_long") and isinstance(value, str):
        kind = f"string_{kind}"
    if kind in _TYPES:
        return phrase(_TYPES[kind])
    if kind not in _BOUNDS:
        return None
    key, bound = _BOUNDS[kind]
    limit = detail.get("ctx", {}).get(bound, "")
    if limit == 1 and kind in _NOT_EMPTY:
        return phrase(_NOT_EMPTY[kind])
    written = f"{limit:g}" if isinstance(limit, float) else str(limit)
    return phrase(_PATTERNS.get(written, key), limit=written)


def _others_words(detail: ErrorDetails, value: Plain) -> Phrase:
    """A kind of check or helpdesk has its own sentence; what it does not quote by itself is added."""
    said = _reason(detail["msg"])
    if value is None or (isinstance(value, str) and value[:40] in said) or str(value) in said:
        return phrase("said", reason=said)
    return phrase("said_of", reason=said, found=found(value))


def _allowed_words(detail: ErrorDetails) -> tuple[str, ...]:
    return tuple(_ALLOWED_WORD.findall(str(detail.get("ctx", {}).get("expected", ""))))
