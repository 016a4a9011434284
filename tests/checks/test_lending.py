"""Client libraries that only know blocking sockets, on streams that are lent to them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from monitor.checks.contract import Look, TargetFaultError
from monitor.checks.wire.lending import lend
from monitor.checks.wire.securing import Trust
from monitor.checks.wire.stream import Place, open_stream
from monitor.observation import Cause, Outcome
from tests.servers import peers
from tests.servers.certificates import Certificates
from tests.servers.looking import Looker, looker
from tests.servers.peers import Behaviour, Peer

PATIENCE = 3.5

Work = Callable[[socket.socket], Any]


async def lent(
    looking: Looker, port: int, work: Work, *, seconds: float = 0.5, trust: Trust | None = None
) -> tuple[Any, float]:
    """Return what the library made of it, or the look of the fault, and by how many seconds it ended after its deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    made: Any
    try:
        async with open_stream(looking.tools, Place(host="ok.test", port=port), deadline, trust) as stream:
            made = await lend(stream, work)
    except TargetFaultError as fault:
        made = fault.look
    return made, loop.time() - deadline


def made_of(
    folder: Path, behave: Behaviour, work: Work, *, seconds: float = 0.5, tls: Any = None, trust: Any = None
) -> Any:
    """Lend one stream; it has to come back by its deadline, and the thread of the library to be gone with it."""

    async def main() -> Any:
        async with peers.peer(behave, tls=tls) as found, looker(folder) as looking:
            made, late = await lent(looking, found.port, work, seconds=seconds, trust=trust)
            assert late < PATIENCE
            await no_thread_is_left()
            return made

    return uvloop.run(main())


async def no_thread_is_left() -> None:
    for _ in range(600):
        if not libraries():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still there: {libraries()}")


def libraries() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "client library"]


