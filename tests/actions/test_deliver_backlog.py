"""Many faults at once, over a line and to a helpdesk that fail at random: each has one ticket that tells its story."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from monitor.identifiers import IncidentId, ServerId
from monitor.journal.entries import Entry, Kind, Reason
from monitor.store import deliveries
from monitor.tickets.port import reference_of
from tests.actions.conftest import INSTALLATION, House, MakeHouse
from tests.soak import hour_away
from tests.tickets import builders

FAULTS = 10
MINUTE = timedelta(minutes=1)
SPOILED = ["hang", "reset", "500", "html", "close", "500_only", "html_only", "429", "503", "late"]


def stories(recovered: int) -> list[Entry]:
    """Return the entries of many faults in the order of time, the first ones with their end."""
    entries: list[Entry] = []
    for number in range(FAULTS):
        identity = IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8{number:03d}")
        whole = builders.incident(identity, ServerId(f"server{number}"))
        entries.append(builders.opened(whole))
        entries.append(builders.updated(whole, Reason.EASED, builders.START + 3 * MINUTE))
        if number < recovered:
            entries.append(builders.resolved(whole, builders.START + 30 * MINUTE))
    return sorted(entries, key=lambda entry: entry.moment)


def assert_each_fault_has_its_ticket(house: House, recovered: int) -> None:
    for number in range(FAULTS):
        reference = reference_of(INSTALLATION, IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8{number:03d}"))
        [ticket] = house.helpdesk.of(reference)
        told = [action for action, _ in ticket.messages]
        assert told[0] == "create"
        assert told.count("create") == 1
        assert ticket.status == ("closed" if number < recovered else "open")
        assert told.count("resolve") == (1 if number < recovered else 0)
    assert len(house.helpdesk.tickets) == FAULTS
    assert house.helpdesk.complaints == []


@pytest.fixture
def many(make_house: MakeHouse) -> House:
    house = make_house(lag=timedelta(seconds=5))
    house.record(builders.applied(builders.START, *(ServerId(f"server{number}") for number in range(FAULTS))))
    return house


@pytest.mark.parametrize("seed", [1, 2])
def test_answers_that_get_lost_at_random_make_no_second_ticket(many: House, seed: int) -> None:
    chance = random.Random(seed)
    many.helpdesk.modes.extend(chance.choice([*SPOILED, "ok", "ok", "ok"]) for _ in range(20))
    many.helpdesk.get_modes.extend(chance.choice(["500", "html", "close", "ok", "ok"]) for _ in range(20))
    many.happen(*stories(recovered=4))
    many.wait(60 * MINUTE, every=MINUTE / 2)
    assert_each_fault_has_its_ticket(many, recovered=4)


def test_a_helpdesk_that_was_away_gets_every_fault_once_it_is_back(many: House) -> None:
    """An hour of silence from the helpdesk costs nothing but the hour: operators were told meanwhile."""
    many.helpdesk.modes.extend(["503"] * 60)
    many.helpdesk.get_modes.extend(["503"] * 60)
    many.happen(*stories(recovered=4))
    assert len(many.operators.heard) == FAULTS + 4
    with many.database.reading() as tx:
        assert deliveries.pending(tx)["ticket"].count > 0
    many.wait(90 * MINUTE, every=MINUTE / 6)
    assert_each_fault_has_its_ticket(many, recovered=4)
    with many.database.reading() as tx:
        assert deliveries.pending(tx) == {}


@pytest.mark.timeout(300)
def test_an_hour_without_a_helpdesk_ends_with_a_ticket_for_each_fault_in_its_order(
    make_house: MakeHouse,
) -> None:
    """Twice an hour of real time is too long for a test; `python -m tests.soak.hour_away` takes it."""
    assert hour_away.made_up(make_house(), 300, 120) == []


@pytest.mark.parametrize("mode", ["503", "close"])
def test_the_first_that_is_taken_lets_all_others_go_at_once_in_the_order_of_the_faults(
    many: House, mode: str
) -> None:
    """Whether they were surely not done or nobody knows: what was queued first goes first, and nothing sleeps on."""
    many.helpdesk.modes.extend([mode] * 1000)
    many.helpdesk.get_modes.extend(["503"] * 1000)
    opened = [entry for entry in stories(recovered=0) if entry.kind is Kind.INCIDENT_OPENED]
    for entry in opened[:-1]:
        many.happen(entry)
        many.wait(MINUTE, every=MINUTE / 6)
    many.wait(20 * MINUTE, every=MINUTE / 6)
    many.helpdesk.modes.clear()
    many.helpdesk.get_modes.clear()
    many.helpdesk.asked.clear()
    many.happen(opened[-1])
    many.wait(MINUTE, every=timedelta(seconds=1))
    _, *others = [key for action, key in many.helpdesk.asked if action == "create"]
    assert others == sorted(others)
    assert len(others) == FAULTS - 1


def test_who_is_asked_to_wait_waits_with_everything_and_goes_on_as_soon_as_one_was_taken(many: House) -> None:
    """A helpdesk that takes so many a minute is not asked by each fault in turn, and nobody sleeps long after it is back."""
    many.helpdesk.modes.extend(["503"] * 500)
    many.happen(*stories(recovered=0))
    many.wait(40 * MINUTE, every=MINUTE / 6)
    many.helpdesk.modes.clear()
    many.helpdesk.asked.clear()
    many.helpdesk.modes.extend(["429", "429"])
    back = many.clock.now()
    while many.clock.now() < back + 6 * MINUTE and len(many.helpdesk.tickets) < FAULTS:
        many.clock.step(timedelta(seconds=1))
        many.steps()
    creations = [key for action, key in many.helpdesk.asked if action == "create"]
    assert len(creations) == FAULTS + 2
    assert_each_fault_has_its_ticket(many, recovered=0)
