"""The few messages by which a PostgreSQL server shows that it is there: pure, over bytes.

Written after the description of the frontend/backend protocol, version 3. A message is one byte that names it, four bytes of
length that count themselves, and its content.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_TLS_CODE = 80877103
_VERSION = 3 << 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

HEAD = 5
MESSAGE_LIMIT = 16384
REFUSAL = b"E"
LOGIN = b"R"
OFFERS_TLS = b"S"
OFFERS_NO_TLS = b"N"
ROUNDS_LIMIT = 1_000_000
"""How often a password may have to be stirred; whoever asks for more wants our time."""


class MessageError(ValueError):
    """A message that does not mean what it ought to mean; the argument says why."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server refuses with: its SQLSTATE and its words."""

    code: str
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.code})"


def ask_for_tls() -> bytes:
    """Return what asks for TLS, before anything is said of who we are."""
    return struct.pack("!II", 8, _TLS_CODE)


def nobody() -> bytes:
    """Return what begins a login of the user `vigia`, whether there is one or not."""
    words = b"user\0vigia\0database\0postgres\0application_name\0vigia\0\0"
    return struct.pack("!II", 8 + len(words), _VERSION) + words


def size_of(head: bytes) -> int:
    """Return the size of the content that follows the head of a message; an impossible one raises MessageError."""
    size = int.from_bytes(head[1:HEAD], "big") - 4
    if not 0 <= size <= MESSAGE_LIMIT:
        raise MessageError("does not speak as PostgreSQL does")
    return size


def read_error(content: bytes) -> ServerError:
    """Return what a server refuses with, of the content of a refusal; one without words raises MessageError.

    Servers older than version 7.4, and those that cannot even fork, answer with plain words.
    """
    fields = {field[:1]: _text(field[1:]) for field in content.split(b"\0") if field}
    code, words = fields.get(b"C", ""), fields.get(b"M", "")
    if not words:
        raise MessageError("a refusal without words")
    severity = fields.get(b"V") or fields.get(b"S", "")
    return ServerError(code=code, words=f"{severity}: {words}" if severity else words)


def rounds_of(challenge: bytes) -> int:
    """Return how often a challenge of SCRAM wants the password stirred, 0 when it does not say."""
    found = re.search(rb"(?:^|,)i=([0-9]{1,18})(?:,|$)", challenge)
    return int(found[1]) if found else 0


def _text(words: bytes) -> str:
    return _CONTROL.sub(" ", words.decode(errors="replace")).strip()
