"""What an incident says, in every language: impact first, since when, what was seen from where, what comes next.

A detected text never guesses at a cause. It is rendered once, when it is published; its wording never changes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.fleet import Server
from monitor.health.rollup import Judged
from monitor.health.words import CheckImpact, Service, Status
from monitor.incidents.crowd import Crowd, named, some
from monitor.incidents.evidence import seen
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
# These say of several servers something else than of one.
_OF_MANY = (News.EASED, News.RECOVERING, News.RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The facts that an update is written from. `crowd` tells of an incident of several servers, of which `server` is the first.

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
    crowd: Crowd | None = None
    location: str = "local"


def title(server: Server, judged: Judged) -> Texts:
    """Return an incident's title: the server, and what of it is hit."""
    return {language: _title(server, judged, language) for language in LANGUAGES}


def unstable_title(plain: Texts) -> Texts:
    """Return the title of an incident that comes and goes, made of what it would be called otherwise."""
    return {
        language: text("incident.title.unstable", language, title=plain[language]) for language in LANGUAGES
    }


def crowd_title(crowd: Crowd) -> Texts:
    """Return the title of an incident of several servers: those that are hit worst."""
    status = next(status for status in _BAD if crowd.of(status))
    return {
        language: text(
            f"incident.title.server.{status}",
            language,
            server=named(crowd.of(status), crowd.fleet, language),
        )
        for language in LANGUAGES
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
            reason=seen(evidence, language),
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
    crowd = report.crowd
    told = text(
        f"incident.many.{news}" if crowd is not None and news in _OF_MANY else f"incident.text.{news}",
        language,
        server=report.server.name,
        back=0 if crowd is None else crowd.back,
        all=0 if crowd is None else len(crowd.servers),
        hit=_hit(report, language),
        seen=_seen(report, language),
        next=_next(news, report, language),
        changes=report.changes,
        behind=_behind(report, language),
        since=since(turn, report.zone, language, seen_from=report.moment),
        at=at(turn, report.zone, language, seen_from=report.moment),
        ended=at(report.started_at, report.zone, language, seen_from=report.moment),
        lasted=duration(max(lasted, timedelta(0)), language),
        location=text(f"location.{report.location}", language),
    )
    # A name stays as it is written, even where a sentence begins with it.
    names = (report.server.name, *(server.name for server in (crowd.servers if crowd else ())))
    return told if told.startswith(names) else told[0].upper() + told[1:]


def _turn(news: News, report: Report) -> datetime:
    """Return the instant that an update speaks of."""
    if news in _FROM_THE_START:
        return report.started_at
    return (report.ended_at if news in _OVER else report.changed_at) or report.moment


def _hit(report: Report, language: Language) -> str:
    """Return what is hit and how, worst first: "el correo de gye1 está fuera de servicio"."""
    if report.crowd is not None:
        return _many_hit(report.crowd, language)
    name, judged = report.server.name, report.judged
    if judged.status is Status.MAJOR_OUTAGE:
        return text(f"incident.hit.server.{judged.status}", language, server=name)
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
    if not clauses:
        return text(f"incident.hit.server.{_bad(judged.status)}", language, server=name)
    return "; ".join(clauses)


def _many_hit(crowd: Crowd, language: Language) -> str:
    clauses = [
        text(
            f"incident.hit.many.{status}",
            language,
            count=len(servers),
            servers=named(servers, crowd.fleet, language),
        )
        for status in _BAD
        if (servers := crowd.of(status))
    ]
    return "; ".join(clauses)


def _seen(report: Report, language: Language) -> str:
    seen = _looks(report, language)
    return f"{seen} {_behind(report, language)}" if report.behind else seen


def _behind(report: Report, language: Language) -> str:
    """Return which servers cannot be judged because of it."""
    if not report.behind:
        return ""
    return text("incident.behind", language, servers=some(report.behind, language))


def _looks(report: Report, language: Language) -> str:
    total = sum(check.impact is not CheckImpact.NONE for check in report.server.checks)
    location = text(f"location.{report.location}", language)
    if report.crowd is not None:
        hit, every = len(report.crowd.hit), len(report.crowd.fleet.servers)
        return text("incident.seen.many", language, count=hit, total=every, location=location)
    if total <= 1:
        return text("incident.seen.only", language, location=location)
    return text("incident.seen.some", language, count=report.failing, total=total, location=location)


def _next(news: News, report: Report, language: Language) -> str:
    if news is News.RECOVERING:
        watch = report.server.resolve_after if report.crowd is None else report.crowd.watch
        return text("incident.next.watching", language, watch=duration(watch, language))
    if news is News.UNSTABLE:
        return text("incident.next.unstable", language)
    return text("incident.next.still" if news is News.EASED else "incident.next.working", language)


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
