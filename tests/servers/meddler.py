"""Somebody between us and a real helpdesk over HTTP who lets requests through and spoils what comes back.

Any product stands behind it unchanged: what it has done, it has done; what we hear of that is another matter.
"""

from __future__ import annotations

import http.client
import threading
from collections import deque
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.servers.spoiling import Spoiling

LOST = ("hang", "reset", "500", "html", "half")
"""The helpdesk has acted, and we do not hear of it."""
_ACTING = frozenset(LOST)
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})


class Meddler:
    """One proxy in front of `url`. Its own `url` is for us; `modes` are used up one a request that writes, `read_modes` one that reads.

    A mode of `LOST` passes the request on before it spoils the answer; every other one, such as 401 or 500_only, is answered here.
    """

    def __init__(self, url: str, writes: Callable[[str, str, bytes], bool]) -> None:
        parts = urlsplit(url)
        self.target = parts.netloc
        self.writes = writes
        self.modes: deque[str] = deque()
        self.read_modes: deque[str] = deque()
        self.written: list[tuple[str, str]] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{parts.path}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def mode_of(self, method: str, path: str, body: bytes) -> str:
        """Use up and return what is to become of a request; a write is put down."""
        if not self.writes(method, path, body):
            return self.read_modes.popleft() if self.read_modes else "ok"
        self.written.append((method, path))
        return self.modes.popleft() if self.modes else "ok"

    def _handler(self) -> type[Spoiling]:
        meddler = self

        class Handler(_Handler):
            between = meddler

        return Handler


class _Handler(Spoiling):
    between: Meddler

    @property
    def released(self) -> threading.Event:
        return self.between.released

    def asked(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        mode = self.between.mode_of(self.command, self.path, body)
        answer = self._asked(body) if mode == "ok" or mode in _ACTING else None
        if mode != "ok" or answer is None:
            self.spoil(mode)
            return
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        line = http.client.HTTPConnection(self.between.target, timeout=30)
        try:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _HOP | {"host", "content-length"}
            }
            line.request(self.command, self.path, body=body or None, headers=headers)
            response = line.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            line.close()
