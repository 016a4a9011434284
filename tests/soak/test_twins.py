"""The soaks in short: the same scenes with their counts alone, for how fast a machine is says nothing about the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.house import ROOT
from tests.soak import isolation
from tests.soak.fifty_thousand import day, looks
from tests.soak.reloads import reload
from tests.soak.whole import Figure


def values(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.what: figure for figure in figures}


def missed(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if not figure.is_met]


@pytest.mark.timeout(300)
def test_looks_of_every_fate_leave_nothing_behind():
    """In a process of its own, whose descriptors and threads are those of looks alone."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.soak.leaks", "1500"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert answer.stdout, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["looks"] >= 1500
    assert found["ends that never came"] == 0, found["causes"]
    assert found["more descriptors at the end"] <= 5
    assert found["more threads at the end"] <= 5
    assert found["more children at the end"] == found["more files at the end"] == 0


@pytest.mark.system("nginx")
@pytest.mark.timeout(300)
def test_every_look_that_is_made_is_seen_and_none_is_made_twice(tmp_path: Path):
    tmp_path.chmod(0o755)
    found = values(looks(tmp_path, checks=60, every=2, seconds=8))
    assert found["looks that nginx did not see"].value == 0
    assert found["looks that were not fine"].value == 0
    assert found["looks that were made"].value >= 60
    # On a machine that cannot keep up a look may come late, but no check has one too many.
    assert found["most looks of a check"].value <= 5


@pytest.mark.timeout(300)
def test_a_day_of_many_checks_has_every_turn_once(tmp_path: Path):
    assert missed(day(tmp_path, checks=3000, hours=3)) == []


@pytest.mark.system("nginx")
@pytest.mark.timeout(300)
def test_reloads_double_no_look_and_forget_no_check(tmp_path: Path):
    tmp_path.chmod(0o755)
    found = reload(tmp_path, 20)
    assert found["looks"] > 0
    assert found["doubled"] == 0
    assert found["checks that are no longer looked at"] == 0


@pytest.mark.system("unshare", "ip")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network of its own")
@pytest.mark.timeout(300)
def test_a_line_that_is_cut_is_our_matter_and_what_died_behind_it_is_told_afterwards():
    """In a network of its own: once with no route left, once with silence and a target that dies unseen."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.soak.isolation", "2", "10"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if "Operation not permitted" in answer.stderr:
        pytest.skip("this machine does not let us make a network of our own")
    assert answer.stdout, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert isolation.is_right(found), found
