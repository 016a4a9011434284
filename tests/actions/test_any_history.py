"""Whatever two servers go through: one incident each at a time, one ticket an incident, and every one comes to an end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.actions import maintain
from monitor.errors import RefusedError
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Stage
from monitor.journal.consequences import Channel
from monitor.store import deliveries, journal, readings, schema
from monitor.store.database import Database
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, UIO1, Lookout
from tests.conftest import SteppingClock

CHECKS = ("gye1/http", "gye1/smtp", "gye1/tls", "uio1/http", "uio1/tcp")
SERVERS = (GYE1, UIO1)


@dataclass(frozen=True)
class See:
    looks: tuple[str, ...]
    times: int


@dataclass(frozen=True)
class Wait:
    minutes: int


@dataclass(frozen=True)
class Plan:
    server: ServerId
    begins_in: int
    lasts: int


@dataclass(frozen=True)
class CancelAll:
    pass


LOOKS = st.lists(
    st.builds(
        lambda name, word: f"{name} {word}",
        st.sampled_from(CHECKS),
        st.sampled_from(("ok", "ok", "down", "down", "down", "slow", "ending", "unknown")),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda words: words.split()[0],
)
STEPS = st.one_of(
    st.builds(See, LOOKS.map(tuple), st.integers(1, 4)),
    st.builds(See, LOOKS.map(tuple), st.integers(2, 4)),
    st.builds(Wait, st.sampled_from((1, 6, 40))),
    st.builds(Plan, st.sampled_from(SERVERS), st.sampled_from((0, 2)), st.sampled_from((1, 5, 30))),
    st.just(CancelAll()),
)
Step = See | Wait | Plan | CancelAll


@pytest.fixture
def begin(tmp_path: Path, clock: SteppingClock) -> Iterator[Callable[[], Lookout]]:
    """Open one more lookout at each call; the one before is closed."""
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
        return Lookout(opened[0], clock)

    yield one_more
    for last in opened:
        last.close()


def go(lookout: Lookout, step: Step) -> None:
    match step:
        case See():
            for _ in range(step.times):
                lookout.see(*step.looks)
                lookout.bureau.keep_house()
        case Wait():
            lookout.wait(step.minutes * MINUTE, every=MINUTE)
        case Plan():
            plan(lookout, step)
        case CancelAll():
            cancel_all(lookout)


def plan(lookout: Lookout, step: Plan) -> None:
    start = lookout.clock.now() + step.begins_in * MINUTE
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(step.server,),
            starts_at=start,
            ends_at=start + step.lasts * MINUTE,
            title={"es": "Trabajos", "en": "Work"},
            actor="ana",
            moment=lookout.clock.now(),
        )
    lookout.bureau.keep_house()


def cancel_all(lookout: Lookout) -> None:
    for window in lookout.windows():
        with lookout.database.writing() as tx:
            try:
                maintain.cancel(tx, window.id, actor="ana", moment=lookout.clock.now())
            except RefusedError:
                continue


def require_one_at_a_time(lookout: Lookout) -> None:
    found = [one for one in lookout.incidents() if one.open and one.audience is Audience.PUBLIC]
    named = [server for incident in found for server in incident.servers]
    assert len(named) == len(set(named))


def require_one_ticket_each(lookout: Lookout) -> None:
    with lookout.database.reading() as tx:
        for incident in lookout.incidents():
            actions = [row.action for row in deliveries.of_incident(tx, incident.id, Channel.TICKET)]
            if not incident.servers:
                assert actions == []
                continue
            assert actions.count("create") == 1
            assert actions[0] == "create"
            # As often closed as it was opened, once everything is over.
            ends = [action for action in actions if action in ("create", "reopen", "resolve")]
            assert ends[1::2] == ["resolve"] * (len(ends) // 2)


def require_every_end(lookout: Lookout) -> None:
    for incident in lookout.incidents():
        assert incident.stage is Stage.RESOLVED
        assert incident.ended_at is not None
        assert incident.started_at <= incident.ended_at
        assert incident.resolved_at is not None
        moments = [update.at for update in incident.updates]
        assert moments == sorted(moments)


def require_unbroken_intervals(lookout: Lookout) -> None:
    now = lookout.clock.now()
    with lookout.database.reading() as tx:
        spans = readings.status_spans(tx, now - timedelta(days=30), now)
        held = readings.standing(tx)
    for server, mine in spans.items():
        assert all(before.end == after.start for before, after in pairwise(mine))
        assert all(before.status is not after.status for before, after in pairwise(mine))
        assert mine[-1].end == now
        assert mine[-1].status is held[server].judged.status


def require_the_same_tables(lookout: Lookout) -> None:
    before = tables(lookout.database)
    journal.rebuild(lookout.database)
    assert tables(lookout.database) == before


def tables(database: Database) -> dict[str, list[list[object]]]:
    with database.reading() as tx:
        return {
            table: sorted((list(row) for row in tx.rows(f"SELECT * FROM {table}")), key=repr)  # noqa: S608 - names of ours
            for table in (*schema.FOLDED, "deliveries")
        }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
def test_one_incident_a_server_one_ticket_an_incident_and_an_end_for_each(begin, steps: list[Step]):
    lookout = begin()
    for step in steps:
        go(lookout, step)
        require_one_at_a_time(lookout)
    cancel_all(lookout)
    lookout.bureau.keep_house()
    lookout.all_steady()
    lookout.wait(RESOLVE_AFTER + MINUTE, every=MINUTE)
    require_every_end(lookout)
    require_one_ticket_each(lookout)
    require_unbroken_intervals(lookout)
    require_the_same_tables(lookout)
    assert {lookout.status(server) for server in SERVERS} == {Status.OPERATIONAL}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_whatever_fails_once_no_window_is_left_is_told(begin, steps: list[Step]):
    """A fault that everybody was quiet about must not be forgotten when the quiet ends."""
    lookout = begin()
    for step in steps:
        go(lookout, step)
    cancel_all(lookout)
    lookout.bureau.keep_house()
    lookout.see("gye1/http down", times=6)
    with lookout.database.reading() as tx:
        incident = readings.open_incident_of(tx, GYE1)
    assert incident is not None
    assert incident.stage is Stage.INVESTIGATING
    assert "gye1/http" in map(str, incident.checks)
