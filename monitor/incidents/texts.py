"""What an incident says, in every language: impact first, since when, what was seen from where, what comes next.

A detected text never guesses at a cause. It is rendered once, when it is published; its wording never changes later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.fleet import Server
from monitor.health.rollup import Judged
from monitor.health.words import CheckImpact, Service, Status
from monitor.incidents.incident import CheckEvidence
from monitor.language import LANGUAGES, Language, Texts, text
from monitor.language.moments import at, duration, listed, since

_BAD = (Status.MAJOR_OUTAGE, Status.PARTIAL_OUTAGE, Status.DEGRADED_PERFORMANCE)


class News(StrEnum):
    """What an update tells; the name is part of its key in the catalogues."""

    OPENED = "opened"
    PERSISTS = "persists"
    JOINED = "joined"
    WORSENED = "worsened"
    EASED = "eased"
    BEHIND = "behind"
    RECOVERING = "recovering"
    RELAPSED = "relapsed"
    UNSTABLE = "unstable"
    STEADY = "steady"
    RESOLVED = "resolved"
    REOPENED = "reopened"


# These tell of the failure as a whole and count from its start; the others tell of what changes now.
_FROM_THE_START = (News.OPENED, News.PERSISTS)
_OVER = (News.RECOVERING, News.RESOLVED)
# A text names so many servers, or one more, before it only counts the others.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The facts that an update is written from.

    `judged` is what holds now and `failing` how many of the server's checks fail. `started_at` is the first failing
    look, or the end of the window that the failure persists after; `ended_at` is the first good look, None
    until there is one. `changed_at` is when that began which makes this an update, as the first failing look of a
    relapse; `moment` unless it is known. `changes` is how many of the newest 20 looks of what comes and goes changed. `behind` are the names of servers that cannot be judged because of it. `location` is
    where we look from.
    """

    server: Server
    judged: Judged
    zone: ZoneInfo
    moment: datetime
    started_at: datetime
    failing: int = 0
    ended_at: datetime | None = None
    changed_at: datetime | None = None
    changes: int = 0
    behind: tuple[str, ...] = ()
    location: str = "local"


def title(server: Server, judged: Judged) -> Texts:
    """Return an incident's title: the server, and what of it is hit."""
    return {language: _title(server, judged, language) for language in LANGUAGES}


def unstable_title(plain: Texts) -> Texts:
    """Return the title of an incident that comes and goes, made of what it would be called otherwise."""
    return {
        language: text("incident.title.unstable", language, title=plain[language]) for language in LANGUAGES
    }


def update_text(news: News, report: Report) -> Texts:
    """Return the text of one update."""
    return {language: _update(news, report, language) for language in LANGUAGES}


def staff_title(server: Server, evidence: CheckEvidence) -> Texts:
    """Return the title of a matter that only operators are told of."""
    return _in_each("incident.staff.title", {"server": server.name, "check": evidence.check.check})


def staff_opened(server: Server, evidence: CheckEvidence, zone: ZoneInfo, moment: datetime) -> Texts:
    """Return what operators are told of a warning that customers do not notice."""
    return {
        language: text(
            "incident.staff.opened",
            language,
            server=server.name,
            check=evidence.check.check,
            since=since(evidence.failing_since, zone, language, seen_from=moment),
            reason=_reason(evidence, language),
        )
        for language in LANGUAGES
    }


def staff_unstable(
    server: Server, evidence: CheckEvidence, changes: int, zone: ZoneInfo, moment: datetime
) -> Texts:
    """Return what operators are told of a check that has come and gone for long, and was never confirmed to fail."""
    return {
        language: text(
            "incident.staff.unstable",
            language,
            server=server.name,
            check=evidence.check.check,
            since=since(evidence.failing_since, zone, language, seen_from=moment),
            changes=changes,
        )
        for language in LANGUAGES
    }


def staff_resolved(server: Server, check: str, ended_at: datetime, zone: ZoneInfo, moment: datetime) -> Texts:
    """Return what operators are told when such a warning is over."""
    return {
        language: text(
            "incident.staff.resolved",
            language,
            server=server.name,
            check=check,
            since=since(ended_at, zone, language, seen_from=moment),
        )
        for language in LANGUAGES
    }


