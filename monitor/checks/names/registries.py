"""Asks registries about a domain: by RDAP where there is one, by WHOIS where that does not help."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from monitor.checks.browsing.redirects import REDIRECTS, clean_url, may_lead
from monitor.checks.contract import (
    Exchange,
    Family,
    OwnFaultError,
    Request,
    TargetFaultError,
    Tools,
)
from monitor.checks.names.asking import place_of
from monitor.checks.names.registration import (
    UNREGISTERED,
    NoRegistrationError,
    Registration,
    read_bootstrap,
    read_rdap,
    read_referral,
    read_whois,
)
from monitor.checks.wire.connecting import over_addresses, resolve
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.errors import VigiaError
from monitor.observation import EXCERPT_LIMIT, Cause

IANA_BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
IANA_WHOIS = "whois.iana.org"
WHOIS_PORT = 43
_HOPS = 5
_REFERRALS = 2
_LONGEST_PAUSE = timedelta(days=1)


class RegistryError(VigiaError):
    """No registry told anything of use; `pause` is how long it asked not to be asked again."""

    def __init__(self, said: str, pause: timedelta = timedelta(0)) -> None:
        super().__init__(said)
        self.pause = pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a registry told, and where: `source` is the URL or the WHOIS server that was asked last."""

    registration: Registration
    source: str
    address: str
    phases: dict[str, float] = field(default_factory=dict)
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Where to ask about `domain`, a name as it travels on the wire. `base` is the RDAP service, None where there is none."""

    tools: Tools
    domain: str
    base: str | None
    whois: str
    now: datetime

    async def ask(self, deadline: float) -> Told:
        """Return what the registry tells; RegistryError says why nobody told anything."""
        told, failed = None, []
        if self.base is not None:
            try:
                told = await self._by_rdap(self.base, share(deadline, 2))
            except RegistryError as error:
                failed.append(error)
        if told is not None and (told.registration.ends_at or not told.registration.registered):
            return told
        try:
            by_whois = await self._by_whois(deadline)
        except RegistryError as error:
            if told is not None:
                return told
            failed.append(error)
            raise RegistryError("; ".join(map(str, failed)), max(one.pause for one in failed)) from error
        return by_whois if told is None else _with_end(told, by_whois)

    async def _by_rdap(self, base: str, deadline: float) -> Told:
        url = f"{base.rstrip('/')}/domain/{self.domain}"
        exchange, url = await fetch(self.tools, url, deadline)
        if exchange.status == 404:
            registration = UNREGISTERED
        elif exchange.status != 200:
            raise RegistryError(
                f"RDAP at {_host(url)}: {exchange.status}", pause_of(exchange.header("retry-after"), self.now)
            )
        else:
            try:
                registration = read_rdap(exchange.body, self.domain)
            except NoRegistrationError as error:
                raise RegistryError(f"RDAP at {_host(url)}: {error}") from error
        return Told(
            registration=registration,
            source=url,
            address=exchange.address,
            phases=dict(exchange.phases),
            excerpt=exchange.body[:EXCERPT_LIMIT].decode(errors="replace"),
        )

    async def _by_whois(self, deadline: float) -> Told:
        server, origin = self.whois, None
        for _ in range(_REFERRALS + 1):
            text, stream = await self._conversation(server, origin, deadline)
            onward = read_referral(text)
            if onward is None:
                return self._read(text, server, stream)
            server, origin = onward, stream.address
        raise RegistryError(f"WHOIS: more than {_REFERRALS} referrals, the last to {server}")

    def _read(self, text: str, server: str, stream: Stream) -> Told:
        try:
            registration = read_whois(text, self.domain)
        except NoRegistrationError as error:
            raise RegistryError(f"WHOIS at {server}: {error}") from error
        return Told(
            registration=registration,
            source=server,
            address=stream.address,
            phases=dict(stream.seen().phases),
            excerpt=text[:EXCERPT_LIMIT],
        )

    async def _conversation(self, server: str, origin: str | None, deadline: float) -> tuple[str, Stream]:
        """Ask one WHOIS server; from an outside one nobody is led inside."""
        try:
            place = place_of(server, WHOIS_PORT)
            if origin is not None:
                place = await self._outside(place, origin, deadline)
            async with open_stream(self.tools, place, deadline) as stream:
                await stream.write(f"{self.domain}\r\n".encode())
                heard = bytearray()
                while data := await stream.read_some():
                    heard += data
                return _decoded(bytes(heard)), stream
        except (TargetFaultError, OwnFaultError, ValueError) as error:
            raise RegistryError(f"WHOIS at {server}: {error}") from error

    async def _outside(self, place: Place, origin: str, deadline: float) -> Place:
        addresses, _ = await resolve(self.tools, place.host, Family.ANY, deadline)
        allowed = [address for address in addresses if may_lead(origin, address)]
        if not allowed:
            raise TargetFaultError(Cause.PROTOCOL, f"{place.host} lies inside ({addresses[0]})")
        return replace(place, host=allowed[0])


async def rdap_base(tools: Tools, bootstrap: str, domain: str, deadline: float) -> str | None:
    """Return the RDAP service that IANA's list names for a domain, None if it names none; RegistryError if nobody can tell."""
    exchange, url = await fetch(tools, bootstrap, deadline)
    if exchange.status != 200:
        raise RegistryError(f"the list of RDAP services at {_host(url)}: {exchange.status}")
    try:
        base = read_bootstrap(exchange.body, domain)
        return None if base is None else clean_url(base)
    except ValueError as error:
        raise RegistryError(f"the list of RDAP services at {_host(url)}: {error}") from error


