"""A bureau in a directory of its own, with the worker that carries its tickets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.station.home import MARK
from monitor.store import readings
from monitor.store.database import Database
from monitor.tickets.port import Helpdesk
from tests.actions.builders import Lookout
from tests.actions.conftest import INSTALLATION
from tests.conftest import SteppingClock

SECOND = timedelta(seconds=1)


class Station:
    """A lookout and its deliverer; both go by the clock of the house."""

    def __init__(self, folder: Path, clock: SteppingClock, port: Callable[[Database], Helpdesk]) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.clock = folder, clock
        self.database = Database.open(folder / "vigia.db", owner=True)
        self.lookout = Lookout(self.database, clock)
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=port(self.database),
            operators={},
            clock=self.lookout.bureau.clock,
            installation=INSTALLATION,
            append=lambda tx, entries: append(tx, entries, clock.now()),
            lived=self.lookout.bureau.clock.lived,
            chance=lambda: 0.5,
        )
        self.deliverer.recover()

    def steps(self) -> None:
        while self.deliverer.step():
            pass

    def wait(self, span: timedelta) -> None:
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.step(SECOND)
            self.steps()

    def copy(self, folder: Path) -> Path:
        """Copy the directory while it is in use, as a backup does."""
        folder.mkdir()
        self.database.backup(folder / "vigia.db")
        shutil.copy2(self.folder / MARK, folder / MARK)
        return folder

    def tickets(self) -> list[tuple[str, str]]:
        with self.database.reading() as tx:
            return [(row.ticket, row.status) for row in readings.tickets(tx)]
