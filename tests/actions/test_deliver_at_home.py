"""The built-in desk keeps its tickets in our own database: many deliveries are one transaction, all or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.errors import StoreError
from monitor.identifiers import IncidentId, ServerId
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry, Reason
from monitor.store import deliveries, desk, readings
from monitor.store.database import Database
from monitor.store.journal import last_number
from monitor.tickets.desk import Desk, DeskOptions
from monitor.tickets.port import reference_of
from tests.actions.conftest import INSTALLATION
from tests.conftest import SteppingClock
from tests.tickets import builders

FAULTS = 7
LATER = builders.START + timedelta(minutes=10)


class Died(BaseException):
    """What a kill is to the program: nothing catches it."""


@dataclass
class Home:
    database: Database
    clock: SteppingClock
    deliverer: Deliverer = field(init=False)
    points: list[str] = field(default_factory=list)
    die_at: tuple[str, int] | None = None

    def queue(self, *entries: Entry) -> None:
        for entry in entries:
            self.clock.step(max(entry.moment - self.clock.now(), timedelta(0)))
            with self.database.writing() as tx:
                append(tx, (entry,), self.clock.now())

    def pass_by(self, point: str) -> None:
        self.points.append(point)
        if self.die_at == (point, self.points.count(point)):
            raise Died

    def steps(self) -> int:
        count = 0
        while self.deliverer.step():
            count += 1
        return count

    def states(self, channel: Channel) -> list[tuple[str, DeliveryState, str]]:
        with self.database.reading() as tx:
            rows = [
                row for number in range(FAULTS) for row in deliveries.of_incident(tx, name(number), channel)
            ]
        return [(row.action, row.state, row.detail) for row in rows]


def name(number: int) -> IncidentId:
    return IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P8{number:03d}")


def opened(number: int) -> Entry:
    return builders.opened(builders.incident(name(number), ServerId(f"server{number}")))


@pytest.fixture
def home(tmp_path: Path, clock: SteppingClock) -> Iterator[Home]:
    database = Database.open(tmp_path / "vigia.db", owner=True)
    made = Home(database, clock)
    made.deliverer = Deliverer(
        database=database,
        helpdesk=Desk(DeskOptions(), StoredDesk(database, "https://estado.nodored.example"), clock.now),
        operators={},
        clock=clock,
        installation=INSTALLATION,
        append=lambda tx, entries: append(tx, entries, clock.now()),
        at_home=frozenset(Channel),
        checkpoint=made.pass_by,
    )
    made.queue(builders.applied(builders.START, *(ServerId(f"server{number}") for number in range(FAULTS))))
    yield made
    database.close()


def written(home: Home) -> list[list[str]]:
    """Return what was done on the ticket of each fault."""
    with home.database.reading() as tx:
        found = [desk.find(tx, reference_of(INSTALLATION, name(number))) for number in range(FAULTS)]
        return [[each.action for each in desk.messages(tx, ticket.id)] if ticket else [] for ticket in found]


def entries(database: Database) -> int:
    with database.reading() as tx:
        return last_number(tx)


def test_many_faults_are_carried_in_one_round(home: Home) -> None:
    home.queue(*(opened(number) for number in range(FAULTS)))
    assert home.steps() == 1
    assert written(home) == [["create"]] * FAULTS
    assert home.states(Channel.TICKET) == [("create", DeliveryState.DONE, "")] * FAULTS
    with home.database.reading() as tx:
        assert len(readings.tickets(tx)) == FAULTS
        [attempt] = deliveries.attempts_of(tx, deliveries.of_incident(tx, name(0), Channel.TICKET)[0].id)
    assert attempt.outcome == "done"


def test_messages_that_nobody_asked_for_are_done_and_never_composed(home: Home) -> None:
    home.queue(opened(0))
    home.steps()
    assert home.states(Channel.OPERATORS) == [("opened", DeliveryState.DONE, "nobody configured")]
    with home.database.reading() as tx:
        [row] = deliveries.of_incident(tx, name(0), Channel.OPERATORS)
        assert deliveries.attempts_of(tx, row.id) == ()
        assert deliveries.pending(tx) == {}


def test_a_story_is_told_in_its_order(home: Home) -> None:
    whole = builders.incident(name(0), ServerId("server0"))
    home.queue(opened(0))
    home.steps()
    home.queue(
        builders.updated(whole, Reason.EASED, LATER), builders.resolved(whole, LATER + timedelta(minutes=1))
    )
    home.steps()
    assert written(home)[0] == ["create", "comment", "resolve"]


@pytest.mark.parametrize("point", ["claimed", "recorded", "answered", "committed"])
@pytest.mark.parametrize("count", [1, 4, FAULTS])
def test_dying_in_the_midst_leaves_no_trace_and_the_next_round_makes_each_ticket_once(
    home: Home, point: str, count: int
) -> None:
    home.queue(*(opened(number) for number in range(FAULTS)))
    home.die_at = (point, count)
    with pytest.raises(Died):
        home.steps()
    assert written(home) == [[]] * FAULTS
    assert {state for _, state, _ in home.states(Channel.TICKET)} == {DeliveryState.READY}
    home.die_at = None
    home.deliverer.recover()
    home.steps()
    assert written(home) == [["create"]] * FAULTS
    assert home.database.integrity() == "ok"


def test_one_that_trips_the_program_does_not_hold_back_the_others(home: Home) -> None:
    home.queue(*(opened(number) for number in range(FAULTS)))
    with home.database.writing() as tx:
        tx.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON desk_messages WHEN NEW.ticket = 3"
            " BEGIN SELECT RAISE(ROLLBACK, 'gone'); END"
        )
    for _ in range(30):
        try:
            home.deliverer.step()
        except StoreError:
            home.clock.step(timedelta(seconds=1))
    with home.database.writing() as tx:
        tx.execute("DROP TRIGGER broken")
    for _ in range(40):
        home.clock.step(timedelta(seconds=30))
        home.steps()
    assert written(home) == [["create"]] * FAULTS


def test_transactions_that_are_run_together_are_one(home: Home) -> None:
    outside = Database.open(home.database.path, owner=False)
    before = entries(outside)

    def fail() -> None:
        with home.database.together():
            home.queue(opened(0))
            assert (entries(home.database), entries(outside)) == (before + 1, before)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert entries(outside) == before
    outside.close()


def test_one_that_fails_inside_takes_back_its_own_part_alone(home: Home) -> None:
    def fail() -> None:
        with home.database.writing() as tx:
            tx.execute("DELETE FROM deliveries")
            raise RuntimeError

    with home.database.together():
        home.queue(opened(0))
        with pytest.raises(RuntimeError):
            fail()
    assert len(home.states(Channel.TICKET)) == 1


def test_what_follows_a_creation_is_for_the_department_alone(home: Home) -> None:
    home.queue(opened(0))
    home.steps()
    whole = builders.incident(name(0), ServerId("server0"))
    home.queue(builders.acknowledged(whole, LATER), builders.updated(whole, Reason.EASED, LATER))
    home.steps()
    with home.database.reading() as tx:
        ticket = desk.find(tx, reference_of(INSTALLATION, name(0)))
        assert ticket is not None
        messages = desk.messages(tx, ticket.id)
    assert [(message.action, message.internal) for message in messages] == [
        ("create", False),
        ("comment", True),
        ("comment", True),
    ]
