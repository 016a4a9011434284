"""A process that writes into a database until it is told, or killed, to stop; each line it prints is a promise.

python -m tests.store.writer PATH NAME append [COUNT]   append batches; print each one's id after its commit
python -m tests.store.writer PATH NAME hold             write inside a transaction, print, and hold it
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from monitor.health.words import Service, Status
from monitor.identifiers import BatchId, ServerId
from monitor.journal.entries import Batch, Entry, Kind, ServerChanged
from monitor.store import journal
from monitor.store.database import Database, Transaction


def main() -> None:
    path, name, task, *more = sys.argv[1:]
    database = Database.open(Path(path), owner=False)
    if task == "hold":
        hold(database, name)
        return
    for number in range(int(more[0]) if more else 1_000_000):
        with database.writing() as tx:
            append(tx, f"{name}{number:06}")
        say(f"{name}{number:06}")
    database.close()


def hold(database: Database, name: str) -> None:
    with database.writing() as tx:
        append(tx, f"{name}000000")
        tx.executemany("INSERT INTO beats VALUES (?, 1)", [(f"{number:07}",) for number in range(20_000)])
        say("held")
        sys.stdin.read()


def append(tx: Transaction, identity: str) -> None:
    """Append one batch of three entries about gye1."""
    body = ServerChanged(
        server=ServerId("gye1"),
        status=Status.OPERATIONAL,
        services={Service.WEB: Status.OPERATIONAL},
        since=datetime(2026, 11, 22, tzinfo=UTC),
    )
    entry = Entry(kind=Kind.SERVER_CHANGED, moment=body.since, subject=identity, body=body)
    journal.append(tx, Batch(id=BatchId(identity), after=journal.head(tx), entries=(entry,) * 3))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
