"""A fresh database, and copies of an empty one for tests that need many."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "vigia.db", owner=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _blank(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("blank") / "vigia.db"
    Database.open(path, owner=True).close()
    return path.read_bytes()


@pytest.fixture
def fresh(_blank: bytes, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Open one more empty database at each call: for tests that try many histories."""
    numbers = itertools.count()
    opened: list[Database] = []

    def one_more() -> Database:
        for old in opened:
            old.close()
        opened.clear()
        path = tmp_path / f"{next(numbers)}.db"
        path.write_bytes(_blank)
        opened.append(Database.open(path, owner=False))
        return opened[0]

    yield one_more
    for last in opened:
        last.close()
