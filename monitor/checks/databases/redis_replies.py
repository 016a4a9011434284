"""What a Redis server says, and what that means: pure, over bytes and text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_SIZE = re.compile(rb"[0-9]{1,9}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class ReplyError(ValueError):
    """What was said is no reply of Redis; the argument says why."""


class Refusal(Enum):
    """What a refusal tells of the server."""

    LOCKED = "it works, and wants to know who we are"
    LOGIN = "it works, and does not take our login"
    TROUBLE = "it cannot serve anybody now"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one line: its words, and whether it refuses. `size` is how many bytes follow it, None if none do."""

    words: str
    refused: bool = False
    size: int | None = None


# The first word of a refusal; everything else (LOADING, MASTERDOWN, BUSY, MISCONF, too many clients) is trouble.
_REFUSALS = {
    "NOAUTH": Refusal.LOCKED,
    "NOPERM": Refusal.LOCKED,
    "DENIED": Refusal.LOCKED,
    "WRONGPASS": Refusal.LOGIN,
}


def command(*words: str) -> bytes:
    """Return a command as it goes onto the wire; words may hold anything."""
    encoded = [word.encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def read_line(line: bytes) -> Reply:
    """Return what a line without its end says; one that is no reply of Redis raises ReplyError."""
    mark, rest = line[:1], line[1:]
    if mark == b"$" and _SIZE.fullmatch(rest):
        return Reply(words="", size=int(rest))
    if mark == b"$" and rest == b"-1":
        return Reply(words="")
    if mark in (b"+", b"-", b":"):
        return Reply(words=_text(rest), refused=mark == b"-")
    raise ReplyError("does not speak as Redis does")


def refusal_of(words: str) -> Refusal:
    """Return what a refusal tells of the server."""
    first = words.partition(" ")[0]
    if first == "ERR" and "AUTH" in words.upper():
        # A password where none is needed, or a user where the server is too old to know any.
        return Refusal.LOGIN
    return _REFUSALS.get(first, Refusal.TROUBLE)


def read_info(text: str) -> dict[str, str]:
    """Return the fields of an answer to INFO; lines that are none are passed over."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            found.setdefault(name.strip(), value.strip())
    return found


def _text(words: bytes) -> str:
    return _CONTROL.sub(" ", words.decode(errors="replace")).strip()
