"""One office at a time speaks with the helpdesk, relieved by another when the helpdesk is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.actions.clerk import Clerk
from monitor.station.office import Office


class Delivering:
    """Offices, one after the other; `make` gives one that knows the present configuration."""

    def __init__(self, make: Callable[[], Office]) -> None:
        self._make = make
        self._office = make()
        self._reading: Clerk | None = None
        self._relief = asyncio.Event()
        self._ending = False

    async def run(self) -> None:
        """Deliver until `end`."""
        while not self._ending:
            office = self._office
            await asyncio.gather(office.deliverer.run(self._relief), self._read(office.clerk))
            if not self._ending:
                await office.deliverer.last_calls()
                self._relief.clear()
                self._office = self._make()

    async def _read(self, clerk: Clerk) -> None:
        """Let a clerk read until `relieve`. It begins when the one before has ended, however long that takes: nothing that is delivered waits for it."""
        if self._reading is not None:
            ended, relief = map(asyncio.ensure_future, (self._reading.last_calls(), self._relief.wait()))
            try:
                await asyncio.wait((ended, relief), return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended.cancel()
                relief.cancel()
            if not ended.done():
                return
        self._reading = clerk
        await clerk.run(self._relief)

    def relieve(self) -> None:
        """Let whoever delivers end what is under way; somebody else goes on who knows the new configuration."""
        self._relief.set()

    def end(self) -> None:
        """Let `run` return."""
        self._ending = True
        self._relief.set()

    def wake(self) -> None:
        """Something was queued."""
        self._office.deliverer.wake()

    def recheck(self) -> None:
        """Heal what went wrong at the helpdesk in the last days; runs on the writer's thread."""
        self._office.deliverer.recheck()

    def appeal(self) -> None:
        """Try again what the helpdesk refused; runs on the writer's thread."""
        self._office.deliverer.appeal()
