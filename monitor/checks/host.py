"""How this very machine is doing: load, memory, disk. It warns and never says down: the one who asks is running on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psutil
from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, OwnFaultError, Tools
from monitor.checks.options.shell import word
from monitor.health.words import CheckImpact, Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome


class LoadOptions(Options):
    """The bound on the load."""

    warn: float = Field(
        default=4.0,
        gt=0,
        strict=False,
        description="Warn above this load per processor core, averaged over five minutes.",
    )


class MemoryOptions(Options):
    """The bound on memory."""

    warn: float = Field(
        default=95.0,
        gt=0,
        le=100,
        strict=False,
        description="Warn above this share of memory in use, in percent.",
    )


class DiskOptions(Options):
    """The bound on one file system."""

    path: str = Field(default="/", pattern=r"^/", description="A path on the file system to look at.")
    warn: float = Field(
        default=95.0,
        gt=0,
        le=100,
        strict=False,
        description="Warn above this share of the file system in use, in percent.",
    )


class HostOptions(Options):
    """What a `host` check takes; all three with their defaults if none is named."""

    load: LoadOptions | None = Field(default=None, description="Look at the load of this machine.")
    memory: MemoryOptions | None = Field(default=None, description="Look at the memory of this machine.")
    disk: DiskOptions | None = Field(default=None, description="Look at a file system of this machine.")


@dataclass(frozen=True, slots=True)
class HostCheck:
    """A look at this machine's own figures.

    `asked` holds the path of a disk that has not answered yet: a file system that hangs holds one thread, not one a look.
    """

    options: HostOptions
    asked: set[str] = field(default_factory=set)

    @property
    def target(self) -> str:
        return "localhost"

    async def look(self, tools: Tools, deadline: float) -> Look:  # noqa: ARG002 - the port's shape; the kernel answers at once
        over = [found for found in (self._load(), self._memory(), await self._disk()) if found]
        if over:
            return Look(outcome=Outcome.WARN, cause=Cause.CAPACITY, found="; ".join(over))
        return Look(outcome=Outcome.OK)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:  # noqa: ARG002 - the port's shape
        options = self.options
        lines = [
            "uptime; nproc" if options.load else "",
            "free -m" if options.memory else "",
            f"df -P {word(options.disk.path)}" if options.disk else "",
        ]
        return "; ".join(line for line in lines if line)

    def _load(self) -> str:
        if self.options.load is None:
            return ""
        cores = os.cpu_count() or 1
        load = os.getloadavg()[1] / cores
        bound = self.options.load.warn
        return f"load {load:.2f} per core, expected at most {bound:g}" if load > bound else ""

    def _memory(self) -> str:
        if self.options.memory is None:
            return ""
        used = float(psutil.virtual_memory().percent)
        bound = self.options.memory.warn
        return f"memory {used:.0f} % in use, expected at most {bound:g} %" if used > bound else ""

    async def _disk(self) -> str:
        disk = self.options.disk
        if disk is None:
            return ""
        if disk.path in self.asked:
            raise OwnFaultError(
                Cause.OWN, f"the file system of {disk.path} has not answered since the look before"
            )
        self.asked.add(disk.path)
        try:
            used = await _aside(lambda: _used_percent(disk.path), lambda: self.asked.discard(disk.path))
        except OSError as error:
            raise OwnFaultError(Cause.OWN, f"cannot look at {disk.path}: {error.strerror}") from error
        return f"{disk.path} {used:.0f} % full, expected at most {disk.warn:g} %" if used > disk.warn else ""


def _used_percent(path: str) -> float:
    return float(psutil.disk_usage(path).percent)


async def _aside(work: Callable[[], float], over: Callable[[], None]) -> float:
    """Return what `work` gives, done in a thread of its own: a network file system may hang, and the loop must not.

    `over` is called on the loop when the thread ends, even if nobody waits for it any more. The thread does not keep the process alive.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[float] = loop.create_future()

    def deliver(value: float, error: OSError | None) -> None:
        over()
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def run() -> None:
        value, trouble = 0.0, None
        try:
            value = work()
        except OSError as error:
            trouble = error
        # The loop may be gone by the time a file system comes back.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, value, trouble)

    threading.Thread(target=run, name="disk look", daemon=True).start()
    return await answer


def _short(value: object) -> dict[str, Any]:
    raise RefusalError("options.short.host", found=value)


def _complete(options: dict[str, Any], host: str) -> dict[str, Any]:  # noqa: ARG001 - this machine is looked at, whatever the host
    return options or {"load": {}, "memory": {}, "disk": {}}


def _service(options: HostOptions) -> Service:
    only_disk = options.disk is not None and options.load is None and options.memory is None
    return Service.FILES if only_disk else Service.NETWORK


KIND = Kind(
    name="host",
    options=HostOptions,
    build=HostCheck,
    complete=_complete,
    short=_short,
    service=_service,
    bare=True,
    impact=CheckImpact.NONE,
)
