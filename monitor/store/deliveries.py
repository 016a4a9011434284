"""What has to go out: one row a delivery, one row an attempt.

Rows are queued in the transaction of the entry that asks for them. A row is moved by compare and set, so that two
workers never own the same one, and of every incident only the oldest unfinished row of a channel may go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.identifiers import IncidentId, milliseconds
from monitor.journal.consequences import Channel, Delivery, DeliveryState, way
from monitor.journal.entries import NumberedEntry
from monitor.store.columns import instant, ms_of
from monitor.store.database import Row, Transaction

_COLUMNS = "id, channel, incident, action, seq, entry, state, attempts, due_ms, created_ms, sent_ms, detail"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One delivery as stored. `entry` is the number of the entry that asked for it, `seq` its place in its queue."""

    id: int
    channel: str
    incident: IncidentId
    action: str
    seq: int
    entry: int
    state: DeliveryState
    attempts: int
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The part of a delivery that moves."""

    state: DeliveryState
    attempts: int
    due_at: datetime
    sent_at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One time that we spoke to the other side; `ended_at` and `outcome` are None while it lasts, or if we died in it."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in one channel: how many deliveries, of how many of them nobody knows whether they arrived, and since when the oldest."""

    count: int
    oldest_at: datetime
    uncertain: int = 0


def queue(tx: Transaction, numbered: NumberedEntry, deliveries: Sequence[Delivery]) -> None:
    """Queue what follows from an entry, each behind what its incident has waiting in the same channel."""
    for delivery in deliveries:
        queue_later(tx, delivery, entry=numbered.number, due=numbered.entry.moment)


def queue_later(tx: Transaction, delivery: Delivery, *, entry: int, due: datetime) -> None:
    """Queue something to be done at `due` and not before, behind what its incident has waiting in the same channel."""
    tx.execute(
        "INSERT INTO deliveries (channel, incident, action, seq, entry, state, due_ms, created_ms)"
        " SELECT :channel, :incident, :action, COALESCE(MAX(seq), 0) + 1, :entry, :state, :due, :due FROM deliveries"
        " WHERE channel = :channel AND incident = :incident",
        {
            "channel": delivery.channel,
            "incident": delivery.incident,
            "action": delivery.action,
            "entry": entry,
            "state": DeliveryState.READY,
            "due": milliseconds(due),
        },
    )


def add(
    tx: Transaction,
    delivery: Delivery,
    *,
    entry: int,
    seq: int,
    due: datetime,
    state: DeliveryState = DeliveryState.READY,
) -> bool:
    """Queue one delivery at a given place; one that is there already stays as it is and gives False.

    In the state `retry` it is treated as one that was tried before.
    """
    changed = tx.execute(
        "INSERT INTO deliveries (channel, incident, action, seq, entry, state, due_ms, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, incident, action, seq) DO NOTHING",
        (
            delivery.channel,
            delivery.incident,
            delivery.action,
            seq,
            entry,
            state,
            milliseconds(due),
            milliseconds(due),
        ),
    )
    return changed == 1


def due(tx: Transaction, now: datetime, limit: int, channel: str | None = None) -> tuple[DeliveryRow, ...]:
    """Return what may go now, the longest due first: of each channel and incident only the oldest unfinished one.

    A refused creation holds back all that follows it, for there is no ticket to speak of; anything else that was
    refused lets the next one pass. A creation goes before another action with the same place. On the way to an address what is new goes before
    what was tried.
    """
    rows = tx.rows(
        f"""
        SELECT {_COLUMNS} FROM deliveries AS this
        WHERE state IN ('ready', 'retry', 'ambiguous') AND due_ms <= :now
          AND (:channel IS NULL OR channel = :channel)
          AND NOT EXISTS (
            SELECT 1 FROM deliveries AS earlier
            WHERE earlier.channel = this.channel AND earlier.incident = this.incident
              AND (earlier.seq, earlier.action <> 'create') < (this.seq, this.action <> 'create')
              AND earlier.state <> 'done' AND (earlier.state <> 'rejected' OR earlier.action = 'create')
          )
        ORDER BY instr(channel, '/') > 0 AND state <> 'ready', due_ms, id LIMIT :limit
        """,  # noqa: S608 - the columns are a constant
        {"now": milliseconds(now), "channel": channel, "limit": limit},
    )
    return tuple(_row(row) for row in rows)


