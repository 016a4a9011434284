"""Another process that looks for us: started, listened to, and replaced at once when it dies or falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets
from monitor.observation import Observation
from monitor.prober import Known
from monitor.station.lookout import Assignment, Listener, taken_until
from monitor.station.wire import Again, Close, Drop, Now, Open, Order, Renew, Take, Told, frame_of, read_told

_log = logging.getLogger(__name__)

SILENT_S = 5
"""One that has given no sign of life for so many seconds of ours hangs, and is killed."""
STARTING_S = 60
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_CALM_AFTER_S = 10.0
_LAST_WORDS_S = 4.0


class Remote:
    """Looks by another process, and keeps what that would need to know if it had to begin anew."""

    def __init__(
        self,
        name: str,
        opening: Open,
        *,
        listener: Listener,
        clock: Clock,
        on_return: Callable[[Iterable[CheckKey]], None],
    ) -> None:
        """Start it; `on_return` is told which checks a process that begins has from another one, because what was wished for them is lost."""
        self._name = name
        self._opening = opening
        self._listener = listener
        self._clock = clock
        self._on_return = on_return
        self._plans: dict[CheckKey, CheckPlan] = {}
        self._known: dict[CheckKey, Known] = {}
        self._fresh: set[CheckKey] = set()
        self._secrets: Secrets | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._drops: dict[int, asyncio.Future[None]] = {}
        self._numbers = 0
        self._closing = False
        self._heard = False
        self._there = asyncio.Event()
        self._running = asyncio.create_task(self._run(), name=name)

    async def ready(self) -> None:
        """Wait for the first sign of life, but for no longer than a start may take: checks wait meanwhile."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._there.wait(), STARTING_S)

    def renew(self, secrets: Secrets) -> None:
        """Send what references stand for from now on."""
        self._secrets = secrets
        self._send(_renewal(secrets))

    async def drop(self, keys: Collection[CheckKey]) -> Mapping[CheckKey, Known]:
        """Have these checks looked at no more; every look of theirs that has ended was handed over when this returns."""
        for key in keys:
            self._plans.pop(key, None)
        if self._writer is not None:
            self._numbers += 1
            done = self._drops[self._numbers] = asyncio.get_running_loop().create_future()
            self._send(Drop(keys=tuple(keys), number=self._numbers))
            # A process that dies before it answers looks at nothing either: then the future ends as well.
            await done
        return {key: self._known.pop(key, Known()) for key in keys}

    async def take(self, assignments: Iterable[Assignment]) -> None:
        """Have these checks looked at from now on."""
        taken = tuple(assignments)
        for each in taken:
            self._plans[each.plan.key] = each.plan
            self._known[each.plan.key] = each.known
        if self._writer is None:
            self._fresh.update(each.plan.key for each in taken if each.until is None)
        else:
            self._send(Take(assignments=taken))

    def again(self, key: CheckKey, after: timedelta) -> None:
        """Have a check looked at once more `after` this moment."""
        self._send(Again(key=key, after=after))

    def now(self, keys: Iterable[CheckKey]) -> None:
        """Have these checks looked at once."""
        self._send(Now(keys=tuple(keys)))

    async def close(self) -> None:
        """Have the process hand over every look that has ended, and end; one that takes too long is killed."""
        self._closing = True
        self._send(Close())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._running), _LAST_WORDS_S)
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    def _send(self, order: Order) -> None:
        """Send an order, if anybody is there: whoever comes is told everything that still counts."""
        if self._writer is not None:
            self._writer.write(frame_of(order))

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            began = self._clock.monotonic()
            try:
                await self._live()
            except Exception as error:  # noqa: BLE001 - whatever went wrong, somebody has to look at these checks
                _log.error("%s cannot be worked with: %s: %s", self._name, type(error).__name__, error)
            if self._closing:
                return
            calm = self._clock.monotonic() - began > _CALM_AFTER_S
            pause = _FIRST_PAUSE_S if calm else min(2 * pause, _LONGEST_PAUSE_S)
            self._listener.fault("prober", f"{self._name} ended by itself; another process takes its place")
            await asyncio.sleep(pause)

    async def _live(self) -> None:
        """Start a process and listen to it until it ends, whatever ends it."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "monitor.station.outpost", str(theirs.fileno()), str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        watching = asyncio.create_task(self._kill_if_silent(process))
        try:
            self._begin(writer)
            while (told := await read_told(reader)) is not None:
                self._heard = True
                self._there.set()
                self._hear(told)
        finally:
            self._writer = None
            watching.cancel()
            writer.close()
            for done in self._drops.values():
                if not done.done():
                    done.set_result(None)
            self._drops.clear()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _begin(self, writer: asyncio.StreamWriter) -> None:
        """Tell a new process how to look and at what; it goes on with turns where the one before stopped."""
        self._writer, self._heard = writer, False
        self._send(self._opening)
        if self._secrets is not None:
            self._send(_renewal(self._secrets))
        moment, present = self._clock.monotonic(), self._clock.now()
        self._send(
            Take(assignments=tuple(self._assignment(plan, moment, present) for plan in self._plans.values()))
        )
        settled = self._plans.keys() - self._fresh
        self._fresh.clear()
        self._on_return(settled)

    def _assignment(self, plan: CheckPlan, moment: float, present: datetime) -> Assignment:
        known = self._known[plan.key]
        settled = plan.key not in self._fresh
        until = taken_until(plan, known.looked_at, moment, present) if settled else None
        return Assignment(plan=plan, until=until, known=known)

    async def _kill_if_silent(self, process: Process) -> None:
        """Count by our own turns: a machine that was suspended makes nobody silent."""
        silent, patience = 0, STARTING_S
        while silent < patience:
            await asyncio.sleep(1)
            silent += 1
            if self._heard:
                self._heard, silent, patience = False, 0, SILENT_S
        _log.error("%s gave no sign of life for %d s and is killed", self._name, patience)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    def _hear(self, told: Told) -> None:
        listener = self._listener
        for look in told.looks:
            self._note(look)
            listener.look(look)
        for seconds in told.late:
            listener.late(seconds)
        for number in told.dropped:
            self._drops.pop(number).set_result(None)
        self._hear_of_trouble(told)

    def _hear_of_trouble(self, told: Told) -> None:
        listener = self._listener
        if told.skipped:
            listener.skipped(told.skipped)
        if told.lost:
            listener.dropped(told.lost)
        for job in told.missed:
            listener.missed(job)
        for part, words in told.faults:
            listener.fault(part, words)

    def _note(self, look: Observation) -> None:
        known = self._known.get(look.check)
        if known is not None:
            memory = known.memory if look.remember is None else look.remember
            self._known[look.check] = Known(sequence=look.sequence, looked_at=look.started_at, memory=memory)


def _renewal(secrets: Secrets) -> Renew:
    used = secrets.used()
    return Renew(folder=used.folder, variables=used.variables, files=used.files)
