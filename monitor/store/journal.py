"""The journal: batches of entries, appended all or none, folded as they come, replayed when asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime

from monitor.errors import ConflictError, StoreError
from monitor.identifiers import BatchId, milliseconds
from monitor.journal.encoding import VERSION, decode, encode
from monitor.journal.entries import Batch, Entry, Kind, NumberedEntry
from monitor.store import fold, schema
from monitor.store.columns import instant
from monitor.store.database import Database, Row, Transaction, Value

Queue = Callable[[Transaction, NumberedEntry], None]

_PAGE = 500


def append(tx: Transaction, batch: Batch, queue: Queue | None = None) -> tuple[NumberedEntry, ...]:
    """Append one batch; each entry is folded into the tables, then `queue` may note what follows from it.

    The id of a batch that is on record already gives what was recorded then and changes nothing, so that an
    answer that got lost can be asked for again. Raises ConflictError when `batch.after` is not the newest batch:
    somebody else decided meanwhile. Raises StoreError for a batch without entries and for an entry that does not
    fit the tables; the transaction has to be given up then.
    """
    recorded = _recorded(tx, batch.id)
    if recorded:
        return recorded
    if not batch.entries:
        raise StoreError(f"batch {batch.id} has no entries")
    newest = head(tx)
    if batch.after != newest:
        raise ConflictError(
            f"batch {batch.id} was decided after {batch.after}, the journal stands at {newest}"
        )
    numbered = _write(tx, batch)
    for entry in numbered:
        fold.apply(tx, entry)
        if queue is not None:
            queue(tx, entry)
    return numbered


def head(tx: Transaction) -> BatchId | None:
    """Return the newest batch, None while the journal is empty."""
    row = tx.row("SELECT id FROM batches ORDER BY last_number DESC LIMIT 1")
    return None if row is None else BatchId(row["id"])


def last_number(tx: Transaction) -> int:
    """Return the number of the newest entry, 0 while the journal is empty."""
    row = tx.row("SELECT COALESCE(MAX(number), 0) AS number FROM entries")
    return 0 if row is None else int(row["number"])


def entries(
    tx: Transaction,
    *,
    after: int = 0,
    limit: int | None = None,
    subject: str | None = None,
    kinds: Collection[Kind] | None = None,
) -> Iterator[NumberedEntry]:
    """Yield the entries with a number above `after`, oldest first, read page by page while `tx` lasts."""
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = _page(tx, after=after, size=size, subject=subject, kinds=kinds)
        yield from page
        if len(page) < size:
            return
        after = page[-1].number
        left = None if left is None else left - size


def rebuild(database: Database) -> int:
    """Empty the folded tables and replay the whole journal into them; return how many entries were replayed.

    One transaction: readers see the old rows or the new ones. Nothing is queued, so nothing is sent twice.
    """
    with database.writing() as tx:
        for table in reversed(schema.FOLDED):
            tx.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are a list of ours
        replayed = 0
        for entry in entries(tx):
            fold.apply(tx, entry)
            replayed += 1
    return replayed


def replay(source: Transaction, target: Transaction, *, until: datetime) -> int:
    """Fold the entries of one database into the empty tables of another, up to the last one of `until`; return how many.

    The journal itself stays where it is.
    """
    row = source.row("SELECT MAX(number) AS newest FROM entries WHERE moment_ms <= ?", (milliseconds(until),))
    newest = 0 if row is None or row["newest"] is None else int(row["newest"])
    for entry in entries(source, limit=newest):
        fold.apply(target, entry)
    return newest


def _recorded(tx: Transaction, batch: BatchId) -> tuple[NumberedEntry, ...]:
    row = tx.row("SELECT first_number, last_number FROM batches WHERE id = ?", (batch,))
    if row is None:
        return ()
    first, last = int(row["first_number"]), int(row["last_number"])
    return tuple(entries(tx, after=first - 1, limit=last - first + 1))


def _write(tx: Transaction, batch: Batch) -> tuple[NumberedEntry, ...]:
    first = last_number(tx) + 1
    # A moment is folded as the column holds it, so that a replay sees the same one.
    numbered = tuple(
        NumberedEntry(number=number, entry=replace(entry, moment=instant(milliseconds(entry.moment))))
        for number, entry in enumerate(batch.entries, first)
    )
    tx.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", (batch.id, batch.after, first, numbered[-1].number))
    tx.executemany(
        "INSERT INTO entries (number, batch, moment_ms, actor, kind, subject, version, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                item.number,
                batch.id,
                milliseconds(item.entry.moment),
                item.entry.actor,
                item.entry.kind,
                item.entry.subject,
                VERSION,
                encode(item.entry.body),
            )
            for item in numbered
        ],
    )
    return numbered


def _page(
    tx: Transaction, *, after: int, size: int, subject: str | None, kinds: Collection[Kind] | None
) -> list[NumberedEntry]:
    conditions, parameters = ["number > ?"], list[Value]([after])
    if subject is not None:
        conditions.append("subject = ?")
        parameters.append(subject)
    if kinds is not None:
        conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
        parameters.extend(kinds)
    rows = tx.rows(
        "SELECT number, moment_ms, actor, kind, subject, version, body FROM entries"  # noqa: S608 - values are bound
        f" WHERE {' AND '.join(conditions)} ORDER BY number LIMIT ?",
        (*parameters, size),
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> NumberedEntry:
    kind = Kind(row["kind"])
    entry = Entry(
        kind=kind,
        moment=instant(int(row["moment_ms"])),
        subject=row["subject"],
        body=decode(kind, row["version"], row["body"]),
        actor=row["actor"],
    )
    return NumberedEntry(number=row["number"], entry=entry)
