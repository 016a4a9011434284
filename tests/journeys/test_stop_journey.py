"""Starting, stopping and changing the service as an operator does."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, is_listening, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

MakeHouse = Callable[..., House]


def test_a_stop_ends_everything_and_the_next_start_goes_on_where_it_was(house: House, nginx: Nginx) -> None:
    """Stopped in the middle of an outage: afterwards it is the same incident and the same ticket."""
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        nginx.stop()
        wait_for(lambda: facts.tickets(house), what="the ticket")
        promised, looked = facts.record(house), len(facts.looks(house))
        address = house.address
        assert house.stop() == 0
        assert house.processes() == []
        assert not is_listening(address)
        kept = facts.record(house)
        assert kept[: len(promised)] == promised
        assert len(facts.looks(house)) >= looked

        house.start()
        wait_for(lambda: house.address != address and house.get("/readyz").ok, what="the next start")
        assert facts.is_out(house)
        assert house.get(f"/incidents/{facts.incidents(house)[0].id}").status_code == 200
        nginx.start()
        wait_for(lambda: facts.incidents(house)[0].resolved_at, what="the end of the incident")
        assert facts.record(house)[: len(kept)] == kept
        assert len(facts.incidents(house)) == 1
        assert len(facts.tickets(house)) == 1
        house.signal(signal.SIGINT)
        assert house.wait() == 0


def test_a_changed_file_is_applied_while_running_and_a_wrong_one_is_not(house: House, nginx: Nginx) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house) and facts.is_up(house, "gye2"), what="the first green")
        watch, before, known = house.process("watch").pid, facts.looks(house), facts.record(house)
        web = house.process("web").pid
        good = house.config.read_text()

        house.config.write_text(good + "  - id: gye3\n    name: gye3.nodored.com\n    grupo: hosting\n")
        house.signal(signal.SIGHUP)
        wait_for(
            lambda: "the old configuration stays in force" in house.tail(), what="the refusal in the log"
        )
        assert "grupo" in house.tail()
        assert not facts.knows(house, "gye3")

        house.config.write_text(
            good
            + "  - id: gye3\n    name: gye3.nodored.com\n    group: hosting\n    host: 127.0.0.1\n"
            + f"    checks:\n      - tcp: {nginx.port}\n"
        )
        house.signal(signal.SIGHUP)
        wait_for(lambda: facts.is_up(house, "gye3"), what="the added server")
        wait_for(lambda: "gye3.nodored.com" in house.get("/").text, what="the added server on the page")

        # A check that was made anew would have to be confirmed anew, and that would be on record.
        decided = [line for line in facts.record(house)[len(known) :] if "gye1" in line or "gye2" in line]
        assert decided == []
        wait_for(lambda: len(facts.looks(house)) > len(before) + 3, what="the looks of an untouched check")
        assert house.process("watch").pid == watch
        assert house.process("web").pid == web, "visitors were sent away because the file was read anew"
        assert {look.outcome for look in facts.looks(house)} == {"ok"}
        assert facts.status(house) == "operational"
        assert not facts.incidents(house)

        house.config.write_text(good)
        house.signal(signal.SIGHUP)
        wait_for(lambda: not facts.knows(house, "gye3"), what="the retirement")
        wait_for(lambda: "gye3.nodored.com" not in house.get("/").text, what="a page without it")


def test_two_services_on_one_machine_do_not_meet(make_house: MakeHouse, nginx: Nginx) -> None:
    """Both watch the same server; each has its own address, incident and ticket."""
    one, other = make_house("one"), make_house("other")
    with running(one), running(other):
        for house in (one, other):
            wait_for(partial(facts.is_up, house), what="the first green")
        assert one.address != other.address
        nginx.stop()
        for house in (one, other):
            wait_for(partial(facts.tickets, house), what="the ticket")
        assert facts.incidents(one)[0].id != facts.incidents(other)[0].id
        assert facts.tickets(one)[0].reference != facts.tickets(other)[0].reference
        assert one.stop() == 0
        assert one.processes() == []
        assert other.get("/readyz").ok
        assert len(other.processes()) == 3


def test_what_cannot_work_is_refused_with_the_remedy(make_house: MakeHouse) -> None:
    house, second = make_house("one"), make_house("second")
    with running(house):
        second.data = house.data
        second.start()
        assert second.wait() == 1
        assert f"another watch works on {house.data}" in second.tail()

        third = make_house("third")
        third.start("run", "--listen", house.address)
        assert third.wait() == 1
        assert f"cannot listen on {house.address}" in third.tail()
        assert "give this one a data directory of its own (--data)" in second.tail()
        assert "choose another address with --listen" in third.tail()
        assert "Traceback" not in second.tail() + third.tail()
        assert house.get("/readyz").ok
        assert len(house.processes()) == 3
