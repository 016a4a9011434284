"""What every courier needs: take a delivery, put each step on record before it has effects, and never lose a result."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from monitor.clock import Clock
from monitor.errors import BusyError, NotFoundError, StoreError
from monitor.fleet import Fleet
from monitor.journal.consequences import Channel, DeliveryState
from monitor.journal.entries import Entry
from monitor.store import deliveries, readings
from monitor.store.database import Database, Transaction
from monitor.store.deliveries import DeliveryRow, Standing
from monitor.tickets.delivery import (
    LONGEST_ASKED_PAUSE,
    Manner,
    Parcel,
    after_begin,
    after_claim,
    after_crash,
    next_step,
)
from monitor.tickets.port import DeliveryError, Fate

_LOG = logging.getLogger(__name__)
_BREATH_S = 0.5
_TRIES = 20

Lived = Callable[[datetime, datetime], timedelta]
Append = Callable[[Transaction, Sequence[Entry]], object]
Result = TypeVar("Result")


class LatestFleet:
    """The fleet as applied last, decoded once; a large one takes longer to decode than a ticket to write."""

    def __init__(self) -> None:
        self._known: tuple[int, Fleet] | None = None

    def read(self, tx: Transaction) -> Fleet:
        """Return the fleet that holds in `tx`; raises NotFoundError before there is one."""
        number, known = readings.fleet_number(tx), self._known
        if known is not None and known[0] == number:
            return known[1]
        fleet = readings.fleet(tx)
        if fleet is None:
            raise NotFoundError("no fleet was applied yet")
        self._known = (number, fleet)
        return fleet


def difference(since: datetime, until: datetime) -> timedelta:
    """Return the time between two moments of a clock that nobody sets."""
    return until - since


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """The deliveries in the database, with everything from outside that moving them takes.

    `chance` gives numbers from 0.0 to 1.0. `checkpoint` is told the name of every point at which a crash must lose
    nothing. `stopping` ends the patience of whoever waits for the database. `lived` tells how much time passed between two moments.
    """

    database: Database
    clock: Clock
    append: Append
    chance: Callable[[], float]
    checkpoint: Callable[[str], None]
    stopping: threading.Event
    lived: Lived = difference
    fleet: LatestFleet = field(default_factory=LatestFleet)
    _held: dict[str, datetime] = field(default_factory=dict)

    def due(self, channel: str, now: datetime, limit: int) -> tuple[DeliveryRow, ...]:
        """Return the deliveries of this channel that may go now, the longest due first and at most one of an incident."""
        if self._is_held(channel, now):
            return ()
        with self.database.reading() as tx:
            return deliveries.due(tx, now, limit, channel)

    def next_due(self, channel: str) -> datetime | None:
        """Return when something of this channel is due next, or since when it waits behind something else."""
        with self.database.reading() as tx:
            found = deliveries.next_due(tx, channel)
        held = self._held.get(_other_side(channel))
        return found if found is None or held is None else max(found, held)

    def heed(self, channel: str, error: DeliveryError) -> None:
        """Let nothing go to the same side for as long as it asked for a pause, if it did: it means all of us."""
        if error.retry_after is not None:
            self._held[_other_side(channel)] = self.clock.now() + min(error.retry_after, LONGEST_ASKED_PAUSE)

    def _is_held(self, channel: str, now: datetime) -> bool:
        side = _other_side(channel)
        until = self._held.get(side)
        if until is not None and not now < until <= now + LONGEST_ASKED_PAUSE:
            # It is over, or the clock was set back.
            self._held.pop(side, None)
            return False
        return until is not None

    def claim(self, row: DeliveryRow, manner: Manner) -> DeliveryRow | None:
        """Make a delivery ours, to be sent or to be looked up; None if somebody else was faster."""
        before = parcel_of(row)
        parcel = after_claim(before, next_step(before, manner))
        with self.database.writing() as tx:
            if not deliveries.move(tx, row, standing_of(parcel)):
                return None
        self.checkpoint("claimed")
        return moved(row, parcel)

    def begin(self, row: DeliveryRow) -> tuple[DeliveryRow, int]:
        """Record that the first byte is about to leave; return the row as it is now and the attempt's number."""
        now = self.clock.now()
        parcel = after_begin(parcel_of(row), now)

        def work(tx: Transaction) -> int:
            self.put(tx, row, parcel)
            return deliveries.begin_attempt(tx, row.id, now)

        number = self.record(work)
        self.checkpoint("recorded")
        return moved(row, parcel), number

    def finish(
        self,
        row: DeliveryRow,
        after: Parcel,
        ended: tuple[int, str, str],
        also: Callable[[Transaction], object] = lambda _tx: None,
    ) -> None:
        """Put on record what came of an attempt: its number, its outcome and what is to be said about it, and `also` what follows from it."""
        number, outcome, detail = ended
        now = self.clock.now()

        def work(tx: Transaction) -> None:
            self.put(tx, row, after)
            deliveries.end_attempt(tx, row.id, number, (now, outcome, detail))
            also(tx)

        self.record(work)
        self.checkpoint("committed")

    def recover(self) -> int:
        """Free what a process that died had in hand; return how many deliveries that were."""

        def work(tx: Transaction) -> int:
            rows = deliveries.held(tx)
            for row in rows:
                self._free(tx, row, self.clock.now())
            return len(rows)

        return self.record(work)

    def take_back(self, claimed: DeliveryRow, due: datetime) -> None:
        """Free a delivery at which whoever claimed it has failed, to go on at `due`; what was moved on since is left alone."""
        ours = ((claimed.state, claimed.attempts), (DeliveryState.SENDING, claimed.attempts + 1))
        with self.database.writing() as tx:
            for row in deliveries.held(tx):
                if row.id == claimed.id and (row.state, row.attempts) in ours:
                    self._free(tx, row, due)

    def _free(self, tx: Transaction, row: DeliveryRow, due: datetime) -> None:
        deliveries.interrupt(tx, row.id)
        self.put(tx, row, replace(after_crash(parcel_of(row), self.clock.now()), due=due))

    def put(self, tx: Transaction, row: DeliveryRow, parcel: Parcel) -> None:
        """Move a delivery that is ours; that somebody else has moved it is a fault of the program."""
        if not deliveries.move(tx, row, standing_of(parcel)):
            raise RuntimeError(f"delivery {row.id} was moved by somebody else")

    def record(self, work: Callable[[Transaction], Result]) -> Result:
        """Run one writing transaction, again and again while the database cannot take it.

        What the other side has done cannot be undone, so its answer is not dropped because of a locked file. When the
        service stops meanwhile, or the database refuses for good, the error leaves and the fate is unknown again.
        """
        return self._patiently(self.database.writing, work)

    def read(self, work: Callable[[Transaction], Result]) -> Result:
        """Run one reading transaction with the same patience, for a delivery that is ours already."""
        return self._patiently(self.database.reading, work)

    def _patiently(
        self, begin: Callable[[], AbstractContextManager[Transaction]], work: Callable[[Transaction], Result]
    ) -> Result:
        tries_left = _TRIES
        while True:
            try:
                with begin() as tx:
                    return work(tx)
            except StoreError as error:
                if self.database.is_together():
                    # Nothing is lost with what is taken back, and waiting here would hold up everybody else.
                    raise
                _LOG.warning("a delivery waits for the database: %s", error)
                # A locked file heals by waiting, and so may a full disk; what never heals must not block the channel.
                tries_left -= 0 if isinstance(error, BusyError) else 1
                if tries_left == 0 or self.stopping.wait(_BREATH_S):
                    raise


