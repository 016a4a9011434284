"""Does a name resolve as expected: the right records, from all its name servers, with signatures that hold?"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

import dns.rdatatype
from pydantic import Field, ValidationInfo, field_validator, model_validator

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.names import dnssec, zones
from monitor.checks.names.asking import Asked, NameServer, Transport, ask_server, place_of
from monitor.checks.names.records import DnsExpectation, RecordType, judge, key_of_text, wire_name
from monitor.checks.options.durations import Duration
from monitor.checks.options.shell import word
from monitor.checks.options.targets import REFERENCE, FamilyName, Host, Port
from monitor.checks.questions import PORT, Answers, Question
from monitor.checks.tls import is_server_name
from monitor.checks.wire.stream import Place
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Measure, Outcome


class DnsOptions(Options):
    """What a `dns` check takes."""

    name: Host | None = Field(
        default=None,
        description="The name to look up. As in every check it is the check's name too, and a word without a dot (`mx`) is only that.",
    )
    type: RecordType = Field(default="A", description="The type of record to ask for, such as A or MX.")
    query: Host = Field(
        description="The name to look up where it cannot be the check's name as well; an address with type PTR. "
        "The server's host if both are left out.",
    )
    server: NameServer | None = Field(
        default=None,
        description="The name server to ask, a name or an address, with a port if need be; our own name servers if left out.",
    )
    port: Port = Field(
        default=PORT, description="The port of a `server` that names none, and of the zone's name servers."
    )
    transport: Transport = Field(
        default="udp", description="udp, with TCP where an answer is too long for a datagram; or tcp."
    )
    recursive: bool = Field(
        default=True, description="Whether `server` is to ask others; false: only what it knows itself."
    )
    expect: DnsExpectation = Field(default_factory=DnsExpectation, description="What the answer is held to.")
    serial: bool = Field(
        default=False, description="Whether all name servers of the zone must hold the same version of it."
    )
    delegation: bool = Field(
        default=False, description="Whether the zone above must name the same name servers as the zone."
    )
    dnssec: bool = Field(
        default=False,
        description="Whether the signatures must hold from the trust anchor down to the records.",
    )
    anchor: Texts = Field(
        default=(),
        description="Keys that are trusted instead of the root's: `example. DS 12345 13 2 ABCD...`, or DNSKEY.",
    )
    warn: Duration = Field(
        default=timedelta(days=3), description="Warn when a signature of the zone ends sooner than this."
    )
    family: FamilyName = Field(default="any", description="Which addresses of name servers to use.")

    @field_validator("query")
    @classmethod
    def _is_a_name(cls, query: str, info: ValidationInfo) -> str:
        if not REFERENCE.search(query):
            wire_name(query, info.data.get("type", "A"))
        return query

    @field_validator("expect")
    @classmethod
    def _are_records(cls, expect: DnsExpectation, info: ValidationInfo) -> DnsExpectation:
        for text in expect.answers or ():
            if not REFERENCE.search(text):
                key_of_text(info.data.get("type", "A"), text)
        return expect

    @field_validator("anchor")
    @classmethod
    def _are_anchors(cls, anchors: tuple[str, ...]) -> tuple[str, ...]:
        for text in anchors:
            if not REFERENCE.search(text):
                dnssec.read_anchor(text)
        return anchors

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.server is None and (self.transport != "udp" or not self.recursive):
            raise RefusalError("options.dns.server")
        if self.dnssec and not self.expect.wants_records:
            raise RefusalError("options.dns.dnssec")
        if self.anchor and not self.dnssec:
            raise RefusalError("options.dns.anchor")
        return self


_Judged = Callable[[], Awaitable[Look | None]]


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """A look that asks name servers about a name."""

    options: DnsOptions

    @property
    def target(self) -> str:
        options = self.options
        return f"{options.query}/{options.type}" + (f"@{options.server}" if options.server else "")

    async def look(self, tools: Tools, deadline: float) -> Look:
        began = time.perf_counter()
        asked = await self._asked(tools, self._question, deadline)
        answers = asked.answers
        seen = Look(
            outcome=Outcome.OK,
            address=answers.server,
            phases=asked.phases,
            excerpt=answers.text[:EXCERPT_LIMIT],
            measures=_measures(answers),
        )
        try:
            worst = await self._worst(tools, asked, deadline)
        except TargetFaultError as fault:
            worst = fault.look
        return replace(
            seen,
            outcome=worst.outcome,
            cause=worst.cause,
            found=worst.found,
            phases=asked.phases | {"total": 1000 * (time.perf_counter() - began)},
        )

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        server = _server_words(options, look)
        dig = f"dig +tries=1 +time={max(1, round(timeout.total_seconds()))}{server}"
        dig += "" if options.family == "any" else f" -{options.family[-1]}"
        how = " +tcp" if options.transport == "tcp" else ""
        how += "" if options.recursive else " +norecurse"
        name, zone = word(self._name), word(self._name)
        lines = [f"{dig}{how} {name} {options.type}"]
        lines += [f"{dig} +nssearch {zone}"] if options.serial else []
        lines += [f"{dig} +trace +nodnssec {zone} NS"] if options.delegation else []
        lines += [_delv(options.anchor, f"{server} {name} {options.type}")] if options.dnssec else []
        expected = options.expect.answers
        wanted = options.expect.rcode if expected is None else " and ".join(expected) or "no records"
        return "; ".join(lines) + f"  # expect {wanted}".replace("\n", " ")

    @property
    def _name(self) -> str:
        query = self.options.query
        return query if REFERENCE.search(query) else wire_name(query, self.options.type)

    @property
    def _question(self) -> Question:
        options = self.options
        return Question(
            name=self._name, rdtype=options.type, recursive=options.recursive, dnssec=options.dnssec
        )

    async def _asked(self, tools: Tools, question: Question, deadline: float) -> Asked:
        options = self.options
        if options.server is not None:
            place = place_of(options.server, options.port, Family(options.family))
            return await ask_server(tools, place, question, deadline, options.transport)
        began = time.perf_counter()
        answers = await tools.resolver.ask(question, deadline)
        took = 1000 * (time.perf_counter() - began)
        return Asked(answers=answers, phases={"first_byte": took, "total": took})

    async def _worst(self, tools: Tools, asked: Asked, deadline: float) -> Look:
        """Return the first verdict that is down, else the first that warns, else that all is well."""
        options = self.options
        worst = judge(asked.answers, options.type, options.expect, asked.phases["total"])
        if worst.outcome is Outcome.DOWN:
            return worst
        for judged in self._further(tools, asked.answers, deadline):
            verdict = await judged()
            if verdict is not None and verdict.outcome is Outcome.DOWN:
                return verdict
            worst = worst if verdict is None or worst.outcome is Outcome.WARN else verdict
        return worst

    def _further(self, tools: Tools, answers: Answers, deadline: float) -> list[_Judged]:
        options = self.options
        zone = zones.Zone(
            name=self._name,
            tools=tools,
            deadline=deadline,
            port=options.port,
            family=Family(options.family),
        )
        wanted: list[tuple[bool, _Judged]] = [
            (options.dnssec, lambda: self._judged_chain(tools, answers, deadline)),
            (options.serial, zone.serials),
            (options.delegation, zone.delegation),
        ]
        return [judged for is_wanted, judged in wanted if is_wanted]

    async def _judged_chain(self, tools: Tools, answers: Answers, deadline: float) -> Look | None:
        options = self.options

        async def ask(name: str, rdtype: str) -> Answers:
            question = replace(self._question, name=name, rdtype=rdtype)
            if options.anchor:
                return (await self._asked(tools, question, deadline)).answers
            return await tools.resolver.ask(replace(question, recursive=True), deadline)

        anchors = tuple(dnssec.read_anchor(text) for text in options.anchor) or dnssec.ROOT
        now = tools.now()
        try:
            links = await dnssec.Chain(ask=ask, now=now, anchors=anchors).verify(answers)
        except dnssec.BogusError as error:
            return Look(outcome=Outcome.DOWN, cause=Cause.DNSSEC, found=str(error))
        return dnssec.warned(links, options.warn, now)


def _measures(answers: Answers) -> tuple[Measure, ...]:
    records = answers.records
    if records is None:
        return (Measure("records", 0),)
    return (Measure("records", len(records)), Measure("ttl", records.ttl, "seconds"))


def _server_words(options: DnsOptions, look: Look | None) -> str:
    """Return the words that send dig to the very server that was asked; the system's own where nobody was."""
    seen = look.address if look is not None else None
    if options.server is None:
        return "" if seen is None else _at(place_of(seen))
    if REFERENCE.search(options.server):
        return f" @{word(options.server)} -p {options.port}"
    place = place_of(options.server, options.port)
    return _at(place if seen is None else replace(place, host=place_of(seen).host))


