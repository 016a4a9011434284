"""What the shared engine keeps between looks, and what it must not."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import (
    BODY_LIMIT,
    ClientCertificate,
    Exchange,
    Proxy,
    Request,
    TargetFaultError,
)
from monitor.observation import Cause
from monitor.prober.transport import CurlTransport, is_plain
from tests.servers import peers
from tests.servers.certificates import make_certificates, wall_time

# Where a request goes and when it ends, which is set anew for every look, and what the handles are kept apart by.
AIM = {"url", "address", "connect_within", "version"}
TELLING = {
    "method": "HEAD",
    "headers": (("Authorization", "Bearer abc"),),
    "body": b"secret",
    "verify": False,
    "ca_file": "/own/ca.pem",
    "certificate": ClientCertificate(file="/own/client.pem"),
    "proxy": Proxy(port=3128, user="us", password="hunter2"),
}


def request(port: int, path: str = "", **others: Any) -> Request:
    return Request(url=f"http://ok.test:{port}/{path}", address="127.0.0.1", **others)


async def fetched(transport: CurlTransport, wanted: Request, seconds: float = 30.0) -> Exchange:
    return await transport.fetch(wanted, asyncio.get_running_loop().time() + seconds)


def test_only_what_tells_nothing_but_its_url_is_plain() -> None:
    assert is_plain(request(80, version="auto", connect_within=1.0))
    # A field of a request that is new must be weighed here as well.
    assert set(Request._fields) == AIM | TELLING.keys()
    assert [name for name, value in TELLING.items() if is_plain(request(80, **{name: value}))] == []


async def failed(transport: CurlTransport, _port: int) -> None:
    with pytest.raises(TargetFaultError):
        await fetched(transport, request(peers.refused_port()))


async def cancelled(transport: CurlTransport, port: int) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fetched(transport, request(port, "silent")), 0.1)


async def cut(transport: CurlTransport, port: int) -> None:
    assert (await fetched(transport, request(port, "endless"))).truncated


async def late(transport: CurlTransport, port: int) -> None:
    with pytest.raises(TargetFaultError) as raised:
        await fetched(transport, request(port, "silent"), 0.1)
    assert raised.value.look.cause is Cause.TIMEOUT_FIRST_BYTE


async def telling(transport: CurlTransport, port: int) -> None:
    await fetched(transport, request(port, headers=(("Authorization", "Bearer abc"), ("X-Own", "1"))))


async def sending(transport: CurlTransport, port: int) -> None:
    for method in ("POST", "PUT", "DELETE"):
        await fetched(transport, request(port, method=method, body=b"secret"))


async def without_body(transport: CurlTransport, port: int) -> None:
    assert not (await fetched(transport, request(port, method="HEAD"))).body


async def through_a_proxy(transport: CurlTransport, port: int) -> None:
    async with peers.peer(peers.answer()) as found:
        proxy = Proxy(port=found.port, user="us", password="hunter2")
        await fetched(transport, request(port, proxy=proxy))


@pytest.mark.parametrize(
    "other",
    [failed, cancelled, cut, late, telling, sending, without_body, through_a_proxy],
    ids=lambda other: other.__name__,
)
def test_nothing_of_another_look_is_in_a_plain_one(other: Any) -> None:
    """The peer sets a cookie with every answer, and must never see it again."""

    async def main() -> tuple[list[bytes], list[Exchange]]:
        behave = peers.by_path(
            root=peers.answer(),
            silent=peers.silent,
            endless=peers.endless_body,
            plain=peers.answer(body=b"x", Set_Cookie="a=1"),
        )
        async with peers.peer(behave) as found:
            transport = CurlTransport()
            answers = []
            for number in range(3):
                answers.append(await fetched(transport, request(found.port, "plain")))
                if number < 2:
                    await other(transport, found.port)
            await transport.close()
            return [head for head in found.asked if head.startswith(b"GET /plain ")], answers

    asked, answers = uvloop.run(main())
    assert len(asked) == 3
    assert len(set(asked)) == 1
    assert asked[0].split(b"\r\n")[2:] == [
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"User-Agent: Vigia/1 (status monitoring)",
        b"",
        b"",
    ]
    assert {(one.status, one.body, one.truncated) for one in answers} == {(200, b"x", False)}


def test_what_came_is_let_go(tmp_path: Path) -> None:
    """Handles wait for the next look without a byte of the one before."""
    certificates = make_certificates(tmp_path, wall_time())

    async def main() -> int:
        body = b"x" * (BODY_LIMIT - 1)
        async with (
            peers.peer(peers.answer(body=body)) as found,
            peers.peer(peers.answer(body=body), tls=certificates.contexts["good"]) as safe,
        ):
            transport = CurlTransport(str(certificates.ca_file))
            wanted = [
                request(found.port),
                request(found.port, headers=(("X-Own", "1"),)),
                Request(url=f"https://ok.test:{safe.port}/", address="127.0.0.1"),
            ]
            for one in wanted:
                assert (await fetched(transport, one)).body == body
            kept = [one for one in gc.get_objects() if type(one).__name__ == "_Handle"]
            assert not any(len(one.heads) + len(one.body) + one.truncated for one in kept)
            await transport.close()
            return len(kept)

    assert uvloop.run(main()) >= 2


def test_more_transfers_than_the_loop_gives_at_one_go_all_end() -> None:
    async def main() -> list[int]:
        async with peers.peer(peers.late(0.05, peers.answer(body=b"x" * 9000))) as found:
            transport = CurlTransport()
            wanted = [fetched(transport, request(found.port, str(number))) for number in range(400)]
            seen = await asyncio.gather(*wanted)
            await transport.close()
            return [one.status for one in seen if len(one.body) == 9000]

    assert uvloop.run(main()) == [200] * 400


def test_whoever_waits_when_the_engine_is_closed_is_cancelled() -> None:
    async def main() -> bool:
        asked = asyncio.Event()

        async def silent(
            found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await found.head(reader)
            asked.set()
            await reader.read()

        async with peers.peer(silent) as found:
            transport = CurlTransport()
            waiting = asyncio.create_task(fetched(transport, request(found.port)))
            await asyncio.wait_for(asked.wait(), 60)
            await transport.close()
            await asyncio.wait([waiting])
            return waiting.cancelled()

    assert uvloop.run(main())
