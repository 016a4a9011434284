"""How many alarms random failures raise: `python -m tests.soak.alarms [LOOKS]`.

Two million virtual looks a scene, begun by the product's own scheduler in time that passes at once, retries where it puts them, each
judged by the product's own rule. First each look fails with a chance of 1 %, or 5 %, and the alarms are counted against what is to be
expected by the laws of chance; then looks fail in bursts of at most as many attempts as confirm nothing, and there must be no alarm.

What is to be expected: let a look fail with the chance p and be well with q = 1 - p, whatever those before it found. Then it does not
matter when a look is made, only how they follow one another, turns and retries alike. From a settled check on

- the number of looks until n in a row have failed is on average A = (1 - p^n) / (q p^n), its variance
  1 / (q p^n)^2 - (2n + 1) / (q p^n) - p / q^2 (the waiting time for a run of n, Feller's);
- from then on the number until m in a row were well is B, the same with p and q exchanged and m for n.

So an alarm comes once in C = A + B looks: among N looks there are N / C of them, and since they renew themselves the variance of that number
is N (var A + var B) / C^3. A turn that fails has a retry, and one that fails another, so a turn makes 1 + p + ... = about 1 / q looks:
in N turns there are about p^n N alarms, which is the formula of the rules.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import sqrt
from random import Random
from typing import NamedTuple

from monitor.fleet import CheckPlan
from monitor.health.advance import advance, retry_gap, wants_retry
from monitor.health.state import Attempts, Health
from monitor.health.words import State
from monitor.identifiers import CheckKey
from monitor.observation import Cause, Observation, Outcome
from monitor.scheduling import Scheduler
from tests.scheduling.builders import POLICY, plan
from tests.scheduling.virtual import VirtualClock, run
from tests.soak.whole import Figure

LOOKS = 2_000_000
CHECKS = 2_000
SEED = 20261122
# Attempts, and the chance that each of them fails.
SCENES = ((1, 0.01), (2, 0.01), (3, 0.01), (3, 0.05))
BURSTS = (1, 2)
RECOVERIES = POLICY.recover.attempts
SIGMAS = 3
EVERY = plan(0).every

Found = tuple[Outcome, Cause | None]
FINE: Found = (Outcome.OK, None)
SILENT: Found = (Outcome.DOWN, Cause.TIMEOUT_CONNECT)
REFUSED: Found = (Outcome.DOWN, Cause.REFUSED)
OWN: Found = (Outcome.UNKNOWN, Cause.OWN)


class Expected(NamedTuple):
    """How many alarms, and how far from that their number usually is."""

    mean: float
    sigma: float


@dataclass(slots=True)
class Counted:
    """What a run of looks came to; `turns` are those among them that the rhythm began, the others are retries."""

    looks: int = 0
    turns: float = 0.0
    alarms: int = 0
    unstable: int = 0


def expected(looks: int, chance: float, attempts: int, recoveries: int = RECOVERIES) -> Expected:
    """Return the number of alarms among so many looks, by the reckoning above."""
    (failing, failing_variance), (well, well_variance) = (
        run_of(chance, attempts),
        run_of(1 - chance, recoveries),
    )
    cycle = failing + well
    return Expected(looks / cycle, sqrt(looks * (failing_variance + well_variance) / cycle**3))


def run_of(chance: float, length: int) -> tuple[float, float]:
    """Return the mean and the variance of the number of trials until so many in a row had what has this chance."""
    other, all_of = 1 - chance, chance**length
    mean = (1 - all_of) / (other * all_of)
    variance = 1 / (other * all_of) ** 2 - (2 * length + 1) / (other * all_of) - chance / other**2
    return mean, variance


def by_chance(chance: float, random: Random) -> Callable[[CheckKey], Found]:
    """Each look fails with this chance: half of them at once, half by silence."""

    def find(_key: CheckKey) -> Found:
        if random.random() >= chance:
            return FINE
        return SILENT if random.random() < 0.5 else REFUSED

    return find


def in_bursts(longest: int, random: Random) -> Callable[[CheckKey], Found]:
    """Of each check up to `longest` looks in a row fail, with looks of our own trouble in between, and then at least one is well."""
    lines: dict[CheckKey, Iterator[Found]] = {}

    def line() -> Iterator[Found]:
        while True:
            yield from [FINE] * random.randint(1, 30)
            for _ in range(random.randint(1, longest)):
                yield from [OWN] * random.choice((0, 0, 0, 1, 3))
                yield random.choice((SILENT, REFUSED))

    def find(key: CheckKey) -> Found:
        if key not in lines:
            lines[key] = line()
        return next(lines[key])

    return find


def watch(looks: int, attempts: int, find: Callable[[CheckKey], Found], checks: int = CHECKS) -> Counted:
    """Make at least so many looks, in the rhythm and with the retries of the product, and judge each."""
    policy = replace(POLICY, confirm=Attempts(attempts=attempts, retry=POLICY.confirm.retry))
    plans = {one.key: one for one in (replace(plan(number), policy=policy) for number in range(checks))}
    clock = VirtualClock()
    counted = Counted()

    async def live() -> None:
        await _Watching(clock, plans, find, counted).until(looks)

    began = clock.monotonic()
    run(clock, live())
    counted.turns = checks * (clock.monotonic() - began) / EVERY.total_seconds()
    return counted


class _Watching:
    """A scheduler, looks that take their time, and the rule that judges them."""

    def __init__(
        self,
        clock: VirtualClock,
        plans: Mapping[CheckKey, CheckPlan],
        find: Callable[[CheckKey], Found],
        counted: Counted,
    ) -> None:
        self._clock = clock
        self._plans = plans
        self._find = find
        self._counted = counted
        self._healths = {key: Health(check=key) for key in plans}
        self._numbers: Counter[CheckKey] = Counter()
        self._looking: set[CheckKey] = set()
        self._scheduler = Scheduler(clock, self._begin)
        self._enough = asyncio.Event()
        self._wanted = 0

    async def until(self, looks: int) -> None:
        self._wanted = looks
        self._scheduler.replace(self._plans.values())
        self._scheduler.start()
        await self._enough.wait()
        await self._scheduler.stop()

    def _begin(self, key: CheckKey, _due: float) -> None:
        # The prober lets one look of a check end before it begins another.
        if key in self._looking:
            return
        outcome, cause = self._find(key)
        self._numbers[key] += 1
        silent = cause is Cause.TIMEOUT_CONNECT
        took = self._plans[key].timeout if silent else timedelta(0)
        seen = Observation(
            check=key,
            started_at=self._clock.now(),
            took_ms=took.total_seconds() * 1000,
            outcome=outcome,
            cause=cause,
            sequence=self._numbers[key],
        )
        if not silent:
            self._judge(seen)
            return
        self._looking.add(key)
        asyncio.get_running_loop().call_later(took.total_seconds(), self._end, seen)

    def _end(self, seen: Observation) -> None:
        self._looking.discard(seen.check)
        self._judge(seen)

    def _judge(self, seen: Observation) -> None:
        key, counted = seen.check, self._counted
        before = self._healths[key]
        after, change = advance(before, seen, self._plans[key].policy)
        self._healths[key] = after
        counted.looks += 1
        counted.alarms += change is not None and change.after is State.DOWN
        counted.unstable += after.flapping and not before.flapping
        if wants_retry(after):
            self._scheduler.again(key, retry_gap(after, self._plans[key].policy))
        if counted.looks >= self._wanted:
            self._enough.set()


def by_random(looks: int, attempts: int, chance: float, seed: int) -> list[Figure]:
    """Random failures: how many alarms there are, and how many there should be."""
    counted = watch(looks, attempts, by_chance(chance, Random(seed)))
    mean, sigma = expected(counted.looks, chance, attempts)
    name = f"{chance:.0%} fail, {attempts} attempt{'s' * (attempts > 1)}"
    return [
        Figure(f"{name}: looks", counted.looks),
        Figure(f"{name}: alarms by the formula, p^n a turn", chance**attempts * counted.turns),
        Figure(f"{name}: alarms to be expected of these looks", mean),
        Figure(f"{name}: alarms seen", counted.alarms),
        Figure(f"{name}: sigmas between the two", abs(counted.alarms - mean) / sigma, SIGMAS),
        Figure(f"{name}: times a check was called unstable", counted.unstable),
    ]


def by_bursts(looks: int, longest: int, seed: int) -> list[Figure]:
    """Bursts of failures that are an attempt too short."""
    counted = watch(looks, longest + 1, in_bursts(longest, Random(seed)))
    name = f"bursts of up to {longest}, {longest + 1} attempts"
    return [
        Figure(f"{name}: looks", counted.looks),
        Figure(f"{name}: alarms seen", counted.alarms, 0),
    ]


def alarms(looks: int = LOOKS, seed: int = SEED) -> list[Figure]:
    """All scenes, one after the other."""
    random = [
        figure
        for number, (attempts, chance) in enumerate(SCENES)
        for figure in by_random(looks, attempts, chance, seed + number)
    ]
    return [*random, *(figure for longest in BURSTS for figure in by_bursts(looks, longest, seed))]


def main(looks: int) -> int:
    """Count and print; 1 when a figure is beyond its bound."""
    figures = alarms(looks)
    for figure in figures:
        print(f"  {figure.what:<56} {figure.value:14.3f}  {figure.bound}")
    print(json.dumps({figure.what: round(figure.value, 4) for figure in figures}), flush=True)
    return int(any(not figure.is_met for figure in figures))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else LOOKS))
