"""Does an address stand on a block list? Whose mail hosts refuse is told by a host's customers first, unless somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Annotated, Any

import dns.reversename
from pydantic import AfterValidator, BeforeValidator, Field

from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Family,
    Kind,
    Look,
    Options,
    OwnFaultError,
    TargetFaultError,
    Tools,
)
from monitor.checks.names.asking import NameServer, ask_server, place_of
from monitor.checks.names.records import shown, wire_name
from monitor.checks.options.shell import word
from monitor.checks.options.targets import REFERENCE, Host, is_address
from monitor.checks.policy import RANGES, plain
from monitor.checks.questions import Answers, Question
from monitor.health.words import CheckImpact, Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Measure, Outcome

# What mail hosts ask most, each free for a fleet that asks once an hour.
DEFAULT_LISTS = (
    "zen.spamhaus.org",
    "bl.spamcop.net",
    "b.barracudacentral.org",
    "psbl.surriel.com",
    "dnsbl.dronebl.org",
    "bl.mailspike.net",
    "bl.blocklist.de",
    "dnsbl-1.uceprotect.net",
)
_ANSWERS = IPv4Network("127.0.0.0/8")
# By these lists say that they will not answer us: too many questions, an open resolver, no account.
_REFUSALS = ip_network("127.255.255.0/24")
_REFUSED = IPv4Address("127.0.0.1")
# RFC 5782: the first is on every list that works, the second on none.
_LISTED, _UNLISTED = "127.0.0.2", "127.0.0.1"
_UNROUTED = ("loopback", "private", "shared", "link-local", "multicast", "unspecified", "broadcast")
_ADDRESSES = 16
_SHARE = 0.6


def _code(text: str) -> str:
    try:
        counting = IPv4Network(text).subnet_of(_ANSWERS)
    except ValueError:
        counting = False
    if not counting:
        raise RefusalError("options.blocklist.answer", found=text)
    return text


def _list(value: object) -> object:
    return {"zone": value} if isinstance(value, str) else value


def _zone(text: str) -> str:
    if is_address(text):
        raise RefusalError("options.dns_name", found=text)
    if not REFERENCE.search(text):
        wire_name(text, "A")
    return text


class BlockList(Options):
    """One list, and which of its answers count."""

    zone: Annotated[Host, AfterValidator(_zone)] = Field(
        description="The name below which the list is asked; a key in it as a reference."
    )
    codes: list[Annotated[str, AfterValidator(_code)]] = Field(
        default_factory=list,
        description="The answers that count as listed, such as 127.0.0.2 or 127.0.0.0/28; all if left out.",
    )


def _routed(host: str) -> str:
    """Refuse an address that no list can know."""
    if is_address(host) and (name := _unrouted(host)) is not None:
        raise RefusalError("options.blocklist.unrouted", found=host, reason=name)
    return host


def _hosts(value: object) -> object:
    return [value] if isinstance(value, str) else value


Addresses = Annotated[
    list[Annotated[Host, AfterValidator(_routed)]],
    BeforeValidator(_hosts, json_schema_input_type=list[Host] | Host),
]
Lists = list[Annotated[BlockList, BeforeValidator(_list, json_schema_input_type=BlockList | Host)]]


class BlocklistOptions(Options):
    """What a `blocklist` check takes."""

    addresses: Addresses = Field(
        min_length=1,
        max_length=_ADDRESSES,
        description="The addresses to look for, or names that have them; the server's host if left out.",
    )
    lists: Lists = Field(
        default_factory=lambda: [BlockList(zone=zone) for zone in DEFAULT_LISTS],
        min_length=1,
        max_length=64,
        validate_default=True,
        description="The lists to ask: names, or mappings of zone and codes; well-known ones if left out.",
    )
    server: NameServer | None = Field(
        default=None,
        description="The name server to ask, such as one of your own; our name servers if left out.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one list says of one address: `codes` that count, or why its word does not, or neither when it is not listed.

    `reason` is what the list says for it in words.
    """

    zone: str
    address: str
    codes: tuple[str, ...] = ()
    trouble: str = ""
    reason: str = ""

    def __str__(self) -> str:
        said = f"{self.address} on {self.zone} ({', '.join(self.codes)})"
        return f"{said}: {self.reason}" if self.reason else said


@dataclass(frozen=True, slots=True)
class BlocklistCheck:
    """A look that asks every list about every address."""

    options: BlocklistOptions

    @property
    def target(self) -> str:
        return ", ".join(self.options.addresses)

    async def look(self, tools: Tools, deadline: float) -> Look:
        began = time.perf_counter()
        asker = _Asker(tools, self.options.server, deadline)
        addresses = await self._addresses(tools, deadline)
        found = await asyncio.gather(*(asker.entries(one, addresses) for one in self.options.lists))
        look = judge([entry for of_list in found for entry in of_list])
        return replace(look, phases={"total": 1000 * (time.perf_counter() - began)})

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        seen = look.address if look is not None else None
        addresses = [seen] if seen else options.addresses
        names = " ".join(reversed_name(one) for one in addresses if is_address(one))
        place = place_of(options.server) if options.server and not REFERENCE.search(options.server) else None
        server = f" @{word(place.host)} -p {place.port}" if place else ""
        lists = " ".join(word(one.zone) for one in options.lists)
        seconds = max(1, round(timeout.total_seconds()))
        return (
            f"for address in {names or '2.0.0.127'}; do for list in {lists}; do "
            f'dig +noall +answer +tries=1 +time={seconds}{server} "$address.$list" A; done; done'
        )

    async def _addresses(self, tools: Tools, deadline: float) -> tuple[str, ...]:
        """Return the addresses of every host; one that no list can know raises OwnFaultError."""
        resolve = tools.resolver.addresses
        found = await asyncio.gather(
            *(resolve(host, Family.ANY, deadline) for host in self.options.addresses)
        )
        addresses = tuple(dict.fromkeys(address for of_host in found for address in of_host))[:_ADDRESSES]
        for address in addresses:
            if (name := _unrouted(address)) is not None:
                raise OwnFaultError(
                    Cause.OWN,
                    f"{address} is no public address ({name}): write the public ones under `addresses`",
                )
        return addresses


