"""HTTP and TLS by libcurl's multi interface on the loop: exact phases, byte caps, deadlines that hold.

libcurl keeps the parsed CA certificates with a multi handle and for one CA file only, and parsing them costs forty times
a handshake. So every CA file has a multi handle of its own, and looks that share a file share its parsed state.

Nearly every look is a plain one, which tells the target nothing but the URL. The handles of these are kept as they are, so that the
next plain look sets no more than where it goes and when it ends; every other handle is wiped after its look.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import pycurl

from monitor.checks.contract import (
    BODY_LIMIT,
    HEADERS_LIMIT,
    ClientCertificate,
    Exchange,
    HttpVersion,
    OwnFaultError,
    Proxy,
    Request,
    TargetFaultError,
)
from monitor.checks.options.targets import bracketed
from monitor.observation import Cause
from monitor.prober.curl_engine import CurlEngine
from monitor.prober.curl_faults import Failure, fault_of_curl

AGENT = "Vigia/1 (status monitoring)"
_SYSTEM_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_USUAL_NAMES = ("accept-encoding", "user-agent")
_USUAL_HEADERS = [b"Accept-Encoding: identity", f"User-Agent: {AGENT}".encode()]
_STOP = -1
_VERSIONS: Mapping[HttpVersion, int] = {
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "auto": pycurl.CURL_HTTP_VERSION_2TLS,
    "2": pycurl.CURL_HTTP_VERSION_2TLS,
}
# Methods whose request has a body, if only an empty one.
_SENDING = frozenset({"POST", "PUT", "PATCH"})
# The classic groups. By default a key of the post-quantum kind goes along, which costs a tenth of every look and protects
# nothing here: what a look says and hears is no secret for the next decades.
_GROUPS = "X25519:P-256:P-384:P-521"


def system_ca_file() -> str:
    """Return the file of CA certificates that this machine trusts, or else the one that comes with requests."""
    for path in (os.environ.get("SSL_CERT_FILE", ""), *_SYSTEM_CA_FILES):
        if path and Path(path).is_file():
            return path
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - nearly every machine has one of its own

    return DEFAULT_CA_BUNDLE_PATH


@dataclass(slots=True)
class _Handle:
    """A handle of libcurl and what its transfer has brought so far.

    libcurl itself ends one whose heads, interim ones among them, have more than 300 KiB; a body is cut at the limit.
    """

    curl: pycurl.Curl = field(default_factory=pycurl.Curl)
    heads: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def take_body(self, data: bytes) -> int | None:
        room = BODY_LIMIT - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            self.truncated = True
            return _STOP
        return None

    def head(self) -> bytes:
        """Return the last head: an interim answer (100, 103) has one of its own, and so has a proxy's."""
        return bytes(self.heads[self.heads.rfind(b"\nHTTP/") + 1 :])

    def forget(self) -> None:
        """Let go of what came."""
        self.heads.clear()
        self.body.clear()
        self.truncated = False


