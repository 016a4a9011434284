"""The data directory, made ready before anybody works in it."""

from __future__ import annotations

from pathlib import Path

from monitor.station.names import DATABASE
from monitor.store.database import Database


def prepare(data: Path) -> None:
    """Make the data directory and bring the database up to date, so that watch and web can start side by side."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    Database.open(data / DATABASE, owner=True).close()