def _at(place: Place) -> str:
    return f" @{word(place.host)}" + ("" if place.port == PORT else f" -p {place.port}")


def _delv(anchors: tuple[str, ...], question: str) -> str:
    if not anchors:
        return f"delv{question}"
    keys = " ".join(_bind_key(text) for text in anchors)
    root = anchors[0].split()[0]
    return f"echo {word(f'trust-anchors {{ {keys} }};')} | delv -a /dev/stdin +root={word(root)}{question}"


def _bind_key(text: str) -> str:
    anchor = dnssec.read_anchor(text)
    first, second, third, *rest = anchor.record.to_text().split()
    form = "static-ds" if anchor.record.rdtype == dns.rdatatype.DS else "static-key"
    return f'"{anchor.zone}" {form} {first} {second} {third} "{"".join(rest)}";'


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"query": value}
    raise RefusalError("options.short.name", found=value)


def _complete(options: dict[str, Any], host: str) -> dict[str, Any]:
    name = options.get("name")
    query = {"query": name} if isinstance(name, str) and is_server_name(name) else {}
    implied = {"type": "SOA"} if options.get("serial") is True else {}
    implied |= {"type": "NS"} if options.get("delegation") is True else {}
    return {**({"query": host} if host else {}), **query, **implied, **options}


def _service(_options: DnsOptions) -> Service:
    return Service.NAMES


KIND = Kind(
    name="dns",
    options=DnsOptions,
    build=DnsCheck,
    complete=_complete,
    short=_short,
    service=_service,
    bare=True,
)
