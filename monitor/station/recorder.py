"""From the prober's hand to the database: looks are written in batches, late rather than never, and never wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from monitor.errors import BusyError, StoreError
from monitor.observation import Observation

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# A commit each 100 ms makes full durability nearly free; looks that change nothing wait longer for company, because on a
# quiet machine a commit costs as much CPU as a look. See docs/performance.md.
GATHER_S = 0.1
CALM_S = 1.0
BUSY_PAUSE_S = 0.2
TROUBLE_PAUSE_S = 1.0
LIMIT = 50_000
LARGEST_BATCH = 5_000


class Recorder:
    """Keeps looks in order until they are stored.

    Looks that `is_news` are written within `GATHER_S`, with all that wait; others within `CALM_S`. A database that is held by another
    process, full or broken delays what is recorded. Only beyond `LIMIT` waiting looks the oldest are let go, and counted by
    `on_drop`.
    """

    def __init__(
        self,
        *,
        write: Callable[[Sequence[Observation]], Awaitable[None]],
        on_drop: Callable[[int], None],
        is_news: Callable[[Observation], bool] = lambda _look: True,
    ) -> None:
        self._write = write
        self._on_drop = on_drop
        self._is_news = is_news
        self._waiting: list[Observation] = []
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._pressing = False
        self._stopping = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, observation: Observation) -> None:
        """Take one look; returns at once."""
        self._waiting.append(observation)
        over = len(self._waiting) - LIMIT
        if over > 0:
            del self._waiting[:over]
            self._on_drop(over)
        if self._timer is None:
            self._pressing = self._is_news(observation)
            self._write_within(GATHER_S if self._pressing else CALM_S)
        elif not self._pressing and self._is_news(observation):
            self._pressing = True
            self._timer.cancel()
            self._write_within(GATHER_S)

    async def run(self) -> None:
        """Write what arrives until `stop`, then write what is left."""
        while not (self._stopping and not self._waiting):
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                await self._write_some()

    def stop(self) -> None:
        """Let `run` end once everything is written."""
        self._stopping = True
        self._now()

    def _write_within(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._now)

    def _now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.set()

    async def _write_some(self, most: int = LARGEST_BATCH) -> None:
        """Write the oldest looks, at most so many; what cannot be written now stays where it is."""
        batch = self._waiting[:most]
        try:
            await self._write(batch)
        except BusyError:
            await asyncio.sleep(BUSY_PAUSE_S)
            return
        except StoreError as error:
            _log.error("looks wait, %d by now: %s", len(self._waiting), error)
            await asyncio.sleep(TROUBLE_PAUSE_S)
            return
        except Exception:  # noqa: BLE001 - a defect of ours must not stop the looks behind it
            if len(batch) > 1:
                _log.exception("a batch of %d looks cannot be judged; trying them one by one", len(batch))
                await self._one_by_one(batch)
                return
            _log.exception("the look at %s is let go", batch[0].check)
            self._on_drop(1)
        self._take_out(batch)

    async def _one_by_one(self, batch: Sequence[Observation]) -> None:
        last = batch[-1]
        while any(observation is last for observation in self._waiting):
            await self._write_some(1)

    def _take_out(self, batch: Sequence[Observation]) -> None:
        # What arrived meanwhile stands behind the batch, unless the queue overflowed and shed some of it.
        written = set(map(id, batch))
        self._waiting = [observation for observation in self._waiting if id(observation) not in written]
