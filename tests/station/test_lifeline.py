"""One watch a data directory, and no process without its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import AlreadyRunningError, RefusedError
from monitor.station.lifeline import SUPERVISOR, follow_supervisor, only_watch

ROOT = Path(__file__).parents[2]


def test_a_second_watch_is_refused_and_may_come_after_the_first(tmp_path):
    with only_watch(tmp_path / "var"):
        with pytest.raises(AlreadyRunningError, match="stop it first"), only_watch(tmp_path / "var"):
            pytest.fail("two watches at once")
        with only_watch(tmp_path / "elsewhere"):
            pass
    with only_watch(tmp_path / "var"):
        pass


def test_a_new_data_directory_is_private(tmp_path):
    with only_watch(tmp_path / "var"):
        assert (tmp_path / "var").stat().st_mode & 0o077 == 0


def test_a_place_that_cannot_be_a_data_directory_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="--data"), only_watch(tmp_path / "file"):
        pytest.fail("a file is no directory")


def test_a_process_whose_parent_is_gone_already_ends_at_once():
    """In a process of its own, for whoever asks to die with its parent cannot take it back."""
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            "from monitor.station.lifeline import follow_supervisor as f; f(); print('here')",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, SUPERVISOR: "1"},
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "the process 1 that started this one is gone" in answer.stderr


def test_a_process_that_was_started_alone_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(SUPERVISOR, raising=False)
    follow_supervisor()