class CurlTransport:
    """The shared engine of every look that speaks HTTP or TLS; belongs to the loop that it is first used on."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file or system_ca_file()
        self._engines: dict[tuple[str, int], CurlEngine] = {}
        self._idle: list[_Handle] = []
        # Ready for a plain look over TLS or not, with a version.
        self._ready: dict[tuple[bool, HttpVersion], list[_Handle]] = {}

    async def fetch(self, request: Request, deadline: float) -> Exchange:
        """Return the exchange, or raise TargetFaultError with cause and the phases so far."""
        tls = request.url.startswith("https:")
        ready = self._ready.setdefault((tls, request.version), []) if is_plain(request) else None
        handle = ready.pop() if ready else self._configured(request)
        curl, whole = handle.curl, False
        try:
            _aim(curl, request, deadline)
            try:
                await self._engine(request.ca_file or self._ca_file if tls else None).transfer(curl)
                whole = True
            except pycurl.error as error:
                # A body cut at the limit is what we asked for: the head and the first mebibyte are the answer.
                if not handle.truncated:
                    raise self._fault(curl, request, error) from error
            head = handle.head()
            if len(head) > HEADERS_LIMIT:
                raise _too_large(request, _phases(curl))
            return Exchange(
                status=curl.getinfo(pycurl.RESPONSE_CODE),
                head=head,
                body=bytes(handle.body),
                truncated=handle.truncated,
                phases=_phases(curl),
                address=request.address,
                tls_expires_at=_leaf_end(curl) if tls else None,
                version="1.1" if request.version == "1.1" else _spoken(curl),
            )
        finally:
            handle.forget()
            if whole and ready is not None:
                ready.append(handle)
            else:
                curl.reset()
                self._idle.append(handle)

    async def close(self) -> None:
        """Hang up whatever is still open."""
        for engine in self._engines.values():
            engine.close()
        for handle in (*self._idle, *(one for ready in self._ready.values() for one in ready)):
            handle.curl.close()
        self._engines.clear()
        self._idle.clear()
        self._ready.clear()

    def _engine(self, ca_file: str | None) -> CurlEngine:
        # A CA file that was replaced is read anew; looks that are under way end with what they began with.
        key = (ca_file, _changed_at(ca_file)) if ca_file else ("", 0)
        engine = self._engines.get(key)
        if engine is None:
            engine = self._engines[key] = CurlEngine()
        return engine

    def _configured(self, request: Request) -> _Handle:
        """Return a handle that is set to all of a request but where it goes and when it ends."""
        handle = self._idle.pop() if self._idle else _Handle()
        curl = handle.curl
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.FRESH_CONNECT, 1)
        curl.setopt(pycurl.FORBID_REUSE, 1)
        curl.setopt(pycurl.HEADERFUNCTION, handle.heads.extend)
        curl.setopt(pycurl.WRITEFUNCTION, handle.take_body)
        if request.proxy is None:
            curl.setopt(pycurl.PROXY, "")
        else:
            _go_through(curl, request.proxy, request.address)
        if request.url.startswith("https:"):
            _secure(curl, request, request.ca_file or self._ca_file)
        _configure_http(curl, request)
        return handle

    def _fault(
        self, curl: pycurl.Curl, request: Request, error: pycurl.error
    ) -> TargetFaultError | OwnFaultError:
        code, text = cast("tuple[int, str]", (*error.args, "")[:2])
        tls = request.url.startswith("https:")
        return fault_of_curl(
            Failure(
                code=int(code),
                text=str(text) or curl.errstr(),
                errno=int(curl.getinfo(pycurl.OS_ERRNO)) or _descriptor_trouble(),
                verify_result=int(curl.getinfo(pycurl.SSL_VERIFYRESULT)) if tls else 0,
                phases=_phases(curl),
                tls=tls,
                tls_expires_at=_leaf_end(curl) if tls else None,
                address=request.address,
                ca_file=request.ca_file or self._ca_file,
                certificate_file=request.certificate.file if request.certificate is not None else "",
                proxy_code=None if request.proxy is None else int(curl.getinfo(pycurl.HTTP_CONNECTCODE)),
            )
        )


def is_plain(request: Request) -> bool:
    """Does a request tell the target no more than its URL, and trust as the others do?"""
    return (
        request.method == "GET"
        and not request.headers
        and request.body is None
        and request.verify
        and request.ca_file is None
        and request.certificate is None
        and request.proxy is None
    )


def _aim(curl: pycurl.Curl, request: Request, deadline: float) -> None:
    """Set where a request goes and when it ends."""
    left_ms = max(1, round(1000 * (deadline - asyncio.get_running_loop().time())))
    connect_ms = left_ms if request.connect_within is None else round(1000 * request.connect_within)
    curl.setopt(pycurl.URL, request.url)
    curl.setopt(pycurl.TIMEOUT_MS, left_ms)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, min(left_ms, connect_ms)))
    if request.proxy is None:
        curl.setopt(pycurl.CONNECT_TO, [f"::{bracketed(request.address)}:"])


def _secure(curl: pycurl.Curl, request: Request, ca_file: str) -> None:
    curl.setopt(pycurl.CAINFO, ca_file)
    # libcurl keeps parsed certificates only when they come from the file alone.
    curl.setopt(pycurl.CAPATH, None)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    curl.setopt(pycurl.SSL_EC_CURVES, _GROUPS)
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    curl.setopt(pycurl.SSL_VERIFYPEER, int(request.verify))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if request.verify else 0)
    if request.certificate is not None:
        _show(curl, request.certificate)


def _too_large(request: Request, phases: Mapping[str, float]) -> TargetFaultError:
    found = f"the head is larger than {HEADERS_LIMIT // 1024} KiB"
    return TargetFaultError(Cause.PROTOCOL, found, address=request.address, phases=phases)


def _changed_at(path: str) -> int:
    try:
        return _path(path).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=256)
def _path(text: str) -> Path:
    return Path(text)


def _descriptor_trouble() -> int:
    """Return why no socket can be opened now, 0 if one can: libcurl gives no reason when it could not open its own."""
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno or 0
    return 0


def _go_through(curl: pycurl.Curl, proxy: Proxy, address: str) -> None:
    curl.setopt(pycurl.PROXY, f"http://{bracketed(address)}:{proxy.port}")
    # Otherwise the environment could name hosts that are reached without it.
    curl.setopt(pycurl.NOPROXY, "")
    curl.setopt(pycurl.USERAGENT, AGENT)
    if proxy.user or proxy.password:
        curl.setopt(pycurl.PROXYAUTH, pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.PROXYUSERNAME, proxy.user)
        curl.setopt(pycurl.PROXYPASSWORD, proxy.password)


def _show(curl: pycurl.Curl, certificate: ClientCertificate) -> None:
    curl.setopt(pycurl.SSLCERT, certificate.file)
    curl.setopt(pycurl.SSLKEY, certificate.key or certificate.file)
    # Without a password of ours OpenSSL would ask for one at the terminal.
    curl.setopt(pycurl.SSLKEYPASSWD, certificate.password or "")


def _configure_http(curl: pycurl.Curl, request: Request) -> None:
    curl.setopt(pycurl.HTTP_VERSION, _VERSIONS[request.version])
    curl.setopt(pycurl.HTTP09_ALLOWED, 0)
    curl.setopt(pycurl.HTTPHEADER, _sent_headers(request.headers))
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.method != "GET" or request.body is not None:
        _configure_sending(curl, request)


def _configure_sending(curl: pycurl.Curl, request: Request) -> None:
    if request.body is not None or request.method in _SENDING:
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDS, request.body or b"")
    if request.method != "POST":
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _sent_headers(given: tuple[tuple[str, str], ...]) -> list[bytes]:
    if not given:
        return _USUAL_HEADERS
    names = {name.lower() for name, _ in given}
    headers = [_encoded(f"{name}: {value}" if value else f"{name};") for name, value in given]
    return headers + [
        line for name, line in zip(_USUAL_NAMES, _USUAL_HEADERS, strict=True) if name not in names
    ]


def _encoded(line: str) -> bytes:
    """Return a header as browsers send it; what does not fit into Latin-1 goes as UTF-8."""
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode(errors="replace")


def _spoken(curl: pycurl.Curl) -> str:
    return "2" if curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0 else "1.1"


def _phases(curl: pycurl.Curl) -> Mapping[str, float]:
    """Return the phases that were finished, each in milliseconds of its own; libcurl counts from the start of the look."""
    take, phases = curl.getinfo, {}
    if connected := take(pycurl.CONNECT_TIME):
        phases["connect"] = connected - take(pycurl.NAMELOOKUP_TIME)
        if greeted := take(pycurl.APPCONNECT_TIME):
            phases["tls"] = greeted - connected
        asked = take(pycurl.PRETRANSFER_TIME)
        # libcurl marks a first byte even when it gives up before it asked anything; a status tells that there was one.
        if asked and take(pycurl.RESPONSE_CODE):
            phases["first_byte"] = take(pycurl.STARTTRANSFER_TIME) - asked
    phases["total"] = take(pycurl.TOTAL_TIME)
    return {name: 1000 * seconds for name, seconds in phases.items() if seconds > 0}


def _leaf_end(curl: pycurl.Curl) -> datetime | None:
    """Return when the certificate that the peer showed ends, also one that was refused."""
    chain = curl.getinfo(pycurl.INFO_CERTINFO)
    if not chain:
        return None
    return _moment(next((value for name, value in chain[0] if name == "Expire date"), ""))


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
