"""TCP looks at real listeners."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import uvloop

from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.looking import check_of, looker, plan_of


def test_an_open_port_is_ok(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.silent) as found, looker(tmp_path) as looking:
            return await looking.look("tcp", {"port": found.port})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.address, set(seen.phases)) == (Outcome.OK, "127.0.0.1", {"name", "connect"})


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
