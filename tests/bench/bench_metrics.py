"""What a scrape of 2,000 checks costs: prepared lines against the objects of the metrics library."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitor.health.state import Health
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.metrics import CheckLines, exposition
from monitor.metrics.instruments import Instruments
from monitor.observation import Observation, Outcome

CHECKS = 2000
PHASES = {"name": 1.2, "connect": 3.4, "tls": 12.5, "first_byte": 20.25}
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def milliseconds(work: Callable[[], object], rounds: int = 15) -> float:
    took = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        took.append(time.process_time() - before)
    return statistics.median(took) * 1000


def main() -> None:
    keys = [CheckKey(ServerId(f"server{number // 10}"), f"check{number % 10}") for number in range(CHECKS)]
    lines = CheckLines()
    lines.replace(dict.fromkeys(keys, "http"))
    looks = [
        (
            Observation(
                check=key, started_at=NOW, took_ms=40.0, outcome=Outcome.OK, phases=PHASES, tls_expires_at=NOW
            ),
            Health(check=key, confirmed=State.UP, state=State.UP),
        )
        for key in keys
    ]

    def observe(share: int) -> None:
        for observation, health in looks[::share]:
            lines.observe(observation, health)

    def all_new() -> None:
        observe(1)
        lines.text()

    def as_in_use() -> None:
        # Scraped every 5 s, looked at every 60 s: a twelfth is new.
        observe(12)
        lines.text()

    everything = milliseconds(all_new)
    usual = milliseconds(as_in_use)
    joined = milliseconds(lines.text)
    text = lines.text()
    series = sum(not line.startswith("#") for line in text.splitlines())

    registry = CollectorRegistry()
    gauge = Gauge(
        "bench",
        "The same number of series as objects.",
        ["server", "check", "kind", "location", "state"],
        registry=registry,
    )
    for number in range(series):
        gauge.labels(f"server{number % 200}", f"check{number}", "http", "local", "up").set(1)
    objects = milliseconds(lambda: generate_latest(registry), rounds=5)

    instruments = Instruments(version="bench", engine="bench")
    own = milliseconds(lambda: exposition([instruments.text()]))
    print(
        f"{CHECKS:,} checks, {series:,} series, {len(text) / 1e6:.1f} MB: nothing new {joined:.1f} ms, a twelfth new {usual:.1f} ms, "
        f"all new {everything:.1f} ms (aim: under 15 ms); as objects {objects:.0f} ms ({objects / usual:.0f} x); "
        f"the service's own {own:.1f} ms"
    )


if __name__ == "__main__":
    main()
