"""Any line of looks, windows and reloads leaves a check as the rules' own sentences say."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from monitor.health.advance import advance, persist, wants_retry
from monitor.health.state import Health, Transition
from monitor.health.words import State
from tests.health.looks import CHECK, at, look, policy
from tests.health.reference import Reference


class AnyLine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.health = Health(check=CHECK)
        self.model = Reference()
        self.attempts, self.recoveries = 3, 2
        self.step = 0
        self.newest: int | None = None

    @rule(letter=st.sampled_from("OONSDDD?"), pause=st.integers(1, 4))
    def one_look(self, letter: str, pause: int) -> None:
        self.step += pause
        told = self.model.look(letter, at(self.step), self.attempts, self.recoveries)
        self.health, change = advance(
            self.health, look(letter, self.step), policy(self.attempts, self.recoveries)
        )
        self.newest = self.step
        assert (change and (change.before, change.after, change.since)) == told
        if isinstance(change, Transition):
            assert change.observation.started_at == at(self.step)

    @rule(letter=st.sampled_from("ONSD?"), back=st.integers(0, 5))
    def a_late_look(self, letter: str, back: int) -> None:
        if self.newest is not None:
            late = look(letter, self.newest - back)
            assert advance(self.health, late, policy(self.attempts, self.recoveries)) == (self.health, None)

    @rule()
    def a_window_ends(self) -> None:
        self.model.end_of_window()
        self.health = persist(self.health)

    @rule(attempts=st.integers(1, 5), recoveries=st.integers(1, 4))
    def another_policy(self, attempts: int, recoveries: int) -> None:
        self.attempts, self.recoveries = attempts, recoveries

    @invariant()
    def both_agree(self) -> None:
        held = (self.health.confirmed, self.health.state, self.health.since, self.health.persisting)
        assert held == (self.model.word, self.model.state, self.model.since, self.model.persisting)

    @invariant()
    def what_is_confirmed_is_a_confirmed_word(self) -> None:
        assert self.health.confirmed not in (State.SUSPECT, State.RECOVERING)

    @invariant()
    def the_streak_is_short_and_told_consistently(self) -> None:
        health = self.health
        assert health.streak == len(health.doubts) <= 5
        assert health.hard <= health.streak
        assert (health.streak_since is None) == (health.streak == 0)

    @invariant()
    def a_streak_is_always_hurried(self) -> None:
        assert wants_retry(self.health) or self.health.streak == 0


TestAnyLine = AnyLine.TestCase
TestAnyLine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
