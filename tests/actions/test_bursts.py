"""Many servers that fail together are one incident with one ticket (rule D8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.fleet import Fleet
from monitor.health.words import Service, Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Impact, Incident, Stage
from monitor.journal.entries import IncidentUpdated, Reason
from monitor.store import journal, readings
from monitor.store.database import Database
from tests.actions.builders import MINUTE, REOPEN_WITHIN, RESOLVE_AFTER, RETRY, Lookout, fleet, plan, server
from tests.conftest import SteppingClock

SECOND = timedelta(seconds=1)
ROUTER = ServerId("router")
NAMES = tuple(f"web{number}" for number in range(12))
IDS = tuple(map(ServerId, NAMES))


def watched(*names: str) -> Fleet:
    """Return web servers with one check each; more than five of twelve at once are a burst."""
    return fleet(*(server(ServerId(name), plan(f"{name}/http", Service.WEB)) for name in names or NAMES))


@pytest.fixture
def house(tmp_path: Path, clock: SteppingClock) -> Iterator[Lookout]:
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock, watched())
    made.all_well()
    yield made
    made.database.close()


def looks(names: tuple[str, ...], word: str) -> tuple[str, ...]:
    return tuple(f"{name}/http {word}" for name in names)


def see(house: Lookout, *found: str, times: int = 1) -> None:
    """Record looks and keep house, as watch does each second."""
    for _ in range(times):
        house.see(*found)
        house.bureau.keep_house()


def public(house: Lookout) -> list[Incident]:
    return [one for one in house.incidents() if one.audience is Audience.PUBLIC]


def burst(house: Lookout, *names: str) -> Incident:
    """Let servers fail together until they are told of, and return the incident."""
    see(house, *looks(names or NAMES, "down"), times=4)
    (incident,) = public(house)
    return incident


def reasons(house: Lookout) -> list[Reason]:
    return [entry.body.reason for entry in house.entries() if isinstance(entry.body, IncidentUpdated)]


def test_all_of_them_are_one_incident_with_one_ticket(house: Lookout):
    incident = burst(house)
    assert set(incident.servers) == set(IDS)
    assert incident.impact is Impact.CRITICAL
    assert house.told() == ["create"]
    assert house.told(channel="operators") == ["opened"]
    assert incident.title["es"] == "Hosting compartido (12 de 12 servidores): fuera de servicio"


def test_the_incident_waits_for_one_more_look_and_the_status_does_not(house: Lookout):
    first = house.clock.now() + RETRY
    see(house, *looks(NAMES, "down"), times=3)
    assert public(house) == []
    assert {house.status(one) for one in IDS} == {Status.MAJOR_OUTAGE}
    see(house, *looks(NAMES, "down"))
    (incident,) = public(house)
    assert incident.started_at == first


def test_the_further_look_is_asked_for(house: Lookout):
    see(house, *looks(NAMES, "down"), times=2)
    recorded = house.see(*looks(NAMES, "down"))
    assert {(check.server, gap) for check, gap in recorded.again} == {(one, RETRY) for one in IDS}


def test_nobody_waits_for_longer_than_a_minute(house: Lookout):
    see(house, *looks(NAMES, "down"), times=3)
    house.wait(timedelta(seconds=59), every=SECOND)
    assert public(house) == []
    house.wait(SECOND)
    assert len(public(house)[0].servers) == len(NAMES)


def test_one_that_is_well_at_the_further_look_was_not_part_of_it(house: Lookout):
    see(house, *looks(NAMES, "down"), times=3)
    see(house, *looks(NAMES[1:], "down"), *looks(NAMES[:1], "ok"), times=2)
    (incident,) = public(house)
    assert set(incident.servers) == set(IDS[1:])


def test_the_few_that_stay_down_are_told_together(house: Lookout):
    see(house, *looks(NAMES, "down"))
    see(house, *looks(NAMES[:8], "ok"), *looks(NAMES[8:], "down"), times=3)
    (incident,) = public(house)
    assert set(incident.servers) == set(IDS[8:])


def test_a_suspicion_of_many_that_passes_leaves_nothing(house: Lookout):
    before = house.kinds()
    see(house, *looks(NAMES, "down"), times=2)
    house.all_well()
    house.wait(2 * MINUTE)
    assert house.kinds() == before


def test_five_at_once_are_five_incidents(house: Lookout):
    see(house, *looks(NAMES[:5], "down"), times=4)
    assert {one.servers for one in public(house)} == {(one,) for one in IDS[:5]}


def test_those_that_follow_at_once_join(house: Lookout):
    burst(house, *NAMES[:8])
    see(house, *looks(NAMES[8:10], "down"), times=4)
    (incident,) = public(house)
    assert set(incident.servers) == set(IDS[:10])
    assert reasons(house) == [Reason.JOINED]
    assert house.told() == ["create", "comment", "priority"]


def test_one_that_fails_later_fails_for_itself(house: Lookout):
    burst(house, *NAMES[:8])
    house.wait(2 * MINUTE)
    see(house, *looks(NAMES[8:9], "down"), times=3)
    assert [len(one.servers) for one in public(house)] == [8, 1]


def test_one_that_failed_before_keeps_its_own(house: Lookout):
    see(house, *looks(NAMES[:1], "down"), times=3)
    house.wait(2 * MINUTE)
    see(house, *looks(NAMES[1:], "down"), times=4)
    first, second = public(house)
    assert first.servers == IDS[:1]
    assert set(second.servers) == set(IDS[1:])


class TestAsTheyComeBack:
    def test_how_many_are_back_is_told_at_growing_distances(self, house: Lookout):
        burst(house)
        for name in NAMES[:6]:
            see(house, *looks((name,), "ok"), times=2)
        house.wait(MINUTE, every=SECOND)
        (incident,) = public(house)
        assert set(incident.back) == set(IDS[:6])
        eased = [update for update in incident.updates if "funcionan de nuevo" in update.text["es"]]
        assert all(
            after.at - before.at >= min(MINUTE, (after.at - incident.opened_at) / 2)
            for before, after in pairwise(eased)
        )
        assert eased[-1].text["es"].startswith("6 de los 12 servidores de este incidente funcionan de nuevo.")
        assert incident.stage is Stage.INVESTIGATING

    def test_it_recovers_when_none_fails_any_more(self, house: Lookout):
        burst(house)
        see(house, *looks(NAMES[:11], "ok"), times=2)
        assert public(house)[0].stage is Stage.INVESTIGATING
        see(house, *looks(NAMES[11:], "ok"), times=2)
        assert public(house)[0].stage is Stage.MONITORING
        house.wait(RESOLVE_AFTER)
        (incident,) = public(house)
        assert incident.stage is Stage.RESOLVED
        assert house.told().count("create") == house.told().count("resolve") == 1

    def test_one_that_fails_again_is_told_of(self, house: Lookout):
        burst(house)
        see(house, *looks(NAMES[:11], "ok"), times=2)
        see(house, *looks(NAMES[:1], "down"), times=3)
        house.wait(MINUTE, every=SECOND)
        (incident,) = public(house)
        assert IDS[0] not in incident.back
        assert reasons(house)[-1] is Reason.JOINED

    def test_the_longest_patience_decides_when_it_is_over(self, house: Lookout):
        patient = tuple(
            replace(one, resolve_after=2 * RESOLVE_AFTER) if one.id == IDS[3] else one
            for one in house.fleet.servers
        )
        house.bureau.apply(fleet(*patient))
        burst(house)
        house.all_well()
        house.wait(2 * RESOLVE_AFTER - SECOND)
        assert public(house)[0].stage is Stage.MONITORING
        house.wait(SECOND)
        assert public(house)[0].stage is Stage.RESOLVED

    def test_a_relapse_of_one_takes_it_up_again(self, house: Lookout):
        burst(house)
        house.all_well()
        see(house, *looks(NAMES[:1], "down"), times=3)
        (incident,) = public(house)
        assert incident.stage is Stage.INVESTIGATING
        assert incident.title["es"] == "web0.nodored.com: fuera de servicio"

    def test_one_that_fails_soon_after_the_end_reopens_it(self, house: Lookout):
        burst(house)
        house.all_well()
        house.wait(RESOLVE_AFTER)
        see(house, *looks(NAMES[:1], "down"), times=3)
        (incident,) = public(house)
        assert (incident.open, len(incident.servers)) == (True, len(NAMES))
        assert set(incident.back) == set(IDS[1:])
        assert house.told()[-1] == "reopen"

    def test_a_server_that_has_another_one_by_then_is_not_taken_back(self, house: Lookout):
        hasty = tuple(
            replace(one, reopen_within=timedelta(0)) if one.id == IDS[1] else one
            for one in house.fleet.servers
        )
        house.bureau.apply(fleet(*hasty))
        burst(house)
        house.all_well()
        house.wait(RESOLVE_AFTER)
        see(house, *looks(NAMES[1:2], "down"), times=3)
        house.clock.step(REOPEN_WITHIN / 2)
        see(house, *looks(NAMES[:1], "down"), times=3)
        again, own = public(house)
        assert (own.servers, own.open) == ((IDS[1],), True)
        assert again.open
        assert IDS[1] not in again.servers


class TestRestart:
    def test_while_they_wait(self, house: Lookout):
        see(house, *looks(NAMES, "down"), times=3)
        again = house.restart()
        again.bureau.keep_house()
        assert public(again) == []
        see(again, *looks(NAMES, "down"))
        assert len(public(again)[0].servers) == len(NAMES)
        again.database.close()

    def test_while_they_are_under_suspicion(self, house: Lookout):
        see(house, *looks(NAMES, "down"), times=2)
        again = house.restart()
        see(again, *looks(NAMES, "down"), times=2)
        assert len(public(again)[0].servers) == len(NAMES)
        again.database.close()

    def test_while_some_are_back(self, house: Lookout):
        burst(house)
        see(house, *looks(NAMES[:6], "ok"), times=2)
        again = house.restart()
        again.wait(2 * MINUTE, every=SECOND)
        (incident,) = public(again)
        assert set(incident.back) == set(IDS[:6])
        again.all_well()
        again.wait(RESOLVE_AFTER)
        assert public(again)[0].stage is Stage.RESOLVED
        again.database.close()


def test_those_behind_a_router_that_is_out_are_its_fault_and_no_burst(tmp_path: Path, clock: SteppingClock):
    children = tuple(replace(one, depends_on=(ROUTER,)) for one in watched(*NAMES[:7]).servers)
    router = server(ROUTER, plan("router/ping", Service.NETWORK))
    house = Lookout(Database.open(tmp_path / "b.db", owner=True), clock, fleet(router, *children))
    house.all_well()
    see(house, "router/ping down", *looks(NAMES[:7], "down"), times=4)
    house.wait(MINUTE, every=SECOND)
    (incident,) = public(house)
    assert incident.servers == (ROUTER,)
    assert set(incident.unreachable) == set(IDS[:7])
    see(house, "router/ping ok", times=2)
    see(house, *looks(NAMES[:7], "down"), times=4)
    _, dead = public(house)
    assert set(dead.servers) == set(IDS[:7])
    house.database.close()


def test_each_server_leads_to_exactly_one_incident_and_the_tables_follow_from_the_journal(house: Lookout):
    burst(house, *NAMES[:8])
    see(house, *looks(NAMES[8:], "down"), times=4)
    see(house, *looks(NAMES[:3], "ok"), times=2)
    with house.database.reading() as tx:
        found = {readings.open_incident_of(tx, one).id for one in IDS}
    assert len(found) == 1
    before = public(house)
    journal.rebuild(house.database)
    assert public(house) == before
