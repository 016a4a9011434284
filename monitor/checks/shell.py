"""Words of a shell line in which a secret stays a reference that the reader's own shell can fill."""

from __future__ import annotations

import re
import shlex

from monitor.checks.targets import REFERENCE

_SPECIAL = re.compile(r'([\\"$`])')
_FILE = "file:"


def word(text: str) -> str:
    """Return `text` as one word of a POSIX shell; a `${NAME}` in it is left for the shell to fill."""
    if not REFERENCE.search(text):
        return shlex.quote(text)
    pieces: list[str] = []
    end = 0
    for reference in REFERENCE.finditer(text):
        pieces += [_SPECIAL.sub(r"\\\1", text[end : reference.start()]), reference[0]]
        end = reference.end()
    return '"' + "".join(pieces) + _SPECIAL.sub(r"\\\1", text[end:]) + '"'


def header(name: str, value: str) -> str:
    """Return the word that gives curl one header; a value that is `file:PATH` is read from that file by the shell."""
    if not value.startswith(_FILE):
        return word(f"{name}: {value}")
    path = shlex.quote(value.removeprefix(_FILE))
    return f'"{name}: $(cat {path})"'
