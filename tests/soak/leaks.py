"""Two hundred thousand looks of every fate in one process: `python -m tests.soak.leaks [LOOKS]`.

What they leave behind is counted: memory, descriptors, threads, processes, temporary files. Targets in another process answer well, badly,
late, in part and not at all, over HTTP, TLS and plain TCP; names exist, do not, or are never told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop

from monitor.checks.contract import Check, Tools
from monitor.clock import SystemClock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.observation import Cause, Observation
from monitor.prober import Prober, ResolverSettings
from monitor.prober.resolver import Resolver
from monitor.prober.transport import CurlTransport
from monitor.station.memory import give_back
from tests.journeys.house import ROOT
from tests.servers.looking import check_of, plan_of
from tests.soak.targets import PLAIN, SECURED
from tests.soak.whole import Figure

LOOKS = 200_000
SAMPLES = 40
EACH = 4
MIB = 2**20
# What a look may wait for before it counts as late: nearly all of these targets answer at once or never.
PATIENCE_S = 0.4
# With all of them under way at once the loop is never idle, and a name would be looked up too late to be known or unknown.
AT_ONCE = 32

WANTED = frozenset(
    {
        None,
        Cause.NAME,
        Cause.REFUSED,
        Cause.RESET,
        Cause.TIMEOUT_CONNECT,
        Cause.TIMEOUT_FIRST_BYTE,
        Cause.TIMEOUT_TLS,
        Cause.CERTIFICATE_EXPIRED,
        Cause.CERTIFICATE_HOST,
        Cause.CERTIFICATE_ISSUER,
        Cause.CERTIFICATE_ENDING,
        Cause.STATUS,
        Cause.CONTENT,
        Cause.PROTOCOL,
        Cause.SLOW,
        Cause.RESOLVER,
    }
)


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds at a moment."""

    rss: int
    descriptors: int
    threads: int
    children: int
    files: int


