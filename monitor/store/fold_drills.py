"""The entries about drills, folded."""

from __future__ import annotations

import json

from monitor.identifiers import milliseconds
from monitor.journal.entries import DrillFinished, NumberedEntry
from monitor.store.database import Transaction
from monitor.store.fold_incidents import row_of


def finished(tx: Transaction, entry: NumberedEntry, body: DrillFinished) -> None:
    """Keep how a drill went."""
    row_of(tx, body.incident)
    tx.execute(
        "INSERT INTO drills VALUES (?, ?, ?, ?, ?)",
        (
            body.incident,
            milliseconds(entry.entry.moment),
            int(body.passed),
            json.dumps({step: milliseconds(at) for step, at in body.taken.items()}),
            json.dumps(body.spared),
        ),
    )
