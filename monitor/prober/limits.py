"""The end of looks that do not end by themselves: one timer for all of them, since nearly none is ever needed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

Found = TypeVar("Found")


class OverdueError(Exception):
    """What was done was not done in time, and was ended."""


class Limits:
    """Holds tasks of the running loop to moments of its clock, each to one at a time."""

    def __init__(self) -> None:
        self._moments: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.Handle | None = None
        self._rings_at = math.inf

    async def hold(self, doing: Awaitable[Found], until: float) -> Found:
        """Return what comes of `doing`; at `until` it is cancelled, and that raises OverdueError."""
        task = asyncio.current_task()
        assert task is not None, "what is awaited runs in a task"  # noqa: S101 - asyncio's promise
        cancelled_before = task.cancelling()
        self._moments[task] = until
        if until < self._rings_at:
            self._set_timer(until)
        try:
            return await doing
        except asyncio.CancelledError as error:
            if task in self._overdue and task.uncancel() <= cancelled_before:
                raise OverdueError from error
            # Somebody else wants the whole task to end.
            raise
        finally:
            del self._moments[task]
            self._overdue.discard(task)

    def stop(self) -> None:
        """Hold nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = None, math.inf

    def _set_timer(self, moment: float) -> None:
        self.stop()
        self._timer, self._rings_at = asyncio.get_running_loop().call_at(moment, self._look_round), moment

    def _look_round(self) -> None:
        self._timer, self._rings_at = None, math.inf
        now = asyncio.get_running_loop().time()
        waiting = {task: until for task, until in self._moments.items() if task not in self._overdue}
        for task, until in waiting.items():
            if until <= now:
                self._overdue.add(task)
                task.cancel()
        later = [until for until in waiting.values() if until > now]
        if later:
            self._set_timer(min(later))
