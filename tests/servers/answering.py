"""What the fakes of helpdesks stand on: a server on loopback that hands every request over whole and keeps what went wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: its path without the query, the query, the headers by lower-case name and the body."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass(frozen=True)
class Answered:
    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Answering:
    """A server whose `answer` is asked one request at a time; what trips it is kept in `failures` and answered by 500."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert self.failures == []

    def answer(self, asked: Asked) -> Answered:
        raise NotImplementedError

    def handle(self, asked: Asked) -> Answered:
        with self._lock:
            try:
                return self.answer(asked)
            except Exception as error:  # noqa: BLE001 - a fake that trips must fail its test, not its thread
                self.failures.append(f"{asked.method} {asked.path}: {error!r}")
                return Answered(500, {"error": "the fake tripped"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(_Handler):
            server_of = outer

        return Handler


class _Handler(BaseHTTPRequestHandler):
    server_of: Answering
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""

    def _any(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answered = self.server_of.handle(
            Asked(
                method=self.command,
                path=parts.path,
                query=parse_qsl(parts.query, keep_blank_values=True),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
            )
        )
        content = b"" if answered.content is None else json.dumps(answered.content).encode()
        self.send_response(answered.status)
        for name, value in {
            "Content-Type": "application/json",
            **answered.headers,
            "Content-Length": str(len(content)),
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._any()

    def do_POST(self) -> None:
        self._any()

    def do_PUT(self) -> None:
        self._any()
