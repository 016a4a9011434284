"""What an unquoted word of YAML 1.2 means.

Only the core schema counts: `yes`, `no`, `on`, `off` are texts, `22:22` is a text and no number of base sixty, and
`010` is ten. PyYAML's own rules are those of YAML 1.1, in which all of these surprise people.
"""

from __future__ import annotations

import math
import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 40

YAML_1_1_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


def resolve(word: str) -> bool | int | float | str | None:
    """Return the value of an unquoted word. Infinite and absurdly long numbers stay texts: no setting is one."""
    if word in _NULL:
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if len(word) > _LONGEST_NUMBER or word[0] not in "+-.0123456789":
        return word
    return _number(word)


def _number(word: str) -> int | float | str:
    if _DECIMAL.fullmatch(word):
        return int(word)
    if _OCTAL.fullmatch(word) or _HEXADECIMAL.fullmatch(word):
        return int(word, 0)
    if _FRACTION.fullmatch(word) and math.isfinite(float(word)):
        return float(word)
    return word
