"""A storm of incidents: ten tickets, one that gathers all others, and every server traceable to exactly one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.health.words import Service
from monitor.identifiers import ServerId
from monitor.incidents.incident import Incident
from monitor.journal.consequences import Channel, DeliveryState
from monitor.store import deliveries, journal, readings
from monitor.store.database import Database
from monitor.tickets.desk import Desk, DeskOptions
from tests.actions.builders import MINUTE, RESOLVE_AFTER, Lookout, fleet, plan, server
from tests.actions.conftest import EARS, INSTALLATION, Listeners, webhook
from tests.conftest import SteppingClock
from tests.servers.helpdesk import Helpdesk, Ticket

# Fifteen of sixty are no burst: each has an incident of its own.
NAMES = tuple(f"web{number:02}" for number in range(60))
FAILING = NAMES[:15]


def deliverer(storm: Storm, **parts: Any) -> Deliverer:
    """Return whoever carries the tickets of a storm to its helpdesk; `parts` replace its own."""
    own = {
        "database": storm.house.database,
        "helpdesk": webhook(storm.helpdesk, storm.clock),
        "operators": {EARS: Listeners()},
        "clock": storm.clock,
        "installation": INSTALLATION,
        "append": lambda tx, entries: append(tx, entries, storm.clock.now()),
        "chance": lambda: 0.5,
    }
    return Deliverer(**{**own, **parts})


class Storm:
    """Sixty servers, the bureau that judges them, and the deliverer with a helpdesk behind it."""

    def __init__(self, path: Path, clock: SteppingClock) -> None:
        watched = fleet(*(server(ServerId(name), plan(f"{name}/http", Service.WEB)) for name in NAMES))
        self.clock = clock
        self.house = Lookout(Database.open(path / "vigia.db", owner=True), clock, watched)
        self.helpdesk = Helpdesk(clock.now)
        self.deliverer = deliverer(self)
        self.house.all_well()

    def close(self) -> None:
        self.helpdesk.close()
        self.house.database.close()

    def see(self, *names: str, word: str, times: int = 1) -> None:
        for _ in range(times):
            self.house.see(*(f"{name}/http {word}" for name in names))
            self.house.bureau.keep_house()

    def deliver(self) -> None:
        while self.deliverer.step():
            pass

    def mass(self) -> Ticket:
        (found,) = (each for each in self.helpdesk.tickets if "muchas fallas" in each.subject)
        return found

    def actions(self) -> list[str]:
        return [action for action, _ in self.mass().messages]

    def gathered(self) -> list[Incident]:
        return [one for one in self.house.incidents() if one.mass is not None]


@pytest.fixture
def storm(tmp_path: Path, clock: SteppingClock) -> Iterator[Storm]:
    made = Storm(tmp_path, clock)
    yield made
    made.close()


def fail_all(storm: Storm) -> None:
    storm.see(*FAILING, word="down", times=3)
    storm.deliver()


def test_fifteen_at_once_are_eleven_tickets(storm: Storm) -> None:
    fail_all(storm)
    assert len(storm.house.incidents()) == 15
    assert len(storm.helpdesk.tickets) == 11
    first, *others = storm.gathered()
    assert len(others) == 4
    assert {one.mass for one in (first, *others)} == {first.mass}
    # Made after all of them were known, its first message tells of all.
    assert storm.actions() == ["create"]
    told = storm.mass().messages[0][1]
    assert all(one.servers[0] in told for one in (first, *others))
    assert storm.mass().priority == "urgent"


def test_each_server_leads_to_exactly_one_ticket(storm: Storm) -> None:
    fail_all(storm)
    with storm.house.database.reading() as tx:
        rows = readings.tickets(tx)
        of_each = {one.servers[0]: readings.ticket_of(tx, one.id) for one in storm.house.incidents()}
        references = readings.references(tx)
    assert len(rows) == 11
    assert sorted(incident for row in rows for incident in row.incidents) == sorted(references)
    assert len(references) == 15
    for one in storm.house.incidents():
        ticket = of_each[one.servers[0]]
        assert ticket is not None
        assert ticket.reference == references[one.id]


def test_later_ones_are_comments_and_the_last_that_ends_closes_it(storm: Storm) -> None:
    late = NAMES[15]
    storm.see(*FAILING, word="down")
    storm.see(*FAILING, late, word="down", times=2)
    storm.deliver()
    storm.see(*FAILING, late, word="down")
    storm.deliver()
    assert storm.house.incidents()[-1].mass == storm.gathered()[0].mass
    assert storm.actions() == ["create", "comment"]
    assert f"{late}.nodored.com" in storm.mass().messages[-1][1]
    storm.see(*FAILING, word="ok", times=2)
    storm.house.wait(RESOLVE_AFTER + MINUTE)
    storm.deliver()
    # The late one lasts: no end of another closes the ticket.
    assert storm.mass().status == "open"
    assert storm.actions().count("resolve") == 0
    storm.see(late, word="ok", times=2)
    storm.house.wait(RESOLVE_AFTER + MINUTE)
    storm.deliver()
    assert storm.mass().status == "closed"
    assert storm.actions()[-1] == "resolve"
    assert "Con esto terminaron las 6 fallas" in storm.mass().messages[-1][1]
    assert {each.status for each in storm.helpdesk.tickets} == {"closed"}


def test_a_relapse_opens_a_closed_mass_ticket_again(storm: Storm) -> None:
    fail_all(storm)
    storm.see(*FAILING, word="ok", times=2)
    storm.house.wait(RESOLVE_AFTER + MINUTE)
    storm.deliver()
    assert storm.mass().status == "closed"
    again = storm.gathered()[-1].servers[0]
    storm.see(again, word="down", times=3)
    storm.deliver()
    assert (storm.mass().status, storm.actions()[-1]) == ("open", "reopen")
    assert len(storm.helpdesk.tickets) == 11


def test_a_mass_ticket_made_late_tells_the_whole_story(storm: Storm) -> None:
    storm.helpdesk.modes.extend(["503"] * 500)
    fail_all(storm)
    storm.see(*FAILING[:14], word="ok", times=2)
    storm.house.wait(RESOLVE_AFTER + MINUTE)
    for _ in range(30):
        storm.clock.step(MINUTE)
        storm.deliver()
    storm.helpdesk.modes.clear()
    for _ in range(30):
        storm.clock.step(MINUTE)
        storm.deliver()
    assert len(storm.helpdesk.tickets) == 11
    assert storm.actions() == ["create"]
    assert storm.mass().messages[0][1].count("ya se recuperó") == 4
    # One of its incidents lasts, so it is as urgent as ever; what is over altogether is not.
    assert (storm.mass().priority, storm.mass().status) == ("urgent", "open")
    others = [each for each in storm.helpdesk.tickets if each is not storm.mass()]
    assert {(each.priority, each.status) for each in others} == {("normal", "closed")}


def test_a_backlog_is_no_storm(storm: Storm) -> None:
    """Twelve faults, one every ten seconds, at a helpdesk that is away for an hour: each has a ticket of its own."""
    storm.helpdesk.modes.extend(["503"] * 1000)
    for number in range(12):
        storm.see(NAMES[number], word="down", times=3)
    for _ in range(60):
        storm.clock.step(MINUTE)
        storm.deliver()
    storm.helpdesk.modes.clear()
    for _ in range(10):
        storm.clock.step(MINUTE)
        storm.deliver()
    assert len(storm.helpdesk.tickets) == 12
    assert storm.gathered() == []


def test_a_replay_gathers_the_same_and_sends_nothing(storm: Storm) -> None:
    fail_all(storm)
    before = storm.gathered()
    asked = len(storm.helpdesk.asked)
    journal.rebuild(storm.house.database)
    storm.clock.step(timedelta(hours=1))
    storm.deliver()
    assert storm.gathered() == before
    assert len(storm.helpdesk.asked) == asked


def test_nobody_knows_whether_the_mass_ticket_exists_and_people_hear_of_it_once(storm: Storm) -> None:
    """The answers to all creations are lost, and so are the look-ups: each of eleven tickets is told of once, and made once."""
    heard = Listeners()
    storm.deliverer = deliverer(storm, fallback={EARS: heard})
    storm.helpdesk.modes.extend(["500"] * 11)
    storm.helpdesk.get_modes.extend(["503"] * 60)
    storm.see(*FAILING, word="down", times=3)
    for _ in range(60):
        storm.deliver()
        storm.clock.step(timedelta(seconds=10))
    assert len(storm.helpdesk.tickets) == 11
    assert len(heard.heard) == 11
    storm.helpdesk.get_modes.clear()
    for _ in range(60):
        storm.deliver()
        storm.clock.step(timedelta(seconds=10))
    assert len(storm.helpdesk.tickets) == 11
    assert len(heard.heard) == 11
    assert {action for action, _ in storm.mass().messages} <= {"create", "comment", "priority"}


def test_the_desk_gathers_a_storm_in_one_transaction(storm: Storm) -> None:
    book = StoredDesk(storm.house.database, "https://estado.nodored.test")
    desk = Desk(DeskOptions(), book, storm.clock.now)
    storm.deliverer = deliverer(storm, helpdesk=desk, at_home=frozenset({Channel.TICKET, Channel.VERIFY}))
    fail_all(storm)
    storm.see(*FAILING, word="ok", times=2)
    storm.house.wait(RESOLVE_AFTER + MINUTE)
    storm.deliver()
    with storm.house.database.reading() as tx:
        rows = readings.tickets(tx)
        states = {
            row.state
            for one in storm.house.incidents()
            for row in deliveries.of_incident(tx, one.id, Channel.TICKET)
        }
    assert [len(row.incidents) for row in rows].count(5) == 1
    assert (len(rows), {row.status for row in rows}) == (11, {"closed"})
    assert states == {DeliveryState.DONE}
