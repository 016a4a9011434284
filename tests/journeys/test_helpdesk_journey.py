"""A helpdesk elsewhere, which is away just when it is needed: one fault is one ticket all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for
from tests.servers.helpdesk import SECRET, Helpdesk, Ticket

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

MakeHouse = Callable[..., House]


@pytest.fixture
def helpdesk() -> Iterator[Helpdesk]:
    made = Helpdesk(SystemClock().now)
    yield made
    made.close()


@pytest.fixture
def door(helpdesk: Helpdesk, tmp_path: Path) -> Iterator[Nginx]:
    """A real proxy before the helpdesk; while it is stopped, the helpdesk refuses connections."""
    folder = tmp_path / "door"
    folder.mkdir()
    proxy = Nginx(folder, more=f"location /vigia {{ proxy_pass http://127.0.0.1:{helpdesk.port}; }}")
    yield proxy
    proxy.stop()


@pytest.fixture
def house(make_house: MakeHouse, door: Nginx, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("HELPDESK_SECRET", SECRET)
    address = f"http://127.0.0.1:{door.port}/vigia"
    return make_house(
        more=f'helpdesk: {{kind: webhook, url: "{address}", secret: "${{HELPDESK_SECRET}}", department: soporte}}\n'
    )


def waiting(house: House) -> float:
    """Return how many deliveries to the helpdesk are still to be made, as the metrics tell it."""
    lines = house.get("/metrics").text.splitlines()
    pending = [line for line in lines if line.startswith("vigia_deliveries_pending{") and "ticket" in line]
    return sum(float(line.split()[-1]) for line in pending)


def actions(ticket: Ticket) -> list[str]:
    return [action for action, _ in ticket.messages]


def test_a_helpdesk_that_was_away_gets_one_ticket_and_all_that_followed(
    house: House, nginx: Nginx, helpdesk: Helpdesk, door: Nginx
) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        nginx.stop()
        wait_for(lambda: facts.is_out(house), what="the outage")
        wait_for(lambda: waiting(house), what="the delivery that waits for the helpdesk")
        assert helpdesk.asked == []
        assert house.get("/readyz").ok, "a helpdesk that is away is no trouble of ours yet"

        door.start()
        [ticket] = wait_for(lambda: helpdesk.tickets, what="the ticket")
        assert ticket.priority == "urgent"
        assert "gye1.nodored.com" in ticket.subject
        assert ticket.reference in ticket.subject

        nginx.start()
        wait_for(lambda: ticket.status == "closed", what="the end of the ticket")
        said = actions(ticket)
        assert (said[0], said[-1]) == ("create", "resolve")
        assert set(said[1:-1]) == {"comment"}

        door.stop()
        nginx.stop()
        wait_for(lambda: facts.incidents(house)[0].resolved_at is None, what="the relapse")
        nginx.start()
        door.start()
        wait_for(lambda: actions(ticket).count("resolve") == 2, what="the second end")
        wait_for(lambda: facts.tickets(house)[0].status == "closed", what="the end in our own books")
        assert "reopen" in actions(ticket)[len(said) :]
        assert helpdesk.tickets == [ticket]
        assert [action for action, _ in helpdesk.asked].count("create") == 1
        assert [row.reference for row in facts.tickets(house)] == [ticket.reference]
        # Two clocks of one machine: a signature may be made in the last instant of the second before.
        assert [each for each in helpdesk.complaints if "another moment" not in each] == []
