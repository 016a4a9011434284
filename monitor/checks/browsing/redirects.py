"""Where a redirect may lead, and what of the request may go there: pure."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from monitor.checks.contract import TargetFaultError
from monitor.checks.options.targets import ascii_host, bracketed
from monitor.checks.policy import plain
from monitor.language.refusals import RefusalError
from monitor.observation import Cause

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNCLEAN = re.compile(r"[\x00-\x20\x7f\\\"<>`]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding"})
# What may be said to a stranger. Everything else that was configured may be a credential, whatever its name.
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})


class Hop(NamedTuple):
    """One request on the way: an http or https URL without user, password and fragment.

    `trusted` tells whether it goes to the origin that our credentials are meant for.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    trusted: bool = True

    @property
    def host(self) -> str:
        return _host(self.url)

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or _DEFAULT_PORTS[parts.scheme]


@lru_cache(maxsize=8192)
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


class Reach(IntEnum):
    """How near an address is; a redirect may lead outwards or stay, never inwards."""

    NOWHERE = 0
    MACHINE = 1
    LINK = 2
    PRIVATE = 3
    WORLD = 4


def reach(address: str) -> Reach:
    """Return how near an address literal is; an IPv4 address in IPv6 clothes counts as what it is."""
    found = plain(address)
    if found.is_loopback:
        return Reach.MACHINE
    if found.is_link_local:
        return Reach.LINK
    if found.is_multicast or found.is_unspecified:
        return Reach.NOWHERE
    return Reach.WORLD if found.is_global else Reach.PRIVATE


def may_lead(origin: str | None, address: str) -> bool:
    """May a redirect from a target at `origin` lead to `address`? None is somewhere outside.

    What answers from outside must not point us at our own page, a metadata service or the network behind us.
    """
    wanted = reach(address)
    return wanted is not Reach.NOWHERE and wanted >= (Reach.WORLD if origin is None else reach(origin))


def clean_url(text: str) -> str:
    """Return an http or https URL in the form that goes on the wire; anything else raises RefusalError that says what is wrong."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise RefusalError("options.url.place", found=text) from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise RefusalError("options.url.form", found=text)
    if not parts.hostname:
        raise RefusalError("options.url.place", found=text)
    if "@" in parts.netloc:
        raise RefusalError("options.url.user")
    host = bracketed(ascii_host(parts.hostname))
    # A letter of the host may become one of these only on its way to the wire.
    if _UNCLEAN.search(text) or _UNCLEAN.search(host):
        raise RefusalError("options.url.letters", found=text)
    netloc = host if port is None else f"{host}:{port}"
    return SplitResult(
        parts.scheme, netloc, _on_the_wire(parts.path) or "/", _on_the_wire(parts.query), ""
    ).geturl()


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a clean URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def follow(hop: Hop, status: int, location: str) -> Hop:
    """Return the request that a redirect asks for; one that leaves the web raises TargetFaultError.

    To another origin neither a body nor any header goes along that may be a credential. A POST becomes a GET as in browsers,
    except after 307 and 308.
    """
    try:
        url = clean_url(urljoin(hop.url, location.strip()))
    except ValueError as error:
        raise TargetFaultError(Cause.PROTOCOL, f"{status}, redirects astray: {error}") from error
    onward = hop._replace(url=url)
    if _asks_anew(hop.method, status):
        onward = onward._replace(method="GET", body=None, headers=_without(hop.headers, _OF_A_BODY))
    if origin_of(url) == origin_of(hop.url):
        return onward
    return onward._replace(body=None, headers=harmless(onward.headers), trusted=False)


def harmless(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return what of the headers may be said to a stranger."""
    return tuple(pair for pair in headers if pair[0].lower() in _HARMLESS)


def _asks_anew(method: str, status: int) -> bool:
    return (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST")


def _without(headers: tuple[tuple[str, str], ...], names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in headers if pair[0].lower() not in names)


def _on_the_wire(text: str) -> str:
    return "".join(
        letter if letter.isascii() else "".join(f"%{byte:02X}" for byte in letter.encode()) for letter in text
    )
