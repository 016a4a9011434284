"""Operators hear of faults whatever the helpdesk does, and the workers come and go cleanly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from monitor.actions.messages import NOBODY
from monitor.incidents.incident import Audience, Trouble
from monitor.journal.consequences import Channel, Delivery, DeliveryState
from monitor.journal.entries import Reason
from monitor.store import deliveries
from tests.actions.conftest import House, MakeHouse
from tests.tickets import builders

LATER = builders.START + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
PATIENCE_S = 60


def test_operators_hear_of_a_fault_its_worsening_its_end_and_its_return(house: House) -> None:
    whole = builders.incident()
    house.happen(
        builders.opened(whole),
        builders.updated(whole, Reason.WORSENED, LATER),
        builders.resolved(whole, LATER + MINUTE),
        builders.reopened(whole, LATER + 2 * MINUTE),
    )
    assert [message.title.split("] ")[1].split(":")[0] for message in house.operators.heard] == [
        "gye1.nodored.example",
        "Empeora",
        "Resuelto",
        "Vuelve a fallar",
    ]


def test_of_a_blocked_view_that_blocked_the_message_too_operators_hear_once_when_it_is_over(
    house: House,
) -> None:
    own = replace(
        builders.incident(), audience=Audience.OPERATORS, servers=(), checks=(), trouble=Trouble.ISOLATED
    )
    house.operators.away = True
    house.happen(builders.opened(own, builders.evidence()), builders.resolved(own, LATER))
    house.operators.away = False
    house.clock.step(60 * MINUTE)
    house.steps()
    assert [message.title for message in house.operators.heard if "Resuelto" not in message.title] == []
    assert len(house.operators.heard) == 1
    assert {state for _, state in house.states("operators")} == {DeliveryState.DONE}


def test_operators_hear_of_a_false_alarm_by_whom_and_why(house: House) -> None:
    whole = builders.incident()
    house.happen(builders.opened(whole), builders.retracted(whole, LATER))
    last = house.operators.heard[-1]
    assert last.title.startswith("[Nodored] Falsa alarma: ")
    assert "ana retiró el incidente: Se cortó nuestra propia línea." in last.body


def test_a_message_that_nobody_took_is_said_again_in_order(house: House) -> None:
    whole = builders.incident()
    house.operators.away = True
    house.happen(builders.opened(whole), builders.resolved(whole, LATER))
    assert house.states("operators")[0] == ("opened", DeliveryState.RETRY)
    house.operators.away = False
    house.wait(10 * MINUTE)
    assert ["Resuelto" in message.title for message in house.operators.heard] == [False, True]


def test_with_nobody_configured_a_message_is_done_and_says_so(house: House) -> None:
    house.operators.asked = False
    house.happen(builders.opened(builders.incident()))
    [row] = house.rows("operators")
    assert (row.state, row.detail) == (DeliveryState.DONE, NOBODY)


def test_a_messenger_that_breaks_is_tried_again(house: House) -> None:
    tell = house.operators.tell

    def broken(_message: object) -> None:
        raise RuntimeError("a plug-in of somebody else")

    house.operators.tell = broken  # type: ignore[method-assign,assignment]
    house.happen(builders.opened(builders.incident()))
    house.operators.tell = tell  # type: ignore[method-assign]
    house.wait(MINUTE)
    assert len(house.operators.heard) == 1


def test_what_waits_is_counted_by_channel_with_its_age(house: House) -> None:
    house.queue(builders.opened(builders.incident()))
    with house.database.reading() as tx:
        waiting = deliveries.pending(tx)
    assert {channel: backlog.count for channel, backlog in waiting.items()} == {"ticket": 1, "operators": 1}
    assert waiting["ticket"].oldest_at == builders.incident().opened_at
    house.steps()
    with house.database.reading() as tx:
        assert deliveries.pending(tx) == {}


def test_a_recheck_looks_every_recent_ticket_up_again(house: House) -> None:
    house.happen(builders.opened(builders.incident()))
    assert house.deliverer.recheck() == 1
    house.steps()
    assert house.states("verify") == [("verify", DeliveryState.DONE)] * 2
    house.clock.step(timedelta(days=8))
    assert house.deliverer.recheck() == 0


async def until(fact: Callable[[], object]) -> None:
    """Wait for a fact, a minute at most."""
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110 - the fact lies in another thread or in the database
            await asyncio.sleep(0.02)


def test_a_helpdesk_that_hangs_delays_no_message(make_house: MakeHouse) -> None:
    released = threading.Event()
    entered = threading.Event()

    class Hanging:
        name = "hanging"
        search_lag = timedelta(0)

        def perform(self, _order: object) -> None:
            entered.set()
            released.wait(PATIENCE_S)
            raise RuntimeError

        def find(self, _reference: str) -> tuple[()]:
            return ()

    house = make_house(port=Hanging())

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.deliverer.run(stop))
        house.queue(builders.opened(builders.incident()))
        house.deliverer.wake()
        await until(lambda: house.operators.heard and entered.is_set())
        released.set()
        stop.set()
        await running

    asyncio.run(live())
    assert house.states()[0][1] is not DeliveryState.DONE


def test_the_workers_deliver_what_is_queued_and_leave_when_asked(house: House) -> None:
    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.deliverer.run(stop))
        house.queue(builders.opened(builders.incident()))
        house.deliverer.wake()
        await until(lambda: house.helpdesk.tickets and house.operators.heard)
        await until(lambda: house.states("verify") == [("verify", DeliveryState.DONE)])
        stop.set()
        await running

    asyncio.run(live())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("deliver-")]


def test_the_workers_leave_a_call_that_lasts_and_the_next_start_finds_it(make_house: MakeHouse) -> None:
    released, entered = threading.Event(), threading.Event()

    class Endless:
        name = "endless"
        search_lag = timedelta(0)

        def perform(self, _order: object) -> None:
            entered.set()
            released.wait(PATIENCE_S)
            raise RuntimeError

        def find(self, _reference: str) -> tuple[()]:
            return ()

    house = make_house(port=Endless())

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.deliverer.run(stop))
        house.queue(builders.opened(builders.incident()))
        house.deliverer.wake()
        await until(entered.is_set)
        stop.set()
        await running

    asyncio.run(live())
    try:
        assert house.states() == [("create", DeliveryState.SENDING)]
    finally:
        released.set()
        for thread in threading.enumerate():
            if thread.name.startswith("deliver-"):
                thread.join(PATIENCE_S)
    house.deliverer.recover()
    assert house.states()[0][1] is not DeliveryState.SENDING


def test_workers_rest_until_something_is_due(house: House) -> None:
    """An idle service that looks into its queues every second costs more than many looks."""

    def rest(channel: Channel) -> float:
        return house.deliverer._rest_s(
            next(post for post in house.deliverer._posts if channel in post.channels)
        )

    assert rest(Channel.TICKET) == 60
    house.queue(builders.opened(builders.incident()))
    assert rest(Channel.TICKET) == 1
    house.steps()
    assert rest(Channel.TICKET) == 60
    later = Delivery(channel=Channel.VERIFY, incident=builders.INCIDENT, action="verify")
    with house.database.writing() as tx:
        deliveries.queue_later(tx, later, entry=1, due=house.clock.now() + timedelta(seconds=42))
    assert rest(Channel.VERIFY) == 42
