"""Three servers behind a router whose link is cut: `python -m tests.soak.router`, as root, on Linux.

The service, the router and the servers stand in three networks of their own, the router between the others. Its link is cut, one of the
servers dies unseen, the link comes back. That has to be one incident with one ticket that names all three, the servers unknown because they cannot be
reached, and afterwards one more incident, of the one that died.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.health.words import Status, Why
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Incident
from monitor.store import readings
from monitor.store.database import Database
from tests.soak.isolation import LISTEN, PORT, ROOT, incidents, ip, wait_for

NEAR, ROUTER = "198.51.100.254", "198.51.100.1"
INNER, SERVERS = "203.0.113.1", ("203.0.113.11", "203.0.113.12", "203.0.113.13")
CONFIGURATION = f"""
site: {{name: Nodored, url: http://{LISTEN}, languages: [es, en]}}
listen: {LISTEN}
defaults: {{every: 2s, timeout: 1s, confirm: {{attempts: 3, retry: 1s}}, recover: {{attempts: 2, retry: 1s}}, resolve_after: 1s, reopen_within: 0s}}
groups: [{{id: hosting, name: {{es: Hosting, en: Hosting}}}}]
servers:
- {{id: router, group: hosting, host: {ROUTER}, checks: [tcp: {PORT}]}}
""" + "".join(
    f"- {{id: web{number}, group: hosting, host: {host}, depends_on: [router], checks: [tcp: {PORT}]}}\n"
    for number, host in enumerate(SERVERS)
)
CHILDREN = tuple(ServerId(f"web{number}") for number in range(len(SERVERS)))
VICTIM = 1
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


class Place:
    """A process in a network of its own that runs `ip` there, and opens and closes doors, as it is told."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["unshare", "-n", sys.executable, "-m", "tests.soak.router", "--place"],
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


async def be_a_place() -> None:
    """Obey: one order a line, each answered when it is done."""
    doors: dict[str, asyncio.Server] = {}
    print("done", flush=True)
    while order := (await asyncio.to_thread(sys.stdin.readline)).split():
        match order:
            case ["ip", *words]:
                ip(*words)
            case ["forward"]:
                await asyncio.to_thread(FORWARDING.write_text, "1")
            case ["open", host]:
                doors[host] = await asyncio.start_server(lambda _reader, writer: writer.close(), host, PORT)
            case ["close", host]:
                doors.pop(host).close()
        print("done", flush=True)


@contextmanager
def places() -> Iterator[tuple[Place, Place]]:
    """Lend the router and the place behind it, wired to this one."""
    router, behind = Place(), Place()
    try:
        ip("link", "set", "lo", "up")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(router.pid))
        ip("addr", "add", f"{NEAR}/24", "dev", "near")
        ip("link", "set", "near", "up")
        ip("route", "add", "203.0.113.0/24", "via", ROUTER)
        router.say(f"ip link add inner type veth peer name leaf netns {behind.pid}")
        for order in (
            f"ip addr add {ROUTER}/24 dev far",
            "ip link set far up",
            f"ip addr add {INNER}/24 dev inner",
            "ip link set inner up",
            "forward",
            f"open {ROUTER}",
        ):
            router.say(order)
        for host in SERVERS:
            behind.say(f"ip addr add {host}/24 dev leaf")
        behind.say("ip link set leaf up")
        behind.say(f"ip route add default via {INNER}")
        for host in SERVERS:
            behind.say(f"open {host}")
        yield router, behind
    finally:
        router.close()
        behind.close()


@contextmanager
def service(folder: Path) -> Iterator[Database]:
    """Run the service; lend its database for reading."""
    file, data = folder / "servers.yaml", folder / "var"
    file.write_text(CONFIGURATION, encoding="utf-8")
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


def shown(database: Database) -> dict[ServerId, tuple[Status, Why | None]]:
    with database.reading() as tx:
        held = readings.standing(tx)
    return {server: (one.judged.status, one.judged.because) for server, one in held.items()}


def public(database: Database) -> list[Incident]:
    return [one for one in incidents(database) if one.audience is Audience.PUBLIC]


def tickets(database: Database) -> list[str]:
    """Return what every ticket of the desk says, all its messages as one text."""
    with database.reading() as tx:
        rows = tx.rows(
            "SELECT group_concat(body, char(10)) AS said FROM desk_messages GROUP BY ticket ORDER BY ticket"
        )
    return [str(row["said"]) for row in rows]


def play(folder: Path) -> dict[str, object]:
    """Cut the router's link, let a server die, mend the link; return what was told."""
    well = (Status.OPERATIONAL, None)
    with places() as (router, behind), service(folder) as database:
        wait_for(
            lambda: set(shown(database).values()) == {well} and len(shown(database)) == 4, "a green page"
        )
        router.say("ip link set far down")
        grey = (Status.UNKNOWN, Why.UNREACHABLE)
        wait_for(lambda: all(shown(database)[child] == grey for child in CHILDREN), "unreachable servers")
        wait_for(
            lambda: public(database) and set(public(database)[0].unreachable) == set(CHILDREN),
            "all three named",
        )
        wait_for(
            lambda: any(all(child in said for child in CHILDREN) for said in tickets(database)),
            "all three in the ticket",
        )
        during = {"incidents": len(public(database)), "tickets": len(tickets(database))}
        behind.say(f"close {SERVERS[VICTIM]}")
        router.say("ip link set far up")
        wait_for(lambda: len(public(database)) == 2, "the incident of the server that died")
        wait_for(lambda: len(tickets(database)) == 2, "its ticket")
        (own,) = (one for one in public(database) if one.servers != (ServerId("router"),))
        wait_for(lambda: sum(value == well for value in shown(database).values()) == 3, "the others")
        behind.say(f"open {SERVERS[VICTIM]}")
        wait_for(lambda: not any(one.open for one in public(database)), "the end of both")
        return {
            "incidents while the link was cut": during["incidents"],
            "tickets while the link was cut": during["tickets"],
            "the second incident is of": list(own.servers),
            "incidents": len(public(database)),
            "tickets": len(tickets(database)),
        }


def main(words: list[str]) -> int:
    """Play and print; 1 when more or less was told than there was to tell."""
    if words == ["--place"]:
        asyncio.run(be_a_place())
        return 0
    if os.geteuid() != 0:
        print("no router's link is cut: only root can make networks")
        return 0
    if "VIGIA_SOAK_INSIDE" not in os.environ:
        inside = {**os.environ, "VIGIA_SOAK_INSIDE": "1"}
        command = ["unshare", "-n", sys.executable, "-m", "tests.soak.router"]
        return subprocess.run(command, cwd=ROOT, env=inside, check=False).returncode
    with TemporaryDirectory(prefix="vigia-router-") as name:
        found = play(Path(name))
    print(json.dumps(found), flush=True)
    return 0 if list(found.values()) == [1, 1, [f"web{VICTIM}"], 2, 2] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
