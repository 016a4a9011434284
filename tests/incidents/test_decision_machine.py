"""Any line of situations: one open incident at most, legal moves only, and an end after every recovery."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.health.rollup import judge
from monitor.health.state import Health
from monitor.health.words import Status
from monitor.incidents.decision import (
    UNSTABLE_EVERY,
    Decision,
    Ease,
    Join,
    Nothing,
    Open,
    Quiet,
    Recover,
    Relapse,
    Reopen,
    Situation,
    Steady,
    Unstable,
    Worsen,
    decide,
    due,
)
from monitor.incidents.incident import Incident, Stage
from monitor.incidents.lifecycle import may_move
from monitor.maintenance.window import Window
from tests.incidents.builders import (
    MINUTE,
    NOON,
    SERVER,
    SERVICES,
    carried_out,
    health,
    resolved,
    situation,
    standings,
    window,
)

_MAY_CHANGE_IMPACT = (Open, Reopen, Join, Worsen, Ease, Relapse, Unstable, Steady)


class AnyCourse(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.healths: dict[str, Health] = {}
        self.incidents: dict[str, Incident] = {}
        self.window: Window | None = None
        self.quiet_until: datetime | None = None
        self.recovered_at: datetime | None = None
        self.moment = NOON

    @rule(name=st.sampled_from(list(SERVICES)), held=st.sampled_from(["up", "up", "slow", "down", "unknown"]))
    def a_check_changes(self, name: str, held: str) -> None:
        if held == "up":
            self.recovered_at = self.moment
        restless = self.healths[name].flapping_since if name in self.healths else None
        self.healths[name] = replace(health(name, held, self.moment), flapping_since=restless)
        self._decide()

    @rule(name=st.sampled_from(list(SERVICES)), restless=st.booleans())
    def a_check_becomes_restless_or_calm(self, name: str, restless: bool) -> None:
        known = self.healths.get(name) or health(name, "up", self.moment)
        self.healths[name] = replace(known, flapping_since=self.moment if restless else None)
        self._decide()

    @rule(minutes=st.sampled_from([0.25, 1, 5, 31]))
    def time_passes(self, minutes: float) -> None:
        self.moment += minutes * MINUTE
        self._resolve_what_is_due()
        if self.open is not None and self.open.unstable_at is not None:
            self._decide()

    @rule()
    def a_window_begins(self) -> None:
        if self.window is None:
            self.window = window()
            self._decide()

    @rule()
    def a_window_ends(self) -> None:
        if self.window is not None:
            self.window, self.quiet_until = None, self.moment
            self._decide()

    @rule(stage=st.sampled_from([Stage.IDENTIFIED, Stage.RESOLVED]))
    def an_operator_speaks(self, stage: Stage) -> None:
        if self.open is None or not may_move(self.open.stage, stage):
            return
        if stage is Stage.RESOLVED:
            self._keep(resolved(self.open, self.moment, author="ana"))
        else:
            self._keep(carried_on(self.open, stage))

    @rule()
    def all_is_well_for_a_while(self) -> None:
        """Whatever came before, a server that is fine for `resolve_after` has no open incident."""
        for name in SERVICES:
            self.a_check_becomes_restless_or_calm(name, restless=False)
            self.a_check_changes(name, "up")
        self.time_passes(5)
        assert self.open is None

    @invariant()
    def at_most_one_is_open(self) -> None:
        assert sum(one.open for one in self.incidents.values()) <= 1

    @invariant()
    def an_incident_ends_no_earlier_than_it_starts(self) -> None:
        for one in self.incidents.values():
            assert one.ended_at is None or one.ended_at >= one.started_at

    @property
    def open(self) -> Incident | None:
        return next((one for one in self.incidents.values() if one.open), None)

    @property
    def recent(self) -> Incident | None:
        over = [one for one in self.incidents.values() if not one.open and one.resolved_at]
        return max(over, key=lambda one: (one.resolved_at, one.id), default=None)

    def _situation(self) -> Situation:
        return situation(
            *self.healths.values(),
            moment=self.moment,
            open=self.open,
            recent=self.recent,
            window=self.window,
            quiet_until=self.quiet_until,
            recovered_at=self.recovered_at,
        )

    def _ask(self) -> Decision:
        return decide(self._situation())

    def _decide(self) -> None:
        before = self.open
        decision = self._ask()
        assert not (isinstance(decision, Open | Reopen) and before is not None)
        assert self.window is None or not isinstance(decision, _MAY_CHANGE_IMPACT)
        after = carried_out(decision, before, self.moment, f"incident {len(self.incidents):03}")
        self._require_calm_to_recover(decision, before)
        if after is not None:
            after = self._marked(decision, before, after)
            if before is not None and after.impact is not before.impact:
                assert isinstance(decision, _MAY_CHANGE_IMPACT)
            self._keep(after)
        assert isinstance(self._ask(), Nothing | Quiet), "what was told is told again"

    def _require_calm_to_recover(self, decision: Decision, before: Incident | None) -> None:
        if before is None or self.window is not None or not isinstance(decision, Recover | Relapse | Ease):
            return
        unseen = any(one.judged.status is Status.UNKNOWN for one in self._situation().members)
        assert unseen or not self._situation().restless(before.checks)

    def _marked(self, decision: Decision, before: Incident | None, after: Incident) -> Incident:
        """Return the incident with the moment at which it was told last that it comes and goes."""
        restless = bool(self._situation().restless(after.checks))
        if isinstance(decision, Unstable) or (isinstance(decision, Open | Reopen) and restless):
            told = None if before is None else before.unstable_at
            assert told is None or self.moment - told >= UNSTABLE_EVERY
            return replace(after, unstable_at=self.moment)
        if isinstance(decision, Nothing | Quiet):
            return after
        if isinstance(decision, Recover) or not restless:
            return replace(after, unstable_at=None)
        return replace(after, unstable_at=after.unstable_at or self.moment)

    def _resolve_what_is_due(self) -> None:
        if self.open is not None and due(self.open, SERVER, self.moment, judge(standings(self.healths))):
            self._keep(resolved(self.open, self.moment))

    def _keep(self, after: Incident) -> None:
        before = self.incidents.get(after.id)
        if before is not None and before.stage is not after.stage:
            assert may_move(before.stage, after.stage)
        self.incidents[after.id] = after


def carried_on(before: Incident, stage: Stage) -> Incident:
    """Return an incident that a person moved to another stage."""
    return replace(before, stage=stage)


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
