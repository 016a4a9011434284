"""A server in this process that says line by line what a test wants, hangs or hangs up, to clients that block."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

HANG = b"hang"
LEAVE = b"leave"


class Talker:
    """Answers each line by the first key that it begins with; the key b"" answers what no other does.

    `HANG` says nothing more, `LEAVE` closes the connection.
    """

    def __init__(self, greeting: bytes, answers: Mapping[bytes, bytes]) -> None:
        self._greeting = greeting
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with suppress(OSError):
                    self._talk(connection)
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        self._last = b""
        connection.sendall(self._greeting)
        with connection.makefile("rb") as lines:
            for line in lines:
                self.heard.append(line)
                key = next(key for key in self._answers if line.upper().startswith(key))
                self._last = self._answers[key]
                if self._last in (HANG, LEAVE):
                    if self._last == HANG:
                        lines.read()
                    return
                connection.sendall(self._last)


@contextmanager
def talking(greeting: bytes, answers: Mapping[bytes, bytes]) -> Iterator[Talker]:
    server = Talker(greeting, answers)
    try:
        yield server
    finally:
        server.close()
