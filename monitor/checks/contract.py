"""What a kind of check is, and what a look needs from the prober that runs it.

A kind looks once and returns what it saw. It owns no schedule, no state and no database. Trouble at the target is a
`Look` with a cause, or a raised `TargetFaultError`; anything else that escapes `look` is our own fault and becomes
`unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from monitor.checks.policy import TargetPolicy
from monitor.checks.questions import Answers, Question
from monitor.errors import VigiaError
from monitor.health.words import CheckImpact, Service
from monitor.observation import Cause, Measure, Outcome


class Options(BaseModel):
    """The options of a kind: the one source for validation, defaults, the JSON Schema and the docs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Family(StrEnum):
    """Which addresses a look may use."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw; the prober adds when, how long and the line that reproduces it.

    `via` names the places that redirects led to, in order; `address` belongs to the last of them. `measures` are figures
    beside the times. `remember` replaces what the next look of this check finds in `Tools.memory`; None leaves it as it is.
    """

    outcome: Outcome
    cause: Cause | None = None
    found: str = ""
    address: str | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    excerpt: str = ""
    tls_expires_at: datetime | None = None
    via: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    remember: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an answer."""

    outcome: Outcome
    cause: Cause
    found: str


class TargetFaultError(VigiaError):
    """The target misbehaved; carries what is known so far for the observation."""

    def __init__(
        self,
        cause: Cause,
        found: str,
        *,
        address: str | None = None,
        phases: Mapping[str, float] | None = None,
        tls_expires_at: datetime | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(found)
        self.look = Look(
            outcome=Outcome.DOWN,
            cause=cause,
            found=found,
            address=address,
            phases=phases or {},
            tls_expires_at=tls_expires_at,
            excerpt=excerpt,
        )


class OwnFaultError(VigiaError):
    """We could not look (no right, no descriptor, no resolver): the outcome is unknown, with this cause and remedy."""

    def __init__(self, cause: Cause, found: str) -> None:
        super().__init__(found)
        self.look = Look(outcome=Outcome.UNKNOWN, cause=cause, found=found)


class Resolver(Protocol):
    """Names to addresses and whatever else our name servers know, with a deadline of its own."""

    async def addresses(self, name: str, family: Family, deadline: float) -> tuple[str, ...]:
        """Return the addresses of `name` (an address literal is returned as it is), IPv4 and IPv6 in the system's order.

        `deadline` is a moment of the loop's monotonic clock. A dead name raises TargetFaultError with Cause.NAME;
        a resolver that does not answer even its reference name raises OwnFaultError.
        """

    async def ask(self, question: Question, deadline: float) -> Answers:
        """Return what our name servers answer, whatever its rcode; the hosts file has no say.

        Whose fault silence and failure are is judged as for `addresses`: the target's when our servers are seen to work.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate that we show: PEM files, the key in one of its own or in the same, and what opens the key."""

    file: str
    key: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy that is asked in our stead; user and password are empty where it asks for none."""

    port: int
    user: str = ""
    password: str = ""


HttpVersion = Literal["auto", "1.1", "2"]


# What nearly every look makes anew is a tuple: to make a frozen dataclass costs three times as much.


class Request(NamedTuple):
    """One HTTP exchange with one address, without following redirects.

    `address` is the proxy's where there is one: the proxy then finds the host of the URL by itself. `connect_within` bounds
    connecting and the TLS handshake in seconds, so that a silent address leaves time for the next one. `version` is what is
    offered: `auto` and `2` offer HTTP/2 to a server that speaks TLS.
    """

    url: str
    address: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    verify: bool = True
    ca_file: str | None = None
    certificate: ClientCertificate | None = None
    proxy: Proxy | None = None
    version: HttpVersion = "1.1"
    connect_within: float | None = None


class Exchange(NamedTuple):
    """What came back: the head, a body cut at `BODY_LIMIT`, phases in milliseconds, and the leaf certificate's end.

    `head` is the last one as it came (an interim answer has one of its own): most looks need nothing of it but the status.
    """

    status: int
    head: bytes
    body: bytes
    truncated: bool
    phases: Mapping[str, float]
    address: str
    tls_expires_at: datetime | None = None
    version: str = "1.1"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers in the order in which they came, each name as it was written."""
        pairs = [line.partition(":") for line in self.head.decode("latin-1").split("\n")[1:]]
        return tuple([(name.strip(), value.strip()) for name, colon, value in pairs if colon])

    def header(self, name: str) -> str | None:
        """Return the value of a header, values of several joined by commas, None if there is none."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return ", ".join(values) if values else None


BODY_LIMIT = 1024 * 1024
HEADERS_LIMIT = 64 * 1024


class Transport(Protocol):
    """HTTP through one shared engine, with byte caps and a deadline that holds."""

    async def fetch(self, request: Request, deadline: float) -> Exchange:
        """Return the exchange, or raise TargetFaultError with cause and the phases so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the prober lends to a look.

    Every address is held to `policy` before anything connects to it. `ca_file` holds the CA certificates that are trusted where a check names no others. `memory` holds what the last look of this very check left in `Look.remember`; it survives restarts.
    """

    resolver: Resolver
    transport: Transport
    now: Callable[[], datetime]
    ca_file: str = ""
    policy: TargetPolicy = field(default_factory=TargetPolicy)
    memory: Mapping[str, str] = field(default_factory=dict)


DEFAULT_TIMEOUT = timedelta(seconds=10)


class Check(Protocol):
    """One check, ready to look: made from a plan's options by its kind."""

    async def look(self, tools: Tools, deadline: float) -> Look:
        """Look once, ending before `deadline` (a moment of the loop's monotonic clock)."""

    @property
    def target(self) -> str:
        """What is looked at, in one word for operators: `https://...`, `host:22`, an address."""

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        """Return a shell line that repeats this look with common tools, secrets left out.

        With what a look saw, the line goes to the very address that was looked at.
        """


Build = Callable[[Any], Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of check as the registry holds it.

    `complete(options, host)` gives a mapping of raw options its defaults from the server's host before validation;
    `short(value)` turns the short form (`tcp: 22`, `http: https://...`) into a mapping, or raises ValueError that names
    what the short form may be. `bare` tells whether the kind may stand alone, as in `- ping`. `service` is the service that its
    checks belong to unless configured, which may depend on the options (port 3306 is databases). `impact` is what a failure
    means for the server unless configured: none for a kind that only warns, or its server could never be wholly out.
    `needs` names the modules of a client library that not every installation has, and `extra` the extra of this package that brings it.
    A `passive` kind is never looked at: what it watches reports by itself, one missed report is believed, and so is one that comes.
    `references` names the options that may only be written as references, because what is written stays in the journal.
    """

    name: str
    options: type[Options]
    build: Build
    complete: Callable[[dict[str, Any], str], dict[str, Any]]
    short: Callable[[object], dict[str, Any]]
    service: Callable[[Any], Service]
    bare: bool = False
    impact: CheckImpact = CheckImpact.OUTAGE
    needs: tuple[str, ...] = ()
    extra: str = ""
    passive: bool = False
    references: tuple[str, ...] = ()


class Secrets(Protocol):
    """Turns references in configured text into what they stand for, and hides that again in what we show."""

    def fill(self, text: str) -> str:
        """Return `text` with every `${NAME}` and a leading `file:PATH` replaced; a missing one raises VigiaError."""

    def hide(self, text: str) -> str:
        """Return `text` with every value that `fill` ever brought in replaced by its reference."""
