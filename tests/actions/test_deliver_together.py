"""Two workers serve the helpdesk, and other processes the database: a delivery is moved by whoever has it, and by nobody else."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.journal.consequences import DeliveryState
from monitor.journal.entries import Reason
from monitor.store.database import Database
from monitor.tickets.port import Action, Order, Receipt
from tests.actions.conftest import House, MakeHouse
from tests.actions.test_deliver_messages import until
from tests.tickets import builders

MINUTE = timedelta(minutes=1)
IN_HAND = {DeliveryState.READY, DeliveryState.CLAIMED, DeliveryState.SENDING}


class Slow:
    """A helpdesk that takes longer over a comment than a worker rests."""

    name = "slow"
    search_lag = timedelta(0)
    records = None

    def __init__(self) -> None:
        self.told: list[str] = []

    def perform(self, order: Order) -> Receipt:
        self.told.append(order.key)
        if order.action is Action.COMMENT:
            threading.Event().wait(1.6)
        return Receipt(ticket="1", url="")

    def find(self, _reference: str) -> tuple[()]:
        return ()


@pytest.mark.parametrize("held_s", [0.3, 0.45])
def test_a_worker_that_found_the_database_busy_takes_nothing_from_the_one_that_was_faster(
    make_house: MakeHouse, held_s: float
) -> None:
    """Both read the same row; the patience of one ends while another process writes, and the other one sends it."""
    port = Slow()
    house = make_house(port=port)
    whole = builders.incident()
    house.happen(builders.opened(whole))

    def states() -> list[DeliveryState]:
        return [state for _, state in house.states()]

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.deliverer.run(stop))
        try:
            await until(
                lambda: [thread.name for thread in threading.enumerate()].count("deliver-ticket") == 2
            )
            house.queue(builders.updated(whole, Reason.EASED, house.clock.now() + MINUTE))
            await asyncio.to_thread(hold, house.database.path, held_s, house)
            await until(lambda: not IN_HAND.intersection(states()))
        finally:
            stop.set()
            await running

    asyncio.run(live())
    assert states() == [DeliveryState.DONE, DeliveryState.DONE]
    assert len(port.told) == len(set(port.told)) == 2


def hold(path: Path, seconds: float, house: House) -> None:
    """Write like another process for so long, and wake the workers meanwhile."""
    other = Database.open(path, owner=False)
    try:
        with other.writing() as tx:
            tx.execute("UPDATE deliveries SET detail = detail")
            house.deliverer.wake()
            threading.Event().wait(seconds)
    finally:
        other.close()
