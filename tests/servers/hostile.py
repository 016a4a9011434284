"""Peers that speak no protocol at all, and the promise that no look at them lasts or grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import psutil
import uvloop

from monitor.observation import Observation
from tests.servers import peers
from tests.servers.faults import fault_proxy
from tests.servers.looking import Looker, looker
from tests.servers.peers import Behaviour, Peer

MEBIBYTE = 1 << 20
# Half a second is promised, and 20 MiB; the rest is for a machine that others use too.
PATIENCE_S = 3.0
MEMORY_LIMIT = 30 * MEBIBYTE


def says(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    """Say these pieces unasked, so far apart, and never hang up."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            await found.send(writer, piece)
            await asyncio.sleep(pause)
        await peers.silent(found, reader, writer)

    return behave


def says_for_ever(piece: bytes) -> Behaviour:
    """Say it again and again, as fast as it is taken."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await found.send(writer, piece)

    return behave


def says_and_leaves(data: bytes) -> Behaviour:
    """Say it and hang up."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, data)

    return behave


def answers(*replies: bytes) -> Behaviour:
    """Answer each piece that arrives with the next reply, the last one again and again."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(replies)
        while data := await reader.read(65536):
            found.asked.append(data)
            await found.send(writer, left.pop(0) if len(left) > 1 else left[0])

    return behave


HOSTILE: Mapping[str, Behaviour] = {
    "silent": peers.silent,
    "hangs up": says_and_leaves(b""),
    "resets": peers.resets,
    "a byte now and then": says(*[b"\x05"] * 200, pause=0.05),
    "endless lines": says_for_ever(b"and so on and on\r\n" * 1000),
    "endless empty lines": says_for_ever(b"\n" * 65536),
    "no line end": says_for_ever(b"x" * 65536),
    "zeroes": says_for_ever(bytes(65536)),
    "noise": says_for_ever(bytes(range(256)) * 256),
    "a mail server": says(b"220 mail.test ESMTP ready\r\n"),
    "a web server": says_and_leaves(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "half a word": says_and_leaves(b"\x4a"),
}
"""Peers by what is wrong with them."""


def seen_of(
    folder: Path, behave: Behaviour, kind: str, options: Mapping[str, Any], seconds: float = 0.5
) -> Observation:
    """Look once at a peer, and hold the look to what is promised of its end and its size."""
    return uvloop.run(_seen(folder, lambda: peers.peer(behave), kind, options, seconds))


def seen_through(
    folder: Path,
    behave: Behaviour,
    port: int,
    kind: str,
    options: Mapping[str, Any],
    seconds: float = 1.0,
) -> Observation:
    """Look once at a real server whose answers pass a bad line, and hold the look to the same promises."""
    return uvloop.run(_seen(folder, lambda: fault_proxy(port, behave), kind, options, seconds))


async def _seen(
    folder: Path,
    peer: Any,
    kind: str,
    options: Mapping[str, Any],
    seconds: float,
) -> Observation:
    async with looker(folder) as looking:
        for _ in range(20):
            opened: AbstractAsyncContextManager[Peer] = peer()
            async with opened as found:
                seen = await _once(looking, kind, {"port": found.port, **options}, seconds)
            # A machine that others use too stands still now and then, and that spoils a look as short as these.
            if not seen.found.startswith("our own clockwork stood still"):
                return seen
    raise AssertionError("this machine never had a quiet second")


async def _once(looking: Looker, kind: str, options: Mapping[str, Any], seconds: float) -> Observation:
    before, began = psutil.Process().memory_info().rss, time.perf_counter()
    seen = await looking.look(kind, options, seconds=seconds)
    assert time.perf_counter() - began < seconds + PATIENCE_S or seen.found.startswith("our own clockwork")
    assert psutil.Process().memory_info().rss - before < MEMORY_LIMIT
    return seen
