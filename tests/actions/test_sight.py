"""What we do not see: servers behind a blocked view, dead name servers, what is too old. Operators hear of each once, customers of none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.actions.summarise import summarise
from monitor.health.blindness import BLIND_AFTER
from monitor.health.view import AddressFamily, Fact, Insight
from monitor.health.words import Status, Why
from monitor.incidents.incident import Audience, Incident, Stage, Trouble
from monitor.journal.consequences import Channel
from monitor.status.snapshot import Snapshot
from monitor.store import journal, readings
from tests.actions.builders import GYE1, MINUTE, RETRY, UIO1, Lookout, key

IPV4, IPV6 = AddressFamily.IPV4, AddressFamily.IPV6
PATIENCE = 3 * MINUTE


def believes(lookout: Lookout, **facts: Fact) -> Insight:
    """Return an insight of `ipv4`, `ipv6`, `resolver` and `late`; what is not named is known to be well."""
    well = Fact(holds=False, since=lookout.clock.now())
    blocked = {AddressFamily(name): facts.get(name, well) for name in ("ipv4", "ipv6")}
    return Insight(blocked=blocked, resolver=facts.get("resolver", well), late=facts.get("late", well))


def holds(at: datetime, found: str = "why") -> Fact:
    return Fact(holds=True, since=at, found=found)


def shown(lookout: Lookout) -> Snapshot:
    with lookout.database.reading() as tx:
        return summarise(tx, lookout.clock.now(), number=1)


def because(lookout: Lookout) -> Why | None:
    with lookout.database.reading() as tx:
        return readings.standing(tx)[GYE1].judged.because


def about(lookout: Lookout, trouble: Trouble) -> list[Incident]:
    return [incident for incident in lookout.incidents() if incident.trouble is trouble]


def pass_by(lookout: Lookout, span: timedelta, *looks: str, every: timedelta = RETRY) -> None:
    """Let time pass as watch does: looks, and a round through the house that looks inward as well."""
    end = lookout.clock.now() + span
    while lookout.clock.now() < end:
        lookout.see(*looks) if looks else lookout.clock.step(every)
        lookout.bureau.look_inward()
        lookout.bureau.keep_house()


def test_a_server_behind_a_blocked_view_is_unknown_until_looks_tell_something_again(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http isolated", "gye1/smtp ok", times=5)
    assert (lookout.status(), because(lookout)) == (Status.UNKNOWN, Why.ISOLATED)
    assert lookout.status(UIO1) is Status.OPERATIONAL
    assert lookout.incidents() == []
    [view] = [server for server in shown(lookout).servers() if server.id == GYE1]
    assert (view.status, view.last_known, view.because) == (
        Status.UNKNOWN,
        Status.OPERATIONAL,
        Why.ISOLATED,
    )
    lookout.see("gye1/http ok")
    assert (lookout.status(), because(lookout)) == (Status.OPERATIONAL, None)


def test_a_fault_that_began_behind_a_blocked_view_is_confirmed_by_fresh_looks_and_told(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http isolated", times=20)
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    assert lookout.status() is Status.UNKNOWN or lookout.status() is Status.OPERATIONAL
    lookout.see("gye1/http down")
    assert lookout.told() == ["create"]
    assert lookout.incident().servers == (GYE1,)


def test_a_fault_that_was_known_before_stays_and_its_recovery_is_told(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http down", times=3)
    told = lookout.incident()
    lookout.see("gye1/http isolated", times=8)
    assert lookout.status() is Status.PARTIAL_OUTAGE
    assert lookout.incident().stage is told.stage
    lookout.see("gye1/http ok", times=2)
    assert lookout.incident().stage is Stage.MONITORING


def test_time_behind_a_blocked_view_is_no_data(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http isolated", times=8)
    lookout.see("gye1/http ok")
    with lookout.database.reading() as tx:
        spans = readings.status_spans(tx, lookout.clock.now() - 10 * MINUTE, lookout.clock.now())[GYE1]
    assert [span.status for span in spans] == [Status.OPERATIONAL, Status.UNKNOWN, Status.OPERATIONAL][
        : len(spans)
    ]
    assert spans[1].end - spans[1].start == 8 * RETRY


def test_a_blocked_view_is_noted_told_once_and_ends(lookout: Lookout):
    lookout.all_well()
    lookout.bureau.look_inward(believes(lookout))
    began = lookout.clock.step(MINUTE)
    blocked = believes(lookout, ipv4=holds(began, "192.0.2.1:53 (no answer)"), ipv6=holds(began))
    assert lookout.bureau.look_inward(blocked)
    assert not lookout.bureau.look_inward(blocked)
    incident = lookout.incident()
    assert (incident.trouble, incident.audience, incident.servers) == (
        Trouble.ISOLATED,
        Audience.OPERATORS,
        (),
    )
    assert (incident.started_at, incident.open) == (began, True)
    assert "192.0.2.1:53 (no answer)" in incident.updates[0].text["es"]
    assert lookout.told(channel=Channel.TICKET) == []
    assert shown(lookout).blocked_since == began
    ended = lookout.clock.step(MINUTE)
    over = Fact(holds=False, since=ended, before=began)
    assert lookout.bureau.look_inward(believes(lookout, ipv4=over, ipv6=over))
    assert (lookout.incident().stage, lookout.incident().ended_at) == (Stage.RESOLVED, ended)
    assert lookout.told(channel=Channel.OPERATORS) == ["opened", "resolved"]
    assert shown(lookout).blocked_since is None
    views = [kind for kind in lookout.kinds() if kind.startswith("view.")]
    assert views == ["view.blocked", "view.blocked", "view.cleared", "view.cleared"]


def test_a_second_family_joins_the_same_matter(lookout: Lookout):
    began = lookout.clock.now()
    lookout.bureau.look_inward(believes(lookout, ipv4=holds(began)))
    lookout.clock.step(MINUTE)
    lookout.bureau.look_inward(believes(lookout, ipv4=holds(began), ipv6=holds(lookout.clock.now())))
    assert len(lookout.incident().updates) == 2
    lookout.clock.step(MINUTE)
    lookout.bureau.look_inward(believes(lookout, ipv6=holds(began + MINUTE)))
    assert lookout.incident().open


def test_one_way_out_of_two_is_on_the_page_only_when_it_hides_a_server(lookout: Lookout):
    lookout.all_well()
    began = lookout.clock.now()
    lookout.bureau.look_inward(believes(lookout, ipv6=holds(began)))
    assert shown(lookout).blocked_since is None
    lookout.see("gye1/http isolated")
    assert shown(lookout).blocked_since == began


def test_a_blocked_view_is_remembered_over_a_restart_and_taken_back_only_by_knowledge(lookout: Lookout):
    lookout.all_well()
    began = lookout.clock.now()
    blocked = believes(lookout, ipv4=holds(began), ipv6=holds(began))
    lookout.bureau.look_inward(blocked)
    lookout.see("gye1/http isolated")
    again = lookout.restart()
    again.bureau.look_inward(Insight(blocked={IPV4: Fact(), IPV6: Fact()}))
    again.bureau.keep_house()
    assert again.incident().open
    assert again.status() is Status.UNKNOWN
    again.bureau.look_inward(blocked)
    assert len(again.incidents()) == 1
    again.bureau.look_inward(believes(again))
    assert not again.incident().open
    again.database.close()


def test_sentinels_that_were_taken_away_leave_no_blocked_view(lookout: Lookout):
    lookout.bureau.look_inward(believes(lookout, ipv4=holds(lookout.clock.now())))
    lookout.clock.step(MINUTE)
    lookout.bureau.look_inward(Insight(resolver=Fact(holds=False)))
    assert not lookout.incident().open
    with lookout.database.reading() as tx:
        assert readings.blocked_views(tx) == ()


def test_dead_name_servers_are_one_matter_whatever_they_blind(lookout: Lookout):
    lookout.all_well()
    began = lookout.clock.now()
    lookout.bureau.look_inward(believes(lookout, resolver=holds(began, "no name server answered")))
    lookout.see("gye1/http nameless", "gye1/smtp nameless", times=BLIND_AFTER + 2)
    assert lookout.incident().trouble is Trouble.RESOLVER
    assert lookout.told(channel=Channel.OPERATORS) == ["opened"]
    lookout.bureau.look_inward(believes(lookout))
    assert lookout.incident().stage is Stage.RESOLVED
    lookout.see("gye1/http ok", "gye1/smtp ok")
    assert lookout.told(channel=Channel.OPERATORS) == ["opened", "resolved"]


def test_a_name_that_alone_cannot_be_looked_up_is_told_as_a_blind_check(lookout: Lookout):
    lookout.bureau.look_inward(believes(lookout))
    lookout.see("gye1/http nameless", times=BLIND_AFTER + 1)
    assert lookout.incident().trouble is Trouble.BLIND


def test_a_loop_that_stands_still_is_a_matter_of_operators(lookout: Lookout):
    lookout.bureau.look_inward(believes(lookout, late=holds(lookout.clock.now(), "3 times")))
    assert lookout.incident().trouble is Trouble.LATE
    lookout.bureau.look_inward(believes(lookout))
    assert not lookout.incident().open


def test_a_server_of_which_we_know_nothing_new_is_unknown_and_operators_hear_of_it_later(lookout: Lookout):
    lookout.all_well()
    others = [f"{check.key} ok" for check in lookout.fleet.checks() if check.key != key("gye1/http")]
    pass_by(lookout, PATIENCE, *others)
    assert lookout.status() is Status.OPERATIONAL
    pass_by(lookout, MINUTE, *others)
    assert (lookout.status(), because(lookout)) == (Status.UNKNOWN, Why.STALE)
    assert lookout.status(UIO1) is Status.OPERATIONAL
    assert lookout.incidents() == []
    pass_by(lookout, PATIENCE, *others)
    incident = lookout.incident()
    assert (incident.trouble, incident.checks) == (Trouble.STALE, (key("gye1/http"),))
    lookout.see("gye1/http ok")
    assert (lookout.status(), because(lookout)) == (Status.OPERATIONAL, None)
    assert lookout.incident().stage is Stage.RESOLVED


def test_a_fault_that_is_seen_outweighs_what_is_not(lookout: Lookout):
    lookout.all_well()
    others = [f"{check.key} ok" for check in lookout.fleet.checks() if check.key != key("gye1/http")]
    pass_by(lookout, PATIENCE + MINUTE, *others)
    lookout.see("gye1/smtp down", times=3)
    assert (lookout.status(), because(lookout)) == (Status.PARTIAL_OUTAGE, None)


def test_checks_that_are_blind_grow_stale_and_are_told_once(lookout: Lookout):
    lookout.all_well()
    others = [f"{check.key} ok" for check in lookout.fleet.checks() if check.key != key("gye1/http")]
    pass_by(lookout, 3 * PATIENCE, "gye1/http unknown", *others)
    assert because(lookout) is Why.STALE
    assert [incident.trouble for incident in lookout.incidents()] == [Trouble.BLIND]


@pytest.mark.parametrize("away", [timedelta(minutes=2), timedelta(minutes=50), timedelta(days=2)])
def test_after_an_absence_of_ours_a_fresh_round_of_looks_comes_first(lookout: Lookout, away: timedelta):
    lookout.all_well()
    lookout.bureau.look_inward()
    lookout.clock.step(away)
    pass_by(lookout, 2 * MINUTE)
    assert lookout.status() is Status.OPERATIONAL
    again = lookout.restart()
    again.clock.step(RETRY)
    again.bureau.look_inward()
    assert again.status() is Status.OPERATIONAL
    again.database.close()


def test_what_was_stale_is_so_after_a_restart_and_until_a_look(lookout: Lookout):
    lookout.all_well()
    pass_by(lookout, PATIENCE + MINUTE)
    assert because(lookout) is Why.STALE
    again = lookout.restart()
    again.bureau.look_inward()
    assert again.status() is Status.UNKNOWN
    again.all_well()
    assert again.status() is Status.OPERATIONAL
    again.database.close()


def test_a_changed_rhythm_is_judged_at_once(lookout: Lookout):
    lookout.all_well()
    pass_by(lookout, PATIENCE + MINUTE)
    slower = replace(
        lookout.fleet,
        servers=tuple(
            replace(server, checks=tuple(replace(check, every=60 * MINUTE) for check in server.checks))
            for server in lookout.fleet.servers
        ),
    )
    lookout.bureau.apply(slower)
    lookout.bureau.look_inward()
    assert lookout.status() is Status.OPERATIONAL


def test_all_of_it_is_a_view_of_the_journal(lookout: Lookout):
    lookout.all_well()
    began = lookout.clock.now()
    lookout.bureau.look_inward(believes(lookout, ipv4=holds(began), ipv6=holds(began)))
    lookout.see("gye1/http isolated")
    before = lookout.incidents(), shown(lookout).blocked_since, lookout.status()
    journal.rebuild(lookout.database)
    assert (lookout.incidents(), shown(lookout).blocked_since, lookout.status()) == before
