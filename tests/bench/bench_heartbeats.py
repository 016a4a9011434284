"""What reports of heartbeats cost: durable ones a second, and CPU time of all processes until each is judged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from monitor.checks.contract import Secrets
from monitor.inventory import load
from monitor.station.heartbeats import tokens
from monitor.store import heartbeats
from monitor.store.database import Database

ROOT = Path(__file__).parents[2]
SECONDS, CLIENTS, JOBS, ROUNDS = 5, 8, 100, 3
CONFIGURATION = """
site: {name: Bench}
listen: 127.0.0.1:0
groups: [{id: jobs, name: Jobs}]
servers:
- {id: one, group: jobs, checks: [%s]}
"""
# Each request goes to the next job; what is sent along is a line, as a job's last words are.
SCRIPT = """
local paths, turn = {%s}, 0
wrk.method = "%s"
wrk.body = "%s"
wrk.headers["Connection"] = "%s"
request = function() turn = turn %% #paths + 1; return wrk.format(nil, paths[turn]) end
"""


@dataclass(frozen=True)
class Service:
    """A whole service and where its jobs report to."""

    run: psutil.Process
    address: str
    paths: list[str]
    data: Path

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in (self.run, *self.run.children(recursive=True)))

    def counted(self) -> tuple[int, int]:
        """Return how many reports were judged and how many wait."""
        with (
            closing(Database.open(self.data / "vigia.db", owner=False)) as database,
            database.reading() as tx,
        ):
            judged = sum(each.beat.arrivals for each in heartbeats.stored(tx).values())
            return judged, len(heartbeats.waiting(tx, 1_000_000))


def wait_for(fact: Callable[[], object]) -> None:
    pause = threading.Event()
    while not fact():
        pause.wait(0.05)


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    config, data = folder / "servers.yaml", folder / "var"
    checks = ", ".join(f"heartbeat: {{name: job{number}, every: 1h}}" for number in range(JOBS))
    config.write_text(CONFIGURATION % re.sub(r"(heartbeat: \{[^}]*\})", r"{\1}", checks))
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", "run", "--config", str(config), "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: (data / "address").exists() and awaited(data) == JOBS)
        loaded = load(config, environment={})
        yield Service(
            run=psutil.Process(process.pid),
            address=(data / "address").read_text().strip(),
            paths=[f"/ping/{token}" for token in known(data, loaded.fleet.checks(), loaded.secrets)],
            data=data,
        )
    finally:
        process.terminate()
        process.wait()


def awaited(data: Path) -> int:
    with closing(Database.open(data / "vigia.db", owner=False)) as database, database.reading() as tx:
        return len(heartbeats.stored(tx))


def known(data: Path, plans: tuple, secrets: Secrets) -> list[str]:  # type: ignore[type-arg]
    with closing(Database.open(data / "vigia.db", owner=False)) as database, database.reading() as tx:
        return list(tokens(plans, secrets, heartbeats.heartbeat_key(tx) or "").values())


@dataclass(frozen=True)
class Round:
    """What one round of requests came to."""

    a_second: float
    cpu_s_for_1000: float
    p99: str


def measure(served: Service, folder: Path, *, paths: list[str], body: str = "", keep: bool = True) -> Round:
    """Send for some seconds, wait until every report is judged, and hold that none is missing."""
    script = folder / "reports.lua"
    listed = ", ".join(f'"{path}"' for path in paths)
    script.write_text(SCRIPT % (listed, "POST" if body else "GET", body, "keep-alive" if keep else "close"))
    before, cpu_s = served.counted()[0], served.cpu_s()
    told = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{CLIENTS}",
            f"-d{SECONDS}s",
            "--latency",
            "-s",
            str(script),
            f"http://{served.address}",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told:
        raise RuntimeError(told)
    answered = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    judged = settled(served) - before
    # What was under way when the time was up is not among the answered ones.
    if not answered <= judged <= answered + CLIENTS:
        raise RuntimeError(f"{answered} reports were answered and {judged} judged\n{told}")
    return Round(
        a_second=answered / SECONDS,
        cpu_s_for_1000=(served.cpu_s() - cpu_s) * 1000 / answered,
        p99=re.search(r"99%\s+(\S+)", told)[1],  # type: ignore[index]
    )


def settled(served: Service) -> int:
    """Return how many reports were judged, once nothing is on its way any more."""
    pause = threading.Event()
    while True:
        seen = served.counted()
        pause.wait(1.5)
        if seen == served.counted() and seen[1] == 0:
            return seen[0]


def commits_a_second(folder: Path) -> float:
    """Return how often this disk takes a commit of one small row: what reports could be if each had one to itself."""
    with closing(Database.open(folder / "one.db", owner=True)) as database:
        count, pause = 0, threading.Event()
        timer = threading.Timer(2, pause.set)
        timer.start()
        while not pause.is_set():
            with database.writing() as tx:
                tx.execute("INSERT INTO beats VALUES (?, 0)", (str(count),))
            count += 1
    return count / 2


def main() -> None:
    if not shutil.which("wrk"):
        print("not measured: needs wrk")
        return
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        print(f"commits of one row    {commits_a_second(folder):>8,.0f} a second on this disk, synced")
        with service(folder) as served:
            print(f"{CLIENTS} clients, {SECONDS} s each, every report judged and none missing")
            print(f"{'':<32}{'a second':>10}{'CPU s for 1,000':>18}{'99 of 100 within':>18}")
            kinds = {
                f"{JOBS} jobs, GET": {"paths": served.paths},
                "one job, GET": {"paths": served.paths[:1]},
                f"{JOBS} jobs, POST with a line": {"paths": served.paths, "body": "backup done"},
                f"{JOBS} jobs, a connection each": {"paths": served.paths, "keep": False},
            }
            for name, how in kinds.items():
                rounds = [measure(served, folder, **how) for _ in range(ROUNDS)]  # type: ignore[arg-type]
                middle = sorted(rounds, key=lambda each: each.a_second)[ROUNDS // 2]
                print(f"{name:<32}{middle.a_second:>10,.0f}{middle.cpu_s_for_1000:>18.2f}{middle.p99:>18}")
            print("aim: at least 500 a second, at most 2 CPU s for 1,000")


if __name__ == "__main__":
    main()
