"""Tickets of anybody as the helpdesk was last seen to keep them, how long departments take to answer, and what was raised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.identifiers import milliseconds
from monitor.store.columns import instant, ms_of
from monitor.store.database import Row, Transaction
from monitor.support.answers import AnswerTime
from monitor.support.escalation import Raise

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One ticket of one helpdesk; priority and status in the product's words (`urgent`, `open`).

    `seen_at` is when we saw it first, and stays as it was put first. `reference` is empty for others' tickets.
    """

    helpdesk: str
    ticket: str
    url: str
    department: str
    subject: str
    requester: str
    priority: str
    status: str
    opened_at: datetime
    seen_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    reference: str = ""

    @property
    def waits(self) -> bool:
        """Does it still wait for the first answer of a person?"""
        return self.answered_at is None and self.closed_at is None and self.status != "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Up to which moment a helpdesk was read, and when all of it was read last."""

    read_at: datetime
    whole_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseRow:
    """A step up of one ticket as it was decided; `number` names it."""

    number: int
    helpdesk: str
    ticket: str
    at: datetime
    step: Raise


def put(tx: Transaction, rows: Iterable[CaseRow]) -> None:
    """Put tickets on record as they are now."""
    for row in rows:
        tx.execute(
            "INSERT INTO cases (helpdesk, ticket, url, department, subject, requester, priority, status,"
            " opened_ms, seen_ms, answered_ms, closed_ms, reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (helpdesk, ticket) DO UPDATE SET url = excluded.url, department = excluded.department,"
            " subject = excluded.subject, requester = excluded.requester, priority = excluded.priority,"
            " status = excluded.status, opened_ms = excluded.opened_ms, answered_ms = excluded.answered_ms,"
            " closed_ms = excluded.closed_ms, reference = excluded.reference",
            (
                row.helpdesk,
                row.ticket,
                row.url,
                row.department,
                row.subject,
                row.requester,
                row.priority,
                row.status,
                milliseconds(row.opened_at),
                milliseconds(row.seen_at),
                ms_of(row.answered_at),
                ms_of(row.closed_at),
                row.reference,
            ),
        )


def counting(tx: Transaction, helpdesk: str, since: datetime) -> tuple[CaseRow, ...]:
    """Return every ticket of a helpdesk that waits for an answer or had its first one at `since` or later, the oldest first."""
    rows = tx.rows(
        "SELECT * FROM cases WHERE helpdesk = ? AND (answered_ms >= ? OR (answered_ms IS NULL AND closed_ms IS NULL"
        " AND status <> 'closed')) ORDER BY opened_ms, ticket",
        (helpdesk, milliseconds(since)),
    )
    return tuple(map(_case, rows))


def tickets(tx: Transaction, helpdesk: str) -> frozenset[str]:
    """Return the names of every ticket that is on record of a helpdesk."""
    return frozenset(
        row["ticket"] for row in tx.rows("SELECT ticket FROM cases WHERE helpdesk = ?", (helpdesk,))
    )


def case(tx: Transaction, helpdesk: str, ticket: str) -> CaseRow | None:
    """Return one ticket, None if it is not on record."""
    row = tx.row("SELECT * FROM cases WHERE helpdesk = ? AND ticket = ?", (helpdesk, ticket))
    return None if row is None else _case(row)


def oldest_waiting(tx: Transaction, helpdesk: str) -> datetime | None:
    """Return when the oldest ticket was opened that still waits for an answer, None if none does."""
    row = tx.row(
        "SELECT MIN(opened_ms) AS oldest FROM cases"
        " WHERE helpdesk = ? AND answered_ms IS NULL AND closed_ms IS NULL AND status <> 'closed'",
        (helpdesk,),
    )
    return None if row is None else instant(row["oldest"])


def waiting(tx: Transaction) -> tuple[CaseRow, ...]:
    """Return every ticket that waits for an answer at the helpdesk that was read last, the oldest first."""
    rows = tx.rows(
        "SELECT * FROM cases WHERE answered_ms IS NULL AND closed_ms IS NULL AND status <> 'closed'"
        " AND helpdesk = (SELECT helpdesk FROM case_reads ORDER BY read_ms DESC LIMIT 1) ORDER BY opened_ms, ticket"
    )
    return tuple(map(_case, rows))


def waiting_by_department(tx: Transaction) -> Mapping[str, int]:
    """Return how many tickets wait for an answer in each department that has any."""
    rows = tx.rows(
        "SELECT department, COUNT(*) AS found FROM cases"
        " WHERE answered_ms IS NULL AND closed_ms IS NULL AND status <> 'closed'"
        " AND helpdesk = (SELECT helpdesk FROM case_reads ORDER BY read_ms DESC LIMIT 1) GROUP BY department"
    )
    return {row["department"]: row["found"] for row in rows}


