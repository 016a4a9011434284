"""Does a host answer ICMP echo requests, how fast, and does it lose any?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import Field

from monitor.checks.connecting import resolve
from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, Tools
from monitor.checks.durations import PositiveDuration
from monitor.checks.icmp import Echoes, echo
from monitor.checks.shell import word
from monitor.checks.targets import FamilyName, Host, at_host
from monitor.health.words import Service
from monitor.observation import Cause, Outcome


class PingOptions(Options):
    """What a `ping` check takes."""

    host: Host = Field(description="The name or address to ping; the server's host if left out.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")
    count: int = Field(
        default=3, ge=1, le=20, description="How many echo requests one look sends, 0.2 s apart."
    )
    loss: int = Field(
        default=50,
        ge=0,
        le=99,
        description="Warn when more than this share of the echoes is lost, in percent.",
    )
    within: PositiveDuration | None = Field(
        default=None,
        description="Warn when the mean round trip is slower than this, such as 200ms.",
    )


@dataclass(frozen=True, slots=True)
class PingCheck:
    """A look that sends a few echo requests."""

    options: PingOptions

    @property
    def target(self) -> str:
        return self.options.host

    async def look(self, tools: Tools, deadline: float) -> Look:
        addresses, named = await resolve(tools, self.options.host, Family(self.options.family), deadline)
        echoes = await echo(addresses[0], self.options.count, deadline)
        return replace(judged(echoes, self.options), address=addresses[0], phases=named | _phases(echoes))

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        family = {"any": "", "ipv4": "-4 ", "ipv6": "-6 "}[self.options.family]
        return (
            f"ping {family}-c {self.options.count} -w {max(1, round(timeout.total_seconds()))} {word(host)}"
        )


def _phases(echoes: Echoes) -> dict[str, float]:
    mean = echoes.mean_ms
    return {"total": echoes.took_ms} if mean is None else {"first_byte": mean, "total": echoes.took_ms}


def judged(echoes: Echoes, options: PingOptions) -> Look:
    """Return the verdict on what came back; address and phases are the look's to add."""
    sent, back = options.count, len(echoes.round_trips_ms)
    if echoes.mean_ms is None:
        cause = Cause.UNREACHABLE if echoes.refused else Cause.LOSS
        return Look(
            outcome=Outcome.DOWN, cause=cause, found=echoes.refused or f"none of {sent} echoes came back"
        )
    if 100 * (sent - back) > options.loss * sent:
        return Look(outcome=Outcome.WARN, cause=Cause.LOSS, found=f"{back} of {sent} echoes came back")
    if options.within is not None and echoes.mean_ms > options.within / timedelta(milliseconds=1):
        allowed = options.within / timedelta(milliseconds=1)
        return Look(
            outcome=Outcome.WARN,
            cause=Cause.SLOW,
            found=f"{echoes.mean_ms:.1f} ms, expected within {allowed:.0f} ms",
        )
    return Look(outcome=Outcome.OK)


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"host": value}
    raise ValueError("the short form of ping is a name or an address (192.0.2.3)")


def _service(_options: PingOptions) -> Service:
    return Service.NETWORK


KIND = Kind(
    name="ping",
    options=PingOptions,
    build=PingCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
