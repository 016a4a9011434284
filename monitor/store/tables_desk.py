"""The built-in desk's tables as they are since it serves customers: tickets of anybody, who they are, and who did what.

Nothing of it is ever deleted by the program. The index of words is made from the messages and can be made anew.
"""

from __future__ import annotations

DESK = (
    # The tickets anew, because the reference was asked of every one: a customer's has none.
    """
    CREATE TABLE desk_tickets_anew (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT UNIQUE,
        subject TEXT NOT NULL,
        department TEXT NOT NULL,
        priority TEXT NOT NULL,
        status TEXT NOT NULL,
        assignee TEXT,
        requester TEXT NOT NULL DEFAULT '',
        channel TEXT NOT NULL DEFAULT 'ticket',
        incident TEXT,
        merged_into INTEGER REFERENCES desk_tickets (id),
        follows INTEGER REFERENCES desk_tickets (id),
        opened_ms INTEGER NOT NULL,
        answered_ms INTEGER,
        closed_ms INTEGER,
        changed_ms INTEGER NOT NULL,
        revision INTEGER NOT NULL DEFAULT 1
    ) STRICT
    """,
    """
    INSERT INTO desk_tickets_anew
        (id, reference, subject, department, priority, status, assignee, opened_ms, answered_ms, closed_ms, changed_ms)
    SELECT id, reference, subject, department, priority, status, assignee, opened_ms, answered_ms, closed_ms,
        MAX(opened_ms, COALESCE((SELECT MAX(at_ms) FROM desk_messages WHERE ticket = desk_tickets.id), 0))
    FROM desk_tickets
    """,
    "DROP TABLE desk_tickets",
    "ALTER TABLE desk_tickets_anew RENAME TO desk_tickets",
    "CREATE INDEX desk_tickets_by_change ON desk_tickets (changed_ms)",
    "CREATE INDEX desk_tickets_by_requester ON desk_tickets (requester, id)",
    "CREATE INDEX desk_tickets_by_incident ON desk_tickets (incident) WHERE incident IS NOT NULL",
    "CREATE INDEX desk_tickets_merged ON desk_tickets (merged_into) WHERE merged_into IS NOT NULL",
    # Whose word it is: ours, a technician's or the requester's. `whole` is what arrived, where less of it is shown.
    "ALTER TABLE desk_messages ADD COLUMN side TEXT NOT NULL DEFAULT 'staff'",
    "ALTER TABLE desk_messages ADD COLUMN message_id TEXT",
    "ALTER TABLE desk_messages ADD COLUMN whole TEXT NOT NULL DEFAULT ''",
    "UPDATE desk_messages SET side = 'us' WHERE author = 'vigia'",
    "CREATE UNIQUE INDEX desk_messages_by_message_id ON desk_messages (message_id) WHERE message_id IS NOT NULL",
    """
    CREATE TABLE desk_history (
        id INTEGER PRIMARY KEY,
        ticket INTEGER NOT NULL REFERENCES desk_tickets (id),
        at_ms INTEGER NOT NULL,
        author TEXT NOT NULL,
        side TEXT NOT NULL,
        deed TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX desk_history_by_ticket ON desk_history (ticket, id)",
    """
    CREATE TABLE desk_requesters (
        address TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        plan TEXT NOT NULL,
        language TEXT NOT NULL,
        added_ms INTEGER NOT NULL,
        disabled_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    # What a requester has with us: ids of servers and names of domains.
    """
    CREATE TABLE desk_places (
        requester TEXT NOT NULL REFERENCES desk_requesters (address),
        place TEXT NOT NULL,
        PRIMARY KEY (requester, place)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE VIEW desk_texts AS SELECT desk_messages.id AS id, subject, body
    FROM desk_messages JOIN desk_tickets ON desk_tickets.id = ticket
    """,
    """
    CREATE VIRTUAL TABLE desk_words USING fts5
        (subject, body, content = 'desk_texts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2')
    """,
    """
    CREATE TRIGGER desk_words_of_a_message AFTER INSERT ON desk_messages BEGIN
        INSERT INTO desk_words (rowid, subject, body) SELECT id, subject, body FROM desk_texts WHERE id = new.id;
    END
    """,
    """
    CREATE TRIGGER desk_words_of_no_message BEFORE DELETE ON desk_messages BEGIN
        INSERT INTO desk_words (desk_words, rowid, subject, body)
        SELECT 'delete', id, subject, body FROM desk_texts WHERE id = old.id;
    END
    """,
    "INSERT INTO desk_words (desk_words) VALUES ('rebuild')",
)
