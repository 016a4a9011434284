"""What would have been told of one server: its incidents, and the warnings of its checks, folded from their turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from monitor.fleet import Server
from monitor.health.rollup import Standing, is_failing, is_staff_matter, judge, standing
from monitor.health.state import Health, Transition
from monitor.health.words import State
from monitor.identifiers import CheckKey, IncidentId
from monitor.incidents.decision import (
    Decision,
    Ease,
    Join,
    Member,
    Open,
    Recover,
    Relapse,
    Reopen,
    Settle,
    Situation,
    Tell,
    Warned,
    Worsen,
    decide,
    decide_warning,
    due,
    joined,
)
from monitor.incidents.evidence import evidence_of, held_evidence
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Stage
from monitor.maintenance.due import quiet, quiet_until
from monitor.maintenance.window import Window
from monitor.rehearsal.course import Course, Turn

_moment = attrgetter("at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An incident that would have been told: how it ended, the worst that it ever was, and how often it was reopened.

    Its texts are left empty.
    """

    incident: Incident
    worst: Impact
    reopened: int = 0


def alarms(
    server: Server, courses: Mapping[CheckKey, Course], windows: Iterable[Window], until: datetime
) -> tuple[Alarm, ...]:
    """Return what would have been told of `server` up to `until`, to customers or to operators, in its order.

    `courses` are those of its checks. The server is judged by its own checks alone, as if it depended on no other.
    """
    story = _Story(server, tuple(window for window in windows if server.id in window.servers))
    turns = sorted((turn for course in courses.values() for turn in course.turns), key=_moment)
    for moment, some in groupby(turns, key=_moment):
        story.resolve_until(moment)
        story.take(moment, tuple(some))
    story.resolve_until(until)
    return tuple(story.told.values())


