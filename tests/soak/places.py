"""Networks of our own: places that stand apart and do as they are told, and a service among them. As root, on Linux.

`python -m tests.soak.places` is such a place; whoever starts it gives it one order a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from monitor.clock import SystemClock
from monitor.incidents.incident import Audience, Incident
from monitor.store import readings
from monitor.store.database import Database

ROOT = Path(__file__).parents[2]
PORT = 8000
LISTEN = "127.0.0.1:8080"
NEAR = "198.51.100.254"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_INSIDE = "VIGIA_SOAK_INSIDE"


class Place:
    """A process in a network of its own that runs `ip` there, passes packets on, and opens and closes doors."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["unshare", "-n", sys.executable, "-m", "tests.soak.places"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        self.say("ip link set lo up")

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, *orders: str) -> None:
        """Give orders, each when the one before is done, and wait for the last."""
        assert self._process.stdin is not None
        for order in orders:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
            self._answer()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=30)

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"


async def be_a_place() -> None:
    """Obey: one order a line, each answered when it is done."""
    doors: dict[str, asyncio.Server] = {}
    print("done", flush=True)
    while order := (await asyncio.to_thread(sys.stdin.readline)).split():
        match order:
            case ["ip", *words]:
                ip(*words)
            case ["forward"]:
                await asyncio.to_thread(_FORWARDING.write_text, "1")
            case ["open", host]:
                doors[host] = await asyncio.start_server(lambda _reader, writer: writer.close(), host, PORT)
            case ["close", host]:
                doors.pop(host).close()
        print("done", flush=True)


def wire_to(place: Place) -> None:
    """Lay a cable from here (`near`, at `NEAR`) to a place, where its end is called `far`."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(place.pid))
    ip("addr", "add", f"{NEAR}/24", "dev", "near")
    ip("link", "set", "near", "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=30)


def wait_for(fact: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait until something is true, and fail by its name."""
    for _ in range(round(10 * seconds)):
        if fact():
            return
        Event().wait(0.1)
    raise AssertionError(f"{what} did not come within {seconds:g} s")


@contextmanager
def service(folder: Path, configuration: str) -> Iterator[Database]:
    """Run the service; lend its database for reading."""
    file, data = folder / "servers.yaml", folder / "var"
    file.write_text(configuration, encoding="utf-8")
    command = [sys.executable, "-m", "monitor.cli", "run", "--config", str(file), "--data", str(data)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for((data / "address").exists, "the start")
        database = Database.open(data / "vigia.db", owner=False)
        try:
            yield database
        finally:
            database.close()
    finally:
        process.terminate()
        process.wait(timeout=60)


def incidents(database: Database) -> tuple[Incident, ...]:
    now = SystemClock().now()
    with database.reading() as tx:
        return readings.incidents_between(tx, now.replace(year=now.year - 1), now)


def public(database: Database) -> list[Incident]:
    return [incident for incident in incidents(database) if incident.audience is Audience.PUBLIC]


def inside(module: str, words: Sequence[str]) -> int | None:
    """Run `module` again in a network of our own and return its status; None if this is that run already."""
    if os.geteuid() != 0:
        print("nothing is cut: only root can make networks")
        return 0
    if _INSIDE in os.environ:
        return None
    command = ["unshare", "-n", sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, _INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    asyncio.run(be_a_place())