async def echoes(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        await found.send(writer, data)


def endless(piece: bytes) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await found.send(writer, piece)

    return behave


def greets_and(then: str) -> Behaviour:
    """Greet, and then reset, close or keep silent."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, b"hello\n")
        await reader.read(64)
        if then == "reset":
            peers.cut(writer)
        elif then == "silence":
            await peers.silent(found, reader, writer)

    return behave


def line_of(sock: socket.socket) -> bytes:
    with sock.makefile("rb") as lines:
        return lines.readline()


def asked(sock: socket.socket) -> bytes:
    sock.sendall(b"hello\n")
    return line_of(sock)


def read_for_ever(sock: socket.socket) -> None:
    """Ignore every end and every time limit, as a library might."""
    sock.settimeout(None)
    while True:
        sock.recv(4096)


def read_into_for_ever(sock: socket.socket) -> None:
    room = bytearray(4096)
    while True:
        sock.recv_into(room)


def written_for_ever(sock: socket.socket) -> None:
    """Take no error for an answer."""
    while True:
        try:
            sock.sendall(b"x" * 65536)
        except OSError:
            continue


def polled_for_ever(sock: socket.socket) -> None:
    sock.settimeout(0.01)
    while True:
        try:
            sock.recv(1)
        except TimeoutError:
            continue


def test_a_library_talks_to_the_peer(tmp_path: Path) -> None:
    assert made_of(tmp_path, echoes, asked, seconds=10) == b"hello\n"


def test_a_library_talks_through_tls_without_knowing(tmp_path: Path, certificates: Certificates) -> None:
    trust = Trust(name="ok.test", ca=str(certificates.ca_file))
    made = made_of(tmp_path, echoes, asked, seconds=10, tls=certificates.contexts["good"], trust=trust)
    assert made == b"hello\n"


def test_long_answers_arrive_whole(tmp_path: Path) -> None:
    sent = b"0123456789" * 50_000

    def work(sock: socket.socket) -> bytes:
        sending = threading.Thread(target=sock.sendall, args=(sent,))
        sending.start()
        taken = bytearray()
        while len(taken) < len(sent):
            taken += sock.recv(65536)
        sending.join()
        return bytes(taken)

    assert made_of(tmp_path, echoes, work, seconds=20) == sent


def test_what_a_library_raises_is_the_callers_to_judge(tmp_path: Path) -> None:
    def work(_sock: socket.socket) -> None:
        raise LookupError("no such user")

    with pytest.raises(LookupError, match="no such user"):
        made_of(tmp_path, echoes, work, seconds=10)


def test_a_library_may_think_on_after_it_has_hung_up(tmp_path: Path) -> None:
    def work(sock: socket.socket) -> str:
        asked(sock)
        sock.close()
        threading.Event().wait(0.3)
        return "thought"

    assert made_of(tmp_path, echoes, work, seconds=10) == "thought"


def test_a_peer_that_resets_whom_it_has_served_is_no_fault(tmp_path: Path) -> None:
    """Databases do so with clients that say goodbye."""

    def work(sock: socket.socket) -> bytes:
        greeting = line_of(sock)
        sock.sendall(b"quit\n")
        sock.recv(1)
        return greeting

    assert made_of(tmp_path, greets_and("reset"), work, seconds=10) == b"hello\n"


def test_a_peer_that_resets_in_the_middle_is_one(tmp_path: Path) -> None:
    def work(sock: socket.socket) -> None:
        line_of(sock)
        sock.sendall(b"more\n")
        if not sock.recv(1):
            raise EOFError

    look = made_of(tmp_path, greets_and("reset"), work, seconds=10)
    assert (look.cause, look.excerpt) == (Cause.RESET, "hello\n")


def test_a_peer_that_hangs_up_is_the_librarys_to_judge(tmp_path: Path) -> None:
    def work(sock: socket.socket) -> None:
        line_of(sock)
        sock.sendall(b"more\n")
        if not sock.recv(1):
            raise EOFError("closed")

    with pytest.raises(EOFError, match="closed"):
        made_of(tmp_path, greets_and("close"), work, seconds=10)


@pytest.mark.parametrize(
    "work",
    [read_for_ever, read_into_for_ever, written_for_ever, polled_for_ever, line_of, asked],
    ids=lambda work: work.__name__,
)
@pytest.mark.parametrize(
    ("behave", "causes"),
    [
        (peers.silent, {Cause.TIMEOUT_FIRST_BYTE}),
        (greets_and("silence"), {Cause.TIMEOUT_TOTAL}),
        (endless(b"x" * 65536), {Cause.PROTOCOL}),
    ],
    ids=["silent", "silent after a greeting", "endless"],
)
def test_no_library_outlives_the_deadline(
    tmp_path: Path, behave: Behaviour, causes: set[Cause], work: Work
) -> None:
    made = made_of(tmp_path, behave, work)
    if made == b"hello\n":
        return
    assert isinstance(made, Look)
    assert made.outcome is Outcome.DOWN
    # Who only writes to a peer that only writes is stopped by the time instead.
    assert made.cause in causes | {Cause.TIMEOUT_TOTAL}, made.found


def test_a_library_that_takes_no_end_for_an_answer_is_ended(tmp_path: Path) -> None:
    """The peer hangs up properly, and the library reads the end again and again."""

    async def leaves(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, b"hello\n")

    look = made_of(tmp_path, leaves, read_for_ever, seconds=5)
    assert (look.cause, look.found) == (Cause.RESET, "hung up before its answer was whole")


def test_a_library_without_end_is_left_behind_in_time(tmp_path: Path) -> None:
    """Nothing can end a thread that waits for something else than its socket; the look does not wait with it."""
    over = threading.Event()

    async def main() -> tuple[Any, float]:
        async with peers.peer(peers.silent) as found, looker(tmp_path) as looking:
            return await lent(looking, found.port, lambda _sock: over.wait(60))

    made, late = uvloop.run(main())
    over.set()
    assert (made.cause, late < PATIENCE) == (Cause.TIMEOUT_FIRST_BYTE, True)


def test_a_look_that_is_dropped_takes_its_library_along(tmp_path: Path) -> None:
    async def main() -> None:
        async with peers.peer(peers.silent) as found, looker(tmp_path) as looking:
            look = asyncio.create_task(lent(looking, found.port, read_for_ever, seconds=60))
            await asyncio.sleep(0.2)
            look.cancel()
            with pytest.raises(asyncio.CancelledError):
                await look
            await no_thread_is_left()

    uvloop.run(main())


def test_five_hundred_looks_leave_no_thread_no_task_and_no_descriptor(tmp_path: Path) -> None:
    works = [asked, line_of, read_for_ever, written_for_ever, polled_for_ever]

    async def main() -> tuple[tuple[int, ...], tuple[int, ...]]:
        async with (
            peers.peer(echoes) as echo,
            peers.peer(endless(b"x" * 65536)) as flood,
            looker(tmp_path) as looking,
        ):
            before: tuple[int, ...] = ()
            for turn in range(100):
                five = [(works[(turn + each) % 5], (echo, flood)[each % 2].port) for each in range(5)]
                await asyncio.gather(*(lent(looking, port, work, seconds=0.05) for work, port in five))
                if turn == 20:
                    before = await settled()
            return before, await settled()

    before, after = uvloop.run(main())
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


async def settled() -> tuple[int, ...]:
    """Return how many descriptors, threads and tasks there are, once everybody has noticed who hung up."""
    await no_thread_is_left()
    seen: tuple[int, ...] = ()
    for _ in range(100):
        now = (psutil.Process().num_fds(), threading.active_count(), len(asyncio.all_tasks()))
        if now == seen:
            break
        seen = now
        await asyncio.sleep(0.2)
    return seen
