"""Does a Redis server answer, let us in, and say of itself what is expected?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, TargetFaultError, Tools
from monitor.checks.databases.redis_replies import (
    Refusal,
    Reply,
    ReplyError,
    command,
    read_info,
    read_line,
    refusal_of,
)
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.fields import Fields, judge_fields, measures_of
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import FamilyName, Host, Port, at_host, bracketed, port_or_place
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.securing import Secured, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome

Word = Annotated[str, Field(min_length=1, max_length=1024)]


class RedisOptions(Secured):
    """What a `redis` check takes."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port = Field(default=6379, description="The port of the Redis server.")
    user: Word | None = Field(
        default=None, description="The user to log in as; the default user if left out."
    )
    password: Word | None = Field(
        default=None, description="The password to log in with, as a reference; no login if left out."
    )
    tls: bool = Field(default=False, description="Whether TLS is spoken from the first byte.")
    expect: Fields = Field(
        default_factory=dict,
        description="Fields of INFO, each with what it must be, such as {role: master, connected_slaves: {min: 1}}.",
    )
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 50ms."
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if self.user is not None and self.password is None:
            raise RefusalError("options.redis.password")
        return self


@dataclass(frozen=True, slots=True)
class RedisCheck:
    """A look that logs in if it can, pings, and asks for what the server says of itself if that is held to something."""

    options: RedisOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        place = Place(host=options.host, port=options.port, family=Family(options.family))
        trust = trust_of(options, options.host, tools.ca_file) if options.tls else None
        try:
            async with open_stream(tools, place, deadline, trust) as stream:
                seen = await self._talk(stream)
        except TargetFaultError as fault:
            seen = fault.look
        return warned(slowed(seen, options.within), options.certificate, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        seconds = max(1, round(timeout.total_seconds()))
        host = look.address if look is not None and look.address is not None else options.host
        login = [f"REDISCLI_AUTH={joined(options.password)}"] if options.password else []
        words = [*login, "timeout", str(seconds), "redis-cli", "-h", word(host), "-p", str(options.port)]
        words += ["--user", word(options.user)] if options.user else []
        words += _tls_words(options) if options.tls else []
        if options.expect:
            named = "|".join(map(re.escape, options.expect))
            return " ".join([*words, "INFO", "|", "grep", "-E", word(f"^({named}):")])
        fine = "PONG" if options.password else "PONG|NOAUTH|NOPERM|DENIED"
        return " ".join([*words, "PING", "|", "grep", "-E", word(fine)])

    async def _talk(self, stream: Stream) -> Look:
        options = self.options
        if options.password is not None:
            login = (options.user, options.password) if options.user else (options.password,)
            await _said(stream, command("AUTH", *login))
        reply = await _asked(stream, command("PING"))
        if reply.refused:
            return _locked(stream, reply.words, told_nothing=not options.expect)
        if reply.words != "PONG":
            raise stream.fault(Cause.PROTOCOL, f"answers a ping with {reply.words[:80]!r}")
        return await self._told(stream) if options.expect else stream.seen()

    async def _told(self, stream: Stream) -> Look:
        """Hold what the server says of itself to what is expected."""
        expect = self.options.expect
        reply = await _said(stream, command("INFO"))
        if reply.size is None:
            raise stream.fault(Cause.PROTOCOL, "says nothing of itself")
        text = (await stream.read_exactly(reply.size + 2)).decode(errors="replace")
        told = read_info(text)
        wrong = judge_fields(told, expect)
        measures = measures_of(told, expect)
        if wrong is not None:
            return stream.seen(Outcome.DOWN, Cause.CONTENT, wrong, measures=measures)
        return stream.seen(measures=measures)


def _locked(stream: Stream, words: str, *, told_nothing: bool) -> Look:
    """Return the look at a server that refuses a ping: one that only wants to know who we are works."""
    refusal = refusal_of(words)
    if refusal is Refusal.LOCKED and told_nothing:
        return stream.seen(found=words)
    raise stream.fault(Cause.STATUS if refusal is Refusal.TROUBLE else Cause.LOGIN, words)


async def _said(stream: Stream, words: bytes) -> Reply:
    """Return the reply to a command that must not be refused."""
    reply = await _asked(stream, words)
    if reply.refused:
        trouble = refusal_of(reply.words) is Refusal.TROUBLE
        raise stream.fault(Cause.STATUS if trouble else Cause.LOGIN, reply.words)
    return reply


async def _asked(stream: Stream, words: bytes) -> Reply:
    await stream.write(words)
    try:
        return read_line(await stream.read_line())
    except ReplyError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error


def _tls_words(options: RedisOptions) -> list[str]:
    name = options.tls_name or options.host
    words = ["--tls", "--sni", word(name)]
    words += ["--cacert", word(options.ca)] if options.ca else []
    return words if options.verify else [*words, "--insecure"]


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "redis", 6379)


def _service(_options: RedisOptions) -> Service:
    return Service.DATABASES


KIND = Kind(
    name="redis",
    options=RedisOptions,
    build=RedisCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
