"""Does a MySQL or MariaDB server speak, let somebody log in, and answer a query as expected?"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, OwnFaultError, TargetFaultError, Tools
from monitor.checks.databases.mysql_packets import (
    GREETING_LIMIT,
    QUIT,
    Greeted,
    Greeting,
    PacketError,
    ServerError,
    ask_for_tls,
    is_welcome,
    nobody,
    packet,
    read_error,
    read_greeting,
    read_head,
)
from monitor.checks.databases.rows import Rows
from monitor.checks.databases.sql import (
    DatabaseServer,
    Login,
    Question,
    RefusedError,
    asked,
    connected,
    judged,
    question_of,
)
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import Port, at_host, is_address, port_or_place
from monitor.checks.wire.stream import BYTES_LIMIT, Stream
from monitor.health.words import Service
from monitor.observation import Cause

Read = TypeVar("Read")

# Refusals that tell of the credentials: unknown, locked, expired, or not from here.
_OF_THE_LOGIN = frozenset(
    {1044, 1045, 1130, 1251, 1275, 1524, 1698, 1820, 1862, 1873, 3118, 3159, 3955, 4151}
)
# Refusals by which a server says that it cannot serve anybody now: full, going down, or afraid of us.
_OF_THE_SERVER = frozenset({1040, 1041, 1053, 1129, 1135, 1203, 1226})
# The server ended the query because we would have.
_TOO_LONG = frozenset({1317, 1969, 3024})
# No fault of the server: the query is no SQL, or would write.
_OF_THE_QUERY = frozenset({1064, 1792})
# A login is over after so many packets, whatever the server still wants to know.
_ROUNDS = 4


class MysqlOptions(DatabaseServer):
    """What a `mysql` check takes."""

    port: Port = Field(default=3306, description="The port of the database server.")


@dataclass(frozen=True, slots=True)
class MysqlCheck:
    """A look that is greeted, logs in (as nobody, if nobody is named), and asks a query if there is one."""

    options: MysqlOptions

    @property
    def target(self) -> str:
        return self.options.place

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            async with connected(tools, options, deadline) as stream:
                seen = await self._visit(stream, tools, deadline)
        except TargetFaultError as fault:
            seen = fault.look
        return judged(seen, options, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        seconds = max(1, round(timeout.total_seconds()))
        verified = options.tls == "required" and not is_address(options.tls_name or options.host)
        host = options.host if verified or look is None or look.address is None else look.address
        words = ["-h", word(host), "-P", str(options.port), "--protocol=TCP", *_tls_words(options)]
        if options.login is None:
            return f"timeout {seconds} mysqladmin {' '.join(words)} ping"
        words += ["-u", word(options.login.user), "--batch", "-e", word(options.query or "SELECT 1")]
        words += [word(options.database)] if options.database else []
        return f"MYSQL_PWD={joined(options.login.password)} timeout {seconds} mysql {' '.join(words)}"

    async def _visit(self, stream: Stream, tools: Tools, deadline: float) -> Look:
        options = self.options
        payload, _ = await _received(stream, GREETING_LIMIT)
        refusal = _understood(stream, read_error, payload)
        if refusal is not None:
            return _refused(stream, refusal, options.login)
        greeting = _understood(stream, read_greeting, payload)
        await self._secure(stream, greeting, tools)
        greeted = Greeted(greeting, payload, secured=stream.identity is not None)
        if options.login is None:
            return await _knock(stream, greeted)
        try:
            return await _ask(stream, greeted, options, question_of(options, options.login, deadline))
        except RefusedError as error:
            return _refused(stream, ServerError(int(error.code), error.words), options.login)

    async def _secure(self, stream: Stream, greeting: Greeting, tools: Tools) -> None:
        tls = self.options.tls
        if tls == "required" and not greeting.offers_tls:
            raise stream.fault(Cause.PROTOCOL, "offers no TLS, which is required")
        if tls != "none" and greeting.offers_tls:
            await stream.write(packet(ask_for_tls(database=self.options.database is not None), 1))
            await stream.secure(self.options.trust(tools))


async def _knock(stream: Stream, greeted: Greeted) -> Look:
    """Log in as nobody, to the end: a server counts who turns away in between, and locks out whoever does so too often."""
    said, sequence = nobody(secured=greeted.secured), 1 + int(greeted.secured)
    for _ in range(_ROUNDS):
        await stream.write(packet(said, sequence))
        payload, heard = await _received(stream, BYTES_LIMIT)
        refusal = _understood(stream, read_error, payload)
        if refusal is not None:
            return _refused(stream, refusal, None)
        if is_welcome(payload):
            await stream.write(packet(QUIT, 0))
            break
        # Whatever it asks for, nobody has nothing to say.
        said, sequence = b"", heard + 1
    return stream.seen()


async def _ask(stream: Stream, greeted: Greeted, options: MysqlOptions, question: Question) -> Look:
    def work(sock: socket.socket) -> Rows:
        # Its library is an extra, and takes too long to load for the loop to wait.
        from monitor.checks.databases.mysql_session import ask  # noqa: PLC0415 - see above

        return ask(sock, greeted, question)

    return await asked(stream, options, work)


def _refused(stream: Stream, refusal: ServerError, login: Login | None) -> Look:
    """Return the look that ends with a refusal: nobody is to be refused, and that is how a server shows that it works."""
    if refusal.code in _OF_THE_QUERY:
        raise OwnFaultError(Cause.OWN, f"the query cannot be asked: {refusal}")
    if refusal.code in _TOO_LONG:
        raise stream.fault(Cause.TIMEOUT_TOTAL, str(refusal))
    if login is None and refusal.code not in _OF_THE_SERVER:
        return stream.seen(found=str(refusal))
    raise stream.fault(Cause.LOGIN if refusal.code in _OF_THE_LOGIN else Cause.STATUS, str(refusal))


async def _received(stream: Stream, limit: int) -> tuple[bytes, int]:
    """Return the payload and the sequence of the next packet."""
    length, sequence = read_head(await stream.read_exactly(4))
    if length > limit:
        raise stream.fault(Cause.PROTOCOL, "does not speak as MySQL does")
    return await stream.read_exactly(length), sequence


def _understood(stream: Stream, read: Callable[[bytes], Read], payload: bytes) -> Read:
    try:
        return read(payload)
    except PacketError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error


def _tls_words(options: MysqlOptions) -> list[str]:
    if options.tls == "none":
        return ["--skip-ssl"]
    if options.tls == "preferred":
        return []
    words = ["--ssl", *([f"--ssl-ca={word(options.ca)}"] if options.ca else [])]
    return [*words, "--ssl-verify-server-cert"] if options.verify else words


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "mysql", 3306)


def _service(_options: MysqlOptions) -> Service:
    return Service.DATABASES


KIND = Kind(
    name="mysql",
    options=MysqlOptions,
    build=MysqlCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
    needs=("pymysql",),
    extra="mysql",
)
