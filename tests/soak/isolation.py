"""Our own line cut again and again: `python -m tests.soak.isolation [CYCLES] [SECONDS] [SEED]`, as root, on Linux.

The service runs in a network of its own; targets and sentinels stand in another one, at the far end of a cable. The cable is cut on this side (no
route is left) or on that side (silence), for ten seconds up to SECONDS, and in every other cut one of the targets dies unseen. Each cut has
to be one matter of the operators, nothing for customers, and said on the page; each death one incident and one ticket, after the cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from monitor.clock import SystemClock
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Incident, Trouble
from monitor.store import readings
from monitor.store.database import Database

ROOT = Path(__file__).parents[2]
TARGETS = 5
LEAST_S = 10.0
PORT = 8000
LISTEN = "127.0.0.1:8080"
NEAR, FAR = "198.51.100.254", "198.51.100.1"
SENTINELS = ("198.51.100.101", "198.51.100.102", "198.51.100.103")
HEAD = f"""
site: {{name: Nodored, url: http://{LISTEN}, languages: [es, en]}}
listen: {LISTEN}
probers: 2
defaults: {{every: 2s, timeout: 1s, confirm: {{attempts: 3, retry: 1s}}, recover: {{attempts: 2, retry: 1s}}, resolve_after: 1s, reopen_within: 0s}}
sentinels: [{{tcp: "{SENTINELS[0]}:{PORT}"}}, {{tcp: "{SENTINELS[1]}:{PORT}"}}, {{ping: {SENTINELS[2]}}}]
groups: [{{id: hosting, name: {{es: Hosting, en: Hosting}}}}]
servers:
- {{id: near, group: hosting, host: 127.0.0.1, checks: [tcp: 8080]}}
"""


def address(target: int) -> str:
    return f"198.51.100.{target + 2}"


def configuration() -> str:
    return HEAD + "".join(
        f"- {{id: far{number}, group: hosting, host: {address(number)}, checks: [tcp: {PORT}]}}\n"
        for number in range(TARGETS)
    )


def wait_for(fact: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait until something is true, and fail by its name."""
    for _ in range(round(10 * seconds)):
        if fact():
            return
        Event().wait(0.1)
    raise AssertionError(f"{what} did not come within {seconds:g} s")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=30)


class World:
    """The far end of the cable: a process in a network of its own that holds targets and sentinels, and does as it is told."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["unshare", "-n", sys.executable, "-m", "tests.soak.isolation", "--world"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "netns", str(self._process.pid))
        ip("addr", "add", f"{NEAR}/24", "dev", "near")
        ip("link", "set", "near", "up")
        self.say("rise")

    def say(self, order: str) -> None:
        """Give an order and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        self._answer()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=30)

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"


async def world() -> None:
    """Be the far end: one order a line, each answered when it is done."""
    servers: dict[str, asyncio.Server] = {}

    async def open_door(host: str) -> None:
        servers[host] = await asyncio.start_server(lambda _reader, writer: writer.close(), host, PORT)

    async def obey(order: str) -> None:
        word, _, which = order.partition(" ")
        if word == "rise" and not which:
            ip("link", "set", "lo", "up")
            hosts = [*SENTINELS, *map(address, range(TARGETS))]
            for host in (FAR, *hosts):
                ip("addr", "add", f"{host}/24", "dev", "far")
            ip("link", "set", "far", "up")
            for host in hosts:
                await open_door(host)
        elif word == "rise":
            await open_door(address(int(which)))
        elif word == "fall":
            servers.pop(address(int(which))).close()
        elif word in ("cut", "mend"):
            ip("link", "set", "far", "down" if word == "cut" else "up")

    print("done", flush=True)
    while order := await asyncio.to_thread(sys.stdin.readline):
        await obey(order.strip())
        print("done", flush=True)


