"""Bytes in front of the application: each address is rendered once per picture and answered from memory.

An answer depends on its path and on the picture of the present, and on nothing else of the request: the
application behind gets neither query, cookies, host nor any other header, so that no visitor can put words into another one's
page. The language is part of the path. Addresses that do depend on the request are named as `dynamic` and pass by.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import brotli  # type: ignore[import-untyped]  # it ships none

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GZIP_LEVEL = 6
BROTLI_QUALITY = 5
SMALLEST_WORTH_PACKING = 256
MERGE_LIMIT_S = 30.0

_KEPT = ("PATH_INFO", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "REMOTE_ADDR")
_TEXTUAL = ("text/", "image/svg+xml", "application/json", "application/rss+xml", "application/atom+xml")
_STORED_ONLY_FOR_BODIES = frozenset({"content-type", "content-length", "content-encoding"})

Headers = list[tuple[str, str]]


class Encoding(StrEnum):
    """How a body may be packed, the most wanted first."""

    BROTLI = "br"
    GZIP = "gzip"
    PLAIN = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One packing of an answer, ready to be sent."""

    body: bytes
    etag: str
    headers: Headers
    headers_unchanged: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an address gives. `made` is the monotonic moment before it was rendered, `version` the picture it shows."""

    status: str
    variants: dict[Encoding, Variant]
    keep: bool
    version: Hashable
    made: float
    size: int


@dataclass(slots=True)
class _Flight:
    """A rendering under way, which later visitors of the same address wait for instead of starting their own."""

    landed: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


class ByteCache:
    """A WSGI application that answers from memory for the one behind it.

    A new version is rendered at the first request after it, and at most once in `settle_s` seconds for an address.
    When more than `limit` bytes are kept, the answers that were made first go first.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        version: Callable[[], Hashable],
        monotonic: Callable[[], float],
        dynamic: frozenset[str] = frozenset(),
        settle_s: float = 1.0,
        limit: int = 64 * 1024 * 1024,
    ) -> None:
        self._application = application
        self._version = version
        self._monotonic = monotonic
        self._dynamic = dynamic
        self._settle_s = settle_s
        self._limit = limit
        self._answers: dict[str, Answer] = {}
        self._size = 0
        self._flights: dict[str, _Flight] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from memory if the picture has not changed, else have the address rendered once for everybody."""
        path = environ["PATH_INFO"]
        method = environ["REQUEST_METHOD"]
        if path in self._dynamic or method not in ("GET", "HEAD"):
            return self._application(environ, start_response)
        answer = self._answers.get(path)
        if answer is None or not self._stands(answer):
            answer = self._landed(path, environ)
        return _send(answer, environ, start_response, with_body=method == "GET")

    def _stands(self, answer: Answer) -> bool:
        return answer.version == self._version() or self._monotonic() - answer.made < self._settle_s

    def _landed(self, path: str, environ: WSGIEnvironment) -> Answer:
        """Return a new answer: our own, or that of whoever is rendering this address already."""
        with self._lock:
            flight = self._flights.get(path)
            ours = flight is None
            if flight is None:
                flight = self._flights[path] = _Flight()
        if ours:
            return self._fly(path, flight, environ)
        flight.landed.wait(MERGE_LIMIT_S)
        return flight.answer or self._render(environ)

    def _fly(self, path: str, flight: _Flight, environ: WSGIEnvironment) -> Answer:
        try:
            flight.answer = self._render(environ)
            self._keep(path, flight.answer)
            return flight.answer
        finally:
            with self._lock:
                del self._flights[path]
            flight.landed.set()

    def _render(self, environ: WSGIEnvironment) -> Answer:
        version, made = self._version(), self._monotonic()
        status, headers, body = _call(self._application, _bare(environ))
        return make_answer(status, headers, body, version=version, made=made)

    def _keep(self, path: str, answer: Answer) -> None:
        if not answer.keep:
            return
        with self._lock:
            before = self._answers.pop(path, None)
            self._size += answer.size - (before.size if before else 0)
            self._answers[path] = answer
            while self._size > self._limit:
                oldest = next(iter(self._answers))
                self._size -= self._answers.pop(oldest).size


def make_answer(status: str, headers: Headers, body: bytes, *, version: Hashable, made: float) -> Answer:
    """Return an answer in every packing that is worth having; only a public success is kept."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    packed = _pack(body, dict(headers).get("Content-Type", ""))
    variants = {encoding: _variant(encoding, data, headers, digest) for encoding, data in packed.items()}
    keep = status.startswith("200") and dict(headers).get("Cache-Control", "").startswith("public")
    size = sum(len(data) for data in packed.values())
    return Answer(status=status, variants=variants, keep=keep, version=version, made=made, size=size)


