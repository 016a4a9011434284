"""The address that heartbeats report to, answered in front of everything else: no session, no template, no cache.

A report is on disk before it is answered. What an address says of itself depends on its token alone: an unknown one, a
malformed one and one with something impossible behind it are all the same 404.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from monitor.errors import VigiaError
from monitor.health.heartbeat import FAIL, LARGEST_EXIT_CODE, START, SUCCESS
from web.security import ALWAYS, NEVER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

PREFIX = "/ping/"
BODY_LIMIT = 10 * 1024
BODY_PATIENCE_S = 0.25
_PIECE = 1024
_ADDRESS = re.compile(r"/ping/([A-Za-z0-9_-]{16,128})(?:/(start|fail|[0-9]{1,3}))?/?")
_METHODS = ("GET", "HEAD", "POST")
_WORDS = {"start": START, "fail": FAIL}


class Inbox(Protocol):
    """Where reports are put on disk."""

    def knows(self, token: str) -> bool:
        """Does any heartbeat report by this token?"""

    def take(self, token: str, signal: int, body: str = "") -> None:
        """Put a report on disk; VigiaError means that it is not there. `signal` is START, FAIL or an exit code."""


class Heartbeats:
    """A WSGI application that takes the reports of heartbeats for the one behind it."""

    def __init__(self, application: WSGIApplication, inbox: Inbox) -> None:
        self._application = application
        self._inbox = inbox
        self._reading = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Take a report, or hand the request on."""
        path = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return self._application(environ, start_response)
        method = environ["REQUEST_METHOD"]
        if method not in _METHODS:
            return _answer(
                start_response, "405 Method Not Allowed", "method not allowed", Allow=", ".join(_METHODS)
            )
        try:
            status, said = self._taken(path, environ)
        except VigiaError as error:
            log.warning("a report of a heartbeat cannot be taken: %s", error)
            return _answer(start_response, "503 Service Unavailable", "try again", Retry_After="5")
        body = _answer(start_response, status, said)
        return [] if method == "HEAD" else body

    def _taken(self, path: str, environ: WSGIEnvironment) -> tuple[str, str]:
        read = _ADDRESS.fullmatch(path)
        signal = None if read is None else _signal(read[2])
        if read is None or signal is None or not self._inbox.knows(read[1]):
            return "404 Not Found", "not found"
        self._inbox.take(read[1], signal, self._body(environ))
        return "200 OK", "OK"

    def _body(self, environ: WSGIEnvironment) -> str:
        """Return what was sent along.

        Reading waits for the sender, however slow, and the server offers no end to that. So one thread at a time reads, and the
        others stay free for visitors; while it is held up, reports are taken without what was sent along.
        """
        length = environ.get("CONTENT_LENGTH") or ""
        if length == "0" or not (length or "HTTP_TRANSFER_ENCODING" in environ):
            return ""
        if not self._reading.acquire(timeout=BODY_PATIENCE_S):
            return ""
        try:
            return _read(environ["wsgi.input"])
        finally:
            self._reading.release()


def _signal(word: str | None) -> int | None:
    """Return what stands behind the token: nothing is a success; None when it means nothing."""
    if word is None:
        return SUCCESS
    if word in _WORDS:
        return _WORDS[word]
    return int(word) if int(word) <= LARGEST_EXIT_CODE else None


def _read(source: Any) -> str:
    """Return the beginning of a body, or as much of it as came before it broke off."""
    pieces: list[bytes] = []
    left = BODY_LIMIT
    try:
        while left > 0 and (piece := source.read(min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
    except Exception as error:  # noqa: BLE001 - whatever broke the connection, the report itself has come
        log.info("the body of a report broke off: %s", error)
    return b"".join(pieces).decode(errors="replace").replace("\x00", "")


def _answer(start_response: Callable[..., object], status: str, said: str, **more: str) -> list[bytes]:
    body = f"{said}\n".encode() if not status.startswith("200") else said.encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", NEVER),
        *ALWAYS,
        *((name.replace("_", "-"), value) for name, value in more.items()),
    ]
    start_response(status, headers)
    return [body]
