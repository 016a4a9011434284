"""A database that another process holds delays what is recorded; it makes no server look down."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from monitor.clock import SystemClock
from monitor.observation import Outcome
from tests.journeys import facts
from tests.journeys.house import ROOT, House, Nginx, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

HELD_S = 10
# Another program, as an operator's tool might be: not one that goes through our transactions.
HOLDER = """
import sys
from monitor.store.database import dbapi2
connection = dbapi2.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextmanager
def held(house: House) -> Iterator[None]:
    """Hold the database of a service exclusively, from outside."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(house.data / "vigia.db")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.communicate(timeout=60)
        assert holder.returncode == 0


def test_a_locked_database_makes_no_server_look_down_and_loses_no_look(house: House) -> None:
    clock, pause = SystemClock(), threading.Event()
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        wait_for(lambda: "station.armed" in " ".join(facts.record(house)), what="the end of the first round")
        before = facts.record(house)
        statuses, pages = set(), set()
        began = clock.now()
        with held(house):
            until = clock.monotonic() + HELD_S
            while clock.monotonic() < until:
                statuses |= {facts.status(house), facts.status(house, "gye2")}
                pages |= {house.get("/").status_code, house.get("/readyz").status_code}
                pause.wait(0.5)
        ended = clock.now()

        wait_for(lambda: facts.looks(house)[-1].started_at > ended, what="the looks after the lock")
        assert statuses == {"operational"}
        assert pages == {200}
        for name in ("gye1", "gye2"):
            kept = [look for look in facts.looks(house, name) if began <= look.started_at < ended]
            assert {look.outcome for look in kept} == {Outcome.OK}
            assert_as_often_as_planned([look.started_at for look in kept], ended - began)
        assert facts.record(house) == before, "something was decided because the database was held"
        assert "vigia_observations_dropped_total 0" in house.get("/metrics").text


def test_a_fault_while_the_database_is_held_is_told_afterwards_from_its_first_look_on(
    house: House, nginx: Nginx
) -> None:
    clock, pause = SystemClock(), threading.Event()
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        with held(house):
            began = clock.now()
            nginx.stop()
            pause.wait(4)
            released = clock.now()
            assert not facts.incidents(house)

        [incident] = wait_for(lambda: facts.incidents(house), what="the incident")
        assert began - timedelta(seconds=1) <= incident.started_at < released
        assert incident.opened_at >= released
        wait_for(lambda: facts.tickets(house), what="the ticket")
        assert len(facts.incidents(house)) == 1


def assert_as_often_as_planned(moments: list[datetime], held_for: timedelta) -> None:
    """Every second had its look: one may lie just outside either end."""
    assert abs(len(moments) - held_for.total_seconds()) <= 2, moments
