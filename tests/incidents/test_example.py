"""The example of docs/judgement.md, look by look: from what is seen to what is told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from monitor.health.advance import advance
from monitor.health.rollup import is_failing, judge, standing
from monitor.health.state import Health
from monitor.health.words import CheckImpact
from monitor.identifiers import IncidentId
from monitor.incidents.decision import (
    Decision,
    Ease,
    Join,
    Member,
    Nothing,
    Open,
    Recover,
    Reopen,
    Situation,
    decide,
    due,
)
from monitor.incidents.evidence import held_evidence
from monitor.incidents.incident import Impact, Incident, Stage
from monitor.observation import Cause, Observation, Outcome
from tests.incidents.builders import POLICY, SERVER, carried_out, key, resolved

GOOD, BAD = (Outcome.OK, None), (Outcome.DOWN, Cause.REFUSED)


def clock(text: str) -> datetime:
    return datetime.combine(datetime(2026, 11, 22, tzinfo=UTC), time.fromisoformat(text), UTC)


class Course:
    """A server whose looks are fed in one by one; every decision is carried out at once."""

    def __init__(self) -> None:
        self.healths = {plan.key: Health(check=plan.key) for plan in SERVER.checks}
        self.open: Incident | None = None
        self.recent: Incident | None = None
        for plan in SERVER.checks:
            self.look("10:41:00", plan.key.check, GOOD)

    def look(self, at: str, name: str, seen: tuple[Outcome, Cause | None]) -> Decision:
        found = Observation(
            check=key(name), started_at=clock(at), took_ms=1.0, outcome=seen[0], cause=seen[1]
        )
        self.healths[key(name)], change = advance(self.healths[key(name)], found, POLICY)
        if change is None:
            return Nothing()
        decision = self._decide(clock(at), change.since)
        self.open = carried_out(decision, self.open, clock(at), "01EXAMPLE")
        return decision

    def resolve(self, at: str) -> None:
        assert self.open is not None
        assert not due(self.open, SERVER, clock(at) - timedelta(seconds=1), judge(self._standings()))
        assert due(self.open, SERVER, clock(at), judge(self._standings()))
        self.recent, self.open = resolved(self.open, clock(at)), None

    def _standings(self):
        return [
            standing(self.healths[plan.key], impact=CheckImpact.OUTAGE, service=plan.service, kind=plan.kind)
            for plan in SERVER.checks
        ]

    def _decide(self, moment: datetime, recovered_at: datetime) -> Decision:
        failing = [one.health for one in self._standings() if is_failing(one)]
        return decide(
            Situation(
                members=(
                    Member(
                        server=SERVER,
                        judged=judge(self._standings()),
                        failing=tuple(held_evidence(one, one.check.check) for one in failing),
                        recent=self.recent,
                        recovered_at=recovered_at,
                    ),
                ),
                open=self.open,
                moment=moment,
            )
        )


def test_the_documented_example_happens_as_it_is_told():
    course = Course()

    assert course.look("10:42:00", "smtp", BAD) == Nothing()
    assert course.look("10:42:15", "smtp", BAD) == Nothing()
    opened = course.look("10:42:30", "smtp", BAD)
    assert isinstance(opened, Open)
    assert (opened.impact, opened.started_at) == (Impact.MAJOR, clock("10:42:00"))

    course.look("10:44:00", "ping", BAD)
    course.look("10:44:20", "ping", BAD)
    joins = course.look("10:44:40", "ping", BAD)
    assert isinstance(joins, Join)
    assert (joins.impact, joins.checks) == (Impact.CRITICAL, (key("ping"),))

    course.look("10:58:05", "ping", GOOD)
    assert course.look("10:58:20", "ping", GOOD) == Ease(impact=Impact.MAJOR)

    course.look("11:02:10", "smtp", GOOD)
    assert course.look("11:02:25", "smtp", GOOD) == Recover(ended_at=clock("11:02:10"))
    assert course.open is not None
    assert course.open.stage is Stage.MONITORING

    course.resolve("11:07:25")

    course.look("11:20:00", "http", BAD)
    course.look("11:20:15", "http", BAD)
    again = course.look("11:20:30", "http", BAD)
    assert isinstance(again, Reopen)
    assert again.incident.id == IncidentId("01EXAMPLE")
