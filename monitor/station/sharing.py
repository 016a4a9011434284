"""How many processes look, and which of them looks at which check."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b
from math import ceil

from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey

EASY = 0.35
"""The share of a core up to which one process looks with ease: its stopwatch must not wait for its other looks."""

# CPU milliseconds of one look, as measured over loopback and rounded up; see docs/performance.md.
_HANDSHAKE_MS = 1.5
_COSTS_MS = {
    "http": 0.5,
    "tcp": 0.3,
    "ping": 0.4,
    "tls": 0.3 + _HANDSHAKE_MS,
    "ssh": 5.0,
    "host": 2.0,
}
_OTHERS_MS = 1.0
_WORD = 2**64
_SECOND = timedelta(seconds=1)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def load(plans: Iterable[CheckPlan]) -> float:
    """Return how many cores the planned looks take."""
    return sum(_cost_ms(plan) / 1000 / (plan.every / _SECOND) for plan in plans)


def probers_for(plans: Iterable[CheckPlan], cores: int) -> int:
    """Return how many processes are best for these plans: one as long as it does them with ease, and one core is left to others."""
    return max(1, min(ceil(load(plans) / EASY), cores - 1))


def share_of(key: CheckKey, probers: int) -> int:
    """Return which of so many processes, from 0 on, looks at a check.

    The same in every process and on every machine, spread evenly; one process more takes only its own share from the others. This is
    the jump consistent hash of Lamping and Veach.
    """
    state = int.from_bytes(blake2b(str(key).encode(), digest_size=8, person=b"share").digest())
    found, candidate = 0, 0
    while candidate < probers:
        found = candidate
        state = (state * 2862933555777941757 + 1) % _WORD
        candidate = int((found + 1) * (2**31 / ((state >> 33) + 1)))
    return found


def _cost_ms(plan: CheckPlan) -> float:
    cost = _COSTS_MS.get(plan.kind, _OTHERS_MS)
    secured = plan.kind == "http" and str(plan.options.get("url", "")).startswith("https:")
    return cost + _HANDSHAKE_MS if secured else cost
