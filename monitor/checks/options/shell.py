"""Words of a shell line in which a secret stays a reference that the reader's own shell can fill."""

from __future__ import annotations

import re
import shlex

from monitor.checks.options.targets import REFERENCE

_SPECIAL = re.compile(r'([\\"$`])')
_FILE = "file:"


def word(text: str) -> str:
    """Return `text` as one word of a POSIX shell; a `${NAME}` in it is left for the shell to fill."""
    return f'"{_within_quotes(text)}"' if REFERENCE.search(text) else shlex.quote(text)


def joined(*texts: str) -> str:
    """Return `texts` as one word of a POSIX shell, which fills their `${NAME}` and reads each that is `file:PATH`."""
    if not any(text.startswith(_FILE) for text in texts):
        return word("".join(texts))
    return f'"{"".join(_read_by_shell(text) for text in texts)}"'


def header(name: str, value: str) -> str:
    """Return the word that gives curl one header; a value that is `file:PATH` is read from that file by the shell."""
    return joined(f"{name}: ", value)


def _read_by_shell(text: str) -> str:
    if not text.startswith(_FILE):
        return _within_quotes(text)
    return f"$(cat {shlex.quote(text.removeprefix(_FILE))})"


def _within_quotes(text: str) -> str:
    pieces: list[str] = []
    end = 0
    for reference in REFERENCE.finditer(text):
        pieces += [_SPECIAL.sub(r"\\\1", text[end : reference.start()]), reference[0]]
        end = reference.end()
    return "".join(pieces) + _SPECIAL.sub(r"\\\1", text[end:])
