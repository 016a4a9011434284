"""When a changed file is read: once, and only when it has been left alone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.station.following import SETTLED_S, FollowedFile
from tests.conftest import SteppingClock

SECOND = timedelta(seconds=1)
LONG_ENOUGH = timedelta(seconds=SETTLED_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "servers.yaml"
    path.write_text("one")
    return path


def test_a_file_that_nobody_touches_is_left_alone(path: Path, clock: SteppingClock):
    file = FollowedFile(path, clock)
    for _ in range(5):
        clock.step(SECOND)
        assert not file.has_changed()


def test_a_change_is_told_when_the_file_has_been_left_alone(path: Path, clock: SteppingClock):
    file = FollowedFile(path, clock)
    path.write_text("one and two")
    assert not file.has_changed()
    clock.step(SECOND)
    path.write_text("one and two and three")
    assert not file.has_changed()
    clock.step(SECOND)
    assert not file.has_changed()
    clock.step(SECOND)
    assert file.has_changed()
    file.take()
    clock.step(LONG_ENOUGH)
    assert not file.has_changed()


def test_a_file_of_the_same_size_at_the_same_time_is_another_one_by_its_place(
    path: Path, clock: SteppingClock
):
    file = FollowedFile(path, clock)
    held = path.stat()
    fresh = path.with_suffix(".new")
    fresh.write_text("two")
    os.utime(fresh, ns=(held.st_atime_ns, held.st_mtime_ns))
    fresh.replace(path)
    assert not file.has_changed()
    clock.step(LONG_ENOUGH)
    assert file.has_changed()


def test_what_is_put_back_in_time_is_no_change(path: Path, clock: SteppingClock):
    file = FollowedFile(path, clock)
    held = path.stat()
    os.utime(path, ns=(0, 0))
    assert not file.has_changed()
    os.utime(path, ns=(held.st_atime_ns, held.st_mtime_ns))
    clock.step(LONG_ENOUGH)
    assert not file.has_changed()


def test_a_file_that_goes_away_has_changed_once(path: Path, clock: SteppingClock):
    file = FollowedFile(path, clock)
    path.unlink()
    assert not file.has_changed()
    clock.step(LONG_ENOUGH)
    assert file.has_changed()
    file.take()
    clock.step(LONG_ENOUGH)
    assert not file.has_changed()
    path.write_text("back")
    assert not file.has_changed()
    clock.step(LONG_ENOUGH)
    assert file.has_changed()
