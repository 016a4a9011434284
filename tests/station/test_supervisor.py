"""Both processes under one roof: started again when one dies, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from monitor.station.supervisor import REFUSED

ROOT = Path(__file__).parents[2]
Supervise = Callable[..., subprocess.Popen[bytes]]


def wait_for(fact: Callable[[], object], what: str) -> object:
    pause = threading.Event()
    for _ in range(600):
        if found := fact():
            return found
        pause.wait(0.1)
    raise AssertionError(f"{what} did not come within a minute")


def child(folder: Path, name: str, *, after: int = 0) -> int:
    """Return the number of a child that was started; with `after`, of the one that took that one's place."""

    def number() -> int:
        path = folder / name
        found = int(path.read_text()) if path.exists() else 0
        return 0 if found == after else found

    return int(str(wait_for(number, name)))


def is_gone(number: int) -> bool:
    return not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*names: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.station.supervised", str(tmp_path), *names],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(20)


def test_a_child_that_was_killed_is_started_again(supervise: Supervise, tmp_path: Path):
    supervise("steady")
    first = child(tmp_path, "steady")
    os.kill(first, signal.SIGKILL)
    assert child(tmp_path, "steady", after=first) != first


def test_stop_ends_every_child_and_then_itself(supervise: Supervise, tmp_path: Path):
    process = supervise("steady", "other")
    children = [child(tmp_path, "steady"), child(tmp_path, "other")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert all(is_gone(number) for number in children)


def test_a_child_that_refuses_to_start_ends_the_others_with_its_status(supervise: Supervise):
    assert supervise("steady", "refusing").wait(60) == REFUSED


def test_a_word_to_read_anew_is_handed_to_those_who_understand_it(supervise: Supervise, tmp_path: Path):
    process = supervise("steady", "other")
    child(tmp_path, "steady")
    child(tmp_path, "other")
    process.send_signal(signal.SIGHUP)
    wait_for((tmp_path / "steady.hup").exists, "the word")
    assert process.poll() is None
    assert not (tmp_path / "other.hup").exists()


def test_no_child_outlives_a_supervisor_that_was_killed(supervise: Supervise, tmp_path: Path):
    process = supervise("steady", "other")
    children = [child(tmp_path, "steady"), child(tmp_path, "other")]
    process.kill()
    process.wait(20)
    wait_for(lambda: all(is_gone(number) for number in children), "the end of the children")
