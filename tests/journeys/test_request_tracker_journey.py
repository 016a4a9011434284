"""A real fault in a real Request Tracker: one urgent ticket with everything in it, and what people do there comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for
from tests.servers.request_tracker import NEEDED, PASSWORD, RequestTracker, messages, started

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx", *NEEDED), pytest.mark.timeout(600)]

MakeHouse = Callable[..., House]


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[RequestTracker]:
    folder = tmp_path / "rt"
    folder.mkdir()
    server = started(folder)
    yield server
    server.close()


@pytest.fixture
def house(make_house: MakeHouse, rt: RequestTracker, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("RT_PASSWORD", PASSWORD)
    return make_house(
        more=f'helpdesk: {{kind: rt, url: "{rt.url}", user: vigia, password: "${{RT_PASSWORD}}", queue: Soporte}}\n'
    )


def tickets(rt: RequestTracker) -> list[dict[str, Any]]:
    asked = "/tickets?query=id>0&fields=Subject,Status,Priority,Queue,CustomFields&per_page=100"
    found: list[dict[str, Any]] = rt.ask("ana", "GET", asked)["items"]
    return found


def status(rt: RequestTracker, ticket: str) -> str:
    return str(rt.ask("ana", "GET", f"/ticket/{ticket}")["Status"])


def test_a_fault_is_one_ticket_in_rt_from_its_first_word_to_its_last(
    house: House, nginx: Nginx, rt: RequestTracker
) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        nginx.stop()
        [ticket] = wait_for(lambda: tickets(rt), what="the ticket")
        number = ticket["id"]
        [known] = wait_for(lambda: facts.tickets(house), what="the ticket in our own books")
        assert (known.ticket, known.url) == (number, f"{rt.url}/Ticket/Display.html?id={number}")
        [field] = [each for each in ticket["CustomFields"] if each["name"] == "ExternalRef"]
        assert field["values"] == [known.reference]
        assert ticket["Priority"] == "100"
        assert known.reference in ticket["Subject"]
        assert "gye1.nodored.com" in ticket["Subject"]

        [(author, internal, opening)] = messages(rt, number)[:1]
        assert (author, internal) == ("vigia", False)
        for word in (
            "gye1.nodored.com",
            "127.0.0.1",
            f":{nginx.port}/",
            "curl ",
            known.reference,
            "Hosting compartido",
        ):
            assert word in opening, f"{word} is missing in\n{opening}"

        rt.write("ana", number, "correspond", "Reinicio el servidor web")
        wait_for(
            lambda: "ticket.noted" in " ".join(facts.record(house)),
            what="what ana did, in the journal",
            patience=120,
        )
        nginx.start()
        wait_for(lambda: status(rt, number) == "resolved", what="the end of the ticket")
        wait_for(lambda: facts.tickets(house)[0].status == "closed", what="the end in our own books")
        later = [(author, internal) for author, internal, _ in messages(rt, number)[1:]]
        assert later.count(("ana", False)) == 1
        assert set(later) == {("ana", False), ("vigia", True)}, (
            "a follow-up of ours is for the department alone"
        )

        nginx.stop()
        wait_for(lambda: facts.is_out(house), what="the relapse")
        wait_for(lambda: status(rt, number) == "open", what="the ticket, opened again")
        assert [each["id"] for each in tickets(rt)] == [number]
        shown = house.vigia("incident", "show", known.incident)
        assert "Reinicio el servidor web" in str(shown)
        nginx.start()
        wait_for(lambda: status(rt, number) == "resolved", what="the second end")
