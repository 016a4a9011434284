"""The tables of what comes and goes as mail: how far it was read, what helpdesks answer, and what goes out to people."""

from __future__ import annotations

LETTERS = (
    # How far something that only grows was read: a mailbox by the numbers of its letters, the desk by those of its messages.
    """
    CREATE TABLE letter_places (
        source TEXT PRIMARY KEY,
        validity INTEGER NOT NULL,
        number INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # The tickets of a helpdesk that is reached by mail alone, as far as we know them.
    """
    CREATE TABLE letter_threads (
        reference TEXT PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,
        tag TEXT NOT NULL,
        subject TEXT NOT NULL,
        department TEXT NOT NULL,
        priority TEXT NOT NULL,
        status TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        answered_ms INTEGER,
        closed_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE letter_words (
        identity TEXT PRIMARY KEY,
        reference TEXT NOT NULL REFERENCES letter_threads (reference),
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX letter_words_by_reference ON letter_words (reference, at_ms)",
    # What the desk sends, whole: a delivery names it by its number. Without a ticket it is a refusal.
    """
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY,
        ticket INTEGER REFERENCES desk_tickets (id),
        message INTEGER REFERENCES desk_messages (id),
        recipient TEXT NOT NULL,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        identity TEXT NOT NULL UNIQUE,
        thread TEXT NOT NULL,
        automatic INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT
    """,
    # Letters that opened nothing and answered nothing: so that each is refused, or passed over, once.
    """
    CREATE TABLE letters_declined (
        identity TEXT PRIMARY KEY,
        sender TEXT NOT NULL,
        reason TEXT NOT NULL,
        told INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX letters_declined_by_sender ON letters_declined (sender, at_ms)",
)

# The Message-IDs of what we sent about a ticket, oldest first; of none as long as its opening is only about to go out.
SENT = (
    "ALTER TABLE letter_threads ADD COLUMN letters TEXT NOT NULL DEFAULT '[]'",
    "UPDATE letter_threads SET letters = json_array(identity)",
)
