"""What the head of a department is told of a ticket that nobody answers: who waits, for how long, and what has happened so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.language import moments, text
from monitor.subscribers.port import Message, Tone
from monitor.support.answers import hours_and_minutes, promised_words

_DEEDS_TOLD = 20
_LONGEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that a person did on the ticket: `what` is answer, note, assigned, priority, closed, reopened or merged."""

    at: datetime
    author: str
    what: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A ticket that waits. `was` and `becomes` are its priorities before and after; `refused` if the helpdesk did not raise it."""

    site: str
    zone: ZoneInfo
    language: str
    department: str
    ticket: str
    url: str
    subject: str
    requester: str
    opened_at: datetime
    waited: timedelta
    in_service: bool
    promised: timedelta
    was: str
    becomes: str
    refused: bool
    history: Sequence[Deed]


def complaint(told: Complaint) -> Message:
    """Return the message about a ticket that waits."""
    say = told.language
    values = {
        "site": told.site,
        "ticket": told.ticket,
        "department": told.department,
        "subject": _line(told.subject),
        "requester": _line(told.requester) or text("support.complaint.nobody", say),
        "opened": moments.full_moment(told.opened_at, told.zone, say),
        "waited": waited_words(told.waited, say, in_service=told.in_service),
        "promised": promised_words(told.promised, say, in_service=told.in_service),
    }
    lines = [
        text("support.complaint.body", say, **values),
        _priority(told),
        "",
        *_history(told),
    ]
    if told.url:
        lines += ["", text("support.complaint.link", say, url=told.url)]
    return Message(
        title=text("support.complaint.title", say, **values),
        body="\n".join(lines),
        tone=Tone.WARNING,
    )


def waited_words(waited: timedelta, language: str, *, in_service: bool) -> str:
    """Return how long somebody has waited, and of what."""
    if in_service:
        # A day of service is shorter than a day.
        return text("support.waited.service", language, span=hours_and_minutes(waited, language))
    return text("support.waited.clock", language, span=moments.duration(waited, language))


def _priority(told: Complaint) -> str:
    if told.was == told.becomes:
        key = "support.complaint.top"
    else:
        key = "support.complaint.refused" if told.refused else "support.complaint.raised"
    was, becomes = (text(f"ticket.priority.{each}", told.language) for each in (told.was, told.becomes))
    return text(key, told.language, was=was, becomes=becomes)


def _history(told: Complaint) -> list[str]:
    if not told.history:
        return [text("support.complaint.no_history", told.language)]
    newest = told.history[-_DEEDS_TOLD:]
    left = len(told.history) - len(newest)
    more = [text("support.complaint.more", told.language, count=left)] if left else []
    return [
        text("support.complaint.history", told.language),
        *more,
        *(_deed(told, deed) for deed in newest),
    ]


def _deed(told: Complaint, deed: Deed) -> str:
    words = text(f"support.deed.{deed.what}", told.language)
    body = _line(deed.body)
    return text(
        "support.complaint.line",
        told.language,
        at=moments.day_and_time(deed.at, told.zone, told.language),
        author=_line(deed.author),
        what=f"{words}: {body}" if body else words,
    )


def _line(value: str) -> str:
    """Return what came from outside on one line, cut to what a message can bear."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
