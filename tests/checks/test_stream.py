"""Conversations with peers that behave, and with those that do not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from monitor.checks.contract import Look, OwnFaultError, TargetFaultError
from monitor.checks.wire.securing import Trust
from monitor.checks.wire.stream import BYTES_LIMIT, Place, Stream, open_stream
from monitor.observation import EXCERPT_LIMIT, Cause, Outcome
from tests.servers import faults, peers
from tests.servers.certificates import Certificates
from tests.servers.faults import fault_proxy
from tests.servers.looking import Looker, looker
from tests.servers.peers import Behaviour, Peer

# A look ends half a second after its deadline at the latest; the rest is for a machine that others use too.
PATIENCE = 3.5
SOCKET_BUFFERS = 12 << 20

Talk = Callable[[Stream], Awaitable[Any]]


async def talked(
    looking: Looker, place: Place, talk: Talk, *, seconds: float = 0.5, trust: Trust | None = None
) -> tuple[Look, float]:
    """Return what a conversation came to and by how many seconds it ended after its deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        async with open_stream(looking.tools, place, deadline, trust) as stream:
            await talk(stream)
            look = stream.seen()
    except (TargetFaultError, OwnFaultError) as fault:
        look = fault.look
    return look, loop.time() - deadline


def conversation(
    folder: Path,
    behave: Behaviour,
    talk: Talk,
    *,
    seconds: float = 0.5,
    tls: ssl.SSLContext | None = None,
    trust: Trust | None = None,
) -> tuple[Look, Peer]:
    """Hold one conversation, which must end by its deadline whatever the peer does."""

    async def main() -> tuple[Look, Peer]:
        async with peers.peer(behave, tls=tls) as found, looker(folder) as looking:
            place = Place(host="ok.test", port=found.port)
            look, late = await talked(looking, place, talk, seconds=seconds, trust=trust)
            assert late < PATIENCE
            return look, found

    return uvloop.run(main())


