"""A bureau on a real database, and the reader that shows what it decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.station.reader import DatabaseReader, open_reader
from monitor.store.database import Database
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock


@pytest.fixture
def lookout(tmp_path: Path, clock: SteppingClock) -> Iterator[Lookout]:
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock)
    yield made
    made.database.close()


@pytest.fixture
def reader(tmp_path: Path, lookout: Lookout, clock: SteppingClock) -> Iterator[DatabaseReader]:
    opened = open_reader(tmp_path, clock)
    yield opened
    opened.close()
