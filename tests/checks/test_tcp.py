"""TCP looks at real listeners."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.errors import RefusedError
from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.certificates import Certificates
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.peers import Behaviour, Peer


def test_an_open_port_is_ok(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.silent) as found, looker(tmp_path) as looking:
            return await looking.look("tcp", {"port": found.port})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.address) == (Outcome.OK, "127.0.0.1")
    assert set(seen.phases) == {"name", "connect", "total"}


def test_a_closed_port_is_refused_and_the_line_says_the_same(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with looker(tmp_path) as looking:
            return await looking.look("tcp", {"host": "ok.test", "port": peers.refused_port()})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)
    assert seen.reproduce.startswith("nc -vz -w 2 127.0.0.1 ")


def test_a_full_queue_of_connections_times_out(tmp_path: Path) -> None:
    """A listener that never accepts and whose queue is full drops what comes, as a host that is gone would."""

    async def main() -> Observation:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            try:
                async with looker(tmp_path) as looking:
                    return await looking.look("tcp", {"port": port}, seconds=0.5)
            finally:
                for filler in fillers:
                    filler.close()

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_CONNECT)


def test_the_next_address_is_tried_when_the_first_refuses(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with (
            peers.peer(peers.silent, host="127.0.0.2") as found,
            looker(tmp_path, hosts="127.0.0.3 twins.test\n127.0.0.2 twins.test") as looking,
        ):
            return await looking.look("tcp", {"host": "twins.test", "port": found.port})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.address) == (Outcome.OK, "127.0.0.2")


def test_a_name_without_an_address_of_that_family_is_dead(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with looker(tmp_path) as looking:
            return await looking.look("tcp", {"host": "ok.test", "port": 80, "family": "ipv6"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause, seen.found) == (Outcome.DOWN, Cause.NAME, "ok.test has no ipv6 address")


async def redis(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer PING as Redis does, and everything else by an error."""
    while line := await reader.readline():
        await found.send(writer, b"+PONG\r\n" if line == b"PING\r\n" else b"-ERR unknown\r\n")


def says(*pieces: bytes, stays: bool = True) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            await found.send(writer, piece)
            await asyncio.sleep(0.05)
        if stays:
            await reader.read()

    return behave


def floods(piece: bytes) -> Behaviour:
    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await found.send(writer, piece)
            await asyncio.sleep(0)

    return behave


def looked(folder: Path, behave: Behaviour, seconds: float = 10, **options: Any) -> Observation:
    async def main() -> Observation:
        async with peers.peer(behave) as found, looker(folder) as looking:
            return await looking.look("tcp", {"port": found.port, **options}, seconds=seconds)

    return uvloop.run(main())


@pytest.mark.parametrize(
    ("behave", "options"),
    [
        (redis, {"send": "PING\r\n", "expect": {"contains": "+PONG"}}),
        (redis, {"send": "PING\r\n", "expect": {"matches": "^\\+PONG\r\n"}}),
        (redis, {"send": "PING\r\nPING\r\n", "expect": {"matches": "PONG\\s+\\+PONG"}}),
        (redis, {"send": "PING\r\n"}),
        (says(b"SSH-2.0-Open", b"SSH_9.2\r\n"), {"expect": {"contains": ["SSH-2.0", "OpenSSH"]}}),
        (says(b"a\xff", b"\xc3\xb1o", stays=False), {"expect": {"contains": "ño"}}),
        (says(*[b"x"] * 30, b"end"), {"expect": {"contains": "end", "matches": "x{30}"}}),
        (floods(b"x" * 1000), {"expect": {"matches": "x{1000}"}}),
    ],
)
def test_what_comes_as_expected_is_fine(tmp_path: Path, behave: Behaviour, options: dict[str, Any]) -> None:
    seen = looked(tmp_path, behave, **options)
    assert (seen.outcome, seen.found) == (Outcome.OK, "")


@pytest.mark.parametrize(
    ("behave", "options", "cause", "found"),
    [
        (
            redis,
            {"send": "HELLO\r\n", "expect": {"contains": "+PONG"}},
            Cause.CONTENT,
            "said '-ERR unknown\\r\\n', expected '+PONG'",
        ),
        (
            says(b"SSH-1.99-old\r\n"),
            {"expect": {"matches": "^SSH-2"}},
            Cause.CONTENT,
            "said 'SSH-1.99-old\\r\\n', expected a match of '^SSH-2'",
        ),
        (
            says(b"one two", stays=False),
            {"expect": {"contains": ["one", "three"]}},
            Cause.CONTENT,
            "said 'one two', expected 'three', and hung up",
        ),
        (
            floods(b"all work and no play "),
            {"expect": {"contains": "end"}},
            Cause.CONTENT,
            "64 KiB came without 'end'",
        ),
        (
            says(*[b"."] * 100),
            {"expect": {"contains": "end"}},
            Cause.CONTENT,
            "said '...",
        ),
        (peers.silent, {"expect": {"contains": "end"}}, Cause.TIMEOUT_FIRST_BYTE, "no answer within "),
        (says(stays=False), {"expect": {"contains": "end"}}, Cause.RESET, "hung up without an answer"),
        (
            peers.resets,
            {"send": "sixteen letters.", "expect": {"contains": "end"}},
            Cause.RESET,
            "the connection was reset",
        ),
    ],
)
def test_what_comes_instead_is_told(
    tmp_path: Path, behave: Behaviour, options: dict[str, Any], cause: Cause, found: str
) -> None:
    seen = looked(tmp_path, behave, 1, **options)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)


