"""Where a redirect may lead, and what of the request may go there: pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from monitor.checks.contract import TargetFaultError
from monitor.checks.targets import ascii_host, bracketed
from monitor.observation import Cause

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LIMIT = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may be said to a stranger. Everything else that was configured may be a credential, whatever its name.
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request on the way: an http or https URL without user, password and fragment."""

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or _DEFAULT_PORTS[parts.scheme]

    @property
    def origin(self) -> tuple[str, str, int]:
        return urlsplit(self.url).scheme, self.host, self.port


class Reach(IntEnum):
    """How near an address is; a redirect may lead outwards or stay, never inwards."""

    NOWHERE = 0
    MACHINE = 1
    LINK = 2
    PRIVATE = 3
    WORLD = 4


def reach(address: str) -> Reach:
    """Return how near an address literal is; an IPv4 address in IPv6 clothes counts as what it is."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or _translated(found) or found
    if found.is_loopback:
        return Reach.MACHINE
    if found.is_link_local:
        return Reach.LINK
    if found.is_multicast or found.is_unspecified:
        return Reach.NOWHERE
    return Reach.WORLD if found.is_global else Reach.PRIVATE


def may_lead(origin: str, address: str) -> bool:
    """May a redirect from a target at `origin` lead to `address`?

    What answers from outside must not point us at our own page, a metadata service or the network behind us.
    """
    wanted = reach(address)
    return wanted is not Reach.NOWHERE and wanted >= reach(origin)


def clean_url(text: str) -> str:
    """Return an http or https URL in the form that goes on the wire; anything else raises ValueError that says what is wrong."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is not a URL: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{text[:80]!r} is no web address: it begins with http:// or https://")
    if not parts.hostname:
        raise ValueError(f"{text[:80]!r} names no host")
    if "@" in parts.netloc:
        raise ValueError("a user and a password do not belong into a URL: send them in headers")
    if any(ord(letter) <= 0x20 or ord(letter) == 0x7F or letter in '\\"<>`' for letter in text):
        raise ValueError(f"{text[:80]!r} holds a blank or a letter that must be written as %XX")
    host = bracketed(ascii_host(parts.hostname))
    netloc = host if port is None else f"{host}:{port}"
    return SplitResult(
        parts.scheme, netloc, _on_the_wire(parts.path) or "/", _on_the_wire(parts.query), ""
    ).geturl()


def follow(step: Step, status: int, location: str) -> Step:
    """Return the request that a redirect asks for; one that leaves the web raises TargetFaultError.

    To another origin only harmless headers go along. A POST becomes a GET as in browsers, except after 307 and 308.
    """
    try:
        url = clean_url(urljoin(step.url, location.strip()))
    except ValueError as error:
        raise TargetFaultError(Cause.PROTOCOL, f"{status}, redirects astray: {error}") from error
    method = "GET" if step.method == "POST" and status not in {307, 308} else step.method
    onward = Step(url=url, method=method, headers=step.headers)
    if onward.origin == step.origin:
        return onward
    return Step(
        url=url, method=method, headers=tuple(pair for pair in step.headers if pair[0].lower() in _HARMLESS)
    )


def _on_the_wire(text: str) -> str:
    return "".join(
        letter if letter.isascii() else "".join(f"%{byte:02X}" for byte in letter.encode()) for letter in text
    )


def _translated(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside 64:ff9b::/96, by which NAT64 reaches the older network."""
    if int(address) >> 32 == 0x0064_FF9B << 64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
