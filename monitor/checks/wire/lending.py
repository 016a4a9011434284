"""A stream lent to a client library that only knows blocking sockets.

The library works in a thread of its own on one end of a socket pair; its bytes run through our stream, so that the address was
checked, the deadline holds and a peer without end is cut off, whatever the library does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from monitor.checks.contract import OwnFaultError, TargetFaultError
from monitor.checks.wire.stream import Stream
from monitor.observation import Cause

Result = TypeVar("Result")

_CHUNK = 65536
# A library whose connection is gone gets this long to notice it.
_FAREWELL = 0.4
# So often may a library try a socket that has ended; one that tries on would never stop.
_TRIES_AFTER_THE_END = 100


async def lend(stream: Stream, work: Callable[[socket.socket], Result]) -> Result:
    """Return what `work` makes of a blocking socket that is connected to the stream's peer.

    A fault of the stream (late, cut off, too much) is raised rather than what the library makes of it; only a peer that hangs up on
    a library which has all that it wanted is no fault. What the library raises by itself is the caller's to judge.
    """
    ours, other = socket.socketpair()
    theirs = _Lent(fileno=other.detach())
    ours.settimeout(0)
    with contextlib.closing(ours):
        done = _in_thread(work, theirs)
        pumping = asyncio.create_task(_pumped(stream, ours))
        try:
            left = stream.deadline - asyncio.get_running_loop().time()
            waiting: set[asyncio.Future[Any]] = {done, pumping}
            await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            fault = pumping.exception() if pumping.done() else None
            if not done.done():
                fault = fault or stream.late()
                _hang_up(ours, theirs)
                await asyncio.wait({done}, timeout=_FAREWELL)
            return _outcome(stream, done, fault)
        finally:
            _hang_up(ours, theirs)
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)


def _outcome(stream: Stream, done: asyncio.Future[Result], fault: BaseException | None) -> Result:
    """Return or raise what came of it: a fault of the stream, unless all it means is a farewell, else what the library made."""
    satisfied = done.done() and done.exception() is None
    cut = isinstance(fault, TargetFaultError) and fault.look.cause is Cause.RESET
    if fault is not None and not (satisfied and cut):
        raise fault
    if isinstance(done.exception(), _EndedError):
        raise stream.fault(Cause.RESET, "hung up before its answer was whole")
    return done.result()


class _EndedError(BaseException):
    """Ends a library that reads or writes on and on where there is nothing any more; it catches no more than Exception."""


class _Lent(socket.socket):
    """A socket that nobody tries for ever: neither at its own end nor once it is `over`, whatever still lies in it."""

    over = False
    _tried = 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        return self._counted(lambda: super(_Lent, self).recv(bufsize, flags))

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return self._counted(lambda: super(_Lent, self).recv_into(buffer, nbytes, flags))

    def send(self, data: Any, flags: int = 0, /) -> int:
        return self._counted(lambda: super(_Lent, self).send(data, flags))

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        return self._counted(lambda: super(_Lent, self).sendall(data, flags))

    def _counted(self, call: Callable[[], Result]) -> Result:
        try:
            result = call()
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            self._try()
            raise
        if self.over or result in (b"", 0):
            self._try()
        return result

    def _try(self) -> None:
        self._tried += 1
        if self._tried > _TRIES_AFTER_THE_END:
            raise _EndedError


def _in_thread(work: Callable[[socket.socket], Result], lent: _Lent) -> asyncio.Future[Result]:
    """Run `work` in a thread of its own: one from a pool could be waited for behind the looks at slow targets."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
            # Asked for here, an error that nobody waits for any more is no surprise later.
            done.exception()
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work(lent)
        except BaseException as caught:  # noqa: BLE001 - whatever the library raises goes to whoever asked
            error = caught
        finally:
            lent.close()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    try:
        threading.Thread(target=run, name="client library", daemon=True).start()
    except RuntimeError as error:
        lent.close()
        raise OwnFaultError(Cause.OWN, "no thread is left; raise the limit of tasks (TasksMax=)") from error
    return done


def _hang_up(ours: socket.socket, theirs: _Lent) -> None:
    """Let whoever still works at the other end read its end."""
    theirs.over = True
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)


async def _pumped(stream: Stream, ours: socket.socket) -> None:
    """Carry bytes both ways; only a fault of the stream ends it, and is raised."""
    ways = [asyncio.create_task(way(stream, ours)) for way in (_outwards, _inwards)]
    try:
        await asyncio.gather(*ways)
        # Nothing is left to carry, but the library may still be thinking.
        await asyncio.Event().wait()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _outwards(stream: Stream, ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    # A library that hangs up over bytes that it has not read resets the pair.
    with contextlib.suppress(ConnectionResetError):
        while data := await loop.sock_recv(ours, _CHUNK):
            await stream.write(data)


async def _inwards(stream: Stream, ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await stream.read_some():
        try:
            await loop.sock_sendall(ours, data)
        except OSError:
            # The library has hung up by itself: what the peer still says is for nobody.
            return
    with contextlib.suppress(OSError):
        ours.shutdown(socket.SHUT_WR)
