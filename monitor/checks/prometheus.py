"""What a query to Prometheus gives, held to bounds. The Prometheus is our tool: when it fails, nothing is known of the target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

from monitor.checks.browsing.expectations import Headers, shown_body
from monitor.checks.browsing.prometheus_answers import (
    AnswerError,
    Empty,
    judge_samples,
    measures_of,
    read_answer,
)
from monitor.checks.browsing.redirects import clean_url
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
from monitor.checks.options.bounds import Bounds
from monitor.checks.options.shell import header, word
from monitor.checks.options.targets import REFERENCE, FamilyName, bracketed, is_address
from monitor.checks.wire.connecting import over_addresses
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Outcome

_API = "/api/v1/query"
# Statuses that come with words of Prometheus about the query or itself.
_SPOKEN = frozenset({200, 400, 422, 503})


def _url(text: str) -> str:
    if REFERENCE.search(text):
        return text
    if "?" in text or "#" in text:
        raise RefusalError("options.prometheus.url", found=text)
    return clean_url(text).rstrip("/")


class PrometheusOptions(Options):
    """What a `prometheus` check takes."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="Where Prometheus (Thanos, Mimir, VictoriaMetrics) is, such as http://prometheus:9090."
    )
    query: str = Field(
        min_length=1, max_length=4096, description="The query in PromQL, asked for this moment."
    )
    expect: Bounds | None = Field(
        default=None, description="What every value is held to, otherwise it is down: min, max or both."
    )
    warn: Bounds | None = Field(default=None, description="Warn when a value lies outside: min, max or both.")
    empty: Empty = Field(
        default="unknown", description="What it means when there is no value at all: down, ok or unknown."
    )
    headers: Headers = Field(
        default_factory=dict,
        description="Headers to send, such as Authorization; secrets as references.",
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="A file of CA certificates (PEM) to trust instead of the system's.",
    )
    verify: bool = Field(default=True, description="Whether a bad certificate counts as a fault.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """A look that asks one query for this moment and judges every value that it gives."""

    options: PrometheusOptions

    @property
    def target(self) -> str:
        return self.options.url

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        try:
            exchange, phases = await self._ask(tools, deadline)
        except TargetFaultError as fault:
            found = f"{options.url} cannot be asked: {fault.look.found}"
            return replace(fault.look, outcome=Outcome.UNKNOWN, cause=Cause.OWN, found=found)
        seen = Look(
            outcome=Outcome.OK,
            address=exchange.address,
            phases=phases,
            excerpt=shown_body(exchange, EXCERPT_LIMIT),
            tls_expires_at=exchange.tls_expires_at,
        )
        try:
            samples = read_answer(_text(exchange))
        except AnswerError as error:
            return replace(seen, outcome=Outcome.UNKNOWN, cause=Cause.OWN, found=f"{options.url} {error}")
        verdict = judge_samples(samples, options.expect, options.warn, options.empty)
        seen = replace(seen, measures=measures_of(samples))
        if verdict is None:
            return seen
        return replace(seen, outcome=verdict.outcome, cause=verdict.cause, found=verdict.found)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        words = [f"curl -sSf -m {max(0.001, timeout.total_seconds()):g} -G"]
        words += [] if options.family == "any" else [f"-{options.family[-1]}"]
        words += [f"--cacert {word(options.ca)}"] if options.ca else []
        words += [] if options.verify else ["-k"]
        words += [f"-H {header(name, value)}" for name, value in options.headers.items()]
        words += _pinned(options.url, look)
        words += [f"--data-urlencode {word(f'query={options.query}')}", word(f"{options.url}{_API}")]
        return f"{' '.join(words)}{_expected(options)}"

    async def _ask(self, tools: Tools, deadline: float) -> tuple[Exchange, dict[str, float]]:
        options = self.options
        url = f"{options.url}{_API}?query={quote(options.query, safe='')}"

        async def fetch(address: str, within: float | None) -> Exchange:
            request = Request(
                url=url,
                address=address,
                headers=tuple(options.headers.items()),
                verify=options.verify,
                ca_file=options.ca,
                connect_within=within,
            )
            return await tools.transport.fetch(request, deadline)

        host = urlsplit(url).hostname or ""
        exchange, named = await over_addresses(tools, host, Family(options.family), deadline, fetch)
        phases = named | dict(exchange.phases)
        return exchange, phases | {"total": named["name"] + exchange.phases.get("total", 0.0)}


def _text(exchange: Exchange) -> str:
    """Return what Prometheus said; AnswerError when somebody else spoke, or too much was said."""
    if exchange.status not in _SPOKEN:
        raise AnswerError(f"answers with status {exchange.status}")
    if exchange.truncated:
        raise AnswerError("answers with more than 1 MiB: let the query sum up")
    return exchange.body.decode(errors="replace")


def _pinned(url: str, look: Look | None) -> list[str]:
    """Return the option that leads curl to the address that was looked at; a literal, or a host in a reference, needs none."""
    if look is None or look.address is None or REFERENCE.search(url):
        return []
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    return [] if is_address(host) else [f"--resolve {word(f'{host}:{port}:{bracketed(look.address)}')}"]


def _expected(options: PrometheusOptions) -> str:
    if options.expect is None:
        return ""
    bounds = options.expect
    least = [] if bounds.min is None else [f"at least {bounds.min:g}"]
    most = [] if bounds.max is None else [f"at most {bounds.max:g}"]
    return f"  # expect {' and '.join(least + most)}"


def _short(value: object) -> dict[str, Any]:
    raise RefusalError("options.short.prometheus", found=value)


def _complete(options: dict[str, Any], _host: str) -> dict[str, Any]:
    return options


def _service(_options: PrometheusOptions) -> Service:
    return Service.NETWORK


KIND = Kind(
    name="prometheus",
    options=PrometheusOptions,
    build=PrometheusCheck,
    complete=_complete,
    short=_short,
    service=_service,
)
