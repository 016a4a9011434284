"""Names in braces that stand for values out of earlier answers: fixed substitution, no engine. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

# `{token}`, but not the reference `${token}`.
NAME = re.compile(r"(?<!\$)\{([a-z][a-z0-9_]{0,30})\}")
# All that may stand in a path or a query; the rest is written as %XX.
_IN_A_URL = "/?=&%:;,@+!$'()*~"


def placeholders(value: object) -> frozenset[str]:
    """Return the names in braces anywhere in texts, lists and mappings, their keys included."""
    if isinstance(value, str):
        return frozenset(NAME.findall(value))
    if isinstance(value, Mapping):
        return placeholders([*value.keys(), *value.values()])
    if isinstance(value, Iterable):
        return frozenset(name for inner in value for name in placeholders(inner))
    return frozenset()


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each known name in braces replaced by its value; what is unknown stays as it is."""
    return NAME.sub(lambda match: values.get(match[1], match[0]), text) if values else text


def filled_below(value: Any, values: Mapping[str, str]) -> Any:
    """Return a JSON-like value with every text in it filled, keys included."""
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {filled(key, values): filled_below(inner, values) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled_below(inner, values) for inner in value]
    return value


def in_a_url(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values as they stand in a path or a query."""
    return {name: quote(value, safe=_IN_A_URL) for name, value in values.items()}
