"""Ping looks at loopback, and what a machine without the right sees."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from monitor.checks import icmp
from monitor.checks.icmp import Echoes
from monitor.checks.ping import PingOptions, judged
from monitor.observation import Cause, Observation, Outcome
from tests.servers.looking import check_of, looker, plan_of


def may_ping() -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return True
    return False


needs_right = pytest.mark.skipif(not may_ping(), reason="needs the right to send ICMP (CAP_NET_RAW)")


def ping(folder: Path, options: dict[str, Any]) -> Observation:
    async def main() -> Observation:
        async with looker(folder, hosts="::1 six.test") as looking:
            return await looking.look("ping", options)

    return uvloop.run(main())


@needs_right
@pytest.mark.parametrize(("host", "address"), [("ok.test", "127.0.0.1"), ("six.test", "::1")])
def test_loopback_answers_over_both_families(tmp_path: Path, host: str, address: str) -> None:
    seen = ping(tmp_path, {"host": host, "count": 2})
    assert (seen.outcome, seen.found, seen.address) == (Outcome.OK, "", address)
    assert 0 < seen.phases["first_byte"] < seen.phases["total"]


@needs_right
def test_looks_at_the_same_time_do_not_take_each_others_echoes(tmp_path: Path) -> None:
    async def main() -> list[Observation]:
        async with looker(tmp_path) as looking:
            return list(await asyncio.gather(*(looking.look("ping", {"count": 2}) for _ in range(20))))

    assert [seen.outcome for seen in uvloop.run(main())] == [Outcome.OK] * 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up a right")
def test_a_process_without_the_right_knows_nothing_and_says_what_helps(tmp_path: Path) -> None:
    """The child becomes nobody before it looks; the group of nobody is not in the range that may ping."""
    script = (
        "import asyncio, os\n"
        "from monitor.checks import icmp\n"
        "from monitor.checks.contract import OwnFaultError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "async def main():\n"
        "    try:\n"
        "        await icmp.echo('127.0.0.1', 1, asyncio.get_running_loop().time() + 5)\n"
        "    except OwnFaultError as fault:\n"
        "        print(fault.look.outcome, fault.look.cause, fault)\n"
        "    else:\n"
        "        print('allowed')\n"
        "asyncio.run(main())\n"
    )

    async def main() -> str:
        run = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        output, _ = await run.communicate()
        return output.decode()

    said = asyncio.run(main())
    if said.startswith("allowed"):
        pytest.skip("this system lets everybody ping")
    assert said.startswith("unknown rights")
    assert "CAP_NET_RAW" in said


@pytest.mark.parametrize(
    ("echoes", "options", "outcome", "cause"),
    [
        (Echoes(round_trips_ms=(1.0, 1.0, 1.0), took_ms=400), {}, Outcome.OK, None),
        (Echoes(round_trips_ms=(1.0, 1.0), took_ms=400), {}, Outcome.OK, None),
        (Echoes(round_trips_ms=(1.0,), took_ms=400), {}, Outcome.WARN, Cause.LOSS),
        (Echoes(round_trips_ms=(), took_ms=400), {}, Outcome.DOWN, Cause.LOSS),
        (
            Echoes(round_trips_ms=(), took_ms=4, refused="the host is unreachable"),
            {},
            Outcome.DOWN,
            Cause.UNREACHABLE,
        ),
        (Echoes(round_trips_ms=(250.0,) * 3, took_ms=900), {"within": "200ms"}, Outcome.WARN, Cause.SLOW),
        (Echoes(round_trips_ms=(1.0, 1.0), took_ms=400), {"loss": 0}, Outcome.WARN, Cause.LOSS),
    ],
)
def test_echoes_are_judged_by_loss_and_time(
    echoes: Echoes, options: dict[str, Any], outcome: Outcome, cause: Cause | None
) -> None:
    seen = judged(echoes, PingOptions.model_validate({"host": "h", **options}))
    assert (seen.outcome, seen.cause) == (outcome, cause)


@given(sequence=st.integers(0, 65535), token=st.binary(min_size=16, max_size=16))
def test_an_echo_is_known_by_its_token_with_and_without_an_ip_header(sequence: int, token: bytes) -> None:
    sent = icmp.packet(8, sequence, token)
    assert icmp.checksum(sent) == 0
    back = b"\0" + sent[1:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(back), 0, 0, 64, 1, 0, bytes(4), bytes(4))
    assert icmp.sequence_of(back, 0, token) == sequence
    assert icmp.sequence_of(header + back, 0, token) == sequence
    assert icmp.sequence_of(back, 0, token[::-1] + b"x") is None


@given(data=st.binary(max_size=200))
def test_whatever_arrives_is_no_echo_of_ours_and_no_trouble(data: bytes) -> None:
    assert icmp.sequence_of(data, 0, b"0123456789abcdef") is None


@pytest.mark.system("ping")
def test_the_line_to_repeat_it_runs(tmp_path: Path) -> None:
    async def main() -> int:
        line = check_of(plan_of("ping", {"count": 1})).reproduce()
        run = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.DEVNULL)
        return await run.wait()

    if not may_ping():
        pytest.skip("needs the right to send ICMP (CAP_NET_RAW)")
    assert asyncio.run(main()) == 0
