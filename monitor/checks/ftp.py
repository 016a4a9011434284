"""Does a file server greet, let us in, and hand out a listing?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import (
    FamilyName,
    Host,
    OneLine,
    Port,
    at_host,
    bracketed,
    is_address,
    port_or_place,
)
from monitor.checks.remote.ftp_replies import (
    NotFtpError,
    Reply,
    entries_of,
    extended_port,
    passive_port,
    reply_of,
)
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.securing import Secured, Trust, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import FOUND_LIMIT, Cause, Measure

_CLEAR_PORT, _SECURED_PORT = 21, 990
# Of a longer listing the beginning is counted: a directory may be as large as it likes.
_LISTING_LIMIT = 256 * 1024
# So long a server may take to say why it broke off a data connection.
_EXCUSE_S = 1.0
_NOBODY = frozenset({"anonymous", "ftp"})
_NOBODYS_PASSWORD = "anonymous@"  # noqa: S105 - what everybody sends
_GREETED, _BEGINS_TLS, _IN, _PASSWORD = 220, 234, frozenset({230, 232}), 331
_PENDING, _DONE, _STARTS, _ENDED = 120, frozenset({200, 250}), frozenset({125, 150}), frozenset({226, 250})
_EXTENDED, _PASSIVE = 229, 227


def _path(text: str) -> str:
    if not text.startswith(("/", "$")):
        raise RefusalError("options.path", found=text)
    return text


Word = Annotated[OneLine, Field(min_length=1)]


class FtpLogin(Options):
    """Who logs in."""

    user: Word = Field(
        description="The name of the user; `anonymous` for a server that is open to everybody."
    )
    password: Word | None = Field(
        default=None, description="The password, as a reference; anonymous needs none."
    )

    @model_validator(mode="after")
    def _with_a_password(self) -> Self:
        if self.password is None and self.user not in _NOBODY:
            raise RefusalError("options.ftp.password")
        return self

    @property
    def secret(self) -> str:
        """The password that is sent."""
        return self.password or _NOBODYS_PASSWORD


class FtpEntries(Options):
    """How many entries are expected."""

    min: int = Field(default=1, ge=0, le=1000, description="Fewer entries than this are a fault.")


class FtpExpectation(Options):
    """What the server is held to."""

    contains: Texts = Field(default=(), description="A text, or several, that the greeting must hold.")
    entries: FtpEntries | None = Field(default=None, description="How many entries the listing must have.")
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 2s."
    )


class FtpOptions(Secured):
    """What an `ftp` check takes."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port | None = Field(default=None, description="The port; 21 if left out, 990 with `tls: true`.")
    tls: bool | None = Field(
        default=None, description="Whether TLS is spoken from the first byte; if left out, on port 990."
    )
    starttls: bool = Field(default=False, description="Whether TLS is begun after the greeting (AUTH TLS).")
    login: FtpLogin | None = Field(default=None, description="Who logs in; nobody if left out.")
    list: Annotated[OneLine, AfterValidator(_path)] | None = Field(
        default=None, description="The absolute path of a directory to list, such as `/pub`."
    )
    expect: FtpExpectation = Field(
        default=FtpExpectation(),
        description="What the greeting and the listing must hold, and how long it may take.",
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _that_fit(self) -> Self:
        if self.tls and self.starttls:
            raise RefusalError("options.tls_twice")
        if self.list is not None and self.login is None:
            raise RefusalError("options.ftp.listing")
        if self.expect.entries is not None and self.list is None:
            raise RefusalError("options.ftp.entries")
        return self

    @property
    def at_port(self) -> int:
        """The port that is meant."""
        return self.port or (_SECURED_PORT if self.tls else _CLEAR_PORT)

    @property
    def at_once(self) -> bool:
        """Is TLS spoken from the first byte?"""
        return self.tls if self.tls is not None else self.at_port == _SECURED_PORT and not self.starttls


@dataclass(frozen=True, slots=True)
class FtpCheck:
    """A look that greets, and logs in and lists if it is told to."""

    options: FtpOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.at_port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        trust = trust_of(options, options.host, tools.ca_file)
        place = Place(host=options.host, port=options.at_port, family=Family(options.family))
        async with open_stream(tools, place, deadline, trust if options.at_once else None) as control:
            await self._greeted(control)
            if options.starttls:
                _expect(control, await _ask(control, "AUTH TLS"), {_BEGINS_TLS}, Cause.PROTOCOL)
                await control.secure(trust)
            if options.login is not None:
                await _log_in(control, options.login)
            measures: tuple[Measure, ...] = ()
            if options.list is not None:
                entries = await self._listed(tools, control, options.list, trust if self._in_tls else None)
                measures = (Measure("entries", entries),)
            with contextlib.suppress(TargetFaultError):
                await control.write(b"QUIT\r\n")
            seen = control.seen(measures=measures)
        return warned(slowed(seen, options.expect.within), options.certificate, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        seconds = max(1, round(timeout.total_seconds()))
        if self.options.login is not None:
            return self._curl_line(self.options.login, host, seconds)
        if self._in_tls:
            return self._openssl_line(host, seconds)
        return f"printf 'QUIT\\r\\n' | timeout {seconds} nc {word(host)} {self.options.at_port} | grep '^{_GREETED}'"

    @property
    def _in_tls(self) -> bool:
        return self.options.at_once or self.options.starttls

    @property
    def _name(self) -> str:
        return self.options.tls_name or self.options.host

    def _curl_line(self, login: FtpLogin, host: str, seconds: int) -> str:
        options = self.options
        name = self._name if self._in_tls else host
        words = [f"curl -sS -g -m {seconds} --ftp-method singlecwd"]
        words += ["--ssl-reqd"] if options.starttls else []
        words += [f"--cacert {word(options.ca)}"] if options.ca and self._in_tls else []
        words += [] if options.verify or not self._in_tls else ["-k"]
        words += [] if name == host else [f"--connect-to {word(f'::{bracketed(host)}:{options.at_port}')}"]
        words += [] if options.list else ["-I"]
        words += [f"-u {joined(login.user, ':', login.secret)}"]
        path = f"/{quote(options.list.rstrip('/'), safe='${}')}/" if options.list else "/"
        scheme = "ftps" if options.at_once else "ftp"
        return " ".join([*words, word(f"{scheme}://{bracketed(name)}:{options.at_port}{path}")])

    def _openssl_line(self, host: str, seconds: int) -> str:
        options = self.options
        name = self._name
        held = f"-verify_ip {word(name)}" if is_address(name) else f"-verify_hostname {word(name)}"
        words = [
            f"timeout {seconds} openssl s_client -connect {word(f'{bracketed(host)}:{options.at_port}')}"
        ]
        words += ["-starttls ftp"] if options.starttls else []
        words += [] if is_address(name) else [f"-servername {word(name)}"]
        words += [f"-CAfile {word(options.ca)}"] if options.ca else []
        words += [f"{held} -verify_return_error"] if options.verify else []
        return f"{' '.join(words)} </dev/null"

    async def _greeted(self, control: Stream) -> None:
        greeting = await _reply(control)
        if greeting.code == _PENDING:
            # It will be ready in a moment.
            greeting = await _reply(control)
        _expect(control, greeting, {_GREETED})
        heard = control.excerpt()
        for text in self.options.expect.contains:
            if text not in heard:
                raise control.fault(
                    Cause.CONTENT, f"the greeting is {str(greeting)[:80]!r}, expected {text[:80]!r} in it"
                )

    async def _listed(self, tools: Tools, control: Stream, path: str, trust: Trust | None) -> int:
        if trust is not None:
            _expect(control, await _ask(control, "PBSZ 0"), _DONE)
            _expect(control, await _ask(control, "PROT P"), _DONE)
        _expect(control, await _ask(control, f"CWD {path}"), _DONE)
        entries = entries_of(await _listing(tools, control, trust))
        expected = self.options.expect.entries
        if expected is not None and entries < expected.min:
            raise control.fault(Cause.CONTENT, f"listed {entries} entries, expected at least {expected.min}")
        return entries


async def _log_in(control: Stream, login: FtpLogin) -> None:
    reply = await _ask(control, f"USER {login.user}")
    if reply.code == _PASSWORD:
        reply = await _ask(control, f"PASS {login.secret}")
    if reply.code in _IN:
        return
    if 400 <= reply.code < 500 and reply.code != 430:
        raise control.fault(Cause.STATUS, f"lets nobody log in now: {reply}"[:FOUND_LIMIT])
    raise control.fault(Cause.LOGIN, f"the login was refused: {reply}"[:FOUND_LIMIT])


async def _listing(tools: Tools, control: Stream, trust: Trust | None) -> bytes:
    """Return the listing of the directory that the server stands in, or its beginning."""
    port = await _data_port(control)
    place = Place(host=control.address, port=port)
    async with _data_connection(tools, control, place) as data:
        opened = await _ask(control, "LIST")
        if opened.code in _ENDED:
            return b""
        _expect(control, opened, _STARTS)
        try:
            with _named(control, port):
                listing = await _received(data, control, trust)
        except TargetFaultError:
            await _excused(control)
            raise
    if len(listing) < _LISTING_LIMIT:
        _expect(control, await _reply(control), _ENDED)
    return listing


async def _received(data: Stream, control: Stream, trust: Trust | None) -> bytes:
    if trust is not None:
        # Servers ask for the session of the control connection, so that nobody else can fetch the data.
        await data.secure(trust, resumes=control)
    gathered = bytearray()
    while len(gathered) < _LISTING_LIMIT and (piece := await data.read_some()):
        gathered += piece
    return bytes(gathered[:_LISTING_LIMIT])


@asynccontextmanager
async def _data_connection(tools: Tools, control: Stream, place: Place) -> AsyncIterator[Stream]:
    """Lend a connection to a port of the very address that was asked, whatever address the server may name."""
    async with contextlib.AsyncExitStack() as stack:
        with _named(control, place.port):
            data = await stack.enter_async_context(open_stream(tools, place, control.deadline))
        yield data


@contextmanager
def _named(control: Stream, port: int) -> Iterator[None]:
    """Tell faults of a data connection from those of the conversation."""
    try:
        yield
    except TargetFaultError as fault:
        found = f"data connection to port {port}: {fault.look.found}"
        raise control.fault(fault.look.cause or Cause.PROTOCOL, found[:FOUND_LIMIT]) from fault


async def _excused(control: Stream) -> None:
    """Raise what the server says about a data connection that broke, if it says something soon."""
    control.extend(min(control.deadline, asyncio.get_running_loop().time() + _EXCUSE_S))
    try:
        reply = await _reply(control)
    except TargetFaultError:
        return
    _expect(control, reply, _ENDED)


async def _data_port(control: Stream) -> int:
    """Return the port on which the server waits for us."""
    try:
        reply = await _ask(control, "EPSV")
        if reply.code == _EXTENDED:
            return extended_port(reply)
        if ":" in control.address:
            raise control.fault(Cause.STATUS, f"{reply}, expected {_EXTENDED}"[:FOUND_LIMIT])
        reply = await _ask(control, "PASV")
        _expect(control, reply, {_PASSIVE})
        return passive_port(reply)
    except NotFtpError as error:
        raise control.fault(Cause.PROTOCOL, str(error)) from error


async def _ask(control: Stream, command: str) -> Reply:
    await control.write(f"{command}\r\n".encode())
    return await _reply(control)


async def _reply(control: Stream) -> Reply:
    lines: list[str] = []
    while True:
        lines.append((await control.read_line()).decode(errors="replace"))
        try:
            reply = reply_of(lines)
        except NotFtpError as error:
            raise control.fault(Cause.PROTOCOL, str(error)) from error
        if reply is not None:
            return reply


def _expect(
    control: Stream, reply: Reply, codes: set[int] | frozenset[int], cause: Cause = Cause.STATUS
) -> None:
    if reply.code not in codes:
        expected = " or ".join(str(code) for code in sorted(codes))
        raise control.fault(cause, f"{reply}, expected {expected}"[:FOUND_LIMIT])


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "ftp", _CLEAR_PORT)


def _service(_options: FtpOptions) -> Service:
    return Service.FILES


KIND = Kind(
    name="ftp",
    options=FtpOptions,
    build=FtpCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
