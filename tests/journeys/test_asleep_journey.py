"""Every process of the service stands still for a while, as on a machine that is suspended."""

from __future__ import annotations

import signal
import threading

import pytest

from monitor.clock import SystemClock
from monitor.identifiers import CheckKey, ServerId
from monitor.store import observations, readings
from tests.journeys import facts
from tests.journeys.house import House, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

ASLEEP_S = 35.0
HTTP = CheckKey(server=ServerId("gye1"), check="http")


def looked(house: House) -> list[float]:
    """Return when gye1/http was looked at, in Unix time, oldest first."""
    now = SystemClock().now()

    def read(tx):
        number = readings.check_numbers(tx)[HTTP]
        found = observations.looks(tx, number, now.replace(year=now.year - 1), now)
        return [look.started_at.timestamp() for look in found]

    return facts.ask(house, read)


def test_a_service_that_stood_still_goes_on_as_if_nothing_had_been(make_house):
    house = make_house()
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        stopped = house.processes()
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        threading.Event().wait(ASLEEP_S)
        woke = SystemClock().now().timestamp()
        for process in stopped:
            process.send_signal(signal.SIGCONT)
        wait_for(lambda: sum(at > woke for at in looked(house)) >= 8, what="looks after the sleep")
        later = [at for at in looked(house) if at > woke]
        # Once a second as before, and one more for what was missed.
        assert sum(at <= later[0] + 4 for at in later) <= 8
        assert facts.ask(house, readings.open_incidents) == ()
        assert facts.is_up(house)
        # What the whole service slept through is nobody's fault, and nobody is told of it.
        assert facts.ask(house, readings.tickets) == ()
        assert "stood still" in house.tail()
