"""Operators hear of faults whatever the helpdesk does, and the workers come and go cleanly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.actions.messages import NOBODY
from monitor.identifiers import IncidentId, ServerId
from monitor.incidents.incident import Audience, Trouble
from monitor.journal.consequences import Channel, Delivery, DeliveryState, way
from monitor.journal.entries import Reason
from monitor.store import deliveries
from monitor.subscribers.port import Message
from tests.actions.conftest import EARS, INSTALLATION, House, Listeners, MakeHouse, webhook
from tests.tickets import builders

LATER = builders.START + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
PATIENCE_S = 60
TO_EARS = way(Channel.OPERATORS, EARS)


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
    assert {state for _, state in house.states(TO_EARS)} == {DeliveryState.DONE}


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
    assert house.states(TO_EARS)[0] == ("opened", DeliveryState.RETRY)
    house.operators.away = False
    house.wait(10 * MINUTE)
    assert ["Resuelto" in message.title for message in house.operators.heard] == [False, True]


def test_with_nobody_configured_a_message_is_done_and_says_so(make_house: MakeHouse) -> None:
    house = make_house(operators={})
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


def test_who_has_heard_it_does_not_hear_it_again_because_another_did_not(make_house: MakeHouse) -> None:
    near, far = Listeners(), Listeners(away=True)
    house = make_house(operators={"near": near, "far": far})
    house.happen(builders.opened(builders.incident()))
    house.wait(10 * MINUTE)
    assert (len(near.heard), len(far.heard)) == (1, 0)
    far.away = False
    house.wait(10 * MINUTE)
    assert (len(near.heard), len(far.heard)) == (1, 1)


def test_an_address_that_hangs_delays_no_other(make_house: MakeHouse) -> None:
    released, entered, near = threading.Event(), threading.Event(), Listeners()

    class Hanging:
        def tell(self, _message: object) -> bool:
            entered.set()
            return released.wait(PATIENCE_S)

    house = make_house(operators={"far": Hanging(), "near": near})

    async def live() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(house.deliverer.run(stop))
        house.queue(builders.opened(builders.incident()))
        house.deliverer.wake()
        await until(entered.is_set)
        house.queue(builders.resolved(builders.incident(), LATER))
        house.deliverer.wake()
        await until(lambda: len(near.heard) == 2)
        released.set()
        stop.set()
        await running

    asyncio.run(live())


def test_of_many_that_nobody_took_none_keeps_a_new_one_waiting(make_house: MakeHouse) -> None:
    class Slow(Listeners):
        def tell(self, message: Message) -> bool:
            house.clock.step(timedelta(seconds=25))
            return super().tell(message)

    house = make_house(operators={EARS: Slow(away=True)})
    house.record(builders.applied(builders.START, *(ServerId(f"server{number}") for number in range(20))))
    house.queue(
        *(
            builders.opened(builders.incident(numbered(number), ServerId(f"server{number}")))
            for number in range(20)
        )
    )
    for _ in range(100):
        house.deliverer.step()
    house.clock.step(10 * MINUTE)
    with house.database.reading() as tx:
        assert len(deliveries.due(tx, house.clock.now(), 100, TO_EARS)) == 20
    house.queue(replace(builders.opened(builders.incident()), moment=house.clock.now()))
    queued_at = house.clock.now()
    while (TO_EARS, DeliveryState.RETRY) not in [(row.channel, row.state) for row in house.rows(TO_EARS)]:
        assert house.deliverer.step()
    assert house.clock.now() - queued_at <= timedelta(seconds=50)


def test_what_waits_for_an_address_that_is_gone_goes_to_who_has_not_heard_it(make_house: MakeHouse) -> None:
    old, stays = Listeners(away=True), Listeners()
    house = make_house(operators={"old": old, "stays": stays})
    house.happen(builders.opened(builders.incident()))
    new = Listeners()
    house.deliverer = Deliverer(
        database=house.database,
        helpdesk=webhook(house.helpdesk, house.clock),
        operators={"stays": stays, "new": new},
        clock=house.clock,
        installation=INSTALLATION,
        append=lambda tx, entries: append(tx, entries, house.clock.now()),
    )
    house.deliverer.recover()
    house.steps()
    assert (len(old.heard), len(stays.heard), len(new.heard)) == (0, 1, 1)
    assert house.states("operators/old") == [("opened", DeliveryState.DONE)]


def test_what_waited_before_each_address_had_its_own_goes_to_all(make_house: MakeHouse) -> None:
    near, far = Listeners(), Listeners()
    house = make_house(operators={"near": near, "far": far})
    house.queue(builders.opened(builders.incident()))
    with house.database.writing() as tx:
        tx.execute("UPDATE deliveries SET state = 'retry', attempts = 4 WHERE channel = 'operators'")
    house.steps()
    assert (len(near.heard), len(far.heard)) == (1, 1)


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


def numbered(number: int) -> IncidentId:
    return IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P{number:04}")


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
