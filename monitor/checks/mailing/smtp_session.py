"""A conversation with a mail server by SMTP: replies, TLS after the greeting, a login, an envelope, and at most one message."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field

from monitor.checks.contract import Look, TargetFaultError, Tools
from monitor.checks.mailing.mail import (
    LINES_LIMIT,
    QUOTED,
    MailLogin,
    MailServer,
    begins_tls,
    conversation,
    keep_from_clear,
    mechanism_of,
    refused_login,
    sasl_reply,
    sasl_rounds,
)
from monitor.checks.options.targets import Host, ascii_host, is_address
from monitor.checks.wire.stream import Stream
from monitor.observation import Cause, Outcome

_LINE = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
# Between mail servers TLS is taken as it comes: nobody who delivers mail asks whom the certificate is made out to.
_RELAY_PORT = 25
_CERTIFICATE = frozenset({Cause.CERTIFICATE_EXPIRED, Cause.CERTIFICATE_HOST, Cause.CERTIFICATE_ISSUER})


class SmtpServer(MailServer):
    """Where a server that takes mail is and how it is spoken to."""

    PORTS: ClassVar[tuple[int, int]] = (25, 465)
    SECURED_FIRST: ClassVar[bool] = False

    ehlo: Host | None = Field(
        default=None, description="The name that we greet with; this machine's name if left out."
    )

    @property
    def greets_as(self) -> str:
        """The name that we greet with."""
        name = ascii_host(self.ehlo or socket.gethostname() or "localhost")
        if not is_address(name):
            return name
        return f"[IPv6:{name}]" if ":" in name else f"[{name}]"

    @property
    def lenient(self) -> bool:
        """Is a bad certificate only worth a warning, as where mail servers deliver to each other?"""
        return self.at_port == _RELAY_PORT and self.starttls is None and self.login is None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a mail server replies: a code of three digits and its lines of text."""

    code: int
    lines: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Is it what was asked for?"""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.lines[0]}".strip()[:QUOTED]


def parse_reply_line(line: bytes) -> tuple[int, bool, str]:
    """Return the code of one line of a reply, whether it is the last, and its text; what is no such line raises ValueError."""
    text = line.decode(errors="replace")
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"speaks no SMTP: {text[:60]!r}")
    return int(found[1]), found[2] != "-", (found[3] or "").strip()


def offers_of(reply: Reply) -> dict[str, str]:
    """Return what a server offers after EHLO: keywords in capitals with their parameters."""
    offers: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.replace("=", " ", 1).partition(" ")
        offers[keyword.upper()] = f"{offers.get(keyword.upper(), '')} {parameters}".strip()
    return offers


@dataclass(slots=True)
class SmtpSession:
    """A greeted server. `doubt` is what was wrong with a certificate that was let pass."""

    stream: Stream
    greeting: str = ""
    offers: Mapping[str, str] = field(default_factory=dict)
    doubt: TargetFaultError | None = None

    async def ask(self, line: str) -> Reply:
        """Return the reply to one line."""
        await self.stream.write(f"{line}\r\n".encode())
        return await self.reply()

    async def reply(self) -> Reply:
        """Return the next reply."""
        texts: list[str] = []
        for _ in range(LINES_LIMIT):
            line = await self.stream.read_line()
            try:
                code, last, text = parse_reply_line(line)
            except ValueError as error:
                raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
            texts.append(text)
            if last:
                return Reply(code, tuple(texts))
        raise self.stream.fault(Cause.PROTOCOL, f"sent a reply of more than {LINES_LIMIT} lines")

    async def demand(self, line: str, what: str) -> Reply:
        """Return the reply to a line that must be taken; any other is a fault that says `what` was refused."""
        reply = await self.ask(line)
        if not reply.fine:
            raise self.stream.fault(Cause.STATUS, f"{what}: {reply}")
        return reply

    async def greet(self, server: SmtpServer, tools: Tools) -> None:
        """Exchange greetings, and begin TLS where that is meant."""
        greeting = await self.reply()
        self.greeting = " ".join(greeting.lines)
        if greeting.code != 220:
            raise self.stream.fault(Cause.STATUS, f"greets with {greeting}")
        await self._introduce(server.greets_as)
        if begins_tls(self.stream, server, offered="STARTTLS" in self.offers):
            reply = await self.ask("STARTTLS")
            if reply.code != 220:
                raise self.stream.fault(Cause.PROTOCOL, f"offers STARTTLS and refuses it: {reply}")
            await self._secure(server, tools)
            await self._introduce(server.greets_as)

    async def log_in(self, server: SmtpServer, login: MailLogin) -> None:
        """Log in by the first mechanism that both sides know."""
        keep_from_clear(self.stream, server)
        mechanism = mechanism_of(self.offers.get("AUTH", "").split())
        if mechanism is None:
            raise self.stream.fault(Cause.PROTOCOL, f"offers no login that we know: {self._logins()}")
        reply = await self.ask(f"AUTH {mechanism}")
        for said in sasl_rounds(mechanism, login):
            if reply.code != 334:
                break
            try:
                answer = sasl_reply(said, reply.lines[0])
            except ValueError as error:
                raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
            reply = await self.ask(answer)
        if reply.code != 235:
            raise refused_login(self.stream, str(reply), for_now=400 <= reply.code < 500)

    async def send(self, sender: str, recipient: str, message: bytes) -> Reply:
        """Hand in a message whose lines end in CRLF and begin with no dot; return the reply to it."""
        await self.demand(f"MAIL FROM:<{sender}>", "refused the sender")
        await self.demand(f"RCPT TO:<{recipient}>", "refused the recipient")
        reply = await self.ask("DATA")
        if reply.code != 354:
            raise self.stream.fault(Cause.STATUS, f"refused the message: {reply}")
        await self.stream.write(message)
        return await self.demand(".", "refused the message")

    def seen(self) -> Look:
        """Return the look that this conversation was: fine, but for a certificate that was let pass."""
        if self.doubt is None:
            return self.stream.seen()
        return self.stream.seen(Outcome.WARN, self.doubt.look.cause, self.doubt.look.found)

    async def quit(self) -> None:
        """Take leave; whoever hangs up first has not been rude."""
        with contextlib.suppress(TargetFaultError):
            await self.stream.write(b"QUIT\r\n")

    async def _introduce(self, name: str) -> None:
        reply = await self.ask(f"EHLO {name}")
        if reply.fine:
            self.offers = offers_of(reply)
        else:
            await self.demand(f"HELO {name}", "refused our greeting")

    async def _secure(self, server: SmtpServer, tools: Tools) -> None:
        try:
            await self.stream.secure(server.trust(tools))
        except TargetFaultError as fault:
            if not server.lenient or fault.look.cause not in _CERTIFICATE:
                raise
            self.doubt = fault

    def _logins(self) -> str:
        return self.offers.get("AUTH", "none")[:QUOTED] or "none"


@asynccontextmanager
async def smtp_session(tools: Tools, server: SmtpServer, deadline: float) -> AsyncIterator[SmtpSession]:
    """Lend a conversation with a server that has greeted us, and take leave after it."""
    async with conversation(tools, server, deadline) as stream:
        session = SmtpSession(stream)
        await session.greet(server, tools)
        yield session
        await session.quit()
