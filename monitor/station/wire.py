"""What watch and the processes that look for it say to each other: one message a frame, its length before it.

Both ends are the same program of the same installation, started one by the other, over a pair of sockets that nobody else holds. Messages
are JSON of our own values, written and read by pydantic, which is as fast as anything that would have to be kept in step by hand.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from monitor.checks.policy import TargetPolicy
from monitor.identifiers import CheckKey
from monitor.observation import Observation
from monitor.prober import ResolverSettings
from monitor.station.lookout import Assignment

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """The first message: how to look. `per_host` is how many looks at one server may run at once."""

    resolver: ResolverSettings | None
    policy: TargetPolicy
    per_host: int
    order: Literal["open"] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """What references stand for from now on."""

    folder: Path
    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    order: Literal["renew"] = "renew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Look at these checks from now on."""

    assignments: tuple[Assignment, ...]
    order: Literal["take"] = "take"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Look at these checks no more, and say so under this number when every look of theirs was handed over."""

    keys: tuple[CheckKey, ...]
    number: int
    order: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Look at a check once more, so long after this moment."""

    key: CheckKey
    after: timedelta
    order: Literal["again"] = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Look at these checks at once."""

    keys: tuple[CheckKey, ...]
    order: Literal["now"] = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Look no more, hand over what has ended, and end."""

    order: Literal["close"] = "close"


Order = Open | Renew | Take | Drop | Again | Now | Close


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of looking since the message before; an empty one is a sign of life. `dropped` holds the numbers of drops that are done."""

    looks: tuple[Observation, ...] = ()
    late: tuple[float, ...] = ()
    skipped: int = 0
    lost: int = 0
    missed: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    dropped: tuple[int, ...] = ()


_ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="order")])
_TOLD = TypeAdapter(Told)


def frame_of(message: Order | Told) -> bytes:
    """Return a message as it goes over the wire; one that cannot be written raises ValueError."""
    body = _TOLD.dump_json(message) if isinstance(message, Told) else _ORDERS.dump_json(message)
    return _LENGTH.pack(len(body)) + body


async def read_order(reader: asyncio.StreamReader) -> Order | None:
    """Return the next order, None when the other side is gone."""
    body = await _body(reader)
    return None if body is None else _ORDERS.validate_json(body)


async def read_told(reader: asyncio.StreamReader) -> Told | None:
    """Return the next report, None when the other side is gone."""
    body = await _body(reader)
    return None if body is None else _TOLD.validate_json(body)


async def _body(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
