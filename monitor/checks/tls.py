"""Does a port speak TLS with certificates that will hold for a while yet, and with no version that is too old?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Family,
    Kind,
    Look,
    Options,
    TargetFaultError,
    Tools,
)
from monitor.checks.options.durations import Duration, format_duration
from monitor.checks.options.shell import word
from monitor.checks.options.targets import (
    FamilyName,
    Host,
    Port,
    at_host,
    bracketed,
    is_address,
    port_or_place,
    service_of_port,
)
from monitor.checks.remote import starttls
from monitor.checks.remote.starttls import ProtocolName
from monitor.checks.wire.securing import VERSIONS, Identity, ServerName, Trust, ending, subject_of
from monitor.checks.wire.stream import Place, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome

_NEVER = timedelta(0)
# What s_client calls the protocols that it has another word for.
_S_CLIENT = {"postgresql": "postgres"}
# Agreed to only with ciphers that nobody else offers any more.
_OLD = frozenset({"1.0", "1.1"})


class TlsOptions(Options):
    """What a `tls` check takes."""

    port: Port = Field(default=443, description="The port that speaks TLS.")
    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    name: ServerName | None = Field(
        default=None,
        description="The name that the certificate must carry and that is asked for (SNI); the host if left out. "
        "As in every check it is the check's name too, and a word without a dot (`imap`) is only that.",
    )
    starttls: ProtocolName | Literal["none"] | None = Field(
        default=None,
        description="The protocol that is spoken before TLS begins, none where TLS comes first; by the port if left out.",
    )
    warn: Duration = Field(
        default=timedelta(days=21),
        description="Warn when a certificate of the chain ends sooner than this, such as 21d; 0d never.",
    )
    fail: Duration = Field(
        default=_NEVER,
        description="Down already when the server's certificate ends sooner than this, such as 2d.",
    )
    weakest: Literal["1.0", "1.1", "1.2", "1.3"] | None = Field(
        default=None,
        description="Warn when the server accepts a version of TLS that is older than this one. "
        "That is tried by a second handshake; if left out it is not.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _warned_first(self) -> Self:
        if self.warn < self.fail and self.warn != _NEVER:
            raise RefusalError(
                "options.tls.order", fail=format_duration(self.fail), warn=format_duration(self.warn)
            )
        return self


@dataclass(frozen=True, slots=True)
class TlsCheck:
    """A look that shakes hands and judges the certificates."""

    options: TlsOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    @property
    def _name(self) -> str:
        name = self.options.name
        return name if name is not None and is_server_name(name) else self.options.host

    @property
    def _protocol(self) -> ProtocolName | None:
        spoken = self.options.starttls or starttls.PORTS.get(self.options.port)
        return None if spoken == "none" else spoken

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        trust = Trust(name=self._name, ca=options.ca or tools.ca_file)
        if options.weakest is not None:
            trust = replace(trust, lowest=options.weakest, weak=options.weakest in _OLD)
        place = Place(host=options.host, port=options.port, family=Family(options.family))
        identity, seen = await self._greeted(tools, place, deadline, trust)
        seen = _judged(seen, identity, options, tools.now())
        if seen.outcome is Outcome.DOWN or seen.address is None:
            return seen
        older = await self._older(tools, replace(place, host=seen.address), deadline)
        return seen if older is None else _weakly(seen, older)

    async def _greeted(
        self, tools: Tools, place: Place, deadline: float, trust: Trust
    ) -> tuple[Identity, Look]:
        protocol = self._protocol
        async with open_stream(tools, place, deadline, trust if protocol is None else None) as stream:
            if protocol is not None:
                await starttls.begin(stream, protocol, self._name)
                await stream.secure(trust)
            assert stream.identity is not None, "a stream that is secured knows who is there"  # noqa: S101
            return stream.identity, stream.seen()

    async def _older(self, tools: Tools, place: Place, deadline: float) -> str | None:
        """Return which version older than the weakest allowed one the server agrees to, None if to none.

        A server that does not answer such a wish at all is given half of the time that is left.
        """
        weakest = self.options.weakest
        if weakest is None or weakest == VERSIONS[0]:
            return None
        now = asyncio.get_running_loop().time()
        highest = VERSIONS[VERSIONS.index(weakest) - 1]
        trust = Trust(
            name=self._name, ca=tools.ca_file, verify=False, lowest=VERSIONS[0], highest=highest, weak=True
        )
        try:
            identity, _ = await self._greeted(tools, place, now + (deadline - now) / 2, trust)
        except TargetFaultError:
            return None
        return identity.version

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options, name, protocol = self.options, self._name, self._protocol
        host = look.address if look is not None and look.address is not None else options.host
        words = [f"-connect {word(f'{bracketed(host)}:{options.port}')}"]
        if protocol is not None:
            words.append(f"-starttls {_S_CLIENT.get(protocol, protocol)}")
        if protocol == "xmpp":
            words.append(f"-xmpphost {word(name)}")
        if is_address(name):
            words.append(f"-verify_ip {word(name)}")
        else:
            words.append(f"-servername {word(name)} -verify_hostname {word(name)}")
        if options.ca:
            words.append(f"-CAfile {word(options.ca)}")
        if options.weakest is not None and look is not None and look.cause is Cause.PROTOCOL:
            highest = VERSIONS[max(0, VERSIONS.index(options.weakest) - 1)]
            words.append(f"-max_protocol TLSv{highest.removesuffix('.0')} -cipher ALL:@SECLEVEL=0")
        within = max(1, round(timeout.total_seconds()))
        return f"timeout {within} openssl s_client {' '.join(words)} -verify_return_error </dev/null"


def is_server_name(name: str) -> bool:
    """May a certificate be made out to `name`? A second check on a server needs a name, and `imap` is no host's."""
    return "." in name or is_address(name) or name == "localhost"


def _judged(seen: Look, identity: Identity, options: TlsOptions, now: datetime) -> Look:
    """Return the verdict on a chain that is trusted: the leaf may fail, any of it may warn."""
    leaf = identity.chain[0]
    if leaf.not_valid_after_utc - now < options.fail:
        return ending(seen, Outcome.DOWN, leaf.not_valid_after_utc, now)
    first = min(identity.chain, key=lambda one: one.not_valid_after_utc)
    if options.warn and first.not_valid_after_utc - now < options.warn:
        whose = "the certificate" if first is leaf else f"the certificate of {subject_of(first)} in the chain"
        return ending(seen, Outcome.WARN, first.not_valid_after_utc, now, whose)
    return seen


def _weakly(seen: Look, version: str) -> Look:
    """Return a look with the verdict that an old version is agreed to, which comes after what was found already."""
    found = f"accepts TLS {version}"
    if seen.outcome is Outcome.WARN:
        return replace(seen, found=f"{seen.found}; {found}")
    return replace(seen, outcome=Outcome.WARN, cause=Cause.PROTOCOL, found=found)


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "tls", 443)


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
