"""Is a TCP port open, and does it answer as expected? Without `send` and `expect` it connects, hangs up, and says nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from pydantic import Field, model_validator

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Family,
    Kind,
    Look,
    Options,
    TargetFaultError,
    Tools,
)
from monitor.checks.options.patterns import TEXT_LIMIT, Pattern, found_in
from monitor.checks.options.shell import joined, word
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
from monitor.checks.wire.securing import Secured, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause

# What comes in crumbs is searched as often as this and no oftener, or a flood of them would cost as much as a flood of pages.
_APART = 0.02
_QUOTED = 60


class TcpExpectation(Options):
    """What comes back is held to."""

    contains: Texts = Field(default=(), description="A text, or several, that have to come.")
    matches: Pattern | None = Field(
        default=None, description="A pattern (RE2) that has to match somewhere in what comes."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.contains and self.matches is None:
            raise RefusalError("options.tcp_expect")
        return self

    def lacking(self, text: str) -> str:
        """Return what has not come yet, for people to read; "" when everything has."""
        missing = next((wanted for wanted in self.contains if wanted not in text), None)
        if missing is not None:
            return repr(missing[:_QUOTED])
        if self.matches is not None and not found_in(self.matches, text):
            return f"a match of {self.matches[:_QUOTED]!r}"
        return ""


class TcpOptions(Secured):
    """What a `tcp` check takes."""

    port: Port = Field(description="The TCP port that has to accept a connection.")
    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    tls: bool = Field(default=False, description="Whether everything is said inside TLS.")
    send: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description='What is said after connecting, line ends written out: "PING\\r\\n".',
    )
    expect: TcpExpectation | None = Field(
        default=None, description="What has to come back, in its first 64 KiB."
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """A look that connects, says and hears what it was told, and hangs up."""

    options: TcpOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        place = Place(host=options.host, port=options.port, family=Family(options.family))
        trust = trust_of(options, options.host, tools.ca_file) if options.tls else None
        async with open_stream(tools, place, deadline, trust) as stream:
            if options.send is not None:
                await stream.write(options.send.encode())
            if options.expect is not None:
                await _heard(stream, options.expect)
            return warned(stream.seen(), options.certificate, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        host = look.address if look is not None and look.address is not None else options.host
        within = max(1, round(timeout.total_seconds()))
        if not options.tls and options.send is None and options.expect is None:
            return f"nc -vz -w {within} {word(host)} {options.port}"
        said = "" if options.send is None else f"printf %b {joined(_escaped(options.send))} | "
        asked = f"timeout {within} {self._client(host)}"
        return (
            said
            + asked
            + _filters(options.expect)
            + ("" if options.send or options.expect else " </dev/null")
        )

    def _client(self, host: str) -> str:
        options = self.options
        if not options.tls:
            return f"nc {word(host)} {options.port}"
        name = options.tls_name or options.host
        expected = (
            f"-verify_ip {word(name)}"
            if is_address(name)
            else f"-servername {word(name)} -verify_hostname {word(name)}"
        )
        trust = f" -CAfile {word(options.ca)}" if options.ca else ""
        strict = " -verify_return_error" if options.verify else ""
        return f"openssl s_client -quiet -connect {word(f'{bracketed(host)}:{options.port}')} {expected}{trust}{strict}"


async def _heard(stream: Stream, expect: TcpExpectation) -> None:
    """Listen until everything has come that is expected; what came instead is a fault."""
    heard = bytearray()
    lacking = ""
    try:
        while data := await stream.read_some():
            heard += data
            lacking = expect.lacking(heard[:TEXT_LIMIT].decode(errors="replace"))
            if not lacking:
                return
            if len(heard) > TEXT_LIMIT:
                raise stream.fault(Cause.CONTENT, f"{TEXT_LIMIT // 1024} KiB came without {lacking}")
            await asyncio.sleep(_APART)
    except TargetFaultError as fault:
        if fault.look.cause is not Cause.TIMEOUT_TOTAL:
            raise
        raise stream.fault(Cause.CONTENT, _instead(heard, lacking)) from fault
    if not heard:
        raise stream.fault(Cause.RESET, "hung up without an answer")
    raise stream.fault(Cause.CONTENT, f"{_instead(heard, lacking)}, and hung up")


def _instead(heard: bytearray, lacking: str) -> str:
    shown = heard[:_QUOTED].decode(errors="replace")
    return f"said {shown!r}{' ...' if len(heard) > _QUOTED else ''}, expected {lacking}"


def _escaped(text: str) -> str:
    """Return `text` as printf's %b understands it."""
    written = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    octets = ("".join(f"\\0{byte:03o}" for byte in one.encode()) for one in written)
    return "".join(one if one.isprintable() else octet for one, octet in zip(written, octets, strict=True))


def _filters(expect: TcpExpectation | None) -> str:
    """Return filters that let only an answer through which is as expected: it stays whole between them."""
    if expect is None:
        return ""
    filters = [f"grep -zF -- {joined(text)}" for text in expect.contains]
    if expect.matches is not None:
        filters.append(f"grep -zP -- {joined(expect.matches)}")
    return "".join(f" | {one}" for one in filters)


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "tcp", 22)


def _service(options: TcpOptions) -> Service:
    return service_of_port(options.port)


KIND = Kind(name="tcp", options=TcpOptions, build=TcpCheck, complete=at_host, short=_short, service=_service)
