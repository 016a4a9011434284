"""The lines of every check, prepared so that a scrape only joins them.

Ten thousand series through the objects of a metrics library take 167 ms a scrape. Here the labels of a check are
escaped once, when the check changes, and only checks that were looked at since the last text are written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.health.state import Health
from monitor.health.words import State
from monitor.identifiers import CheckKey
from monitor.metrics.lines import (
    CHECK_FLAPPING,
    CHECK_STATE,
    CHECK_UP,
    MEASURE,
    PROBE_DURATION,
    TLS_EXPIRY,
    labels,
    number,
)
from monitor.observation import Measure, Observation, Outcome, sound_measures

LOCATION = "local"


@dataclass(slots=True)
class _Lines:
    """What is written of one check: one ready piece of text a family."""

    held: str
    up: str = ""
    state: str = ""
    flapping: str = ""
    durations: str = ""
    measures: str = ""
    expiry: str = ""
    expires: datetime | None = None
    shown: State | None = None
    seen: tuple[Observation, Health] | None = None
    phases: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Turn what was seen into text."""
        if self.seen is None:
            return
        observation, health = self.seen
        self.seen = None
        self.up = self._up(health)
        if health.state is not self.shown:
            self.shown = health.state
            self.state = "".join(
                f'{CHECK_STATE.name}{{{self.held},state="{state}"}} {int(state is health.state)}\n'
                for state in State
            )
        self.flapping = f"{CHECK_FLAPPING.name}{{{self.held}}} 1\n" if health.flapping else ""
        phases = {**observation.phases, "total": observation.took_ms}
        # Six digits tell microseconds of a second-long look, and cost a third of the exact way.
        self.durations = "".join([f"{self._phase(name)}{took / 1000:.6g}\n" for name, took in phases.items()])
        self.measures = "".join(map(self._measure, sound_measures(observation.measures)))
        # A look that failed before it met the certificate says nothing about it.
        met = observation.tls_expires_at is not None or observation.outcome in (Outcome.OK, Outcome.WARN)
        if met and observation.tls_expires_at != self.expires:
            self.expires = observation.tls_expires_at
            self.expiry = self._expiry(self.expires)

    def _up(self, health: Health) -> str:
        if health.confirmed is State.UNKNOWN:
            return ""
        return f"{CHECK_UP.name}{{{self.held}}} {int(health.confirmed is not State.DOWN)}\n"

    def _expiry(self, expires: datetime | None) -> str:
        return f"{TLS_EXPIRY.name}{{{self.held}}} {number(expires.timestamp())}\n" if expires else ""

    def _measure(self, measure: Measure) -> str:
        named = labels(measure=measure.name, **({"unit": measure.unit} if measure.unit else {}))
        return f"{MEASURE.name}{{{self.held},{named}}} {measure.value:.15g}\n"

    def _phase(self, name: str) -> str:
        prefix = self.phases.get(name)
        if prefix is None:
            prefix = self.phases[name] = f"{PROBE_DURATION.name}{{{self.held},{labels(phase=name)}}} "
        return prefix


class CheckLines:
    """The newest look and the health of every check, as text for both formats."""

    def __init__(self) -> None:
        self._lines: dict[CheckKey, _Lines] = {}
        self._changed: list[_Lines] = []

    def replace(self, kinds: Mapping[CheckKey, str]) -> None:
        """Keep lines for exactly these checks, each of its kind; those that are known keep what was seen of them."""
        wanted = {key: _held(key, kind) for key, kind in kinds.items()}
        self._lines = {
            key: self._lines[key] if key in self._lines and self._lines[key].held == held else _Lines(held)
            for key, held in wanted.items()
        }

    def observe(self, observation: Observation, health: Health) -> None:
        """Take in a look and the health after it; a check that is not (any more) watched is left out."""
        lines = self._lines.get(observation.check)
        if lines is None:
            return
        if lines.seen is None:
            self._changed.append(lines)
        lines.seen = (observation, health)

    def text(self) -> str:
        """Return the families of all checks."""
        for lines in self._changed:
            lines.write()
        self._changed.clear()
        every = self._lines.values()
        return "".join(
            (
                CHECK_UP.head,
                *(lines.up for lines in every),
                CHECK_STATE.head,
                *(lines.state for lines in every),
                CHECK_FLAPPING.head,
                *(lines.flapping for lines in every),
                PROBE_DURATION.head,
                *(lines.durations for lines in every),
                TLS_EXPIRY.head,
                *(lines.expiry for lines in every),
                MEASURE.head,
                *(lines.measures for lines in every),
            )
        )


def _held(key: CheckKey, kind: str) -> str:
    return labels(server=key.server, check=key.check, kind=kind, location=LOCATION)
