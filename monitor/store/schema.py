"""The families of tables, and the migrations that made them.

There are three. The journal is the record and is only ever appended to. FOLDED tables are a view of the journal:
`vigia rebuild` empties and replays them. OPERATIONAL tables hold what the journal does not know: observations,
deliveries, the desk's mail; nothing ever drops them.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from monitor.store import tables

APPLICATION_ID = 0x56494749
"""The letters VIGI in the header of the file: this database is ours."""

JOURNAL = ("batches", "entries")

# In the order in which rows may be added; references point to what stands further left.
FOLDED = (
    "inventory",
    "servers",
    "checks",
    "incidents",
    "incident_servers",
    "incident_checks",
    "updates",
    "windows",
    "window_servers",
    "server_status",
    "status_intervals",
    "blind_intervals",
    "tickets",
)

OPERATIONAL = (
    "hot",
    "observations",
    "evidence",
    "measure_names",
    "hot_measures",
    "measures",
    "memories",
    "heartbeats",
    "arrivals",
    "streaks",
    "newest",
    "rollup_five_minutes",
    "rollup_hours",
    "rollup_days",
    "server_days",
    "publications",
    "beats",
    "installation",
    "deliveries",
    "attempts",
    "desk_tickets",
    "desk_messages",
)

# The time series make up nearly all of the file. A check of them takes ten seconds a gigabyte.
SERIES = (
    "hot",
    "observations",
    "evidence",
    "hot_measures",
    "measures",
    "rollup_five_minutes",
    "rollup_hours",
    "rollup_days",
)

MIGRATIONS = Migrations("vigia")


def unknown_steps(database: Database) -> list[str]:
    """Return the migrations that a newer program has applied to this file."""
    ours = {step.name for step in MIGRATIONS._migrations}  # noqa: SLF001 - the library offers no list of its steps
    return sorted({step.name for step in MIGRATIONS.applied(database)} - ours)


@MIGRATIONS(name="0.1 the first house")
def _first_house(database: Database) -> None:
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in tables.EVERY:
        database.execute(statement)


@MIGRATIONS(name="0.2 measures")
def _measures(database: Database) -> None:
    for statement in tables.MEASURES:
        database.execute(statement)


@MIGRATIONS(name="0.2 heartbeats")
def _heartbeats(database: Database) -> None:
    for statement in tables.HEARTBEATS:
        database.execute(statement)


@MIGRATIONS(name="0.2 newest looks")
def _newest(database: Database) -> None:
    for statement in tables.NEWEST:
        database.execute(statement)
    # Until now watch published the lines of all checks as one text.
    database.execute("DELETE FROM publications WHERE name = 'metrics.checks'")
