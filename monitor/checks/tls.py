"""Does a port speak TLS with a certificate that will hold for a while yet?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from monitor.checks.connecting import over_addresses
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Handshake, Kind, Look, Options, Request, Tools
from monitor.checks.durations import Duration
from monitor.checks.shell import word
from monitor.checks.targets import (
    FamilyName,
    Host,
    Port,
    at_host,
    bracketed,
    is_address,
    port_or_place,
    service_of_port,
)
from monitor.health.words import Service
from monitor.observation import Cause, Outcome


class TlsOptions(Options):
    """What a `tls` check takes."""

    port: Port = Field(default=443, description="The port that speaks TLS from its first byte.")
    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    name: Host | None = Field(
        default=None,
        description="The name that the certificate must carry and that is asked for (SNI); the host if left out. "
        "As in every check it is the check's name too, and a word without a dot (`imap`) is only that.",
    )
    warn: Duration = Field(
        default=timedelta(days=21),
        description="Warn when the certificate ends sooner than this, such as 21d.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class TlsCheck:
    """A look that shakes hands and judges the certificate."""

    options: TlsOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    @property
    def _name(self) -> str:
        name = self.options.name
        return name if name is not None and is_server_name(name) else self.options.host

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options

        async def shake(address: str, within: float | None) -> Handshake:
            request = Request(
                url=f"https://{bracketed(self._name)}:{options.port}/",
                address=address,
                ca_file=options.ca,
                connect_within=within,
            )
            return await tools.transport.handshake(request, deadline)

        shaken, named = await over_addresses(tools, options.host, Family(options.family), deadline, shake)
        seen = Look(
            outcome=Outcome.OK,
            address=shaken.address,
            phases=named | dict(shaken.phases),
            tls_expires_at=shaken.tls_expires_at,
        )
        return _warned(seen, options.warn, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        name = self._name
        expected = (
            f"-verify_ip {word(name)}"
            if is_address(name)
            else f"-servername {word(name)} -verify_hostname {word(name)}"
        )
        trust = f" -CAfile {word(self.options.ca)}" if self.options.ca else ""
        return (
            f"timeout {max(1, round(timeout.total_seconds()))} openssl s_client "
            f"-connect {word(f'{bracketed(host)}:{self.options.port}')} {expected}{trust} -verify_return_error </dev/null"
        )


def is_server_name(name: str) -> bool:
    """May a certificate be made out to `name`? A second check on a server needs a name, and `imap` is no host's."""
    return "." in name or is_address(name) or name == "localhost"


def _warned(seen: Look, warn: timedelta, now: datetime) -> Look:
    ends = seen.tls_expires_at
    if ends is None or ends - now >= warn:
        return seen
    return replace(
        seen,
        outcome=Outcome.WARN,
        cause=Cause.CERTIFICATE_ENDING,
        found=f"the certificate ends in {(ends - now).days} days, on {ends:%Y-%m-%d %H:%M} UTC",
    )


def _short(value: object) -> dict[str, Any]:
    return port_or_place(
        value, 'the short form of tls is a port (443) or a host and a port ("mail.example:993")'
    )


def _service(options: TlsOptions) -> Service:
    return service_of_port(options.port)


KIND = Kind(
    name="tls",
    options=TlsOptions,
    build=TlsCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
