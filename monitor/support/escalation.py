"""What becomes of a ticket that nobody answers: one step up in priority for each further time that was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

PRIORITIES = ("low", "normal", "high", "urgent")
HIGHEST = PRIORITIES[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Within what time every ticket is answered. `in_service` counts service hours instead of the clock.

    `departments` are those that it holds for; all if there are none.
    """

    after: timedelta = timedelta(hours=24)
    in_service: bool = False
    departments: tuple[str, ...] = ()

    def holds_for(self, department: str) -> bool:
        """Does it hold for this department?"""
        return not self.departments or department in self.departments


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A ticket's step up: `step` says how many times the promised time was over; `was` and `becomes` are priorities.

    Both are the same for one that cannot rise, of which the department's head hears all the same.
    """

    step: int
    was: str
    becomes: str


def next_raise(waited: timedelta, priority: str, after: timedelta, past: Sequence[Raise]) -> Raise | None:
    """Return the step that is due for a ticket without an answer, None if there is none.

    However much time was missed, it is one step at a time and none twice: what a person lowered afterwards stays so until the next
    is due. What stood at the top once is not brought there again, for a person may have lowered it, or the helpdesk may know fewer
    priorities than we do. A ticket at the top is told of once.
    """
    step = waited // after
    if step < 1 or any(step <= each.step for each in past):
        return None
    becomes = PRIORITIES[min(PRIORITIES.index(priority) + 1, len(PRIORITIES) - 1)]
    if becomes == HIGHEST and any(each.becomes == HIGHEST for each in past):
        return None
    return Raise(step=step, was=priority, becomes=becomes)
