"""Every kind that speaks over TCP, against peers that want to hold it up or fill it up: the look ends in time and says `down`."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from monitor.checks import KINDS
from monitor.observation import EXCERPT_LIMIT, Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.looking import Looker, looker
from tests.servers.peers import Behaviour, Peer

HOST = "ok.test"
LOGIN = {"user": "probe", "password": "hunter2-and-more"}


@dataclass(frozen=True, slots=True)
class Talk:
    """A check of a kind at a port, its options besides host and port."""

    kind: str
    more: Mapping[str, Any]
    place: Callable[[int], dict[str, Any]] = lambda port: {"host": HOST, "port": port}

    def options(self, port: int) -> dict[str, Any]:
        return {**self.place(port), **self.more}


def _mailflow(port: int) -> dict[str, Any]:
    server = {"host": HOST, "port": port}
    return {"from": "probe@ok.test", "smtp": server, "imap": {**server, "login": LOGIN}}


TALKS: Mapping[str, Talk] = {
    "http": Talk("http", {}, lambda port: {"url": f"http://{HOST}:{port}/"}),
    "https": Talk("http", {}, lambda port: {"url": f"https://{HOST}:{port}/"}),
    "tcp": Talk("tcp", {"send": "PING\r\n", "expect": {"contains": "+PONG"}}),
    "tcp, a pattern": Talk("tcp", {"expect": {"matches": "^(a|b)*PONG"}}),
    "tcp inside TLS": Talk("tcp", {"tls": True}),
    "tls": Talk("tls", {"weakest": "1.2"}),
    **{
        f"tls after {protocol}": Talk("tls", {"starttls": protocol})
        for protocol in ("smtp", "imap", "pop3", "ftp", "ldap", "postgresql", "mysql", "xmpp", "sieve")
    },
    "dns": Talk(
        "dns", {"query": "ok.test", "transport": "tcp"}, lambda port: {"server": "127.0.0.1", "port": port}
    ),
    "ldap": Talk("ldap", {}),
    "smtp": Talk("smtp", {}),
    "smtps": Talk("smtp", {"tls": True}),
    "imap": Talk("imap", {"tls": False, "login": LOGIN}),
    "imaps": Talk("imap", {"tls": True, "login": LOGIN}),
    "pop3": Talk("pop3", {"tls": False, "login": LOGIN}),
    "mailflow": Talk("mailflow", {}, _mailflow),
    "mysql": Talk("mysql", {}),
    "mysql, a login": Talk("mysql", {"login": LOGIN, "tls": "none"}),
    "postgresql": Talk("postgresql", {}),
    "postgresql, a login": Talk("postgresql", {"login": LOGIN, "database": "fleet", "tls": "none"}),
    "redis": Talk("redis", {}),
    "memcached": Talk("memcached", {}),
    "ssh": Talk("ssh", {}),
    "ssh, a login": Talk("ssh", {"login": LOGIN}),
    "ftp": Talk("ftp", {}),
}
"""A talk of every kind that speaks over TCP, in the ways that it may be spoken."""

OTHERS: Mapping[str, str] = {
    "ping": "ICMP",
    "ntp": "UDP",
    "blocklist": "UDP",
    "host": "looks at this machine",
    "nagios": "runs a program",
    "heartbeat": "is never looked at",
    "domain": "a registry that misbehaves is no fault of the domain, and unknown",
    "prometheus": "a Prometheus that misbehaves is no fault of the target, and unknown",
}
"""The kinds whose targets are not spoken to over TCP, and why."""


def says(piece: bytes, *, again: bool = False, every: float = 0.0) -> Behaviour:
    """Say a piece once, or again and again, so many seconds apart; never hang up."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, piece)
        while again:
            await asyncio.sleep(every)
            if writer.is_closing():
                return
            await found.send(writer, piece)
        await reader.read()

    return behave


