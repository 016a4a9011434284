"""How this very machine is doing: load, memory, disk. It warns and never says down: the one who asks is running on it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, OwnFaultError, Tools
from monitor.checks.shell import word
from monitor.health.words import Service
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
    """A look at this machine's own figures."""

    options: HostOptions

    @property
    def target(self) -> str:
        return "localhost"

    async def look(self, tools: Tools, deadline: float) -> Look:  # noqa: ARG002 - the port's shape; the kernel answers at once
        over = [found for found in (self._load(), self._memory(), self._disk()) if found]
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

    def _disk(self) -> str:
        disk = self.options.disk
        if disk is None:
            return ""
        try:
            used = float(psutil.disk_usage(disk.path).percent)
        except OSError as error:
            raise OwnFaultError(Cause.OWN, f"cannot look at {disk.path}: {error.strerror}") from error
        return f"{disk.path} {used:.0f} % full, expected at most {disk.warn:g} %" if used > disk.warn else ""


def _short(_value: object) -> dict[str, Any]:
    raise ValueError(
        "host has no short form: write host: {disk: {path: /, warn: 90}}, or host alone for all three"
    )


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
)
