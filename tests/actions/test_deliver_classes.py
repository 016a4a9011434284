"""A warning that customers do not notice on its whole way: to the operators, and to the helpdesk if its class says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.desk import StoredDesk
from monitor.actions.tickets import NO_TICKET
from monitor.incidents.problem import Problem
from monitor.journal.consequences import Channel, DeliveryState
from monitor.store import deliveries, readings
from monitor.store.database import Database
from monitor.store.readings import TicketRow
from monitor.tickets.classes import Grade, ProblemClass, graded
from monitor.tickets.desk import Desk, DeskOptions
from monitor.tickets.priorities import Priority
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock


@pytest.fixture
def lookout(tmp_path: Path, clock: SteppingClock) -> Iterator[Lookout]:
    made = Lookout(Database.open(tmp_path / "vigia.db", owner=True), clock)
    made.all_well()
    yield made
    made.database.close()


def carry(lookout: Lookout, **classes: ProblemClass) -> None:
    """Carry out everything that is due."""
    clock = lookout.bureau.clock
    table: Mapping[Problem, Grade] = graded({Problem(name): one for name, one in classes.items()})
    deliverer = Deliverer(
        database=lookout.database,
        helpdesk=Desk(DeskOptions(), StoredDesk(lookout.database, "https://estado.test"), clock.now),
        operators={},
        clock=clock,
        installation="TESTHAUS",
        append=lambda tx, entries: append(tx, entries, clock.now()),
        classes=table,
        at_home=frozenset(Channel),
    )
    lookout.clock.step(timedelta(seconds=1))
    while deliverer.step():
        lookout.clock.step(timedelta(milliseconds=1))


def tickets(lookout: Lookout) -> list[TicketRow]:
    with lookout.database.reading() as tx:
        return list(readings.tickets(tx))


def test_an_expiring_certificate_has_a_ticket_of_its_class_that_closes_with_it(lookout: Lookout):
    lookout.see("gye1/tls ending", times=3)
    carry(lookout, expiry=ProblemClass(department="comercial"))
    (ticket,) = tickets(lookout)
    assert (ticket.status, ticket.priority, ticket.department) == ("open", "normal", "comercial")
    assert ticket.subject.endswith("] gye1.nodored.com: aviso de la comprobación tls")
    lookout.see("gye1/tls ok", times=2)
    carry(lookout)
    (ticket,) = tickets(lookout)
    assert (ticket.status, ticket.department) == ("closed", "comercial")


def test_a_class_without_tickets_leaves_nothing_behind(lookout: Lookout):
    without = ProblemClass(ticket=False)
    lookout.see("gye1/disk full", times=3)
    carry(lookout, capacity=without)
    lookout.see("gye1/disk ok", times=2)
    carry(lookout, capacity=without)
    assert tickets(lookout) == []
    with lookout.database.reading() as tx:
        rows = deliveries.of_incident(tx, lookout.incident().id, Channel.TICKET)
    assert [(row.action, row.state, row.detail) for row in rows] == [
        ("create", DeliveryState.DONE, NO_TICKET),
        ("resolve", DeliveryState.DONE, NO_TICKET),
    ]


def test_a_table_that_changes_meanwhile_holds_for_what_is_opened_from_then_on(lookout: Lookout):
    """What was spared a ticket keeps none, and what has one keeps it to its end."""
    without = ProblemClass(ticket=False)
    lookout.see("gye1/disk full", times=3)
    carry(lookout, capacity=without)
    lookout.see("gye1/tls ending", times=3)
    carry(lookout)
    assert len(tickets(lookout)) == 1
    lookout.see("gye1/disk ok", "gye1/tls ok", times=2)
    carry(lookout, expiry=without)
    (ticket,) = tickets(lookout)
    assert ticket.status == "closed"


def test_what_grows_worse_is_raised_to_its_new_class(lookout: Lookout):
    lookout.see("gye1/http slow", times=3)
    carry(lookout)
    assert [ticket.priority for ticket in tickets(lookout)] == [Priority.HIGH]
    lookout.see("gye1/http down", times=3)
    carry(lookout)
    assert [ticket.priority for ticket in tickets(lookout)] == [Priority.URGENT]
    lookout.see("gye1/http slow", times=3)
    carry(lookout)
    assert [ticket.priority for ticket in tickets(lookout)] == [Priority.URGENT]