def note_priority(tx: Transaction, helpdesk: str, ticket: str, priority: str) -> None:
    """Put on record that we gave a ticket another priority."""
    tx.execute(
        "UPDATE cases SET priority = ? WHERE helpdesk = ? AND ticket = ?", (priority, helpdesk, ticket)
    )


def forget(tx: Transaction, helpdesk: str, tickets: Iterable[str]) -> None:
    """Drop tickets that the helpdesk does not have any more, or that matter no longer."""
    for ticket in tickets:
        tx.execute("DELETE FROM cases WHERE helpdesk = ? AND ticket = ?", (helpdesk, ticket))


def keep_only(tx: Transaction, helpdesk: str | None) -> None:
    """Drop what is on record of every other helpdesk; of all of them without a name."""
    for table in ("cases", "case_reads"):
        tx.execute(f"DELETE FROM {table} WHERE helpdesk IS NOT ?", (helpdesk,))  # noqa: S608 - two constants


def last_read(tx: Transaction) -> datetime | None:
    """Return when tickets were read last, of whichever helpdesk; None if none of them could be."""
    row = tx.row("SELECT MAX(read_ms) AS newest FROM case_reads")
    return None if row is None else instant(row["newest"])


def reads(tx: Transaction, helpdesk: str) -> Reads | None:
    """Return how far a helpdesk was read, None before the first time."""
    row = tx.row("SELECT read_ms, whole_ms FROM case_reads WHERE helpdesk = ?", (helpdesk,))
    if row is None:
        return None
    return Reads(read_at=instant(int(row["read_ms"])), whole_at=instant(int(row["whole_ms"])))


def note_read(tx: Transaction, helpdesk: str, told: Reads) -> None:
    """Put on record how far a helpdesk was read."""
    tx.execute(
        "INSERT INTO case_reads (helpdesk, read_ms, whole_ms) VALUES (?, ?, ?) ON CONFLICT (helpdesk)"
        " DO UPDATE SET read_ms = excluded.read_ms, whole_ms = excluded.whole_ms",
        (helpdesk, milliseconds(told.read_at), milliseconds(told.whole_at)),
    )


def put_answer_times(tx: Transaction, times: Sequence[AnswerTime]) -> None:
    """Let these be the figures of all departments."""
    tx.execute("DELETE FROM answer_times")
    for each in times:
        tx.execute(
            "INSERT INTO answer_times (department, since_ms, until_ms, answered, counted, waiting, mean_us, median_us, p90_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                each.department,
                milliseconds(each.since),
                milliseconds(each.until),
                each.answered,
                each.counted,
                each.waiting,
                *(
                    None if span is None else span // _MICROSECOND
                    for span in (each.mean, each.median, each.p90)
                ),
            ),
        )


def raises(tx: Transaction, helpdesk: str) -> Mapping[str, tuple[Raise, ...]]:
    """Return the steps that were decided for each ticket of a helpdesk, the first one first."""
    found: dict[str, tuple[Raise, ...]] = {}
    for row in tx.rows("SELECT * FROM raises WHERE helpdesk = ? ORDER BY step", (helpdesk,)):
        found[row["ticket"]] = (*found.get(row["ticket"], ()), _raise(row).step)
    return found


def note_raise(tx: Transaction, row: CaseRow, step: Raise, at: datetime) -> int | None:
    """Put on record that a ticket is to rise; return the number of that, None if the step was decided before."""
    rows = tx.rows(
        "INSERT INTO raises (helpdesk, ticket, step, was, becomes, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (helpdesk, ticket, step) DO NOTHING RETURNING number",
        (row.helpdesk, row.ticket, step.step, step.was, step.becomes, milliseconds(at)),
    )
    return int(rows[0]["number"]) if rows else None


def raise_of(tx: Transaction, number: int) -> RaiseRow | None:
    """Return one step by its number."""
    row = tx.row("SELECT * FROM raises WHERE number = ?", (number,))
    return None if row is None else _raise(row)


def _raise(row: Row) -> RaiseRow:
    return RaiseRow(
        number=row["number"],
        helpdesk=row["helpdesk"],
        ticket=row["ticket"],
        at=instant(int(row["at_ms"])),
        step=Raise(step=row["step"], was=row["was"], becomes=row["becomes"]),
    )


def _case(row: Row) -> CaseRow:
    return CaseRow(
        helpdesk=row["helpdesk"],
        ticket=row["ticket"],
        url=row["url"],
        department=row["department"],
        subject=row["subject"],
        requester=row["requester"],
        priority=row["priority"],
        status=row["status"],
        opened_at=instant(int(row["opened_ms"])),
        seen_at=instant(int(row["seen_ms"])),
        answered_at=instant(row["answered_ms"]),
        closed_at=instant(row["closed_ms"]),
        reference=row["reference"],
    )
