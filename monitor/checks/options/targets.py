"""Hosts, ports and addresses as options name them, and the service that customers get behind a port."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from monitor.health.words import Service
from monitor.language.refusals import RefusalError

# A configured text may hold references; they are filled, and the text judged again, when the check is built.
REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[^\s/@#?%\\\[\]:,'\"]{1,253}")

_PORTS: dict[Service, frozenset[int]] = {
    Service.WEB: frozenset({80, 443, 8080}),
    Service.MAIL: frozenset({25, 110, 143, 465, 587, 993, 995, 2095, 2096, 2525, 4190}),
    Service.PANEL: frozenset({2082, 2083, 2086, 2087, 2222, 8083, 8443, 8880, 10000, 20000}),
    Service.DATABASES: frozenset({1433, 1521, 3306, 5432, 6379, 9200, 11211, 27017}),
    Service.FILES: frozenset({20, 21, 22, 115, 445, 873, 990, 2049, 2077, 2078}),
    Service.NAMES: frozenset({53, 853}),
}


def service_of_port(port: int) -> Service:
    """Return what customers get behind a well-known port; a port that tells nothing belongs to the network."""
    return next((service for service, ports in _PORTS.items() if port in ports), Service.NETWORK)


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Is `host` an IPv4 or IPv6 address rather than a name?"""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def bracketed(host: str) -> str:
    """Return `host` as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def split_host_port(text: str) -> tuple[str, int]:
    """Return host and port of `host:22` or `[2001:db8::1]:22`; anything else raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65535:
        raise RefusalError("options.place", found=text)
    return host.removeprefix("[").removesuffix("]"), int(port)


def port_or_place(value: object, kind: str, port: int) -> dict[str, Any]:
    """Return the options that a port (`22`) or a host and a port (`host:22`) stand for.

    Anything else raises RefusalError, which shows both for this kind and its usual port.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    if isinstance(value, str):
        host, port = split_host_port(value)
        return {"host": host, "port": port}
    raise RefusalError("options.short.port", found=value, kind=kind, port=port)


def at_host(options: dict[str, Any], host: str) -> dict[str, Any]:
    """Return options that look at the server's own host unless they name another."""
    return {"host": host, **options} if host else options


def ascii_host(host: str) -> str:
    """Return the name as it travels on the wire (`año.ec` as `xn--ao-zja.ec`); an impossible one raises ValueError."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise RefusalError("options.dns_name", found=host) from error


def host_of(text: str) -> str:
    """Return `text` if it is a name or an address, or holds a reference that may become one; anything else raises ValueError."""
    if not is_address(text) and (
        text.startswith("-") or not _HOST.fullmatch(REFERENCE.sub("reference", text))
    ):
        raise RefusalError("configuration.host", found=text)
    return text


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise RefusalError("options.one_line")
    return text


Host = Annotated[str, AfterValidator(host_of)]
Port = Annotated[int, Field(ge=1, le=65535)]
OneLine = Annotated[str, Field(max_length=4096), AfterValidator(_one_line)]
FamilyName = Literal["any", "ipv4", "ipv6"]
