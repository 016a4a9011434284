"""Patterns out of the configuration, on RE2: how long they take grows with the text alone, whatever was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

import re2  # type: ignore[import-untyped]
from pydantic import AfterValidator, Field

from monitor.language.phrases import Phrase
from monitor.language.refusals import RefusalError

PATTERN_LIMIT = 512
TEXT_LIMIT = 64 * 1024
# A pattern whose program needs more is too slow where the text is hostile; a table of states may take as much as makes it fast.
_LARGEST = 128 * 1024
_ROOM = 2 * 1024 * 1024
# What RE2 says, and our sentence for it; a part of the pattern may follow after a colon.
_REASONS: Mapping[str, str] = {
    "missing )": "options.pattern.parenthesis",
    "unexpected )": "options.pattern.closing",
    "missing ]": "options.pattern.bracket",
    "invalid escape sequence": "options.pattern.escape",
    "trailing \\": "options.pattern.backslash",
    "invalid character class": "options.pattern.range",
    "invalid character class range": "options.pattern.range",
    "no argument for repetition operator": "options.pattern.nothing",
    "bad repetition operator": "options.pattern.twice",
    "invalid repetition size": "options.pattern.often",
    "invalid perl operator": "options.pattern.group",
    "invalid named capture group": "options.pattern.named",
    "invalid UTF-8": "options.pattern.character",
    "pattern too large - compile failed": "options.pattern.large",
}


def found_in(pattern: str, text: str) -> bool:
    """Does the pattern match anywhere in the first 64 KiB of `text`? It was accepted by `accepted` before."""
    return _compiled(pattern, _ROOM).search(_searched(text)) is not None


def matches_whole(pattern: str, text: str) -> bool:
    """Does the pattern match the whole of `text`, which is no longer than 64 KiB?"""
    return len(text) <= TEXT_LIMIT and _compiled(pattern, _ROOM).fullmatch(_searched(text)) is not None


def group_in(pattern: str, text: str) -> str | None:
    """Return what the one group of the pattern matches in the first 64 KiB of `text`, None if it is not there."""
    match = _compiled(pattern, _ROOM).search(_searched(text))
    return None if match is None else cast("str | None", match[1])


def groups_of(pattern: str) -> int:
    """Return how many groups a pattern has."""
    return int(_compiled(pattern, _ROOM).groups)


def accepted(pattern: str) -> str:
    """Return the pattern if RE2 takes it; otherwise RefusalError says what is wrong with it."""
    if len(pattern) > PATTERN_LIMIT:
        raise RefusalError("options.pattern.long", limit=PATTERN_LIMIT, length=len(pattern))
    try:
        _compiled(pattern, _LARGEST)
    except re2.error as error:
        words = error.args[0].decode(errors="replace") if error.args else type(error).__name__
        raise RefusalError("options.pattern.form", found=pattern, reason=_reason(words)) from None
    except UnicodeEncodeError:
        raise RefusalError("options.pattern.form", found=pattern, reason=_reason("invalid UTF-8")) from None
    return pattern


def _reason(words: str) -> Phrase:
    """Return our sentence for what RE2 says; what it may say one day is quoted."""
    kind, _, part = words.partition(": ")
    key = _REASONS.get(kind)
    return Phrase("options.pattern.other", {"words": words}) if key is None else Phrase(key, {"part": part})


def _searched(text: str) -> str:
    # RE2 reads UTF-8, which has no halves of characters.
    return text[:TEXT_LIMIT].encode(errors="replace").decode()


def _compiled(pattern: str, memory: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    return re2.compile(pattern, options)


Pattern = Annotated[str, Field(min_length=1), AfterValidator(accepted)]
"""A pattern in the options of a check."""
