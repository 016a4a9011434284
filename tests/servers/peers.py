"""Peers on loopback that answer well or badly, each a coroutine over one connection of a real listener."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Peer:
    """A listener, the heads of the requests it was asked, and how many bytes it got rid of."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    sent: int = 0

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request head and remember it."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        return head

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send, and count what left."""
        writer.write(data)
        await writer.drain()
        self.sent += len(data)


@asynccontextmanager
async def peer(
    behave: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Peer]:
    """Run a peer that behaves like that towards everybody, and end it with every connection of its own."""
    found = Peer()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await behave(found, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, host, port, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


def refused_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(status: int = 200, body: bytes = b"hello", **headers: str) -> Behaviour:
    """Answer every request in the same way; a header's name is written with underscores."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.head(reader)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}", *lines, "", ""])
        await found.send(writer, head.encode("latin-1") + body)

    return behave


def by_path(**behaviours: Behaviour) -> Behaviour:
    """Behave by the first word of the path, `root` for `/`."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        reader.feed_data(head)
        path = head.split(b" ")[1].decode().strip("/") or "root"
        await behaviours[path](found, reader, writer)

    return behave


def late(seconds: float, then: Behaviour) -> Behaviour:
    """Behave well, only later."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await then(found, reader, writer)

    return behave


async def silent(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection, read everything, say nothing and never hang up."""
    while await reader.read(4096):
        pass
    await asyncio.Event().wait()


async def hangs_up(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and close without a word."""
    await found.head(reader)


async def resets(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little and reset the connection."""
    await reader.read(16)
    cut(writer)


def cut(writer: asyncio.StreamWriter) -> None:
    """Reset a connection: the other side is told that it is gone, whatever was on its way."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drips_head(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One byte of the head every tenth of a second, for ever."""
    await found.send(writer, b"HTTP/1.1 200 OK\r\n")
    while True:
        await found.send(writer, b"X")
        await asyncio.sleep(0.1)


async def drips_body(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proper head, then one byte of the body every tenth of a second."""
    await found.head(reader)
    await found.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        await found.send(writer, b".")
        await asyncio.sleep(0.1)


async def endless_body(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body as fast as it is taken, without an end."""
    await found.head(reader)
    await found.send(writer, b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await found.send(writer, b"all work and no play " * 1000)


async def endless_head(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Header lines without an end."""
    await found.send(writer, b"HTTP/1.1 200 OK\r\n")
    while True:
        await found.send(writer, b"X-More: and more\r\n" * 500)


async def huge_line(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One header of ten megabytes."""
    await found.send(writer, b"HTTP/1.1 200 OK\r\nX-Huge: ")
    for _ in range(160):
        await found.send(writer, b"x" * 65536)


async def many_cookies(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Twenty thousand cookies in one head."""
    await found.head(reader)
    await found.send(writer, b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: a=b\r\n" * 20_000 + b"\r\n")


async def interim_heads(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Early hints without an end, never an answer."""
    await found.head(reader)
    while True:
        await found.send(writer, b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 100)


async def short_body(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise a hundred bytes, send five, hang up."""
    await found.head(reader)
    await found.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")


async def other_protocol(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet as a mail server does."""
    await found.send(writer, b"220 mail.test ESMTP ready\r\n")
    await reader.read(4096)


async def no_head(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as the web did before it had heads (HTTP/0.9)."""
    await found.head(reader)
    await found.send(writer, b"<html>hello</html>")


def gzip_bomb(megabytes: int = 64) -> Behaviour:
    """Answer packed, although nobody asked for it, and a thousand times larger when unpacked."""
    return answer(200, gzip.compress(bytes(megabytes << 20), compresslevel=9), Content_Encoding="gzip")


def redirect(location: str, status: int = 302) -> Behaviour:
    """Send everybody elsewhere."""
    return answer(status, b"", Location=location)
