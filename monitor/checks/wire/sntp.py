"""The packets by which clocks are compared (RFC 5905, the simple way): pure, over bytes and moments.

What travels is the time since 1900 in units of 2^-32 seconds, cut to 64 bits. Differences are taken within those, so that the turn of
2036 does not matter as long as two clocks are less than 68 years apart.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SIZE = 48
# Version 4, mode 3: a client asks.
_ASKS = 0x23
_ANSWERS = 4
_UNSYNCHRONISED = 3
_WORST_STRATUM = 15
_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_UNIT = 1 << 32
_TURN = 1 << 64
_PACKET = struct.Struct("!BBbbII4s4Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a clock answered: when the question came and when the answer left by that clock, in units of 2^-32 s.

    `kiss` is the code by which a server asks to be left alone, "" usually.
    """

    stratum: int
    synchronised: bool
    kiss: str
    received: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """By how many seconds the other clock is ahead of ours, and how long the way there and back took."""

    offset: float
    round_trip: float

    @property
    def surely(self) -> float:
        """By how much they differ at least, whatever part of the round trip was the way there."""
        return max(0.0, abs(self.offset) - self.round_trip / 2)


def question(nonce: int) -> bytes:
    """Return a question that tells nothing of ourselves; the answer names its 64 bits, which nobody can guess."""
    return _PACKET.pack(_ASKS, 0, 0, 0, 0, 0, bytes(4), 0, 0, 0, nonce)


def answer_of(data: bytes) -> tuple[int, Answer] | None:
    """Return the number that an answer names and what it says; None for anything that is no answer of a server."""
    if len(data) < SIZE:
        return None
    first, stratum, _, _, _, _, reference, _, origin, received, sent = _PACKET.unpack_from(data)
    if first & 7 != _ANSWERS or sent == 0:
        return None
    kiss = "" if stratum else reference.decode("ascii", errors="replace").rstrip("\0")
    synchronised = first >> 6 != _UNSYNCHRONISED and 0 < stratum <= _WORST_STRATUM
    return origin, Answer(stratum=stratum, synchronised=synchronised, kiss=kiss, received=received, sent=sent)


def compared(answer: Answer, asked_at: datetime, took: float) -> Comparison:
    """Return what an answer says that came `took` seconds after the question was sent at `asked_at` by our clock."""
    asked = stamp_of(asked_at)
    there = _signed(answer.received - asked)
    back = _signed(answer.sent - asked) - took
    return Comparison(offset=(there + back) / 2, round_trip=max(0.0, there - back))


def stamp_of(moment: datetime) -> int:
    """Return a moment as it travels."""
    whole, rest = divmod(moment - _EPOCH, _SECOND)
    return (whole * _UNIT + round(rest / _SECOND * _UNIT)) % _TURN


def _signed(units: int) -> float:
    within = units % _TURN
    return (within - _TURN if within >= _TURN // 2 else within) / _UNIT
