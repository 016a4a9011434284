"""The judgement against a model of its rules, step by step: `python -m tests.soak.model [STEPS] [SCENE ...]`.

- `check`: at least a million events of one check, by chance: looks of every kind, late ones, clocks set back, windows, restarts, policies;
- `check-sequences`: every sequence of up to eight of ok, down, unknown, late, window ends and restart, and of up to six shades of looks;
- `whole`: one act for every twenty of those, by chance, of three servers, one of them behind another, on a real database: looks, windows,
  restarts; after each story all is mended, and all must come to an end;
- `whole-sequences`: every sequence of up to five of ok, down, unknown, late, window starts, window ends, parent down, parent up, restart, on
  the same database, each taken back.

The two sides are compared after each step; the first step at which they part is printed, with what led to it cut short.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from monitor.clock import SystemClock
from tests.actions.sides import beginning, disagreement, rules, shortest, story
from tests.actions.sides import every_sequence as every_sequence_of_acts
from tests.health import sides as one
from tests.health.reference import Policy
from tests.health.sides import LETTERS, SHADES, every_sequence, line

STEPS = 1_000_000
SEED = 20261122
LENGTH = 50
STORY = 30
FIGURES = ((1, 1), (2, 1), (3, 2))
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a name of its own is made in it
CLOCK = SystemClock()


def check(steps: int) -> int:
    """Lines of events of one check, each from a seed of its own."""
    for number in range(-(-steps // LENGTH)):
        events = line(Random(SEED + number), LENGTH)
        if one.disagreement(events):
            raise AssertionError(f"line {number}: {one.disagreement(one.shortest(events))}")
    return -(-steps // LENGTH) * LENGTH


def check_sequences(_steps: int) -> int:
    """Every sequence of letters of one check."""
    letters = every_sequence(LETTERS, 8) + every_sequence(LETTERS, 6, Policy(1, 1))
    return letters + every_sequence(SHADES, 6)


def whole(steps: int) -> int:
    """Stories of a small fleet, each from a seed of its own."""
    stories = -(-steps // (20 * STORY))
    with TemporaryDirectory(prefix="vigia-model-", dir=memory()) as folder, beginning(Path(folder)) as begin:
        for number in range(stories):
            random = Random(SEED + number)
            watched, acts = rules(*random.choice(FIGURES)), story(random, STORY)
            if disagreement(begin, watched, acts):
                raise AssertionError(
                    f"story {number}: {disagreement(begin, watched, shortest(begin, watched, acts))}"
                )
    return stories * STORY


def whole_sequences(_steps: int) -> int:
    """Every sequence of letters of a small fleet."""
    with TemporaryDirectory(prefix="vigia-model-", dir=memory()) as folder, beginning(Path(folder)) as begin:
        return every_sequence_of_acts(begin(rules(2, 1)), 5) + every_sequence_of_acts(begin(rules(1, 1)), 4)


def memory() -> Path | None:
    """Return where files are kept in memory, if anywhere: nothing dies here, so nobody waits for a disk."""
    return MEMORY if MEMORY.is_dir() else None


SCENES: Mapping[str, Callable[[int], int]] = {
    "check": check,
    "check-sequences": check_sequences,
    "whole": whole,
    "whole-sequences": whole_sequences,
}


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
