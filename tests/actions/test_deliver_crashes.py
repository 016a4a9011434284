"""A process that dies at any point of a delivery leaves nothing behind that the next one cannot finish."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.identifiers import milliseconds
from monitor.journal.consequences import DeliveryState
from monitor.journal.entries import Reason
from monitor.store import deliveries
from tests.actions.conftest import House, MakeHouse
from tests.actions.crashing import DIED
from tests.tickets import builders

ROOT = Path(__file__).parents[2]
LATER = builders.START + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
STORY = ["create", "comment", "resolve"]
POINTS = ["started", "claimed", "recorded", "connected", "half_sent", "whole_sent", "answered", "committed"]


def die_at(house: House, point: str) -> int:
    """Let another process deliver until it dies at `point`; return its exit status."""
    moment = str(milliseconds(house.clock.now()))
    command = [
        sys.executable,
        "-m",
        "tests.actions.crashing",
        str(house.database.path),
        house.helpdesk.url,
        moment,
        point,
    ]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=100).returncode


def restart(house: House) -> None:
    house.deliverer.recover()
    house.wait(5 * MINUTE)


def told(house: House) -> list[str]:
    [ticket] = house.helpdesk.tickets
    return [action for action, _ in ticket.messages]


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_a_ticket_is_made_loses_nothing_and_doubles_nothing(house: House, point: str) -> None:
    whole = builders.incident()
    house.queue(builders.opened(whole))
    assert die_at(house, point) == DIED
    restart(house)
    house.happen(
        builders.updated(whole, Reason.EASED, LATER, builders.evidence("smtp")),
        builders.resolved(whole, LATER + MINUTE),
    )
    assert told(house) == STORY
    assert all(state is DeliveryState.DONE for _, state in [*house.states(), *house.states("verify")])
    assert house.helpdesk.complaints == []
    assert house.database.integrity() == "ok"


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_a_ticket_is_closed_closes_it_once(house: House, point: str) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.queue(builders.resolved(whole, LATER))
    assert die_at(house, point) == DIED
    restart(house)
    assert told(house) == ["create", "resolve"]
    assert house.helpdesk.tickets[0].status == "closed"


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_while_a_comment_is_written_loses_nothing(make_house: MakeHouse, point: str) -> None:
    """What a comment did cannot be looked up: it is written again under the same key, which the helpdesk honours."""
    house = make_house(honours_keys=True)
    whole = builders.incident()
    house.happen(builders.opened(whole))
    house.queue(builders.updated(whole, Reason.EASED, LATER, builders.evidence("smtp")))
    assert die_at(house, point) == DIED
    restart(house)
    assert told(house) == ["create", "comment"]


def test_a_crash_while_a_lost_answer_is_looked_up_makes_no_second_ticket(house: House) -> None:
    house.queue(builders.opened(builders.incident()))
    assert die_at(house, "whole_sent") == DIED
    for _ in range(3):
        assert die_at(house, "looked") == DIED
    restart(house)
    assert told(house) == ["create"]


def test_a_crash_between_two_closed_duplicates_ends_with_one_open_ticket(house: House) -> None:
    house.helpdesk.modes.append("twice")
    house.queue(builders.opened(builders.incident()))
    assert die_at(house, "merged") == DIED
    restart(house)
    assert [ticket.status for ticket in house.helpdesk.tickets] == ["open", "closed"]


def test_an_attempt_that_died_is_on_record_as_interrupted(house: House) -> None:
    house.queue(builders.opened(builders.incident()))
    assert die_at(house, "recorded") == DIED
    house.deliverer.recover()
    with house.database.reading() as tx:
        [attempt] = deliveries.attempts_of(tx, house.rows()[0].id)
    assert (attempt.outcome, attempt.ended_at) == ("interrupted", None)
    assert house.states() == [("create", DeliveryState.AMBIGUOUS)]


def test_dying_again_and_again_still_ends_with_one_ticket(house: House) -> None:
    whole = builders.incident()
    house.queue(builders.opened(whole), builders.resolved(whole, LATER))
    for point in ("claimed", "recorded", "half_sent", "whole_sent", "answered", "committed"):
        die_at(house, point)
        house.clock.step(timedelta(seconds=30))
    restart(house)
    assert told(house)[0] == "create"
    assert told(house).count("create") == 1
    assert told(house).count("resolve") == 1
    assert house.helpdesk.tickets[0].status == "closed"
