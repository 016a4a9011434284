"""The clock of a whole running service is set back and forth, its processes are stopped: `python -m tests.soak.clocks [SECONDS]`.

The machine's own clock stays as it is: libfaketime (Debian's package `faketime`) tells every process of the service another wall clock, and the
true monotonic one. After each step the service is left alone for so many seconds (75; a large step is believed after 60). There must be no
incident, no burst of looks and no gap between them; at the end a real fault has to be found and to end as ever.
"""

from __future__ import annotations

import itertools
import platform
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.clock import SystemClock
from monitor.store.database import Database
from tests.journeys.conftest import CONFIGURATION
from tests.journeys.house import House, Nginx, running, wait_for

LIBRARY = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")
STEPS = ("+1", "+3600", "-3600", "+86400", "-86400", "@1970-01-02 00:00:00", "@2038-01-19 03:14:08", "+0")
STOPPED_S = 120.0
# Two checks, each once a second.
LOOKS_A_SECOND = 2.0
LONGEST_GAP_S = 6.0
BURST = 3.0


def main(seconds: float) -> int:
    """Step, count and print; 1 when something went wrong."""
    if not LIBRARY.exists():
        print(f"{LIBRARY} is missing: install the package faketime")
        return 1
    with TemporaryDirectory(prefix="vigia-soak-") as name:
        return observe(Path(name), seconds)


def observe(folder: Path, seconds: float) -> int:
    servers = []
    for name in ("nginx", "neighbour"):
        (folder / name).mkdir()
        servers.append(Nginx(folder / name))
    ports = [server.port for server in servers]
    house = House(folder, CONFIGURATION.format(port=ports[0], other_port=ports[1], resolve_after="3s"))
    wall = folder / "wall"
    wall.write_text("+0\n")
    house.add_to_environment(
        LD_PRELOAD=str(LIBRARY),
        FAKETIME_TIMESTAMP_FILE=str(wall),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        DONT_FAKE_MONOTONIC="1",
    )
    wrong: list[str] = []
    try:
        for server in servers:
            server.start()
        with running(house):
            wait_for(lambda: looks(house) > 4, what="the first looks")
            for step in STEPS:
                wrong += after(house, f"the clock at {step}", seconds, lambda to=step: set_wall(wall, to))
            wrong += after(house, f"stopped for {STOPPED_S:.0f} s", 20.0, lambda: stop(house))
            wrong += fault(house, servers[0])
            assert house.stop() == 0
    finally:
        for server in servers:
            server.stop()
    for each in wrong:
        print(f"  WRONG: {each}")
    return int(bool(wrong))


def set_wall(file: Path, to: str) -> None:
    # Replaced whole: a reader never sees half of it.
    fresh = file.with_suffix(".new")
    fresh.write_text(to + "\n")
    fresh.replace(file)


def stop(house: House) -> None:
    """Let every process stand still for a while, as a suspended machine does."""
    stopped = house.processes()
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    threading.Event().wait(STOPPED_S)
    for process in stopped:
        process.send_signal(signal.SIGCONT)


def after(house: House, what: str, seconds: float, happen: Callable[[], None]) -> list[str]:
    """Let something happen and count looks for so many seconds after it; return what is wrong with them."""
    clock = SystemClock()
    happen()
    began, seen = clock.monotonic(), looks(house)
    moments = [began]
    counted = seen
    most = 0
    window = [(began, seen)]
    while clock.monotonic() - began < seconds:
        threading.Event().wait(0.5)
        now, found = clock.monotonic(), looks(house)
        if found > counted:
            moments.append(now)
            counted = found
        window = [(at, number) for at, number in window if now - at <= 5.0] + [(now, found)]
        most = max(most, found - window[0][1])
    moments.append(clock.monotonic())
    gap, since = max((later - earlier, earlier - began) for earlier, later in itertools.pairwise(moments))
    told = count(house, "SELECT COUNT(*) FROM incidents")
    print(
        f"  {what:<34} {counted - seen} looks, longest gap {gap:.1f} s {since:.0f} s after it, at most {most} within 5 s, {told} incidents",
        flush=True,
    )
    wrong = []
    if told:
        wrong.append(f"{what}: an incident was opened")
    if gap > LONGEST_GAP_S:
        wrong.append(f"{what}: no look for {gap:.1f} s")
    if most > BURST * 5.0 * LOOKS_A_SECOND:
        wrong.append(f"{what}: {most} looks within 5 s")
    return wrong


def fault(house: House, server: Nginx) -> list[str]:
    """A real outage at the end: one incident, one ticket, and an end."""
    server.stop()
    wait_for(lambda: count(house, "SELECT COUNT(*) FROM incidents WHERE open") == 1, what="the incident")
    wait_for(lambda: count(house, "SELECT COUNT(*) FROM tickets") == 1, what="its ticket")
    server.start()
    resolved = "SELECT COUNT(*) FROM incidents WHERE stage = 'resolved'"
    wait_for(lambda: count(house, resolved) == 1, what="its end")
    found = count(house, "SELECT COUNT(*) FROM incidents"), count(house, "SELECT COUNT(*) FROM desk_tickets")
    print(f"  a fault at the end: {found[0]} incident, {found[1]} ticket, resolved", flush=True)
    return [] if found == (1, 1) else [f"a fault became {found[0]} incidents and {found[1]} tickets"]


def looks(house: House) -> int:
    """Return how many looks are on record."""
    return count(house, "SELECT (SELECT COUNT(*) FROM hot) + (SELECT COUNT(*) FROM observations)")


def count(house: House, sql: str) -> int:
    database = Database.open(house.data / "vigia.db", owner=False)
    try:
        with database.reading() as tx:
            return int(tx.rows(sql)[0][0])
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 75.0))
