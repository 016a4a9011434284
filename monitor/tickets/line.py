"""One HTTP exchange with a helpdesk, by requests, on a line that is cut when its time is over.

The time-out of requests counts each single wait, so that a peer that sends a byte now and then holds it for ever; here a
timer shuts the connection down, whatever it is doing. The line also knows whether it ever stood, which is what tells
"surely nothing arrived" from "may have arrived".
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from monitor.tickets.port import DeliveryError, Fate

ANSWER_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status, headers by lower-case name, and a whole body of at most `ANSWER_LIMIT` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `ca_file` replaces the certificate authorities that everybody trusts."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    ca_file: str | None = None


def exchange(call: Call, within: timedelta) -> Answer:
    """Return the answer, or raise DeliveryError: not_sent if the line never stood, else uncertain.

    No redirect is followed, and no proxy, netrc or other setting of the machine has a say.
    """
    line = Line(urlsplit(call.url).scheme == "http", time.monotonic() + within.total_seconds())
    try:
        with line.limited(), requests.Session() as session:
            return _ask(session, line, call)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise line.failure(error) from error


def _ask(session: requests.Session, line: Line, call: Call) -> Answer:
    session.trust_env = False
    session.mount("http://", _LineAdapter(line))
    session.mount("https://", _LineAdapter(line))
    with session.request(
        call.method,
        call.url,
        data=call.body,
        headers={**call.headers, "Accept-Encoding": "identity", "Connection": "close"},
        timeout=max(line.left(), 0.001),
        allow_redirects=False,
        stream=True,
        verify=call.ca_file or True,
    ) as response:
        body = response.raw.read(ANSWER_LIMIT + 1, decode_content=False)
        # A body without a length ends with the connection, so a line that was cut looks like a whole answer.
        if line.cut:
            raise TimeoutError
        if len(body) > ANSWER_LIMIT:
            raise DeliveryError(Fate.UNCERTAIN, f"the answer is longer than {ANSWER_LIMIT} bytes")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=body)


class Line:
    """The connection of one exchange: opened here, cut here, and remembered as having stood or not."""

    def __init__(self, plain: bool, deadline: float) -> None:  # noqa: FBT001 - what the address says, not a switch
        self._plain = plain
        self._deadline = deadline
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
        """Return a connected socket; every trouble on the way is a DeliveryError, for nothing was sent."""
        addresses = [found for found in self._lookup(host, port) if _may_be_called(found, plain=self._plain)]
        if not addresses:
            raise DeliveryError(Fate.FORBIDDEN, f"{host} has no address that may be called this way")
        for position, address in enumerate(addresses):
            # A silent first address must leave time for the next one.
            share = self.left() / (len(addresses) - position)
            with suppress(OSError):
                return self._register(socket.create_connection((address, port), timeout=max(share, 0.001)))
        raise DeliveryError(Fate.NOT_SENT, f"{host}:{port} does not accept a connection")

    def failure(self, error: Exception) -> DeliveryError:
        """Return what a broken exchange means. The library's own words stay out: they may hold the address in full."""
        if not self.stood:
            reason = (
                "the certificate is not accepted"
                if _is_certificate(error)
                else "the connection was not set up"
            )
            return DeliveryError(Fate.NOT_SENT, reason)
        if self.cut or isinstance(error, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
            return DeliveryError(Fate.UNCERTAIN, "no whole answer came in time")
        return DeliveryError(Fate.UNCERTAIN, "the connection broke before a whole answer came")

    def _lookup(self, host: str, port: int) -> tuple[str, ...]:
        # The system's resolver takes no deadline, so it is asked in a thread that may be left behind.
        answers: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        asking = threading.Thread(target=lambda: answers.put(_addresses(host, port)), daemon=True)
        asking.start()
        try:
            found = answers.get(timeout=max(self.left(), 0.001))
        except queue.Empty:
            raise DeliveryError(Fate.NOT_SENT, f"the name {host} was not resolved in time") from None
        if not found:
            raise DeliveryError(Fate.NOT_SENT, f"the name {host} does not resolve")
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


class _LineAdapter(HTTPAdapter):
    """Lets every connection of a session be made by our line."""

    def __init__(self, line: Line) -> None:
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _pools(line)


def _pools(line: Line) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return line.connect(self.host, self.port)

        def connect(self) -> None:
            super().connect()
            line.stood = True

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return line.connect(self.host, self.port or 443)

        def connect(self) -> None:
            super().connect()
            line.stood = True

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _may_be_called(address: str, *, plain: bool) -> bool:
    """Never a machine's own metadata service or a crowd; without TLS only what lies inside our own walls."""
    found = ipaddress.ip_address(address.partition("%")[0])
    judged = getattr(found, "ipv4_mapped", None) or found
    if judged.is_link_local or judged.is_multicast or judged.is_unspecified:
        return False
    return not plain or judged.is_private or judged.is_loopback


def _is_certificate(error: BaseException | None) -> bool:
    return isinstance(error, requests.exceptions.SSLError) and "certificate" in str(error).lower()
