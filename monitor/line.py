"""One connection to somebody outside: found, opened, and cut when its time is over, whatever it is doing.

The time-outs of client libraries count each single wait, so that a peer that sends a byte now and then holds them for
ever; here a timer shuts the connection down.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from monitor.errors import VigiaError


class LineError(VigiaError):
    """No connection stands, so nothing was sent; `forbidden` if the address may not be called in this way at all."""

    def __init__(self, detail: str, *, forbidden: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.forbidden = forbidden


class Line:
    """The one connection of an exchange. With `plain` it goes only where nobody outside our own walls can listen.

    `stood` is for its user to set once whatever comes before the first word of ours is over.
    """

    def __init__(self, within: timedelta, *, plain: bool) -> None:
        self._plain = plain
        self._deadline = time.monotonic() + within.total_seconds()
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self.stood = False
        self.cut = False

    def left(self) -> float:
        """Return the seconds that remain, 0.0 when there are none."""
        return max(self._deadline - time.monotonic(), 0.0)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Cut the line when its time is over, as long as this context lasts."""
        timer = threading.Timer(self.left(), self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if self._handle is not None:
                self._handle.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected socket; every trouble on the way is a LineError."""
        addresses = [found for found in self._lookup(host, port) if may_be_called(found, plain=self._plain)]
        if not addresses:
            raise LineError(f"{host} has no address that may be called this way", forbidden=True)
        for position, address in enumerate(addresses):
            # A silent first address must leave time for the next one.
            share = self.left() / (len(addresses) - position)
            with suppress(OSError):
                return self._register(socket.create_connection((address, port), timeout=max(share, 0.001)))
        raise LineError(f"{host}:{port} does not accept a connection")

    def _lookup(self, host: str, port: int) -> tuple[str, ...]:
        # The system's resolver takes no deadline, so it is asked in a thread that may be left behind.
        answers: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        asking = threading.Thread(target=lambda: answers.put(_addresses(host, port)), daemon=True)
        asking.start()
        try:
            found = answers.get(timeout=max(self.left(), 0.001))
        except queue.Empty:
            raise LineError(f"the name {host} was not resolved in time") from None
        if not found:
            raise LineError(f"the name {host} does not resolve")
        return found

    def _register(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(max(self.left(), 0.001))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            # TLS takes the socket object away from us, even before its handshake; a second handle still reaches the line.
            self._handle = connection.dup()
        return connection

    def _cut(self) -> None:
        with self._lock:
            self.cut = True
            if self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)


def may_be_called(address: str, *, plain: bool) -> bool:
    """Never a machine's own metadata service or a crowd; without TLS only what lies inside our own walls."""
    found = ipaddress.ip_address(address.partition("%")[0])
    judged = getattr(found, "ipv4_mapped", None) or found
    if judged.is_link_local or judged.is_multicast or judged.is_unspecified:
        return False
    return not plain or judged.is_private or judged.is_loopback


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
