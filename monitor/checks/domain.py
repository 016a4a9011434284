"""Does the registration of a domain last? A domain that ends takes every name below it along, and its mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from monitor.checks.browsing.redirects import clean_url
from monitor.checks.contract import DEFAULT_TIMEOUT, Kind, Look, Options, Tools
from monitor.checks.names.asking import place_of
from monitor.checks.names.registration import Registration
from monitor.checks.names.registries import (
    IANA_BOOTSTRAP,
    IANA_WHOIS,
    WHOIS_PORT,
    Registries,
    RegistryError,
    Told,
    rdap_base,
    share,
)
from monitor.checks.options.durations import Duration, PositiveDuration
from monitor.checks.options.shell import word
from monitor.checks.options.targets import REFERENCE, Host, ascii_host, is_address
from monitor.checks.tls import is_server_name
from monitor.health.words import CheckImpact, Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Measure, Outcome

_HOUR = timedelta(hours=1)
# How long the last word of a registry counts when it gives no other, and how long its address is taken as known.
_KEPT = timedelta(days=7)
# Statuses of EPP, and of registries that have their own, by which a domain is on its way out or out of service.
_ENDING = frozenset(
    {
        "redemptionperiod",
        "pendingdelete",
        "pendingdeleterestorable",
        "pendingpurge",
        "clienthold",
        "serverhold",
        "hold",
        "redemption",
        "quarantine",
        "expired",
        "suspended",
        "tobedeleted",
    }
)


def _domain(text: str) -> str:
    if REFERENCE.search(text):
        return text
    if is_address(text) or "." not in text.strip("."):
        raise RefusalError("options.domain", found=text)
    ascii_host(text)
    return text


def _url(text: str) -> str:
    return text if REFERENCE.search(text) else clean_url(text)


def _whois(text: str) -> str:
    if not REFERENCE.search(text):
        place_of(text, WHOIS_PORT)
    return text


class DomainOptions(Options):
    """What a `domain` check takes."""

    name: Host | None = Field(
        default=None,
        description="The domain. As in every check it is the check's name too, and a word without a dot (`main`) is only that.",
    )
    domain: Annotated[Host, AfterValidator(_domain)] = Field(
        description="The domain where it cannot be the check's name as well."
    )
    warn: Duration = Field(
        default=timedelta(days=30), description="Warn when the registration ends sooner than this."
    )
    refresh: PositiveDuration = Field(
        default=timedelta(hours=12),
        description="How long what a registry told is believed without asking it again, while the end is far.",
    )
    rdap: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None,
        description="The base address of the RDAP service to ask; the one of IANA's list if left out.",
    )
    bootstrap: Annotated[str, AfterValidator(_url)] = Field(
        default=IANA_BOOTSTRAP, description="IANA's list of RDAP services, or a copy of it."
    )
    whois: Annotated[str, AfterValidator(_whois)] = Field(
        default=IANA_WHOIS,
        description="The WHOIS server to ask where RDAP does not help; its referrals are followed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the looks before know: the last word of the registry, when it came, and when to ask again.

    `since` is when the registry first told bad news, `failing_since` when it first told nothing.
    """

    told: Registration | None = None
    told_at: datetime | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    failing_since: datetime | None = None
    failure: str = ""
    ask_at: datetime | None = None
    base: str | None = None
    base_at: datetime | None = None
    source: str = ""

    def rests(self, now: datetime, outcome: Outcome | None) -> bool:
        """Is it too early to ask again? When time alone changed the verdict, it is not."""
        return (
            self.ask_at is not None and now < self.ask_at and (outcome is self.outcome or bool(self.failure))
        )

    @property
    def via(self) -> tuple[str, ...]:
        """Where RDAP told the last word, empty where WHOIS did."""
        return (self.source,) if self.source.startswith(("http://", "https://")) else ()

    def knows_base(self, now: datetime) -> bool:
        """Is the RDAP service known, also that there is none?"""
        return self.base_at is not None and now - self.base_at < _KEPT


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """A look that asks the registry now and then, and counts the days in between."""

    options: DomainOptions

    @property
    def target(self) -> str:
        return self.options.domain

    async def look(self, tools: Tools, deadline: float) -> Look:
        now, known = tools.now(), from_memory(tools.memory)
        kept = judge(known.told, self.options.warn, now) if known.told is not None else None
        if known.rests(now, kept.outcome if kept else None):
            return _noted(kept, known, now)
        try:
            known = await self._with_base(tools, known, now, deadline)
            told = await self._registries(tools, known, now).ask(deadline)
        except RegistryError as error:
            known = failed(known, error, now)
            return replace(_noted(kept, known, now), remember=to_memory(known))
        look = judge(told.registration, self.options.warn, now)
        known = learnt(known, told, look.outcome, self.options.refresh, now)
        return replace(
            look,
            address=told.address,
            phases=told.phases,
            excerpt=told.excerpt,
            via=known.via,
            remember=to_memory(known),
        )

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        name = options.domain if REFERENCE.search(options.domain) else self._domain
        if options.rdap is None and options.whois != IANA_WHOIS and not (look and look.via):
            if REFERENCE.search(options.whois):
                return f"whois -h {word(options.whois)} {word(name)}"
            place = place_of(options.whois, WHOIS_PORT)
            return f"whois -h {word(place.host)} -p {place.port} {word(name)}"
        base = options.rdap or "https://rdap.org"
        url = look.via[-1] if look and look.via else f"{base.rstrip('/')}/domain/{name}"
        seconds = max(0.001, timeout.total_seconds())
        return f"curl -sS -L -m {seconds:g} -H 'Accept: application/rdap+json' {word(url)}"

    @property
    def _domain(self) -> str:
        return ascii_host(self.options.domain).rstrip(".").lower()

    async def _with_base(self, tools: Tools, known: Known, now: datetime, deadline: float) -> Known:
        """Return what is known together with the RDAP service; a list that cannot be had leaves WHOIS."""
        if self.options.rdap is not None or known.knows_base(now):
            return known
        try:
            base = await rdap_base(tools, self.options.bootstrap, self._domain, share(deadline, 3))
        except RegistryError:
            return known
        return replace(known, base=base, base_at=now)

    def _registries(self, tools: Tools, known: Known, now: datetime) -> Registries:
        options = self.options
        return Registries(
            tools=tools, domain=self._domain, base=options.rdap or known.base, whois=options.whois, now=now
        )


