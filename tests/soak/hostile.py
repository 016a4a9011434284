"""Two hundred looks at once at sixty hostile peers, ten times, beside a hundred healthy checks: `python -m tests.soak.hostile`.

It prints how late the looks began, by how much any of them outlasted its timeout, how long the loop stood still, and what the monitor
kept of it all. The peers live in a process of their own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import uvloop

from monitor.checks.contract import Check
from monitor.clock import SystemClock
from monitor.fleet.fleet import CheckPlan
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import Prober
from tests.checks.test_hostile import HOSTILE, TALKS, pongs
from tests.journeys.house import ROOT
from tests.servers import peers
from tests.servers.looking import check_of, looker, plan_of

HOSTILE_PEERS, HEALTHY_PEERS, LOOKS = 60, 100, 200
TIMEOUT_S, TURNS, EVERY = 5.0, 60, 6
OVERRUN_S, LATENESS_S = 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Grown:
    """What a process holds: bytes of memory, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    def __sub__(self, other: Grown) -> Grown:
        return Grown(
            self.memory - other.memory, self.descriptors - other.descriptors, self.threads - other.threads
        )


@dataclass(slots=True)
class Watch:
    """Checks in a prober, begun again whenever they are due, and what became of them."""

    entries: Mapping[CheckKey, tuple[CheckPlan, Check]]
    seen: list[Observation] = field(default_factory=list)
    lateness_s: dict[CheckKey, list[float]] = field(default_factory=dict)
    stood_still_s: float = 0.0

    def started(self, key: CheckKey, late_s: float) -> None:
        """Note how late a look began."""
        self.lateness_s.setdefault(key, []).append(late_s)


def entries(ports: Mapping[str, list[int]]) -> dict[CheckKey, tuple[CheckPlan, Check]]:
    """Return every check by its key: `hostile` and `healthy` is the first half of its server's name."""
    hostile, healthy = ports["hostile"], ports["healthy"]
    talks = list(TALKS.values())
    wanted: list[tuple[str, str, dict[str, Any]]] = []
    for number in range(LOOKS):
        talk = talks[number % len(talks)]
        wanted.append((f"hostile-{number}", talk.kind, talk.options(hostile[number % len(hostile)])))
    for number, port in enumerate(healthy):
        wanted.append((f"healthy-{number}", "tcp", TALKS["tcp"].options(port)))
    made: dict[CheckKey, tuple[CheckPlan, Check]] = {}
    for server, kind, options in wanted:
        key = CheckKey(ServerId(server), kind)
        plan = replace(plan_of(kind, options, TIMEOUT_S), key=key)
        made[key] = (plan, check_of(plan))
    return made


async def watched(folder: Path, ports: Mapping[str, list[int]]) -> tuple[Watch, Grown]:
    """Look for a minute: at all hostile peers at once, every few seconds, and at each healthy one once a second."""
    watch, clock = Watch(entries(ports)), SystemClock()
    hostile = [key for key in watch.entries if key.server.startswith("hostile")]
    healthy = [key for key in watch.entries if key not in hostile]
    async with looker(folder) as looking:
        prober = Prober(tools=looking.tools, clock=clock, deliver=watch.seen.append, concurrency=1000)
        prober.replace(watch.entries)
        prober.on_start = watch.started
        beating = asyncio.create_task(beat(watch))
        began, before = clock.monotonic(), size()
        for turn in range(TURNS):
            for number, key in enumerate(healthy):
                due = began + turn + number / len(healthy)
                await asyncio.sleep(due - clock.monotonic())
                prober.begin(key, due)
                if number == 0 and turn % EVERY == 0:
                    for each in hostile:
                        prober.begin(each, due)
            if turn == EVERY:
                before = size()
        # The last looks end, and their peers notice.
        await asyncio.sleep(TIMEOUT_S + 2)
        after = size()
        beating.cancel()
        await prober.close()
    return watch, after - before


async def beat(watch: Watch) -> None:
    """Feel how long the loop stands still at the longest."""
    clock, last = SystemClock(), SystemClock().monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = clock.monotonic()
        watch.stood_still_s, last = max(watch.stood_still_s, now - last), now


def size() -> Grown:
    """Return how much this process holds."""
    me = psutil.Process()
    return Grown(me.memory_info().rss, me.num_fds(), me.num_threads())


def report(watch: Watch, grown: Grown) -> bool:
    """Print the figures; False when one of them is worse than promised."""
    fine = True
    for group, expected in (("hostile", Outcome.DOWN), ("healthy", Outcome.OK)):
        looks = [seen for seen in watch.seen if seen.check.server.startswith(group)]
        ours = sum(seen.cause is Cause.OWN for seen in looks)
        wrong = [seen for seen in looks if seen.outcome is not expected and seen.cause is not Cause.OWN]
        late = sorted(
            one for key, found in watch.lateness_s.items() if key.server.startswith(group) for one in found
        )
        longest = max(looks, key=lambda seen: seen.took_ms)
        overrun = longest.took_ms / 1000 - TIMEOUT_S
        p99 = late[len(late) * 99 // 100]
        print(
            f"  {group}: {len(looks)} looks, {len(wrong)} seen wrong, {ours} our own fault; "
            f"begun late by {1000 * late[len(late) // 2]:.1f} ms (median), {1000 * p99:.1f} ms (p99), "
            f"{1000 * late[-1]:.1f} ms (worst); the longest ({longest.check}, {longest.found}) ended {1000 * overrun:+.0f} ms after its timeout"
        )
        for seen in wrong[:5]:
            print(f"    {seen.check} {seen.outcome} {seen.cause} {seen.found}")
        # Where the machine stood still, nothing could end in time.
        fine = fine and not wrong and overrun <= OVERRUN_S + watch.stood_still_s and p99 <= LATENESS_S
    print(
        f"  the loop stood still for {1000 * watch.stood_still_s:.0f} ms at the longest; grown since the first round: "
        f"{grown.memory / 1e6:+.1f} MB, {grown.descriptors:+d} descriptors, {grown.threads:+d} threads"
    )
    return fine


async def serve() -> None:
    """Run the peers until nobody reads our words any more."""
    async with AsyncExitStack() as stack:
        behaviours = [list(HOSTILE.values())[number % len(HOSTILE)] for number in range(HOSTILE_PEERS)]
        hostile = [await stack.enter_async_context(peers.peer(behave)) for behave in behaviours]
        healthy = [await stack.enter_async_context(peers.peer(pongs)) for _ in range(HEALTHY_PEERS)]
        ports = {
            "hostile": [found.port for found in hostile],
            "healthy": [found.port for found in healthy],
        }
        print(json.dumps(ports), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> int:
    """Start the peers, look at them for a minute and print; 1 when a figure is worse than promised."""
    if sys.argv[1:] == ["peers"]:
        uvloop.run(serve())
        return 0
    with (
        TemporaryDirectory(prefix="vigia-hostile-") as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.soak.hostile", "peers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        watch, grown = uvloop.run(watched(Path(folder), ports))
        process.stdin.close()
    return int(not report(watch, grown))


if __name__ == "__main__":
    sys.exit(main())
