"""The whole service in figures: `python -m tests.soak.whole [SCENE ...]`.

Everything is on: results in SQLite, judgement, page, metrics, a visitor and a scrape every fifteen seconds; CPU seconds are
those of all processes. Each scene prints its figures beside their limits and one line of JSON; the exit status is 1 when
one is over its limit. `floor` is what wrk spends on 1,000 requests in the same minute: it tells how fast the machine is.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from monitor.clock import SystemClock
from tests.journeys.house import House
from tests.soak.farm import Farm, Spent, fleet, floor, gaps, memory_mib, share, watched

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with the most (or the least) that it may be."""

    what: str
    value: float
    limit: float | None = None
    aim: float | None = None
    least: bool = False

    @property
    def is_met(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.least else self.value <= self.limit

    @property
    def bound(self) -> str:
        """What it is held to, in words."""
        if self.limit is None:
            return ""
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        return f"{'at least' if self.least else 'at most'} {self.limit:g}{aim}{'' if self.is_met else '  MISSED'}"


Scene = Callable[[Path], list[Figure]]


def wall() -> float:
    return CLOCK.now().timestamp()


def rest(seconds: float) -> None:
    threading.Event().wait(seconds)


def fresh_http(folder: Path) -> list[Figure]:
    """500 http checks every 20 s, each on a connection of its own; with them memory and the cold start."""
    return _five_hundred(folder, secure=False)


def fresh_https(folder: Path) -> list[Figure]:
    """500 https checks every 20 s, the chain verified."""
    return _five_hundred(folder, secure=True)


def _five_hundred(folder: Path, *, secure: bool) -> list[Figure]:
    with growing(folder) as farm:
        scheme, port = ("https", farm.https) if secure else ("http", farm.http)
        ca = f", ca: {farm.ca}" if secure else ""
        checks = [f"{{http: {{url: '{scheme}://127.0.0.1:{port}/{number}'{ca}}}}}" for number in range(500)]
        began = wall()
        with watched(folder / "house", fleet(checks, every="20s")) as house:
            ready = wall()
            rest(40)
            first = max(moments[0] for moments in farm.looks().values())
            before, spent = farm.asked(), Spent(house)
            rest(60)
            looks, seconds = farm.asked() - before, spent.seconds()
            memory = memory_mib(house)
        pace = floor(f"{scheme}://127.0.0.1:{port}/")
        limit, aim = (2.8, 2.1) if secure else (1.0, 0.6)
        found = [
            Figure(f"{scheme}: CPU s for 1,000 looks", 1000 * seconds / looks, limit, aim),
            Figure(f"{scheme}: floor, CPU s for 1,000 requests of wrk", pace),
        ]
        if secure:
            return found
        return [
            *found,
            Figure("memory of all processes, MiB (PSS)", memory, 180, 120),
            Figure("every check looked at, s after the start", first - began, 23 + ready - began),
        ]


def punctual(folder: Path) -> list[Figure]:
    """2,000 checks every 5 s: nothing is left out, and nothing comes late."""
    with growing(folder) as farm:
        checks = [f"{{http: 'http://127.0.0.1:{farm.http}/{number}'}}" for number in range(2000)]
        with watched(folder / "house", fleet(checks, every="5s")) as house:
            rest(15)
            start, spent = wall(), Spent(house)
            rest(60)
            end, seconds = wall(), spent.seconds()
            looks = farm.looks()
        between = [gap for moments in looks.values() for gap in gaps(moments, start, end)]
        asked = sum(start <= moment <= end for moments in looks.values() for moment in moments)
        return [
            Figure(
                "2,000 at 5 s: share of the schedule", asked / (2000 * (end - start) / 5), 0.999, least=True
            ),
            Figure("2,000 at 5 s: gap, p99, s", share(between, 0.99), 5.2),
            Figure("2,000 at 5 s: gap, longest, s", max(between)),
            Figure("2,000 at 5 s: share of a core", seconds / (end - start), 0.6),
            Figure("2,000 at 5 s: floor", floor(f"http://127.0.0.1:{farm.http}/")),
        ]


def black_holes(folder: Path) -> list[Figure]:
    """1,000 checks every 10 s of which 50 never get an answer: the others do not feel it."""
    with growing(folder) as farm, black_hole() as hole:
        ports = [hole if number % 20 == 0 else farm.http for number in range(1000)]
        checks = [f"{{http: 'http://127.0.0.1:{port}/{number}'}}" for number, port in enumerate(ports)]
        with watched(folder / "house", fleet(checks, every="10s")):
            rest(25)
            start = wall()
            rest(60)
            end = wall()
            looks = farm.looks()
        off = [abs(gap - 10) for moments in looks.values() for gap in gaps(moments, start, end)]
        return [
            Figure("5 % black holes: healthy ones seen", len(looks), 950, least=True),
            Figure("5 % black holes: off the interval, p99, s", share(off, 0.99), 0.2),
            Figure("5 % black holes: off the interval, worst, s", max(off)),
        ]


def mass_outage(folder: Path) -> list[Figure]:
    """500 targets down at once: all of them confirmed and on the page."""
    every, confirmation = 20, 2
    with growing(folder) as farm:
        checks = [f"{{http: 'http://127.0.0.1:{farm.http}/{number}'}}" for number in range(500)]
        with watched(folder / "house", fleet(checks, every=f"{every}s")) as house:
            rest(every + 10)
            spent, began = Spent(house), CLOCK.monotonic()
            farm.stop()
            while shown_down(house) < 500 and CLOCK.monotonic() - began < 120:
                rest(1)
            took, seconds = CLOCK.monotonic() - began, spent.seconds()
            rest(30)
            after = spent.seconds() - seconds
        return [
            Figure("500 down at once: all on the page after, s", took, every + 3 + confirmation),
            Figure("500 down at once: CPU s until then", seconds, 3),
            Figure("500 down at once: CPU s in the 30 s after", after),
        ]


def one_down(folder: Path) -> list[Figure]:
    """Targets that go down by themselves at any moment of their 20 s, confirmed by two more looks a second apart."""
    dice = Random(20)
    subjects = [Subject() for _ in range(15)]
    with growing(folder) as farm:
        ports = [*(subject.port for subject in subjects), *[farm.http] * 35]
        checks = [f"{{http: 'http://127.0.0.1:{port}/{number}'}}" for number, port in enumerate(ports)]
        with watched(folder / "house", fleet(checks, every="20s")) as house:
            rest(25)
            stopped: dict[str, float] = {}
            took: dict[str, float] = {}
            due = {f"s{number}": CLOCK.monotonic() + dice.uniform(0, 60) for number in range(len(subjects))}
            while len(took) < len(subjects):
                for number, subject in enumerate(subjects):
                    if f"s{number}" not in stopped and CLOCK.monotonic() >= due[f"s{number}"]:
                        subject.stop()
                        stopped[f"s{number}"] = CLOCK.monotonic()
                shown = rows(house.get("/").text)
                for name in stopped.keys() - took.keys():
                    if "#major_outage" in shown.get(name, ""):
                        took[name] = CLOCK.monotonic() - stopped[name]
                rest(0.1)
        return [
            Figure("one down: on the page after, median, s", median(took.values()), 13),
            Figure("one down: on the page after, longest, s", max(took.values()), 24),
        ]


class Subject:
    """A target of its own, which answers until it is stopped."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Hang up for good: whoever comes now is refused."""
        self._server.shutdown()
        self._server.server_close()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def growing(folder: Path) -> Iterator[Farm]:
    """Lend a farm that is started, and stopped at the end."""
    farm = Farm(folder / "farm")
    farm.start()
    try:
        yield farm
    finally:
        farm.stop()


@contextmanager
def black_hole() -> Iterator[int]:
    """Lend a port whose queue is full: the system drops every further greeting without a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        try:
            yield int(address[1])
        finally:
            for one in waiting:
                one.close()


def rows(body: str) -> dict[str, str]:
    """Return the first row of each server on the page, by its id."""
    found = {}
    for row in body.split('<tr class="state')[1:]:
        server = re.search(r'href="/servers/([^"]+)"', row)
        if server:
            found[server[1]] = row.partition("</tr>")[0]
    return found


def is_down(body: str, server: str) -> bool:
    return "#major_outage" in rows(body).get(server, "")


def shown_down(house: House) -> int:
    """Return how many servers the page shows as down."""
    return sum("#major_outage" in row for row in rows(house.get("/").text).values())


SCENES: Mapping[str, Scene] = {
    "http": fresh_http,
    "https": fresh_https,
    "punctual": punctual,
    "holes": black_holes,
    "outage": mass_outage,
    "one": one_down,
}


def main(names: list[str]) -> int:
    """Play the scenes, print their figures; 1 when one is over its limit."""
    missed = 0
    for name in names or SCENES:
        with TemporaryDirectory(prefix=f"vigia-{name}-") as folder:
            Path(folder).chmod(0o755)
            figures = SCENES[name](Path(folder))
        for figure in figures:
            print(f"  {figure.what:<50} {figure.value:8.3f}  {figure.bound}")
            missed += not figure.is_met
        print(
            json.dumps({"scene": name, **{figure.what: round(figure.value, 4) for figure in figures}}),
            flush=True,
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
