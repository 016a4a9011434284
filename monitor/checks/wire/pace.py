"""How long a look may take before that is worth a warning."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.checks.contract import Look
from monitor.observation import Cause, Outcome

_MS = timedelta(milliseconds=1)


def slowed(look: Look, within: timedelta | None) -> Look:
    """Return a fine look as a warning when all of it took longer than `within`; any other look as it is."""
    took_ms = look.phases.get("total", 0.0)
    if look.outcome is not Outcome.OK or within is None or took_ms <= within / _MS:
        return look
    found = f"{took_ms:.0f} ms, expected within {within / _MS:.0f} ms"
    return replace(look, outcome=Outcome.WARN, cause=Cause.SLOW, found=found)
