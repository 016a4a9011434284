"""The entries about tickets, folded."""

from __future__ import annotations

from monitor.errors import StoreError
from monitor.identifiers import milliseconds
from monitor.journal.entries import NumberedEntry, TicketDisputed, TicketNoted, TicketOpened, TicketUpdated
from monitor.store.columns import ms_of
from monitor.store.database import Transaction


def opened(tx: Transaction, entry: NumberedEntry, body: TicketOpened) -> None:
    """Add a ticket. The same reference again: the helpdesk had lost it and holds a new one."""
    tx.execute(
        "INSERT INTO tickets (reference, incident, helpdesk, ticket, url, department, priority, status, subject, opened_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?, ?) ON CONFLICT (reference) DO UPDATE"
        " SET helpdesk = excluded.helpdesk, ticket = excluded.ticket, url = excluded.url, status = 'open',"
        " department = excluded.department, priority = excluded.priority, subject = excluded.subject, closed_ms = NULL,"
        " disputed_ms = NULL",
        (
            body.reference,
            body.incident,
            body.helpdesk,
            body.ticket,
            body.url,
            body.department,
            body.priority,
            body.subject,
            milliseconds(entry.entry.moment),
        ),
    )


def updated(tx: Transaction, entry: NumberedEntry, body: TicketUpdated) -> None:
    """Note what holds of a ticket from now on. One that is open again may be closed, and disputed, anew."""
    changed = tx.execute(
        "UPDATE tickets SET priority = :priority, status = :status,"
        " first_answer_ms = COALESCE(first_answer_ms, :answered_ms),"
        " disputed_ms = IIF(:status = 'closed', disputed_ms, NULL),"
        " closed_ms = IIF(:status = 'closed', COALESCE(closed_ms, :moment_ms), NULL) WHERE reference = :reference",
        {
            "priority": body.priority,
            "status": body.status,
            "answered_ms": ms_of(body.answered_at),
            "moment_ms": milliseconds(entry.entry.moment),
            "reference": body.reference,
        },
    )
    _require(changed, body.reference)


def noted(tx: Transaction, _entry: NumberedEntry, body: TicketNoted) -> None:
    """Add what a person did or wrote, once."""
    tx.execute(
        "INSERT INTO ticket_notes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (reference, key) DO NOTHING",
        (body.reference, body.key, body.deed, body.author, milliseconds(body.at), body.body),
    )


def disputed(tx: Transaction, entry: NumberedEntry, body: TicketDisputed) -> None:
    """Note that it was said of a closed ticket that what it is about goes on."""
    changed = tx.execute(
        "UPDATE tickets SET disputed_ms = ? WHERE reference = ?",
        (milliseconds(entry.entry.moment), body.reference),
    )
    _require(changed, body.reference)


def _require(changed: int, reference: str) -> None:
    if not changed:
        raise StoreError(f"there is no ticket {reference}")
