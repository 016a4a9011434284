"""Our own line cut again and again: `python -m tests.soak.isolation [CYCLES] [SECONDS] [SEED]`, as root, on Linux.

The service runs in a network of its own; targets and sentinels stand in another one, at the far end of a cable. The cable is cut on this side (no
route is left) or on that side (silence), for ten seconds up to SECONDS, and in every other cut one of the targets dies unseen. Each cut has
to be one matter of the operators, nothing for customers, and said on the page; each death one incident and one ticket, after the cut.
"""

from __future__ import annotations

import json
import random
import sys
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Incident, Trouble
from monitor.store import readings
from monitor.store.database import Database
from tests.soak.places import LISTEN, PORT, Place, incidents, inside, ip, public, service, wait_for, wire_to

TARGETS = 5
LEAST_S = 10.0
FAR = "198.51.100.1"
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


def far_end() -> Place:
    """Return the place at the far end of the cable, with targets and sentinels that are open to everybody."""
    hosts = [*SENTINELS, *map(address, range(TARGETS))]
    place = Place()
    wire_to(place)
    place.say(
        *(f"ip addr add {host}/24 dev far" for host in (FAR, *hosts)),
        "ip link set far up",
        *(f"open {host}" for host in hosts),
    )
    return place


def page() -> str:
    """Return the front page, "" while there is none."""
    try:
        with urllib.request.urlopen(f"http://{LISTEN}/", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


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


def cycle(far: Place, database: Database, turn: int, chance: random.Random, longest_s: float) -> list[str]:
    """Cut the cable once, and return what was wrong with what was made of it."""
    wrong: list[str] = []
    wait_for(lambda: is_green(database), "a green page")
    told, faults = len(about_our_view(database)), len(public(database))
    on_this_side, victim = turn % 2 == 0, (chance.randrange(TARGETS) if turn % 2 else None)
    cut, mend = (
        (lambda: ip("link", "set", "near", "down"), lambda: ip("link", "set", "near", "up"))
        if on_this_side
        else (lambda: far.say("ip link set far down"), lambda: far.say("ip link set far up"))
    )
    cut()
    if victim is not None:
        far.say(f"close {address(victim)}")
    wait_for(lambda: is_blocked(database), "the knowledge that we are cut off")
    wait_for(lambda: "bloqueada" in page(), "the word on the page")
    # Every server behind the cable is unknown, the one beside us is not.
    wait_for(
        lambda: (
            sorted(statuses(database).values()) == sorted([Status.OPERATIONAL, *[Status.UNKNOWN] * TARGETS])
        ),
        "unknown servers",
    )
    Event().wait(chance.uniform(LEAST_S, longest_s))
    if len(public(database)) != faults:
        wrong.append(f"cut {turn}: customers read of it")
    mend()
    wait_for(lambda: not is_blocked(database), "a clear view")
    wait_for(lambda: not about_our_view(database)[0].open, "the end of the matter")
    if len(about_our_view(database)) != told + 1:
        wrong.append(f"cut {turn}: {len(about_our_view(database)) - told} matters")
    if victim is not None:
        wait_for(lambda: len(public(database)) == faults + 1, "the incident of what died unseen")
        if public(database)[0].servers != (f"far{victim}",):
            wrong.append(f"cut {turn}: {public(database)[0].servers} for far{victim}")
        far.say(f"open {address(victim)}")
        wait_for(lambda: not public(database)[0].open, "its end")
    wait_for(lambda: is_green(database), "a green page again")
    wait_for(lambda: "bloqueada" not in page(), "a page that says nothing of it")
    return wrong


def cuts(count: int, longest_s: float, seed: int) -> dict[str, object]:
    """Cut the cable so many times, in a network of our own, and return what was seen."""
    far = far_end()
    try:
        with (
            TemporaryDirectory(prefix="vigia-soak-") as name,
            service(Path(name), configuration()) as database,
        ):
            wait_for(lambda: page() != "", "the page")
            chance = random.Random(seed)
            wrong = [each for turn in range(count) for each in cycle(far, database, turn, chance, longest_s)]
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
                "wrong": wrong,
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
    status = inside("tests.soak.isolation", words)
    if status is not None:
        return status
    count, longest, seed = [*map(int, words), *(10, 20, 1)[len(words) :]]
    found = cuts(count, float(longest), seed)
    print(json.dumps(found), flush=True)
    return int(not is_right(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
