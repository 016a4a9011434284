"""The database file: how it is opened, who may write, and what its troubles are called.

One writer a process. All writing of a process goes through one connection behind one lock, so that its threads queue
fairly among themselves and only compete with the other processes. Readers borrow connections from a pool: a
connection serves one thread at a time and none for ever, so that threads may come and go without leaving any behind.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitor.errors import BusyError, SchemaError, StoreError
from monitor.store import histogram, opening

if TYPE_CHECKING:
    from sqlite3 import Connection, Cursor, Row, dbapi2  # noqa: TID251 - types alone; the engine is chosen below
else:
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        from sqlite3 import dbapi2  # noqa: TID251 - this is the one place that chooses the engine
    Row = dbapi2.Row

__all__ = ["Database", "Engine", "Row", "Size", "Transaction", "Value", "engine"]

Value = str | int | float | bytes | None
Parameters = Sequence[Value] | Mapping[str, Value]

# Older engines can corrupt a database in WAL mode when two connections write and checkpoint at the same instant.
_FIRST_SAFE_VERSION = (3, 51, 3)
_PATIENCE = timedelta(seconds=5)
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
    "PRAGMA journal_size_limit = 67108864",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The SQLite in use; `safe` tells whether two processes may write in WAL mode without fear for the file."""

    name: str
    version: str
    safe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What the database occupies on disk, in bytes."""

    file: int
    wal: int


def engine() -> Engine:
    """Return which SQLite this process uses."""
    return Engine(
        name=dbapi2.__name__.partition(".")[0],
        version=dbapi2.sqlite_version,
        safe=dbapi2.sqlite_version_info >= _FIRST_SAFE_VERSION,
    )


class Transaction:
    """SQL inside one transaction; every trouble of the engine leaves as a StoreError.

    A reading transaction refuses to write: a reader that turns writer in its midst fails at once, without the
    patience that `BEGIN IMMEDIATE` has.
    """

    __slots__ = ("_connection", "_writes")

    def __init__(self, connection: Connection, *, writes: bool) -> None:
        self._connection = connection
        self._writes = writes

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement that changes something; return how many rows it changed."""
        return self._write("execute", sql, parameters).rowcount

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Run one statement for each of `rows`; return how many rows were changed in all."""
        return self._write("executemany", sql, rows).rowcount

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return every row of the answer; also for INSERT, UPDATE and DELETE with RETURNING, inside `writing`."""
        with _translated():
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of the answer, None without one."""
        return next(iter(self.rows(sql, parameters)), None)

    def _write(self, method: str, sql: str, values: Parameters | Iterable[Parameters]) -> Cursor:
        if not self._writes:
            raise StoreError("a reading transaction does not write")
        with _translated():
            cursor: Cursor = getattr(self._connection, method)(sql, values)
            return cursor


class Database:
    """One open database file, shared by all threads of a process."""

    def __init__(self, path: Path, *, owner: bool, busy_timeout: timedelta) -> None:
        """Take note of the file; `open` is the way in."""
        self.path = path
        self._owner = owner
        self._patience = busy_timeout
        self._lock = threading.Lock()
        self._writer_free = threading.Lock()
        self._teller_free = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False
        self._together: int | None = None
        self._writer = self._connect()
        self._teller = self._connect()

    @classmethod
    def open(cls, path: Path, *, owner: bool, busy_timeout: timedelta = _PATIENCE) -> Self:
        """Open the database; only the owner (watch) creates it, brings its tables up to date and checkpoints.

        `busy_timeout` is how long a write waits for the other processes before BusyError.
        Raises SchemaError for a file that is missing, foreign, or of another schema, with the remedy,
        and StoreError for a damaged one.
        """
        if owner:
            _create_privately(path)
            with _opened(path) as connection:
                opening.prepare(connection, path)
        else:
            opening.require_present(path)
            with _opened(path) as connection:
                opening.require_current(connection, path)
        with _translated():
            return cls(path, owner=owner, busy_timeout=busy_timeout)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Run one writing transaction: committed at the end, rolled back whole when anything is raised.

        Raises BusyError when another process held the database for longer than `busy_timeout`; nothing was
        written then. A thread that is inside already must not enter again, unless it works `together`.
        """
        if self.is_together():
            with _part(self._writer):
                yield Transaction(self._writer, writes=True)
            return
        if not self._writer_free.acquire(timeout=max(self._patience.total_seconds(), 1.0)):
            raise BusyError("another thread of this process has been writing for too long")
        try:
            with _transaction(self._open(self._writer), "BEGIN IMMEDIATE"):
                yield Transaction(self._writer, writes=True)
        finally:
            self._writer_free.release()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one of all transactions that this thread begins in the block: committed at the end, or rolled back whole.

        One that fails inside takes back its own part alone, if the engine still can. Raises what `writing` raises.
        """
        if self.is_together():
            with _part(self._writer):
                yield
            return
        with self.writing():
            self._together = threading.get_ident()
            try:
                yield
            finally:
                self._together = None

    def is_together(self) -> bool:
        """Is this thread inside `together`?"""
        return self._together == threading.get_ident()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Give one unchanging picture of the database for as long as the block lasts; keep it short."""
        if self.is_together():
            yield Transaction(self._writer, writes=False)
            return
        connection = self._borrow()
        try:
            with _transaction(connection, "BEGIN"):
                yield Transaction(connection, writes=False)
        finally:
            self._give_back(connection)

    def data_version(self) -> int:
        """Return a number that differs from the last one when anybody, this process included, has committed since."""
        with self._teller_free:
            return _data_version(self._open(self._teller))

    def outside_version(self) -> int:
        """Return a number that differs from the last one when another process has committed since.

        Waits for the writing transaction of this process, if one is under way.
        """
        with self._writer_free:
            return _data_version(self._open(self._writer))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and cut it short, as far as readers allow; the owner's task."""
        if not self._owner:
            raise StoreError("only the owner of the database moves its write-ahead log")
        with self._writer_free, _translated():
            self._open(self._writer).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def integrity(self) -> str:
        """Return `ok`, or what SQLite finds wrong with the file, a line each."""
        with self.reading() as tx:
            return "\n".join(str(row[0]) for row in tx.rows("PRAGMA integrity_check"))

    def size(self) -> Size:
        """Return what the file and its write-ahead log occupy."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        return Size(file=self.path.stat().st_size, wal=wal.stat().st_size if wal.exists() else 0)

    def backup(self, target: Path) -> None:
        """Write a whole and consistent copy into the new file `target`, while others go on writing."""
        _create_privately(target, anew=True)
        connection = self._borrow()
        try:
            with _translated(), closing(dbapi2.connect(str(target))) as copy:
                connection.backup(copy)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close every connection; one that a thread still uses is closed when it is given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._teller_free:
            self._teller.close()
        with self._writer_free:
            self._writer.close()

    def _open(self, connection: Connection) -> Connection:
        if self._closed:
            raise StoreError("the database is closed")
        return connection

    def _borrow(self) -> Connection:
        with self._lock:
            if self._closed:
                raise StoreError("the database is closed")
            if self._idle:
                return self._idle.pop()
        with _translated():
            return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> Connection:
        connection = _connect(self.path, self._patience)
        for setting in _SETTINGS:
            connection.execute(setting)
        if not self._owner:
            # Two that checkpoint can get in each other's way, and a reader's stopwatch would feel it.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.create_function("merge_histograms", 2, histogram.merge_encoded, deterministic=True)
        return connection


def _connect(path: Path, patience: timedelta) -> Connection:
    connection = dbapi2.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=patience.total_seconds(),
        isolation_level=None,
        # The lock and the pool above see to it that one thread at a time uses a connection.
        check_same_thread=False,
    )
    connection.row_factory = Row
    return connection


def _create_privately(path: Path, *, anew: bool = False) -> None:
    """Make an empty file that only this user may read; SQLite gives its companions the same rights.

    A file that exists is not touched: closing a second descriptor of it would drop the locks this process holds.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if anew:
            raise StoreError(f"{path} exists already") from None
    except OSError as error:
        raise StoreError(f"cannot create {path}: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    with _translated(), closing(_connect(path, _PATIENCE)) as connection:
        yield connection


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    with _translated():
        connection.execute(begin)
    try:
        yield
        with _translated():
            connection.execute("COMMIT")
    except BaseException:
        # After a full disk or a broken one SQLite has rolled back by itself.
        if connection.in_transaction:
            with suppress(dbapi2.Error):
                connection.execute("ROLLBACK")
        raise


@contextmanager
def _part(connection: Connection) -> Iterator[None]:
    """Run one part of a transaction that is under way."""
    if not connection.in_transaction:
        raise StoreError("the transaction was given up")
    with _translated():
        connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            with suppress(dbapi2.Error):
                connection.execute("ROLLBACK TO part")
                connection.execute("RELEASE part")
        raise
    with _translated():
        connection.execute("RELEASE part")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except dbapi2.Error as error:
        raise _ours(str(error)) from error
    except UnicodeEncodeError as error:
        raise StoreError(
            "a text that holds what is no letter of Unicode cannot be stored or asked for"
        ) from error


def _ours(trouble: str) -> StoreError:
    """Return the error of ours for what the engine says; only its words tell the cases apart in every engine."""
    if "locked" in trouble:
        return BusyError(f"the database is held by another process: {trouble}")
    if "not a database" in trouble:
        return SchemaError("the file is no SQLite database: choose another data directory")
    if "malformed" in trouble:
        return StoreError(opening.DAMAGED.format(file="the database", trouble=trouble))
    return StoreError(f"the database refused: {trouble}")


def _data_version(connection: Connection) -> int:
    with _translated():
        return int(connection.execute("PRAGMA data_version").fetchone()[0])
