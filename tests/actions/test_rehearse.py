"""What other settings would have told of the past, judged from the looks that are stored."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.actions import maintain
from monitor.actions.rehearse import rehearse
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet, Server
from monitor.health.state import Attempts, Policy
from monitor.health.uptime import Span
from monitor.health.words import CheckImpact
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Impact, Incident
from monitor.rehearsal.comparing import Rehearsal, What
from monitor.store import observations
from monitor.store.database import Database
from tests.actions.builders import GYE1, MINUTE, RETRY, UIO1, Lookout, fleet, gye1, key, recurring, uio1
from tests.conftest import SteppingClock


def told(lookout: Lookout, proposed: Fleet, server: ServerId | None = None) -> Rehearsal:
    """Rehearse the last three days."""
    now = lookout.clock.now()
    return rehearse(lookout.database, proposed, Span(now - timedelta(days=3), now + MINUTE), server)


def each(server: Server, **changes: object) -> Server:
    """Return the server with all its checks changed."""
    return replace(server, checks=tuple(replace(plan, **changes) for plan in server.checks))


def with_attempts(confirm: int, recover: int = 2) -> Fleet:
    """Return the fleet with other attempts for all checks."""
    policy = Policy(
        confirm=Attempts(attempts=confirm, retry=RETRY), recover=Attempts(attempts=recover, retry=RETRY)
    )
    return fleet(*(each(server, policy=policy) for server in (gye1(), uio1())))


def facts(incident: Incident) -> tuple[object, ...]:
    """Return what was told. A rehearsal decides when a look ends, which is a trifle after it began."""
    return (
        incident.servers,
        incident.audience,
        incident.started_at,
        incident.ended_at and incident.ended_at.replace(microsecond=0),
        incident.impact,
        frozenset(incident.checks),
    )


def fault(lookout: Lookout, looks: int, check: str = "gye1/http") -> None:
    """Let a check fail so often in the midst of healthy looks."""
    lookout.see(f"{check} ok", times=5)
    lookout.see(f"{check} down", times=looks)
    lookout.see(f"{check} ok", times=5)


@pytest.mark.parametrize("seed", range(4))
def test_the_settings_in_force_tell_what_was_told(lookout: Lookout, seed):
    """Whatever happened: the past judged anew by the same settings is the past."""
    chance = random.Random(seed)
    checks = [str(plan.key) for plan in lookout.fleet.checks()]
    words = dict.fromkeys(checks, "ok")
    for _ in range(200):
        for check in checks:
            if chance.random() < 0.12:
                words[check] = chance.choice(["ok", "ok", "down", "slow", "ending", "unknown"])
        lookout.see(*(f"{check} {word}" for check, word in words.items()))
        lookout.bureau.keep_house()
        if not chance.randrange(40):
            lookout.wait(timedelta(minutes=chance.randrange(40)), every=RETRY)
    rehearsal = told(lookout, lookout.fleet)
    about_servers = [one for one in lookout.incidents() if one.servers]
    assert [facts(alarm.incident) for alarm in by_opening(rehearsal)] == sorted(
        map(facts, about_servers), key=str
    )
    assert rehearsal.in_force == rehearsal.proposed
    assert rehearsal.differences == ()
    assert (rehearsal.servers, rehearsal.checks, rehearsal.looks) == (2, len(checks), 200 * len(checks))


def by_opening(rehearsal: Rehearsal) -> list:
    return sorted(rehearsal.in_force.alarms, key=lambda alarm: str(facts(alarm.incident)))


def test_more_attempts_spare_a_short_fault(lookout: Lookout):
    fault(lookout, 3)
    (difference,) = told(lookout, with_attempts(4)).differences
    assert (difference.what, difference.proposed) == (What.AVOIDED, ())
    (alarm,) = difference.in_force
    live = lookout.incident()
    assert (alarm.incident.checks, alarm.worst) == (live.checks, live.impact)
    assert (alarm.incident.started_at, alarm.incident.ended_at) == (live.started_at, live.ended_at)


def test_fewer_attempts_raise_what_nobody_was_told_and_are_sure_sooner(lookout: Lookout):
    fault(lookout, 2)
    lookout.wait(timedelta(hours=1))
    fault(lookout, 8)
    rehearsal = told(lookout, with_attempts(2))
    raised, sooner = rehearsal.differences
    assert (raised.what, raised.in_force) == (What.RAISED, ())
    assert sooner.what is What.CHANGED
    assert sooner.in_force[0].incident.opened_at - sooner.proposed[0].incident.opened_at == RETRY
    took = timedelta(milliseconds=12.5)
    assert (rehearsal.in_force.median_delay, rehearsal.proposed.worst_delay) == (
        2 * RETRY + took,
        RETRY + took,
    )


def test_another_impact_makes_an_incident_a_matter_for_operators(lookout: Lookout):
    fault(lookout, 5)
    rehearsal = told(lookout, fleet(each(gye1(), impact=CheckImpact.NONE), uio1()))
    assert [(len(one.incidents), len(one.warnings)) for one in (rehearsal.in_force, rehearsal.proposed)] == [
        (1, 0),
        (0, 1),
    ]
    assert {(one.what, one.first.incident.audience) for one in rehearsal.differences} == {
        (What.AVOIDED, Audience.PUBLIC),
        (What.RAISED, Audience.OPERATORS),
    }


def test_a_longer_watch_makes_two_faults_one(lookout: Lookout):
    fault(lookout, 3)
    lookout.wait(timedelta(hours=1))
    fault(lookout, 3)
    patient = fleet(replace(gye1(), resolve_after=timedelta(hours=2)), uio1())
    (difference,) = told(lookout, patient).differences
    assert (len(difference.in_force), len(difference.proposed)) == (2, 1)
    again = fleet(replace(gye1(), reopen_within=timedelta(hours=2)), uio1())
    (difference,) = told(lookout, again).differences
    assert (len(difference.in_force), [alarm.reopened for alarm in difference.proposed]) == (2, [1])


def test_a_window_of_the_file_would_have_kept_quiet(lookout: Lookout):
    # A Sunday, in the zone of Guayaquil.
    rule = recurring(rule="every sunday 10:01", lasts=timedelta(hours=1))
    lookout.clock.step(2 * MINUTE)
    fault(lookout, 6)
    (difference,) = told(lookout, fleet(windows=(rule,))).differences
    assert difference.what is What.AVOIDED
    persisting = recurring(rule="every sunday 10:01", lasts=timedelta(minutes=3))
    (difference,) = told(lookout, fleet(windows=(persisting,))).differences
    assert difference.what is What.CHANGED
    assert difference.proposed[0].incident.started_at > difference.in_force[0].incident.started_at


def test_a_window_that_a_person_planned_counts_on_both_sides(lookout: Lookout):
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now + RETRY,
            ends_at=now + timedelta(hours=1),
            title={"es": "Discos", "en": "Disks"},
            actor="ana",
            moment=now,
        )
    fault(lookout, 6)
    rehearsal = told(lookout, with_attempts(2))
    assert (rehearsal.in_force.alarms, rehearsal.proposed.alarms) == ((), ())


def test_checks_of_one_side_alone_are_named_and_not_judged(lookout: Lookout):
    fault(lookout, 5)
    fault(lookout, 5, "gye1/smtp")
    without = replace(gye1(), checks=tuple(plan for plan in gye1().checks if plan.key != key("gye1/http")))
    new = replace(uio1().checks[0], key=key("uio1/imap"), kind="imap")
    rehearsal = told(lookout, fleet(without, replace(uio1(), checks=(*uio1().checks, new))))
    assert rehearsal.unlike.only_in_force == (key("gye1/http"),)
    assert rehearsal.unlike.only_proposed == (key("uio1/imap"),)
    assert {check for alarm in rehearsal.in_force.alarms for check in alarm.incident.checks} == {
        key("gye1/smtp")
    }
    assert rehearsal.differences == ()


def test_what_would_have_been_looked_at_otherwise_is_named(lookout: Lookout):
    other = each(gye1(), every=timedelta(minutes=5), options={"port": 8080})
    rehearsal = told(lookout, fleet(other, uio1()))
    assert rehearsal.unlike.looks == {plan.key: ("every", "port") for plan in gye1().checks}


def test_one_server_alone_is_judged_when_it_is_named(lookout: Lookout):
    fault(lookout, 3)
    fault(lookout, 3, "uio1/http")
    rehearsal = told(lookout, with_attempts(4), UIO1)
    assert (rehearsal.servers, rehearsal.checks) == (1, 2)
    assert [one.first.incident.servers for one in rehearsal.differences] == [(UIO1,)]
    with pytest.raises(NotFoundError, match="'nowhere'"):
        told(lookout, with_attempts(4), ServerId("nowhere"))


def test_looks_that_are_settled_and_those_that_are_not_are_one_past(lookout: Lookout):
    fault(lookout, 4)
    lookout.wait(timedelta(hours=2))
    with lookout.database.writing() as tx:
        assert observations.settle(tx, lookout.clock.now())
    fault(lookout, 4)
    before = lookout.kinds()
    rehearsal = told(lookout, lookout.fleet)
    assert [facts(alarm.incident) for alarm in rehearsal.in_force.alarms] == list(
        map(facts, lookout.incidents())
    )
    assert rehearsal.looks == 28
    assert lookout.kinds() == before


def test_flapping_is_told_with_its_time(lookout: Lookout):
    lookout.see("gye1/http ok", times=3)
    for _ in range(12):
        lookout.see("gye1/http down")
        lookout.see("gye1/http ok")
    lookout.see("gye1/http ok", times=30)
    rehearsal = told(lookout, lookout.fleet)
    (phase,) = rehearsal.in_force.flapping
    assert phase.check == key("gye1/http")
    assert phase.ended_at is not None
    assert timedelta(minutes=5) < phase.ended_at - phase.started_at < timedelta(minutes=10)


def test_without_a_fleet_there_is_nothing_to_rehearse(tmp_path, clock: SteppingClock):
    database = Database.open(tmp_path / "vigia.db", owner=True)
    try:
        with pytest.raises(RefusedError, match="nothing is watched yet"):
            rehearse(database, fleet(), Span(clock.now() - MINUTE, clock.now()))
    finally:
        database.close()


def test_the_worst_of_an_incident_is_kept(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http down", "gye1/smtp down", "gye1/tls down", times=3)
    lookout.all_well()
    (alarm,) = told(lookout, lookout.fleet, GYE1).in_force.alarms
    assert alarm.worst is Impact.CRITICAL
