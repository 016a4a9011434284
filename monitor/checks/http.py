"""Does a web address answer as expected? Redirects are followed by hand: each hop is resolved anew and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from monitor.checks import redirects
from monitor.checks.connecting import over_addresses
from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Exchange,
    Family,
    Kind,
    Look,
    Options,
    Request,
    TargetFaultError,
    Tools,
)
from monitor.checks.expectations import Expectation, Headers, judge, shown_body
from monitor.checks.redirects import Step, clean_url, may_lead
from monitor.checks.shell import header, word
from monitor.checks.targets import REFERENCE, FamilyName, bracketed, is_address, service_of_port
from monitor.health.words import Service
from monitor.observation import EXCERPT_LIMIT, Cause, Outcome

_LEADING = ("http://", "https://")


def _url(text: str) -> str:
    if not REFERENCE.search(text):
        return clean_url(text)
    if not text.startswith((*_LEADING, "${")):
        raise ValueError(f"{text[:80]!r} is no web address: it begins with http:// or https://")
    return text


class HttpOptions(Options):
    """What an `http` check takes."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="The address to ask, http or https; http://<the server's host>/ if left out."
    )
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = Field(
        default="GET", description="The method to ask with."
    )
    headers: Headers = Field(
        default_factory=dict,
        description="Headers to send; secrets as references. They stay with the origin they are meant for.",
    )
    expect: Expectation = Field(default_factory=Expectation, description="What the answer is held to.")
    follow: bool = Field(
        default=True, description="Follow redirects, at most five, each hop resolved and judged anew."
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    verify: bool = Field(default=True, description="Whether a bad certificate counts as a fault.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hop:
    """One exchange on the way and the phases of the look up to its end."""

    exchange: Exchange
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A look that asks a web address and follows where it leads."""

    options: HttpOptions

    @property
    def target(self) -> str:
        return self.options.url

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        step = Step(url=options.url, method=options.method, headers=tuple(options.headers.items()))
        via: tuple[str, ...] = ()
        origin: str | None = None
        phases: dict[str, float] = {}
        while True:
            try:
                hop = await self._hop(step, origin, tools, deadline)
                phases = _summed(phases, hop.phases)
                onward = self._onward(step, hop.exchange, len(via))
            except TargetFaultError as fault:
                return replace(fault.look, via=via, phases=_summed(phases, fault.look.phases))
            if onward is None:
                return self._seen(hop.exchange, phases, via)
            step, via, origin = onward, (*via, onward.url), origin or hop.exchange.address

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        words = ["curl -sS -o /dev/null -D - --http1.1", f"-m {max(0.001, timeout.total_seconds()):g}"]
        words += {"GET": [], "HEAD": ["-I"]}.get(options.method, [f"-X {options.method}"])
        words += [] if options.family == "any" else [f"-{options.family[-1]}"]
        words += [f"-L --max-redirs {redirects.LIMIT}"] if options.follow else []
        words += [f"--cacert {word(options.ca)}"] if options.ca else []
        words += [] if options.verify else ["-k"]
        words += [f"-H {header(name, value)}" for name, value in options.headers.items()]
        words += _pinned(options.url, look)
        return f"{' '.join(words)} {word(options.url)}  # expect {' or '.join(options.expect.status)}"

    async def _hop(self, step: Step, origin: str | None, tools: Tools, deadline: float) -> _Hop:
        options = self.options

        async def fetch(address: str, within: float | None) -> Exchange:
            if origin is not None and not may_lead(origin, address):
                raise TargetFaultError(
                    Cause.PROTOCOL,
                    f"redirects to {step.url[:120]}, which lies inside ({address})",
                    address=address,
                )
            request = Request(
                url=step.url,
                address=address,
                method=step.method,
                headers=step.headers,
                verify=options.verify,
                ca_file=options.ca,
                connect_within=within,
            )
            return await tools.transport.fetch(request, deadline)

        exchange, named = await over_addresses(tools, step.host, Family(options.family), deadline, fetch)
        total = named["name"] + exchange.phases.get("total", 0.0)
        return _Hop(exchange=exchange, phases=named | dict(exchange.phases) | {"total": total})

    def _onward(self, step: Step, exchange: Exchange, followed: int) -> Step | None:
        """Return the next request if the answer is a redirect that is to be followed."""
        options = self.options
        location = next((value for name, value in exchange.headers if name.lower() == "location"), "")
        if not options.follow or not location or exchange.status not in redirects.REDIRECTS:
            return None
        if options.expect.allows(exchange.status):
            return None
        if followed == redirects.LIMIT:
            raise TargetFaultError(
                Cause.PROTOCOL,
                f"more than {redirects.LIMIT} redirects, the last to {location[:80]}",
                address=exchange.address,
            )
        return redirects.follow(step, exchange.status, location)

    def _seen(self, exchange: Exchange, phases: dict[str, float], via: tuple[str, ...]) -> Look:
        verdict = judge(exchange, self.options.expect, phases.get("total", 0.0))
        seen = Look(
            outcome=Outcome.OK,
            address=exchange.address,
            phases=phases,
            tls_expires_at=exchange.tls_expires_at,
            via=via,
        )
        if verdict is None:
            return seen
        return replace(
            seen,
            outcome=verdict.outcome,
            cause=verdict.cause,
            found=verdict.found,
            excerpt=shown_body(exchange, EXCERPT_LIMIT),
        )


def _summed(before: dict[str, float], phases: Mapping[str, float]) -> dict[str, float]:
    return {name: before.get(name, 0.0) + phases.get(name, 0.0) for name in {**before, **phases}}


def _pinned(url: str, look: Look | None) -> list[str]:
    """Return the option that leads curl to the address that was looked at; a literal, or a host in a reference, needs none."""
    if look is None or look.address is None:
        return []
    last = look.via[-1] if look.via else url
    if REFERENCE.search(last):
        return []
    step = Step(url=last, method="GET", headers=())
    if is_address(step.host):
        return []
    return [f"--resolve {word(f'{step.host}:{step.port}:{bracketed(look.address)}')}"]


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"url": value}
    raise ValueError("the short form of http is a web address (https://www.example/)")


def _complete(options: dict[str, Any], host: str) -> dict[str, Any]:
    return {"url": f"http://{bracketed(host)}/", **options} if host else options


def _service(options: HttpOptions) -> Service:
    if REFERENCE.search(options.url):
        return Service.WEB
    port = urlsplit(options.url).port
    service = Service.WEB if port is None else service_of_port(port)
    return Service.WEB if service is Service.NETWORK else service


KIND = Kind(
    name="http",
    options=HttpOptions,
    build=HttpCheck,
    complete=_complete,
    short=_short,
    service=_service,
    bare=True,
)