def next_due(tx: Transaction, channel: str) -> datetime | None:
    """Return when something of a channel is due next, or was and still waits for what goes before it; None if nothing waits."""
    row = tx.row(
        "SELECT MIN(due_ms) AS due_ms FROM deliveries"
        " WHERE state IN ('ready', 'retry', 'ambiguous') AND channel = ?",
        (channel,),
    )
    return None if row is None else instant(row["due_ms"])


def move(tx: Transaction, row: DeliveryRow, to: Standing) -> bool:
    """Move a delivery on from exactly where `row` saw it; False if somebody else has moved it meanwhile."""
    changed = tx.execute(
        "UPDATE deliveries SET state = ?, attempts = ?, due_ms = ?, sent_ms = ?, detail = ?"
        " WHERE id = ? AND state = ? AND attempts = ?",
        (
            to.state,
            to.attempts,
            milliseconds(to.due_at),
            ms_of(to.sent_at),
            to.detail,
            row.id,
            row.state,
            row.attempts,
        ),
    )
    return changed == 1


def begin_attempt(tx: Transaction, delivery: int, now: datetime) -> int:
    """Put on record that we are about to speak to the other side; return the number of the attempt."""
    rows = tx.rows(
        "INSERT INTO attempts (delivery, number, started_ms)"
        " SELECT ?, COALESCE(MAX(number), 0) + 1, ? FROM attempts WHERE delivery = ? RETURNING number",
        (delivery, milliseconds(now), delivery),
    )
    return int(rows[0]["number"])


def end_attempt(tx: Transaction, delivery: int, number: int, ended: tuple[datetime, str, str]) -> None:
    """Complete an attempt by when it ended, its outcome and what is to be said about it."""
    moment, outcome, detail = ended
    tx.execute(
        "UPDATE attempts SET ended_ms = ?, outcome = ?, detail = ? WHERE delivery = ? AND number = ?",
        (milliseconds(moment), outcome, detail, delivery, number),
    )


def finish_unsent(tx: Transaction, row: DeliveryRow, detail: str) -> None:
    """Mark as done what needs no sending any more, with the reason."""
    tx.execute(
        "UPDATE deliveries SET state = 'done', detail = ? WHERE id = ? AND state = ?",
        (detail, row.id, row.state),
    )


def held(tx: Transaction) -> tuple[DeliveryRow, ...]:
    """Return what somebody has in hand, or had when the process died."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM deliveries WHERE state IN ('claimed', 'sending', 'lookup')"  # noqa: S608 - the columns are a constant
    )
    return tuple(_row(row) for row in rows)


def waiting(tx: Transaction, channel: str) -> tuple[DeliveryRow, ...]:
    """Return what waits to be said at any address of a channel."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM deliveries WHERE state IN ('ready', 'retry', 'ambiguous') AND channel GLOB ?",  # noqa: S608 - the columns are a constant
        (way(channel, "*"),),
    )
    return tuple(_row(row) for row in rows)


def interrupt(tx: Transaction, delivery: int) -> None:
    """Put down of the attempt that is under way that nobody will complete it."""
    tx.execute(
        "UPDATE attempts SET outcome = 'interrupted' WHERE delivery = ? AND ended_ms IS NULL AND outcome IS NULL",
        (delivery,),
    )


RESTORED = "this directory was restored: what became of it is looked up first"


def distrust(tx: Transaction, now: datetime) -> int:
    """Look up what waits for the helpdesk before it is sent; return how much that is.

    Another process may have carried it there from the directory that this one is a copy of, at any moment until now.
    """
    return tx.execute(
        "UPDATE deliveries SET state = 'ambiguous', sent_ms = :now, due_ms = :now, detail = :detail"
        " WHERE channel = :channel AND state IN ('ready', 'retry', 'ambiguous')",
        {"now": milliseconds(now), "detail": RESTORED, "channel": Channel.TICKET},
    )


def trust(tx: Transaction, now: datetime) -> int:
    """Send what waits to be looked up only because the directory was restored; return how much that is."""
    return tx.execute(
        "UPDATE deliveries SET state = 'ready', sent_ms = NULL, due_ms = :now, detail = ''"
        " WHERE state = 'ambiguous' AND detail = :detail",
        {"now": milliseconds(now), "detail": RESTORED},
    )


