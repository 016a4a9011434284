"""The families of tables, and the names of the migrations that made them.

There are three. The journal is the record and is only ever appended to. FOLDED tables are a view of the journal:
`vigia rebuild` empties and replays them. OPERATIONAL tables hold what the journal does not know: observations,
deliveries, the desk's mail; nothing ever drops them.
"""

from __future__ import annotations

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
    "incident_unreachable",
    "incident_words",
    "updates",
    "windows",
    "window_servers",
    "server_status",
    "forces",
    "status_intervals",
    "blind_intervals",
    "blocked_views",
    "tickets",
    "drills",
    "ticket_notes",
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
    "desk_history",
    "desk_requesters",
    "desk_places",
    "cases",
    "case_reads",
    "answer_times",
    "raises",
    "letter_places",
    "letter_threads",
    "letter_words",
    "letters",
    "letters_declined",
)

SOUGHT = ("desk_words",)
"""Indexes of words, each made from another table and never asked for a fact."""

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

SET = "vigia"
STEPS = (
    "0.1 the first house",
    "0.2 measures",
    "0.2 heartbeats",
    "0.2 newest looks",
    "0.3 reasons",
    "0.3 redirects",
    "0.3 words",
    "0.3 flapping",
    "0.3 parties",
    "0.3 sentinels",
    "0.4 storms",
    "0.4 notes",
    "0.4 desk",
    "0.4 cases",
    "0.4 letters",
    "0.4 drills",
    "0.4 seen",
    "0.4 sent letters",
    "0.4 addresses",
)
"""Every migration in its order. What they do stands apart: a database that has had them all is opened without."""
