"""What would have been told of one server: its incidents, and the warnings of its checks, folded from their turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from monitor.fleet import CheckPlan, Server
from monitor.health.flapping import changes_seen, lasts
from monitor.health.rollup import Standing, is_failing, is_restless, is_staff_matter, judge, standing
from monitor.health.state import Health, Transition
from monitor.health.words import State
from monitor.identifiers import CheckKey, IncidentId
from monitor.incidents.decision import (
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
    Restless,
    Settle,
    Situation,
    Steady,
    Tell,
    Unstable,
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
        self._plans = {plan.key: plan for plan in server.checks}
        self._standings = {key: _standing(plan, Health(check=key)) for key, plan in self._plans.items()}
        self._judged = judge(())
        self._changed_at: datetime | None = None
        self._open: Incident | None = None
        self._recent: Incident | None = None
        self._warnings: dict[CheckKey, Incident] = {}
        self.told: dict[IncidentId, Alarm] = {}

    def take(self, moment: datetime, turns: Sequence[Turn]) -> None:
        """Take in what changed at `moment`, and tell what there is to tell."""
        for turn in turns:
            key = turn.health.check
            self._standings[key] = _standing(self._plans[key], turn.health)
        self._changed_at = moment
        self._judged = judge(tuple(self._standings.values()))
        news = _News(
            moment=moment,
            window=quiet(self._windows, self._server.id, moment),
            changes={turn.health.check: turn.transition for turn in turns if turn.transition is not None},
        )
        self._tell_customers(news)
        for one in self._standings.values():
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

    def _tell_customers(self, news: _News) -> None:
        failing = [one for one in self._standings.values() if is_failing(one)]
        if not failing and self._open is None:
            return
        member = Member(
            server=self._server,
            judged=self._judged,
            failing=tuple(news.evidence(one.health) for one in failing),
            recent=self._recent,
            window=news.window,
            quiet_until=quiet_until(self._windows, self._server.id, news.moment),
            persisting=frozenset(one.health.check for one in failing if one.health.persisting),
            recovered_at=news.recovered_at,
            restless=tuple(
                Restless(check=one.health.check, changes=changes_seen(one.health))
                for one in self._standings.values()
                if is_restless(one)
            ),
        )
        situation = Situation(members=(member,), open=self._open, moment=news.moment)
        decision = decide(situation)
        if isinstance(decision, Nothing | Quiet):
            return
        after = self._after(decision, situation)
        self._open = replace(after, unstable_at=_unstable_at(after, decision, situation))
        self._note(self._open, reopened=isinstance(decision, Reopen))

    def _after(self, decision: Decision, situation: Situation) -> Incident:
        """Return the open incident as a decision leaves it."""
        if isinstance(decision, Open):
            return self._opened(situation.moment, decision.started_at, decision.checks, decision.impact)
        if isinstance(decision, Reopen):
            return _failing_again(decision.incident, decision.impact, decision.checks)
        told = situation.open
        if told is None:
            raise ValueError(
                f"the decision about {self._server.id} goes on with an incident that is not there"
            )
        if isinstance(decision, Recover):
            return replace(
                told,
                stage=Stage.MONITORING,
                ended_at=decision.ended_at,
                monitoring_since=situation.moment,
            )
        if isinstance(decision, Join | Relapse | Unstable):
            return _failing_again(told, decision.impact, decision.checks)
        return replace(told, impact=decision.impact) if isinstance(decision, Worsen | Ease | Steady) else told

    def _tell_staff(self, news: _News, one: Standing) -> None:
        check = one.health.check
        told = self._warnings.get(check)
        restless = self._open is None and not is_staff_matter(one) and lasts(one.health)
        matter = restless or is_staff_matter(one)
        if not matter and told is None:
            return
        warned = Warned(
            evidence=news.evidence(one.health) if matter else None,
            open=told,
            window=news.window,
            moment=news.moment,
            persisting=one.health.persisting,
            recovered_at=news.recovered_at,
            changes=changes_seen(one.health) if restless else 0,
        )
        decision = decide_warning(warned)
        if isinstance(decision, Tell):
            since = one.health.flapping_since if restless else None
            opened = self._opened(news.moment, since or decision.started_at, (check,), Impact.NONE)
            self._warnings[check] = replace(opened, audience=Audience.OPERATORS)
            self._note(self._warnings[check])
        elif isinstance(decision, Settle) and told is not None:
            del self._warnings[check]
            self._note(
                replace(
                    told,
                    stage=Stage.RESOLVED,
                    ended_at=max(decision.ended_at, told.started_at),
                    resolved_at=news.moment,
                )
            )

    def _opened(
        self, moment: datetime, started_at: datetime, checks: tuple[CheckKey, ...], impact: Impact
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


def _standing(plan: CheckPlan, health: Health) -> Standing:
    return standing(health, impact=plan.impact, service=plan.service, kind=plan.kind)


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


def _unstable_at(incident: Incident, decision: Decision, situation: Situation) -> datetime | None:
    """Return when it was told last that the incident comes and goes."""
    if isinstance(decision, Unstable):
        return situation.moment
    if isinstance(decision, Recover) or not situation.restless(incident.checks):
        return None
    goes_on = not isinstance(decision, Open | Reopen)
    return (incident.unstable_at if goes_on else None) or situation.moment


def _severity(impact: Impact) -> int:
    return impact.severity