def _other_side(channel: str) -> str:
    """Return whom a channel speaks to: three of them to the helpdesk."""
    return Channel.TICKET if channel in (Channel.VERIFY, Channel.RAISE) else channel


def parcel_of(row: DeliveryRow) -> Parcel:
    """Return the part of a row that the delivery machine moves."""
    return Parcel(
        state=row.state, due=row.due_at, attempts=row.attempts, sent_at=row.sent_at, detail=row.detail
    )


def standing_of(parcel: Parcel) -> Standing:
    """Return how a parcel is stored."""
    return Standing(
        state=parcel.state,
        attempts=parcel.attempts,
        due_at=parcel.due,
        sent_at=parcel.sent_at,
        detail=parcel.detail,
    )


def moved(row: DeliveryRow, parcel: Parcel) -> DeliveryRow:
    """Return a row as it stands after a move."""
    return DeliveryRow(
        id=row.id,
        channel=row.channel,
        incident=row.incident,
        action=row.action,
        seq=row.seq,
        entry=row.entry,
        state=parcel.state,
        attempts=parcel.attempts,
        due_at=parcel.due,
        created_at=row.created_at,
        sent_at=parcel.sent_at,
        detail=parcel.detail,
    )


def guarded(call: Callable[[], Result]) -> Result:
    """Return what an outside call gives; an exception that no adapter should let out has an unknown fate."""
    try:
        return call()
    except DeliveryError:
        raise
    except Exception as error:
        _LOG.exception("an adapter let an exception out")
        raise DeliveryError(Fate.UNCERTAIN, f"our own fault: {type(error).__name__}") from error
