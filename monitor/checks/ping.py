"""Does a host answer ICMP echo requests, how fast, and does it lose any?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, Tools
from monitor.checks.options.durations import PositiveDuration, at_most
from monitor.checks.options.shell import word
from monitor.checks.options.targets import FamilyName, Host, at_host
from monitor.checks.wire.connecting import has_route, resolve
from monitor.checks.wire.icmp import Echoes, echo
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Measure, Outcome

_LONGEST = timedelta(seconds=1)


class PingOptions(Options):
    """What a `ping` check takes."""

    host: Host = Field(description="The name or address to ping; the server's host if left out.")
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")
    count: int = Field(default=3, ge=1, le=20, description="How many echo requests one look sends.")
    interval: Annotated[PositiveDuration, at_most(_LONGEST)] = Field(
        default=timedelta(milliseconds=200),
        description="How long after each other they are sent, at most 1s; closer where the timeout leaves no room for it.",
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
    jitter: PositiveDuration | None = Field(
        default=None,
        description="Warn when round trips differ by more than this from one to the next on average, such as 30ms.",
    )


@dataclass(frozen=True, slots=True)
class PingCheck:
    """A look that sends a few echo requests."""

    options: PingOptions

    @property
    def target(self) -> str:
        return self.options.host

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        addresses, named = await resolve(tools, options.host, Family(options.family), deadline)
        # An address that nothing leads to from here says nothing about the host that has another one.
        address = next((one for one in addresses if has_route(one)), addresses[0])
        echoes = await echo(address, options.count, options.interval.total_seconds(), deadline)
        return replace(judged(echoes, options), address=address, phases=named | _phases(echoes))

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        host = look.address if look is not None and look.address is not None else options.host
        family = {"any": "", "ipv4": "-4 ", "ipv6": "-6 "}[options.family]
        return (
            f"ping {family}-c {options.count} -i {options.interval.total_seconds():g} "
            f"-w {max(1, round(timeout.total_seconds()))} {word(host)}"
        )


def _phases(echoes: Echoes) -> dict[str, float]:
    mean = echoes.mean_ms
    return {"total": echoes.took_ms} if mean is None else {"first_byte": mean, "total": echoes.took_ms}


def judged(echoes: Echoes, options: PingOptions) -> Look:
    """Return the verdict on what came back; address and phases are the look's to add."""
    measures = _measures(echoes)
    mean, back = echoes.mean_ms, len(echoes.round_trips_ms)
    if mean is None:
        cause = Cause.UNREACHABLE if echoes.refused else Cause.LOSS
        found = echoes.refused or f"none of {echoes.sent} echoes came back"
        return Look(outcome=Outcome.DOWN, cause=cause, found=found, measures=measures)
    if 100 * (echoes.sent - back) > options.loss * echoes.sent:
        found = f"{back} of {echoes.sent} echoes came back"
        return Look(outcome=Outcome.WARN, cause=Cause.LOSS, found=found, measures=measures)
    slow = _over(mean, options.within, "") or _over(echoes.jitter_ms, options.jitter, " of jitter")
    if slow:
        return Look(outcome=Outcome.WARN, cause=Cause.SLOW, found=slow, measures=measures)
    return Look(outcome=Outcome.OK, measures=measures)


def _over(found_ms: float | None, allowed: timedelta | None, what: str) -> str:
    """Return in words that a figure is larger than allowed, "" when it is not."""
    allowed_ms = None if allowed is None else allowed / timedelta(milliseconds=1)
    if found_ms is None or allowed_ms is None or found_ms <= allowed_ms:
        return ""
    return f"{found_ms:.1f} ms{what}, expected within {allowed_ms:.0f} ms"


def _measures(echoes: Echoes) -> tuple[Measure, ...]:
    times = {"round_trip_seconds": echoes.mean_ms, "jitter_seconds": echoes.jitter_ms}
    return (
        Measure(name="loss_ratio", value=echoes.loss, unit="ratio"),
        *(
            Measure(name=name, value=ms / 1000, unit="seconds")
            for name, ms in times.items()
            if ms is not None
        ),
    )


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"host": value}
    raise RefusalError("options.short.address", found=value, kind="ping")


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
