"""What is asked of every word that an operator puts on record: who says it, and why."""

from __future__ import annotations

from monitor.errors import RefusedError

OURSELVES = "vigia"
"""The actor of what nobody asked for."""

_LONGEST_NAME = 80
_LONGEST_REASON = 500


def author(name: str) -> str:
    """Return who speaks; RefusedError for nobody, and for the name under which the service itself acts."""
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise RefusedError(f"say who you are in at most {_LONGEST_NAME} printable letters: --author NAME")
    if name.lower() == OURSELVES:
        raise RefusedError(f"{name!r} is the name of the service itself: give yours with --author NAME")
    return name


def reason(words: str) -> str:
    """Return why it is said, in one line; RefusedError for no words, or too many."""
    line = " ".join(words.split())
    if not line or len(line) > _LONGEST_REASON:
        raise RefusedError(f"say why in at most {_LONGEST_REASON} letters: --reason TEXT")
    return line
