"""What 0.4 added for drills: how each went, and a way to those that are under way."""

from __future__ import annotations

DRILLS = (
    """
    CREATE TABLE drills (
        incident TEXT PRIMARY KEY REFERENCES incidents (id),
        finished_ms INTEGER NOT NULL,
        passed INTEGER NOT NULL,
        taken TEXT NOT NULL,
        spared TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX drills_by_time ON drills (passed, finished_ms)",
    "CREATE INDEX incidents_of_drills ON incidents (opened_ms) WHERE drill = 1",
)
