"""The names by which things are known, each with a type of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

ServerId = NewType("ServerId", str)
GroupId = NewType("GroupId", str)
IncidentId = NewType("IncidentId", str)
UpdateId = NewType("UpdateId", str)
WindowId = NewType("WindowId", str)
BatchId = NewType("BatchId", str)
TicketId = NewType("TicketId", str)

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26
ENTROPY_BYTES = 10


@dataclass(frozen=True, slots=True, order=True)
class CheckKey:
    """One check of one server; written `server/check` wherever people read or type it."""

    server: ServerId
    check: str

    def __str__(self) -> str:
        return f"{self.server}/{self.check}"


def ulid(moment: datetime, entropy: bytes) -> str:
    """Return the 26 letters of a ULID: 48 bits of `moment` in UTC milliseconds, then 80 bits of chance.

    `entropy` holds exactly 10 bytes; anything else raises ValueError.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a ULID takes {ENTROPY_BYTES} bytes of chance, not {len(entropy)}")
    number = (milliseconds(moment) << 80) | int.from_bytes(entropy)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(5 * (_ULID_LENGTH - 1), -1, -5))


def milliseconds(moment: datetime) -> int:
    """Return an aware instant as whole milliseconds since 1970 in UTC, the form that every `*_ms` column holds."""
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone cannot be stored")
    return round(moment.timestamp() * 1000)
