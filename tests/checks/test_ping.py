"""Ping looks at loopback, and what a machine without the right sees."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from monitor.checks.ping import PingOptions, judged
from monitor.checks.wire import icmp
from monitor.checks.wire.icmp import Echoes
from monitor.errors import RefusedError
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
    measured = {measure.name: measure.value for measure in seen.measures}
    assert set(measured) == {"loss_ratio", "round_trip_seconds", "jitter_seconds"}
    assert measured["loss_ratio"] == 0
    assert measured["round_trip_seconds"] == pytest.approx(seen.phases["first_byte"] / 1000)
    assert 0 <= measured["jitter_seconds"] < 60


@needs_right
def test_all_echoes_are_sent_although_the_time_is_short(tmp_path: Path) -> None:
    """Echoes that there was no time to send would look like lost ones."""
    seen = ping(tmp_path, {"count": 20, "interval": "1s", "loss": 0})
    assert (seen.outcome, seen.found) == (Outcome.OK, "")


def test_echoes_are_sent_close_to_each_other() -> None:
    with pytest.raises(RefusedError, match="allowed is at most 1s"):
        check_of(plan_of("ping", {"interval": "2s"}))


ALONE = (
    "import asyncio, sys\n"
    "from pathlib import Path\n"
    "from tests.servers.looking import looker\n"
    "async def main():\n"
    "    both = '192.0.2.1 both.test\\n127.0.0.1 both.test'\n"
    "    async with looker(Path(sys.argv[1]), hosts=both) as looking:\n"
    "        for host in sys.argv[2:]:\n"
    "            seen = await looking.look('ping', {'host': host, 'count': 2}, seconds=1)\n"
    "            print(host, seen.outcome, seen.cause, seen.found, sep='|')\n"
    "asyncio.run(main())\n"
)


@pytest.mark.system("unshare", "ip")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network of its own")
def test_a_network_that_swallows_or_refuses_is_told_apart_from_our_own_trouble(tmp_path: Path) -> None:
    """In a network of the test's own: an interface that leads nowhere, a route that refuses, and no route at all.

    Of two addresses, the one is asked that a route leads to.
    """
    setting = (
        "ip link set lo up && ip link add nowhere type veth && ip link set veth0 up && ip link set nowhere up "
        "&& ip addr add 198.51.100.1/24 dev nowhere && ip route add unreachable 203.0.113.0/24 "
        "&& ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:01 dev nowhere"
    )
    looks = [
        sys.executable,
        "-c",
        ALONE,
        str(tmp_path),
        "198.51.100.2",
        "203.0.113.1",
        "192.0.2.1",
        "both.test",
    ]
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{setting} && exec "$@"', "sh", *looks],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Operation not permitted" in run.stderr:
        pytest.skip("this machine does not let us make a network of our own")
    assert run.stdout.splitlines() == [
        "198.51.100.2|down|loss|none of 2 echoes came back",
        "203.0.113.1|down|unreachable|the host is unreachable",
        "192.0.2.1|unknown|own|this machine has no route to 192.0.2.1; see `ip route get 192.0.2.1`",
        "both.test|ok|None|",
    ], run.stderr


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
        "from monitor.checks.wire import icmp\n"
        "from monitor.checks.contract import OwnFaultError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "async def main():\n"
        "    try:\n"
        "        await icmp.echo('127.0.0.1', 1, 0.2, asyncio.get_running_loop().time() + 5)\n"
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


def echoes(*round_trips_ms: float, sent: int = 3, refused: str = "") -> Echoes:
    return Echoes(sent=sent, round_trips_ms=round_trips_ms, took_ms=400, refused=refused)


@pytest.mark.parametrize(
    ("back", "options", "outcome", "cause", "found"),
    [
        (echoes(1, 1, 1), {}, Outcome.OK, None, ""),
        (echoes(1, 1), {}, Outcome.OK, None, ""),
        (echoes(1), {}, Outcome.WARN, Cause.LOSS, "1 of 3 echoes came back"),
        (echoes(), {}, Outcome.DOWN, Cause.LOSS, "none of 3 echoes came back"),
        (echoes(refused="no route"), {}, Outcome.DOWN, Cause.UNREACHABLE, "no route"),
        (
            echoes(250, 250, 250),
            {"within": "200ms"},
            Outcome.WARN,
            Cause.SLOW,
            "250.0 ms, expected within 200 ms",
        ),
        (echoes(1, 1), {"loss": 0}, Outcome.WARN, Cause.LOSS, "2 of 3 echoes came back"),
        (echoes(1, 1, sent=2), {"loss": 0, "count": 20}, Outcome.OK, None, ""),
        (echoes(10, 60, 30), {"jitter": "40ms"}, Outcome.OK, None, ""),
        (
            echoes(10, 60, 30),
            {"jitter": "39ms"},
            Outcome.WARN,
            Cause.SLOW,
            "40.0 ms of jitter, expected within 39 ms",
        ),
        (echoes(10, sent=1), {"jitter": "1ms"}, Outcome.OK, None, ""),
    ],
)
def test_echoes_are_judged_by_loss_time_and_jitter(
    back: Echoes, options: dict[str, Any], outcome: Outcome, cause: Cause | None, found: str
) -> None:
    seen = judged(back, PingOptions.model_validate({"host": "h", **options}))
    assert (seen.outcome, seen.cause, seen.found) == (outcome, cause, found)


def test_figures_are_kept_of_what_came_back() -> None:
    seen = judged(echoes(10, 60), PingOptions(host="h"))
    assert {measure.name: (round(measure.value, 4), measure.unit) for measure in seen.measures} == {
        "loss_ratio": (0.3333, "ratio"),
        "round_trip_seconds": (0.035, "seconds"),
        "jitter_seconds": (0.05, "seconds"),
    }
    assert [measure.name for measure in judged(echoes(), PingOptions(host="h")).measures] == ["loss_ratio"]


@given(sequence=st.integers(0, 65535), token=st.binary(min_size=16, max_size=16))
def test_an_echo_is_known_by_its_token_with_and_without_an_ip_header(sequence: int, token: bytes) -> None:
    sent = icmp.packet(8, sequence, token)
    assert icmp.checksum(sent) == 0
    back = b"\0" + sent[1:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(back), 0, 0, 64, 1, 0, bytes(4), bytes(4))
    assert icmp.sequence_of(back, 0, token) == sequence
    assert icmp.sequence_of(header + back, 0, token) == sequence
    assert icmp.sequence_of(back, 0, token[::-1] + b"x") is None


@pytest.mark.system("ping")
def test_the_line_to_repeat_it_runs(tmp_path: Path) -> None:
    async def main() -> int:
        line = check_of(plan_of("ping", {"count": 1})).reproduce()
        run = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.DEVNULL)
        return await run.wait()

    if not may_ping():
        pytest.skip("needs the right to send ICMP (CAP_NET_RAW)")
    assert asyncio.run(main()) == 0
