"""What every helpdesk owes us, asked of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.desk import StoredDesk
from monitor.store.database import Database
from monitor.tickets import KINDS
from monitor.tickets.port import (
    Action,
    DeliveryError,
    Fate,
    Helpdesk,
    HelpdeskTools,
    Order,
    Priority,
    TicketStatus,
)
from tests.conftest import SteppingClock
from tests.servers import helpdesk as fake

PAGE = "https://estado.nodored.example"
REFERENCE = "VG-TESTHAUS-01JD9ZK3V8QW5R7T2M4N6P8S0A"
Clean = Callable[[], None]


@pytest.fixture(params=sorted(KINDS))
def helpdesk(request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock) -> Iterator[Helpdesk]:
    kind = KINDS[request.param]
    database = Database.open(tmp_path / "vigia.db", owner=True)
    server = fake.Helpdesk(clock.now, honours_keys=True)
    raw = {"webhook": {"url": server.url, "secret": fake.SECRET}}.get(kind.name, {})
    tools = HelpdeskTools(book=StoredDesk(database, PAGE), now=clock.now, page=PAGE)
    yield kind.build(kind.options.model_validate(raw), tools)
    server.close()
    database.close()


def order(action: Action = Action.CREATE, ticket: str = "", seq: int = 1, **changes: object) -> Order:
    base = Order(
        action=action,
        reference=REFERENCE,
        key=f"{REFERENCE}-{action}-{seq}",
        ticket=ticket,
        subject=f"[{REFERENCE}] gye1: fuera de servicio",
        body="Se confirmó una falla: ñandú, «comillas», \N{PILE OF POO}.",
        priority=Priority.HIGH,
        department="soporte",
        language="es",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_it_is_registered_under_its_own_name(helpdesk: Helpdesk) -> None:
    assert KINDS[helpdesk.name].name == helpdesk.name
    assert helpdesk.search_lag >= timedelta(0)


def test_what_is_created_is_found_by_its_reference(helpdesk: Helpdesk) -> None:
    receipt = helpdesk.perform(order())
    [found] = helpdesk.find(REFERENCE)
    assert (found.ticket, found.reference) == (receipt.ticket, REFERENCE)
    assert (found.status, found.priority) == (TicketStatus.OPEN, Priority.HIGH)
    assert receipt.url.startswith("https://")


def test_the_same_order_twice_is_one_ticket(helpdesk: Helpdesk) -> None:
    first, second = helpdesk.perform(order()), helpdesk.perform(order())
    assert first == second
    assert len(helpdesk.find(REFERENCE)) == 1


def test_what_was_never_created_is_not_found(helpdesk: Helpdesk) -> None:
    helpdesk.perform(order())
    assert helpdesk.find(f"{REFERENCE}X") == ()
    assert helpdesk.find(REFERENCE[:-1]) == ()


def test_the_whole_life_of_a_ticket_shows(helpdesk: Helpdesk) -> None:
    ticket = helpdesk.perform(order()).ticket
    helpdesk.perform(order(Action.COMMENT, ticket, 2))
    helpdesk.perform(order(Action.PRIORITY, ticket, 3, priority=Priority.URGENT))
    assert helpdesk.find(REFERENCE)[0].priority is Priority.URGENT
    helpdesk.perform(order(Action.RESOLVE, ticket, 4, priority=Priority.URGENT))
    assert helpdesk.find(REFERENCE)[0].status is TicketStatus.CLOSED
    helpdesk.perform(order(Action.REOPEN, ticket, 5, priority=Priority.URGENT))
    [found] = helpdesk.find(REFERENCE)
    assert (found.status, found.priority) == (TicketStatus.OPEN, Priority.URGENT)


def test_an_action_that_comes_again_after_others_changes_nothing(helpdesk: Helpdesk) -> None:
    ticket = helpdesk.perform(order()).ticket
    close, again = order(Action.RESOLVE, ticket, 2), order(Action.REOPEN, ticket, 3)
    for each in (close, again, close):
        helpdesk.perform(each)
    assert helpdesk.find(REFERENCE)[0].status is TicketStatus.OPEN


@pytest.mark.parametrize("ticket", ["99", "no-number", "9" * 40])
def test_a_ticket_that_does_not_exist_is_missing(helpdesk: Helpdesk, ticket: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        helpdesk.perform(order(Action.COMMENT, ticket, 2))
    assert caught.value.fate is Fate.MISSING