@lru_cache(maxsize=512)
def accepted(header: str) -> tuple[Encoding, ...]:
    """Return the packings that an `Accept-Encoding` allows, the one we like best first; plain always closes the list."""
    offers = {name: weight for name, weight in map(_offer, header.lower().split(",")) if name}
    anything = offers.get("*", 0.0)
    packings = (Encoding.BROTLI, Encoding.GZIP)
    return (*(packing for packing in packings if offers.get(packing.value, anything) > 0), Encoding.PLAIN)


def matches(header: str, etag: str) -> bool:
    """Does an `If-None-Match` name this answer? Compared weakly, as the header demands."""
    tags = (tag.strip().removeprefix("W/") for tag in header.split(","))
    return header.strip() == "*" or etag in tags


def _offer(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    weight = parameters.strip().removeprefix("q=") if parameters else "1"
    try:
        return name.strip(), float(weight)
    except ValueError:
        return name.strip(), 0.0


def _send(
    answer: Answer, environ: WSGIEnvironment, start_response: StartResponse, *, with_body: bool
) -> Iterable[bytes]:
    choices = accepted(environ.get("HTTP_ACCEPT_ENCODING", ""))
    variant = next(answer.variants[choice] for choice in choices if choice in answer.variants)
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is not None and answer.keep and matches(known, variant.etag):
        start_response("304 Not Modified", variant.headers_unchanged)
        return []
    start_response(answer.status, variant.headers)
    return [variant.body] if with_body else []


def _variant(encoding: Encoding, body: bytes, headers: Headers, digest: str) -> Variant:
    etag = f'"{digest}"' if encoding is Encoding.PLAIN else f'"{digest}-{encoding.value}"'
    rest = [(name, value) for name, value in headers if name.lower() not in _STORED_ONLY_FOR_BODIES]
    shared = [*rest, ("ETag", etag), ("Vary", "Accept-Encoding")]
    about_body = [(name, value) for name, value in headers if name.lower() == "content-type"]
    about_body.append(("Content-Length", str(len(body))))
    if encoding is not Encoding.PLAIN:
        about_body.append(("Content-Encoding", encoding.value))
    return Variant(body=body, etag=etag, headers=[*shared, *about_body], headers_unchanged=shared)


def _pack(body: bytes, content_type: str) -> dict[Encoding, bytes]:
    if len(body) < SMALLEST_WORTH_PACKING or not content_type.startswith(_TEXTUAL):
        return {Encoding.PLAIN: body}
    return {
        Encoding.BROTLI: brotli.compress(body, quality=BROTLI_QUALITY),
        Encoding.GZIP: gzip.compress(body, GZIP_LEVEL, mtime=0),
        Encoding.PLAIN: body,
    }


def _bare(environ: WSGIEnvironment) -> WSGIEnvironment:
    kept: dict[str, Any] = {name: environ[name] for name in _KEPT if name in environ}
    kept |= {name: value for name, value in environ.items() if name.startswith("wsgi.")}
    return kept | {"REQUEST_METHOD": "GET", "QUERY_STRING": ""}


def _call(application: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
    """Run an application to its end and return status, headers and the whole body."""
    begun: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _error: object = None, /) -> Callable[[bytes], object]:
        begun.append((status, headers))
        return lambda _: None

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = begun[-1]
    return status, headers, body
