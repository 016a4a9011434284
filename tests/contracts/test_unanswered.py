"""A customer's ticket that nobody answers, at every helpdesk: read, raised with an internal note, and measured once it is answered."""

from __future__ import annotations

from datetime import timedelta

from monitor.actions.answers import TicketReader
from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.store import cases, readings
from monitor.support.escalation import PRIORITIES
from monitor.tickets.port import Priority
from tests.actions.conftest import EARS, Listeners
from tests.contracts.benches import Ability
from tests.contracts.conftest import Stand
from tests.tickets import builders

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Office:
    """Who reads and who raises, over the helpdesk of a stand."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.head = Listeners()
        self.reader = TicketReader(stand.ground.database, stand.helpdesk)
        self.deliverer = Deliverer(
            database=stand.ground.database,
            helpdesk=stand.helpdesk,
            operators={EARS: Listeners()},
            heads={"soporte": self.head},
            clock=stand.ground.clock,
            installation="TESTHAUS",
            append=lambda tx, entries: append(tx, entries, stand.ground.clock.now()),
        )
        with stand.ground.database.writing() as tx:
            append(tx, (builders.applied(stand.ground.clock.now()),), stand.ground.clock.now())

    def round(self) -> None:
        self.reader.read(self.stand.ground.clock.now())
        while self.deliverer.step():
            pass

    def waits(self, ticket: str) -> bool:
        with self.stand.ground.database.reading() as tx:
            return ticket in {row.ticket for row in cases.waiting(tx)}

    def heard_of(self, ticket: str) -> int:
        """A product that is kept for a session has tickets of other tests as well."""
        return sum(f"ticket {ticket} (" in message.title for message in self.head.heard)

    def priority(self, ticket: str) -> str:
        with self.stand.ground.database.reading() as tx:
            found = cases.case(tx, self.stand.helpdesk.name, ticket)
        assert found is not None
        return found.priority


def test_what_nobody_answers_rises_and_what_is_answered_is_measured(stand: Stand) -> None:
    office = Office(stand)
    if stand.lacks(Ability.RECORDS):
        office.round()
        with stand.ground.database.reading() as tx:
            assert (readings.answer_times(tx), cases.waiting(tx)) == ((), ())
        return
    if stand.lacks(Ability.CUSTOMERS):
        return
    ticket = stand.bench.customer_opens("No entra el correo", "soporte")
    stand.settle()
    office.round()
    before = office.priority(ticket)
    stand.bench.ages(ticket, 25 * HOUR)
    stand.settle()
    stand.ground.step(DAY)
    office.round()

    higher = Priority(PRIORITIES[PRIORITIES.index(before) + 1])
    stand.settle()
    office.reader.read(stand.ground.clock.now())
    assert office.priority(ticket) == stand.shown(higher)
    notes = [
        (internal, body)
        for _, internal, body in stand.bench.messages(ticket)
        if "Nadie ha respondido" in body
    ]
    assert [internal for internal, _ in notes] == [True]
    assert office.heard_of(ticket) == 1
    # Our own note is no answer.
    assert office.waits(ticket)

    stand.bench.human_answers(ticket, "Ya entra.")
    stand.settle()
    stand.ground.step(2 * DAY)
    office.round()
    assert not office.waits(ticket)
    with stand.ground.database.reading() as tx:
        [soporte] = [each for each in readings.answer_times(tx) if each.department == "soporte"]
    assert soporte.answered >= 1
    assert soporte.mean is not None
    assert office.heard_of(ticket) == 1
