"""granian as we run it: one listening socket that is ours alone, and its worker in this very process."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # unlisted, and there
from granian.server.mp import MPServer

from monitor.station.listening import BACKLOG
from web.logs import configuration

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Two answer visitors; while reports of heartbeats wait for the disk there is still one left. With 64 visitors at once a third
# costs nothing that could be measured, a fourth a fifth more, because they only wait for each other.
BLOCKING_THREADS = 3
BACKPRESSURE = 64
HEAD_LIMIT_MS = 10_000
STOP_LIMIT_S = 3.0


def serve(listener: socket.socket, load: Callable[[], WSGIApplication]) -> None:
    """Serve until SIGTERM or SIGINT; `load` makes the application.

    granian would start its worker as a process of its own and start it again when it dies. Whoever runs the service does that
    already, and another process that only waits would take as much memory as half of the worker.
    """
    server = _Server(listener)
    server._init_shared_socket()  # noqa: SLF001 - our own
    _leave_within(STOP_LIMIT_S)
    server._spawn_worker(0, MPServer._spawn_wsgi_worker, load).inner.run()  # noqa: SLF001 - the worker, not started as a process


def _leave_within(seconds: float) -> None:
    """Let nobody who is still being waited for hold up a stop: granian waits as long as a visitor takes for a sentence."""
    told, tell = socket.socketpair()
    tell.settimeout(0)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)

    def leave() -> None:
        with told, tell:
            told.recv(1)
            threading.Event().wait(seconds)
            # Nothing is lost: what visitors are told is not written here, and what they tell is on disk before they hear of it.
            os._exit(0)

    threading.Thread(target=leave, name="leave", daemon=True).start()


class _Server(MPServer):
    """granian over a socket that is open already."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            target="web",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=BLOCKING_THREADS,
            http=HTTPModes.http1,
            runtime_mode=RuntimeModes.st,
            backpressure=BACKPRESSURE,
            backlog=BACKLOG,
            websockets=False,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_LIMIT_MS),
            log_access=False,
            log_level=LogLevels.warning,
            log_dictconfig=configuration(),
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Left to itself, granian has each worker open the port with SO_REUSEPORT: a forgotten server would then
        # go on answering part of the visitors beside the new one.
        # The stubs know neither the arguments (descriptor, is it a path, backlog) nor that these ever hold a value.
        descriptor = self._listener.fileno()
        holder = SocketHolder(descriptor, False, BACKLOG)  # type: ignore[call-arg]  # noqa: FBT003 - positional there
        self._sso, self._sfd, self._shd, self._ssp = self._listener, descriptor, holder, None  # type: ignore[assignment]
