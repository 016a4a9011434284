"""Whether looking grows with cores: as many looks as one and as two processes can make, in turn in one run.

Each process is asked for more looks a second than it can make; what it makes is counted at the other end of the wire, where watch
would write it down. nginx answers over fresh connections, and shares the cores of this machine with all of them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from monitor.checks.policy import TargetPolicy
from monitor.clock import SystemClock
from monitor.inventory.references import Secrets
from monitor.observation import Observation, Outcome
from monitor.station.lookout import Assignment, Listener
from monitor.station.remote import Remote
from monitor.station.sharing import cores, share_of
from monitor.station.wire import Open
from tests.scheduling.builders import plan
from tests.soak.farm import Farm

SECONDS = float(os.environ.get("SECONDS", "8"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CHECKS = 8000
WARM_S = 6.0


async def measure(kind: str, options: Mapping[str, Any], probers: int) -> tuple[float, float]:
    """Return looks a second, and the CPU seconds of all our processes for 1,000 of them."""
    outcomes: Counter[Outcome] = Counter()

    def look(observation: Observation) -> None:
        outcomes[observation.outcome] += 1

    def nothing(*_what: object) -> None:
        """Hear nothing."""

    listener = Listener(
        look=look, late=nothing, skipped=nothing, dropped=nothing, missed=nothing, fault=nothing
    )
    opening = Open(resolver=None, policy=TargetPolicy(), per_host=500)
    remotes = [
        Remote(str(number), opening, listener=listener, clock=SystemClock(), on_return=nothing)
        for number in range(probers)
    ]
    await asyncio.gather(*(remote.ready() for remote in remotes))
    plans = [replace(plan(number, every=1), kind=kind, options=dict(options)) for number in range(CHECKS)]
    for number, remote in enumerate(remotes):
        remote.renew(Secrets({}, Path()))
        await remote.take(Assignment(plan=each) for each in plans if share_of(each.key, probers) == number)
    await asyncio.sleep(WARM_S)
    before, spent = outcomes.total(), cpu()
    await asyncio.sleep(SECONDS)
    made, used = outcomes.total() - before, cpu() - spent
    await asyncio.gather(*(remote.close() for remote in remotes))
    return made / SECONDS, 1000 * used / made


def cpu() -> float:
    """Return the CPU seconds of this process and of those that look for it."""
    me = psutil.Process()
    return sum(
        sum(process.cpu_times()[:2]) for process in (me, *me.children()) if "nginx" not in process.name()
    )


def looks(farm: Farm) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return what is looked at, what costs its server least first: on few cores the server's share hides the growth."""
    http, https = (
        f"{scheme}://127.0.0.1:{port}/" for scheme, port in (("http", farm.http), ("https", farm.https))
    )
    return [
        ("tcp", "tcp", {"host": "127.0.0.1", "port": farm.http}),
        ("http", "http", {"url": http}),
        ("https", "http", {"url": https, "ca": str(farm.ca)}),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as named:
        Path(named).chmod(0o755)
        farm = Farm(Path(named) / "farm")
        farm.start()
        try:
            print(f"{cores()} cores, {ROUNDS} rounds of {SECONDS:g} s, nginx beside", flush=True)
            for what, kind, options in looks(farm):
                found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
                for _ in range(ROUNDS):
                    for probers, results in found.items():
                        results.append(uvloop.run(measure(kind, options, probers)))
                one, two = (median(rate for rate, _ in found[probers]) for probers in found)
                costs = [median(cost for _, cost in found[probers]) for probers in found]
                print(
                    f"{what:5}  1 process {one:6.0f} looks/s, {costs[0]:.2f} CPU s for 1,000;"
                    f"  2 processes {two:6.0f} looks/s, {costs[1]:.2f};  {two / one:.2f} times",
                    flush=True,
                )
        finally:
            farm.stop()


if __name__ == "__main__":
    main()
