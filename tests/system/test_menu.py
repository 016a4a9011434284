"""The menu and the tools behind it, as a newcomer calls them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shell(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def tools(tmp_path):
    """A copy of the tools in a place of their own, with an environment that is already made."""
    for name in ("tools", "Makefile", "requirements.lock", "requirements-dev.lock"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    return tmp_path


def made(place: Path, lock: str) -> None:
    """Leave what the tool leaves: a program, and the stamp of the lock that it was made from."""
    program = place / ".venv/bin/vigia"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    digest = shell("sha256sum", lock, cwd=place).stdout.split()[0]
    (place / ".venv/.installed").write_text(f"{digest} {lock}\n")


@pytest.mark.system("make")
def test_make_alone_shows_every_target():
    menu = shell("make").stdout
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"development"}
    assert set(re.findall(r"^  make ([a-z]+) ", menu, re.MULTILINE)) == targets


@pytest.mark.system("make")
def test_settings_of_make_run_become_flags_and_survive_spaces():
    planned = shell("make", "-n", "run", "LISTEN=127.0.0.1:9000", "DATA=/srv/a b").stdout
    assert ".venv/bin/vigia run" in planned
    assert "--listen '127.0.0.1:9000'" in planned
    assert "--data '/srv/a b'" in planned
    assert "--config" not in planned


@pytest.mark.system("make")
def test_variables_that_stand_in_the_environment_by_chance_change_nothing():
    planned = shell("make", "-n", "run", DATA="/srv/other", LISTEN="0.0.0.0:80", CONFIG="other.yaml").stdout
    assert planned.strip().endswith("vigia run")


@pytest.mark.system("make")
def test_make_clean_leaves_data_alone(tools):
    for name in ("var", ".venv", "monitor", "web", "tests"):
        (tools / name).mkdir()
        (tools / name / "kept").touch()
    assert shell("make", "clean", cwd=tools).returncode == 0
    assert (tools / "var/kept").exists()
    assert not (tools / ".venv").exists()


@pytest.mark.parametrize("wanted", ["requirements.lock", "requirements-dev.lock"])
def test_an_environment_that_is_as_the_lock_says_is_left_alone(tools, wanted):
    made(tools, "requirements-dev.lock")
    assert shell("tools/environment", wanted, cwd=tools).returncode == 0
    assert (tools / ".venv/bin/vigia").read_text() == "#!/bin/sh\n"


def test_the_locks_carry_hashes_and_no_address():
    for lock in ("requirements.lock", "requirements-dev.lock", "tools/uv.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        assert "--index" not in text
        packages = re.findall(r"^[a-z0-9._-]+==\S+.*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
        assert packages
        assert all("--hash=sha256:" in package for package in packages)


def test_what_runs_in_development_is_what_runs_elsewhere():
    def versions(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._-]+==[^ ;\n]+", (ROOT / lock).read_text(), re.MULTILINE))

    assert versions("requirements.lock") - versions("requirements-dev.lock") == set()


def test_every_program_that_a_test_needs_is_installed_for_it():
    """Otherwise the test would be skipped on every fresh machine, and fail where nothing may be skipped."""
    needed = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "system":
                needed |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    # make runs the tests, and the rest is on every Debian.
    there = {"make", "bash", "sh", "awk", "grep", "df", "nproc", "timeout"}
    installed = set((ROOT / "tools/system-packages").read_text().split())
    assert {name for name in needed if "/" not in name} - installed - there == set()


def test_where_nothing_may_be_installed_what_is_missing_is_named(tmp_path):
    """A machine of somebody without rights: few programs, no way to become root, no apt-get."""
    for name in ("sort", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    bash = shutil.which("bash") or ""
    told = shell(bash, str(ROOT / "tools/system-packages"), PATH=str(tmp_path))
    assert told.returncode == 0
    assert re.search(
        r"^Missing, and not installed by itself: .*\bchromium\b.*\bcurl\b", told.stderr, re.MULTILINE
    )


@pytest.mark.parametrize("script", ["tools/environment", "tools/lock", "tools/system-packages", ".ci/run"])
def test_scripts_can_be_run_and_stop_at_the_first_fault(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert "set -euo pipefail" in path.read_text()
    assert shell("bash", "-n", str(path)).returncode == 0
