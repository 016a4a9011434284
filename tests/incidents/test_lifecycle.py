"""Which stage may follow which, and what evidence a change leaves."""

from __future__ import annotations

import pytest

from monitor.errors import RefusedError
from monitor.health.state import Health, Transition
from monitor.health.words import State
from monitor.incidents.evidence import evidence_of, held_evidence
from monitor.incidents.incident import Stage
from monitor.incidents.lifecycle import MOVES, may_move, require_move
from monitor.observation import Cause, Observation, Outcome
from tests.incidents.builders import health, key, minute

OPEN = (Stage.INVESTIGATING, Stage.IDENTIFIED, Stage.MONITORING)


def test_every_stage_has_its_moves():
    assert set(MOVES) == set(Stage)


def test_an_open_incident_may_go_to_any_open_stage_and_be_resolved():
    for before in OPEN:
        assert all(may_move(before, after) for after in (*OPEN, Stage.RESOLVED))
        assert not may_move(before, Stage.POSTMORTEM)


def test_a_resolved_incident_reopens_or_becomes_history():
    assert MOVES[Stage.RESOLVED] == {Stage.INVESTIGATING, Stage.POSTMORTEM}
    assert MOVES[Stage.POSTMORTEM] == frozenset()


def test_a_refused_move_names_what_is_allowed():
    require_move(Stage.RESOLVED, Stage.INVESTIGATING)
    with pytest.raises(
        RefusedError, match="resolved cannot become monitoring; allowed: investigating, postmortem"
    ):
        require_move(Stage.RESOLVED, Stage.MONITORING)
    with pytest.raises(RefusedError, match="it is history"):
        require_move(Stage.POSTMORTEM, Stage.INVESTIGATING)


def test_evidence_holds_the_whole_deciding_look():
    look = Observation(
        check=key("smtp"),
        started_at=minute(2),
        took_ms=3.5,
        outcome=Outcome.DOWN,
        cause=Cause.REFUSED,
        found="connection refused",
        address="192.0.2.10",
        phases={"connect": 3.5},
        excerpt="220 mail",
        reproduce="nc -vz 192.0.2.10 587",
        via=("https://gye1.example/login",),
    )
    change = Transition(
        check=key("smtp"),
        before=State.UP,
        after=State.DOWN,
        since=minute(1),
        observation=look,
        last_ok_at=minute(0),
    )
    told = evidence_of(change, "smtp")
    assert (told.failing_since, told.looked_at, told.last_ok_at) == (minute(1), minute(2), minute(0))
    assert (told.found, told.phases, told.reproduce) == (look.found, look.phases, look.reproduce)
    assert (told.excerpt, told.address, told.via) == (look.excerpt, look.address, look.via)


def test_what_is_held_of_a_failing_check_is_evidence_too():
    told = held_evidence(health("smtp", "down", minute(1)), "smtp", "nc -vz 192.0.2.10 587")
    assert (told.check, told.outcome, told.cause) == (key("smtp"), Outcome.DOWN, Cause.REFUSED)
    assert (told.failing_since, told.reproduce) == (minute(1), "nc -vz 192.0.2.10 587")


def test_of_a_check_nobody_has_seen_there_is_no_evidence():
    with pytest.raises(ValueError, match="nothing is confirmed of gye1/smtp"):
        held_evidence(Health(check=key("smtp")), "smtp")
