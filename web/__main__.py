"""`python -m web --data DIR --listen HOST:PORT`: serve the page, the feeds and the metrics of one data directory."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.station.lifeline import die_with_parent
from monitor.station.listening import AddressTakenError, address_of, listen, write_address
from web.application import create_server_application
from web.server import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LISTEN = "127.0.0.1:8080"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 1 when the address cannot be had, 2 for arguments that make no sense."""
    options = _options(arguments)
    if options.parent is not None:
        die_with_parent(options.parent)
    try:
        listener = _listener(options)
    except AddressTakenError as error:
        sys.stderr.write(f"vigia web: {error}\n")
        return 1
    serve(listener, lambda: _load(options.data))
    return 0


def _listener(options: argparse.Namespace) -> socket.socket:
    """Return the socket that the one who started us holds open, or one of our own whose address is told."""
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    listener = listen(*options.listen)
    write_address(options.data, address_of(listener))
    return listener


def _load(data: Path) -> WSGIApplication:
    # The worker alone opens the database: a handle that is carried over a fork corrupts it.
    from monitor.station.inbox import open_inbox  # noqa: PLC0415
    from monitor.station.reader import open_reader  # noqa: PLC0415

    reader = open_reader(data)
    return create_server_application(reader, open_inbox(data, reader.clock))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    environment = os.environ
    parser = argparse.ArgumentParser(prog="python -m web", description="Serve the status page.")
    parser.add_argument(
        "--data",
        type=Path,
        default=environment.get("VIGIA_DATA", "var"),
        help="the data directory (VIGIA_DATA)",
    )
    parser.add_argument(
        "--listen",
        type=address,
        default=environment.get("VIGIA_LISTEN", _LISTEN),
        help="HOST:PORT; port 0 takes a free one, which is written to DATA/address (VIGIA_LISTEN)",
    )
    parser.add_argument("--fd", type=int, help="a listening socket that was handed down, instead of --listen")
    parser.add_argument("--parent", type=int, help="the process that this one must not outlive")
    return parser.parse_args(arguments)


def address(text: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:8080` or `[::1]:8080`; anything else raises ArgumentTypeError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - a bare ":8080" asks for it


if __name__ == "__main__":
    sys.exit(main())
