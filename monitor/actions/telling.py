"""Decisions as entries: the facts of each, and the words that customers or operators read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.actions.picture import Picture
from monitor.clock import fresh_ulid
from monitor.fleet import Fleet
from monitor.health.rollup import judge
from monitor.identifiers import CheckKey, IncidentId, ServerId, UpdateId
from monitor.incidents import texts
from monitor.incidents.crowd import Crowd
from monitor.incidents.decision import (
    Behind,
    Decision,
    Ease,
    Join,
    Member,
    Nothing,
    Open,
    Quiet,
    Recover,
    Relapse,
    Reopen,
    Settle,
    Situation,
    Steady,
    Tell,
    Unstable,
    Warned,
    Worsen,
    joined,
)
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Origin, Stage, Update
from monitor.incidents.texts import News, Report
from monitor.journal.entries import (
    Body,
    Entry,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentUpdated,
    Kind,
    Reason,
)
from monitor.language import Texts, in_every_language


def entries(decision: Decision, situation: Situation, picture: Picture) -> list[Entry]:
    """Return what a decision about one party appends: one entry, or none where there is nothing to tell."""
    if isinstance(decision, Nothing | Quiet):
        return []
    return [_TOLD[type(decision)](decision, situation, picture)]


def warning_entries(
    decision: Tell | Settle | Quiet | Nothing, warned: Warned, picture: Picture
) -> list[Entry]:
    """Return what a decision about a matter of the staff appends."""
    if isinstance(decision, Tell):
        return [_staff_opened(decision, warned, picture)]
    if isinstance(decision, Settle) and warned.open is not None:
        return [_staff_resolved(decision, warned.open, warned.moment, picture)]
    return []


def resolved(incident: Incident, picture: Picture, ended_at: datetime, moment: datetime) -> Entry:
    """Return the resolution of a detected incident that was watched for long enough."""
    report = _report_of(incident, picture, moment, ended_at=ended_at)
    return _resolution(incident, texts.update_text(News.RESOLVED, report), ended_at, moment)


def retired(incident: Incident, picture: Picture, moment: datetime) -> Entry:
    """Return the end of an incident whose checks are no longer watched."""
    words = in_every_language("incident.text.retired", servers=", ".join(_names(incident, picture)))
    ended_at = incident.ended_at or moment
    return _resolution(incident, words, ended_at, moment, recovered=incident.seen_well)


def _names(incident: Incident, picture: Picture) -> list[str]:
    return [_name(server, picture) for server in incident.servers]


def _name(server: ServerId, picture: Picture) -> str:
    return picture.servers[server].name if server in picture.servers else server


def _behind_of(situation: Situation) -> tuple[ServerId, ...]:
    """Return every server that the incident lists as unreachable from now on."""
    known = () if situation.open is None else situation.open.unreachable
    return tuple(dict.fromkeys((*known, *situation.unreachable)))


def _opened(decision: Open, situation: Situation, picture: Picture) -> Entry:
    news = News.PERSISTS if decision.persists else News.OPENED
    report = _report(situation, picture, started_at=decision.started_at)
    comes_and_goes = bool(situation.restless(decision.checks))
    incident = Incident(
        id=IncidentId(fresh_ulid(situation.moment)),
        title=_title(situation, picture.fleet, unstable=comes_and_goes),
        stage=Stage.INVESTIGATING,
        impact=decision.impact,
        servers=decision.servers,
        checks=decision.checks,
        started_at=decision.started_at,
        opened_at=situation.moment,
        updates=(_update(Stage.INVESTIGATING, texts.update_text(news, report), situation.moment),),
        unreachable=situation.unreachable,
        unstable_at=situation.moment if comes_and_goes else None,
    )
    body = IncidentOpened(incident=incident, evidence=decision.evidence)
    return _entry(Kind.INCIDENT_OPENED, incident.id, body, situation.moment)


def _joined(decision: Join, situation: Situation, picture: Picture) -> Entry:
    incident = _open(situation)
    severer = decision.impact.severity > incident.impact.severity
    change = _Change(
        news=News.JOINED,
        reason=Reason.WORSENED if severer else Reason.JOINED,
        stage=incident.stage,
        impact=decision.impact,
        new=decision.checks,
        servers=decision.servers,
        evidence=decision.evidence,
        changed_at=_first_failing(decision.evidence),
    )
    return _moved_on(change, situation, picture)


def _worsened(decision: Worsen, situation: Situation, picture: Picture) -> Entry:
    change = _Change(
        news=News.WORSENED,
        reason=Reason.WORSENED,
        stage=_open(situation).stage,
        impact=decision.impact,
        evidence=decision.evidence,
    )
    return _moved_on(change, situation, picture)


def _eased(decision: Ease, situation: Situation, picture: Picture) -> Entry:
    stage = _open(situation).stage
    change = _Change(news=News.EASED, reason=Reason.EASED, stage=stage, impact=decision.impact)
    return _moved_on(change, situation, picture)


def _behind(_decision: Behind, situation: Situation, picture: Picture) -> Entry:
    incident = _open(situation)
    change = _Change(news=News.BEHIND, reason=Reason.BEHIND, stage=incident.stage, impact=incident.impact)
    return _moved_on(change, situation, picture)


def _recovering(decision: Recover, situation: Situation, picture: Picture) -> Entry:
    change = _Change(
        news=News.RECOVERING,
        reason=Reason.RECOVERING,
        stage=Stage.MONITORING,
        impact=_open(situation).impact,
        ended_at=decision.ended_at,
    )
    return _moved_on(change, situation, picture)


def _relapsed(decision: Relapse, situation: Situation, picture: Picture) -> Entry:
    change = _Change(
        news=News.RELAPSED,
        reason=Reason.RELAPSED,
        stage=Stage.INVESTIGATING,
        impact=decision.impact,
        new=decision.checks,
        servers=decision.servers,
        evidence=decision.evidence,
        changed_at=_first_failing(decision.evidence),
    )
    return _moved_on(change, situation, picture)


def _unstable(decision: Unstable, situation: Situation, picture: Picture) -> Entry:
    incident = _open(situation)
    change = _Change(
        news=News.UNSTABLE,
        reason=Reason.UNSTABLE,
        # What comes and goes is not being watched to the end.
        stage=Stage.INVESTIGATING if incident.stage is Stage.MONITORING else incident.stage,
        impact=decision.impact,
        new=decision.checks,
        servers=decision.servers,
        evidence=decision.evidence,
        changes=decision.changes,
    )
    return _moved_on(change, situation, picture)


def _steady(decision: Steady, situation: Situation, picture: Picture) -> Entry:
    change = _Change(
        news=News.STEADY,
        reason=Reason.STEADY,
        stage=_open(situation).stage,
        impact=decision.impact,
        evidence=decision.evidence,
    )
    return _moved_on(change, situation, picture)


def _reopened(decision: Reopen, situation: Situation, picture: Picture) -> Entry:
    incident = decision.incident
    servers = tuple(dict.fromkeys((*incident.servers, *decision.servers)))
    changed_at = _first_failing(decision.evidence)
    report = _report(situation, picture, started_at=incident.started_at, changed_at=changed_at)
    checks = joined(incident, decision.checks)
    comes_and_goes = bool(situation.restless(checks))
    body = IncidentReopened(
        incident=incident.id,
        impact=decision.impact,
        servers=servers,
        unreachable=tuple(dict.fromkeys((*incident.unreachable, *situation.unreachable))),
        back=tuple(server for server in servers if server not in decision.servers),
        checks=checks,
        update=_update(Stage.INVESTIGATING, texts.update_text(News.REOPENED, report), situation.moment),
        title=_title(situation, picture.fleet, unstable=comes_and_goes),
        evidence=decision.evidence,
        unstable=comes_and_goes,
    )
    return _entry(Kind.INCIDENT_REOPENED, incident.id, body, situation.moment)


# One encoder for each kind of decision; the table keeps the types apart that mypy cannot follow through it.
_TOLD: Mapping[type[object], Callable[[Any, Situation, Picture], Entry]] = {
    Open: _opened,
    Join: _joined,
    Worsen: _worsened,
    Ease: _eased,
    Behind: _behind,
    Recover: _recovering,
    Relapse: _relapsed,
    Unstable: _unstable,
    Steady: _steady,
    Reopen: _reopened,
}


def _staff_opened(decision: Tell, warned: Warned, picture: Picture) -> Entry:
    server = picture.servers[decision.check.server]
    if decision.changes:
        words = texts.staff_unstable(server, decision.evidence, decision.changes, picture.zone, warned.moment)
    else:
        words = texts.staff_opened(server, decision.evidence, picture.zone, warned.moment)
    incident = Incident(
        id=IncidentId(fresh_ulid(warned.moment)),
        title=texts.staff_title(server, decision.evidence),
        stage=Stage.INVESTIGATING,
        impact=Impact.NONE,
        servers=(decision.check.server,),
        checks=(decision.check,),
        started_at=decision.started_at,
        opened_at=warned.moment,
        audience=Audience.OPERATORS,
        origin=Origin.DETECTED,
        updates=(_update(Stage.INVESTIGATING, words, warned.moment),),
    )
    body = IncidentOpened(incident=incident, evidence=(decision.evidence,))
    return _entry(Kind.INCIDENT_OPENED, incident.id, body, warned.moment)


def _staff_resolved(decision: Settle, incident: Incident, moment: datetime, picture: Picture) -> Entry:
    check = incident.checks[0]
    server = picture.servers[check.server]
    words = texts.staff_resolved(server, check.check, decision.ended_at, picture.zone, moment)
    return _resolution(incident, words, decision.ended_at, moment)


def _head(situation: Situation) -> Member:
    """Return the server that a text speaks of where it speaks of one: the first that is hit."""
    return next(iter(situation.hit), situation.members[0])


def _title(situation: Situation, fleet: Fleet, *, unstable: bool = False) -> Texts:
    plain = _plain_title(situation, fleet)
    return texts.unstable_title(plain) if unstable else plain


def _plain_title(situation: Situation, fleet: Fleet) -> Texts:
    hit = tuple((one.server, one.judged.status) for one in situation.hit)
    if len(hit) > 1:
        return texts.crowd_title(Crowd(fleet=fleet, servers=tuple(server for server, _ in hit), hit=hit))
    head = _head(situation)
    return texts.title(head.server, head.judged)


def _crowd(situation: Situation, fleet: Fleet) -> Crowd | None:
    """Return the servers of an incident that has several, and None for one that is about a single server."""
    named = frozenset() if situation.open is None else frozenset(situation.open.servers)
    hit = tuple((one.server, one.judged.status) for one in situation.hit)
    failing = {server.id for server, _ in hit}
    servers = tuple(
        one.server for one in situation.members if one.server.id in named or one.server.id in failing
    )
    return Crowd(fleet=fleet, servers=servers, hit=hit) if len(servers) > 1 else None


def _open(situation: Situation) -> Incident:
    if situation.open is None:
        raise ValueError(
            f"the decision about {_head(situation).server.id} goes on with an incident that is not there"
        )
    return situation.open


def _report(
    situation: Situation,
    picture: Picture,
    *,
    started_at: datetime,
    ended_at: datetime | None = None,
    changed_at: datetime | None = None,
    changes: int = 0,
) -> Report:
    head = _head(situation)
    return Report(
        server=head.server,
        judged=head.judged,
        zone=picture.zone,
        moment=situation.moment,
        started_at=started_at,
        failing=len(head.failing),
        ended_at=ended_at,
        changed_at=changed_at,
        changes=changes,
        behind=tuple(_name(server, picture) for server in _behind_of(situation)),
        crowd=_crowd(situation, picture.fleet),
    )


def _report_of(incident: Incident, picture: Picture, moment: datetime, *, ended_at: datetime) -> Report:
    watched = tuple(picture.servers[server] for server in incident.servers if server in picture.servers)
    server = watched[0]
    return Report(
        server=server,
        judged=judge(picture.standings(server, {})),
        zone=picture.zone,
        moment=moment,
        started_at=incident.started_at,
        ended_at=ended_at,
        crowd=Crowd(fleet=picture.fleet, servers=watched, hit=()) if len(watched) > 1 else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """How an open incident moves on: `new` checks and `servers` join it, `changed_at` is when that began which makes this news.

    `changes` is how often what comes and goes has changed.
    """

    news: News
    reason: Reason
    stage: Stage
    impact: Impact
    new: tuple[CheckKey, ...] = ()
    servers: tuple[ServerId, ...] = ()
    evidence: tuple[CheckEvidence, ...] = ()
    ended_at: datetime | None = None
    changed_at: datetime | None = None
    changes: int = 0


def _moved_on(change: _Change, situation: Situation, picture: Picture) -> Entry:
    incident = _open(situation)
    report = _report(
        situation,
        picture,
        started_at=incident.started_at,
        ended_at=change.ended_at,
        changed_at=change.changed_at,
        changes=change.changes,
    )
    checks = joined(incident, change.new)
    unstable = _is_unstable(change, situation, checks)
    body = IncidentUpdated(
        incident=incident.id,
        reason=change.reason,
        stage=change.stage,
        impact=change.impact,
        servers=tuple(dict.fromkeys((*incident.servers, *change.servers))),
        checks=checks,
        unreachable=_behind_of(situation),
        back=tuple(server for server in situation.back if server not in change.servers),
        title=_title_now(change, situation, picture.fleet, unstable=unstable),
        update=_update(change.stage, texts.update_text(change.news, report), situation.moment),
        evidence=change.evidence,
        ended_at=change.ended_at,
        unstable=unstable,
    )
    return _entry(Kind.INCIDENT_UPDATED, incident.id, body, situation.moment)


def _is_unstable(change: _Change, situation: Situation, checks: tuple[CheckKey, ...]) -> bool | None:
    """Tell whether the incident comes and goes from now on; None leaves that and its moment as they are."""
    if change.news is News.UNSTABLE:
        return True
    if change.news is News.RECOVERING or not situation.restless(checks):
        return False
    return None if _open(situation).unstable_at is not None else True


def _title_now(change: _Change, situation: Situation, fleet: Fleet, *, unstable: bool | None) -> Texts | None:
    """What customers read at the top follows what is hit now; when all is well again it still names what was."""
    told = _open(situation)
    if situation.hit:
        return _title(situation, fleet, unstable=unstable is not False)
    first = change.news is News.UNSTABLE and told.unstable_at is None
    return texts.unstable_title(told.title) if first else None


def _first_failing(evidence: tuple[CheckEvidence, ...]) -> datetime | None:
    return min((one.failing_since for one in evidence), default=None)


def _resolution(
    incident: Incident, words: Texts, ended_at: datetime, moment: datetime, *, recovered: bool = True
) -> Entry:
    body = IncidentResolved(
        incident=incident.id,
        ended_at=ended_at,
        update=_update(Stage.RESOLVED, words, moment),
        recovered=recovered,
    )
    return _entry(Kind.INCIDENT_RESOLVED, incident.id, body, moment)


def _update(stage: Stage, words: Texts, moment: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(moment)), stage=stage, text=words, at=moment)


def _entry(kind: Kind, incident: IncidentId, body: Body, moment: datetime) -> Entry:
    return Entry(kind=kind, moment=moment, subject=incident, body=body)
