"""A proxy on loopback between a client and a real server that does to the server's answers what networks do to them.

Every behaviour is one of a peer's: what it reads is what the server says, what it sends is what the client gets to hear. What the
client says always reaches the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.servers import peers
from tests.servers.peers import Behaviour, Peer

_CHUNK = 65536


@asynccontextmanager
async def fault_proxy(
    target_port: int, behaviour: Behaviour, *, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    """Run a proxy in front of a server of loopback; its `port` is for the client, its `sent` what the client was sent."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", target_port)
        forth = asyncio.create_task(_handed_on(reader, questions))
        try:
            await behaviour(found, answers, writer)
        finally:
            forth.cancel()
            # Before anything is waited for: the test may be over, and this be cancelled once more.
            questions.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(forth, return_exceptions=True)
                await questions.wait_closed()

    async with peers.peer(behave, host=host) as found:
        yield found


async def _handed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def passes(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do no harm."""
    while data := await reader.read(_CHUNK):
        await found.send(writer, data)


def delays(seconds: float) -> Behaviour:
    """Hand every piece on, each so much later."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await asyncio.sleep(seconds)
            await found.send(writer, data)

    return behave


def trickles(every: float) -> Behaviour:
    """Hand on one byte at a time, so many seconds apart."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while byte := await reader.read(1):
            await found.send(writer, byte)
            await asyncio.sleep(every)

    return behave


def garbles(after: int = 0, seed: int = 1) -> Behaviour:
    """Hand on noise of the same length, from a byte of the answer on."""
    noise = random.Random(seed)

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _first(after, found, reader, writer)
        while data := await reader.read(_CHUNK):
            await found.send(writer, noise.randbytes(len(data)))

    return behave


def hangs_up(after: int = 0) -> Behaviour:
    """Hand on so many bytes and close."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _first(after, found, reader, writer)

    return behave


def resets(after: int = 0) -> Behaviour:
    """Hand on so many bytes and reset the connection."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _first(after, found, reader, writer)
        peers.cut(writer)

    return behave


def half_closes(after: int = 0) -> Behaviour:
    """Hand on so many bytes, say that there will be no more, and go on listening for ever."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _first(after, found, reader, writer)
        writer.write_eof()
        await asyncio.Event().wait()

    return behave


def stalls(after: int = 0) -> Behaviour:
    """Hand on so many bytes, and never another one; the connection stays. From the first byte on it is a black hole."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _first(after, found, reader, writer)
        await peers.silent(found, reader, writer)

    return behave


async def _first(size: int, found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while size and (data := await reader.read(min(size, _CHUNK))):
        await found.send(writer, data)
        size -= len(data)
