"""The tables as each migration made them. A later one changes them in words of its own, never in these.

Columns named `*_ms` hold an instant as UTC milliseconds, columns named `*_us` a duration in microseconds.
"""

from __future__ import annotations

JOURNAL_TABLES = (
    """
    CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        after TEXT UNIQUE REFERENCES batches (id),
        first_number INTEGER NOT NULL,
        last_number INTEGER NOT NULL UNIQUE,
        CHECK (first_number <= last_number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        batch TEXT NOT NULL REFERENCES batches (id),
        moment_ms INTEGER NOT NULL,
        actor TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX entries_by_subject ON entries (subject, number)",
    "CREATE INDEX entries_by_kind ON entries (kind, number)",
    """
    CREATE TRIGGER entries_have_no_gaps BEFORE INSERT ON entries
    WHEN NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries are numbered without gaps'); END
    """,
    """
    CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END
    """,
    """
    CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END
    """,
    """
    CREATE TRIGGER batches_never_change BEFORE UPDATE ON batches
    BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END
    """,
    """
    CREATE TRIGGER batches_never_go BEFORE DELETE ON batches
    BEGIN SELECT RAISE(ABORT, 'the journal is only appended to'); END
    """,
)

FOLDED_TABLES = (
    """
    CREATE TABLE inventory (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        number INTEGER NOT NULL,
        fleet TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE servers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        group_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        retired_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    # The number stands for the check in every observation; it is given once and never to another check.
    """
    CREATE TABLE checks (
        number INTEGER PRIMARY KEY,
        server TEXT NOT NULL REFERENCES servers (id),
        check_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        retired_ms INTEGER,
        UNIQUE (server, check_id)
    ) STRICT
    """,
    """
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        stage TEXT NOT NULL,
        impact TEXT NOT NULL,
        audience TEXT NOT NULL,
        origin TEXT NOT NULL,
        drill INTEGER NOT NULL,
        open INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        opened_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        resolved_ms INTEGER,
        monitoring_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX incidents_open ON incidents (opened_ms) WHERE open = 1",
    "CREATE INDEX incidents_by_time ON incidents (started_ms)",
    # The three flags repeat what the incident says, because an index cannot look into another table.
    """
    CREATE TABLE incident_servers (
        incident TEXT NOT NULL REFERENCES incidents (id),
        position INTEGER NOT NULL,
        server TEXT NOT NULL REFERENCES servers (id),
        open INTEGER NOT NULL,
        detected INTEGER NOT NULL,
        public INTEGER NOT NULL,
        PRIMARY KEY (incident, server)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE UNIQUE INDEX one_open_detected_incident ON incident_servers (server)
    WHERE open = 1 AND detected = 1 AND public = 1
    """,
    "CREATE INDEX incident_servers_by_server ON incident_servers (server, incident)",
    """
    CREATE TABLE incident_checks (
        incident TEXT NOT NULL REFERENCES incidents (id),
        position INTEGER NOT NULL,
        server TEXT NOT NULL,
        check_id TEXT NOT NULL,
        PRIMARY KEY (incident, server, check_id),
        FOREIGN KEY (server, check_id) REFERENCES checks (server, check_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX incident_checks_by_check ON incident_checks (server, check_id, incident)",
    """
    CREATE TABLE updates (
        incident TEXT NOT NULL REFERENCES incidents (id),
        position INTEGER NOT NULL,
        id TEXT NOT NULL UNIQUE,
        stage TEXT NOT NULL,
        text TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        author TEXT NOT NULL,
        PRIMARY KEY (incident, position)
    ) STRICT
    """,
    """
    CREATE TABLE windows (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        stage TEXT NOT NULL,
        rule TEXT,
        starts_ms INTEGER NOT NULL,
        ends_ms INTEGER NOT NULL,
        planned_ms INTEGER NOT NULL,
        started_ms INTEGER,
        ended_ms INTEGER,
        CHECK (starts_ms < ends_ms)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE window_servers (
        window TEXT NOT NULL REFERENCES windows (id),
        server TEXT NOT NULL REFERENCES servers (id),
        PRIMARY KEY (window, server)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE server_status (
        server TEXT PRIMARY KEY REFERENCES servers (id),
        status TEXT NOT NULL,
        services TEXT NOT NULL,
        since_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE status_intervals (
        server TEXT NOT NULL REFERENCES servers (id),
        start_ms INTEGER NOT NULL,
        end_ms INTEGER,
        status TEXT NOT NULL,
        PRIMARY KEY (server, start_ms),
        CHECK (end_ms IS NULL OR start_ms < end_ms)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX one_present_status ON status_intervals (server) WHERE end_ms IS NULL",
    """
    CREATE TABLE blind_intervals (
        start_ms INTEGER PRIMARY KEY,
        end_ms INTEGER NOT NULL,
        CHECK (start_ms < end_ms)
    ) STRICT
    """,
    """
    CREATE TABLE tickets (
        reference TEXT PRIMARY KEY,
        incident TEXT NOT NULL REFERENCES incidents (id),
        helpdesk TEXT NOT NULL,
        ticket TEXT NOT NULL,
        url TEXT NOT NULL,
        department TEXT NOT NULL,
        priority TEXT NOT NULL,
        status TEXT NOT NULL,
        subject TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        first_answer_ms INTEGER,
        closed_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX tickets_by_incident ON tickets (incident)",
)

_ROLLUP = """
    CREATE TABLE {name} (
        check_number INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        ok INTEGER NOT NULL,
        warn INTEGER NOT NULL,
        down INTEGER NOT NULL,
        unknown INTEGER NOT NULL,
        sum_us INTEGER NOT NULL,
        max_us INTEGER NOT NULL,
        histogram BLOB NOT NULL,
        PRIMARY KEY (check_number, bucket)
    ) STRICT, WITHOUT ROWID
    """

# Observations name their check by its number without a reference: the checks are folded and may be replayed.
OBSERVATION_TABLES = (
    # Appended to and nothing else, because an index would touch a page for every check in every commit.
    """
    CREATE TABLE hot (
        check_number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        cause INTEGER,
        took_us INTEGER NOT NULL,
        name_us INTEGER,
        connect_us INTEGER,
        tls_us INTEGER,
        first_byte_us INTEGER,
        total_us INTEGER
    ) STRICT
    """,
    """
    CREATE TABLE observations (
        check_number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        cause INTEGER,
        took_us INTEGER NOT NULL,
        PRIMARY KEY (check_number, started_ms)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE evidence (
        check_number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        cause INTEGER,
        took_us INTEGER NOT NULL,
        found TEXT NOT NULL,
        address TEXT,
        phases TEXT NOT NULL,
        excerpt TEXT NOT NULL,
        reproduce TEXT NOT NULL,
        UNIQUE (check_number, started_ms)
    ) STRICT
    """,
    "CREATE INDEX evidence_by_age ON evidence (started_ms)",
    """
    CREATE TABLE streaks (
        check_number INTEGER PRIMARY KEY,
        confirmed TEXT NOT NULL,
        state TEXT NOT NULL,
        since_ms INTEGER,
        streak INTEGER NOT NULL,
        hard INTEGER NOT NULL,
        streak_since_ms INTEGER,
        persisting INTEGER NOT NULL,
        last_ok_ms INTEGER,
        looked_ms INTEGER,
        outcome INTEGER,
        cause INTEGER,
        found TEXT NOT NULL,
        took_us INTEGER NOT NULL,
        felt INTEGER NOT NULL,
        unknowns INTEGER NOT NULL,
        unknown_since_ms INTEGER,
        doubts TEXT
    ) STRICT
    """,
    *(_ROLLUP.format(name=name) for name in ("rollup_five_minutes", "rollup_hours", "rollup_days")),
    """
    CREATE TABLE server_days (
        server TEXT NOT NULL,
        day TEXT NOT NULL,
        worst TEXT,
        down_s INTEGER NOT NULL,
        degraded_s INTEGER NOT NULL,
        maintenance_s INTEGER NOT NULL,
        no_data_s INTEGER NOT NULL,
        PRIMARY KEY (server, day)
    ) STRICT, WITHOUT ROWID
    """,
)

SERVICE_TABLES = (
    """
    CREATE TABLE publications (
        name TEXT PRIMARY KEY,
        moment_ms INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE beats (name TEXT PRIMARY KEY, moment_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE installation (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # Not a reference to `incidents`: what was sent stays on record while the folded tables are replayed.
    """
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        incident TEXT NOT NULL,
        action TEXT NOT NULL,
        seq INTEGER NOT NULL,
        entry INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        sent_ms INTEGER,
        detail TEXT NOT NULL DEFAULT '',
        UNIQUE (channel, incident, action, seq)
    ) STRICT
    """,
    "CREATE INDEX deliveries_due ON deliveries (state, due_ms)",
    "CREATE INDEX deliveries_in_order ON deliveries (channel, incident, id)",
    """
    CREATE TABLE attempts (
        delivery INTEGER NOT NULL REFERENCES deliveries (id),
        number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        outcome TEXT,
        detail TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (delivery, number)
    ) STRICT, WITHOUT ROWID
    """,
    # AUTOINCREMENT, so that the number of a ticket is never given to another one.
    """
    CREATE TABLE desk_tickets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        department TEXT NOT NULL,
        priority TEXT NOT NULL,
        status TEXT NOT NULL,
        assignee TEXT,
        opened_ms INTEGER NOT NULL,
        answered_ms INTEGER,
        closed_ms INTEGER
    ) STRICT
    """,
    """
    CREATE TABLE desk_messages (
        id INTEGER PRIMARY KEY,
        ticket INTEGER NOT NULL REFERENCES desk_tickets (id),
        key TEXT UNIQUE,
        author TEXT NOT NULL,
        internal INTEGER NOT NULL,
        body TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        action TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX desk_messages_by_ticket ON desk_messages (ticket, id)",
)

EVERY = (*JOURNAL_TABLES, *FOLDED_TABLES, *OBSERVATION_TABLES, *SERVICE_TABLES)

# What 0.2 added: figures beside the times, what checks remember, and a way to find evidence that is kept whole.
MEASURES = (
    # A figure names its series by a number, or the names would be most of the file.
    """
    CREATE TABLE measure_names (
        number INTEGER PRIMARY KEY,
        check_number INTEGER NOT NULL,
        name TEXT NOT NULL,
        unit TEXT NOT NULL,
        UNIQUE (check_number, name, unit)
    ) STRICT
    """,
    # Appended to and nothing else, as `hot` is.
    """
    CREATE TABLE hot_measures (
        measure_number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        value REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE measures (
        measure_number INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (measure_number, started_ms)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE memories (
        check_number INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (check_number, key)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE INDEX evidence_kept_whole ON evidence (check_number, started_ms)
    WHERE (excerpt <> '' OR reproduce <> '')
    """,
)

# What 0.3 added: why a status is not simply what the checks say, and servers that stand behind one that is out.
REASONS = (
    "ALTER TABLE server_status ADD COLUMN because TEXT",
    "ALTER TABLE server_status ADD COLUMN last_known TEXT NOT NULL DEFAULT 'unknown'",
    "UPDATE server_status SET last_known = status",
    """
    CREATE TABLE incident_unreachable (
        incident TEXT NOT NULL REFERENCES incidents (id),
        position INTEGER NOT NULL,
        server TEXT NOT NULL REFERENCES servers (id),
        PRIMARY KEY (incident, server)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX incident_unreachable_by_server ON incident_unreachable (server, incident)",
)

# An operator's word: on a server, on an incident, and on servers that a window keeps quiet with those that they depend on.
WORDS = (
    """
    CREATE TABLE forces (
        server TEXT PRIMARY KEY REFERENCES servers (id),
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        author TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        released_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE incident_words (
        incident TEXT NOT NULL REFERENCES incidents (id),
        kind TEXT NOT NULL,
        author TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        until_ms INTEGER,
        reason TEXT NOT NULL,
        PRIMARY KEY (incident, kind)
    ) STRICT, WITHOUT ROWID
    """,
    "ALTER TABLE window_servers ADD COLUMN inherited INTEGER NOT NULL DEFAULT 0",
)

# How restless a check is, and when it was said last of an incident that it comes and goes.
FLAPPING = (
    "ALTER TABLE streaks ADD COLUMN well INTEGER",
    "ALTER TABLE streaks ADD COLUMN changes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE streaks ADD COLUMN flapping_ms INTEGER",
    "ALTER TABLE incidents ADD COLUMN unstable_ms INTEGER",
)

# An incident of several servers tells which of them are well again.
PARTIES = ("ALTER TABLE incident_servers ADD COLUMN back INTEGER NOT NULL DEFAULT 0",)

# What sentinels told of our own view, and which of our troubles an incident is about.
SENTINELS = (
    """
    CREATE TABLE blocked_views (
        family TEXT NOT NULL,
        start_ms INTEGER NOT NULL,
        end_ms INTEGER,
        families INTEGER NOT NULL,
        found TEXT NOT NULL,
        PRIMARY KEY (family, start_ms),
        CHECK (end_ms IS NULL OR start_ms <= end_ms)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX one_present_view ON blocked_views (family) WHERE end_ms IS NULL",
    "ALTER TABLE incidents ADD COLUMN trouble TEXT",
    "CREATE UNIQUE INDEX one_open_trouble ON incidents (trouble) WHERE open = 1 AND trouble IS NOT NULL",
)

# The incident whose ticket tells of others that were opened with it.
STORMS = (
    "ALTER TABLE incidents ADD COLUMN mass TEXT",
    "CREATE INDEX incidents_by_mass ON incidents (mass) WHERE mass IS NOT NULL",
)

# What people did and wrote on a ticket at the helpdesk, and whether one that they closed was disputed.
NOTES = (
    "ALTER TABLE tickets ADD COLUMN disputed_ms INTEGER",
    """
    CREATE TABLE ticket_notes (
        reference TEXT NOT NULL,
        key TEXT NOT NULL,
        deed TEXT NOT NULL,
        author TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (reference, key)
    ) STRICT, WITHOUT ROWID
    """,
)

# Where redirects led belongs to what a look found.
REDIRECTS = ("ALTER TABLE evidence ADD COLUMN via TEXT",)

# What 0.4 added: tickets of anybody as the helpdesk keeps them, how long they wait, and those that were raised for it.
CASES = (
    """
    CREATE TABLE cases (
        helpdesk TEXT NOT NULL,
        ticket TEXT NOT NULL,
        url TEXT NOT NULL,
        department TEXT NOT NULL,
        subject TEXT NOT NULL,
        requester TEXT NOT NULL,
        priority TEXT NOT NULL,
        status TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        answered_ms INTEGER,
        closed_ms INTEGER,
        reference TEXT NOT NULL,
        PRIMARY KEY (helpdesk, ticket)
    ) STRICT, WITHOUT ROWID
    """,
    # Up to when a helpdesk was read, and when all of it was last.
    """
    CREATE TABLE case_reads (
        helpdesk TEXT PRIMARY KEY,
        read_ms INTEGER NOT NULL,
        whole_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE answer_times (
        department TEXT PRIMARY KEY,
        since_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        answered INTEGER NOT NULL,
        counted INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        mean_us INTEGER,
        median_us INTEGER,
        p90_us INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    # Its number names the queue of deliveries about it.
    """
    CREATE TABLE raises (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        helpdesk TEXT NOT NULL,
        ticket TEXT NOT NULL,
        step INTEGER NOT NULL,
        was TEXT NOT NULL,
        becomes TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        UNIQUE (helpdesk, ticket, step)
    ) STRICT
    """,
)

# When we saw a ticket of anybody first: one that was old already is a past that nobody wants to hear of.
SEEN = ("ALTER TABLE cases ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0",)

# The ways to addresses are channels of their own, so that those of one incident cannot be named one by one any more.
ADDRESSES = ("CREATE INDEX deliveries_by_incident ON deliveries (incident)",)

HEARTBEATS = (
    # A token of the configuration stands nowhere in this file: its digest is enough to know it by.
    """
    CREATE TABLE heartbeats (
        check_number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL,
        rhythm TEXT NOT NULL,
        expected_ms INTEGER NOT NULL,
        reported_ms INTEGER,
        signal INTEGER,
        ran_ms INTEGER,
        body TEXT NOT NULL,
        started_ms INTEGER,
        running_ms INTEGER,
        overdue_ms INTEGER,
        arrivals INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX heartbeats_by_digest ON heartbeats (digest)",
    # The inbox: web appends to it, watch empties it in the transaction that judges what came.
    """
    CREATE TABLE arrivals (
        id INTEGER PRIMARY KEY,
        check_number INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        signal INTEGER NOT NULL,
        times INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX arrivals_by_check ON arrivals (check_number, id)",
)

NEWEST = (
    # One row a check, written every few seconds whatever happens: `edition` tells a reader what is new to it.
    """
    CREATE TABLE newest (
        check_number INTEGER PRIMARY KEY,
        started_ms INTEGER NOT NULL,
        outcome INTEGER NOT NULL,
        cause INTEGER,
        took_us INTEGER NOT NULL,
        name_us INTEGER,
        connect_us INTEGER,
        tls_us INTEGER,
        first_byte_us INTEGER,
        total_us INTEGER,
        expires_ms INTEGER,
        measures TEXT,
        edition INTEGER NOT NULL
    ) STRICT
    """,
)
