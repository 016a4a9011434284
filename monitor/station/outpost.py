"""`python -m monitor.station.outpost FD PARENT`: a process that looks for watch. It decides nothing and writes nothing.

Orders come over the socket that it was started with, looks go back in batches. It ends with watch, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import uvloop

from monitor.clock import SystemClock
from monitor.inventory.references import Secrets, Used
from monitor.observation import Observation, sound_measures
from monitor.prober import Prober, open_tools
from monitor.scheduling import Scheduler
from monitor.station.lifeline import die_with_parent
from monitor.station.logs import log_to_stderr
from monitor.station.lookout import Lookout
from monitor.station.wire import (
    Again,
    Close,
    Drop,
    Now,
    Open,
    Order,
    Renew,
    Take,
    Told,
    frame_of,
    read_order,
)

_log = logging.getLogger(__name__)

GATHER_S = 0.05
BEAT_S = 1.0
LIMIT = 20_000
"""So many looks wait while watch does not listen; beyond that the oldest are let go, and counted."""


class _Report:
    """Gathers what there is to tell and tells it, a batch at a time, never more than watch takes."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._news = asyncio.Event()
        self._looks: list[Observation] = []
        self._late: list[float] = []
        self._missed: list[str] = []
        self._faults: list[tuple[str, str]] = []
        self._dropped: list[int] = []
        self._skipped = 0
        self._lost = 0
        self._ending = False

    def look(self, observation: Observation) -> None:
        self._looks.append(replace(observation, measures=sound_measures(observation.measures)))
        over = len(self._looks) - LIMIT
        if over > 0:
            del self._looks[:over]
            self._lost += over
        self._news.set()

    def late(self, seconds: float) -> None:
        if len(self._late) < LIMIT:
            self._late.append(seconds)

    def skipped(self, looks: int) -> None:
        self._skipped += looks

    def missed(self, job: str) -> None:
        self._missed.append(job)

    def fault(self, part: str, words: str) -> None:
        self._faults.append((part, words))

    def dropped(self, number: int) -> None:
        self._dropped.append(number)
        self._news.set()

    def end(self) -> None:
        """Let `run` tell what is left and return."""
        self._ending = True
        self._news.set()

    async def run(self) -> None:
        """Tell what there is, and give a sign of life each second, until `end`."""
        while not self._ending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._news.wait()
                if not self._ending:
                    await asyncio.sleep(GATHER_S)
            self._news.clear()
            await self._tell()
        await self._tell()

    async def _tell(self) -> None:
        told = Told(
            looks=tuple(self._looks),
            late=tuple(self._late),
            skipped=self._skipped,
            lost=self._lost,
            missed=tuple(self._missed),
            faults=tuple(self._faults),
            dropped=tuple(self._dropped),
        )
        for gathered in (self._looks, self._late, self._missed, self._faults, self._dropped):
            gathered.clear()
        self._skipped = self._lost = 0
        try:
            self._writer.write(frame_of(told))
        except ValueError:
            self._writer.write(frame_of(self._without_unreadable(told)))
        await self._writer.drain()

    @staticmethod
    def _without_unreadable(told: Told) -> Told:
        """Return a report without the looks that cannot be written: a defect of ours costs the look that meets it, no other."""
        kept = tuple(look for look in told.looks if _is_writable(look))
        _log.error("%d looks cannot be handed over and are let go", len(told.looks) - len(kept))
        return replace(told, looks=kept, lost=told.lost + len(told.looks) - len(kept))


def _is_writable(look: Observation) -> bool:
    try:
        frame_of(Told(looks=(look,)))
    except ValueError:
        return False
    return True


async def serve(wire: socket.socket) -> None:
    """Look as orders say until the order to close, or until nobody gives any more."""
    reader, writer = await asyncio.open_unix_connection(sock=wire)
    orders: asyncio.Queue[Order | None] = asyncio.Queue()
    opening = await read_order(reader)
    if not isinstance(opening, Open):
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, partial(orders.put_nowait, Close()))
    for ignored in (signal.SIGINT, signal.SIGHUP):
        # A terminal sends these to everybody; what follows from them is watch's to say.
        loop.add_signal_handler(ignored, lambda: None)
    report = _Report(writer)
    clock = SystemClock()
    async with open_tools(opening.resolver, clock, policy=opening.policy) as tools:
        prober = Prober(tools=tools, clock=clock, deliver=report.look, per_host=opening.per_host)
        prober.on_start = lambda _key, seconds: report.late(seconds)
        scheduler = Scheduler(
            clock,
            lambda key, due: None if prober.begin(key, due) else report.skipped(1),
            partial(report.fault, "schedule"),
            on_skip=report.skipped,
            on_miss=report.missed,
        )
        lookout = Lookout(prober, scheduler, Secrets({}, Path()))
        scheduler.start()
        telling = asyncio.create_task(report.run())
        listening = asyncio.create_task(_listen(reader, orders))
        try:
            await _carry_out(orders, lookout, report)
        finally:
            listening.cancel()
            await scheduler.stop()
            await prober.close()
            report.end()
            with contextlib.suppress(ConnectionError):
                await telling
            writer.close()


async def _listen(reader: asyncio.StreamReader, orders: asyncio.Queue[Order | None]) -> None:
    while True:
        order = await read_order(reader)
        orders.put_nowait(order)
        if order is None:
            return


async def _carry_out(orders: asyncio.Queue[Order | None], lookout: Lookout, report: _Report) -> None:
    while (order := await orders.get()) is not None and not isinstance(order, Close):
        match order:
            case Renew():
                used = Used(folder=order.folder, variables=order.variables, files=order.files)
                lookout.renew(used.secrets())
            case Take():
                await lookout.take(order.assignments)
            case Drop():
                await lookout.drop(order.keys)
                report.dropped(order.number)
            case Again():
                lookout.again(order.key, order.after)
            case Now():
                lookout.now(order.keys)
            case Open():
                report.fault("prober", "was told twice how to look")


def main(arguments: list[str]) -> int:
    """Look until told to stop; 0 then."""
    descriptor, parent = int(arguments[0]), int(arguments[1])
    die_with_parent(parent)
    log_to_stderr()
    with socket.socket(fileno=descriptor) as wire:
        uvloop.run(serve(wire))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
