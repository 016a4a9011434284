"""The lines of every check for a scrape, kept by whoever answers it and brought up to date from the database."""

from __future__ import annotations

import threading

from monitor.metrics.collector import CheckLines
from monitor.store import observations, readings
from monitor.store.database import Transaction


class NewestLines:
    """Writes anew only what is new since the scrape before; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines = CheckLines()
        self._fleet = 0
        self._edition = 0

    def text(self, tx: Transaction) -> str:
        """Return the families of all watched checks as they stand in `tx`."""
        with self._lock:
            fleet = readings.fleet_number(tx)
            if fleet != self._fleet:
                self._lines.replace(readings.check_kinds(tx))
                self._fleet, self._edition = fleet, 0
            newest = observations.newest(tx, self._edition)
            for look, health in newest.looks:
                self._lines.observe(look, health)
            self._edition = newest.number
            return self._lines.text()
