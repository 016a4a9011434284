"""A restart at any point is as if there had been none: streaks, states, restlessness, incidents, tickets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.store import readings
from monitor.store.database import Database
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock

CHECKS = ("gye1/http", "gye1/smtp", "uio1/http")
LOOK = st.tuples(
    st.sampled_from(CHECKS), st.sampled_from(("ok", "ok", "down", "down", "slow", "ending", "unknown"))
)
# Lines that come and go are rare by chance.
LINE = st.one_of(
    st.lists(LOOK, min_size=1, max_size=6),
    st.builds(
        lambda name, times: [(name, word) for _ in range(times) for word in ("down", "ok")],
        st.sampled_from(CHECKS),
        st.integers(3, 12),
    ),
    st.builds(lambda name, times: [(name, "down")] * times, st.sampled_from(CHECKS), st.integers(3, 6)),
    st.builds(lambda name, times: [(name, "ok")] * times, st.sampled_from(CHECKS), st.integers(3, 25)),
)
COURSE = st.lists(LINE, min_size=1, max_size=8).map(lambda lines: [look for line in lines for look in line])

Begin = Callable[[], Lookout]


@pytest.fixture
def begin(tmp_path: Path, clock: SteppingClock) -> Iterator[Begin]:
    blank = tmp_path / "blank.db"
    Database.open(blank, owner=True).close()
    start = clock.now()
    numbers = itertools.count()
    opened: list[Lookout] = []

    def one_more() -> Lookout:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        (folder / "vigia.db").write_bytes(blank.read_bytes())
        opened.append(Lookout(Database.open(folder / "vigia.db", owner=True), SteppingClock(start)))
        return opened[-1]

    yield one_more
    for lookout in opened:
        lookout.database.close()


def go(lookout: Lookout, course: list[tuple[str, str]], restarts: frozenset[int]) -> Lookout:
    for place, (name, word) in enumerate(course):
        if place in restarts:
            lookout.bureau.publish("", "")
            lookout = lookout.restart()
        lookout.see(f"{name} {word}")
        lookout.bureau.keep_house()
    lookout.wait(timedelta(minutes=2))
    return lookout


def standing(lookout: Lookout) -> object:
    """Return what is held and told, without names that are drawn by chance."""
    healths = {key: replace(health, sequence=0) for key, health in lookout.bureau.picture.healths.items()}
    incidents = [
        (
            one.title,
            one.stage,
            one.impact,
            one.started_at,
            one.ended_at,
            one.opened_at,
            one.resolved_at,
            one.unstable_at,
            [(update.stage, update.text, update.at) for update in one.updates],
            lookout.told(one.id),
        )
        for one in lookout.incidents()
    ]
    with lookout.database.reading() as tx:
        held = {server: (one.judged, one.since) for server, one in readings.standing(tx).items()}
    return healths, incidents, held


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=COURSE, restarts=st.frozensets(st.integers(0, 60), min_size=1, max_size=4))
def test_a_restart_changes_nothing(
    begin: Begin, course: list[tuple[str, str]], restarts: frozenset[int]
) -> None:
    straight, restarted = go(begin(), course, frozenset()), go(begin(), course, restarts)
    assert standing(restarted) == standing(straight)
    straight.database.close()
    restarted.database.close()


def test_a_reload_changes_nothing_either(begin: Begin) -> None:
    course = [
        ("gye1/http", word)
        for word in ("ok", "down", "ok", "down", "ok", "down", "ok", "down", "down", "down")
    ]
    straight, reloaded = go(begin(), course, frozenset()), begin()
    for name, word in course:
        reloaded.bureau.apply(reloaded.fleet)
        reloaded.see(f"{name} {word}")
        reloaded.bureau.keep_house()
    reloaded.wait(timedelta(minutes=2))
    assert standing(reloaded) == standing(straight)