def says(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            await found.send(writer, piece)
            await asyncio.sleep(pause)
        await reader.read()

    return behave


def endless(piece: bytes) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await found.send(writer, piece)

    return behave


async def echoes(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        await found.send(writer, data)


async def line(stream: Stream) -> bytes:
    return await stream.read_line()


async def lines(stream: Stream) -> None:
    while True:
        await stream.read_line()


async def everything(stream: Stream) -> None:
    while await stream.read_some():
        pass


def test_pieces_are_joined_and_lines_taken_apart(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def talk(stream: Stream) -> None:
        taken.append(await stream.read_line())
        taken.append(await stream.read_line())
        taken.append(await stream.read_until(b"--"))
        taken.append(await stream.read_exactly(3))
        taken.append(await stream.read_some())

    look, _ = conversation(
        tmp_path, says(b"220 re", b"ady\r", b"\nplain\nfirst -", b"-abcrest", pause=0.01), talk
    )
    assert look.outcome is Outcome.OK
    assert taken == [b"220 ready", b"plain", b"first --", b"abc", b"rest"]


def test_a_look_carries_what_was_learnt(tmp_path: Path) -> None:
    look, found = conversation(tmp_path, says(b"220 ready\r\n"), line)
    assert (look.outcome, look.address, look.excerpt) == (Outcome.OK, "127.0.0.1", "220 ready\r\n")
    assert list(look.phases) == ["name", "connect", "first_byte", "total"]
    assert 0 < look.phases["connect"] <= look.phases["total"]
    assert found.sent == len(look.excerpt)


def test_what_is_written_arrives_however_long(tmp_path: Path) -> None:
    sent = b"0123456789" * 50_000

    async def talk(stream: Stream) -> None:
        both = asyncio.gather(stream.write(sent), stream.read_exactly(len(sent)))
        assert (await both)[1] == sent

    look, _ = conversation(tmp_path, echoes, talk, seconds=20)
    assert look.outcome is Outcome.OK, look.found


def test_the_excerpt_is_bounded(tmp_path: Path) -> None:
    look, _ = conversation(tmp_path, endless(b"x" * 1000), everything, seconds=20)
    assert look.excerpt == "x" * EXCERPT_LIMIT


async def leaves(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once."""


def says_and_leaves(data: bytes) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, data)

    return behave


async def asks(stream: Stream) -> None:
    await stream.write(b"x" * 16 + b"\n")
    await stream.read_line()


async def pours(stream: Stream) -> None:
    while True:
        await stream.write(b"x" * 65536)


async def asks_for_much(stream: Stream) -> None:
    await stream.read_exactly(BYTES_LIMIT + 1)


BYTE_BY_BYTE = says(*[b"x"] * 1000, pause=0.02)
UNANSWERED = (Cause.TIMEOUT_FIRST_BYTE, "no answer within ")
UNFINISHED = (Cause.TIMEOUT_TOTAL, "the answer did not end within ")
CUT = (Cause.RESET, "hung up before its answer was whole")


@pytest.mark.parametrize(
    ("behave", "talk", "verdict"),
    [
        pytest.param(peers.silent, line, UNANSWERED, id="silent"),
        pytest.param(peers.silent, pours, UNANSWERED, id="listens only"),
        pytest.param(BYTE_BY_BYTE, line, UNFINISHED, id="a byte now and then"),
        pytest.param(BYTE_BY_BYTE, everything, UNFINISHED, id="a byte now and then, all wanted"),
        pytest.param(says(b"220"), line, UNFINISHED, id="half a line"),
        pytest.param(leaves, line, CUT, id="closes at once"),
        pytest.param(says_and_leaves(b"220 rea"), line, CUT, id="closes in a line"),
        pytest.param(peers.resets, asks, (Cause.RESET, "the connection was reset"), id="resets"),
        pytest.param(
            says(b"much"),
            asks_for_much,
            (Cause.PROTOCOL, "announced 1048577 bytes, more than is read"),
            id="announces much",
        ),
    ],
)
def test_a_peer_that_does_not_answer_in_full_is_down(
    tmp_path: Path, behave: Behaviour, talk: Talk, verdict: tuple[Cause, str]
) -> None:
    look, _ = conversation(tmp_path, behave, talk)
    assert look.outcome is Outcome.DOWN
    cause, found = verdict
    assert look.cause is cause
    assert look.found.startswith(found)
    assert look.address == "127.0.0.1"
    assert {"name", "connect", "total"} <= set(look.phases)


@pytest.mark.parametrize(
    ("behave", "talk", "found"),
    [
        pytest.param(
            endless(b"x" * 65536), line, "sent more than 8192 bytes without an end", id="no line end"
        ),
        pytest.param(endless(b"x" * 65536), everything, "sent more than 1024 KiB", id="no end"),
        pytest.param(
            endless(b"220-on and on\r\n" * 1000), lines, "sent more than 1024 KiB", id="endless lines"
        ),
        pytest.param(endless(b"\n" * 65536), lines, "sent more than 1024 KiB", id="endless empty lines"),
    ],
)
def test_no_more_is_taken_than_a_mebibyte(tmp_path: Path, behave: Behaviour, talk: Talk, found: str) -> None:
    look, peer = conversation(tmp_path, behave, talk, seconds=20)
    assert (look.outcome, look.cause, look.found) == (Outcome.DOWN, Cause.PROTOCOL, found)
    assert peer.sent <= BYTES_LIMIT + SOCKET_BUFFERS


def test_who_always_has_bytes_ready_does_not_stop_the_others(tmp_path: Path) -> None:
    """The loop beats on while a mebibyte of single bytes is read as fast as it comes."""

    async def main() -> int:
        async with peers.peer(endless(b"\n" * 4096)) as found, looker(tmp_path) as looking:
            place = Place(host="ok.test", port=found.port)
            talking = asyncio.create_task(talked(looking, place, lines, seconds=20))
            beats = 0
            while not talking.done():
                await asyncio.sleep(0.001)
                beats += 1
            assert (await talking)[0].cause is Cause.PROTOCOL
            return beats

    assert uvloop.run(main()) > 10


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (faults.passes, None),
        (faults.delays(0.1), None),
        (faults.delays(2), Cause.TIMEOUT_FIRST_BYTE),
        (faults.trickles(0.01), None),
        (faults.trickles(0.3), Cause.TIMEOUT_TOTAL),
        (faults.hangs_up(5), Cause.RESET),
        (faults.half_closes(5), Cause.RESET),
        (faults.resets(5), Cause.RESET),
        (faults.stalls(5), Cause.TIMEOUT_TOTAL),
        (faults.stalls(), Cause.TIMEOUT_FIRST_BYTE),
    ],
    ids=lambda value: getattr(value, "__qualname__", value),
)
def test_what_networks_do_to_a_good_server_is_told_apart(
    tmp_path: Path, behaviour: Behaviour, cause: Cause | None
) -> None:
    async def main() -> Look:
        async with (
            peers.peer(says(b"220 good day\r\n")) as server,
            fault_proxy(server.port, behaviour) as proxy,
            looker(tmp_path) as looking,
        ):
            look, late = await talked(looking, Place(host="ok.test", port=proxy.port), line, seconds=1.5)
            assert late < PATIENCE
            return look

    look = uvloop.run(main())
    assert (look.outcome, look.cause) == (Outcome.DOWN if cause else Outcome.OK, cause), look.found


def tls_trust(certificates: Certificates, **changes: Any) -> Trust:
    return Trust(name="ok.test", ca=str(certificates.ca_file), **changes)


def test_a_conversation_inside_tls(tmp_path: Path, certificates: Certificates) -> None:
    async def talk(stream: Stream) -> None:
        await stream.write(b"hello\r\n")
        assert await stream.read_line() == b"hello"
        assert stream.identity is not None
        assert stream.identity.version == "1.3"

    look, _ = conversation(
        tmp_path, echoes, talk, tls=certificates.contexts["good"], trust=tls_trust(certificates), seconds=10
    )
    assert (look.outcome, look.found, look.excerpt) == (Outcome.OK, "", "hello\r\n")
    assert list(look.phases) == ["name", "connect", "tls", "first_byte", "total"]
    assert look.tls_expires_at is not None


def test_long_answers_come_through_tls_whole(tmp_path: Path, certificates: Certificates) -> None:
    sent = b"0123456789" * 50_000

    async def talk(stream: Stream) -> None:
        both = asyncio.gather(stream.write(sent), stream.read_exactly(len(sent)))
        assert (await both)[1] == sent

    look, _ = conversation(
        tmp_path, echoes, talk, tls=certificates.contexts["good"], trust=tls_trust(certificates), seconds=20
    )
    assert look.outcome is Outcome.OK, look.found


def test_who_hangs_up_says_so_inside_tls(tmp_path: Path, certificates: Certificates) -> None:
    """A server would otherwise write of a broken connection into its log, once for every look."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as server:

        def serve() -> bytes:
            taken, _ = listener.accept()
            with certificates.contexts["good"].wrap_socket(
                taken, server_side=True, suppress_ragged_eofs=False
            ) as secured:
                return secured.recv(1)

        async def main() -> Look:
            async with looker(tmp_path) as looking:
                place = Place(host="ok.test", port=listener.getsockname()[1])
                return (await talked(looking, place, nothing, trust=tls_trust(certificates), seconds=10))[0]

        end = server.submit(serve)
        assert uvloop.run(main()).outcome is Outcome.OK
        assert end.result(60) == b""


def upgrades(context: ssl.SSLContext, before: bytes = b"") -> Behaviour:
    """Greet in clear, agree to TLS, say `before` in the same breath, and echo lines inside TLS."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, b"220 ready\r\n")
        await reader.readline()
        await found.send(writer, b"220 go ahead\r\n" + before)
        await writer.start_tls(context)
        await echoes(found, reader, writer)

    return behave


def upgrade(certificates: Certificates) -> Talk:
    async def talk(stream: Stream) -> None:
        assert await stream.read_line() == b"220 ready"
        await stream.write(b"STARTTLS\r\n")
        assert await stream.read_line() == b"220 go ahead"
        await stream.secure(tls_trust(certificates))
        await stream.write(b"secret\r\n")
        assert await stream.read_line() == b"secret"

    return talk


def test_a_conversation_may_go_over_to_tls(tmp_path: Path, certificates: Certificates) -> None:
    behave = upgrades(certificates.contexts["good"])
    look, _ = conversation(tmp_path, behave, upgrade(certificates), seconds=10)
    assert (look.outcome, look.found) == (Outcome.OK, "")
    assert list(look.phases) == ["name", "connect", "first_byte", "tls", "total"]


def test_what_was_slipped_in_before_tls_is_not_taken_for_what_comes_inside(
    tmp_path: Path, certificates: Certificates
) -> None:
    behave = upgrades(certificates.contexts["good"], b"250 welcome\r\n")
    look, _ = conversation(tmp_path, behave, upgrade(certificates), seconds=10)
    assert (look.outcome, look.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert look.found == "said more in clear after it had agreed to TLS"


@pytest.mark.parametrize(
    ("what", "cause", "found"),
    [
        ("expired", Cause.CERTIFICATE_EXPIRED, "certificate has expired"),
        ("not yet", Cause.CERTIFICATE_EXPIRED, "certificate is not yet valid"),
        ("other name", Cause.CERTIFICATE_HOST, "made out to ok.test, but to elsewhere.test"),
        ("stranger", Cause.CERTIFICATE_ISSUER, "certificate has an unknown issuer"),
        ("self-signed", Cause.CERTIFICATE_ISSUER, "certificate is self-signed"),
    ],
)
def test_nothing_is_said_to_a_peer_whose_certificate_is_bad(
    tmp_path: Path, certificates: Certificates, what: str, cause: Cause, found: str
) -> None:
    heard: list[bytes] = []

    async def listens(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    look, _ = conversation(
        tmp_path, listens, asks, tls=certificates.contexts[what], trust=tls_trust(certificates), seconds=10
    )
    assert (look.outcome, look.cause) == (Outcome.DOWN, cause)
    assert found in look.found
    assert look.tls_expires_at is not None
    assert "tls" in look.phases
    assert look.excerpt.startswith("TLS 1.3, ")
    assert f"ends {look.tls_expires_at:%Y-%m-%d %H:%M} UTC" in look.excerpt
    assert heard in ([], [b""])


def test_a_bad_certificate_is_no_fault_to_who_does_not_ask(
    tmp_path: Path, certificates: Certificates
) -> None:
    trust = tls_trust(certificates, verify=False)
    look, _ = conversation(
        tmp_path, echoes, nothing, tls=certificates.contexts["expired"], trust=trust, seconds=10
    )
    assert look.outcome is Outcome.OK
    assert look.tls_expires_at is not None


NO_HANDSHAKE = (Cause.TIMEOUT_TLS, "no TLS handshake within ")


@pytest.mark.parametrize(
    ("behave", "cause", "found"),
    [
        pytest.param(peers.silent, *NO_HANDSHAKE, id="silent"),
        pytest.param(says(b"\x16\x03\x03\x40\x00"), *NO_HANDSHAKE, id="the head of a record"),
        pytest.param(
            says(b"\x16\x03\x03\x40\x00\x02", *[b"\0"] * 1000, pause=0.02), *NO_HANDSHAKE, id="byte by byte"
        ),
        pytest.param(
            peers.other_protocol, Cause.PROTOCOL, "no TLS handshake: wrong version number", id="no TLS"
        ),
        pytest.param(endless(b"\xff" * 4096), Cause.PROTOCOL, "no TLS handshake: ", id="garbage"),
        pytest.param(
            endless(b"\x16\x03\x03\x00\x04\0\0\0\0" * 1000), Cause.PROTOCOL, "", id="endless hello requests"
        ),
        pytest.param(leaves, Cause.RESET, "hung up during the TLS handshake", id="closes at once"),
        pytest.param(peers.resets, Cause.RESET, "", id="resets"),
    ],
)
def test_a_handshake_that_never_ends_is_ended(
    tmp_path: Path, certificates: Certificates, behave: Behaviour, cause: Cause, found: str
) -> None:
    look, peer = conversation(tmp_path, behave, nothing, trust=tls_trust(certificates))
    assert (look.outcome, look.cause) == (Outcome.DOWN, cause), look.found
    assert look.found.startswith(found)
    assert peer.sent <= BYTES_LIMIT + SOCKET_BUFFERS


@pytest.mark.parametrize(
    ("behaviour", "causes"),
    [
        (faults.stalls(600), {Cause.TIMEOUT_TLS}),
        (faults.hangs_up(600), {Cause.RESET}),
        (faults.half_closes(600), {Cause.RESET}),
        (faults.resets(600), {Cause.RESET}),
        (faults.garbles(600), {Cause.PROTOCOL}),
        (faults.trickles(0.02), {Cause.TIMEOUT_TLS}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_half_a_handshake_is_told_apart(
    tmp_path: Path, certificates: Certificates, behaviour: Behaviour, causes: set[Cause]
) -> None:
    async def main() -> Look:
        async with (
            peers.peer(echoes, tls=certificates.contexts["good"]) as server,
            fault_proxy(server.port, behaviour) as proxy,
            looker(tmp_path) as looking,
        ):
            place = Place(host="ok.test", port=proxy.port)
            look, late = await talked(looking, place, line, trust=tls_trust(certificates), seconds=1.5)
            assert late < PATIENCE
            return look

    look = uvloop.run(main())
    assert look.outcome is Outcome.DOWN
    assert look.cause in causes, look.found


def test_noise_inside_tls_is_no_answer(tmp_path: Path, certificates: Certificates) -> None:
    """The proxy leaves the handshake alone and garbles what follows: tickets and the answer."""

    async def talk(stream: Stream) -> None:
        await stream.write(b"x" * 4000 + b"\r\n")
        await stream.read_line()

    async def main() -> Look:
        async with (
            peers.peer(echoes, tls=certificates.contexts["good"]) as server,
            fault_proxy(server.port, faults.garbles(4000)) as proxy,
            looker(tmp_path) as looking,
        ):
            place = Place(host="ok.test", port=proxy.port)
            return (await talked(looking, place, talk, trust=tls_trust(certificates), seconds=10))[0]

    look = uvloop.run(main())
    assert (look.outcome, look.cause) == (Outcome.DOWN, Cause.PROTOCOL), look.found
    assert look.found.startswith("broken TLS")


def test_an_address_that_shakes_no_hands_leaves_time_for_the_next(
    tmp_path: Path, certificates: Certificates
) -> None:
    async def main() -> Look:
        async with peers.peer(peers.silent, host="127.0.0.2") as mute:
            server = await asyncio.start_server(
                _echoed, "127.0.0.3", mute.port, ssl=certificates.contexts["good"]
            )
            async with looker(tmp_path, hosts="127.0.0.2 twins.test\n127.0.0.3 twins.test") as looking:
                place = Place(host="twins.test", port=mute.port)
                look, late = await talked(looking, place, asks, trust=tls_trust(certificates), seconds=4)
            server.close()
            await server.wait_closed()
            assert late < 0
            return look

    look = uvloop.run(main())
    assert (look.outcome, look.address) == (Outcome.OK, "127.0.0.3"), look.found


def test_nothing_is_left_of_five_hundred_looks(tmp_path: Path, certificates: Certificates) -> None:
    """No task, no thread, no descriptor, whatever way a look ended."""
    ways: list[tuple[Behaviour, Talk, bool]] = [
        (says(b"220 ready\r\n"), line, False),
        (says(), line, False),
        (leaves, line, False),
        (peers.resets, asks, False),
        (endless(b"x" * 65536), line, False),
        (says(), nothing, True),
        (peers.other_protocol, nothing, True),
        (leaves, nothing, True),
    ]

    async def main() -> tuple[list[int], list[int]]:
        before: list[int] = []
        async with AsyncExitStack() as stack:
            looking = await stack.enter_async_context(looker(tmp_path))
            places = [
                Place(host="ok.test", port=(await stack.enter_async_context(peers.peer(behave))).port)
                for behave, _, _ in ways
            ]
            closed = Place(host="ok.test", port=peers.refused_port())
            good = await stack.enter_async_context(peers.peer(echoes, tls=certificates.contexts["good"]))
            for turn in range(500):
                _, talk, secret = ways[turn % len(ways)]
                trust = tls_trust(certificates) if secret else None
                await talked(looking, places[turn % len(ways)], talk, trust=trust, seconds=0.01)
                if turn % 50 == 0:
                    await talked(looking, closed, line)
                    inside = Place(host="ok.test", port=good.port)
                    await talked(looking, inside, asks, trust=tls_trust(certificates), seconds=5)
                if turn == 99:
                    before = await _settled()
            return before, await _settled()

    before, after = uvloop.run(main())
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


async def _settled() -> list[int]:
    """Return how many descriptors, threads and tasks there are, once the peers have noticed who hung up."""
    seen: list[int] = []
    for _ in range(100):
        now = [psutil.Process().num_fds(), threading.active_count(), len(asyncio.all_tasks())]
        if now == seen:
            break
        seen = now
        await asyncio.sleep(0.2)
    return seen


async def _echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def nothing(_stream: Stream) -> None:
    """Say nothing and hang up."""
