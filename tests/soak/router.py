"""Three servers behind a router whose link is cut: `python -m tests.soak.router`, as root, on Linux.

The service, the router and the servers stand in three networks of their own, the router between the others. Its link is cut, one of the
servers dies unseen, the link comes back. That has to be one incident with one ticket that names all three, the servers unknown because they cannot be
reached, and afterwards one more incident, of the one that died.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.health.words import Status, Why
from monitor.identifiers import ServerId
from monitor.store import readings
from monitor.store.database import Database
from tests.soak.places import LISTEN, PORT, Place, inside, ip, public, service, wait_for, wire_to

ROUTER = "198.51.100.1"
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


@contextmanager
def places() -> Iterator[tuple[Place, Place]]:
    """Lend the router and the place behind it, wired to this one."""
    router, behind = Place(), Place()
    try:
        wire_to(router)
        ip("route", "add", "203.0.113.0/24", "via", ROUTER)
        router.say(
            f"ip link add inner type veth peer name leaf netns {behind.pid}",
            f"ip addr add {ROUTER}/24 dev far",
            "ip link set far up",
            f"ip addr add {INNER}/24 dev inner",
            "ip link set inner up",
            "forward",
            f"open {ROUTER}",
        )
        behind.say(
            *(f"ip addr add {host}/24 dev leaf" for host in SERVERS),
            "ip link set leaf up",
            f"ip route add default via {INNER}",
            *(f"open {host}" for host in SERVERS),
        )
        yield router, behind
    finally:
        router.close()
        behind.close()


def shown(database: Database) -> dict[ServerId, tuple[Status, Why | None]]:
    with database.reading() as tx:
        held = readings.standing(tx)
    return {server: (one.judged.status, one.judged.because) for server, one in held.items()}


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
    with places() as (router, behind), service(folder, CONFIGURATION) as database:
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
    status = inside("tests.soak.router", words)
    if status is not None:
        return status
    with TemporaryDirectory(prefix="vigia-router-") as name:
        found = play(Path(name))
    print(json.dumps(found), flush=True)
    return 0 if list(found.values()) == [1, 1, [f"web{VICTIM}"], 2, 2] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
