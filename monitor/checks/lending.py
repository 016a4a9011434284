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

from monitor.checks.contract import TargetFaultError
from monitor.checks.stream import Stream

Result = TypeVar("Result")

_CHUNK = 65536
# A library whose connection is gone gets this long to notice it.
_FAREWELL = 0.4


async def lend(stream: Stream, work: Callable[[socket.socket], Result]) -> Result:
    """Return what `work` makes of a blocking socket that is connected to the stream's peer.

    A fault of the stream (late, cut off, too much) is raised rather than what the library makes of it. What the library raises
    by itself is the caller's to judge.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    done = _in_thread(work, theirs)
    pumps = {asyncio.create_task(_outwards(ours, stream)), asyncio.create_task(_inwards(stream, ours))}
    try:
        fault = await _until_done(done, pumps, ours)
        if fault is not None:
            raise fault
        return done.result()
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        # Whoever still reads from the other end reads its end now.
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RDWR)
        ours.close()


async def _until_done(
    done: asyncio.Future[Result], pumps: set[asyncio.Task[None]], ours: socket.socket
) -> BaseException | None:
    """Wait for the library; return the fault of the stream that ended it, if that is what happened."""
    waiting: set[asyncio.Future[Any]] = {done, *pumps}
    while not done.done():
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for pump in [pump for pump in pumps if pump.done() and pump in waiting]:
            waiting.discard(pump)
            fault = pump.exception()
            if fault is None:
                continue
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            await asyncio.wait({done}, timeout=_FAREWELL)
            return fault
    # The library may have given up over bytes that never came.
    faults = [pump.exception() for pump in pumps if pump.done() and not pump.cancelled()]
    broken = next((fault for fault in faults if isinstance(fault, TargetFaultError)), None)
    return broken if done.exception() is not None else None


def _in_thread(work: Callable[[socket.socket], Result], theirs: socket.socket) -> asyncio.Future[Result]:
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
            result = work(theirs)
        except BaseException as caught:  # noqa: BLE001 - whatever the library raises goes to whoever asked
            error = caught
        finally:
            theirs.close()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="client library", daemon=True).start()
    return done


async def _outwards(ours: socket.socket, stream: Stream) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(ours, _CHUNK):
        await stream.write(data)


async def _inwards(stream: Stream, ours: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await stream.read_some():
        await loop.sock_sendall(ours, data)
    ours.shutdown(socket.SHUT_WR)
