"""Carry out what the journal asks for: tickets at the helpdesk, messages to people.

Each channel has a queue and workers of its own, so that a helpdesk that takes its time delays no message; so has each
address of the operators, so that one that is dead delays no other. A worker takes
one delivery at a time: claim it, put the attempt on record, speak to the other side outside any transaction, and put
the result on record together with the journal's entries. Whatever dies in between is found again at the next start.

Where no byte leaves the house (the built-in desk, messages that nobody asked for) nothing can be lost in between: there
one worker carries many deliveries in one transaction, all or none.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Protocol

from monitor.actions.desk_letters import LetterCourier
from monitor.actions.messages import Announcer, MessageCourier, Silence
from monitor.actions.outbox import Append, Outbox, difference
from monitor.actions.raising import ComplaintCourier, RaiseCourier
from monitor.actions.ticket_task import Addressee
from monitor.actions.tickets import VERIFY, TicketCourier, manner_at
from monitor.actions.verify import Verifier
from monitor.clock import Clock
from monitor.errors import BusyError, StoreError
from monitor.identifiers import IncidentId
from monitor.incidents.problem import Problem
from monitor.journal.consequences import Channel, Delivery, way
from monitor.store import deliveries, readings
from monitor.store.database import Database
from monitor.store.deliveries import DeliveryRow
from monitor.subscribers.port import Messenger
from monitor.tickets.classes import SHIPPED, Grade
from monitor.tickets.desk_mail import DeskMailOptions
from monitor.tickets.port import Helpdesk
from monitor.tickets.priorities import Priority

_LOG = logging.getLogger(__name__)

_WORKERS: Mapping[Channel, int] = {
    Channel.TICKET: 2,
    Channel.VERIFY: 1,
    Channel.RAISE: 1,
    Channel.COMPLAINT: 1,
    Channel.MAIL: 1,
}
# What is said there is shared out to its addresses, each with a worker of its own.
_SHARED = (Channel.OPERATORS, Channel.FALLBACK)
# Whoever queues something wakes the workers; they rest until what they know of is due, and look around once a minute.
_SHORTEST_REST_S = 1.0
_LONGEST_REST_S = 60.0
_FAREWELL_S = 5.0
# At home, those that are queued one after the other share a commit; a larger one would keep looks waiting.
_GATHER_S = 0.5
_TOGETHER = 50
_RECHECKED = timedelta(days=7)
_AFTER_A_FAULT = timedelta(seconds=60)


class _Courier(Protocol):
    def carry(self, claimed: DeliveryRow) -> None:
        """Carry a delivery that was claimed one step on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One worker's place: the channels that it serves, how it is woken, and what a fault of ours left in its hands."""

    channels: tuple[str, ...]
    at_home: bool = False
    news: threading.Event = field(default_factory=threading.Event)
    dropped: list[DeliveryRow] = field(default_factory=list)


