"""The wall clock of a real process is stepped while it runs."""

from __future__ import annotations

import os
import platform
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

LIBRARY = f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1"
STEPS = [
    "+1",
    "+3600",
    "-3600",
    "+86400",
    "-86400",
    "@1970-01-02 00:00:00",
    "@2038-01-19 03:14:08",
    "+0",
]
PATIENCE = 60
EVERY_S = 0.2


@pytest.fixture
def wall(tmp_path):
    """A file that says how far the wall clock is off."""
    file = tmp_path / "wall"
    file.write_text("+0\n")
    return file


@pytest.fixture
def program(wall):
    """The program, and a queue of the lines that it writes."""
    environment = os.environ | {
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": str(wall),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.scheduling.stepped"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    lines: queue.Queue[str] = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    yield lines
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    finally:
        process.kill()
        reader.join()
        process.stdout.close()


@pytest.mark.system(LIBRARY)
def test_looks_and_jobs_go_on_through_every_step_of_the_wall_clock(program, wall):
    years = set()
    told: Counter[str] = Counter()
    moments: list[float] = []

    def hear():
        what, moment, year = program.get(timeout=PATIENCE).rsplit(maxsplit=2)
        told[what] += 1
        years.add(year)
        moments.append(float(moment))

    def hear_more():
        wanted = {
            name: told[name] + 1
            for name in ("job", "look:server0/check0", "look:server0/check1", "look:server0/check2")
        }
        while any(told[name] < count for name, count in wanted.items()):
            hear()

    hear_more()
    for step in STEPS:
        wall.write_text(step + "\n")
        hear_more()
    # The steps were really seen, none of them let jobs pile up, and nothing failed.
    assert {"1970", "2038"} <= years
    assert told["job"] <= (moments[-1] - moments[0]) / EVERY_S + 2 * len(STEPS)
    assert not [what for what in told if what.startswith("fault")]
