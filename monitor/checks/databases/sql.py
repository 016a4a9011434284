"""What looks at databases that speak SQL have in common: where they are, who logs in, what is asked, and what is shown of it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.checks.contract import Family, Look, Options, OwnFaultError, Tools
from monitor.checks.databases.rows import Rows, RowsExpectation, judge_rows, measures_of
from monitor.checks.options.bounds import Bounds
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.targets import REFERENCE, FamilyName, Host, Port, bracketed
from monitor.checks.wire.lending import lend
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.securing import Secured, Trust, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause

_READING = re.compile(r"\s*(select|show|with|table|values)\b", re.IGNORECASE)
_READABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ufffd]{4,}")


def _query(text: str) -> str:
    if not _READING.match(text) and not REFERENCE.match(text):
        raise RefusalError("options.query", found=text)
    return text


Query = Annotated[str, Field(min_length=1, max_length=8192), AfterValidator(_query)]
Word = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]


class Login(Options):
    """Who logs in."""

    user: Word = Field(description="The name of the user.")
    password: Word = Field(description="The password, as a reference.")


class DatabaseServer(Secured):
    """Where a database is, and what it is asked."""

    port: Port = Field(description="The port of the database server.")
    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    login: Login | None = Field(
        default=None, description="Who logs in; without it the look ends where a login would begin."
    )
    database: Word | None = Field(default=None, description="The database to log in to.")
    query: Query | None = Field(
        default=None, description="One query to ask after the login, in a transaction that cannot write."
    )
    expect: RowsExpectation | None = Field(
        default=None, description="What the answer to the query is held to; otherwise it is down."
    )
    warn: Bounds | None = Field(
        default=None, description="Warn when the value that `expect` looks at lies outside: min, max or both."
    )
    tls: Literal["none", "preferred", "required"] = Field(
        default="preferred",
        description="`none`: in clear; `preferred`: inside TLS where it is offered, whatever the certificate; "
        "`required`: only inside TLS, with a certificate that is as it should be.",
    )
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 2s."
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _asks_only_what_can_be_asked(self) -> Self:
        if self.login is None and (self.query is not None or self.database is not None):
            raise RefusalError("options.database.login")
        if self.query is None and (self.expect is not None or self.warn is not None):
            raise RefusalError("options.database.query")
        return self

    @property
    def place(self) -> str:
        """Host and port in one word."""
        return f"{bracketed(self.host)}:{self.port}"

    def trust(self, tools: Tools) -> Trust:
        """Return whom a look believes: anybody, unless TLS is required."""
        trust = trust_of(self, self.host, tools.ca_file)
        return trust if self.tls == "required" else replace(trust, verify=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client library is to do: who logs in to which database ("" for none), what is asked ("" for nothing), and how many seconds
    the server may think about it.
    """

    login: Login
    database: str
    query: str
    seconds: float


class RefusedError(Exception):
    """The server refused: its code, and its words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{words} ({code})")
        self.code = code
        self.words = words


class CannotLogInError(Exception):
    """The server wants a way of logging in that we do not know, or do not take."""


class UnreadableError(Exception):
    """What the server sent makes no sense."""


@asynccontextmanager
async def connected(tools: Tools, server: DatabaseServer, deadline: float) -> AsyncIterator[Stream]:
    """Lend a conversation in clear with a database server; TLS begins later, in each protocol's own way."""
    place = Place(host=server.host, port=server.port, family=Family(server.family))
    async with open_stream(tools, place, deadline) as stream:
        yield stream


def question_of(server: DatabaseServer, login: Login, deadline: float, database: str = "") -> Question:
    """Return what is to be asked so that the server gives up when we do; `database` is the one if none is named."""
    left = deadline - asyncio.get_running_loop().time()
    return Question(
        login=login, database=server.database or database, query=server.query or "", seconds=max(0.1, left)
    )


async def asked(stream: Stream, server: DatabaseServer, ask: Callable[[socket.socket], Rows]) -> Look:
    """Return the look that a client library makes on a lent socket; a refusal is raised for the kind to judge."""
    try:
        rows = await lend(stream, ask)
    except CannotLogInError as error:
        raise OwnFaultError(Cause.OWN, f"cannot log in to {server.place}: {error}") from error
    except UnreadableError as error:
        raise stream.fault(Cause.PROTOCOL, f"what it says makes no sense: {error}") from error
    return answered(stream, server, rows)


def answered(stream: Stream, server: DatabaseServer, rows: Rows) -> Look:
    """Return the look that an answered query was."""
    verdict = judge_rows(rows, server.expect, server.warn)
    measures = measures_of(rows, server.expect.column if server.expect else None)
    if verdict is None:
        return stream.seen(measures=measures)
    return stream.seen(verdict.outcome, verdict.cause, verdict.found, measures=measures)


def judged(look: Look, server: DatabaseServer, now: datetime) -> Look:
    """Return a look with what can be read of its excerpt, and as a warning when it was slow or its certificate is near its end."""
    shown = slowed(replace(look, excerpt=readable(look.excerpt)), server.within)
    return warned(shown, server.certificate, now) if server.tls == "required" else shown


def readable(text: str) -> str:
    """Return the words in what came back in a binary protocol, a line each."""
    return "\n".join(_READABLE.findall(text[: 4 * EXCERPT_LIMIT]))[:EXCERPT_LIMIT]
