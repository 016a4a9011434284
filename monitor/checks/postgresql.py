"""Does a PostgreSQL server speak, let somebody log in, and answer a query as expected?"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, OwnFaultError, TargetFaultError, Tools
from monitor.checks.databases.postgresql_messages import (
    HEAD,
    LOGIN,
    OFFERS_NO_TLS,
    OFFERS_TLS,
    REFUSAL,
    MessageError,
    ServerError,
    ask_for_tls,
    nobody,
    read_error,
    size_of,
)
from monitor.checks.databases.rows import Rows
from monitor.checks.databases.sql import (
    DatabaseServer,
    Question,
    RefusedError,
    asked,
    connected,
    judged,
    question_of,
)
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import Port, at_host, is_address, port_or_place
from monitor.checks.wire.stream import Stream
from monitor.health.words import Service
from monitor.observation import Cause

# Classes of SQLSTATE by which a server says that it cannot serve anybody now: no resources, going down, starting, broken.
_OF_THE_SERVER = ("53", "57P", "58", "XX", "F0")
_OF_THE_LOGIN = "28"
# The server ended the query because we would have.
_TOO_LONG = "57014"
# No fault of the server: the query is no SQL, is several, or would write.
_OF_THE_QUERY = frozenset({"42601", "25006"})


class PostgresqlOptions(DatabaseServer):
    """What a `postgresql` check takes."""

    port: Port = Field(default=5432, description="The port of the database server.")


@dataclass(frozen=True, slots=True)
class PostgresqlCheck:
    """A look that begins a login and, if somebody is named, goes through with it and asks a query if there is one."""

    options: PostgresqlOptions

    @property
    def target(self) -> str:
        return self.options.place

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            async with connected(tools, options, deadline) as stream:
                await self._secure(stream, tools)
                seen = await self._visit(stream, deadline)
        except TargetFaultError as fault:
            seen = fault.look
        return judged(seen, options, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        seconds = max(1, round(timeout.total_seconds()))
        verified = options.tls == "required" and not is_address(options.tls_name or options.host)
        host = options.host if verified or look is None or look.address is None else look.address
        words = ["-h", word(host), "-p", str(options.port)]
        if options.login is None:
            return f"pg_isready {' '.join(words)} -t {seconds}"
        settings = [f"PGPASSWORD={joined(options.login.password)}", *_tls_settings(options)]
        words += ["-U", word(options.login.user), "-d", word(options.database or "postgres")]
        words += ["-Xc", word(options.query or "SELECT 1")]
        return f"{' '.join(settings)} timeout {seconds} psql {' '.join(words)}"

    async def _secure(self, stream: Stream, tools: Tools) -> None:
        if self.options.tls == "none":
            return
        await stream.write(ask_for_tls())
        offer = await stream.read_exactly(1)
        if offer == OFFERS_TLS:
            await stream.secure(self.options.trust(tools))
        elif offer == REFUSAL:
            # A server that cannot even fork says so here.
            raise _fault(stream, await _refusal(stream, offer + await stream.read_exactly(HEAD - 1)))
        elif offer != OFFERS_NO_TLS:
            raise stream.fault(Cause.PROTOCOL, "does not speak as PostgreSQL does")
        elif self.options.tls == "required":
            raise stream.fault(Cause.PROTOCOL, "offers no TLS, which is required")

    async def _visit(self, stream: Stream, deadline: float) -> Look:
        login = self.options.login
        if login is None:
            return await _knock(stream)
        try:
            return await _ask(stream, self.options, question_of(self.options, login, deadline, "postgres"))
        except RefusedError as error:
            raise _fault(stream, ServerError(error.code, error.words)) from error


async def _knock(stream: Stream) -> Look:
    """Begin a login: a server that asks for a password works, and so does one that knows nobody of our name."""
    await stream.write(nobody())
    head = await stream.read_exactly(HEAD)
    if head[:1] == LOGIN:
        # To hang up here is no trouble for it, while any other word would be.
        return stream.seen()
    refusal = await _refusal(stream, head)
    if refusal.code.startswith(_OF_THE_SERVER):
        raise _fault(stream, refusal)
    return stream.seen(found=str(refusal))


async def _ask(stream: Stream, options: PostgresqlOptions, question: Question) -> Look:
    secured = stream.identity is not None

    def work(sock: socket.socket) -> Rows:
        # Its library is an extra, and takes too long to load for the loop to wait.
        from monitor.checks.databases.postgresql_session import ask  # noqa: PLC0415 - see above

        return ask(sock, question, secured=secured)

    return await asked(stream, options, work)


async def _refusal(stream: Stream, head: bytes) -> ServerError:
    """Return what a server refuses with; anything else is no PostgreSQL."""
    if head[:1] != REFUSAL:
        raise stream.fault(Cause.PROTOCOL, "does not speak as PostgreSQL does")
    try:
        return read_error(await stream.read_exactly(size_of(head)))
    except MessageError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error


def _fault(stream: Stream, refusal: ServerError) -> TargetFaultError | OwnFaultError:
    if refusal.code in _OF_THE_QUERY:
        return OwnFaultError(Cause.OWN, f"the query cannot be asked: {refusal}")
    if refusal.code == _TOO_LONG:
        return stream.fault(Cause.TIMEOUT_TOTAL, str(refusal))
    return stream.fault(Cause.LOGIN if refusal.code.startswith(_OF_THE_LOGIN) else Cause.STATUS, str(refusal))


def _tls_settings(options: PostgresqlOptions) -> list[str]:
    if options.tls == "none":
        return ["PGSSLMODE=disable"]
    if options.tls == "preferred":
        return []
    if not options.verify:
        return ["PGSSLMODE=require"]
    return ["PGSSLMODE=verify-full", f"PGSSLROOTCERT={word(options.ca or 'system')}"]


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "postgresql", 5432)


def _service(_options: PostgresqlOptions) -> Service:
    return Service.DATABASES


KIND = Kind(
    name="postgresql",
    options=PostgresqlOptions,
    build=PostgresqlCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
    needs=("pg8000",),
    extra="postgresql",
)
