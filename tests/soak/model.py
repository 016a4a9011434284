"""The judgement against a model of its rules, step by step: `python -m tests.soak.model [STEPS] [SCENE ...]`.

- `check`: at least a million events of one check, by chance: looks of every kind, late ones, clocks set back, windows, restarts, policies;
- `check-sequences`: every sequence of up to eight of ok, down, unknown, late, window ends and restart, and of up to six shades of looks.

The two sides are compared after each step; the first step at which they part is printed, with what led to it cut short.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from random import Random

from monitor.clock import SystemClock
from tests.health.reference import Policy
from tests.health.sides import LETTERS, SHADES, disagreement, every_sequence, line, shortest

STEPS = 1_000_000
SEED = 20261122
LENGTH = 50
CLOCK = SystemClock()


def check(steps: int) -> int:
    """Lines of events of one check, each from a seed of its own."""
    for number in range(-(-steps // LENGTH)):
        events = line(Random(SEED + number), LENGTH)
        if disagreement(events):
            raise AssertionError(f"line {number}: {disagreement(shortest(events))}")
    return -(-steps // LENGTH) * LENGTH


def check_sequences(_steps: int) -> int:
    """Every sequence of letters of one check."""
    letters = every_sequence(LETTERS, 8) + every_sequence(LETTERS, 6, Policy(1, 1))
    return letters + every_sequence(SHADES, 6)


SCENES: Mapping[str, Callable[[int], int]] = {"check": check, "check-sequences": check_sequences}


def main(steps: int, names: list[str]) -> int:
    """Play the scenes and print how many steps agreed; 1 at the first that does not."""
    for name in names or SCENES:
        began = CLOCK.monotonic()
        try:
            agreed = SCENES[name](steps)
        except AssertionError as parted:
            print(f"  {name}: {parted}")
            return 1
        seconds = CLOCK.monotonic() - began
        print(f"  {name:<18} {agreed:>10,} steps, the same after each  {seconds:8.1f} s")
        print(json.dumps({"scene": name, "steps": agreed, "seconds": round(seconds, 1)}), flush=True)
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    count = int(given.pop(0)) if given and given[0].isdigit() else STEPS
    sys.exit(main(count, given))
