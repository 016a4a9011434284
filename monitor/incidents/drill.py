"""A drill: a rehearsed fault that goes the whole way. What its steps are, when it ends by itself, and whether it went well. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

PATIENCE = timedelta(minutes=2)
"""How long the last steps of a drill may take once it has ended."""


class Step(StrEnum):
    """What a fault goes through, in its order: it is confirmed, its ticket opened and found again, the operators told, and all of it ended."""

    CONFIRMED = "confirmed"
    TICKET_OPENED = "ticket_opened"
    READ_BACK = "read_back"
    TOLD = "told"
    RESOLVED = "resolved"
    TICKET_CLOSED = "ticket_closed"
    TOLD_OVER = "told_over"


_BEFORE_THE_END = (Step.TICKET_OPENED, Step.READ_BACK, Step.TOLD)


class Move(StrEnum):
    """What is to be done about a drill now."""

    WAIT = "wait"
    END = "end"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How far a drill has come: the moment of each step that was taken. `spared` are steps that nothing here asks for.

    It ends by `until` at the latest.
    """

    taken: Mapping[Step, datetime]
    until: datetime
    spared: frozenset[Step] = frozenset()

    @property
    def missing(self) -> tuple[Step, ...]:
        """The steps that are still to be taken, in their order."""
        return tuple(step for step in Step if step not in self.taken and step not in self.spared)


def next_move(course: Course, moment: datetime) -> Move:
    """Return what is to be done at `moment`: a drill ends once it has shown what it can, and is judged once it is all over."""
    if Step.RESOLVED not in course.taken:
        shown = not set(course.missing) & set(_BEFORE_THE_END)
        return Move.END if shown or moment >= course.until else Move.WAIT
    late = moment >= max(course.until, course.taken[Step.RESOLVED]) + PATIENCE
    return Move.JUDGE if late or not course.missing else Move.WAIT


def overdue_since(expected_since: datetime, last_success: datetime | None, warn_after: timedelta) -> datetime:
    """Return from when on operators should know that no drill has gone well; before the first one it counts from `expected_since`."""
    return max(expected_since, last_success or expected_since) + warn_after