def bring_forward(tx: Transaction, by: timedelta, *, after: datetime) -> None:
    """Let what waits until later than `after` wait `by` less: the clock was set back by so much."""
    tx.execute(
        "UPDATE deliveries SET due_ms = MAX(due_ms - :by, :after)"
        " WHERE state IN ('ready', 'retry', 'ambiguous') AND due_ms > :after",
        {"by": by // timedelta(milliseconds=1), "after": milliseconds(after)},
    )


def wake(tx: Transaction, channel: str, now: datetime) -> int:
    """Let all that waits for another try or another look go now, in the order in which it was queued; return how much that is."""
    return tx.execute(
        "UPDATE deliveries SET due_ms = MIN(created_ms, :now)"
        " WHERE channel = :channel AND state IN ('retry', 'ambiguous') AND due_ms > MIN(created_ms, :now)",
        {"channel": channel, "now": milliseconds(now)},
    )


def appeal(tx: Transaction, now: datetime, incident: IncidentId | None = None) -> int:
    """Try again what the helpdesk refused, of one incident or of all; return how many deliveries that are.

    Of one incident also what nobody knows the fate of: a person looked. Letters and messages that were refused stay so: they are of their day.
    """
    return tx.execute(
        "UPDATE deliveries SET state = 'retry', attempts = 0, due_ms = :now"
        " WHERE (state = 'rejected' OR state = 'ambiguous' AND incident = :incident) AND channel IN (:ticket, :verify, :raise)"
        " AND (:incident IS NULL OR incident = :incident)",
        {
            "now": milliseconds(now),
            "incident": incident,
            "ticket": Channel.TICKET,
            "verify": Channel.VERIFY,
            "raise": Channel.RAISE,
        },
    )


def pending(tx: Transaction) -> Mapping[str, Backlog]:
    """Return what waits in each channel that has something waiting; what was rejected waits for a person, not here."""
    rows = tx.rows(
        "SELECT channel, COUNT(*) AS waiting, MIN(created_ms) AS oldest,"
        " SUM(state IN ('retry', 'ambiguous', 'lookup') AND sent_ms IS NOT NULL) AS uncertain FROM deliveries"
        " WHERE state IN ('ready', 'claimed', 'sending', 'retry', 'ambiguous', 'lookup') GROUP BY channel"
    )
    return {
        row["channel"]: Backlog(
            count=row["waiting"], oldest_at=instant(int(row["oldest"])), uncertain=row["uncertain"]
        )
        for row in rows
    }


def unopened(tx: Transaction) -> tuple[DeliveryRow, ...]:
    """Return the creations of tickets that the helpdesk does not hold yet, the newest first."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM deliveries AS this"  # noqa: S608 - the columns are a constant
        " WHERE state IN ('ready', 'claimed', 'sending', 'retry', 'ambiguous', 'lookup', 'rejected')"
        " AND channel = :channel AND action = 'create' AND NOT EXISTS ("
        "   SELECT 1 FROM tickets WHERE tickets.incident ="
        "   COALESCE((SELECT mass FROM incidents WHERE incidents.id = this.incident), this.incident)"
        " ) ORDER BY created_ms DESC, id DESC",
        {"channel": Channel.TICKET},
    )
    return tuple(_row(row) for row in rows)


def in_state(tx: Transaction, state: DeliveryState) -> int:
    """Return how many deliveries are in this state."""
    row = tx.row("SELECT COUNT(*) AS found FROM deliveries WHERE state = ?", (state,))
    return 0 if row is None else int(row["found"])


def of_incident(tx: Transaction, incident: IncidentId, channel: str | None = None) -> tuple[DeliveryRow, ...]:
    """Return every delivery about one incident in the order in which they go out."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM deliveries"  # noqa: S608 - the columns are a constant
        " WHERE incident = :incident AND (:channel IS NULL OR channel = :channel)"
        " ORDER BY channel, seq, action <> 'create'",
        {"incident": incident, "channel": channel},
    )
    return tuple(_row(row) for row in rows)


def attempts_of(tx: Transaction, delivery: int) -> tuple[Attempt, ...]:
    """Return every attempt at one delivery, the first one first."""
    rows = tx.rows(
        "SELECT number, started_ms, ended_ms, outcome, detail FROM attempts WHERE delivery = ? ORDER BY number",
        (delivery,),
    )
    return tuple(
        Attempt(
            number=row["number"],
            started_at=instant(int(row["started_ms"])),
            ended_at=instant(row["ended_ms"]),
            outcome=row["outcome"],
            detail=row["detail"],
        )
        for row in rows
    )


def _row(row: Row) -> DeliveryRow:
    return DeliveryRow(
        id=row["id"],
        channel=row["channel"],
        incident=IncidentId(row["incident"]),
        action=row["action"],
        seq=row["seq"],
        entry=row["entry"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        due_at=instant(int(row["due_ms"])),
        created_at=instant(int(row["created_ms"])),
        sent_at=instant(row["sent_ms"]),
        detail=row["detail"],
    )
