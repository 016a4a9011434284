"""Runs a program of the operating system within bounds: its time, what it prints, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from monitor.checks.contract import OwnFaultError
from monitor.checks.plugins.keeper import TURNED
from monitor.observation import Cause

OUTPUT_LIMIT = 64 * 1024
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C",
    "HOME": "/",
}
"""All that a program is told of where it runs."""

_KEEPER = str(Path(__file__).with_name("keeper.py"))
# A program that is told to end has its grace, and is killed after it; the look waits no longer than this.
_FAREWELL_S = 0.45
_OUTPUT, _ERRORS = 1, 2
# Keepers that are still at it: the last of a program may hang in the kernel for longer than any look.
_leaving: set[_Listener] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a program.

    `status` is its exit status, or negative the number of the signal that ended it; None when it was `late` or printed more than
    `OUTPUT_LIMIT` and was killed for it.
    """

    output: str
    errors: str
    status: int | None
    late: bool = False


async def run(command: Sequence[str], deadline: float) -> Ran:
    """Return what a program did until `deadline`, a moment of the loop's clock; after that it is killed with all that it started.

    `command` begins with a path. Nothing of it goes through a shell.
    """
    loop = asyncio.get_running_loop()
    listener = await _started(command, deadline - loop.time())
    try:
        await asyncio.wait({listener.enough}, timeout=deadline - loop.time())
        if listener.status is not None:
            return listener.ran()
        late = not listener.enough.done()
        listener.tell_to_end()
        await asyncio.wait({listener.ended}, timeout=_FAREWELL_S)
        return replace(listener.ran(), status=None, late=late)
    finally:
        listener.tell_to_end()


class _Listener(asyncio.SubprocessProtocol):
    """Hears what a keeper's program prints, and when everything has ended.

    `enough` is done when nothing more is to come or too much came, `ended` when nothing of it is left.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.enough: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.status: int | None = None
        self._heard = {_OUTPUT: bytearray(), _ERRORS: bytearray()}
        # Two pipes to close, and the process itself to end.
        self._missing = 3
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        _leaving.add(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        heard = self._heard[fd]
        heard += data[: OUTPUT_LIMIT - len(heard)]
        if len(heard) >= OUTPUT_LIMIT:
            _settle(self.enough)
            self._hang_up(fd)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        del fd, exc
        self._one_less()

    def process_exited(self) -> None:
        self._one_less()

    def tell_to_end(self) -> None:
        """Have everything killed that is left; nothing, once it has ended. What it says in its last moments may still be said."""
        if self._transport is not None and not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._transport.terminate()

    def ran(self) -> Ran:
        """Return what was heard so far."""
        output, errors = (self._heard[fd].decode(errors="replace") for fd in (_OUTPUT, _ERRORS))
        return Ran(output=output, errors=errors, status=self.status)

    def _hang_up(self, fd: int) -> None:
        pipe = None if self._transport is None else self._transport.get_pipe_transport(fd)
        if pipe is not None:
            pipe.close()

    def _one_less(self) -> None:
        self._missing -= 1
        if self._missing or self._transport is None:
            return
        self.status = status_of(self._transport.get_returncode())
        self._transport.close()
        _leaving.discard(self)
        _settle(self.ended)
        _settle(self.enough)


async def _started(command: Sequence[str], seconds: float) -> _Listener:
    keeper = ("-I", "-S", "-B", _KEEPER, str(os.getpid()), str(math.ceil(max(1.0, seconds))))
    try:
        _, listener = await asyncio.get_running_loop().subprocess_exec(
            _Listener,
            sys.executable,
            *keeper,
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        raise OwnFaultError(Cause.OWN, f"no process can be started: {error.strerror}") from error
    return listener


def status_of(code: int | None) -> int | None:
    """Return how a program ended, of how its keeper did."""
    return code if code is None or code < 0 else code ^ TURNED


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
