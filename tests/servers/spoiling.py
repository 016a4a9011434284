"""What may be answered instead of the answer: nothing, half of it, a page, an error, a connection that breaks."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler


class Spoiling(BaseHTTPRequestHandler):
    """A handler that can spoil an answer in every way that a helpdesk, or the line to it, does.

    hang (which acted) and silent (which did not), reset, drip, endless, half, html and 500 keep the fate unknown; 302, 401, 429 and the like tell it.
    """

    protocol_version = "HTTP/1.1"

    @property
    def released(self) -> threading.Event:
        """Set when the test is over, so that nobody keeps silent any longer."""
        raise NotImplementedError

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""

    def asked(self) -> None:
        """Answer one request, whatever its method is."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.asked()

    def do_POST(self) -> None:
        self.asked()

    def do_PUT(self) -> None:
        self.asked()

    def do_PATCH(self) -> None:
        self.asked()

    def do_OPTIONS(self) -> None:
        self.asked()

    def do_DELETE(self) -> None:
        self.asked()

    def spoil(self, mode: str) -> None:
        """Answer as `mode` says: anything but what should be answered."""
        self.close_connection = True
        spoilers: dict[str, Callable[[], None]] = {
            "hang": self.wait_for_the_end,
            "silent": self.wait_for_the_end,
            "reset": self._reset,
            "drip": self._drip,
            "endless": self._endless,
            "html": self._html,
            "half": self._half,
            "html_only": self._html,
            "500": lambda: self.json(500, {}),
            "500_only": lambda: self.json(500, {}),
            "429": lambda: self.json(429, {}, ("Retry-After", "7")),
            "503": lambda: self.json(503, {}, ("Retry-After", "20")),
            "503_bare": lambda: self.json(503, {}),
            "302": lambda: self.json(302, {}, ("Location", "/elsewhere")),
            "close": lambda: None,
        }
        spoilers.get(mode, lambda: self.json(int(mode), {}))()

    def json(self, status: int, content: object, *headers: tuple[str, str]) -> None:
        self.answer(status, json.dumps(content).encode(), ("Content-Type", "application/json"), *headers)

    def _html(self) -> None:
        self.answer(200, b"<html><p>Please sign in.</p></html>", ("Content-Type", "text/html"))

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        with suppress(OSError):
            self.end_headers()
            self.wfile.write(body)

    def _half(self) -> None:
        """Break off in the middle of a body whose length was promised."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "400")
        with suppress(OSError):
            self.end_headers()
            self.wfile.write(b'{"id": 7, "url": "https://')

    def wait_for_the_end(self) -> None:
        """Keep silent until the other side hangs up or the test is over."""
        self.connection.settimeout(0.02)
        while not self.released.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _drip(self) -> None:
        """One byte of the head at a time, each well within any time-out of a single wait."""
        self._trickle(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 4000)

    def _endless(self) -> None:
        self._trickle(b"HTTP/1.1 200 OK\r\n\r\n" + b"{" * 4000)

    def _trickle(self, data: bytes) -> None:
        for byte in data:
            try:
                self.connection.sendall(bytes((byte,)))
            except OSError:
                return
            if self.released.wait(0.02):
                return
