"""A conversation with a mailbox by IMAP: tagged commands, literals, TLS after the greeting, a login, and a few looks into a mailbox."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.checks.contract import TargetFaultError, Tools
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
from monitor.checks.options.targets import OneLine
from monitor.checks.wire.stream import Stream
from monitor.observation import Cause

# A list of what was found may be long; everything else fits on a screen.
_LINE_LIMIT = 64 * 1024
_LITERAL_LIMIT = 64 * 1024
_TAGGED = re.compile(r"([A-Za-z0-9.]{1,32}) (OK|NO|BAD)(?: (.*))?", re.DOTALL | re.IGNORECASE)
# What is told to people may end in anything; only data carries literals.
_DATA = re.compile(rb"\* (?!OK |NO |BAD |BYE |PREAUTH )", re.IGNORECASE)
_LITERAL = re.compile(rb"\{([0-9]{1,10})\}$")
_EXISTS = re.compile(rb"\* ([0-9]{1,10}) EXISTS", re.IGNORECASE)
_SEARCH = re.compile(rb"\* SEARCH((?: [0-9]{1,10})*) ?", re.IGNORECASE)
_CAPABILITY = re.compile(rb"\* CAPABILITY ([ -~]*)", re.IGNORECASE)
_GREETING = re.compile(r"\* (OK|PREAUTH|BYE)(?: (.*))?", re.DOTALL | re.IGNORECASE)


class ImapServer(MailServer):
    """Where a server of mailboxes is and how it is spoken to."""

    PORTS: ClassVar[tuple[int, int]] = (143, 993)


Mailbox = Annotated[OneLine, Field(min_length=1, max_length=256)]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended (`OK`, `NO`, `BAD`, or `+` when more is asked for), what was said to it, and the data before it."""

    status: str
    said: str
    data: tuple[bytes, ...] = ()

    @property
    def fine(self) -> bool:
        """Was it carried out?"""
        return self.status == "OK"

    def __str__(self) -> str:
        return f"{self.status} {self.said}".strip()[:QUOTED]


def parse_tagged(line: bytes) -> tuple[str, str, str]:
    """Return tag, status in capitals and text of the line that ends a command; what is no such line raises ValueError."""
    text = line.decode(errors="replace")
    found = _TAGGED.fullmatch(text)
    if found is None:
        raise ValueError(f"speaks no IMAP: {text[:60]!r}")
    return found[1], found[2].upper(), (found[3] or "").strip()


def parse_greeting(line: bytes) -> tuple[str, str]:
    """Return status in capitals and text of the first line; what is no greeting raises ValueError."""
    text = line.decode(errors="replace")
    found = _GREETING.fullmatch(text)
    if found is None:
        raise ValueError(f"speaks no IMAP: {text[:60]!r}")
    return found[1].upper(), (found[2] or "").strip()


def literal_size(line: bytes) -> int | None:
    """Return how many bytes follow a line that announces a literal, None when it announces none."""
    found = _LITERAL.search(line)
    return int(found[1]) if found is not None else None


def capabilities_of(data: Iterable[bytes]) -> frozenset[str]:
    """Return what a server can do, in capitals."""
    found = [match[1].decode().upper() for line in data if (match := _CAPABILITY.fullmatch(line))]
    return frozenset(word for line in found for word in line.split())


def messages_of(data: Iterable[bytes]) -> int | None:
    """Return how many messages a mailbox holds, None when the server did not say."""
    counts = [int(match[1]) for line in data if (match := _EXISTS.fullmatch(line))]
    return counts[-1] if counts else None


def found_of(data: Iterable[bytes]) -> tuple[int, ...]:
    """Return the numbers that a search gave."""
    lists = [match[1] for line in data if (match := _SEARCH.fullmatch(line))]
    return tuple(int(number) for line in lists for number in line.split())


def mailbox_text(name: str) -> str:
    """Return the name of a mailbox as it travels: what is not ASCII in modified UTF-7 (RFC 3501, 5.1.3)."""
    pieces = re.findall(r"[\x00-\x7f]+|[^\x00-\x7f]+", name)
    return "".join(
        piece.replace("&", "&-") if piece.isascii() else f"&{_modified_base64(piece)}-" for piece in pieces
    )


def mailbox_word(name: str) -> str:
    """Return the name of a mailbox as a word of a command."""
    return quoted(mailbox_text(name))


