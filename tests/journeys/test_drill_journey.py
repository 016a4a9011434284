"""A drill on a running service: through the helpdesk elsewhere and to the operators, and nobody else sees it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.clock import SystemClock
from monitor.incidents.drill import Step
from monitor.store import readings
from tests.journeys import facts
from tests.journeys.house import House, running, wait_for
from tests.servers.helpdesk import SECRET, Helpdesk

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

MakeHouse = Callable[..., House]


@pytest.fixture
def helpdesk() -> Iterator[Helpdesk]:
    made = Helpdesk(SystemClock().now)
    yield made
    made.close()


class Ear(ThreadingHTTPServer):
    """Where operators are told: it keeps the title of everything that it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), _Listening)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Listening(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append(said["title"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


@pytest.fixture
def house(make_house: MakeHouse, helpdesk: Helpdesk, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("HELPDESK_SECRET", SECRET)
    address = f"http://127.0.0.1:{helpdesk.port}/vigia"
    return make_house(
        more=f'helpdesk: {{kind: webhook, url: "{address}", secret: "${{HELPDESK_SECRET}}", department: soporte, search_lag: 1s}}\n'
        f'notify: {{operators: ["json://127.0.0.1:{ear.server_address[1]}/"]}}\n'
        'drill: {server: gye1, at: "06:00", priority: normal}\n'
    )


def metric(house: House, name: str) -> float:
    lines = house.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def steps(told: dict[str, Any]) -> list[str]:
    return [one["step"] for one in told["steps"] if one["at"] is not None]


def test_a_drill_reaches_everybody_whom_a_fault_would_reach_and_no_customer(
    house: House, helpdesk: Helpdesk, ear: Ear
) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        before = metric(house, "vigia_drill_last_success_timestamp_seconds")
        told = house.vigia("drill", "gye1", "--for", "60s")
        assert told["passed"], told
        assert steps(told) == list(Step)
        after = [one["after_s"] for one in told["steps"]]
        assert after[0] == 0
        assert all(seconds < 60 for seconds in after)

        [ticket] = helpdesk.tickets
        assert (ticket.status, ticket.priority) == ("closed", "normal")
        assert "SIMULACRO" in ticket.subject
        assert [action for action, _ in ticket.messages] == ["create", "resolve"]
        assert [title.partition("] ")[2] for title in ear.heard] == [
            "SIMULACRO: gye1.nodored.com",
            "Terminado: SIMULACRO: gye1.nodored.com",
        ]

        for address in ("/", "/servers/gye1", "/history.atom", "/feed.json", "/api/v2/summary.json"):
            assert "SIMULACRO" not in house.get(address).text
        assert house.get(f"/incidents/{told['incident']}").status_code == 404
        assert not any("SIMULACRO" in each.title["es"] for each in facts.incidents(house))
        assert before == 0
        wait_for(
            lambda: metric(house, "vigia_drill_last_success_timestamp_seconds") > 0,
            what="the figure of the drill",
        )


def test_the_drill_of_the_day_begins_by_itself_once_it_is_planned(make_house: MakeHouse) -> None:
    house = make_house()
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        # A whole minute ahead of us, however long the new configuration takes to be in force.
        soon = (SystemClock().now() + timedelta(seconds=75)).astimezone(ZoneInfo("America/Guayaquil"))
        planned = f'drill: {{server: gye2, at: "{soon:%H:%M}", priority: high}}\n'
        house.config.write_text(house.config.read_text() + planned)
        row = wait_for(
            lambda: facts.ask(house, readings.last_good_drill), what="the drill of the day", patience=180
        )
        assert row >= soon.replace(second=0, microsecond=0)
        [ticket] = facts.tickets(house)
        assert (ticket.status, ticket.priority) == ("closed", "high")
        assert ticket.subject.endswith("SIMULACRO: gye2.nodored.com")