async def leaves(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up at once."""


async def long_line(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ten megabytes without a line end, and then one."""
    for piece in (*[b"x" * 65536] * 160, b"\r\n"):
        if writer.is_closing():
            return
        await found.send(writer, piece)


NOISE = bytes(range(255, 0, -1))

HOSTILE: Mapping[str, Behaviour] = {
    "silent": says(b""),
    "a byte now and then": says(b"\x05", again=True, every=0.1),
    "a letter now and then": says(b"2", again=True, every=0.1),
    "endless lines": says(b"220-and so on and on\r\n" * 1000, again=True),
    "endless empty lines": says(b"\r\n" * 16384, again=True),
    "an endless banner": says(b"x" * 65536, again=True),
    "endless zeroes": says(bytes(65536), again=True),
    "endless noise": says(NOISE * 256, again=True),
    "noise": says(NOISE),
    "half a handshake": says(b"\x16\x03\x03\x40\x00\x02\x00"),
    "hangs up": leaves,
    "resets": peers.resets,
    "a line of ten megabytes": long_line,
}
"""Peers by what is wrong with them. None of them is a server of any kind for a single word."""

MEBIBYTE = 1 << 20
SECONDS = 1.5
# Half a second is promised; the rest is for a machine that others use too.
PATIENCE_S = 3.5
# What lies in the buffers of both sockets was sent as well, and nobody has read it.
SENT_LIMIT = MEBIBYTE + 4 * MEBIBYTE
MEMORY_LIMIT = 20 * MEBIBYTE


def test_every_kind_is_listed() -> None:
    """A new kind is named in TALKS, or in OTHERS with why it is not spoken to."""
    talking = {talk.kind for talk in TALKS.values()}
    assert set(KINDS) - talking - set(OTHERS) == set()
    assert talking & set(OTHERS) == set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look came to, by how many seconds it ended after its time, and how much its peer got rid of on one connection."""

    observation: Observation
    late_s: float
    sent: float


async def seen_by(looking: Looker, talk: Talk, behave: Behaviour, seconds: float = SECONDS) -> Seen:
    """Look once at a peer that behaves like that; again when this machine stood still meanwhile."""
    loop = asyncio.get_running_loop()
    connections = 0

    async def counted(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        await behave(found, reader, writer)

    async with peers.peer(counted) as found:
        for _ in range(10):
            began = loop.time()
            observation = await looking.look(talk.kind, talk.options(found.port), seconds=seconds)
            late_s = loop.time() - began - seconds
            if observation.cause is not Cause.OWN:
                break
        return Seen(observation=observation, late_s=late_s, sent=found.sent / max(1, connections))


async def looked(folder: Path, behave: Behaviour) -> dict[str, Seen]:
    async with looker(folder) as looking:
        seen = await asyncio.gather(*(seen_by(looking, talk, behave) for talk in TALKS.values()))
    return dict(zip(TALKS, seen, strict=True))


@pytest.fixture(scope="module")
def _libraries(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bring in every client library before memory is counted."""
    uvloop.run(looked(tmp_path_factory.mktemp("libraries"), leaves))


@pytest.mark.usefixtures("_libraries")
@pytest.mark.parametrize("what", HOSTILE)
def test_no_peer_holds_up_a_look_fills_it_up_or_gets_away_with_it(tmp_path: Path, what: str) -> None:
    """All kinds at once, so that their looks may not hold up each other either; together they take what one may take."""
    gc.collect()
    before = psutil.Process().memory_info().rss
    looks = uvloop.run(looked(tmp_path, HOSTILE[what]))
    assert psutil.Process().memory_info().rss - before < MEMORY_LIMIT
    for name, seen in looks.items():
        found = seen.observation
        assert found.outcome is Outcome.DOWN, f"{name}: {found.outcome} {found.cause} {found.found}"
        assert seen.late_s < PATIENCE_S, f"{name} ended {seen.late_s:.1f} s late"
        assert seen.sent < SENT_LIMIT, f"{name} took {seen.sent / MEBIBYTE:.1f} MiB"
        assert found.found
        assert len(found.excerpt) <= EXCERPT_LIMIT


async def pongs(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a healthy server does."""
    await reader.readline()
    await found.send(writer, b"+PONG\r\n")


def test_healthy_checks_beside_hostile_ones_are_seen_as_they_are(tmp_path: Path) -> None:
    """Two hundred looks at once at sixty hostile peers, while twenty healthy ones are looked at again and again."""

    async def main() -> tuple[list[Observation], list[Observation]]:
        async with AsyncExitStack() as stack:
            looking = await stack.enter_async_context(looker(tmp_path))
            behaviours = [list(HOSTILE.values())[number % len(HOSTILE)] for number in range(60)]
            bad = [await stack.enter_async_context(peers.peer(behave)) for behave in behaviours]
            good = [await stack.enter_async_context(peers.peer(pongs)) for _ in range(20)]
            talks = [list(TALKS.values())[number % len(TALKS)] for number in range(200)]
            hostile = asyncio.gather(
                *(
                    looking.look(talk.kind, talk.options(bad[number % len(bad)].port), seconds=4)
                    for number, talk in enumerate(talks)
                )
            )
            healthy = [await asyncio.gather(*(watched(looking, peer) for peer in good))]
            while not hostile.done():
                await asyncio.sleep(0.05)
                healthy.append(await asyncio.gather(*(watched(looking, peer) for peer in good)))
            return await hostile, [seen for round_ in healthy for seen in round_]

    hostile, healthy = uvloop.run(main())
    assert len(hostile) == 200
    assert {seen.outcome for seen in hostile if seen.cause is not Cause.OWN} == {Outcome.DOWN}
    assert len(healthy) >= 20
    assert {seen.outcome for seen in healthy} == {Outcome.OK}


async def watched(looking: Looker, found: Peer) -> Observation:
    options = TALKS["tcp"].options(found.port)
    return await looking.look("tcp", options, seconds=30)