async def fetch(tools: Tools, url: str, deadline: float) -> tuple[Exchange, str]:
    """Return what an address answers in the end, and which it was; redirects go outwards only."""
    origin: str | None = None
    for _ in range(_HOPS + 1):
        exchange = await _fetched(tools, url, origin, deadline)
        location = exchange.header("location")
        if exchange.status not in REDIRECTS or not location:
            return exchange, url
        origin = origin or exchange.address
        try:
            url = clean_url(urljoin(url, location))
        except ValueError as error:
            raise RegistryError(f"{_host(url)} redirects astray: {error}") from error
    raise RegistryError(f"more than {_HOPS} redirects, the last to {url[:80]}")


async def _fetched(tools: Tools, url: str, origin: str | None, deadline: float) -> Exchange:
    async def attempt(address: str, within: float | None) -> Exchange:
        if origin is not None and not may_lead(origin, address):
            raise TargetFaultError(Cause.PROTOCOL, f"redirects inside ({address})", address=address)
        accept = (("Accept", "application/rdap+json, application/json"),)
        request = Request(url=url, address=address, headers=accept, connect_within=within)
        return await tools.transport.fetch(request, deadline)

    host = urlsplit(url).hostname or ""
    try:
        exchange, named = await over_addresses(tools, host, Family.ANY, deadline, attempt)
    except (TargetFaultError, OwnFaultError) as error:
        raise RegistryError(f"{host}: {error}") from error
    return exchange._replace(phases=named | dict(exchange.phases))


def share(deadline: float, parts: int) -> float:
    """Return the moment by which one of so many steps must be done, so that the others have their time."""
    now = asyncio.get_running_loop().time()
    return now + (deadline - now) / parts


def _with_end(told: Told, by_whois: Told) -> Told:
    """Return what RDAP told, with the date that only WHOIS knows."""
    ends_at = by_whois.registration.ends_at
    return replace(told, registration=replace(told.registration, ends_at=ends_at))


def pause_of(retry_after: str | None, now: datetime) -> timedelta:
    """Return how long a server wants to be left alone: seconds or a date (RFC 9110), a day at most."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, ArithmeticError, LookupError):
        return timedelta(0)
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta(0)), _LONGEST_PAUSE)


def _decoded(heard: bytes) -> str:
    try:
        return heard.decode()
    except UnicodeDecodeError:
        return heard.decode("latin-1")


def _host(url: str) -> str:
    return urlsplit(url).hostname or url[:80]
