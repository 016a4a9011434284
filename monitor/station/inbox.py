"""Where the reports of heartbeats come in: each is on disk before it is answered, and those that come together share a commit."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from monitor.clock import Clock
from monitor.errors import StoreError
from monitor.health.heartbeat import Arrival
from monitor.station.names import DATABASE
from monitor.store import heartbeats
from monitor.store.database import Database
from monitor.store.heartbeats import Report

_log = logging.getLogger(__name__)

LARGEST_LOG = 1024 * 1024 * 1024
SIGN = timedelta(seconds=5)
"""How often it is noted that reports can come in."""


def open_inbox(data: Path, clock: Clock) -> DatabaseInbox:
    """Open the inbox of a data directory and note from now on that reports can come in; a missing one raises SchemaError."""
    inbox = DatabaseInbox(Database.open(data / DATABASE, owner=False), clock)
    inbox.open()
    return inbox


@dataclass(slots=True)
class _Entry:
    """One report on its way: `done` once its commit has ended, `fault` when that failed."""

    report: Report
    done: bool = False
    fault: Exception | None = None


class DatabaseInbox:
    """Takes reports from several threads at once.

    One thread at a time commits, for itself and for everybody who came while the commit before was under way.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._gathering = threading.Lock()
        self._committing = threading.Lock()
        self._gathered: list[_Entry] = []
        self._closed = threading.Event()
        self._signs = threading.Thread(target=self._give_signs, name="inbox", daemon=True)

    def open(self) -> None:
        """Note that reports can come in, now and until `close`."""
        self._note(anew=True)
        self._signs.start()

    def close(self) -> None:
        """Take no more, and close the database."""
        self._closed.set()
        if self._signs.ident is not None:
            self._signs.join()
        self._database.close()

    def knows(self, token: str) -> bool:
        """Does any heartbeat report by this token? It is looked up by its digest, so that no answer tells how near a guess was."""
        with self._database.reading() as tx:
            return heartbeats.is_awaited(tx, heartbeats.digest_of(token))

    def take(self, token: str, signal: int, body: str = "") -> None:
        """Put a report on disk; it is there when this returns. StoreError means that it is not."""
        arrival = Arrival(at=self._clock.now(), signal=signal, body=body)
        entry = _Entry(Report(digest=heartbeats.digest_of(token), arrival=arrival))
        with self._gathering:
            self._gathered.append(entry)
        with self._committing:
            # Whoever held the lock before may have taken this one along.
            if not entry.done:
                self._commit()
        if entry.fault is not None:
            raise entry.fault

    def _commit(self) -> None:
        with self._gathering:
            together, self._gathered = self._gathered, []
        fault: Exception | None = None
        try:
            self._refuse_to_fill_the_disk()
            with self._database.writing() as tx:
                heartbeats.arrive(tx, [entry.report for entry in together])
        except Exception as error:  # noqa: BLE001 - everybody who waits for this commit has to hear of it
            fault = error
        for entry in together:
            entry.done, entry.fault = True, fault

    def _refuse_to_fill_the_disk(self) -> None:
        """Only watch moves the log into the file; while it is away, every commit makes the log longer."""
        if self._database.size().wal > LARGEST_LOG:
            raise StoreError("watch is away, and the database's log is too long for more: start watch")

    def _give_signs(self) -> None:
        while not self._closed.wait(SIGN.total_seconds()):
            self._note(anew=False)

    def _note(self, *, anew: bool) -> None:
        moment = self._clock.now()
        try:
            with self._database.reading() as tx:
                if not heartbeats.is_any_awaited(tx):
                    return
            self._refuse_to_fill_the_disk()
            with self._database.writing() as tx:
                heartbeats.receive_on(tx, moment, anew=anew)
        except StoreError as error:
            _log.warning("it cannot be noted that heartbeats may report: %s", error)
