"""Does a POP3 server greet, speak TLS, let somebody log in, and count the mail? It fetches and deletes none."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, TargetFaultError, Tools
from monitor.checks.mailing.mail import (
    LINES_LIMIT,
    QUOTED,
    MailExpectation,
    MailLogin,
    MailServer,
    begins_tls,
    conversation,
    curl_line,
    judged,
    keep_from_clear,
    mechanism_of,
    refused_login,
    sasl_reply,
    sasl_rounds,
)
from monitor.checks.options.targets import at_host, port_or_place
from monitor.checks.wire.stream import Stream
from monitor.health.words import Service
from monitor.observation import Cause, Measure

_STATUS = re.compile(r"(\+OK|-ERR|\+)(?: (.*))?", re.DOTALL | re.IGNORECASE)
_COUNTED = re.compile(r"([0-9]{1,12}) ([0-9]{1,18})(?: .*)?", re.DOTALL)


class Pop3Options(MailServer):
    """What a `pop3` check takes."""

    PORTS: ClassVar[tuple[int, int]] = (110, 995)

    expect: MailExpectation = Field(default=MailExpectation(), description="What the look is held to.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one command: `+OK`, `-ERR`, or `+` when more is asked for, and the text behind it."""

    status: str
    said: str

    @property
    def fine(self) -> bool:
        """Was it carried out?"""
        return self.status == "+OK"

    def __str__(self) -> str:
        return f"{self.status} {self.said}".strip()[:QUOTED]


def parse_answer(line: bytes) -> Answer:
    """Return what one line answers; what is no such line raises ValueError."""
    text = line.decode(errors="replace")
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ValueError(f"speaks no POP3: {text[:60]!r}")
    return Answer(found[1].upper(), (found[2] or "").strip())


def parse_count(said: str) -> tuple[int, int]:
    """Return how many messages there are and how many bytes they have; what is no such text raises ValueError."""
    found = _COUNTED.fullmatch(said)
    if found is None:
        raise ValueError(f"does not count its messages: {said[:60]!r}")
    return int(found[1]), int(found[2])


@dataclass(slots=True)
class Pop3Session:
    """A server that has greeted us; `capabilities` maps what it can do, in capitals, to the parameters."""

    stream: Stream
    capabilities: dict[str, str] = field(default_factory=dict)

    async def ask(self, line: str) -> Answer:
        """Return the answer to one line."""
        await self.stream.write(f"{line}\r\n".encode())
        return await self.answer()

    async def answer(self) -> Answer:
        """Return the next answer."""
        try:
            return parse_answer(await self.stream.read_line())
        except ValueError as error:
            raise self.stream.fault(Cause.PROTOCOL, str(error)) from error

    async def greet(self, options: Pop3Options, tools: Tools) -> None:
        """Take the greeting, and begin TLS where that is meant."""
        greeting = await self.answer()
        if not greeting.fine:
            raise self.stream.fault(Cause.STATUS, f"greets with {greeting}")
        await self._learn()
        if begins_tls(self.stream, options, offered="STLS" in self.capabilities):
            answer = await self.ask("STLS")
            if not answer.fine:
                raise self.stream.fault(Cause.PROTOCOL, f"offers STLS and refuses it: {answer}")
            await self.stream.secure(options.trust(tools))
            await self._learn()

    async def log_in(self, options: Pop3Options, login: MailLogin) -> None:
        """Log in by SASL where it is offered, else by user and password."""
        keep_from_clear(self.stream, options)
        mechanism = mechanism_of(self.capabilities.get("SASL", "").split())
        if mechanism is not None:
            answer = await self._authenticate(mechanism, login)
        else:
            answer = await self.ask(f"USER {login.user}")
            if answer.fine:
                answer = await self.ask(f"PASS {login.password}")
        if not answer.fine:
            raise refused_login(self.stream, str(answer))

    async def count(self) -> tuple[int, int]:
        """Return how many messages there are and how many bytes they have."""
        answer = await self.ask("STAT")
        if not answer.fine:
            raise self.stream.fault(Cause.CONTENT, f"the mailbox cannot be read: {answer}")
        try:
            return parse_count(answer.said)
        except ValueError as error:
            raise self.stream.fault(Cause.PROTOCOL, str(error)) from error

    async def quit(self) -> None:
        """Take leave; whoever hangs up first has not been rude."""
        with contextlib.suppress(TargetFaultError):
            await self.stream.write(b"QUIT\r\n")

    async def _learn(self) -> None:
        """Ask what the server can do; an old one does not know the question."""
        self.capabilities = {}
        if not (await self.ask("CAPA")).fine:
            return
        for _ in range(LINES_LIMIT):
            line = await self.stream.read_line()
            if line == b".":
                return
            keyword, _, parameters = line.decode(errors="replace").partition(" ")
            self.capabilities[keyword.upper()] = parameters
        raise self.stream.fault(Cause.PROTOCOL, f"sent an answer of more than {LINES_LIMIT} lines")

    async def _authenticate(self, mechanism: str, login: MailLogin) -> Answer:
        answer = await self.ask(f"AUTH {mechanism}")
        for said in sasl_rounds(mechanism, login):
            if answer.status != "+":
                break
            try:
                reply = sasl_reply(said, answer.said)
            except ValueError as error:
                raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
            answer = await self.ask(reply)
        return answer


@asynccontextmanager
async def pop3_session(tools: Tools, options: Pop3Options, deadline: float) -> AsyncIterator[Pop3Session]:
    """Lend a conversation with a server that has greeted us, and take leave after it."""
    async with conversation(tools, options, deadline) as stream:
        session = Pop3Session(stream)
        await session.greet(options, tools)
        yield session
        await session.quit()


@dataclass(frozen=True, slots=True)
class Pop3Check:
    """A look that talks to a POP3 server and, with a login, asks how much mail there is."""

    options: Pop3Options

    @property
    def target(self) -> str:
        return self.options.place

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            async with pop3_session(tools, options, deadline) as session:
                seen = session.stream.seen(measures=await self._counted(session))
        except TargetFaultError as fault:
            seen = fault.look
        return judged(seen, options, options.expect.within, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        asked = "CAPA" if self.options.login is None else "STAT -I"
        return f"{curl_line(self.options, 'pop3:/', look, timeout)} -v -X {asked}"

    async def _counted(self, session: Pop3Session) -> tuple[Measure, ...]:
        """Return how much mail there is; nothing without a login."""
        options = self.options
        if options.login is None:
            return ()
        await session.log_in(options, options.login)
        messages, size = await session.count()
        return (
            Measure("messages", messages),
            Measure("mailbox_size", size, "bytes"),
        )


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "pop3", 995)


def _service(_options: Pop3Options) -> Service:
    return Service.MAIL


KIND = Kind(
    name="pop3",
    options=Pop3Options,
    build=Pop3Check,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
