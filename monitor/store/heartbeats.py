"""Heartbeats as they stand, the inbox of their reports, and since when reports can come in.

The inbox is bounded however long nobody empties it and whatever comes: see `MOST_WAITING` and `MOST_BODIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from monitor.health.heartbeat import Arrival, Beat, Reception
from monitor.identifiers import CheckKey, ServerId, milliseconds
from monitor.store.columns import instant, ms_of
from monitor.store.database import Row, Transaction
from monitor.store.observations.notes import beat, note
from monitor.store.readings.service import beat_of, heard_at, installation

WEB = "web"
_SINCE, _BEFORE = "web.since", "web.before"
_KEY = "heartbeat.key"
_SILENCE = timedelta(seconds=15)

MOST_WAITING = 10_000
"""So many reports of one check wait one by one; what comes beyond that is counted together with the last of its like."""
MOST_BODIES = 100
"""So many of them keep what was sent along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A heartbeat as it stands in the file: what its moments follow from, and how it stands."""

    digest: bytes
    rhythm: str
    beat: Beat


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report on its way into the inbox, addressed by the digest of a token."""

    digest: bytes
    arrival: Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A report in the inbox: its place in the order of arrival and the number of its check."""

    id: int
    number: int
    arrival: Arrival


def heartbeat_key(tx: Transaction) -> str | None:
    """Return the secret that addresses are derived from, None before it was made."""
    return installation(tx, _KEY)


def make_heartbeat_key(tx: Transaction, make: Callable[[], str]) -> str:
    """Return that secret; `make` gives it, once."""
    known = heartbeat_key(tx)
    if known is None:
        known = make()
        note(tx, _KEY, known)
    return known


def digest_of(token: str) -> bytes:
    """Return what a token is known by wherever it is kept."""
    return sha256(token.encode()).digest()


def is_awaited(tx: Transaction, digest: bytes) -> bool:
    """Is there a heartbeat that reports by the token of this digest?"""
    return tx.row("SELECT 1 FROM heartbeats WHERE digest = ? LIMIT 1", (digest,)) is not None


def is_any_awaited(tx: Transaction) -> bool:
    """Are there heartbeats at all?"""
    return tx.row("SELECT 1 FROM heartbeats LIMIT 1") is not None


def arrive(tx: Transaction, reports: Iterable[Report]) -> None:
    """Put reports into the inbox, in this order; one that nobody awaits any more is left out."""
    for report in reports:
        for row in tx.rows("SELECT check_number FROM heartbeats WHERE digest = ?", (report.digest,)):
            _append(tx, row["check_number"], report.arrival)


def waiting(tx: Transaction, most: int) -> tuple[Waiting, ...]:
    """Return the reports that nobody has taken yet, in the order of their arrival, at most so many."""
    rows = tx.rows(
        "SELECT id, check_number, at_ms, signal, times, body FROM arrivals ORDER BY id LIMIT ?", (most,)
    )
    return tuple(
        Waiting(
            id=row["id"],
            number=row["check_number"],
            arrival=Arrival(
                at=instant(int(row["at_ms"])), signal=row["signal"], times=row["times"], body=row["body"]
            ),
        )
        for row in rows
    )


def take_out(tx: Transaction, through: int) -> None:
    """Empty the inbox up to one report, that one included."""
    tx.execute("DELETE FROM arrivals WHERE id <= ?", (through,))


def stored(tx: Transaction) -> Mapping[CheckKey, Stored]:
    """Return every heartbeat by its check."""
    rows = tx.rows(
        "SELECT checks.server, checks.check_id, heartbeats.* FROM heartbeats JOIN checks ON checks.number = check_number"
    )
    return {CheckKey(ServerId(row["server"]), row["check_id"]): _stored(row) for row in rows}


def save(tx: Transaction, heartbeats: Mapping[int, Stored]) -> None:
    """Write how heartbeats stand, by the numbers of their checks."""
    tx.executemany(
        "INSERT OR REPLACE INTO heartbeats VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number,
                each.digest,
                each.rhythm,
                milliseconds(each.beat.expected),
                ms_of(each.beat.reported_at),
                each.beat.signal,
                None if each.beat.ran is None else each.beat.ran // timedelta(milliseconds=1),
                each.beat.body,
                ms_of(each.beat.started_at),
                ms_of(each.beat.running_since),
                ms_of(each.beat.overdue_since),
                each.beat.arrivals,
            )
            for number, each in heartbeats.items()
        ],
    )


def keep_only(tx: Transaction, numbers: Sequence[int]) -> None:
    """Forget the heartbeats of all other checks, with what they reported and nobody took."""
    kept = f"({', '.join(str(int(number)) for number in numbers)})"
    tx.execute(f"DELETE FROM heartbeats WHERE check_number NOT IN {kept}")  # noqa: S608 - numbers of ours
    tx.execute(f"DELETE FROM arrivals WHERE check_number NOT IN {kept}")  # noqa: S608 - numbers of ours


def receive_on(tx: Transaction, moment: datetime, *, anew: bool) -> None:
    """Note that reports can come in at `moment`: `anew` after a start, otherwise as before unless a while was slept through.

    An interruption that watch has not lived to see yet grows together with the next one.
    """
    known = reception(tx)
    beat(tx, WEB, moment)
    if known is None:
        beat(tx, _SINCE, moment)
    elif anew or not timedelta(0) <= moment - known.heard_at <= _SILENCE:
        watched_at = heard_at(tx)
        seen = watched_at is not None and watched_at >= known.since
        beat(tx, _BEFORE, known.heard_at if seen or known.before is None else known.before)
        beat(tx, _SINCE, moment)


def reception(tx: Transaction) -> Reception | None:
    """Return since when reports can come in, None before they ever could."""
    heard, since = beat_of(tx, WEB), beat_of(tx, _SINCE)
    if heard is None or since is None:
        return None
    return Reception(heard_at=heard, since=since, before=beat_of(tx, _BEFORE))


def _append(tx: Transaction, number: int, arrival: Arrival) -> None:
    count = tx.rows(
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM arrivals WHERE check_number = ? LIMIT ?)",
        (number, MOST_WAITING),
    )[0]["count"]
    times = arrival.times + (_withdraw(tx, number, arrival.signal) if count >= MOST_WAITING else 0)
    tx.execute(
        "INSERT INTO arrivals (check_number, at_ms, signal, times, body) VALUES (?, ?, ?, ?, ?)",
        (
            number,
            milliseconds(arrival.at),
            arrival.signal,
            times,
            arrival.body if count < MOST_BODIES else "",
        ),
    )


def _withdraw(tx: Transaction, number: int, signal: int) -> int:
    """Take out the last report of a kind in favour of the one that follows; return how many it stood for."""
    taken = tx.rows(
        "DELETE FROM arrivals WHERE id = (SELECT id FROM arrivals WHERE check_number = ? AND signal = ?"
        " ORDER BY id DESC LIMIT 1) RETURNING times",
        (number, signal),
    )
    return int(taken[0]["times"]) if taken else 0


def _stored(row: Row) -> Stored:
    return Stored(
        digest=bytes(row["digest"]),
        rhythm=row["rhythm"],
        beat=Beat(
            expected=instant(int(row["expected_ms"])),
            reported_at=instant(row["reported_ms"]),
            signal=row["signal"],
            ran=None if row["ran_ms"] is None else timedelta(milliseconds=row["ran_ms"]),
            body=row["body"],
            started_at=instant(row["started_ms"]),
            running_since=instant(row["running_ms"]),
            overdue_since=instant(row["overdue_ms"]),
            arrivals=row["arrivals"],
        ),
    )
