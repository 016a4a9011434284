"""A check's health as a value, the policy it is judged by, and the change that a look may confirm."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from monitor.health.words import State
from monitor.identifiers import CheckKey
from monitor.observation import Cause, Observation, Outcome

__all__ = ["Attempts", "Doubt", "Health", "Policy", "Transition", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How many looks in a row confirm a change (at least 1), and how long apart they are."""

    attempts: int
    retry: timedelta

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.retry <= timedelta(0):
            raise ValueError("at least one attempt, and a positive time between attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules D2, D3 and D9 in figures for one check."""

    confirm: Attempts
    recover: Attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One look that speaks against what is confirmed: how bad it was (`monitor.health.advance`), and when it began."""

    level: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What we hold to be true of one check, and how far the newest looks speak against it.

    `confirmed` is one of unknown, up, degraded, down. `state` adds suspect and recovering. `streak` counts the
    looks in a row that contradict `confirmed`, `hard` how many of those were `down`; `streak_since` is the
    start of the first of them, which becomes the moment of the change when it is confirmed. `doubts` are those
    looks themselves, oldest first; never more than the policy's attempts. `felt` tells of a failing check
    whether its users notice: always when down, when degraded only by being slow (rule D11). `persisting` is set at
    the end of a window: a failure that is confirmed anew counts as a fresh one (rule M2). `unknowns` counts the newest
    looks in a row that told us nothing, `unknown_since` is the first of them.

    `well` tells whether the newest look that told us anything found nothing that users would notice, `changes` which of the newest 20 such looks
    differed in that from the one before, one bit each, and `flapping_since` since when they did so too often
    (`monitor.health.flapping`). `sequence` is the number of the newest look in this process, 0 before the first.
    """

    check: CheckKey
    confirmed: State = State.UNKNOWN
    state: State = State.UNKNOWN
    since: datetime | None = None
    streak: int = 0
    hard: int = 0
    streak_since: datetime | None = None
    persisting: bool = False
    last_ok_at: datetime | None = None
    looked_at: datetime | None = None
    outcome: Outcome | None = None
    cause: Cause | None = None
    found: str = ""
    took_ms: float = 0.0
    felt: bool = False
    unknowns: int = 0
    unknown_since: datetime | None = None
    doubts: tuple[Doubt, ...] = ()
    well: bool | None = None
    changes: int = 0
    flapping_since: datetime | None = None
    sequence: int = 0

    @property
    def flapping(self) -> bool:
        """Does it come and go too often to be called well or failing?"""
        return self.flapping_since is not None


if TYPE_CHECKING:
    # So that the names and types of the fields are checked.
    from dataclasses import replace as changed
else:
    _NAMES = tuple(field.name for field in fields(Health))
    _values = attrgetter(*_NAMES)
    _write = {name: getattr(Health, name).__set__ for name in _NAMES}
    _writers = tuple(_write.values())

    def changed(health: Health, /, **changes: Any) -> Health:
        """Return the health with these fields changed: `dataclasses.replace` in a third of its time, for it is asked at each look."""
        after = object.__new__(Health)
        for write, value in zip(_writers, _values(health), strict=True):
            write(after, value)
        for name, value in changes.items():
            _write[name](after, value)
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One confirmed change of health; `since` is the start of the first look of the deciding streak.

    `before` equals `after` when a failure persists after a window (`since` is then the start of that failure, in the
    window or before it), and when a degraded check begins or ceases to be felt by its users. `last_ok_at` is
    the last healthy look before.
    """

    check: CheckKey
    before: State
    after: State
    since: datetime
    observation: Observation
    last_ok_at: datetime | None
