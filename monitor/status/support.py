"""Support as customers see it: who answers, how they are reached, whether anybody is there now, and how long an answer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.support.answers import AnswerTime
from monitor.support.escalation import Promise
from monitor.support.hours import Holiday, Hours
from monitor.support.reach import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Is anybody there? One of both moments is known; neither where nobody ever answers."""

    open_until: datetime | None
    opens_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentView:
    """One department. `hours` and `presence` are its own, None where those of all hold; `answer` is None where nothing can be measured."""

    id: str
    name: Mapping[str, str]
    email: str
    hours: Hours | None
    presence: Presence | None
    answer: AnswerTime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportView:
    """Support as it is now. `answers` and `unanswered` (how many tickets wait) are by department, those that are not configured included.

    `holidays` are the next ones, at most two months ahead.
    """

    departments: tuple[DepartmentView, ...]
    ways: tuple[Way, ...]
    plans: Mapping[str, Mapping[str, str]]
    hours: Hours
    presence: Presence
    promise: Promise
    holidays: tuple[Holiday, ...] = ()
    answers: tuple[AnswerTime, ...] = ()
    unanswered: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_told(self) -> bool:
        """Is there anything to tell customers? Who configures neither departments nor channels has no page about them."""
        return bool(self.departments or self.ways)