@dataclass(slots=True)
class Result:
    """What was held from time to time, the first sample after the first looks, and what the looks came to."""

    samples: list[Held] = field(default_factory=list)
    causes: Counter[Cause | None] = field(default_factory=Counter)
    looks: int = 0

    @property
    def growth(self) -> float:
        """How much more memory the last quarter held than the first, as a share."""
        sizes = [each.rss for each in self.samples]
        quarter = max(1, len(sizes) // 4)
        first, last = (sum(some) / len(some) for some in (sizes[:quarter], sizes[-quarter:]))
        return last / first - 1

    def more(self, what: str) -> int:
        """Return how much more of something there was at the end than after the first looks."""
        return getattr(self.samples[-1], what) - getattr(self.samples[0], what)


def held(folder: Path) -> Held:
    """Return what this process holds now; `folder` is where temporary files would lie."""
    give_back()
    process = psutil.Process()
    with process.oneshot():
        return Held(
            rss=process.memory_info().rss,
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            children=len(process.children(recursive=True)),
            files=sum(1 for _ in folder.rglob("*")),
        )


@contextmanager
def targets(folder: Path) -> Iterator[Mapping[str, int]]:
    """Lend the targets: their ports by name. The CA file to trust is `ca.pem` in the folder."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.soak.targets", what, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for what in ("peers", "names")
    ]
    try:
        ports: dict[str, int] = {}
        for process in processes:
            assert process.stdout is not None
            ports |= json.loads(process.stdout.readline())
        yield ports
    finally:
        for process in processes:
            process.communicate()


def plans(ports: Mapping[str, int]) -> list[CheckPlan]:
    """Return checks of every fate, a few of each."""
    options: list[tuple[str, dict[str, Any]]] = [
        *(("http", {"url": f"http://127.0.0.1:{ports[name]}/"}) for name in PLAIN),
        *(("http", {"url": f"https://ok.test:{ports[name]}/"}) for name in SECURED),
        *(("tls", {"host": "ok.test", "port": ports[name]}) for name in SECURED),
        (
            "http",
            {"url": f"http://127.0.0.1:{ports['fine']}/", "expect": {"body": {"contains": "never said"}}},
        ),
        ("http", {"url": f"http://127.0.0.1:{ports['late']}/", "expect": {"within": "1ms"}}),
        ("http", {"url": f"https://127.0.0.1:{ports['silent']}/"}),
        *(("http", {"url": f"http://127.0.0.1:{ports[name]}/"}) for name in ("refused", "hole")),
        *(("tcp", {"port": ports[name]}) for name in ("fine", "refused", "hole")),
        *(
            ("http", {"url": f"http://{name}:{ports['fine']}/"})
            for name in ("named.test", "absent.test", "broken.test", "never.test")
        ),
        ("smtp", {"port": ports["silent"]}),
        ("smtp", {"port": ports["huge"]}),
    ]
    return [
        plan_of(kind, given, PATIENCE_S, f"{kind}{number}x{copy}")
        for number, (kind, given) in enumerate(options)
        for copy in range(EACH)
    ]


async def look(folder: Path, ports: Mapping[str, int], count: int, result: Result) -> None:
    """Make so many looks: each check is looked at again as soon as it was."""
    hosts, ca = folder / "hosts", str(folder / "ca.pem")
    hosts.write_text("127.0.0.1 ok.test\n")
    clock, loop = SystemClock(), asyncio.get_running_loop()
    settings = ResolverSettings(servers=(f"127.0.0.1:{ports['names']}",))
    resolver, transport = Resolver(settings, hosts=hosts), CurlTransport(ca)
    done = asyncio.Event()
    step = max(1, count // SAMPLES)

    def delivered(seen: Observation) -> None:
        result.looks += 1
        result.causes[seen.cause] += 1
        if result.looks % step == 0:
            result.samples.append(held(folder))
        if result.looks >= count:
            done.set()
        else:
            loop.call_later(0.001, again, seen.check)

    def again(key: CheckKey) -> None:
        # A look is over a moment after it was handed over.
        if not done.is_set() and not prober.begin(key, clock.monotonic()):
            loop.call_later(0.001, again, key)

    prober = Prober(
        tools=Tools(resolver=resolver, transport=transport, now=clock.now, ca_file=ca),
        clock=clock,
        deliver=delivered,
        concurrency=AT_ONCE,
        per_host=AT_ONCE,
    )
    checks: dict[CheckKey, tuple[CheckPlan, Check]] = {
        each.key: (each, check_of(each)) for each in plans(ports)
    }
    prober.replace(checks)
    for key in checks:
        prober.begin(key, clock.monotonic())
    await done.wait()
    await prober.close()
    await resolver.close()
    await transport.close()


def measure(count: int) -> Result:
    """Return what so many looks left behind."""
    result = Result()
    with tempfile.TemporaryDirectory(prefix="vigia-leaks-") as name:
        folder = Path(name)
        os.environ["TMPDIR"] = tempfile.tempdir = name
        with targets(folder) as ports:
            # What is made once in the life of a process is made by these.
            uvloop.run(look(folder, ports, max(500, count // 50), Result()))
            result.samples.append(held(folder))
            uvloop.run(look(folder, ports, count, result))
            result.samples.append(held(folder))
    tempfile.tempdir = None
    return result


def figures(result: Result) -> list[Figure]:
    return [
        Figure("looks", result.looks),
        Figure("ends that looks came to", len(result.causes)),
        Figure("ends that never came", len(WANTED - result.causes.keys()), 0),
        Figure("memory at first, MiB", result.samples[0].rss / MIB),
        Figure("memory grew by, a share", result.growth, 0.05),
        *(Figure(f"more {what} at the end", result.more(what), 5) for what in ("descriptors", "threads")),
        *(Figure(f"more {what} at the end", result.more(what), 0) for what in ("children", "files")),
    ]


def main(count: int) -> int:
    """Look, count and print; 1 when something was left behind."""
    logging.disable(logging.CRITICAL)
    result = measure(count)
    found = figures(result)
    for figure in found:
        print(f"  {figure.what:<40} {figure.value:12.3f}  {figure.bound}")
    causes = {str(cause or "fine"): number for cause, number in result.causes.most_common()}
    print(
        json.dumps(
            {"scene": "leaks", **{each.what: round(each.value, 4) for each in found}, "causes": causes}
        )
    )
    return int(not all(each.is_met for each in found))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else LOOKS))
