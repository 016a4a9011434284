"""What every test may use: a stepping clock and a clean environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest


class SteppingClock:
    """A clock that moves only when a test says so; both its faces move together."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def step(self, by: timedelta) -> datetime:
        """Move on by `by` and return the new moment."""
        self._now += by
        self._monotonic += by.total_seconds()
        return self._now


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock(datetime(2026, 11, 22, 15, 0, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of ours may leak in from the machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "VIGIA_CONFIG", "VIGIA_DATA", "VIGIA_LISTEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
