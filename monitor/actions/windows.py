"""What a person does with a window that is planned: begin it early, give it more time, end it early."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from monitor.actions.append import append
from monitor.actions.maintain import moved, pauses, refuse_unconfirmed, unfinished
from monitor.errors import RefusedError
from monitor.identifiers import WindowId
from monitor.journal.entries import Entry, Kind, WindowExtended
from monitor.maintenance.due import RUNNING
from monitor.maintenance.window import Window, WindowStage
from monitor.store.database import Transaction


def begin(tx: Transaction, window_id: WindowId, *, actor: str, moment: datetime) -> Window:
    """Let a planned window begin now; raises NotFoundError or RefusedError."""
    window = unfinished(tx, window_id)
    if window.stage in RUNNING:
        raise RefusedError(f"the window {window_id} is {window.stage} already")
    entries = [moved(Kind.WINDOW_STARTED, window, actor, moment), *pauses(tx, (window,), moment)]
    append(tx, entries, moment)
    return replace(window, stage=WindowStage.IN_PROGRESS, started_at=moment)


def extend(
    tx: Transaction,
    window_id: WindowId,
    ends_at: datetime,
    *,
    actor: str,
    moment: datetime,
    confirmed: bool = False,
) -> Window:
    """Give a window that is not over a later end; it stays one window with one notice (rule M6).

    Raises NotFoundError, and RefusedError for an end that is no later, or more than 24 hours after its start without having been
    `confirmed` (rule M9).
    """
    window = unfinished(tx, window_id)
    if ends_at <= max(window.ends_at, moment):
        raise RefusedError(
            "that is no later than its end: name a later one, or end it with `vigia window complete`"
        )
    refuse_unconfirmed(ends_at - (window.started_at or window.starts_at), confirmed=confirmed)
    body = WindowExtended(window=window.id, ends_at=ends_at.astimezone(UTC))
    entry = Entry(kind=Kind.WINDOW_EXTENDED, moment=moment, actor=actor, subject=window.id, body=body)
    append(tx, (entry,), moment)
    return replace(window, ends_at=body.ends_at)


def complete(tx: Transaction, window_id: WindowId, *, actor: str, moment: datetime) -> Window:
    """End a window that has begun: the work is done early. Raises NotFoundError or RefusedError."""
    window = unfinished(tx, window_id)
    if window.stage not in RUNNING:
        raise RefusedError(
            f"the window {window_id} has not begun: `vigia window cancel` takes it out of the plan"
        )
    append(tx, (moved(Kind.WINDOW_COMPLETED, window, actor, moment),), moment)
    return replace(window, stage=WindowStage.COMPLETED, ended_at=moment)
