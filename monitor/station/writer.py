"""The one thread that the database of watch belongs to, and how patient whoever asks it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from monitor.errors import BusyError, StoreError

Result = TypeVar("Result")

_BUSY_PAUSE_S = 1.0


class Writer:
    """Does one piece of work at a time, in the order in which they came; `fault` is told what the database refuses."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self._fault = fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do it now; raises what it raises, BusyError while another process holds the database."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def when_free(self, work: Callable[[], Result]) -> Result | None:
        """Do what can also be done a little later; None when the database could not be had now."""
        try:
            return await self.do(work)
        except BusyError:
            return None
        except StoreError as error:
            self._fault(str(error))
            return None

    async def persistently(self, work: Callable[[], Result]) -> Result:
        """Do what must be done before anything else goes on, however long another process holds the database."""
        while True:
            try:
                return await self.do(work)
            except BusyError:
                await asyncio.sleep(_BUSY_PAUSE_S)

    def close(self) -> None:
        """Let the thread end once everything is done."""
        self._thread.shutdown()
