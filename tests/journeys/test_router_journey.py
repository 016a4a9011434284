"""Three servers behind a router: it goes, and they are its fault; it comes back, and what stays dead is its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.health.words import Status, Why
from monitor.incidents.incident import Incident, Stage
from tests.journeys import facts
from tests.journeys.house import House, free_port, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

CHILDREN = ("web1", "web2", "web3")
CONFIGURATION = """
site: {name: Nodored, url: "https://estado.nodored.test", timezone: America/Guayaquil, languages: [es, en]}
listen: 127.0.0.1:0
defaults:
  every: 1s
  timeout: 1s
  confirm: {attempts: 3, retry: 1s}
  recover: {attempts: 2, retry: 1s}
  resolve_after: 3s
  reopen_within: 10m
groups:
  - {id: hosting, name: {es: Hosting compartido, en: Shared hosting}}
servers:
"""


class Listener:
    """A machine that takes every connection, as long as it is on."""

    def __init__(self) -> None:
        self.port = free_port()
        self._listening: socket.socket | None = None

    def on(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=_take, args=(listening,), daemon=True).start()
        self._listening = listening

    def off(self) -> None:
        if self._listening is not None:
            # Closing alone would not wake whoever waits in it.
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None


def _take(listening: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            listening.accept()[0].close()


@pytest.fixture
def machines() -> Iterator[dict[str, Listener]]:
    every = {name: Listener() for name in ("router", *CHILDREN)}
    for one in every.values():
        one.on()
    yield every
    for one in every.values():
        one.off()


@pytest.fixture
def house(tmp_path: Path, machines: dict[str, Listener]) -> Iterator[House]:
    servers = [
        f"  - id: {name}\n    name: {name}.nodored.com\n    group: hosting\n    host: 127.0.0.1\n"
        f"    depends_on: {'[]' if name == 'router' else '[router]'}\n    checks: [tcp: {one.port}]\n"
        for name, one in machines.items()
    ]
    made = House(tmp_path, CONFIGURATION + "".join(servers))
    yield made
    made.end()


def test_one_incident_and_one_ticket_name_all_that_is_behind_the_router(
    house: House, machines: dict[str, Listener]
) -> None:
    with running(house):
        for name in machines:
            wait_for(lambda name=name: facts.is_up(house, name), what=f"the first green of {name}")

        for one in machines.values():
            one.off()
        wait_for(lambda: facts.status(house, "router") is Status.MAJOR_OUTAGE, what="the router's outage")
        for name in CHILDREN:
            wait_for(
                lambda name=name: facts.server(house, name).because is Why.UNREACHABLE,
                what=f"the grey of {name}",
            )
            assert facts.status(house, name) is Status.UNKNOWN
        # One that came a moment after the others is named within a minute.
        wait_for(
            lambda: [set(each.unreachable) for each in told(house)] == [set(CHILDREN)],
            what="all of them in the incident",
            patience=90,
        )
        [incident] = told(house)
        assert incident.servers == ("router",)

        page = wait_for(lambda: house.get(f"/incidents/{incident.id}"), what="the page of the incident").text
        assert all(f"{name}.nodored.com" in page for name in CHILDREN)
        wait_for(
            lambda: "inaccesible" in house.get("/servers/web1").text, what="the reason on a server's page"
        )
        [ticket] = wait_for(lambda: facts.tickets(house), what="the ticket")
        shown = house.vigia("ticket", "show", ticket.reference)
        assert (shown["servers"], set(shown["unreachable"])) == (["router"], set(CHILDREN))
        wait_for(
            lambda: all(f"{name}.nodored.com" in said(house) for name in CHILDREN), what="all names in it"
        )

        for name in ("router", "web1", "web2"):
            machines[name].on()
        wait_for(lambda: len(told(house)) > 1, what="the incident of what stays dead")
        own = next(each for each in told(house) if each.id != incident.id)
        assert own.servers == ("web3",)
        router = next(each for each in told(house) if each.id == incident.id)
        assert router.ended_at is not None
        assert own.started_at >= router.ended_at
        wait_for(lambda: facts.status(house, "web3") is Status.MAJOR_OUTAGE, what="the red of web3")
        for name in ("router", "web1", "web2"):
            wait_for(lambda name=name: facts.is_up(house, name), what=f"the green of {name}")
        wait_for(lambda: len(facts.tickets(house)) == 2, what="its ticket")

        machines["web3"].on()
        wait_for(
            lambda: {each.stage for each in told(house)} == {Stage.RESOLVED},
            what="the end of both",
        )
        assert len(facts.tickets(house)) == 2


def told(house: House) -> tuple[Incident, ...]:
    """Return every public incident, whichever server it is about."""
    found = {each.id: each for name in ("router", *CHILDREN) for each in facts.incidents(house, name)}
    return tuple(found.values())


def said(house: House) -> str:
    """Return everything that stands in the tickets of the built-in helpdesk."""
    return str(house.vigia("desk", "list"))
