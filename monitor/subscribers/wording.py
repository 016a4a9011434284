"""What operators are told: what is hit, since when, what was seen, and where to read on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.fleet import Fleet
from monitor.incidents.evidence import seen
from monitor.incidents.incident import Audience, CheckEvidence, Incident, Origin
from monitor.journal.entries import (
    Entry,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentRetracted,
    IncidentUpdated,
    TicketRejected,
)
from monitor.language import moments, text
from monitor.subscribers.port import Message, Tone

_CHECKS_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One incident as it stands, and the entry that operators are told of; `ticket` is where its ticket is read.

    `refused` is what the helpdesk refused to do for it, and why, if that is what is told.
    """

    incident: Incident
    entry: Entry
    fleet: Fleet
    language: str
    ticket: str = ""
    refused: tuple[str, str] | None = None


def opened(matter: Matter) -> Message:
    """A fault is confirmed; or something of our own needs a person."""
    if matter.incident.drill:
        return _message(matter, "drill", Tone.WARNING)
    if matter.incident.origin is Origin.OPERATOR:
        return _message(matter, "declared", Tone.WARNING)
    own = matter.incident.audience is Audience.OPERATORS
    return _message(matter, "own" if own else "opened", Tone.WARNING if own else Tone.ALARM)


def worsened(matter: Matter) -> Message:
    """A fault that operators know of grew worse."""
    return _message(matter, "worsened", Tone.ALARM)


def resolved(matter: Matter) -> Message:
    """It is over, with how long it lasted."""
    if matter.incident.drill:
        return _message(matter, "drill_over", Tone.RELIEF)
    return _message(matter, _ending(matter), Tone.RELIEF)


def _ending(matter: Matter) -> str:
    """Only of what was seen to be well again it is said that it is."""
    incident, body = matter.incident, matter.entry.body
    if incident.origin is Origin.DETECTED and isinstance(body, IncidentResolved) and body.recovered:
        return "resolved"
    by_a_person = matter.entry.actor != "vigia" and incident.audience is Audience.PUBLIC
    return "declared_over" if by_a_person else "ended"


def reopened(matter: Matter) -> Message:
    """It came back soon after it was over."""
    return _message(matter, "reopened", Tone.ALARM)


def retracted(matter: Matter) -> Message:
    """An operator withdrew it: it was a false alarm."""
    return _message(matter, "retracted", Tone.RELIEF)


def rejected(matter: Matter) -> Message:
    """The helpdesk does not do what is asked of it, and waiting will not change that."""
    return _message(matter, "rejected", Tone.WARNING)


def uncertain(matter: Matter) -> Message:
    """Nobody knows whether the ticket of a fault exists, or it was refused: the fault itself must be known all the same."""
    incident = matter.incident
    standing = "drill" if incident.drill else "open" if incident.open else "over"
    attend = text(f"message.attend.{standing}", matter.language, **_values(matter))
    return _message(matter, "uncertain" if matter.refused is None else "refused", Tone.ALARM, attend)


def _message(matter: Matter, kind: str, tone: Tone, *more: str) -> Message:
    values = _values(matter)
    title = text(f"message.{kind}.title", matter.language, **values)
    parts = [text(f"message.{kind}.body", matter.language, **values), *more, *_seen(matter), *_links(matter)]
    return Message(title=_line(title), body="\n".join(filter(None, parts)), tone=tone)


def _values(matter: Matter) -> dict[str, object]:
    incident, entry = matter.incident, matter.entry
    ended = incident.ended_at or incident.resolved_at or entry.moment
    rejection = entry.body if isinstance(entry.body, TicketRejected) else None
    action, detail = matter.refused or ("", "")
    if rejection is not None:
        action, detail = rejection.action, rejection.detail
    retraction = entry.body if isinstance(entry.body, IncidentRetracted) else None
    return {
        "site": matter.fleet.site.name,
        "title": _in(incident.title, matter.language),
        "words": _in(incident.updates[-1].text, matter.language) if incident.updates else "",
        "since": _moment(matter, incident.started_at),
        "ended": _moment(matter, ended),
        "duration": moments.duration(max(ended - incident.started_at, timedelta(0)), matter.language),
        "actor": entry.actor,
        "reason": "" if retraction is None else retraction.reason,
        "detail": detail,
        "reference": "" if rejection is None else rejection.reference,
        "action": text(f"message.action.{action}", matter.language) if action else "",
    }


def _seen(matter: Matter) -> list[str]:
    body = matter.entry.body
    if not isinstance(body, IncidentOpened | IncidentUpdated | IncidentReopened):
        return []
    lines = [_check(matter, evidence) for evidence in body.evidence[:_CHECKS_NAMED]]
    left = len(body.evidence) - len(lines)
    return [*lines, text("message.more", matter.language, count=left)] if left else lines


def _check(matter: Matter, evidence: CheckEvidence) -> str:
    facts = seen(evidence, matter.language)
    return _line(f"- {evidence.check}: {facts}" if facts else f"- {evidence.check}")


def _links(matter: Matter) -> Sequence[str]:
    lines = []
    if matter.ticket:
        lines.append(text("message.ticket", matter.language, url=matter.ticket))
    if matter.incident.audience is Audience.PUBLIC:
        site = matter.fleet.site
        root = site.url.rstrip("/") + ("" if matter.language == site.languages[0] else f"/{matter.language}")
        lines.append(text("message.incident", matter.language, url=f"{root}/incidents/{matter.incident.id}"))
    return lines


def _in(texts: object, language: str) -> str:
    if isinstance(texts, dict):
        return str(texts.get(language) or next(iter(texts.values()), ""))
    return ""


def _moment(matter: Matter, moment: datetime) -> str:
    return moments.full_moment(moment, ZoneInfo(matter.fleet.site.timezone), matter.language)


def _line(value: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