def judge(told: Registration, warn: timedelta, now: datetime) -> Look:
    """Return the verdict on a registration at a moment."""
    if not told.registered:
        return _down("the domain is not registered")
    left = None if told.ends_at is None else told.ends_at - now
    measures = () if left is None else (Measure("registration_left", left.total_seconds(), "seconds"),)
    ending = [status for status in told.statuses if status in _ENDING]
    until = "" if told.ends_at is None else f"{told.ends_at:%Y-%m-%d}"
    if left is not None and left <= timedelta(0):
        return replace(_down(f"the registration ended on {until}"), measures=measures)
    if ending:
        return replace(_down(f"the registry gives the status {', '.join(ending)}"), measures=measures)
    if left is not None and left < warn:
        return Look(
            outcome=Outcome.WARN,
            cause=Cause.DOMAIN_ENDING,
            found=f"the registration ends in {left.days} days, on {until}",
            measures=measures,
        )
    found = f"registered until {until}" if until else "registered; the registry does not say until when"
    return Look(outcome=Outcome.OK, found=found, measures=measures)


def learnt(known: Known, told: Told, outcome: Outcome, refresh: timedelta, now: datetime) -> Known:
    """Return what is known after a registry told something, and when to ask again.

    Bad news is asked for again at once, before anybody believes it, and then with pauses that double up to an hour.
    """
    since = None if outcome is not Outcome.DOWN else known.since or now
    pauses = {Outcome.OK: refresh, Outcome.WARN: _HOUR}
    pause = min(refresh, pauses.get(outcome, _HOUR), now - since if since else refresh)
    return replace(
        known,
        told=told.registration,
        told_at=now,
        outcome=outcome,
        since=since,
        failing_since=None,
        failure="",
        ask_at=now + pause,
        source=told.source,
    )


