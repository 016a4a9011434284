"""The few packets by which a MySQL or MariaDB server shows that it is there: pure, over bytes.

Written after the description of the client/server protocol, version 10. A packet's payload is what follows its head of three
bytes of length and one of sequence.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

# Long passwords and flags, the protocol of version 4.1, transactions, several results, and logins by plugins with attributes:
# what PyMySQL says that it can, for what is said before TLS holds afterwards.
_OURS = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x20000 | 0x80000 | 0x100000 | 0x200000
_WITH_DATABASE = 0x8
_SSL = 0x800
_LARGEST = 1 << 24
_UTF8 = 33
_VERSION = 10
_ERROR = 0xFF
_OK = 0x00
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

GREETING_LIMIT = 4096
QUIT = b"\x01"


class PacketError(ValueError):
    """A packet that does not mean what it ought to mean; the argument says why."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says of itself before anything was asked."""

    version: str
    capabilities: int

    @property
    def offers_tls(self) -> bool:
        return bool(self.capabilities & _SSL)


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server refuses with: its number and its words."""

    code: int
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.code})"


@dataclass(frozen=True, slots=True)
class Greeted:
    """A greeting that was read, as it came, and whether TLS has begun since."""

    greeting: Greeting
    payload: bytes
    secured: bool


def packet(payload: bytes, sequence: int) -> bytes:
    """Return a payload as it goes onto the wire."""
    return struct.pack("<I", len(payload))[:3] + bytes([sequence & 0xFF]) + payload


def read_head(head: bytes) -> tuple[int, int]:
    """Return the length of the payload and the sequence of a packet, of its four bytes of head."""
    return int.from_bytes(head[:3], "little"), head[3]


def read_greeting(payload: bytes) -> Greeting:
    """Return what a server greets with; anything else raises PacketError."""
    if payload[:1] != bytes([_VERSION]):
        raise PacketError("no greeting of MySQL")
    version, end, rest = payload[1:].partition(b"\0")
    # Thread, challenge and a filler stand before the two halves of the capabilities, charset and status between them.
    if not end or len(rest) < 15:
        raise PacketError("half a greeting of MySQL")
    upper = rest[18:20] if len(rest) >= 20 else b"\0\0"
    return Greeting(version=_text(version), capabilities=int.from_bytes(rest[13:15] + upper, "little"))


def read_error(payload: bytes) -> ServerError | None:
    """Return what a server refuses with, None when the packet is no refusal; half a refusal raises PacketError."""
    if payload[:1] != bytes([_ERROR]):
        return None
    if len(payload) < 3:
        raise PacketError("half a refusal of MySQL")
    words = payload[9:] if payload[3:4] == b"#" else payload[3:]
    return ServerError(code=int.from_bytes(payload[1:3], "little"), words=_text(words))


def is_welcome(payload: bytes) -> bool:
    """Has the server let us in?"""
    return payload[:1] == bytes([_OK])


def capabilities(*, secured: bool, database: bool) -> int:
    """Return what we say that we can: to go on inside TLS, and to name a database with the login."""
    return _OURS | (_SSL if secured else 0) | (_WITH_DATABASE if database else 0)


def ask_for_tls(*, database: bool) -> bytes:
    """Return the payload that asks for TLS, before anything is said of who we are."""
    return struct.pack("<IIB23x", capabilities(secured=True, database=database), _LARGEST, _UTF8)


def nobody(*, secured: bool) -> bytes:
    """Return the payload by which nobody logs in, without a password."""
    flags = capabilities(secured=secured, database=False)
    # No name, no password, and no attributes after the way of logging in.
    return struct.pack("<IIB23x", flags, _LARGEST, _UTF8) + b"\0\0mysql_native_password\0\0"


def _text(words: bytes) -> str:
    return _CONTROL.sub(" ", words.decode(errors="replace")).strip()
