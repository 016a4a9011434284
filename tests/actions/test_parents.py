"""Servers behind others: what is out above them is the cause, and they are none of their own (rule D7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.actions import maintain
from monitor.fleet import Fleet, Server
from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Impact, Incident, Stage
from monitor.journal.entries import IncidentUpdated, Reason
from monitor.store import journal, readings
from monitor.store.database import Database
from tests.actions.builders import MINUTE, RESOLVE_AFTER, RETRY, Lookout, fleet, key, plan, server
from tests.conftest import SteppingClock

ROUTER, WEB1, WEB2, SHOP, LONER = map(ServerId, ("router", "web1", "web2", "shop", "loner"))
SECOND = timedelta(seconds=1)


def watched() -> Fleet:
    """Return two web servers behind a router, a shop behind the first of them, and one that stands alone."""
    return fleet(
        server(ROUTER, plan("router/ping", Service.NETWORK), plan("router/tcp", Service.NETWORK)),
        behind(server(WEB1, plan("web1/http", Service.WEB), plan("web1/smtp", Service.MAIL)), ROUTER),
        behind(server(WEB2, plan("web2/http", Service.WEB)), ROUTER),
        behind(server(SHOP, plan("shop/http", Service.WEB)), WEB1),
        server(LONER, plan("loner/http", Service.WEB)),
    )


def behind(child: Server, *parents: ServerId) -> Server:
    return replace(child, depends_on=parents)


ROUTER_DOWN = ("router/ping down", "router/tcp down")
ROUTER_WELL = ("router/ping ok", "router/tcp ok")
WEB1_DOWN = ("web1/http down", "web1/smtp down")


@pytest.fixture
def house(tmp_path: Path, clock: SteppingClock) -> Iterator[Lookout]:
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock, watched())
    made.all_well()
    yield made
    made.database.close()


def tick(house: Lookout) -> None:
    """Let a second pass and keep house, as watch does."""
    house.clock.step(SECOND)
    house.bureau.keep_house()


def see(house: Lookout, *looks: str, times: int = 1) -> None:
    for _ in range(times):
        house.see(*looks)
        house.bureau.keep_house()


def public(house: Lookout) -> list[Incident]:
    return [one for one in house.incidents() if one.audience is Audience.PUBLIC]


def because(house: Lookout, of: ServerId) -> Why | None:
    with house.database.reading() as tx:
        return readings.standing(tx)[of].judged.because


def out(house: Lookout) -> Incident:
    """Let the router fail, and all behind it, and return its incident."""
    see(house, *ROUTER_DOWN, times=3)
    see(house, *WEB1_DOWN, "web2/http down", "shop/http down", times=3)
    (incident,) = public(house)
    return incident


class TestWhileTheParentIsOut:
    def test_those_behind_it_are_listed_in_its_incident_and_have_none(self, house: Lookout):
        incident = out(house)
        assert incident.servers == (ROUTER,)
        assert set(incident.unreachable) == {WEB1, WEB2, SHOP}
        assert house.told() == ["create", "comment"]
        for child in (WEB1, WEB2, SHOP):
            assert (house.status(child), because(house, child)) == (Status.UNKNOWN, Why.UNREACHABLE)

    def test_one_update_names_those_of_one_batch(self, house: Lookout):
        incident = out(house)
        behind = [
            entry.body
            for entry in house.entries()
            if isinstance(entry.body, IncidentUpdated) and entry.body.reason is Reason.BEHIND
        ]
        assert len(behind) == 1
        assert "web1.nodored.com, web2.nodored.com y shop.nodored.com" in incident.updates[-1].text["es"]

    def test_later_ones_are_named_at_growing_distances(self, house: Lookout):
        see(house, *ROUTER_DOWN, times=3)
        see(house, *WEB1_DOWN, times=3)
        assert public(house)[0].unreachable == (WEB1,)
        see(house, "web2/http down", times=3)
        see(house, "shop/http down", times=3)
        assert house.status(WEB2) is house.status(SHOP) is Status.UNKNOWN
        house.wait(MINUTE, every=SECOND)
        incident = public(house)[0]
        assert incident.unreachable == (WEB1, WEB2, SHOP)
        told = [update.at for update in incident.updates][1:]
        assert all(
            after - before >= min(MINUTE, (after - incident.opened_at) / 2)
            for before, after in pairwise(told)
        )

    def test_it_is_unknown_from_its_first_failing_look(self, house: Lookout):
        see(house, *ROUTER_DOWN, times=3)
        first = house.clock.now() + RETRY
        see(house, "web2/http down", times=3)
        assert house.since(WEB2) == first

    def test_a_server_elsewhere_has_an_incident_of_its_own(self, house: Lookout):
        out(house)
        see(house, "loner/http down", times=3)
        assert [one.servers for one in public(house)] == [(ROUTER,), (LONER,)]

    def test_a_recovery_is_told_as_ever(self, house: Lookout):
        out(house)
        see(house, "web2/http ok", times=2)
        assert (house.status(WEB2), because(house, WEB2)) == (Status.OPERATIONAL, None)
        assert len(public(house)) == 1

    def test_a_server_that_had_an_incident_before_keeps_it(self, house: Lookout):
        see(house, "web2/http down", times=3)
        tick(house)
        see(house, *ROUTER_WELL)
        tick(house)
        (own,) = public(house)
        see(house, *ROUTER_DOWN, times=3)
        assert house.status(WEB2) is Status.MAJOR_OUTAGE
        own, router = public(house)
        assert (own.servers, own.open) == ((WEB2,), True)
        assert router.unreachable == ()

    def test_a_chain_is_listed_with_the_topmost_that_is_out(self, house: Lookout):
        incident = out(house)
        assert SHOP in incident.unreachable
        assert public(house) == [incident]

    def test_a_parent_that_is_hit_in_part_excuses_nobody(self, house: Lookout):
        see(house, "router/tcp down", times=3)
        see(house, "web2/http down", times=3)
        see(house, "router/ping ok")
        tick(house)
        assert [one.servers for one in public(house)] == [(ROUTER,), (WEB2,)]

    def test_any_of_several_parents_is_enough(self, tmp_path: Path, clock: SteppingClock):
        two = fleet(
            server(ROUTER, plan("router/ping", Service.NETWORK)),
            server(LONER, plan("loner/http", Service.WEB)),
            behind(server(WEB1, plan("web1/http", Service.WEB)), ROUTER, LONER),
        )
        house = Lookout(Database.open(tmp_path / "two.db", owner=True), clock, two)
        house.all_well()
        see(house, "loner/http down", times=3)
        see(house, "web1/http down", times=3)
        (incident,) = public(house)
        assert (incident.servers, incident.unreachable) == ((LONER,), (WEB1,))
        house.database.close()


class TestWhileItIsNotKnown:
    def test_the_parents_are_looked_at_at_once(self, house: Lookout):
        house.see("shop/http down", times=2)
        recorded = house.see("shop/http down")
        assert set(recorded.look_at) == {
            key(name) for name in ("web1/http", "web1/smtp", "router/ping", "router/tcp")
        }

    def test_nothing_is_told_and_shown_until_they_were(self, house: Lookout):
        house.see("web2/http down", times=3)
        tick(house)
        assert public(house) == []
        assert house.status(WEB2) is Status.OPERATIONAL
        house.see(*ROUTER_WELL)
        tick(house)
        (incident,) = public(house)
        assert incident.servers == (WEB2,)
        assert house.status(WEB2) is Status.MAJOR_OUTAGE
        assert house.since(WEB2) == incident.started_at

    def test_a_parent_that_nobody_can_look_at_is_not_waited_for_without_end(self, house: Lookout):
        house.see("web2/http down", times=3)
        house.wait(timedelta(seconds=14), every=SECOND)
        assert public(house) == []
        house.wait(timedelta(seconds=2), every=SECOND)
        assert public(house)[0].servers == (WEB2,)

    def test_a_parent_that_begins_to_fail_is_waited_for(self, house: Lookout):
        house.see("web2/http down", times=3)
        house.see(*ROUTER_DOWN, times=2)
        house.wait(timedelta(seconds=20), every=SECOND)
        assert public(house) == []
        house.see(*ROUTER_DOWN)
        tick(house)
        (incident,) = public(house)
        assert (incident.servers, incident.unreachable) == ((ROUTER,), (WEB2,))
        assert house.told() in (["create"], ["create", "comment"])

    def test_a_suspicion_of_the_parent_that_passes_sets_it_free(self, house: Lookout):
        house.see("web2/http down", times=3)
        house.see(*ROUTER_DOWN)
        tick(house)
        assert public(house) == []
        house.see(*ROUTER_WELL)
        tick(house)
        assert public(house)[0].servers == (WEB2,)

    def test_one_that_recovers_while_it_waits_was_never_told_of(self, house: Lookout):
        house.see("web2/http down", times=3)
        house.see("web2/http ok", times=2)
        house.wait(MINUTE, every=SECOND)
        assert public(house) == []
        assert "server.changed" not in house.kinds()[-2:]

    def test_a_new_process_goes_on_waiting(self, house: Lookout):
        house.see("web2/http down", times=3)
        again = house.restart()
        assert set(again.bureau.keep_house().look_at) == {key("router/ping"), key("router/tcp")}
        assert public(again) == []
        again.see(*ROUTER_DOWN, times=3)
        tick(again)
        (incident,) = public(again)
        assert (incident.servers, incident.unreachable) == ((ROUTER,), (WEB2,))
        again.database.close()


class TestWhenTheParentIsBack:
    def test_what_still_fails_is_confirmed_anew_and_has_its_own_incident(self, house: Lookout):
        out(house)
        see(house, *ROUTER_WELL)
        house.see(*ROUTER_WELL)
        back = house.clock.now()
        assert because(house, WEB1) is because(house, WEB2) is Why.RECHECKING
        # What is behind one of them waits until that one is confirmed.
        assert because(house, SHOP) is Why.UNREACHABLE
        see(house, "web1/http ok", "web1/smtp ok", "shop/http ok", "web2/http down", times=2)
        assert len(public(house)) == 1
        see(house, "web2/http down")
        router, own = public(house)
        assert (own.servers, own.stage) == ((WEB2,), Stage.INVESTIGATING)
        assert own.started_at >= back
        assert (house.status(WEB2), because(house, WEB2)) == (Status.MAJOR_OUTAGE, None)
        assert house.since(WEB2) >= back
        assert house.told(own.id) == ["create"]
        assert router.stage is Stage.MONITORING
        house.wait(RESOLVE_AFTER)
        assert public(house)[0].stage is Stage.RESOLVED

    def test_its_checks_are_looked_at_at_once(self, house: Lookout):
        out(house)
        house.see(*ROUTER_WELL)
        recorded = house.see(*ROUTER_WELL)
        assert {check.server for check in recorded.look_at} == {WEB1, WEB2}

    def test_those_that_are_back_with_it_were_never_down(self, house: Lookout):
        out(house)
        see(house, *ROUTER_WELL, times=2)
        see(house, "web1/http ok", "web1/smtp ok", "web2/http ok", "shop/http ok", times=2)
        house.wait(RESOLVE_AFTER + MINUTE)
        (incident,) = public(house)
        assert incident.stage is Stage.RESOLVED
        now = house.clock.now()
        with house.database.reading() as tx:
            spans = readings.status_spans(tx, now - timedelta(days=1), now)
        for child in (WEB1, WEB2, SHOP):
            assert {span.status for span in spans[child]} <= {Status.OPERATIONAL, Status.UNKNOWN}

    def test_a_slow_look_from_the_time_of_its_outage_is_no_failure_of_its_own(self, house: Lookout):
        see(house, *ROUTER_DOWN, times=3)
        see(house, "web2/http down", times=3)
        see(house, "web2/http slow")
        see(house, *ROUTER_WELL, times=2)
        see(house, "web2/http ok", times=2)
        assert house.status(WEB2) is Status.OPERATIONAL
        assert [one.servers for one in public(house)] == [(ROUTER,)]

    def test_a_window_that_ends_has_the_parent_looked_at_anew(self, house: Lookout):
        """What is known of it counts no more, and nobody waits without end for one that cannot be seen."""
        out(house)
        now = house.clock.now()
        with house.database.writing() as tx:
            maintain.plan(
                tx,
                servers=(ROUTER,),
                starts_at=now,
                ends_at=now + MINUTE,
                title={"es": "Trabajos", "en": "Work"},
                actor="ana",
                moment=now,
            )
        house.wait(MINUTE)
        assert house.status(WEB2) is Status.UNKNOWN
        see(house, "router/ping unknown", "router/tcp unknown", times=8)
        assert because(house, WEB2) is Why.RECHECKING
        see(house, "router/ping unknown", "router/tcp unknown", "web2/http down", times=8)
        assert [one.servers for one in public(house)] == [(ROUTER,), (WEB2,)]

    def test_a_parent_that_fails_again_before_it_is_sure(self, house: Lookout):
        out(house)
        see(house, *ROUTER_WELL, times=2)
        see(house, *ROUTER_DOWN, "web2/http down", times=3)
        (incident,) = public(house)
        assert incident.stage is Stage.INVESTIGATING
        assert because(house, WEB2) is Why.UNREACHABLE

    def test_an_inner_parent_that_stays_out_is_the_cause_of_what_is_behind_it(self, house: Lookout):
        out(house)
        see(house, *ROUTER_WELL, times=2)
        see(house, *WEB1_DOWN, "web2/http ok", "shop/http down", times=4)
        _, own = public(house)
        assert (own.servers, own.impact) == ((WEB1,), Impact.CRITICAL)
        assert own.unreachable == (SHOP,)
        assert because(house, SHOP) is Why.UNREACHABLE

    @pytest.mark.parametrize("looks", [0, 1, 2])
    def test_a_new_process_goes_on_confirming(self, house: Lookout, looks: int):
        out(house)
        see(house, *ROUTER_WELL, times=2)
        see(house, "web2/http down", times=looks)
        again = house.restart()
        assert because(again, WEB2) is Why.RECHECKING
        see(again, "web2/http down", times=3 - looks)
        assert public(again)[-1].servers == (WEB2,)
        again.database.close()

    def test_a_parent_that_is_watched_no_more_excuses_nobody(self, house: Lookout):
        out(house)
        without = tuple(
            replace(one, depends_on=tuple(each for each in one.depends_on if each != ROUTER))
            for one in house.fleet.servers
            if one.id != ROUTER
        )
        house.bureau.apply(fleet(*without))
        see(house, "web2/http down", times=3)
        assert [one.servers for one in public(house) if one.open and WEB2 in one.servers] == [(WEB2,)]


def test_an_incident_that_is_reopened_lists_those_behind_it_too(house: Lookout):
    see(house, *ROUTER_DOWN, times=3)
    see(house, *ROUTER_WELL, times=2)
    house.wait(RESOLVE_AFTER)
    see(house, *ROUTER_DOWN, "web2/http down", times=3)
    (incident,) = public(house)
    assert (incident.open, incident.unreachable) == (True, (WEB2,))


def test_a_new_process_while_the_parent_is_out(house: Lookout):
    see(house, *ROUTER_DOWN, times=3)
    house.see(*WEB1_DOWN, times=3)
    again = house.restart()
    see(again, "web2/http down", times=3)
    again.wait(MINUTE, every=SECOND)
    (incident,) = public(again)
    assert set(incident.unreachable) == {WEB1, WEB2}
    again.database.close()


def test_the_tables_follow_from_the_journal(house: Lookout):
    out(house)
    see(house, *ROUTER_WELL, times=2)
    see(house, "web2/http down", times=3)
    before = public(house)
    journal.rebuild(house.database)
    assert public(house) == before
