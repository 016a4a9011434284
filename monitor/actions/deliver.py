"""Carry out what the journal asks for: tickets at the helpdesk, messages to people.

Each channel has a queue and workers of its own, so that a helpdesk that takes its time delays no message. A worker takes
one delivery at a time: claim it, put the attempt on record, speak to the other side outside any transaction, and put
the result on record together with the journal's entries. Whatever dies in between is found again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from monitor.actions.messages import MessageCourier
from monitor.actions.outbox import Append, Outbox
from monitor.actions.ticket_task import Addressee
from monitor.actions.tickets import VERIFY, TicketCourier
from monitor.actions.verify import Verifier
from monitor.clock import Clock
from monitor.errors import BusyError, StoreError
from monitor.identifiers import IncidentId
from monitor.journal.consequences import Channel, Delivery
from monitor.store import deliveries, readings
from monitor.store.database import Database
from monitor.store.deliveries import DeliveryRow
from monitor.subscribers.port import Messenger
from monitor.tickets.port import Helpdesk

_LOG = logging.getLogger(__name__)

_WORKERS: Mapping[Channel, int] = {
    Channel.TICKET: 2,
    Channel.OPERATORS: 1,
    Channel.FALLBACK: 1,
    Channel.VERIFY: 1,
}
# Whoever queues something wakes the workers; they rest until what they know of is due, and look around once a minute.
_SHORTEST_REST_S = 1.0
_LONGEST_REST_S = 60.0
_FAREWELL_S = 5.0
_RECHECKED = timedelta(days=7)
_AFTER_A_FAULT = timedelta(seconds=60)


class _Courier(Protocol):
    def deliver(self, row: DeliveryRow) -> None:
        """Carry a delivery that is due one step on."""


class Deliverer:
    """Everything that leaves the house goes through here, once the journal has asked for it."""

    def __init__(  # noqa: PLR0913 - the station hands in each part by its name
        self,
        *,
        database: Database,
        helpdesk: Helpdesk,
        operators: Messenger,
        clock: Clock,
        installation: str,
        append: Append,
        department: str = "soporte",
        language: str = "es",
        fallback: Messenger | None = None,
        chance: Callable[[], float] = random.random,
        checkpoint: Callable[[str], None] = lambda _name: None,
        on_result: Callable[[str], None] = lambda _result: None,
    ) -> None:
        """Take the parts; nothing is started and nothing is read.

        `append` makes a batch of entries and hands it to the journal inside the transaction it is given. `language` is
        that of the tickets; messages speak the site's first one. Without `fallback` the operators hear what it would.
        `on_result` is told `done`, a fate, `rejected` or `duplicate` for every ticket's action. `checkpoint` is told the name
        of each point at which dying must lose nothing.
        """
        self._stopping = threading.Event()
        self._outbox = Outbox(
            database=database,
            clock=clock,
            append=append,
            chance=chance,
            checkpoint=checkpoint,
            stopping=self._stopping,
        )
        to = Addressee(helpdesk=helpdesk, installation=installation, department=department, language=language)
        self._couriers: Mapping[Channel, _Courier] = {
            Channel.TICKET: TicketCourier(self._outbox, to, on_result),
            Channel.OPERATORS: MessageCourier(self._outbox, operators),
            Channel.FALLBACK: MessageCourier(self._outbox, fallback or operators),
            Channel.VERIFY: Verifier(self._outbox, to, on_result),
        }
        self._dropped: list[int] = []
        self._news = tuple(threading.Event() for _ in range(sum(_WORKERS.values())))

    def recover(self) -> int:
        """Take back what a process that died had in hand; return how many deliveries that were. `run` begins with it."""
        now = self._outbox.clock.now()
        return self._outbox.record(lambda tx: deliveries.recover_after_crash(tx, now))

    def step(self, now: datetime | None = None) -> bool:
        """Carry the first delivery that is due one step on; False if nothing is due in any channel."""
        return any(self._step_in(channel, now) for channel in self._couriers)

    def appeal(self, incident: IncidentId | None = None) -> int:
        """Try again what was rejected, of one incident or of all: for a person who asks, and after a new configuration."""
        now = self._outbox.clock.now()
        with self._outbox.database.writing() as tx:
            found = deliveries.appeal(tx, now, incident)
        self.wake()
        return found

    def recheck(self) -> int:
        """Queue another look at the reference of every ticket of the last seven days; return how many those are."""
        now = self._outbox.clock.now()
        with self._outbox.database.writing() as tx:
            recent = [row.incident for row in readings.tickets(tx) if row.opened_at >= now - _RECHECKED]
            created = [row for each in recent for row in deliveries.of_incident(tx, each, Channel.TICKET)[:1]]
            for row in created:
                verify = Delivery(channel=Channel.VERIFY, incident=row.incident, action=VERIFY)
                deliveries.queue_later(tx, verify, entry=row.entry, due=now)
        return len(created)

    def wake(self) -> None:
        """Tell the workers that something may have been queued; may be called from any thread."""
        for news in self._news:
            news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then leave within a few seconds.

        A call that is still under way then is left alone: its attempt is on record, so the next start treats its fate
        as unknown and looks it up.
        """
        await asyncio.to_thread(self.recover)
        loop = asyncio.get_running_loop()
        ended = [loop.create_future() for _ in self._news]
        channels = [channel for channel, count in _WORKERS.items() for _ in range(count)]
        for channel, news, end in zip(channels, self._news, ended, strict=True):
            self._start(channel, news, partial(_tell, loop, end))
        await stop.wait()
        self._stopping.set()
        self.wake()
        _, late = await asyncio.wait(ended, timeout=_FAREWELL_S)
        if late:
            _LOG.warning(
                "%d calls to the outside are left behind; their fate is looked up at the next start",
                len(late),
            )

    def _start(self, channel: Channel, news: threading.Event, ended: Callable[[], None]) -> None:
        # Daemons, for a thread pool would hold the process until the slowest helpdesk has answered.
        name = f"deliver-{channel}"
        threading.Thread(target=self._work, args=(channel, news, ended), name=name, daemon=True).start()

    def _work(self, channel: Channel, news: threading.Event, ended: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                news.clear()
                if self._step_safely(channel):
                    # One channel may have queued something for another.
                    self.wake()
                else:
                    news.wait(self._rest_s(channel))
        finally:
            ended()

    def _rest_s(self, channel: Channel) -> float:
        """Return for how long nothing will be due in a channel, as far as is known now."""
        try:
            due = self._outbox.next_due(channel)
        except StoreError:
            return _SHORTEST_REST_S
        if self._dropped:
            return _SHORTEST_REST_S
        if due is None:
            return _LONGEST_REST_S
        ahead = (due - self._outbox.clock.now()).total_seconds()
        return min(max(ahead, _SHORTEST_REST_S), _LONGEST_REST_S)

    def _step_safely(self, channel: Channel) -> bool:
        try:
            return self._step_in(channel, None)
        except BusyError:
            return False
        except StoreError as error:
            _LOG.warning("%s deliveries wait for the database: %s", channel, error)
            return False
        except Exception:  # noqa: BLE001 - one delivery that trips the program must not silence a whole channel
            _LOG.exception("a %s delivery failed in us", channel)
            return False

    def _step_in(self, channel: Channel, now: datetime | None) -> bool:
        present = now or self._outbox.clock.now()
        self._pick_up_dropped(present)
        row = self._outbox.next(channel, present)
        if row is None:
            return False
        try:
            self._couriers[channel].deliver(row)
        except BaseException:
            self._dropped.append(row.id)
            raise
        return True

    def _pick_up_dropped(self, now: datetime) -> None:
        """What a fault of ours left in the middle goes on a minute later, as after a crash."""
        while self._dropped:
            delivery = self._dropped[0]
            with self._outbox.database.writing() as tx:
                deliveries.recover_after_crash(tx, now, delivery=delivery, due=now + _AFTER_A_FAULT)
            with suppress(ValueError):
                self._dropped.remove(delivery)


def _tell(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None]) -> None:
    # A worker that comes late may find the loop closed; nobody waits for it any more then.
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: None if end.done() else end.set_result(None))
