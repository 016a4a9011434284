"""What the built-in desk is about, as values: tickets, messages, changes, and what makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


def storable(written: str) -> str:
    """Return a text with what is no letter of Unicode, such as a byte that nobody could read, replaced by `?`."""
    return written.encode("utf-8", "replace").decode("utf-8")


class Side(StrEnum):
    """Who speaks on a ticket: the service itself, people of a department, or who asks."""

    US = "us"
    STAFF = "staff"
    REQUESTER = "requester"


class Deed(StrEnum):
    """What can be done to a ticket beside writing on it; `opened` is for those that people opened for a requester."""

    OPENED = "opened"
    ASSIGNED = "assigned"
    PRIORITY = "priority"
    MOVED = "moved"
    CLOSED = "closed"
    REOPENED = "reopened"
    LINKED = "linked"
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTicket:
    """One ticket of the desk.

    `status` is `open` (it needs an answer), `answered` or `closed`. `answered_at` is the first word of a person that the requester
    may read. `reference` is empty for a ticket that we did not open, `requester` for one that we did. `incident` is the one that it
    was linked to, `merged_into` the ticket that took it in, `follows` the closed one that it goes on from.
    """

    id: int
    reference: str
    subject: str
    department: str
    priority: str
    status: str
    assignee: str | None
    opened_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    requester: str = ""
    channel: str = "ticket"
    incident: str | None = None
    merged_into: int | None = None
    follows: int | None = None
    changed_at: datetime | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskMessage:
    """One message on a ticket; an `internal` one is for the department alone. `action` says what came with it.

    `whole` is all that arrived, where `body` shows less of it, else empty.
    """

    id: int
    author: str
    internal: bool
    body: str
    at: datetime
    action: str
    ticket: int = 0
    side: Side = Side.STAFF
    whole: str = ""
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskChange:
    """One thing that was done to a ticket: what it was and what it became, as text; empty for nothing."""

    id: int
    ticket: int
    deed: Deed
    author: str
    side: Side
    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a ticket is opened with, beside its first message; `channel` is `ticket`, `mail`, `phone` or `chat`."""

    reference: str
    subject: str
    priority: str
    department: str
    requester: str = ""
    channel: str = "ticket"
    follows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What is to be said, by whom, with which action; `key` is None for what a person writes."""

    author: str
    body: str
    at: datetime
    action: str
    key: str | None = None
    internal: bool = False
    side: Side = Side.STAFF
    whole: str = ""
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who does something to a ticket, for whom, and when."""

    author: str
    at: datetime
    side: Side = Side.STAFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tickets are asked for; None asks for all. Closed ones come only if `closed`, or if a status says so."""

    closed: bool = False
    department: str | None = None
    status: str | None = None
    assignee: str | None = None
    requester: str | None = None
    incident: str | None = None
