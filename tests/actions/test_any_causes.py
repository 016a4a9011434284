"""Whatever servers behind others and servers in crowds go through: each failure is told of exactly once, and everything ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.fleet import Fleet
from monitor.health.rollup import is_failing
from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience
from monitor.maintenance.due import quiet
from monitor.station.bureau import Bureau
from monitor.store import readings
from monitor.store.database import Database
from tests.actions.builders import MINUTE, RESOLVE_AFTER, Lookout, fleet, plan, server
from tests.actions.test_any_history import (
    Plan,
    See,
    Step,
    Wait,
    cancel_all,
    go,
    require_every_end,
    require_one_at_a_time,
    require_one_ticket_each,
    require_the_same_tables,
    require_unbroken_intervals,
)
from tests.conftest import SteppingClock

# A router and a power supply; two servers behind the router of which one needs the supply too, a third behind the first of these;
# and six that stand alone. Six of eleven at once are a burst.
PARENTS = {"left": ("router",), "right": ("router", "supply"), "deep": ("left",)}
ALONE = tuple(f"web{number}" for number in range(6))
NAMES = ("router", "supply", *PARENTS, *ALONE)
SERVERS = tuple(map(ServerId, NAMES))


@dataclass(frozen=True)
class Restart:
    pass


def watched() -> Fleet:
    return fleet(
        *(
            replace(
                server(ServerId(name), plan(f"{name}/http", Service.WEB)),
                depends_on=tuple(map(ServerId, PARENTS.get(name, ()))),
            )
            for name in NAMES
        )
    )


def looks_at(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    words = st.sampled_from(("ok", "down", "down", "slow", "unknown"))
    return st.tuples(*(words.map(lambda word, name=name: f"{name}/http {word}") for name in names))


def alike(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """All of these names, or nearly all, found alike."""
    found = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return st.tuples(found, st.sampled_from(("ok", "down"))).map(
        lambda drawn: tuple(f"{name}/http {drawn[1]}" for name in names if name not in drawn[0][1:])
    )


LOOKS = st.one_of(
    alike(("router", *PARENTS)),
    alike(tuple(PARENTS)),
    alike(ALONE),
    alike(NAMES),
    looks_at(("router",)),
    looks_at(("router", "supply")),
    looks_at(("left", "deep")),
    looks_at(("right", "web0")),
)
STEPS = st.one_of(
    st.builds(See, LOOKS, st.integers(1, 4)),
    st.builds(See, LOOKS, st.integers(2, 4)),
    st.builds(See, LOOKS, st.just(3)),
    st.builds(Wait, st.sampled_from((1, 6, 40))),
    st.builds(Plan, st.sampled_from(SERVERS), st.just(0), st.sampled_from((1, 5))),
    st.just(Restart()),
)


@pytest.fixture
def begin(tmp_path: Path, clock: SteppingClock) -> Iterator[Callable[[], Lookout]]:
    blank = tmp_path / "blank.db"
    Database.open(blank, owner=True).close()
    numbers = itertools.count()
    opened: list[Database] = []

    def one_more() -> Lookout:
        while opened:
            opened.pop().close()
        path = tmp_path / f"{next(numbers)}.db"
        path.write_bytes(blank.read_bytes())
        opened.append(Database.open(path, owner=False))
        lookout = Lookout(opened[0], clock, watched())
        lookout.all_well()
        lookout.bureau.keep_house()
        return lookout

    yield one_more
    for last in opened:
        last.close()


def step_on(lookout: Lookout, step: Step | Restart) -> None:
    if isinstance(step, Restart):
        lookout.bureau.publish("", "")
        lookout.bureau = Bureau(lookout.database, lookout.clock)
        lookout.bureau.begin(lookout.fleet)
    else:
        go(lookout, step)


def require_each_failure_in_its_place(lookout: Lookout) -> None:
    """Who fails has one incident, or cannot be judged, or waits; only a window or its end keeps everybody quiet."""
    picture = lookout.bureau.picture
    now = lookout.clock.now()
    with lookout.database.reading() as tx:
        windows = readings.windows(tx)
        held = readings.standing(tx)
        covered = {name: readings.open_incident_of(tx, name) is not None for name in SERVERS if name in held}
        listed = {name for incident in readings.open_incidents(tx) for name in incident.unreachable}
    for name, has_one in covered.items():
        standings = picture.standings(picture.servers[name], {})
        fresh = [one for one in standings if is_failing(one) and not one.health.persisting]
        shown = held[name].judged
        unreachable = shown.because in (Why.UNREACHABLE, Why.RECHECKING)
        assert not (has_one and unreachable)
        if unreachable:
            assert shown.status is Status.UNKNOWN
            assert any(map(is_failing, standings)), "what works is reachable"
        if fresh and not has_one and quiet(windows, name, now) is None:
            assert unreachable or name in picture.suspense.holds
            # It may wait for the incident of what is out above it.
            waits = not picture.suspense.holds.keys().isdisjoint((name, *picture.lineage.ancestors(name)))
            assert waits or name in listed or not _has_an_incident_above(lookout, name)


def _has_an_incident_above(lookout: Lookout, name: ServerId) -> bool:
    above = lookout.bureau.picture.lineage.ancestors(name)
    with lookout.database.reading() as tx:
        return any(
            readings.open_incident_of(tx, one) is not None
            and readings.standing(tx)[one].judged.status is Status.MAJOR_OUTAGE
            for one in above
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=12))
def test_every_failure_is_told_of_exactly_once_and_everything_ends(begin, steps: list[Step | Restart]):
    lookout = begin()
    for step in steps:
        step_on(lookout, step)
        require_one_at_a_time(lookout)
        require_each_failure_in_its_place(lookout)
    cancel_all(lookout)
    lookout.bureau.keep_house()
    lookout.all_steady()
    lookout.bureau.keep_house()
    lookout.wait(RESOLVE_AFTER + MINUTE, every=MINUTE)
    require_every_end(lookout)
    require_one_ticket_each(lookout)
    require_unbroken_intervals(lookout)
    require_the_same_tables(lookout)
    assert {lookout.status(each) for each in SERVERS} == {Status.OPERATIONAL}
    assert not lookout.bureau.picture.suspense.holds


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=10))
def test_what_goes_on_failing_by_itself_is_told_of_in_the_end(begin, steps: list[Step | Restart]):
    """Nothing that a failure waits for lasts for ever."""
    lookout = begin()
    for step in steps:
        step_on(lookout, step)
    cancel_all(lookout)
    lookout.bureau.keep_house()
    others = tuple(f"{name}/http ok" for name in NAMES if name not in ("deep", "web0"))
    for _ in range(10):
        lookout.see("deep/http down", "web0/http down", *others)
        lookout.bureau.keep_house()
    with lookout.database.reading() as tx:
        for name in map(ServerId, ("deep", "web0")):
            incident = readings.open_incident_of(tx, name)
            assert incident is not None
            assert incident.audience is Audience.PUBLIC
            assert readings.standing(tx)[name].judged.status is Status.MAJOR_OUTAGE