class _Story:
    """What was told of a server so far, and how its checks stand."""

    def __init__(self, server: Server, windows: tuple[Window, ...]) -> None:
        self._server = server
        self._windows = windows
        self._healths = {plan.key: Health(check=plan.key) for plan in server.checks}
        self._judged = judge(())
        self._changed_at: datetime | None = None
        self._open: Incident | None = None
        self._recent: Incident | None = None
        self._warnings: dict[CheckKey, Incident] = {}
        self.told: dict[IncidentId, Alarm] = {}

    def take(self, moment: datetime, turns: Sequence[Turn]) -> None:
        """Take in what changed at `moment`, and tell what there is to tell."""
        self._healths.update((turn.health.check, turn.health) for turn in turns)
        self._changed_at = moment
        standings = self._standings()
        self._judged = judge(standings)
        news = _News(
            moment=moment,
            window=quiet(self._windows, self._server.id, moment),
            changes={turn.health.check: turn.transition for turn in turns if turn.transition is not None},
        )
        self._tell_customers(news, standings)
        for one in standings:
            self._tell_staff(news, one)

    def resolve_until(self, moment: datetime) -> None:
        """Resolve the incident if by `moment` it was watched for long enough."""
        incident = self._open
        if incident is None or incident.monitoring_since is None or self._changed_at is None:
            return
        at = max(incident.monitoring_since + self._server.resolve_after, self._changed_at)
        if at <= moment and due(incident, self._server, at, self._judged):
            self._open, self._recent = None, replace(incident, stage=Stage.RESOLVED, resolved_at=at)
            self._note(self._recent)

    def _standings(self) -> tuple[Standing, ...]:
        return tuple(
            standing(self._healths[plan.key], impact=plan.impact, service=plan.service, kind=plan.kind)
            for plan in self._server.checks
        )

    def _tell_customers(self, news: _News, standings: Sequence[Standing]) -> None:
        failing = [one for one in standings if is_failing(one)]
        member = Member(
            server=self._server,
            judged=self._judged,
            failing=tuple(news.evidence(one.health) for one in failing),
            recent=self._recent,
            window=news.window,
            quiet_until=quiet_until(self._windows, self._server.id, news.moment),
            persisting=frozenset(one.health.check for one in failing if one.health.persisting),
            recovered_at=news.recovered_at,
        )
        decision = decide(Situation(members=(member,), open=self._open, moment=news.moment))
        after = self._after(decision, news.moment)
        if after is not None and after is not self._open:
            self._open = after
            self._note(after, reopened=isinstance(decision, Reopen))

    def _after(self, decision: Decision, moment: datetime) -> Incident | None:
        """Return the open incident as a decision leaves it."""
        if isinstance(decision, Open):
            return self._opened(
                moment,
                started_at=decision.started_at,
                checks=decision.checks,
                impact=decision.impact,
                audience=Audience.PUBLIC,
            )
        if isinstance(decision, Reopen):
            return _failing_again(decision.incident, decision.impact, decision.checks)
        if self._open is None:
            return None
        if isinstance(decision, Recover):
            return replace(
                self._open,
                stage=Stage.MONITORING,
                ended_at=decision.ended_at,
                monitoring_since=moment,
            )
        if isinstance(decision, Join | Relapse):
            return _failing_again(self._open, decision.impact, decision.checks)
        if isinstance(decision, Worsen | Ease):
            return replace(self._open, impact=decision.impact)
        return self._open

    def _tell_staff(self, news: _News, one: Standing) -> None:
        check = one.health.check
        told = self._warnings.get(check)
        matter = is_staff_matter(one)
        if not matter and told is None:
            return
        warned = Warned(
            evidence=news.evidence(one.health) if matter else None,
            open=told,
            window=news.window,
            moment=news.moment,
            persisting=one.health.persisting,
            recovered_at=news.recovered_at,
        )
        decision = decide_warning(warned)
        if isinstance(decision, Tell):
            self._warnings[check] = self._opened(
                news.moment,
                started_at=decision.started_at,
                checks=(check,),
                impact=Impact.NONE,
                audience=Audience.OPERATORS,
            )
            self._note(self._warnings[check])
        elif isinstance(decision, Settle) and told is not None:
            del self._warnings[check]
            self._note(
                replace(
                    told,
                    stage=Stage.RESOLVED,
                    ended_at=decision.ended_at,
                    resolved_at=news.moment,
                )
            )

    def _opened(
        self,
        moment: datetime,
        *,
        started_at: datetime,
        checks: tuple[CheckKey, ...],
        impact: Impact,
        audience: Audience,
    ) -> Incident:
        return Incident(
            id=IncidentId(f"{self._server.id}-{len(self.told) + 1}"),
            title={},
            stage=Stage.INVESTIGATING,
            impact=impact,
            servers=(self._server.id,),
            checks=checks,
            started_at=started_at,
            opened_at=moment,
            audience=audience,
        )

    def _note(self, incident: Incident, *, reopened: bool = False) -> None:
        before = self.told.get(incident.id)
        worst = incident.impact if before is None else max(before.worst, incident.impact, key=_severity)
        times = (0 if before is None else before.reopened) + reopened
        self.told[incident.id] = Alarm(incident=incident, worst=worst, reopened=times)


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What changed at one moment, and the window that keeps it quiet."""

    moment: datetime
    window: Window | None
    changes: Mapping[CheckKey, Transition]

    @property
    def recovered_at(self) -> datetime | None:
        """The first good look of the newest recovery."""
        return max((one.since for one in self.changes.values() if one.after is State.UP), default=None)

    def evidence(self, health: Health) -> CheckEvidence:
        """Return the look that confirmed a failure now, else what is held of it."""
        change = self.changes.get(health.check)
        return held_evidence(health, "") if change is None else evidence_of(change, "")


def _failing_again(incident: Incident, impact: Impact, checks: Iterable[CheckKey]) -> Incident:
    return replace(
        incident,
        stage=Stage.INVESTIGATING,
        impact=impact,
        checks=joined(incident, checks),
        ended_at=None,
        resolved_at=None,
        monitoring_since=None,
    )


def _severity(impact: Impact) -> int:
    return impact.severity
