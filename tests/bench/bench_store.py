"""What the store costs: looks written, settled and kept, streaks saved, 90 days of bars read, a journal replayed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlite_utils import Database as Plain

from monitor.health.state import Health
from monitor.health.words import Service, State, Status
from monitor.identifiers import BatchId, CheckKey, ServerId
from monitor.journal.entries import Batch, Entry, InventoryApplied, Kind, ServerChanged
from monitor.observation import Cause, Observation, Outcome
from monitor.store import journal, observations, readings
from monitor.store.database import Database
from monitor.store.days import refresh_days
from tests.store.history import fleet

T = TypeVar("T")
HOUR = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PHASES = {"name": 0.4, "connect": 8.1, "tls": 21.7, "first_byte": 44.2}
CHECKS = 1000
"""Each of them is looked at once a minute, so that a round is 1,000 looks."""


@dataclass
class Cost:
    """CPU and wall time of one piece of work."""

    cpu: float = 0.0
    wall: float = 0.0

    def a_thousand(self, rows: int) -> str:
        return f"{self.cpu / rows * 1000:7.4f} CPU s and {self.wall / rows * 1000:7.4f} s a 1,000"


@contextmanager
def measured() -> Iterator[Cost]:
    cost = Cost()
    cpu, wall = time.process_time(), time.perf_counter()
    yield cost
    cost.cpu, cost.wall = time.process_time() - cpu, time.perf_counter() - wall


def batched(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return the rows in the batches of one commit each."""
    return (rows[first : first + size] for first in range(0, len(rows), size))


def looks(rounds: int, first: int = 0) -> list[tuple[int, Observation]]:
    """Return rounds of looks in the order in which they come, one in a hundred of them failing."""
    keys = [CheckKey(ServerId(f"s{number}"), "http") for number in range(CHECKS)]
    return [
        (
            number + 1,
            Observation(
                check=keys[number],
                started_at=HOUR + timedelta(minutes=minute, milliseconds=60 * number),
                took_ms=70.0 + number % 97,
                outcome=Outcome.OK if (number + minute) % 100 else Outcome.DOWN,
                cause=None if (number + minute) % 100 else Cause.REFUSED,
                phases=PHASES,
            ),
        )
        for minute in range(first, first + rounds)
        for number in range(CHECKS)
    ]


def write(database: Database, rows: list[tuple[int, Observation]], size: int) -> Cost:
    with measured() as cost:
        for some in batched(rows, size):
            with database.writing() as tx:
                observations.record(tx, some)
    return cost


