"""Twenty random kills of a running service, with a stopwatch: `python -m tests.soak.kill [SEED]`.

The tests prove that nothing is lost or doubled; here, on a machine that does nothing else, the time counts as well:
after every kill the service has to be whole again within ten seconds, and a stop may take as long.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.clock import SystemClock
from tests.journeys import facts
from tests.journeys.conftest import CONFIGURATION
from tests.journeys.house import House, Nginx, running, wait_for
from tests.journeys.killing import ROLES, Return, assert_one_of_each, kill_through_outages, shuffled_roles

KILLS = 20
WITHIN_S = 10.0


def main(seed: int) -> int:
    """Kill, measure and print; 1 when something took too long."""
    print(f"{KILLS} kills with seed {seed}", flush=True)
    with TemporaryDirectory(prefix="vigia-soak-") as name:
        returns, stop_s = measure(Path(name), random.Random(seed))
    for role in ROLES:
        times = sorted(each.ready_s for each in returns if each.role == role)
        print(f"  {role:<7} {len(times)} kills, ready again after {spread(times)}")
    slow = [each for each in returns if each.ready_s > WITHIN_S]
    print(f"  nothing lost, nothing twice; {len(slow)} of {len(returns)} returns took over {WITHIN_S:.0f} s")
    print(f"  a clean stop took {stop_s:.1f} s")
    return int(bool(slow) or stop_s > WITHIN_S)


def measure(folder: Path, chance: random.Random) -> tuple[list[Return], float]:
    """Return how the service came back after each kill, and how long its stop took at the end."""
    clock = SystemClock()
    servers = []
    for name in ("nginx", "neighbour"):
        (folder / name).mkdir()
        servers.append(Nginx(folder / name))
    ports = [server.port for server in servers]
    house = House(folder, CONFIGURATION.format(port=ports[0], other_port=ports[1], resolve_after="3s"))
    try:
        for server in servers:
            server.start()
        with running(house):
            wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
            returns = kill_through_outages(house, servers[0], shuffled_roles(chance, KILLS), chance)
            assert_one_of_each(house)
            began = clock.monotonic()
            assert house.stop() == 0
            return returns, clock.monotonic() - began
    finally:
        for server in servers:
            server.stop()


def spread(times: list[float]) -> str:
    """Return the least, the middle and the most of sorted times."""
    return f"{times[0]:.1f} to {times[-1]:.1f} s, {times[len(times) // 2]:.1f} s in the middle"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1_000_000)))
