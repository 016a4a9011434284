"""One look's way through the web: its requests, the redirects it follows, its cookies, and what it must not tell."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from monitor.checks.browsing.cookies import Cookies
from monitor.checks.browsing.expectations import AnswerExpectation
from monitor.checks.browsing.options import HttpOptions, HttpSent, HttpStep
from monitor.checks.browsing.placeholders import filled, filled_below, in_a_url
from monitor.checks.browsing.redirects import REDIRECTS, Hop, follow, harmless, may_lead, origin_of
from monitor.checks.contract import (
    ClientCertificate,
    Exchange,
    Family,
    Look,
    OwnFaultError,
    Proxy,
    Request,
    TargetFaultError,
    Tools,
)
from monitor.checks.options.targets import is_address, split_host_port
from monitor.checks.wire.connecting import over_addresses
from monitor.observation import Cause

Headers = tuple[tuple[str, str], ...]

# Shorter values stand in every text by chance.
_SHORTEST_HIDDEN = 4
# What was cut for a line of fact may end within a value.
_SHORTEST_PART = 8


@dataclass(slots=True, kw_only=True)
class Session:
    """The state of one look. Phases are milliseconds, summed over all requests; `ends` is the earliest end of a certificate.

    Cookies are kept from the first redirect on, or from the beginning by who sets them to an empty jar.
    """

    options: HttpOptions
    tools: Tools
    family: Family
    deadline: float
    via: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    ends: datetime | None = None
    cookies: Cookies | None = None
    _hidden: dict[str, str] = field(default_factory=dict)

    @property
    def took_ms(self) -> float:
        """How long everything took until now."""
        return self.phases.get("total", 0.0)

    def own_hop(self) -> Hop:
        """Return the request of a look without steps."""
        options = self.options
        headers, body = said(options, {})
        return Hop(options.url, options.asked_by, self._credentials() + headers, body)

    def step_hop(self, url: str, step: HttpStep, values: Mapping[str, str]) -> Hop:
        """Return the request of a step to a clean URL: what is configured for all steps goes only to the check's own origin."""
        common: Headers = (*self._credentials(), *self.options.headers.items())
        at_home = origin_of(url) == origin_of(self.options.url)
        own, body = said(step, values)
        named = {name.lower() for name, _ in own}
        kept = tuple(
            pair for pair in (common if at_home else harmless(common)) if pair[0].lower() not in named
        )
        return Hop(url=url, method=step.asked_by, headers=(*kept, *own), body=body, trusted=at_home)

    async def answer(self, hop: Hop, expect: AnswerExpectation) -> Exchange:
        """Return the answer to a request, or to the last of those that it was led to; a redirect that is expected is an answer.

        Trouble at the target raises TargetFaultError, ours OwnFaultError.
        """
        exchange = await self._ask(hop)
        if exchange.status not in REDIRECTS:
            return exchange
        origin, been = self._origin(hop, exchange), {self._asked(hop)}
        while (onward := self._onward(hop, exchange, expect)) is not None:
            if self.cookies is None:
                self.cookies = Cookies(self.tools.now())
                self.cookies.take(hop.url, exchange)
            self._go_on(onward, exchange, been)
            hop = onward
            exchange = await self._ask(hop, origin)
        return exchange

    def hide(self, value: str, shown: str) -> None:
        """Show `shown` in place of a value, in whatever form it comes back."""
        if len(value) < _SHORTEST_HIDDEN:
            return
        in_url = in_a_url({"": value})[""]
        forms = (value, quote(value, safe=""), quote_plus(value), in_url, html.escape(value))
        for form in (*forms, json.dumps(value)[1:-1]):
            self._hidden.setdefault(form, shown)

    def discreet(self, look: Look) -> Look:
        """Return a look without the values that were made from credentials or captured on the way."""
        if not (look.found or look.excerpt or look.via):
            return look
        for name, value in (self.cookies.values() if self.cookies is not None else {}).items():
            self.hide(value, f"(cookie {name[:40]})")
        return replace(
            look,
            found=self._discreet(look.found),
            excerpt=self._discreet(look.excerpt),
            via=tuple(self._discreet_url(url) for url in look.via),
        )

    def _discreet(self, text: str) -> str:
        # The longest first: one value may be the beginning of another.
        for value in sorted(self._hidden, key=len, reverse=True):
            text = _without(text, value, self._hidden[value])
        return text

    def _discreet_url(self, url: str) -> str:
        """Return a URL whose path and query tell no value; a host that happens to look like one stays what it is."""
        place = url.index(urlsplit(url).netloc) + len(urlsplit(url).netloc)
        return url[:place] + self._discreet(url[place:])

    async def _ask(self, hop: Hop, origin: _Origin | None = None) -> Exchange:
        """Return the answer to one request; `origin` is where it all began when a redirect led here."""
        options = self.options
        headers = self._with_cookies(hop)
        through = None if options.proxy is None else _proxy_of(options)

        def fetch(address: str, within: float | None) -> Awaitable[Exchange]:
            if origin is not None:
                origin.judge(hop, address)
            request = Request(
                url=hop.url,
                address=address,
                method=hop.method,
                headers=headers,
                body=hop.body,
                verify=options.verify,
                ca_file=options.ca,
                certificate=_certificate_of(options) if hop.trusted else None,
                proxy=None if through is None else through[1],
                version=options.version,
                connect_within=within,
            )
            return self.tools.transport.fetch(request, self.deadline)

        host = hop.host if through is None else through[0]
        try:
            exchange, named = await over_addresses(self.tools, host, self.family, self.deadline, fetch)
        except TargetFaultError as fault:
            self._spent(fault.look.phases)
            raise
        except OwnFaultError as fault:
            if origin is not None and fault.look.cause is Cause.RIGHTS and await self._is_refused(host):
                raise TargetFaultError(Cause.PROTOCOL, f"redirects to {hop.url[:120]}: {fault}") from fault
            raise
        # libcurl's total begins behind the look-up.
        total = exchange.phases.get("total", 0.0) + named["name"]
        self._spent({**named, **exchange.phases, "total": total})
        self._judge_way(hop, exchange)
        if self.cookies is not None:
            self.cookies.take(hop.url, exchange)
        return exchange

    async def _is_refused(self, host: str) -> bool:
        """Is a host one that no look may go to? Who redirects there misbehaves; a firewall of ours that stops us does not count."""
        addresses = await self.tools.resolver.addresses(host, self.family, self.deadline)
        return all(self.tools.policy.refusal(address) is not None for address in addresses)

    def _judge_way(self, hop: Hop, exchange: Exchange) -> None:
        """Note when the certificate ends; a version or a proxy that is not as it should be raises."""
        ends = exchange.tls_expires_at
        if ends is not None and (self.ends is None or ends < self.ends):
            self.ends = ends
        if self.options.version == "2" and exchange.version != "2" and hop.url.startswith("https:"):
            raise TargetFaultError(
                Cause.PROTOCOL, "it speaks HTTP/1.1 only, HTTP/2 is required", address=exchange.address
            )
        if exchange.status == 407 and self.options.proxy is not None:
            raise OwnFaultError(
                Cause.OWN, "the proxy refuses us (407); look at `proxy_auth` and at its rules"
            )

    def _spent(self, phases: Mapping[str, float]) -> None:
        before = self.phases
        for name, spent in phases.items():
            before[name] = before.get(name, 0.0) + spent

    def _with_cookies(self, hop: Hop) -> Headers:
        kept = self.cookies.header(hop.url) if self.cookies is not None else ""
        if not kept:
            return hop.headers
        own = [value for name, value in hop.headers if name.lower() == "cookie"]
        others = tuple(pair for pair in hop.headers if pair[0].lower() != "cookie")
        return (*others, ("Cookie", "; ".join([*own, kept])))

    def _credentials(self) -> Headers:
        options = self.options
        if options.bearer is not None:
            return (("Authorization", f"Bearer {options.bearer}"),)
        if options.basic is None:
            return ()
        both = f"{options.basic.user}:{options.basic.password}"
        word = base64.b64encode(both.encode(errors="replace")).decode()
        self.hide(word, "(user and password)")
        return (("Authorization", f"Basic {word}"),)

    def _onward(self, hop: Hop, exchange: Exchange, expect: AnswerExpectation) -> Hop | None:
        """Return the next request if the answer is a redirect that is to be followed."""
        if exchange.status not in REDIRECTS or not self.options.follow or expect.allows(exchange.status):
            return None
        location = exchange.header("location")
        return follow(hop, exchange.status, location) if location else None

    def _go_on(self, onward: Hop, exchange: Exchange, been: set[tuple[str, str, str]]) -> None:
        """Note where an answer leads us; too often, or in a circle, raises TargetFaultError."""
        limit = self.options.redirects
        asked = self._asked(onward)
        if asked in been:
            raise TargetFaultError(
                Cause.PROTOCOL, f"redirects in a circle, back to {onward.url[:80]}", address=exchange.address
            )
        if len(been) > limit:
            raise TargetFaultError(
                Cause.PROTOCOL,
                f"more than {limit} redirects, the last to {onward.url[:80]}",
                address=exchange.address,
            )
        been.add(asked)
        self.via = (*self.via, onward.url)

    def _asked(self, hop: Hop) -> tuple[str, str, str]:
        """Return what makes a request the same as another: method, URL and cookies."""
        return hop.method, hop.url, self.cookies.header(hop.url) if self.cookies is not None else ""

    def _origin(self, hop: Hop, exchange: Exchange) -> _Origin:
        if self.options.proxy is None:
            return _Origin(address=exchange.address, through=False)
        return _Origin(address=hop.host if is_address(hop.host) else None, through=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where redirects began: an address, None for a host that only the proxy knows, which counts as outside."""

    address: str | None
    through: bool

    def judge(self, hop: Hop, address: str) -> None:
        """Raise TargetFaultError when a redirect leads from outside to a place inside.

        Through a proxy only what the URL itself tells can be judged; names are the proxy's business.
        """
        there = _literal(hop.host) if self.through else address
        if there is not None and not may_lead(self.address, there):
            raise TargetFaultError(
                Cause.PROTOCOL, f"redirects to {hop.url[:120]}, which lies inside ({there})", address=address
            )


def _without(text: str, value: str, shown: str) -> str:
    """Return `text` with `shown` in place of a value, also where only its beginning is left of it."""
    beginning = value[:_SHORTEST_PART]
    place = text.find(beginning)
    while place >= 0:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(text[place:], value, strict=False))
        text = text[:place] + shown + text[place + len(list(same)) :]
        place = text.find(beginning, place + len(shown))
    return text


def said(sent: HttpSent, values: Mapping[str, str]) -> tuple[Headers, bytes | None]:
    """Return the headers and the body that the options of a request ask for, names in braces filled."""
    headers = (
        tuple([(name, filled(value, values)) for name, value in sent.headers.items()]) if sent.headers else ()
    )
    if not sent.sends:
        return headers, None
    kind, text = _written(sent, values)
    named = any(name.lower() == "content-type" for name, _ in headers)
    return headers if named else (*headers, ("Content-Type", kind)), text.encode(errors="replace")


def _written(sent: HttpSent, values: Mapping[str, str]) -> tuple[str, str]:
    if sent.form is not None:
        return "application/x-www-form-urlencoded", urlencode(
            filled_below(sent.form, values), errors="replace"
        )
    if sent.document is not None:
        return "application/json", json.dumps(filled_below(sent.document, values))
    return "text/plain; charset=utf-8", filled(sent.body or "", values)


def _literal(host: str) -> str | None:
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    return host if is_address(host) else None


def _proxy_of(options: HttpOptions) -> tuple[str, Proxy]:
    host, port = split_host_port(urlsplit(options.proxy or "").netloc)
    user = options.proxy_auth
    if user is None:
        return host, Proxy(port=port)
    return host, Proxy(port=port, user=user.user, password=user.password)


def _certificate_of(options: HttpOptions) -> ClientCertificate | None:
    shown = options.cert
    if shown is None:
        return None
    return ClientCertificate(file=shown.file, key=shown.key, password=shown.password)
