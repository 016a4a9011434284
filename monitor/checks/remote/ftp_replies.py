"""What an FTP server says (RFC 959, RFC 2428): replies, where its data connections are, and listings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LINES_LIMIT = 200
"""No reply has more lines; a message of the day may be long."""

_FIRST = re.compile(r"([1-5][0-9]{2})([ -])(.*)", re.DOTALL)
_EXTENDED = re.compile(r"\((.)\1\1([0-9]{1,5})\1\)")
_PASSIVE = re.compile(r"[0-9]{1,3}(?:,[0-9]{1,3}){3},([0-9]{1,3}),([0-9]{1,3})")
_TOTAL = re.compile(rb"total\s+[0-9]+")
_ITSELF = frozenset({b".", b".."})


class NotFtpError(ValueError):
    """What came is no reply of FTP, or not the one that it should be; the argument says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, and what its last line says to people."""

    code: int
    said: str

    def __str__(self) -> str:
        return f"{self.code} {self.said}".rstrip()


def reply_of(lines: Sequence[str]) -> Reply | None:
    """Return the reply that `lines`, at least one, make up; None while it goes on. Raises NotFtpError."""
    first = _FIRST.fullmatch(lines[0])
    if first is None:
        raise NotFtpError(f"does not speak FTP: {lines[0][:80]!r}")
    if len(lines) > LINES_LIMIT:
        raise NotFtpError(f"sent a reply of more than {LINES_LIMIT} lines")
    code, sign, said = first.groups()
    if sign == " ":
        return Reply(int(code), said)
    last = lines[-1]
    if len(lines) > 1 and (last == code or last.startswith(f"{code} ")):
        return Reply(int(code), last[4:])
    return None


def extended_port(reply: Reply) -> int:
    """Return the port that the reply to EPSV names; raises NotFtpError."""
    found = _EXTENDED.search(reply.said)
    return _port(int(found[2]) if found else 0, reply)


def passive_port(reply: Reply) -> int:
    """Return the port that the reply to PASV names, whatever address stands before it; raises NotFtpError."""
    found = _PASSIVE.search(reply.said)
    high, low = (int(found[1]), int(found[2])) if found else (0, 0)
    return _port(256 * high + low if high < 256 and low < 256 else 0, reply)


def entries_of(listing: bytes) -> int:
    """Return how many entries the lines of a listing are, without the directory itself and the one above it."""
    return sum(_is_entry(line.strip()) for line in listing.split(b"\n"))


def _is_entry(line: bytes) -> bool:
    if not line or _TOTAL.fullmatch(line):
        return False
    return line.rsplit(maxsplit=1)[-1] not in _ITSELF


def _port(port: int, reply: Reply) -> int:
    if not 0 < port < 65536:
        raise NotFtpError(f"names no port for its data: {str(reply)[:80]!r}")
    return port
