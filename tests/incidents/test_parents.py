"""What a server depends on: verdicts, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.rollup import ORDER, Judged, standing
from monitor.health.state import Health
from monitor.health.words import CheckImpact, Service, State, Status, Why
from monitor.identifiers import ServerId
from monitor.incidents.decision import QuietReason
from monitor.incidents.parents import LONGEST, Ancestor, Rhythm, Verdict, place, topmost, verdict
from monitor.observation import Outcome
from tests.incidents.builders import NOON, POLICY, health

SECOND = timedelta(seconds=1)
OUT = Judged(status=Status.MAJOR_OUTAGE, services={Service.WEB: Status.MAJOR_OUTAGE})
FINE = Judged(status=Status.OPERATIONAL, services={Service.WEB: Status.OPERATIONAL})
UNREACHABLE = Judged(status=Status.UNKNOWN, services={Service.WEB: Status.UNKNOWN}, because=Why.UNREACHABLE)


def ancestor(
    *healths: Health, impact: CheckImpact = CheckImpact.OUTAGE, timeout: timedelta | None = 10 * SECOND
) -> Ancestor:
    return Ancestor(
        server=ServerId("gye1"),
        standings=tuple(
            standing(one, impact=impact, service=Service.WEB, kind=one.check.check) for one in healths
        ),
        rhythms={one.check: Rhythm(policy=POLICY, timeout=timeout) for one in healths},
    )


def suspect(name: str, hard: int = 1) -> Health:
    return replace(
        health(name, "up"), state=State.SUSPECT, streak=1, hard=hard, outcome=Outcome.DOWN, looked_at=NOON
    )


def judged(parent: Ancestor, waited: timedelta = SECOND) -> Verdict:
    """Return the verdict for a failure that has been waiting since noon, at which every check was looked at."""
    return verdict(parent, since=NOON, moment=NOON + waited)


class TestVerdicts:
    def test_one_that_is_down_in_all_its_checks_is_out(self):
        assert judged(ancestor(health("http", "down"), health("smtp", "down"))) is Verdict.OUT

    def test_the_ping_and_one_more_are_enough(self):
        parent = ancestor(health("ping", "down"), health("smtp", "down"), health("http", "up"))
        assert judged(parent) is Verdict.OUT

    def test_one_that_is_down_in_part_is_not(self):
        assert judged(ancestor(health("http", "down"), health("smtp", "up"))) is Verdict.WELL

    def test_a_recovery_that_is_not_confirmed_changes_nothing(self):
        recovering = replace(health("http", "down"), state=State.RECOVERING)
        assert judged(ancestor(recovering)) is Verdict.OUT

    def test_a_suspicion_that_could_mean_an_outage_is_waited_for(self):
        assert judged(ancestor(suspect("http"), health("smtp", "down"))) is Verdict.AWAITED

    def test_a_suspicion_that_could_not_is_not(self):
        assert judged(ancestor(suspect("http"), health("smtp", "up"))) is Verdict.WELL

    def test_a_suspicion_of_slowness_is_not(self):
        assert judged(ancestor(suspect("http", hard=0))) is Verdict.WELL

    def test_what_has_to_be_confirmed_anew_after_a_window_is_waited_for(self):
        assert judged(ancestor(health("http", "down", persisting=True))) is Verdict.AWAITED

    def test_a_suspicion_is_waited_for_as_long_as_its_confirmation_takes(self):
        parent = ancestor(suspect("http"))
        assert judged(parent, waited=79 * SECOND) is Verdict.AWAITED
        assert judged(parent, waited=80 * SECOND) is Verdict.WELL

    def test_one_that_was_not_looked_at_since_is_waited_for_as_long_as_a_look_takes(self):
        seen = replace(health("http", "up"), looked_at=NOON - SECOND)
        assert judged(ancestor(seen), waited=14 * SECOND) is Verdict.AWAITED
        assert judged(ancestor(seen), waited=15 * SECOND) is Verdict.WELL
        slow = ancestor(seen, timeout=timedelta(minutes=5))
        assert judged(slow, waited=LONGEST - SECOND) is Verdict.AWAITED
        assert judged(slow, waited=LONGEST) is Verdict.WELL

    def test_nobody_can_look_at_one_that_only_reports(self):
        seen = replace(health("heartbeat", "up"), looked_at=NOON - SECOND)
        assert judged(ancestor(seen, timeout=None)) is Verdict.WELL

    def test_checks_that_mean_no_outage_say_nothing(self):
        assert judged(ancestor(health("http", "down"), impact=CheckImpact.DEGRADED)) is Verdict.WELL
        assert judged(ancestor()) is Verdict.WELL


class TestPlaces:
    def test_behind_one_that_is_out_nobody_can_tell(self):
        found = place(before=FINE, seen=OUT, fresh=True, quiet=False, verdicts=(Verdict.WELL, Verdict.OUT))
        assert (found.judged, found.held, found.anew) == (UNREACHABLE, QuietReason.PARENT_DOWN, False)

    @pytest.mark.parametrize("before", [FINE, UNREACHABLE])
    def test_while_one_is_awaited_nothing_looks_worse(self, before: Judged):
        found = place(before=before, seen=OUT, fresh=True, quiet=False, verdicts=(Verdict.AWAITED,))
        assert (found.judged, found.held) == (before, QuietReason.PARENT_AWAITED)

    def test_what_was_never_seen_is_unknown_while_one_is_awaited(self):
        found = place(before=None, seen=OUT, fresh=True, quiet=False, verdicts=(Verdict.AWAITED,))
        assert found.judged.status is Status.UNKNOWN

    def test_in_a_window_nobody_waits(self):
        found = place(before=FINE, seen=OUT, fresh=True, quiet=True, verdicts=(Verdict.AWAITED,))
        assert (found.judged, found.held) == (OUT, None)

    def test_once_all_are_back_it_is_confirmed_anew(self):
        found = place(before=UNREACHABLE, seen=OUT, fresh=True, quiet=False, verdicts=(Verdict.WELL,))
        assert (found.judged.because, found.anew) == (Why.RECHECKING, True)
        again = place(before=found.judged, seen=OUT, fresh=False, quiet=False, verdicts=(Verdict.WELL,))
        assert (again.judged, again.held, again.anew) == (found.judged, QuietReason.PARENT_AWAITED, False)
        sure = place(before=found.judged, seen=OUT, fresh=True, quiet=False, verdicts=(Verdict.WELL,))
        assert (sure.judged, sure.held) == (OUT, None)

    @given(
        before=st.sampled_from((None, FINE, OUT, UNREACHABLE)),
        seen=st.sampled_from((FINE, OUT)),
        fresh=st.booleans(),
        quiet=st.booleans(),
        verdicts=st.lists(st.sampled_from(list(Verdict)), max_size=3).map(tuple),
    )
    def test_nothing_is_ever_shown_worse_than_it_is_seen(
        self, before: Judged | None, seen: Judged, fresh: bool, quiet: bool, verdicts: tuple[Verdict, ...]
    ):
        found = place(before=before, seen=seen, fresh=fresh, quiet=quiet, verdicts=verdicts)
        worst = max((ORDER.index(seen.status), ORDER.index(Status.UNKNOWN)))
        assert ORDER.index(found.judged.status) <= worst
        if Verdict.OUT in verdicts:
            assert found.judged.because is Why.UNREACHABLE
        if found.held is None:
            assert found.judged == seen


def test_the_topmost_comes_first():
    above = {
        ServerId("switch"): (ServerId("router"),),
        ServerId("rack"): (ServerId("switch"), ServerId("router")),
    }
    out = (ServerId("rack"), ServerId("switch"), ServerId("router"))
    assert topmost(out, above) == ("router", "switch", "rack")
    assert topmost(out[:2], above) == ("switch", "rack")
