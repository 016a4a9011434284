"""granian as we run it: one listening socket that is ours alone, one worker that never outlives its parent."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # unlisted, and there
from granian.server.mp import MPServer

from monitor.station.lifeline import die_with_parent
from monitor.station.listening import BACKLOG
from web.logs import configuration

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Two answer visitors; while reports of heartbeats wait for the disk there is still one left. With 64 visitors at once a third
# costs nothing that could be measured, a fourth a fifth more, because they only wait for each other.
BLOCKING_THREADS = 3
BACKPRESSURE = 64
HEAD_LIMIT_MS = 10_000
STOP_LIMIT_S = 8


def serve(listener: socket.socket, load: Callable[[], WSGIApplication]) -> None:
    """Serve until SIGTERM or SIGINT; `load` makes the application inside the worker.

    A worker that dies is replaced; one that dies again within seconds ends the server with exit status 1.
    """
    server = _Server(listener)
    server.serve(target_loader=_Loader(load, os.getpid()), wrap_loader=False)


class _Loader:
    """Makes the application in the worker, once the worker is tied to its parent."""

    def __init__(self, load: Callable[[], WSGIApplication], parent: int) -> None:
        self._load = load
        self._parent = parent

    def __call__(self) -> WSGIApplication:
        die_with_parent(self._parent)
        return self._load()


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
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_LIMIT_S,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Left to itself, granian has each worker open the port with SO_REUSEPORT: a forgotten server would then
        # go on answering part of the visitors beside the new one.
        # The stubs know neither the arguments (descriptor, is it a path, backlog) nor that these ever hold a value.
        descriptor = self._listener.fileno()
        holder = SocketHolder(descriptor, False, BACKLOG)  # type: ignore[call-arg]  # noqa: FBT003 - positional there
        self._sso, self._sfd, self._shd, self._ssp = self._listener, descriptor, holder, None  # type: ignore[assignment]