@dataclass(frozen=True, slots=True)
class _Asker:
    """Asks lists about addresses, by our name servers or by one of the user's own."""

    tools: Tools
    server: str | None
    deadline: float

    async def entries(self, one: BlockList, addresses: Iterable[str]) -> list[Entry]:
        """Return what a list says of the addresses; the word of one that is dead or lists the world does not count."""
        asked = (self._codes(one.zone, address) for address in (_LISTED, *addresses))
        known, *found = await asyncio.gather(*asked)
        entries = [read(one, address, codes) for address, codes in zip(addresses, found, strict=True)]
        trouble = known if isinstance(known, str) else "" if known else "not even its test entry is on it"
        if not trouble and any(entry.codes for entry in entries):
            unlisted = await self._codes(one.zone, _UNLISTED)
            trouble = unlisted if isinstance(unlisted, str) else "it lists everything" if unlisted else ""
        if trouble:
            return [replace(entry, codes=(), trouble=entry.trouble or trouble) for entry in entries]
        return await asyncio.gather(*(self._with_reason(entry) for entry in entries))

    async def _with_reason(self, entry: Entry) -> Entry:
        if not entry.codes:
            return entry
        try:
            answers = await self._answers(entry.zone, entry.address, "TXT")
        except (OwnFaultError, TargetFaultError):
            return entry
        return replace(entry, reason=" ".join(shown(record) for record in answers.records or ()))

    async def _codes(self, zone: str, address: str) -> tuple[str, ...] | str:
        """Return the answers of a list about an address, or in words why there is none."""
        try:
            answers = await self._answers(zone, address, "A")
        except (OwnFaultError, TargetFaultError):
            return "no answer"
        if answers.rcode not in {"NOERROR", "NXDOMAIN"}:
            return answers.rcode
        return tuple(record.to_text() for record in answers.records or ())

    async def _answers(self, zone: str, address: str, rdtype: str) -> Answers:
        name = f"{reversed_name(address)}.{wire_name(zone, rdtype)}"
        question = Question(name=name, rdtype=rdtype)
        if self.server is None:
            return await self.tools.resolver.ask(question, self.deadline)
        # A list that keeps silent leaves time for the others' words.
        now = asyncio.get_running_loop().time()
        until = now + _SHARE * max(0.0, self.deadline - now)
        return (await ask_server(self.tools, place_of(self.server), question, until)).answers


def reversed_name(address: str) -> str:
    """Return an address as lists are asked for it: octets of IPv4, nibbles of IPv6, the last first."""
    name = dns.reversename.from_address(address).to_text(omit_final_dot=True)
    return name.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def read(one: BlockList, address: str, answered: tuple[str, ...] | str) -> Entry:
    """Return what the answers of a list mean for an address."""
    entry = Entry(zone=one.zone, address=address)
    if isinstance(answered, str):
        return replace(entry, trouble=answered)
    codes = [ip_address(text) for text in answered if is_address(text)]
    refused = [code for code in codes if code not in _ANSWERS or code in _REFUSALS or code == _REFUSED]
    if refused:
        return replace(entry, trouble=f"it answers {refused[0]}")
    counting = [ip_network(code) for code in one.codes] or [_ANSWERS]
    listed = [str(code) for code in codes if any(code in network for network in counting)]
    return replace(entry, codes=tuple(sorted(listed)))


def judge(entries: list[Entry]) -> Look:
    """Return the verdict on what every list said; when no list gave an answer that counts, OwnFaultError says so."""
    listed = [entry for entry in entries if entry.codes]
    troubled = {entry.zone: entry.trouble for entry in entries if entry.trouble}
    zones = {entry.zone for entry in entries}
    notes = "; ".join(f"{zone}: {trouble}" for zone, trouble in troubled.items())
    measures = (
        Measure("listings", len(listed)),
        Measure("lists", len(zones)),
        Measure("lists_without_answer", len(troubled)),
    )
    if listed:
        words = "; ".join(str(replace(entry, reason="")) for entry in listed)
        return Look(
            outcome=Outcome.DOWN,
            cause=Cause.LISTED,
            found=words + (f"; {notes}" if notes else ""),
            address=listed[0].address,
            excerpt="\n".join(map(str, listed))[:EXCERPT_LIMIT],
            measures=measures,
        )
    if zones <= troubled.keys():
        raise OwnFaultError(
            Cause.OWN, f"no block list gave an answer that counts ({notes}); ask by a name server of your own"
        )
    return Look(outcome=Outcome.OK, found=notes, measures=measures)


def _unrouted(address: str) -> str | None:
    """Return the range for which no list can know an address, None for a public one."""
    found = plain(address)
    return next((name for name in _UNROUTED if any(found in network for network in RANGES[name])), None)


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"addresses": [value]}
    raise RefusalError("options.short.address", found=value, kind="blocklist")


def _complete(options: dict[str, Any], host: str) -> dict[str, Any]:
    return {"addresses": [host], **options} if host else options


def _service(_options: BlocklistOptions) -> Service:
    return Service.MAIL


KIND = Kind(
    name="blocklist",
    options=BlocklistOptions,
    build=BlocklistCheck,
    complete=_complete,
    short=_short,
    service=_service,
    bare=True,
    impact=CheckImpact.DEGRADED,
)
