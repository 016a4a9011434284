"""A planned window and the moves of its life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.identifiers import ServerId, WindowId


class WindowStage(StrEnum):
    """Where a window stands in its life; Statuspage's words, and `cancelled`."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A planned time in which failures of its servers open no incident; the end is not part of it.

    `starts_at` and `ends_at` are the plan. `started_at` and `ended_at` are what really was, None until then.
    `rule` is the recurrence it came from ("every sunday 02:00"), `time_zone` the zone that the rule is read in.
    `planned_at` is when the plan was published. `children` are the servers that depend on those of the window: while it keeps
    these quiet, it keeps them quiet too (rule M8).
    """

    id: WindowId
    title: Mapping[str, str]
    servers: frozenset[ServerId]
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    stage: WindowStage = WindowStage.SCHEDULED
    rule: str | None = None
    planned_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    children: frozenset[ServerId] = frozenset()

    def __post_init__(self) -> None:
        if self.ends_at <= self.starts_at:
            raise ValueError("a window ends after it starts")

    @property
    def covered(self) -> frozenset[ServerId]:
        """Every server that it keeps quiet: its own, and those that depend on them."""
        return self.servers | self.children

    def covers(self, moment: datetime) -> bool:
        """Is this window keeping its servers quiet at `moment`? A cancelled one never does."""
        if self.stage is WindowStage.CANCELLED and self.started_at is None:
            return False
        start = self.started_at or self.starts_at
        end = self.ended_at or self.ends_at
        return start <= moment < end
