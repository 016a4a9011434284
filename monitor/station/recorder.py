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

# A commit each 100 ms makes full durability nearly free; see docs/performance.md.
GATHER_S = 0.1
BUSY_PAUSE_S = 0.2
TROUBLE_PAUSE_S = 1.0
LIMIT = 50_000
LARGEST_BATCH = 5_000


class Recorder:
    """Keeps looks in order until they are stored.

    A database that is held by another process, full or broken delays what is recorded. Only beyond `LIMIT` waiting looks the
    oldest are let go, and counted by `on_drop`.
    """

    def __init__(
        self,
        *,
        write: Callable[[Sequence[Observation]], Awaitable[None]],
        on_drop: Callable[[int], None],
    ) -> None:
        self._write = write
        self._on_drop = on_drop
        self._waiting: list[Observation] = []
        self._arrived = asyncio.Event()
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
        self._arrived.set()

    async def run(self) -> None:
        """Write what arrives until `stop`, then write what is left."""
        while not (self._stopping and not self._waiting):
            await self._arrived.wait()
            self._arrived.clear()
            if not self._stopping:
                await asyncio.sleep(GATHER_S)
            while self._waiting:
                await self._write_some()

    def stop(self) -> None:
        """Let `run` end once everything is written."""
        self._stopping = True
        self._arrived.set()

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
