"""What every test may use: a stepping clock, a clean environment, programs of the system, and nothing left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

if TYPE_CHECKING:
    from tests.contracts.benches import Keeper

# How long an example takes says more about the neighbours of this machine than about us. Where a change is judged, the same
# examples are tried each time; everywhere else, and in `make soak`, new ones.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    derandomize="CI" in os.environ,
)
settings.load_profile("house")


class SteppingClock:
    """A clock that moves only when a test says so; both its faces move together."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def lived(self, since: datetime, until: datetime) -> timedelta:
        """Return how long we were there: it neither sleeps nor leaps."""
        return until - since

    def step(self, by: timedelta) -> datetime:
        """Move on by `by` and return the new moment."""
        self._now += by
        self._monotonic += by.total_seconds()
        return self._now


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock(datetime(2026, 11, 22, 15, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """Products that are slow to start are started once, for the contract of every helpdesk and for the traps of its own."""
    # Most tests need none of them.
    from tests.contracts.benches import Keeper  # noqa: PLC0415

    kept = Keeper(tmp_path_factory.mktemp("kept"))
    yield kept
    kept.close()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of ours may leak in from the machine."""
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "VIGIA_CONFIG",
        "VIGIA_DATA",
        "VIGIA_LISTEN",
        "VIGIA_AUTHOR",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _only_loopback() -> None:
    """A test that reaches for the network fails at once."""
    socket_allow_hosts(["127.0.0.0/8", "::1"], allow_unix_socket=True)


def missing_programs(programs: tuple[str, ...]) -> list[str]:
    """Return which of these are not on this machine; a path names a file, anything else a command."""
    # Servers live in sbin, which is not on the path of everybody.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return [
        name
        for name in programs
        if not (Path(name).exists() if "/" in name else shutil.which(name, path=path))
    ]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test by the name of what it misses; where everything is promised to be there, fail it."""
    wanted = tuple(name for mark in item.iter_markers("system") for name in mark.args)
    missing = missing_programs(wanted)
    if not missing:
        return
    reason = f"needs {', '.join(missing)}: see tools/system-packages"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Whoever starts a process ends it."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=10)
    told = [" ".join(child.cmdline()) or child.name() for child in alive if child.is_running()]
    for child in alive:
        child.kill()
    assert not told, f"left behind: {told}"