def quoted(text: str) -> str:
    """Return ASCII without control characters as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _modified_base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-be", "replace")).decode().rstrip("=").replace("/", ",")


@dataclass(slots=True)
class ImapSession:
    """A server that has greeted us."""

    stream: Stream
    capabilities: frozenset[str] = frozenset()
    commands: int = 0

    async def command(self, text: str) -> Answer:
        """Return the answer to one command."""
        self.commands += 1
        await self._say(f"V{self.commands} {text}")
        return await self._answer()

    async def greet(self, server: ImapServer, tools: Tools) -> None:
        """Take the greeting, and begin TLS where that is meant."""
        try:
            status, said = parse_greeting(await self.stream.read_line())
        except ValueError as error:
            raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
        if status != "OK":
            raise self.stream.fault(Cause.STATUS, f"greets with {status} {said[:QUOTED]}")
        await self.learn()
        if begins_tls(self.stream, server, offered="STARTTLS" in self.capabilities):
            answer = await self.command("STARTTLS")
            if not answer.fine:
                raise self.stream.fault(Cause.PROTOCOL, f"offers STARTTLS and refuses it: {answer}")
            await self.stream.secure(server.trust(tools))
            await self.learn()

    async def learn(self) -> None:
        """Ask what the server can do: it may be more after TLS has begun and after a login."""
        answer = await self.command("CAPABILITY")
        self.capabilities = capabilities_of(answer.data)
        if not self.capabilities:
            raise self.stream.fault(Cause.PROTOCOL, f"does not say what it can do: {answer}")

    async def log_in(self, server: ImapServer, login: MailLogin) -> None:
        """Log in by SASL where it is offered, else by the plain command."""
        keep_from_clear(self.stream, server)
        offered = [name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH=")]
        mechanism = mechanism_of(offered)
        if mechanism is not None:
            answer = await self._authenticate(mechanism, login)
        elif "LOGINDISABLED" in self.capabilities:
            raise self.stream.fault(Cause.PROTOCOL, "offers no login that we know, and forbids the plain one")
        else:
            answer = await self._plainly(login)
        if not answer.fine:
            raise refused_login(self.stream, str(answer))

    async def open(self, mailbox: str, *, to_change: bool) -> Answer:
        """Return the answer of a server that is asked to open a mailbox."""
        verb = "SELECT" if to_change else "EXAMINE"
        return await self.command(f"{verb} {mailbox_word(mailbox)}")

    async def search(self, criteria: str) -> tuple[int, ...]:
        """Return the numbers (UIDs) of what is found in the open mailbox."""
        answer = await self.command(f"UID SEARCH {criteria}")
        if not answer.fine:
            raise self.stream.fault(Cause.PROTOCOL, f"refused to search: {answer}")
        return found_of(answer.data)

    async def log_out(self) -> None:
        """Take leave; whoever hangs up first has not been rude."""
        with contextlib.suppress(TargetFaultError):
            await self._say("V0 LOGOUT")

    async def _authenticate(self, mechanism: str, login: MailLogin) -> Answer:
        answer = await self.command(f"AUTHENTICATE {mechanism}")
        for said in sasl_rounds(mechanism, login):
            if answer.status != "+":
                break
            try:
                await self._say(sasl_reply(said, answer.said))
            except ValueError as error:
                raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
            answer = await self._answer()
        return answer

    async def _plainly(self, login: MailLogin) -> Answer:
        """Log in by literals: they hold any character, and no rule of quoting has to be met."""
        user, password = login.user.encode(), login.password.encode()
        answer = await self.command(f"LOGIN {{{len(user)}}}")
        for line in (user + f" {{{len(password)}}}".encode(), password):
            if answer.status != "+":
                break
            await self.stream.write(line + b"\r\n")
            answer = await self._answer()
        return answer

    async def _say(self, line: str) -> None:
        await self.stream.write(f"{line}\r\n".encode())

    async def _answer(self) -> Answer:
        """Return the answer to the command that was said last, with all that came before it."""
        data: list[bytes] = []
        for _ in range(LINES_LIMIT):
            line = await self._response()
            if line.startswith(b"+"):
                return Answer("+", line[1:].strip().decode(errors="replace"), tuple(data))
            if not line.startswith(b"* "):
                return self._ended(line, tuple(data))
            if line[:6].upper() == b"* BYE ":
                raise self.stream.fault(
                    Cause.STATUS, f"takes leave: {line[6:].decode(errors='replace')[:QUOTED]}"
                )
            data.append(line)
        raise self.stream.fault(Cause.PROTOCOL, f"sent an answer of more than {LINES_LIMIT} lines")

    def _ended(self, line: bytes, data: tuple[bytes, ...]) -> Answer:
        try:
            tag, status, said = parse_tagged(line)
        except ValueError as error:
            raise self.stream.fault(Cause.PROTOCOL, str(error)) from error
        if tag != f"V{self.commands}":
            raise self.stream.fault(Cause.PROTOCOL, f"answers {tag} to V{self.commands}")
        return Answer(status, said, data)

    async def _response(self) -> bytes:
        """Return one response, the literals in it as they came."""
        line = response = await self.stream.read_line(_LINE_LIMIT)
        if not _DATA.match(response):
            return response
        while (size := literal_size(line)) is not None:
            if len(response) + size > _LITERAL_LIMIT:
                raise self.stream.fault(Cause.PROTOCOL, f"announces a literal of {size} bytes")
            literal = await self.stream.read_exactly(size)
            line = await self.stream.read_line(_LINE_LIMIT)
            response += b"\r\n" + literal + line
        return response


@asynccontextmanager
async def imap_session(tools: Tools, server: ImapServer, deadline: float) -> AsyncIterator[ImapSession]:
    """Lend a conversation with a server that has greeted us, and take leave after it."""
    async with conversation(tools, server, deadline) as stream:
        session = ImapSession(stream)
        await session.greet(server, tools)
        yield session
        await session.log_out()