@dataclass
class Service:
    """The service at the near end, as its page and its database tell of it."""

    folder: Path
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[Database]:
        """Run the service; lend its database for reading."""
        file, data = self.folder / "servers.yaml", self.folder / "var"
        file.write_text(configuration(), encoding="utf-8")
        command = [sys.executable, "-m", "monitor.cli", "run", "--config", str(file), "--data", str(data)]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_for(lambda: self.page() != "", "the page")
            database = Database.open(data / "vigia.db", owner=False)
            try:
                yield database
            finally:
                database.close()
        finally:
            process.terminate()
            process.wait(timeout=60)

    def page(self) -> str:
        """Return the front page, "" while there is none."""
        try:
            with urllib.request.urlopen(f"http://{LISTEN}/", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""


def incidents(database: Database) -> tuple[Incident, ...]:
    now = SystemClock().now()
    with database.reading() as tx:
        return readings.incidents_between(tx, now.replace(year=now.year - 1), now)


def public(database: Database) -> list[Incident]:
    return [incident for incident in incidents(database) if incident.audience is Audience.PUBLIC]


def about_our_view(database: Database) -> list[Incident]:
    return [incident for incident in incidents(database) if incident.trouble is Trouble.ISOLATED]


def is_blocked(database: Database) -> bool:
    with database.reading() as tx:
        return bool(readings.blocked_views(tx))


def statuses(database: Database) -> dict[ServerId, Status]:
    with database.reading() as tx:
        return {server: held.judged.status for server, held in readings.standing(tx).items()}


def is_green(database: Database) -> bool:
    held = statuses(database)
    return len(held) == TARGETS + 1 and set(held.values()) == {Status.OPERATIONAL}


def cycle(
    service: Service, far: World, database: Database, turn: int, chance: random.Random, longest_s: float
) -> None:
    """Cut the cable once, and see what is made of it."""
    wait_for(lambda: is_green(database), "a green page")
    told, faults = len(about_our_view(database)), len(public(database))
    on_this_side, victim = turn % 2 == 0, (chance.randrange(TARGETS) if turn % 2 else None)
    cut, mend = (
        (lambda: ip("link", "set", "near", "down"), lambda: ip("link", "set", "near", "up"))
        if on_this_side
        else (lambda: far.say("cut"), lambda: far.say("mend"))
    )
    cut()
    if victim is not None:
        far.say(f"fall {victim}")
    wait_for(lambda: is_blocked(database), "the knowledge that we are cut off")
    wait_for(lambda: "bloqueada" in service.page(), "the word on the page")
    # Every server behind the cable is unknown, the one beside us is not.
    wait_for(
        lambda: (
            sorted(statuses(database).values()) == sorted([Status.OPERATIONAL, *[Status.UNKNOWN] * TARGETS])
        ),
        "unknown servers",
    )
    Event().wait(chance.uniform(LEAST_S, longest_s))
    if len(public(database)) != faults:
        service.wrong.append(f"cut {turn}: customers read of it")
    mend()
    wait_for(lambda: not is_blocked(database), "a clear view")
    wait_for(lambda: not about_our_view(database)[0].open, "the end of the matter")
    if len(about_our_view(database)) != told + 1:
        service.wrong.append(f"cut {turn}: {len(about_our_view(database)) - told} matters")
    if victim is not None:
        wait_for(lambda: len(public(database)) == faults + 1, "the incident of what died unseen")
        if public(database)[0].servers != (f"far{victim}",):
            service.wrong.append(f"cut {turn}: {public(database)[0].servers} for far{victim}")
        far.say(f"rise {victim}")
        wait_for(lambda: not public(database)[0].open, "its end")
    wait_for(lambda: is_green(database), "a green page again")
    wait_for(lambda: "bloqueada" not in service.page(), "a page that says nothing of it")


def cuts(count: int, longest_s: float, seed: int) -> dict[str, object]:
    """Cut the cable so many times, in a network of our own, and return what was seen."""
    ip("link", "set", "lo", "up")
    far = World()
    try:
        with TemporaryDirectory(prefix="vigia-soak-") as name:
            service = Service(Path(name))
            with service.running() as database:
                chance = random.Random(seed)
                for turn in range(count):
                    cycle(service, far, database, turn, chance, longest_s)
                with database.reading() as tx:
                    tickets = len(readings.tickets(tx))
                return {
                    "cuts": count,
                    "matters of the operators": len(about_our_view(database)),
                    "deaths unseen": count // 2,
                    "public incidents": len(public(database)),
                    "tickets": tickets,
                    "other matters": len(incidents(database))
                    - len(public(database))
                    - len(about_our_view(database)),
                    "wrong": service.wrong,
                }
    finally:
        far.close()


def is_right(found: dict[str, object]) -> bool:
    """Was each cut one matter of the operators, and each death one incident and one ticket?"""
    return (
        found["matters of the operators"] == found["cuts"]
        and found["public incidents"] == found["tickets"] == found["deaths unseen"]
        and not found["other matters"]
        and not found["wrong"]
    )


def main(words: list[str]) -> int:
    """Cut and print; 1 when anything was made of it that should not be."""
    if words == ["--world"]:
        asyncio.run(world())
        return 0
    if os.geteuid() != 0:
        print("our own line is not cut: only root can make a network of its own")
        return 0
    if "VIGIA_SOAK_INSIDE" not in os.environ:
        inside = {**os.environ, "VIGIA_SOAK_INSIDE": "1"}
        command = ["unshare", "-n", sys.executable, "-m", "tests.soak.isolation", *words]
        return subprocess.run(command, cwd=ROOT, env=inside, check=False).returncode
    count, longest, seed = [*map(int, words), *(10, 20, 1)[len(words) :]]
    found = cuts(count, float(longest), seed)
    print(json.dumps(found), flush=True)
    return int(not is_right(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
