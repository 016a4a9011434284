"""A customer whom nobody answers: the ticket rises once, the head hears of it, and the answer shows on the page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from monitor.station.names import DATABASE
from monitor.store.database import Database
from tests.journeys.house import House, running, wait_for
from tests.servers.post_office import post_office

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

SUPPORT = """
support:
  hours: {{days: mon-sun, from: "00:00", to: "24:00"}}
  departments:
    - {{id: soporte, name: Soporte, email: soporte@nodored.test, head: "mailto://127.0.0.1:{port}/?from=a@nodored.test&to=jefa@nodored.test&mode=insecure"}}
"""
ASK = ("desk", "open", "--requester", "eva@cliente.test", "--subject", "No entra", "--department", "soporte")


def grow_old(house: House, by: timedelta) -> None:
    """Let every ticket of the desk have been opened earlier."""
    with closing(Database.open(house.data / DATABASE, owner=False)) as database, database.writing() as tx:
        tx.execute("UPDATE desk_tickets SET opened_ms = opened_ms - ?", (by // timedelta(milliseconds=1),))


def told(house: House) -> dict[str, Any]:
    [department] = house.get("/api/v1/support.json").json()["departments"]
    return department


def notes(house: House) -> list[str]:
    return [each["body"] for each in house.vigia("desk", "show", "1")["messages"] if each["internal"]]


def test_whom_nobody_answers_is_heard_of_once_and_the_answer_is_measured(
    make_house: Callable[..., House],
) -> None:
    with post_office() as mail:
        house = make_house(more=SUPPORT.format(port=mail.port))
        with running(house):
            assert house.vigia(*ASK, "No entra el correo.")["priority"] == "normal"
            assert house.stop() == 0
        grow_old(house, timedelta(hours=25))

        with running(house):
            wait_for(lambda: house.vigia("desk", "show", "1")["priority"] == "high", what="the rise")
            wait_for(lambda: mail.taken, what="the letter to the head")
            assert [each["id"] for each in house.vigia("ticket", "unanswered")] == ["1"]
            house.vigia("desk", "reply", "1", "Ya entra.")
            # Who comes after reads at once.
            house.kill("watch")
            wait_for(lambda: (told(house)["answer_time"] or {}).get("answered") == 1, what="the figure")
            sentence = house.get("/en/support/answer-time/soporte.txt").text
            assert sentence.startswith("Average time to answer of Soporte: 25 h")
            assert "25 h" in house.get("/support").text
            assert 'vigia_tickets_unanswered{department="soporte"} 0' in house.get("/metrics").text
            assert [note.startswith("Nadie ha respondido") for note in notes(house)] == [True]
            assert len(mail.taken) == 1
