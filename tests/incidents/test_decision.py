"""What is told of a server, situation by situation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.health.rollup import Judged
from monitor.health.words import Status
from monitor.incidents.decision import (
    Decision,
    Ease,
    Join,
    Nothing,
    Open,
    Quiet,
    QuietReason,
    Recover,
    Relapse,
    Reopen,
    Settle,
    Tell,
    Warned,
    Worsen,
    decide,
    decide_warning,
    due,
    impact_of,
    joined,
)
from monitor.incidents.evidence import held_evidence
from monitor.incidents.incident import Impact, Incident, Stage
from tests.incidents.builders import (
    NOON,
    SERVER,
    health,
    incident,
    key,
    minute,
    resolved,
    situation,
    window,
)

IN_MAINTENANCE = Quiet(reason=QuietReason.MAINTENANCE)
FINE = Judged(status=Status.OPERATIONAL, services={})


@pytest.mark.parametrize(
    ("failing", "impact"),
    [
        (["down", "down", "down"], Impact.CRITICAL),
        (["down", "down", "up"], Impact.CRITICAL),
        (["up", "down", "down"], Impact.MAJOR),
        (["up", "down", "up"], Impact.MAJOR),
        (["slow", "down", "up"], Impact.MAJOR),
        (["slow", "up", "up"], Impact.MINOR),
    ],
)
def test_a_confirmed_failure_opens_an_incident_as_grave_as_the_server_is_hit(
    failing: list[str], impact: Impact
):
    """The checks are ping, smtp and http: the ping and one more condemn the server."""
    decision = decide(situation(*map(health, ("ping", "smtp", "http"), failing)))
    assert isinstance(decision, Open)
    assert decision.impact is impact


def test_an_incident_starts_with_the_first_failing_look_and_names_every_failing_check():
    decision = decide(
        situation(health("smtp", "down", minute(2)), health("http", "slow", minute(1)), moment=minute(5))
    )
    assert isinstance(decision, Open)
    assert (decision.started_at, decision.persists) == (minute(1), False)
    assert decision.checks == (key("smtp"), key("http"))
    assert [one.check for one in decision.evidence] == [key("smtp"), key("http")]


def test_where_nothing_fails_nothing_is_told():
    assert decide(situation()) == Nothing()


class TestWhileOneIsOpen:
    def test_a_further_check_joins_it(self):
        decision = decide(situation(health("smtp", "down"), health("http", "slow"), open=incident()))
        assert isinstance(decision, Join)
        assert (decision.checks, decision.impact) == ((key("http"),), Impact.MAJOR)
        assert [one.check for one in decision.evidence] == [key("http")]

    def test_a_check_that_joins_may_worsen_it_in_the_same_breath(self):
        decision = decide(situation(health("smtp", "down"), health("ping", "down"), open=incident()))
        assert isinstance(decision, Join)
        assert decision.impact is Impact.CRITICAL

    def test_the_same_check_may_worsen_it(self):
        decision = decide(situation(health("smtp", "down"), open=incident(impact=Impact.MINOR)))
        assert isinstance(decision, Worsen)
        assert (decision.impact, decision.evidence[0].check) == (Impact.MAJOR, key("smtp"))

    def test_it_eases_when_less_fails(self):
        assert decide(situation(health("smtp", "slow"), open=incident())) == Ease(impact=Impact.MINOR)

    def test_the_same_again_is_no_news(self):
        assert decide(situation(health("smtp", "down"), open=incident())) == Nothing()

    def test_a_check_that_left_and_comes_back_does_not_join_twice(self):
        both = incident(checks=(key("smtp"), key("http")))
        assert decide(situation(health("http", "down"), open=both)) == Nothing()

    @pytest.mark.parametrize("stage", [Stage.INVESTIGATING, Stage.IDENTIFIED])
    def test_it_is_watched_once_nothing_fails(self, stage: Stage):
        told = decide(situation(open=incident(stage), recovered_at=minute(9), moment=minute(10)))
        assert told == Recover(ended_at=minute(9))

    def test_a_recovery_is_never_guessed_from_silence(self):
        blind = situation(*(health(name, "unknown") for name in ("ping", "smtp", "http")), open=incident())
        assert decide(blind) == Nothing()

    def test_it_ends_no_earlier_than_it_started(self):
        """The check that failed is no longer watched, and another one recovered long ago."""
        late = incident(started_at=minute(5))
        told = decide(situation(open=late, recovered_at=minute(1), moment=minute(9)))
        assert told == Recover(ended_at=minute(5))

    def test_watching_goes_on_while_all_is_well(self):
        assert decide(situation(open=incident(Stage.MONITORING))) == Nothing()

    def test_a_failure_while_watching_is_a_relapse(self):
        decision = decide(situation(health("http", "down"), open=incident(Stage.MONITORING)))
        assert isinstance(decision, Relapse)
        assert (decision.checks, decision.impact) == ((key("http"),), Impact.MAJOR)


class TestResolution:
    def test_it_is_due_after_all_was_well_for_long_enough(self):
        watched = incident(Stage.MONITORING, monitoring_since=NOON)
        assert not due(watched, SERVER, minute(5) - timedelta(milliseconds=1), FINE)
        assert due(watched, SERVER, minute(5), FINE)

    @pytest.mark.parametrize("status", [Status.UNKNOWN, Status.DEGRADED_PERFORMANCE, Status.MAJOR_OUTAGE])
    def test_it_waits_while_all_is_not_known_to_be_well(self, status: Status):
        watched = incident(Stage.MONITORING, monitoring_since=NOON)
        assert not due(watched, SERVER, minute(60), Judged(status=status, services={}))

    def test_only_what_is_being_watched_becomes_due(self):
        assert not due(incident(), SERVER, minute(60), FINE)


class TestReopening:
    OVER = resolved(incident(Stage.MONITORING), minute(10))

    def _again(self, recent: Incident, since: float) -> Decision:
        return decide(
            situation(health("http", "down", minute(since)), recent=recent, moment=minute(since + 1))
        )

    def test_the_same_server_failing_soon_again_reopens_its_incident(self):
        decision = self._again(self.OVER, 40)
        assert isinstance(decision, Reopen)
        assert (decision.incident, decision.checks) == (self.OVER, (key("http"),))

    def test_after_a_while_it_is_another_incident(self):
        assert isinstance(self._again(self.OVER, 40.1), Open)

    def test_what_an_operator_resolved_does_not_reopen_by_itself(self):
        assert isinstance(self._again(resolved(incident(), minute(10), author="ana"), 12), Open)

    def test_what_has_a_postmortem_is_history(self):
        assert isinstance(self._again(replace(self.OVER, stage=Stage.POSTMORTEM), 12), Open)


class TestMaintenance:
    def test_a_failure_inside_a_window_opens_nothing(self):
        assert decide(situation(health("smtp", "down"), window=window())) == IN_MAINTENANCE

    def test_a_failure_after_a_window_waits_until_it_is_confirmed_anew(self):
        persisting = health("smtp", "down", minute(-5), persisting=True)
        assert decide(situation(persisting, quiet_until=NOON)) == IN_MAINTENANCE

    def test_confirmed_anew_it_starts_with_the_windows_end(self):
        decision = decide(situation(health("smtp", "down", minute(-5)), quiet_until=NOON, moment=minute(1)))
        assert isinstance(decision, Open)
        assert (decision.started_at, decision.persists) == (NOON, True)

    def test_a_failure_that_began_after_the_window_is_an_ordinary_one(self):
        decision = decide(situation(health("smtp", "down", minute(1)), quiet_until=NOON, moment=minute(2)))
        assert isinstance(decision, Open)
        assert (decision.started_at, decision.persists) == (minute(1), False)

    def test_one_check_confirmed_anew_speaks_for_itself_alone(self):
        decision = decide(
            situation(
                health("smtp", "down", minute(-5)),
                health("http", "down", minute(-5), persisting=True),
                quiet_until=NOON,
            )
        )
        assert isinstance(decision, Open)
        assert decision.checks == (key("smtp"),)

    @pytest.mark.parametrize(
        "failing", [health("smtp", "slow"), health("http", "down"), health("ping", "down")]
    )
    def test_updates_of_an_open_incident_pause(self, failing):
        assert decide(situation(failing, open=incident(), window=window())) == IN_MAINTENANCE
        assert decide(situation(failing, open=incident(Stage.MONITORING), window=window())) == IN_MAINTENANCE

    def test_a_recovery_is_always_told(self):
        told = decide(situation(open=incident(), window=window(), recovered_at=minute(3)))
        assert told == Recover(ended_at=minute(3))

    def test_an_open_incident_does_not_recover_because_its_check_waits_for_confirmation(self):
        persisting = health("smtp", "down", minute(-5), persisting=True)
        assert decide(situation(persisting, open=incident(), quiet_until=NOON)) == IN_MAINTENANCE


class TestStaffMatters:
    EVIDENCE = held_evidence(health("http", "slow", minute(1)), "http")

    def _warned(self, **more) -> Warned:
        return replace(Warned(evidence=self.EVIDENCE, open=None, window=None, moment=minute(2)), **more)

    def test_a_confirmed_warning_is_told_to_operators_once(self):
        assert decide_warning(self._warned()) == Tell(
            check=key("http"), evidence=self.EVIDENCE, started_at=minute(1)
        )
        assert decide_warning(self._warned(open=incident())) == Nothing()

    def test_it_is_settled_by_its_recovery(self):
        over = self._warned(evidence=None, open=incident(), recovered_at=minute(1.5))
        assert decide_warning(over) == Settle(ended_at=minute(1.5))
        assert decide_warning(replace(over, recovered_at=None)) == Settle(ended_at=minute(2))
        assert decide_warning(replace(over, open=None)) == Nothing()

    def test_in_a_window_and_until_it_is_confirmed_after_one_it_waits(self):
        assert decide_warning(self._warned(window=window())) == IN_MAINTENANCE
        assert decide_warning(self._warned(persisting=True)) == IN_MAINTENANCE


def test_every_status_has_an_impact():
    assert {status: impact_of(status) for status in Status} == {
        Status.OPERATIONAL: Impact.NONE,
        Status.DEGRADED_PERFORMANCE: Impact.MINOR,
        Status.PARTIAL_OUTAGE: Impact.MAJOR,
        Status.MAJOR_OUTAGE: Impact.CRITICAL,
        Status.UNDER_MAINTENANCE: Impact.NONE,
        Status.UNKNOWN: Impact.NONE,
    }


def test_checks_join_once_and_keep_their_order():
    assert joined(incident(), [key("http"), key("smtp"), key("http")]) == (key("smtp"), key("http"))
