"""libcurl's multi interface on the loop: its sockets wait in an epoll of their own, of which the loop sees one descriptor.

Given to the loop one by one, the sockets of a look would cost as much as libcurl's whole work on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import select
from functools import cache

import pycurl

from monitor.checks.contract import OwnFaultError
from monitor.observation import Cause

# What the loop gives to libcurl at one go, so that others have their turn as well.
_AT_ONCE = 256
# The loop counts in milliseconds.
_TICK_S = 0.001
_ENDED = select.EPOLLERR | select.EPOLLHUP
# What libcurl waits for, in the words of an epoll; of a socket that is not named here it wants nothing.
_EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
# A socket that is closed already has left by itself.
_left_already = contextlib.suppress(OSError)


class CurlEngine:
    """Runs transfers on the loop that it is first used on. A look never uses a connection that another one opened."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        # There is nothing to keep.
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        self._sockets = select.epoll()
        self._watched: set[int] = set()
        self._running: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        # The timer rings at the moment that libcurl wants, or earlier, and then once more.
        self._timer: asyncio.Handle | None = None
        self._rings_at = math.inf
        self._wanted_at = math.inf

    async def transfer(self, curl: pycurl.Curl) -> None:
        """Run one transfer to its end, or raise pycurl.error; who is cancelled takes the handle off the engine at once.

        An engine that failed as a whole raises OwnFaultError in everybody who waits.
        """
        ended = self._running_loop().create_future()
        self._multi.add_handle(curl)
        self._running[curl] = ended
        try:
            await ended
        finally:
            if self._running.pop(curl, None) is not None:
                self._multi.remove_handle(curl)

    def close(self) -> None:
        """Hang up whatever is still open; who waits is cancelled."""
        running, self._running = self._running, {}
        for curl, ended in running.items():
            self._multi.remove_handle(curl)
            ended.cancel()
        self._multi.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._sockets.fileno())
        self._sockets.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sockets.fileno(), self._sockets_ready)
        return self._loop

    def _watch(self, wanted: int, descriptor: int, _multi: object, _data: object) -> None:
        """Wait for what libcurl wants of a socket; it says so before it closes one, which then leaves the epoll by itself."""
        events = _EVENTS.get(wanted)
        if events is None:
            self._watched.discard(descriptor)
        elif descriptor in self._watched:
            self._sockets.modify(descriptor, events)
        else:
            self._watched.add(descriptor)
            try:
                self._sockets.register(descriptor, events)
            except FileExistsError:
                # It was let go of and is still open.
                self._sockets.modify(descriptor, events)

    def _set_timer(self, milliseconds: int) -> None:
        """Let libcurl go on after so long, never if that is negative; it changes its mind several times in each look."""
        if self._loop is None or milliseconds < 0:
            self._wanted_at = math.inf
            return
        now = self._loop.time()
        self._wanted_at = now + milliseconds / 1000
        if self._wanted_at < self._rings_at:
            self._ring_at(self._wanted_at, now)

    def _ring_at(self, moment: float, now: float) -> None:
        assert self._loop is not None, "libcurl only asks for time when there is a transfer"  # noqa: S101
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = moment
        # libcurl must not be called from within its own call.
        self._timer = (
            self._loop.call_at(moment, self._timer_rang)
            if moment > now
            else self._loop.call_soon(self._timer_rang)
        )

    def _timer_rang(self) -> None:
        assert self._loop is not None, "who set the timer had a loop"  # noqa: S101
        self._timer, self._rings_at = None, math.inf
        now = self._loop.time()
        if self._wanted_at < now + _TICK_S:
            self._wanted_at = math.inf
            self._go_on([(pycurl.SOCKET_TIMEOUT, 0)])
        elif self._wanted_at < math.inf:
            self._ring_at(self._wanted_at, now)

    def _sockets_ready(self) -> None:
        self._go_on(self._sockets.poll(0, _AT_ONCE))

    def _go_on(self, ready: list[tuple[int, int]]) -> None:
        """Let libcurl go on with the sockets that are ready, and wake whose transfers ended by it."""
        try:
            for descriptor, events in ready:
                if events and descriptor not in self._watched:
                    # libcurl has let go of it without closing it.
                    with _left_already:
                        self._sockets.unregister(descriptor)
                else:
                    self._multi.socket_action(descriptor, _of_libcurl(events))
            _, done, failed = self._multi.info_read()
        except pycurl.error as error:
            self._fail(error)
            return
        for curl in done:
            self._end(curl, None)
        for curl, code, text in failed:
            self._end(curl, pycurl.error(code, text))

    def _end(self, curl: pycurl.Curl, error: Exception | None) -> None:
        ended = self._running[curl]
        # Whoever waited may have been cancelled in this very moment.
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def _fail(self, error: pycurl.error) -> None:
        for curl in self._running:
            self._end(curl, OwnFaultError(Cause.OWN, f"libcurl's engine failed: {error}"))


@cache
def _of_libcurl(events: int) -> int:
    """Return the events of an epoll in libcurl's words."""
    return (
        (pycurl.CSELECT_IN if events & select.EPOLLIN else 0)
        | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
        | (pycurl.CSELECT_ERR if events & _ENDED else 0)
    )
