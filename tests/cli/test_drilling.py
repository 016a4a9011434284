"""`vigia drill`: begins where somebody watches, waits for the end, and says which step is missing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta

import pytest

from monitor.clock import HouseClock, SystemClock
from monitor.incidents import drill
from monitor.incidents.drill import Step
from monitor.inventory import load
from monitor.station.drills import Drills
from monitor.store import observations
from monitor.store.database import Database
from monitor.store.readings.service import WATCH
from tests.cli.conftest import Installation, Vigia, deliverer_of

Watching = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def watching(installation: Installation) -> Watching:
    """Carry out what watch does about drills, beside the command; with or without somebody who delivers."""

    @contextmanager
    def watch(*, delivering: bool = True) -> Iterator[None]:
        stop = threading.Event()
        with closing(Database.open(installation.data / "vigia.db", owner=False)) as database:
            with database.writing() as tx:
                observations.beat(tx, WATCH, SystemClock().now())
            thread = threading.Thread(target=_work, args=(installation, database, stop, delivering))
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()

    return watch


def _work(installation: Installation, database: Database, stop: threading.Event, delivering: bool) -> None:
    clock = HouseClock(SystemClock())
    configuration = load(installation.config, environment={})
    deliverer = deliverer_of(configuration, database, clock, [])
    drills = Drills(database, clock, lambda: installation.lookout.bureau.picture)
    while not stop.wait(0.05):
        drills.follow()
        while delivering and deliverer.step():
            pass


def test_a_drill_that_goes_well_shows_every_step(
    vigia: Vigia, installation: Installation, watching: Watching
):
    with watching():
        said = vigia("drill", "gye1", *installation.where, "--author", "ana")
    assert said.status == 0
    assert "MISSING" not in said.out
    assert "The drill went well." in said.out
    # Nobody asked to be told here.
    assert said.out.count("not configured") == 2
    with watching():
        document = vigia("drill", "gye1", *installation.where, "--json").document
    assert document["passed"]
    assert [one["step"] for one in document["steps"]] == list(Step)
    assert [one["step"] for one in document["steps"] if not one["needed"]] == ["told", "told_over"]
    (drilled, _) = [
        each for each in vigia("incident", "list", *installation.where, "--json").document if each["drill"]
    ]
    assert (drilled["audience"], drilled["stage"]) == ("operators", "resolved")
    shown = vigia("incident", "show", drilled["id"], *installation.where).out
    assert "a drill: customers see nothing of it" in shown


def test_a_step_that_is_missing_is_named_and_the_answer_is_bad(
    vigia: Vigia, installation: Installation, watching: Watching, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drill, "PATIENCE", timedelta(seconds=1))
    with watching(delivering=False):
        said = vigia("drill", "gye1", "--for", "1s", *installation.where)
    assert said.status == 1
    assert said.out.count("MISSING") == 5
    assert "The drill went wrong" in said.out


@pytest.mark.parametrize(
    ("words", "status", "remedy"),
    [
        (("uio9",), 1, "no server 'uio9'"),
        (("gye1", "--for", "soon"), 2, "--for"),
        (("gye1", "--author", "vigia"), 1, "--author NAME"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused(
    vigia: Vigia, installation: Installation, watching: Watching, words, status: int, remedy: str
):
    with watching():
        said = vigia("drill", *words, *installation.where)
    assert (said.status, said.out) == (status, "")
    assert remedy in said.err


def test_where_nobody_watches_nothing_is_begun(vigia: Vigia, installation: Installation):
    said = vigia("drill", "gye1", *installation.where)
    assert said.status == 1
    assert "vigia run" in said.err
    assert len(vigia("incident", "list", *installation.where, "--json").document) == 1
