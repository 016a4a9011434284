"""Who reads what the helpdesk holds: duties that come again, on a thread of their own, away from what is delivered."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.errors import BusyError, VigiaError

_LOG = logging.getLogger(__name__)
_LONGEST_REST_S = 60.0
_FAREWELL_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One thing to be done again and again: `do` is told the moment and returns whether something was put on record.

    It blocks, and asks the outside outside of any transaction.
    """

    name: str
    every: timedelta
    do: Callable[[datetime], bool]


class Clerk:
    """Carries its duties out one after the other; one that fails is tried again at its next turn."""

    def __init__(
        self,
        duties: Sequence[Duty],
        clock: Clock,
        on_news: Callable[[], None],
        stopping: threading.Event | None = None,
    ) -> None:
        """Take the duties; `on_news` is called on the clerk's thread after one that put something on record. `stopping` is set when it is to end."""
        self._duties = tuple(duties)
        self._clock = clock
        self._on_news = on_news
        self._due = dict.fromkeys((duty.name for duty in self._duties), 0.0)
        self._stopping = stopping or threading.Event()
        self._ended: asyncio.Future[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then leave within a few seconds; a call that lasts longer is left alone."""
        if not self._duties:
            return
        loop = asyncio.get_running_loop()
        ended = self._ended = loop.create_future()
        # A daemon, for the slowest helpdesk must not hold the process.
        threading.Thread(target=self._work, args=(loop, ended), name="clerk", daemon=True).start()
        try:
            await stop.wait()
        finally:
            self._stopping.set()
        await asyncio.wait([ended], timeout=_FAREWELL_S)

    async def last_calls(self) -> None:
        """Wait until what `run` left behind is over: only then may another one take the duties."""
        if self._ended is not None:
            await asyncio.wait([self._ended])

    def round(self) -> None:
        """Carry out every duty whose turn has come."""
        for duty in self._duties:
            if self._clock.monotonic() >= self._due[duty.name] and not self._stopping.is_set():
                self._due[duty.name] = self._clock.monotonic() + duty.every.total_seconds()
                self._carry_out(duty)

    def _carry_out(self, duty: Duty) -> None:
        try:
            if duty.do(self._clock.now()):
                self._on_news()
        except BusyError:
            self._due[duty.name] = 0.0
        except VigiaError as error:
            _LOG.warning("could not %s: %s", duty.name, error)
        except Exception:  # noqa: BLE001 - one duty that trips the program must not end the others
            _LOG.exception("could not %s", duty.name)

    def _work(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        try:
            while not self._stopping.is_set():
                self.round()
                self._stopping.wait(self._rest_s())
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    def _rest_s(self) -> float:
        ahead = min(self._due.values()) - self._clock.monotonic()
        return min(max(ahead, 0.5), _LONGEST_REST_S)
