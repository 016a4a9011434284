"""The address that the page is served on: one listening socket that is ours alone."""

from __future__ import annotations

import socket
from pathlib import Path

from monitor.errors import VigiaError

BACKLOG = 1024
# Every connection inherits it: one whose other side vanished without a word ends after half a minute.
_KEPT_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
ADDRESS_FILE = "address"


class AddressTakenError(VigiaError):
    """Nobody can listen there: the address is in use, not ours, or not allowed."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes any free one.

    The port is never shared: a second server on the same address is an error that somebody sees, not a coin that is
    tossed for each visitor. Raises AddressTakenError with the remedy.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Only for connections of a former life that linger; it lets nobody in beside us.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEPT_ALIVE.items():
            if hasattr(socket, option):
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressTakenError(
            f"cannot listen on {host}:{port}: {error.strerror}. Stop the program that holds it, or choose another "
            "address with --listen, VIGIA_LISTEN or `listen:`"
        ) from error
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return `127.0.0.1:8080` or `[::1]:8080`."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_address(data: Path) -> str | None:
    """Return the address that the service of a data directory bound last, None if it never ran."""
    try:
        return (data / ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def write_address(data: Path, address: str) -> None:
    """Write the bound address where other programs find it, whole or not at all."""
    data.mkdir(parents=True, exist_ok=True)
    fresh = data / f"{ADDRESS_FILE}.new"
    fresh.write_text(f"{address}\n", encoding="utf-8")
    fresh.replace(data / ADDRESS_FILE)
