"""Does a web address answer as expected? Redirects are followed by hand: each hop is resolved anew and judged."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from monitor.checks.browsing.expectations import judge, judge_certificate, judge_time, shown_body
from monitor.checks.browsing.line import line
from monitor.checks.browsing.options import HttpOptions
from monitor.checks.browsing.session import Session
from monitor.checks.browsing.steps import walk
from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Exchange,
    Family,
    Kind,
    Look,
    OwnFaultError,
    TargetFaultError,
    Tools,
    Verdict,
)
from monitor.checks.options.targets import REFERENCE, bracketed, service_of_port
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import EXCERPT_LIMIT, Cause, Measure, Outcome

_BADNESS = (Outcome.OK, Outcome.WARN, Outcome.UNKNOWN, Outcome.DOWN)
_FAMILIES = {family.value: family for family in Family}
_APART = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A look that asks a web address and follows where it leads."""

    options: HttpOptions

    @property
    def target(self) -> str:
        return self.options.url

    @property
    def _has_credentials(self) -> bool:
        return self.options.basic is not None or self.options.bearer is not None

    def look(self, tools: Tools, deadline: float) -> Coroutine[Any, Any, Look]:
        if self.options.family != "both":
            return self._look(tools, _FAMILIES[self.options.family], deadline)
        return self._look_over_both(tools, deadline)

    async def _look_over_both(self, tools: Tools, deadline: float) -> Look:
        looks = await asyncio.gather(*(self._look_apart(tools, family, deadline) for family in _APART))
        return _together(dict(zip(_APART, looks, strict=True)))

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        return line(self.options, look, timeout)

    async def _look(self, tools: Tools, family: Family, deadline: float) -> Look:
        options = self.options
        session = Session(options=options, tools=tools, family=family, deadline=deadline)
        try:
            if options.steps:
                exchange, verdict = await walk(session)
            else:
                exchange = await session.answer(session.own_hop(), options.expect)
                verdict = judge(exchange, options.expect, session.took_ms)
        except TargetFaultError as fault:
            ends = fault.look.tls_expires_at or session.ends
            return session.discreet(
                replace(fault.look, via=session.via, phases=session.phases, tls_expires_at=ends)
            )
        return self._seen(session, exchange, verdict)

    async def _look_apart(self, tools: Tools, family: Family, deadline: float) -> Look:
        try:
            return await self._look(tools, family, deadline)
        except OwnFaultError as fault:
            return fault.look

    def _seen(self, session: Session, exchange: Exchange, verdict: Verdict | None) -> Look:
        expect = self.options.expect
        seen = Look(
            outcome=Outcome.OK,
            address=exchange.address,
            phases=session.phases,
            tls_expires_at=session.ends,
            via=session.via,
        )
        if verdict is None and self.options.steps:
            verdict = judge_time(session.took_ms, expect.within)
        if verdict is None and session.ends is not None and self.options.verify:
            verdict = judge_certificate(session.ends, expect.certificate, session.tools.now())
        if verdict is None:
            return session.discreet(seen)
        refused = verdict.cause is Cause.STATUS and exchange.status == 401 and self._has_credentials
        return session.discreet(
            replace(
                seen,
                outcome=verdict.outcome,
                cause=Cause.LOGIN if refused else verdict.cause,
                found=verdict.found,
                # Twice what is shown: a secret at the edge is hidden whole before the rest is cut.
                excerpt=shown_body(exchange, 2 * EXCERPT_LIMIT),
            )
        )


def _together(looks: dict[Family, Look]) -> Look:
    """Return one look from one over each family: the worst, which says over which family it was seen."""
    worst = max(looks.values(), key=lambda look: _BADNESS.index(look.outcome))
    ends = [look.tls_expires_at for look in looks.values() if look.tls_expires_at is not None]
    return replace(
        worst,
        found="; ".join(
            f"over {_APART[family]}: {look.found}" for family, look in looks.items() if look.found
        ),
        tls_expires_at=min(ends, default=None),
        measures=tuple(
            Measure(name=f"{family.value}_total", value=look.phases["total"] / 1000, unit="seconds")
            for family, look in looks.items()
            if "total" in look.phases
        ),
    )


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"url": value}
    raise RefusalError("options.short.url", found=value)


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