def test_what_came_back_is_kept_and_what_was_said_is_not(tmp_path: Path) -> None:
    seen = looked(tmp_path, says(b"220 mail.test\r\n"), 0.5, send="secret\r\n", expect={"contains": "250"})
    assert seen.excerpt == "220 mail.test\n"
    assert "secret" not in seen.found


def test_crumbs_do_not_keep_a_processor_busy(tmp_path: Path) -> None:
    """A byte at a time, as fast as it goes, with a pattern that has to read everything again for each."""
    began = time.process_time()
    seen = looked(tmp_path, floods(b"a"), 2, expect={"matches": "(a|b)*c"})
    assert seen.cause is Cause.CONTENT
    assert time.process_time() - began < 5


def test_everything_may_be_said_inside_tls(tmp_path: Path, certificates: Certificates) -> None:
    async def main(what: str, **options: Any) -> Observation:
        async with (
            peers.peer(redis, tls=certificates.contexts[what]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            given = {"host": "ok.test", "port": found.port, "tls": True, **options}
            return await looking.look("tcp", {**PING, **given}, seconds=10)

    fine = uvloop.run(main("good"))
    assert (fine.outcome, fine.found) == (Outcome.OK, "")
    assert fine.tls_expires_at is not None
    assert "tls" in fine.phases
    assert uvloop.run(main("expired")).cause is Cause.CERTIFICATE_EXPIRED
    assert uvloop.run(main("expired", verify=False)).cause is Cause.CERTIFICATE_ENDING
    assert uvloop.run(main("ending")).cause is Cause.CERTIFICATE_ENDING
    assert uvloop.run(main("ending", certificate="2d")).outcome is Outcome.OK
    assert uvloop.run(main("other name", tls_name="elsewhere.test")).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({}, "at least one of contains and matches"),
        ({"matches": "(?<=a)b"}, "RE2 does not take this pattern"),
        ({"matches": ""}, "expect.matches"),
        ({"contains": ""}, "none of them empty"),
    ],
)
def test_an_expectation_of_nothing_or_of_what_cannot_be_is_refused(expect: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        check_of(plan_of("tcp", {"port": 22, "expect": expect}))


PING = {"send": "PING\r\n", "expect": {"contains": "+PONG"}}


@pytest.mark.system("nc")
def test_the_line_to_repeat_it_runs(tmp_path: Path) -> None:
    async def main() -> list[int | None]:
        async with peers.peer(peers.silent) as found:
            ports = (found.port, peers.refused_port())
            checks = [check_of(plan_of("tcp", {"port": port})) for port in ports]
            runs = [
                await asyncio.create_subprocess_shell(check.reproduce(), stderr=asyncio.subprocess.DEVNULL)
                for check in checks
            ]
            return [await run.wait() for run in runs]

    assert uvloop.run(main()) == [0, 1]


@pytest.mark.system("nc", "openssl", "grep", "timeout")
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("options", "status"),
    [
        (PING, 0),
        ({"send": "PING\r\n", "expect": {"contains": ["+PONG", "PON"], "matches": "^.PONG"}}, 0),
        ({"send": "PING\r\n", "expect": {"contains": ["+PONG", "250"]}}, 1),
        ({"send": "HELLO\\\t%s 'ñ'\r\n", "expect": {"contains": "+PONG"}}, 1),
        ({"send": "HELLO\r\n", "expect": {"matches": "^-ERR unkn.wn"}}, 0),
    ],
)
def test_the_line_to_repeat_a_conversation_sees_the_same(
    tmp_path: Path, certificates: Certificates, options: dict[str, Any], status: int, tls: bool
) -> None:
    context = certificates.contexts["good"] if tls else None

    async def main() -> tuple[Observation, int]:
        async with (
            peers.peer(redis, tls=context) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            secured = {"tls": True, "ca": str(certificates.ca_file)} if tls else {}
            given = {"host": "ok.test", "port": found.port, **secured, **options}
            seen = await looking.look("tcp", given, seconds=2)
            line = check_of(plan_of("tcp", given)).reproduce(timeout=timedelta(seconds=2))
            line = line.replace("ok.test:", "127.0.0.1:").replace("nc ok.test", "nc 127.0.0.1")
            run = await asyncio.create_subprocess_shell(
                line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            return seen, await run.wait()

    seen, ended = uvloop.run(main())
    assert ended == status
    assert (seen.outcome is Outcome.OK) == (status == 0)
