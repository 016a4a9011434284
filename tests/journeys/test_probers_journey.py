"""A service with several processes that look: one of them dies, watch dies, their number changes, and nobody notices."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, lives, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]


def outposts(house: House) -> list[psutil.Process]:
    return [
        each
        for each in house.process("watch").children()
        if lives(each) and "monitor.station.outpost" in each.cmdline()
    ]


def test_faults_are_found_whoever_of_those_who_look_is_killed(
    make_house: Callable[..., House], nginx: Nginx
) -> None:
    house = make_house(more="probers: 2\n")
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        first = outposts(house)
        assert len(first) == 2

        for process in first:
            process.kill()
        wait_for(lambda: len(outposts(house)) == 2, what="two others")
        assert not any(map(lives, first))
        nginx.stop()
        wait_for(lambda: facts.is_out(house), what="the outage")
        figure = 'vigia_own_faults_total{part="prober"} 2'
        wait_for(lambda: figure in house.get("/metrics").text, what="both faults among the figures")

        watch, second = house.process("watch"), outposts(house)
        watch.kill()
        wait_for(
            lambda: not any(map(lives, [watch, *second])),
            what="the end of watch and of those who look for it",
        )
        nginx.start()
        wait_for(lambda: facts.is_up(house), what="the recovery that another watch sees")
        assert len(facts.incidents(house)) == 1

        # One alone from now on: the checks come home.
        house.config.write_text(house.config.read_text().replace("probers: 2", "probers: 1"))
        house.signal(signal.SIGHUP)
        wait_for(lambda: not outposts(house), what="their end")
        looked = len(facts.looks(house))
        wait_for(lambda: len(facts.looks(house)) > looked + 1, what="looks of watch itself")
        looks = [look.started_at for look in facts.looks(house)]
        assert looks == sorted(set(looks))
