"""One HTTP exchange with a helpdesk, by requests, on a line that is cut when its time is over.

The line also knows whether it ever stood, which is what tells "surely nothing arrived" from "may have arrived".
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from monitor.line import Line, LineError
from monitor.post.port import is_authority
from monitor.tickets.port import DeliveryError, Fate

ANSWER_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status, headers by lower-case name, and a whole body within the limit of its call."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request; `ca_file` replaces the certificate authorities that everybody trusts.

    `limit` is how many bytes the body of the answer may have.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    ca_file: str | None = None
    limit: int = ANSWER_LIMIT


def exchange(call: Call, within: timedelta) -> Answer:
    """Return the answer, or raise DeliveryError: not_sent if the line never stood, else uncertain.

    No redirect is followed, and no proxy, netrc or other setting of the machine has a say.
    """
    line = Line(within, plain=urlsplit(call.url).scheme == "http")
    try:
        with line.limited(), requests.Session() as session:
            return _ask(session, line, call)
    except LineError as error:
        fate = Fate.FORBIDDEN if error.forbidden else Fate.NOT_SENT
        raise DeliveryError(fate, error.detail) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _failure(line, call, error) from error


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
        body = response.raw.read(call.limit + 1, decode_content=False)
        # A body without a length ends with the connection, so a line that was cut looks like a whole answer.
        if line.cut:
            raise TimeoutError
        if len(body) > call.limit:
            raise DeliveryError(Fate.UNCERTAIN, f"the answer is longer than {call.limit} bytes")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=body)


def _failure(line: Line, call: Call, error: Exception) -> DeliveryError:
    """Return what a broken exchange means. The library's own words stay out: they may hold the address in full."""
    if not line.stood:
        return _not_set_up(call, error)
    if line.cut or isinstance(error, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
        return DeliveryError(Fate.UNCERTAIN, "no whole answer came in time")
    return DeliveryError(Fate.UNCERTAIN, "the connection broke before a whole answer came")


def _not_set_up(call: Call, error: Exception) -> DeliveryError:
    if call.ca_file and not is_authority(call.ca_file):
        detail = f"the certificate authority {call.ca_file} cannot be read"
        return DeliveryError(Fate.FORBIDDEN, detail, remedy="helpdesk.authority")
    if _is_certificate(error):
        detail = "the certificate is not accepted"
        return DeliveryError(Fate.NOT_SENT, detail, remedy="helpdesk.certificate")
    return DeliveryError(Fate.NOT_SENT, "the connection was not set up")


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


def _is_certificate(error: BaseException | None) -> bool:
    return isinstance(error, requests.exceptions.SSLError) and "certificate" in str(error).lower()
