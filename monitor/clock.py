"""The one reader of wall time, and the one source of chance for names."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

from monitor.identifiers import ENTROPY_BYTES, ulid


class Clock(Protocol):
    """Where moments come from; read once per action, the moment is then handed down."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never step, for durations and rhythms only."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        return time.monotonic()


def fresh_ulid(moment: datetime) -> str:
    """Return a new name that sorts by `moment` and is never drawn twice."""
    return ulid(moment, secrets.token_bytes(ENTROPY_BYTES))