class Deliverer:
    """Everything that leaves the house goes through here, once the journal has asked for it."""

    def __init__(  # noqa: PLR0913 - the station hands in each part by its name
        self,
        *,
        database: Database,
        helpdesk: Helpdesk,
        operators: Mapping[str, Messenger],
        clock: Clock,
        installation: str,
        append: Append,
        lived: Callable[[datetime, datetime], timedelta] = difference,
        department: str = "soporte",
        language: str = "es",
        public: bool = False,
        classes: Mapping[Problem, Grade] = SHIPPED,
        drill: Priority = Priority.LOW,
        fallback: Mapping[str, Messenger] = MappingProxyType({}),
        heads: Mapping[str, Messenger] = MappingProxyType({}),
        mail: DeskMailOptions | None = None,
        at_home: frozenset[Channel] = frozenset(),
        chance: Callable[[], float] = random.random,
        checkpoint: Callable[[str], None] = lambda _name: None,
        on_result: Callable[[str], None] = lambda _result: None,
    ) -> None:
        """Take the parts; nothing is started and nothing is read.

        `append` makes a batch of entries and hands it to the journal inside the transaction it is given. `lived` tells how much time passed
        between two moments of `clock`, whatever was done to that one meanwhile. `language` is
        that of the tickets; messages speak the site's first one. `public` tells that follow-ups on tickets are no internal notes, `classes` who is to treat which problem, `drill` how urgent a drill is. `operators` and `fallback` are who speaks to each of their
        addresses, by names under which these are put on record; without `fallback` the operators hear what it would.
        `heads` answer for departments, by their ids: they hear of tickets that nobody answers.
        `mail` is how the built-in desk writes letters, if it does. `at_home` are the channels from which no byte leaves the house: the helpdesk's when its tickets lie in
        `database`, those for heads and requesters when nobody asked to be told.
        `on_result` is told `done`, a fate, `rejected` or `duplicate` for every ticket's action. `checkpoint` is told the name
        of each point at which dying must lose nothing.
        """
        self._stopping = threading.Event()
        self._ended: Sequence[asyncio.Future[None]] = ()
        self._outbox = Outbox(
            database=database,
            clock=clock,
            append=append,
            chance=chance,
            checkpoint=checkpoint,
            stopping=self._stopping,
            lived=lived,
        )
        to = Addressee(
            helpdesk=helpdesk,
            installation=installation,
            department=department,
            language=language,
            at_home=Channel.TICKET in at_home,
            public=public,
            classes=classes,
            drill=drill,
        )
        self._helpdesk = helpdesk
        spoken = {Channel.OPERATORS: operators, Channel.FALLBACK: fallback or operators}
        self._announcers: Mapping[str, Announcer] = {
            channel: Announcer(self._outbox, channel, found) for channel, found in spoken.items()
        }
        self._couriers: Mapping[str, _Courier] = {
            Channel.TICKET: TicketCourier(self._outbox, to, on_result),
            Channel.VERIFY: Verifier(self._outbox, to, on_result),
            Channel.RAISE: RaiseCourier(self._outbox, to, on_result),
            Channel.COMPLAINT: ComplaintCourier(self._outbox, to, heads),
            Channel.MAIL: self._letters(mail),
            **self._announcers,
            **{
                way(channel, address): MessageCourier(self._outbox, messenger)
                for channel, found in spoken.items()
                for address, messenger in found.items()
            },
        }
        self._posts = _posts(at_home, tuple(dict.fromkeys((*operators, *fallback))))

    def _letters(self, mail: DeskMailOptions | None) -> _Courier:
        return Silence(self._outbox) if mail is None else LetterCourier(self._outbox, mail)

    def recover(self) -> int:
        """Take back what a process that died had in hand; return how many deliveries that were. `run` begins with it."""
        found = self._outbox.recover()
        for announcer in self._announcers.values():
            announcer.redirect()
        return found

    def step(self, now: datetime | None = None) -> bool:
        """Carry the first delivery that is due one step on, or all at home; False if nothing is due in any channel."""
        return any(self._round(post, now) for post in self._posts)

    def appeal(self, incident: IncidentId | None = None) -> int:
        """Try again what the helpdesk refused, of one incident or of all: for a person who asks, and after a new configuration."""
        now = self._outbox.clock.now()
        with self._outbox.database.writing() as tx:
            found = deliveries.appeal(tx, now, incident)
        self.wake()
        return found

    def recheck(self) -> int:
        """Queue another look at the reference of every ticket of the last seven days; return how many those are."""
        now = self._outbox.clock.now()
        with self._outbox.database.writing() as tx:
            recent = readings.tickets(tx, since=now - _RECHECKED)
            created = [
                row
                # The oldest first: whether others are found is known by the time of the one that was lost.
                for each in reversed(recent)
                for row in deliveries.of_incident(tx, each.incident, Channel.TICKET)[:1]
            ]
            for row in created:
                verify = Delivery(channel=Channel.VERIFY, incident=row.incident, action=VERIFY)
                deliveries.queue_later(tx, verify, entry=row.entry, due=now)
        return len(created)

    def wake(self) -> None:
        """Tell the workers that something may have been queued; may be called from any thread."""
        for post in self._posts:
            post.news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then leave within a few seconds.

        A call that is still under way then is left alone: its attempt is on record, so the next start treats its fate
        as unknown and looks it up.
        """
        loop = asyncio.get_running_loop()
        ended: list[asyncio.Future[None]] = []
        try:
            await asyncio.to_thread(self.recover)
            self._ended = ended = [loop.create_future() for _ in self._posts]
            for post, end in zip(self._posts, ended, strict=True):
                self._start(post, partial(_tell, loop, end))
            await stop.wait()
        finally:
            # Whoever is cancelled leaves no thread behind either.
            self._stopping.set()
            self.wake()
        _, late = await asyncio.wait(ended, timeout=_FAREWELL_S)
        if late:
            _LOG.warning(
                "%d calls to the outside are left behind; their fate is looked up at the next start",
                len(late),
            )

    async def last_calls(self) -> None:
        """Wait until every call is over that `run` left behind: only then may another one deliver."""
        if self._ended:
            await asyncio.wait(self._ended)

    def _start(self, post: _Post, ended: Callable[[], None]) -> None:
        # Daemons, for a thread pool would hold the process until the slowest helpdesk has answered.
        name = f"deliver-{post.channels[0]}"
        threading.Thread(target=self._work, args=(post, ended), name=name, daemon=True).start()

    def _work(self, post: _Post, ended: Callable[[], None]) -> None:
        gather_s = _GATHER_S if post.at_home else 0.0
        try:
            while not self._stopping.is_set():
                post.news.clear()
                if self._round_safely(post):
                    # One channel may have queued something for another.
                    self.wake()
                else:
                    post.news.wait(self._rest_s(post))
                    self._stopping.wait(gather_s)
        finally:
            ended()

    def _rest_s(self, post: _Post) -> float:
        """Return for how long nothing will be due at a post, as far as is known now."""
        try:
            due = [self._outbox.next_due(channel) for channel in post.channels]
        except StoreError:
            return _SHORTEST_REST_S
        if post.dropped:
            return _SHORTEST_REST_S
        soonest = min((moment for moment in due if moment is not None), default=None)
        if soonest is None:
            return _LONGEST_REST_S
        ahead = (soonest - self._outbox.clock.now()).total_seconds()
        return min(max(ahead, _SHORTEST_REST_S), _LONGEST_REST_S)

    def _round_safely(self, post: _Post) -> bool:
        try:
            return self._round(post, None)
        except BusyError:
            return False
        except StoreError as error:
            _LOG.warning("%s deliveries wait for the database: %s", post.channels[0], error)
            return False
        except Exception:  # noqa: BLE001 - one delivery that trips the program must not silence a whole channel
            _LOG.exception("a %s delivery failed in us", post.channels[0])
            return False

    def _round(self, post: _Post, now: datetime | None) -> bool:
        present = now or self._outbox.clock.now()
        self._take_back(post, present)
        if post.at_home:
            return self._all_at_home(post, present)
        return any(self._step_in(post, channel, present) for channel in post.channels)

    def _all_at_home(self, post: _Post, now: datetime) -> bool:
        """Carry what is due at a post in one transaction; what does not go together goes one by one."""
        rows = [row for channel in post.channels for row in self._outbox.due(channel, now, _TOGETHER)]
        if not rows:
            return False
        try:
            with self._outbox.database.together():
                for row in rows:
                    claimed = self._claim(row)
                    if claimed is not None:
                        self._couriers[row.channel].carry(claimed)
        except BusyError:
            raise
        except Exception:  # noqa: BLE001 - one that trips the program must not hold back the others
            _LOG.exception("%d deliveries are taken back, to go one by one", len(rows))
            carried = [self._step_in(post, channel, now) for channel in post.channels]
            return any(carried)
        return True

    def _step_in(self, post: _Post, channel: str, now: datetime) -> bool:
        rows = self._outbox.due(channel, now, 1)
        if not rows:
            return False
        claimed = self._claim(rows[0])
        if claimed is None:
            # Another worker was faster.
            return True
        try:
            self._couriers[channel].carry(claimed)
        except BaseException:
            post.dropped.append(claimed)
            raise
        return True

    def _claim(self, row: DeliveryRow) -> DeliveryRow | None:
        return self._outbox.claim(row, manner_at(self._helpdesk, row))

    def _take_back(self, post: _Post, now: datetime) -> None:
        """What a fault of ours left in the middle goes on a minute later, as after a crash; only whoever had it may say so."""
        while post.dropped:
            self._outbox.take_back(post.dropped[0], now + _AFTER_A_FAULT)
            del post.dropped[0]


def _posts(at_home: frozenset[Channel], addresses: Sequence[str]) -> tuple[_Post, ...]:
    """Return one post for each worker: those at home share one, every address has its own, every other channel as many as it needs."""
    outside = tuple(
        _Post(channels=(channel,))
        for channel, count in _WORKERS.items()
        if channel not in at_home
        for _ in range(count)
    )
    spoken = tuple(
        _Post(channels=tuple(way(channel, address) for channel in _SHARED)) for address in addresses
    )
    inside = _Post(
        channels=(*(channel for channel in _WORKERS if channel in at_home), *_SHARED), at_home=True
    )
    return (*outside, inside, *spoken)


def _tell(loop: asyncio.AbstractEventLoop, end: asyncio.Future[None]) -> None:
    # A worker that comes late may find the loop closed; nobody waits for it any more then.
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: None if end.done() else end.set_result(None))