def some(names: Sequence[str], language: Language) -> str:
    """Return a short list of names: the first few, and how many more there are."""
    if len(names) <= _NAMED + 1:
        return listed(list(names), language)
    more = text("incident.more", language, count=len(names) - _NAMED)
    return listed([*names[:_NAMED], more], language)


def _in_each(key: str, values: Mapping[str, object]) -> Texts:
    return {language: text(key, language, **values) for language in LANGUAGES}


def _title(server: Server, judged: Judged, language: Language) -> str:
    status, services = _worst_hit(judged)
    if judged.status is Status.MAJOR_OUTAGE or not services:
        return text(f"incident.title.server.{_bad(judged.status)}", language, server=server.name)
    words = listed([_lower(text(f"service.{service}", language)) for service in services], language)
    return text(f"incident.title.services.{status}", language, server=server.name, services=words)


def _update(news: News, report: Report, language: Language) -> str:
    turn = _turn(news, report)
    lasted = (report.ended_at or report.moment) - report.started_at
    told = text(
        f"incident.text.{news}",
        language,
        server=report.server.name,
        hit=_hit(report, language),
        seen=_seen(report, language),
        next=_next(news, report, language),
        changes=report.changes,
        behind=some(report.behind, language),
        since=since(turn, report.zone, language, seen_from=report.moment),
        at=at(turn, report.zone, language, seen_from=report.moment),
        ended=at(report.started_at, report.zone, language, seen_from=report.moment),
        lasted=duration(max(lasted, timedelta(0)), language),
        location=text(f"location.{report.location}", language),
    )
    # A name stays as it is written, even where a sentence begins with it.
    return told if told.startswith(report.server.name) else told[0].upper() + told[1:]


def _turn(news: News, report: Report) -> datetime:
    """Return the instant that an update speaks of."""
    if news in _FROM_THE_START:
        return report.started_at
    return (report.ended_at if news in _OVER else report.changed_at) or report.moment


def _hit(report: Report, language: Language) -> str:
    """Return what is hit and how, worst first: "el correo de gye1 está fuera de servicio"."""
    name, judged = report.server.name, report.judged
    clauses = [
        text(
            f"incident.hit.services.{status}",
            language,
            count=len(services),
            server=name,
            services=listed([text(f"service_phrase.{service}", language) for service in services], language),
        )
        for status in _BAD
        if (services := _services(judged, status))
    ]
    if judged.status is Status.MAJOR_OUTAGE or not clauses:
        return text(f"incident.hit.server.{_bad(judged.status)}", language, server=name)
    return "; ".join(clauses)


def _seen(report: Report, language: Language) -> str:
    total = sum(check.impact is not CheckImpact.NONE for check in report.server.checks)
    location = text(f"location.{report.location}", language)
    if total <= 1:
        return text("incident.seen.only", language, location=location)
    return text("incident.seen.some", language, count=report.failing, total=total, location=location)


def _next(news: News, report: Report, language: Language) -> str:
    if news is News.RECOVERING:
        return text("incident.next.watching", language, watch=duration(report.server.resolve_after, language))
    if news is News.UNSTABLE:
        return text("incident.next.unstable", language)
    return text("incident.next.still" if news is News.EASED else "incident.next.working", language)


def _reason(evidence: CheckEvidence, language: Language) -> str:
    """Return what was found, the cause in words first: "tiene un certificado que vence pronto (quedan 12 días)"."""
    if evidence.cause is None:
        return evidence.found
    words = text(f"cause.{evidence.cause}", language)
    return f"{words} ({evidence.found})" if evidence.found else words


def _worst_hit(judged: Judged) -> tuple[Status, tuple[Service, ...]]:
    """Return the worst status that a service has, and the services that have it."""
    for status in _BAD:
        if services := _services(judged, status):
            return status, services
    return judged.status, ()


def _services(judged: Judged, status: Status) -> tuple[Service, ...]:
    return tuple(service for service, held in judged.services.items() if held is status)


def _bad(status: Status) -> Status:
    """Return a status that there are words for; an incident is never told as smaller than degraded."""
    return status if status in _BAD else Status.DEGRADED_PERFORMANCE


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