def used_bytes(database: Database) -> int:
    """Return what the rows occupy, free pages not counted."""
    database.checkpoint()
    with database.reading() as tx:
        pages, free, size = (
            int(tx.rows(f"PRAGMA {name}")[0][0]) for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def weight(database: Database, table: str) -> int:
    """Return the bytes that a table occupied, by emptying it."""
    before = used_bytes(database)
    with database.writing() as tx:
        tx.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
    return before - used_bytes(database)


def bench_commits(new: Callable[[], Database]) -> None:
    print("looks written, by looks a commit (FULL syncs each commit, NORMAL none)")
    for size, rounds in ((1, 1), (10, 4), (167, 20), (1000, 20)):
        rows = looks(rounds)
        for mode in ("FULL", "NORMAL"):
            database = new()
            database._writer.execute(f"PRAGMA synchronous = {mode}")
            cost = write(database, rows, size)
            rate = len(rows) / cost.wall
            print(f"  {size:>5}  {mode:<6}  {cost.a_thousand(len(rows))}   {rate:8,.0f} looks/s")


def bench_rows(folder: Path, new: Callable[[], Database]) -> None:
    rows = looks(20)
    ours = write(new(), rows, 167)
    plain = Plain(folder / "plain.db")
    plain.enable_wal()
    with measured() as theirs:
        for some in batched(rows, 167):
            plain["looks"].insert_all(
                {
                    "server": look.check.server,
                    "check": look.check.check,
                    "at": look.started_at.isoformat(),
                    "outcome": look.outcome.value,
                    "took": look.took_ms,
                    **look.phases,
                }
                for _, look in some
            )
    plain.close()
    print(f"against names and ISO text through sqlite-utils: {ours.cpu / theirs.cpu:.2f} times its CPU")


def bench_settling(new: Callable[[], Database]) -> None:
    database = new()
    rows = looks(60)
    before = used_bytes(database)
    write(database, rows, 1000)
    hot = used_bytes(database)
    settled = 0
    with measured() as cost:
        while True:
            with database.writing() as tx:
                moved = observations.settle(tx, HOUR + timedelta(hours=1))
            if not moved:
                break
            settled += moved
    place = used_bytes(database)
    print(f"an hour of {CHECKS:,} checks settled: {cost.a_thousand(settled)}")
    print(f"  bytes a look: hot {(hot - before) / len(rows):.1f}", end=", ")
    print(f"settled with roll-ups and evidence {(place - before) / len(rows):.1f}", end=", ")
    with measured() as again, database.writing() as tx:
        pruned = observations.prune(tx, observations.Keep(), HOUR + timedelta(days=36), most=5000)
    with database.reading() as tx:
        left = int(tx.rows("SELECT COUNT(*) FROM observations")[0][0])
    print(f"by itself {weight(database, 'observations') / left:.1f}")
    for name, buckets in (("five_minutes", 12 * CHECKS), ("hours", CHECKS), ("days", CHECKS)):
        print(f"  bytes a bucket of {name}: {weight(database, f'rollup_{name}') / buckets:.1f}")
    print(f"a slice of {pruned:,} rows pruned: {again.wall * 1000:.0f} ms")


def bench_streaks(new: Callable[[], Database]) -> None:
    database = new()
    keys = [CheckKey(ServerId(f"s{number}"), "http") for number in range(CHECKS)]
    numbers = {key: number for number, key in enumerate(keys, 1)}
    healths = [
        Health(check=key, confirmed=State.UP, state=State.UP, since=HOUR, last_ok_at=HOUR, looked_at=HOUR)
        for key in keys
    ]
    with measured() as cost:
        for some in batched(healths * 10, 167):
            with database.writing() as tx:
                observations.save_healths(tx, some, numbers)
    print(f"streaks saved, 167 a commit: {cost.a_thousand(10 * CHECKS)}")


def bench_days(new: Callable[[], Database]) -> None:
    database = new()
    servers = [f"s{number:03}" for number in range(300)]
    statuses = (Status.OPERATIONAL, Status.MAJOR_OUTAGE)
    start = HOUR - timedelta(days=95)
    numbers = count()
    with measured() as cost:
        append(
            database,
            numbers,
            [entry(Kind.INVENTORY_APPLIED, "fleet", InventoryApplied(fleet=fleet(*servers)), start)],
        )
        for change in range(30):
            moment = start + timedelta(days=3 * change, hours=5)
            append(
                database,
                numbers,
                [
                    entry(
                        Kind.SERVER_CHANGED,
                        server,
                        ServerChanged(
                            server=ServerId(server),
                            status=statuses[change % 2],
                            services={Service.WEB: statuses[change % 2]},
                            since=moment,
                        ),
                        moment,
                    )
                    for server in servers
                ],
            )
    print(f"journal: {9001 / cost.wall:,.0f} entries/s appended and folded", end=", ")
    with measured() as cost:
        replayed = journal.rebuild(database)
    print(f"{replayed / cost.wall:,.0f} entries/s replayed")
    zone = ZoneInfo("America/Guayaquil")
    first = (HOUR - timedelta(days=90)).date()
    with measured() as cost, database.writing() as tx:
        refresh_days(tx, zone, HOUR, first)
    print(f"90 days of 300 servers worked out, 30 changes each: {cost.cpu * 1000:.0f} ms, once")
    for what, work in (
        ("read as days", lambda tx: readings.server_days(tx, first)),
        ("read as intervals", lambda tx: readings.status_spans(tx, HOUR - timedelta(days=90), HOUR)),
    ):
        with measured() as cost, database.reading() as tx:
            work(tx)
        print(f"  {what}: {cost.cpu * 1000:.0f} ms")


def entry(kind: Kind, subject: str, body: InventoryApplied | ServerChanged, moment: datetime) -> Entry:
    return Entry(kind=kind, moment=moment, subject=subject, body=body)


def append(database: Database, numbers: Iterator[int], entries: list[Entry]) -> None:
    with database.writing() as tx:
        batch = Batch(id=BatchId(f"B{next(numbers):04}"), after=journal.head(tx), entries=tuple(entries))
        journal.append(tx, batch)


def main() -> None:
    opened: list[Database] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def new() -> Database:
            opened.append(Database.open(folder / f"{len(opened)}.db", owner=True))
            return opened[-1]

        bench_commits(new)
        bench_rows(folder, new)
        bench_settling(new)
        bench_streaks(new)
        bench_days(new)
        for database in opened:
            database.close()


if __name__ == "__main__":
    main()
