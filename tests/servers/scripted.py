"""Peers that hold a conversation line by line as a script has it, and some that hold none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

from tests.servers.peers import Behaviour, Peer


def scripted(
    greeting: bytes, answers: Mapping[bytes, bytes], *, tls: ssl.SSLContext | None = None
) -> Behaviour:
    """Greet, then answer each line by the first key that stands in it; what no key fits is answered by the key b"".

    `%` in an answer stands for the first word of the line, as tags do. With `tls`, the line after whose answer TLS begins is the one
    that holds STARTTLS or STLS.
    """

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, greeting)
        while line := await reader.readline():
            found.asked.append(line)
            tag = line.split(b" ")[0].strip()
            answer = next(answer for key, answer in answers.items() if key in line.upper())
            await found.send(writer, answer.replace(b"%", tag))
            if tls is not None and (b"STARTTLS" in line or b"STLS" in line):
                await writer.start_tls(tls)

    return behave


def floods(greeting: bytes, line: bytes, first: bytes = b"") -> Behaviour:
    """Greet, take one line, begin to answer, and repeat the same bytes as fast as they are taken, without an end."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, greeting)
        await reader.readline()
        await found.send(writer, first)
        while True:
            await found.send(writer, line * 500)

    return behave


def drips(text: bytes) -> Behaviour:
    """Send one byte every twentieth of a second, for ever."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in text:
                await found.send(writer, bytes([byte]))
                await asyncio.sleep(0.05)

    return behave


def says(text: bytes) -> Behaviour:
    """Say something at once and hang up."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, text)

    return behave