def failed(known: Known, error: RegistryError, now: datetime) -> Known:
    """Return what is known after a registry told nothing: asked again at once, then with pauses that double up to an hour."""
    since = known.failing_since or now
    pause = max(error.pause, min(_HOUR, now - since))
    return replace(known, failing_since=since, failure=str(error)[:300], ask_at=now + pause)


def to_memory(known: Known) -> dict[str, str]:
    """Return what is known as texts."""
    told = known.told
    moments = {
        "told_at": known.told_at,
        "since": known.since,
        "failing_since": known.failing_since,
        "ask_at": known.ask_at,
        "base_at": known.base_at,
        "ends_at": told.ends_at if told else None,
    }
    texts = {
        "registered": str(told.registered).lower() if told else "",
        "statuses": " ".join(told.statuses) if told else "",
        "outcome": known.outcome or "",
        "failure": known.failure,
        "base": known.base or "",
        "source": known.source,
    }
    texts |= {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
    return {name: text for name, text in texts.items() if text}


def from_memory(memory: Mapping[str, str]) -> Known:
    """Return what the texts of `to_memory` mean; what cannot be read is not known."""
    outcome = memory.get("outcome", "")
    registered = {"true": True, "false": False}.get(memory.get("registered", ""))
    told_at = _moment(memory, "told_at")
    told = None
    if registered is not None and told_at is not None:
        told = Registration(
            registered=registered,
            ends_at=_moment(memory, "ends_at"),
            statuses=tuple(memory.get("statuses", "").split()),
        )
    return Known(
        told=told,
        told_at=told_at,
        outcome=Outcome(outcome) if outcome in set(Outcome) else None,
        since=_moment(memory, "since"),
        failing_since=_moment(memory, "failing_since"),
        failure=memory.get("failure", ""),
        ask_at=_moment(memory, "ask_at"),
        base=memory.get("base") or None,
        base_at=_moment(memory, "base_at"),
        source=memory.get("source", ""),
    )


def _moment(memory: Mapping[str, str], name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(memory.get(name, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _noted(kept: Look | None, known: Known, now: datetime) -> Look:
    """Return the verdict on the last word of the registry, with a note when it gives no other; unknown when that is too old."""
    fresh = known.told_at is not None and now - known.told_at <= _KEPT
    if kept is None or not fresh:
        return Look(
            outcome=Outcome.UNKNOWN, cause=Cause.OWN, found=f"no registry told anything: {known.failure}"
        )
    kept = replace(kept, via=known.via)
    if not known.failure:
        return kept
    return replace(
        kept, found=f"{kept.found}, as told on {known.told_at:%Y-%m-%d}; no newer word: {known.failure}"
    )


def _down(found: str) -> Look:
    return Look(outcome=Outcome.DOWN, cause=Cause.DOMAIN_ENDING, found=found)


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"domain": value}
    raise RefusalError("options.short.domain", found=value)


def _complete(options: dict[str, Any], _host: str) -> dict[str, Any]:
    name = options.get("name")
    return {"domain": name, **options} if isinstance(name, str) and is_server_name(name) else options


def _service(_options: DomainOptions) -> Service:
    return Service.NAMES


KIND = Kind(
    name="domain",
    options=DomainOptions,
    build=DomainCheck,
    complete=_complete,
    short=_short,
    service=_service,
    impact=CheckImpact.DEGRADED,
)
