"""One office at a time speaks with the helpdesk, relieved by another when the helpdesk is another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.station.office import Office


class Delivering:
    """Offices, one after the other; `make` gives one that knows the present configuration."""

    def __init__(self, make: Callable[[], Office]) -> None:
        self._make = make
        self._office = make()
        self._relief = asyncio.Event()
        self._ending = False

    async def run(self) -> None:
        """Deliver until `end`."""
        while not self._ending:
            office = self._office
            await asyncio.gather(office.deliverer.run(self._relief), office.clerk.run(self._relief))
            if not self._ending:
                await asyncio.gather(office.deliverer.last_calls(), office.clerk.last_calls())
                self._relief.clear()
                self._office = self._make()

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
