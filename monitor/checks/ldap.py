"""Does a directory let us in and find what stands in it?"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.shell import joined, word
from monitor.checks.options.targets import (
    REFERENCE,
    FamilyName,
    Host,
    OneLine,
    Port,
    at_host,
    bracketed,
    is_address,
    port_or_place,
    service_of_port,
)
from monitor.checks.remote import ldap_messages as messages
from monitor.checks.remote.ldap_filter import compile_filter
from monitor.checks.remote.ldap_messages import Message, NotLdapError, Result, Search
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.securing import Secured, trust_of, warned
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, Cause, Measure

ENTRIES_LIMIT = 500
"""More entries than this are neither asked for nor counted."""

_CLEAR_PORT, _SECURED_PORT = 389, 636
_STARTTLS, _BIND, _SEARCH, _UNBIND = 1, 2, 3, 4
# Refusals of a bind that tell of the server's state and nothing of the credentials.
_NOT_NOW = frozenset({1, 2, 3, 51, 52, 80})


def _filter(text: str) -> str:
    compile_filter(REFERENCE.sub("reference", text))
    return text


class LdapBind(Options):
    """Who logs in."""

    dn: Annotated[OneLine, Field(min_length=1)] = Field(
        description="The name to bind with, such as `cn=probe,dc=example`."
    )
    password: Annotated[OneLine, Field(min_length=1)] = Field(description="The password, as a reference.")


class LdapSearch(Options):
    """What is looked for."""

    base: OneLine = Field(
        default="", description="Where the search begins; empty for the root of the server."
    )
    filter: Annotated[OneLine, AfterValidator(_filter)] = Field(
        default="(objectClass=*)", description="What an entry must be like, such as `(uid=ana)`."
    )
    scope: Literal["base", "one", "sub"] = Field(
        default="sub",
        description="How far the search goes: the base alone, one level below it, or all below it.",
    )


class LdapEntries(Options):
    """How many entries are expected."""

    min: int = Field(default=1, ge=0, le=ENTRIES_LIMIT, description="Fewer entries than this are a fault.")


class LdapExpectation(Options):
    """What the directory is held to."""

    entries: LdapEntries = Field(default=LdapEntries(), description="How many entries the search must find.")
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 2s."
    )


class LdapOptions(Secured):
    """What an `ldap` check takes."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port | None = Field(default=None, description="The port; 389 if left out, 636 with `tls: true`.")
    tls: bool | None = Field(
        default=None, description="Whether TLS is spoken from the first byte; if left out, on port 636."
    )
    starttls: bool = Field(default=False, description="Whether TLS is begun before anything else is said.")
    bind: LdapBind | None = Field(default=None, description="Who logs in; nobody in particular if left out.")
    search: LdapSearch | None = Field(
        default=None, description="What is looked for; the entry of the server itself (root DSE) if left out."
    )
    expect: LdapExpectation = Field(default=LdapExpectation(), description="What the answer is held to.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _one_way_to_begin(self) -> Self:
        if self.tls and self.starttls:
            raise RefusalError("options.tls_twice")
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
class LdapCheck:
    """A look that binds, searches and counts what is found."""

    options: LdapOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.at_port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        trust = trust_of(options, options.host, tools.ca_file)
        place = Place(host=options.host, port=options.at_port, family=Family(options.family))
        async with open_stream(tools, place, deadline, trust if options.at_once else None) as stream:
            if options.starttls:
                await _begin_tls(stream)
                await stream.secure(trust)
            await _bind(stream, options.bind)
            entries = await _found(stream, _wanted(options.search, deadline))
            with contextlib.suppress(TargetFaultError):
                await stream.write(messages.unbind(_UNBIND))
            if entries < options.expect.entries.min:
                found = f"found {entries} entries, expected at least {options.expect.entries.min}"
                raise _fault(stream, Cause.CONTENT, found)
            seen = stream.seen(measures=(Measure("entries", entries),))
        fine = replace(seen, excerpt=f"{entries} entries")
        return warned(slowed(fine, options.expect.within), options.certificate, tools.now())

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        search = options.search or LdapSearch(scope="base")
        seconds = max(1, round(timeout.total_seconds()))
        words = [*self._environment(), f"timeout {seconds} ldapsearch -x -LLL -o nettimeout={seconds}"]
        words += [f"-H {word(self._url(look))}"]
        words += ["-ZZ"] if options.starttls else []
        if options.bind is not None:
            words += [f"-D {joined(options.bind.dn)} -w {joined(options.bind.password)}"]
        words += [
            f"-z {ENTRIES_LIMIT} -s {search.scope} -b {joined(search.base)} {joined(search.filter)} 1.1"
        ]
        count = (
            f"awk '/^dn:/ {{n++}} END {{print n + 0, \"entries\"; exit n < {options.expect.entries.min}}}'"
        )
        return f"{' '.join(words)} | {count}"

    @property
    def _in_tls(self) -> bool:
        return self.options.at_once or self.options.starttls

    def _environment(self) -> list[str]:
        if not self._in_tls:
            return []
        trust = [f"LDAPTLS_CACERT={word(self.options.ca)}"] if self.options.ca else []
        return [f"LDAPTLS_REQCERT={'demand' if self.options.verify else 'never'}", *trust]

    def _url(self, look: Look | None) -> str:
        """Return where the search goes: inside TLS to the name that the certificate must carry."""
        options = self.options
        name = options.tls_name or options.host
        goal = look.address if look is not None and look.address is not None else options.host
        host = goal if not self._in_tls or is_address(name) or not options.verify else name
        return f"ldap{'s' if options.at_once else ''}://{bracketed(host)}:{options.at_port}"


def _wanted(search: LdapSearch | None, deadline: float) -> Search:
    what = search or LdapSearch(scope="base")
    left = deadline - asyncio.get_running_loop().time()
    return Search(
        base=what.base,
        scope=what.scope,
        filter=compile_filter(what.filter),
        limit=ENTRIES_LIMIT,
        seconds=max(1, math.ceil(left)),
    )


async def _begin_tls(stream: Stream) -> None:
    await stream.write(messages.starttls(_STARTTLS))
    result = await _ended(stream, _STARTTLS, messages.EXTENDED)
    if result.code != messages.SUCCESS:
        raise _fault(stream, Cause.PROTOCOL, f"does not begin TLS: {result}")


async def _bind(stream: Stream, who: LdapBind | None) -> None:
    await stream.write(messages.bind(_BIND, who.dn if who else "", who.password if who else ""))
    result = await _ended(stream, _BIND, messages.BIND)
    if result.code in _NOT_NOW:
        raise _fault(stream, Cause.STATUS, f"lets nobody log in now: {result}")
    if result.code != messages.SUCCESS:
        whose = "the login was refused" if who else "nobody may look without a login"
        raise _fault(stream, Cause.LOGIN, f"{whose}: {result}")


async def _found(stream: Stream, wanted: Search) -> int:
    """Return how many entries the search found."""
    await stream.write(messages.search(_SEARCH, wanted))
    entries = 0
    # Beside entries there are references to other servers, which are not followed, and words on the way.
    for _ in range(2 * wanted.limit):
        answer = await _answer(stream, _SEARCH)
        if answer.operation == messages.ENTRY:
            entries += 1
        if answer.operation == messages.DONE and answer.result is not None:
            if answer.result.code not in {messages.SUCCESS, messages.SIZE_LIMIT_EXCEEDED}:
                raise _fault(stream, Cause.STATUS, f"the search failed: {answer.result}")
            return entries
        if entries == wanted.limit:
            return entries
    raise _fault(
        stream, Cause.PROTOCOL, f"sent more than {2 * wanted.limit} answers to a search without an end"
    )


async def _ended(stream: Stream, number: int, operation: int) -> Result:
    answer = await _answer(stream, number)
    if answer.operation != operation or answer.result is None:
        raise _fault(stream, Cause.PROTOCOL, "answered another question than the one that was asked")
    return answer.result


async def _answer(stream: Stream, number: int) -> Message:
    """Return the next answer to that question; a server that says unasked that it ends is at fault."""
    try:
        head = await stream.read_exactly(messages.HEAD)
        head += await stream.read_exactly(messages.head_of(head) - messages.HEAD)
        answer = messages.read(await stream.read_exactly(messages.body_of(head)))
    except NotLdapError as error:
        raise stream.fault(Cause.PROTOCOL, str(error)) from error
    if answer.number == 0 and answer.result is not None:
        raise _fault(stream, Cause.STATUS, f"hung up: {answer.result}")
    if answer.number != number:
        raise _fault(stream, Cause.PROTOCOL, "answered another question than the one that was asked")
    return answer


def _fault(stream: Stream, cause: Cause, found: str) -> TargetFaultError:
    """Return a fault whose evidence are words: what LDAP sends is not made to be read by people."""
    return stream.completed(TargetFaultError(cause, found[:FOUND_LIMIT], excerpt=found[:EXCERPT_LIMIT]))


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "ldap", _CLEAR_PORT)


def _service(options: LdapOptions) -> Service:
    return service_of_port(options.at_port)


KIND = Kind(
    name="ldap",
    options=LdapOptions,
    build=LdapCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
