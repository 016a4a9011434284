"""How long a fault takes to reach everybody, with a stopwatch: `python -m tests.soak.fault [ROUNDS]`.

A real nginx, looked at every second and confirmed by three attempts a second apart, is stopped. Ten seconds later the
page, the desk, the feeds and a real Prometheus must all know; it starts again, and they must know that too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from monitor.clock import Clock, SystemClock
from tests.journeys import facts
from tests.journeys.conftest import CONFIGURATION
from tests.journeys.house import House, Nginx, running, wait_for
from tests.journeys.pages import headline
from tests.journeys.test_main_journey import prometheus, scraped

ROUNDS = 3
WITHIN_S = 10.0
UP = 'vigia_check_up{server="gye1",check="http"}'

Signs = Mapping[str, Callable[[], bool]]


def main(rounds: int) -> int:
    """Break and mend, measure and print; 1 when something took too long."""
    with TemporaryDirectory(prefix="vigia-soak-") as name:
        slowest = measure(Path(name), rounds)
    for what, seconds in slowest.items():
        print(f"  {what:<34} {seconds:5.1f} s at most, of {rounds} rounds")
    late = [what for what, seconds in slowest.items() if seconds > WITHIN_S]
    print(f"  {len(late)} of {len(slowest)} signs took over {WITHIN_S:.0f} s")
    return int(bool(late))


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Return for each sign the longest time that it took."""
    servers = []
    for name in ("nginx", "neighbour"):
        (folder / name).mkdir()
        servers.append(Nginx(folder / name))
    ports = [server.port for server in servers]
    house = House(folder, CONFIGURATION.format(port=ports[0], other_port=ports[1], resolve_after="2s"))
    slowest: dict[str, float] = {}
    try:
        for server in servers:
            server.start()
        with running(house), prometheus(folder / "prometheus", house.address) as metrics:
            wait_for(lambda: facts.is_up(house) and scraped(metrics, UP) == ["1"], what="the first green")
            for _ in range(rounds):
                for act, signs in (
                    (servers[0].stop, broken(house, metrics)),
                    (servers[0].start, mended(house, metrics)),
                ):
                    act()
                    for what, seconds in seen(signs, SystemClock()).items():
                        slowest[what] = max(slowest.get(what, 0.0), seconds)
    finally:
        for server in servers:
            server.stop()
    return slowest


def broken(house: House, metrics: str) -> Signs:
    """What must come after the fault. Feeds count from what they hold now: a relapse is one more update."""
    before = len(house.items("/updates.rss"))
    return {
        "down: page in Spanish": lambda: "fuera de servicio" in headline(house, "/"),
        "down: page in English": lambda: "out of service" in headline(house, "/en/"),
        "down: one open incident": lambda: (
            len(facts.incidents(house)) == 1 and facts.incidents(house)[0].open
        ),
        "down: one urgent ticket, open": lambda: (
            [(ticket.priority, ticket.status) for ticket in facts.tickets(house)] == [("urgent", "open")]
        ),
        "down: one item in /history.rss": lambda: len(house.items("/history.rss")) == 1,
        "down: a new item in /updates.rss": lambda: len(house.items("/updates.rss")) > before,
        "down: vigia_check_up 0 in Prometheus": lambda: scraped(metrics, UP) == ["0"],
    }


def mended(house: House, metrics: str) -> Signs:
    """What must come after the recovery; the incident is watched for two seconds of it."""
    return {
        "up: page in Spanish": lambda: "Todo funciona" in headline(house, "/"),
        "up: incident resolved": lambda: not facts.incidents(house)[0].open,
        "up: ticket closed": lambda: facts.tickets(house)[0].status == "closed",
        "up: vigia_check_up 1 in Prometheus": lambda: scraped(metrics, UP) == ["1"],
    }


def seen(signs: Signs, clock: Clock) -> dict[str, float]:
    """Return after how many seconds each sign was first seen, asked ten times a second."""
    began, pause = clock.monotonic(), threading.Event()
    found: dict[str, float] = {}
    while len(found) < len(signs):
        for what, holds in signs.items():
            if what not in found and safely(holds):
                found[what] = clock.monotonic() - began
        if clock.monotonic() - began > 10 * WITHIN_S:
            raise AssertionError(f"never seen: {sorted(signs.keys() - found.keys())}")
        pause.wait(0.1)
    return found


def safely(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except (requests.RequestException, IndexError, KeyError):
        return False


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
