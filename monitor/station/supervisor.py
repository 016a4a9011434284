"""`vigia run`: both processes under one roof, started again when one of them dies.

It does nothing else for months, so it is given to a process of its own that imports next to nothing (`replace_by`).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from monitor.station.lifeline import SUPERVISOR

_log = logging.getLogger(__name__)

STOP_WITHIN = 9.0
REFUSED = 3
"""The exit status of a part that refuses to start as things are: trying again would not help."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_CALM_AFTER = 10.0


class Programme(NamedTuple):
    """One process to keep alive: its name for people, its arguments, its environment, and the descriptors that it is handed.

    `reads_anew` tells whether SIGHUP is a word that it understands; to others it would be the end.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    reads_anew: bool = False


class _Keeper:
    """Keeps one programme running in a thread of its own, with a growing pause between deaths."""

    def __init__(self, programme: Programme, stopping: threading.Event) -> None:
        self._programme = programme
        self._stopping = stopping
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.failure: int | None = None

    def run(self) -> None:
        pause = _FIRST_PAUSE
        first = True
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._live()
            lived = time.monotonic() - began
            if self._stopping.is_set():
                return
            if first and code == REFUSED:
                # A refusal at the first start (a bad file, a data directory in use) is for people to mend, not to repeat.
                self.failure = code
                self._stopping.set()
                return
            first = False
            # One that was killed from outside is needed back at once; one that keeps ending by itself gets time.
            calm = lived > _CALM_AFTER or code < 0
            pause = _FIRST_PAUSE if calm else min(pause * 2, _LONGEST_PAUSE)
            _log.error("%s ended with %s; starting it again in %.1f s", self._programme.name, code, pause)
            self._stopping.wait(pause)

    def _live(self) -> int:
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._process = subprocess.Popen(
                list(self._programme.arguments),
                env=dict(self._programme.environment),
                stdin=subprocess.DEVNULL,
                pass_fds=self._programme.descriptors,
            )
        return self._process.wait()

    def stop(self) -> None:
        """Ask the process to end, and end it when it does not within `STOP_WITHIN` seconds."""
        with self._lock:
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            _log.error("%s did not end by itself and was killed", self._programme.name)
            process.kill()
            process.wait()

    def read_anew(self) -> None:
        """Tell the process to read its configuration anew, if it is there and has one."""
        if not self._programme.reads_anew:
            return
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGHUP)


def supervise(programmes: Sequence[Programme]) -> int:
    """Keep the programmes running until SIGTERM or SIGINT; return 0, or the code of one that refused to start.

    SIGHUP is handed on to whoever reads anew. The children's parent-death signal follows the main thread, so they are started from
    threads that live as long as it does.
    """
    stopping = threading.Event()
    keepers = [_Keeper(programme, stopping) for programme in programmes]

    def stop(_number: int, _frame: object) -> None:
        stopping.set()

    def reload(_number: int, _frame: object) -> None:
        for keeper in keepers:
            keeper.read_anew()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)
    threads = [threading.Thread(target=keeper.run, name=keeper._programme.name) for keeper in keepers]  # noqa: SLF001 - same room
    for thread in threads:
        thread.start()
    # A plain wait would not let Python run the signal handlers on every platform.
    while not stopping.wait(0.5):
        pass
    enders = [threading.Thread(target=keeper.stop) for keeper in keepers]
    for thread in [*enders]:
        thread.start()
    for thread in [*enders, *threads]:
        thread.join()
    return next((keeper.failure for keeper in keepers if keeper.failure is not None), 0)


def service(config: str, data: str, listener: int) -> list[Programme]:
    """Return the processes of a whole service; `listener` is the socket that is open already."""
    environment = child_environment()
    return [
        Programme(
            name="watch",
            arguments=python("monitor.station", "watch", "--config", config, "--data", data),
            environment=environment,
            reads_anew=True,
        ),
        Programme(
            name="web",
            arguments=python("web", "--data", data, "--fd", str(listener), "--parent", str(os.getpid())),
            environment=environment,
            # Held open here too: while web is started again, visitors wait a moment and are not refused.
            descriptors=(listener,),
        ),
    ]


def replace_by(config: str, data: str, listener: int) -> NoReturn:
    """Go on as the process that supervises a whole service and holds nothing else in memory."""
    command = python(
        "monitor.station", "run", "--config", config, "--data", data, "--listener", str(listener)
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


def child_environment() -> dict[str, str]:
    """Return the environment for a child: it is told whom to die with."""
    return {**os.environ, SUPERVISOR: str(os.getpid())}


def python(*arguments: str) -> list[str]:
    """Return the command line that runs a module of ours with this very interpreter."""
    return [sys.executable, "-m", *arguments]
