"""Fifty thousand, three times over: `python -m tests.soak.fifty_thousand [SCENE ...]`.

- `memory`: 50,000 checks in one watch, and what it holds in memory once each of them was looked at;
- `looks`: 50,000 real looks, 500 checks every 10 s for 1,000 s: when each began, and when nginx saw it;
- `day`: 50,000 checks through a day of virtual time, each turn counted.

Each scene prints its figures beside their limits and one line of JSON; the exit status is 1 when one is missed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import uvloop

from monitor.checks.building import build
from monitor.clock import SystemClock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets
from monitor.observation import Observation, Outcome
from monitor.prober import Prober, open_tools
from monitor.scheduling import Scheduler
from monitor.scheduling.rhythm import first_round
from tests.journeys import facts
from tests.journeys.house import House, wait_for
from tests.scheduling.builders import plan
from tests.scheduling.virtual import VirtualClock, run
from tests.soak.farm import share
from tests.soak.whole import Figure, growing, rest

CHECKS = 50_000
MIB = 2**20


@dataclass(slots=True)
class Begun:
    """When looks were due and when they began, by the monotonic clock, and what they found."""

    late: list[float]
    moments: list[float]
    counts: Counter[CheckKey]
    outcomes: Counter[Outcome]
    skipped: int = 0


def memory(folder: Path) -> list[Figure]:
    """50,000 checks of three kinds on 5,000 servers, all of them well."""
    with growing(folder) as farm:
        checks = [
            f"{{http: {{name: h, url: 'http://127.0.0.1:{farm.http}/{{n}}'}}}}",
            f"{{tcp: {{name: t, port: {farm.http}}}}}",
            f"{{tls: {{name: s, port: {farm.https}, ca: {farm.ca}}}}}",
        ]
        servers = CHECKS // 10
        lines = [
            "site: {name: Nodored, url: https://estado.nodored.test}",
            "listen: 127.0.0.1:0",
            "probers: 1",
            "defaults: {every: 300s, timeout: 5s}",
            f"groups: [{', '.join(f'{{id: g{number}, name: G}}' for number in range(servers // 100))}]",
            "servers:",
        ]
        for number in range(servers):
            mine = [
                checks[index % 3].replace("{n}", f"{number}/{index}").replace("name: ", f"name: c{index}")
                for index in range(10)
            ]
            lines.append(
                f"- {{id: s{number}, group: g{number // 100}, host: 127.0.0.1, checks: [{', '.join(mine)}]}}"
            )
        house = House(folder, "\n".join(lines) + "\n")
        house.start("watch")
        try:
            looked = wait_for(
                lambda: (
                    facts.ask(house, lambda tx: tx.rows("SELECT COUNT(*) AS n FROM newest")[0]["n"]) == CHECKS
                ),
                what="a look of every check",
                patience=900,
            )
            assert looked
            rest(30)
            used = house.process("watch").memory_full_info()
            spent, cores = psutil.Process(house.pid).cpu_times(), 60.0
            rest(cores)
            after = psutil.Process(house.pid).cpu_times()
            busy = (after.user + after.system - spent.user - spent.system) / cores
        finally:
            house.end()
    return [
        Figure("50,000 checks: memory of watch, MiB (PSS)", used.pss / MIB, 400),
        Figure("50,000 checks every 300 s: share of a core", busy),
    ]


def looks(folder: Path, checks: int = 500, every: float = 10, seconds: float = 1000) -> list[Figure]:
    """Real looks at a real nginx, through scheduler and prober; both sides are asked when they happened."""
    with growing(folder) as farm:
        plans = [
            replace(
                plan(number, every=every),
                kind="http",
                options={"url": f"http://127.0.0.1:{farm.http}/{number}"},
            )
            for number in range(checks)
        ]
        begun = uvloop.run(watch_for(plans, seconds))
        seen = farm.looks()
    settled = first_round(timedelta(seconds=every), checks).total_seconds() + every
    buckets = Counter(int(moment) for moment in begun.moments if moment - begun.moments[0] > settled)
    whole = sorted(buckets.values())[1:-1] or list(buckets.values())
    rounds = seconds / every
    gaps = [later - earlier for each in seen.values() for earlier, later in pairwise(sorted(each)[1:])]
    return [
        Figure("looks that were made", sum(begun.counts.values())),
        Figure("fewest looks of a check", min(begun.counts.values()), rounds - 1, least=True),
        Figure("most looks of a check", max(begun.counts.values()), rounds + 1),
        Figure("looks that nginx did not see", sum(begun.counts.values()) - sum(map(len, seen.values())), 0),
        Figure("looks that were skipped", begun.skipped, 0),
        Figure("looks that were not fine", sum(begun.counts.values()) - begun.outcomes[Outcome.OK], 0),
        Figure("gap as nginx saw it, off by at most, s", max(abs(gap - every) for gap in gaps), every / 2),
        Figure("gap as nginx saw it, off on average, s (drift)", abs(sum(gaps) / len(gaps) - every), 0.001),
        Figure("began late: middle, ms", 1000 * share(begun.late, 0.5), 20),
        Figure("began late: 99 of 100, ms", 1000 * share(begun.late, 0.99), 250),
        Figure("began late: at most, ms", 1000 * max(begun.late)),
        Figure("fullest second, times the mean", max(whole) / (sum(whole) / len(whole)), 1.5),
    ]


async def watch_for(plans: Sequence[CheckPlan], seconds: float) -> Begun:
    """Look at these checks for so many seconds, as one process does."""
    clock = SystemClock()
    begun = Begun(late=[], moments=[], counts=Counter(), outcomes=Counter())

    def delivered(look: Observation) -> None:
        begun.counts[look.check] += 1
        begun.outcomes[look.outcome] += 1

    def started(_key: CheckKey, late: float) -> None:
        begun.late.append(late)
        begun.moments.append(clock.monotonic())

    def skip(count: int) -> None:
        begun.skipped += count

    secrets = Secrets({}, Path())
    async with open_tools(None, clock) as tools:
        prober = Prober(tools=tools, clock=clock, deliver=delivered)
        prober.on_start = started
        scheduler = Scheduler(clock, prober.begin, on_skip=skip)
        prober.replace({each.key: (each, build(each.kind, each.options, secrets)) for each in plans})
        scheduler.replace(plans)
        scheduler.start()
        await asyncio.sleep(seconds)
        await scheduler.stop()
        # Those that began in the last moment may end.
        for _ in range(500):
            if not prober.running:
                break
            await asyncio.sleep(0.02)
        await prober.close()
        begun.skipped += prober.skipped
    return begun


def day(folder: Path, checks: int = CHECKS, hours: float = 24) -> list[Figure]:
    """A tenth of the checks every minute and the others every five, in time that passes at once."""
    del folder
    clock = VirtualClock()
    counts: Counter[CheckKey] = Counter()
    last: dict[CheckKey, float] = {}
    off: list[float] = [0.0]
    skipped: list[int] = []
    plans = [plan(number, every=60 if number % 10 == 0 else 300) for number in range(checks)]
    intervals = {each.key: each.every.total_seconds() for each in plans}
    seconds = hours * 3600

    def begin(key: CheckKey, _due: float) -> None:
        counts[key] += 1
        now = clock.monotonic()
        # The first look comes before the grid begins.
        if counts[key] > 2:
            gap = abs(now - last[key] - intervals[key])
            off[0] = max(off[0], gap)
        last[key] = now

    async def live() -> None:
        scheduler = Scheduler(clock, begin, on_skip=skipped.append)
        scheduler.replace(plans)
        scheduler.start()
        await asyncio.sleep(seconds)
        await scheduler.stop()

    run(clock, live())
    wrong = sum(abs(counts[key] - seconds / every) > 1.5 for key, every in intervals.items())
    return [
        Figure("turns in a day", sum(counts.values())),
        Figure(
            "turns beside what was planned, in a million",
            1e6 * abs(sum(counts.values()) / sum(seconds / every for every in intervals.values()) - 1),
        ),
        Figure("checks with a turn more or less than planned", wrong, 0),
        Figure("turns that were skipped", sum(skipped), 0),
        Figure("gap off by at most, s", off[0], 0.001),
    ]


SCENES: Mapping[str, Callable[[Path], list[Figure]]] = {"memory": memory, "looks": looks, "day": day}


def main(names: list[str]) -> int:
    """Play the scenes, print their figures; 1 when one is missed."""
    missed = 0
    for name in names or SCENES:
        with TemporaryDirectory(prefix=f"vigia-{name}-") as folder:
            Path(folder).chmod(0o755)
            figures = SCENES[name](Path(folder))
        for figure in figures:
            print(f"  {figure.what:<52} {figure.value:12.3f}  {figure.bound}")
            missed += not figure.is_met
        found = {figure.what: round(figure.value, 4) for figure in figures}
        print(json.dumps({"scene": name, **found}), flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
