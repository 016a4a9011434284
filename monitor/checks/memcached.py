"""Does a memcached server answer, and say of itself what is expected?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field

from monitor.checks.contract import DEFAULT_TIMEOUT, Family, Kind, Look, Options, TargetFaultError, Tools
from monitor.checks.options.durations import PositiveDuration
from monitor.checks.options.fields import Fields, judge_fields, measures_of
from monitor.checks.options.shell import word
from monitor.checks.options.targets import FamilyName, Host, Port, at_host, bracketed, port_or_place
from monitor.checks.wire.pace import slowed
from monitor.checks.wire.stream import Place, Stream, open_stream
from monitor.health.words import Service
from monitor.observation import Cause, Outcome

_LINES = 1000
_STAT = re.compile(r"STAT ([^ ]{1,250}) (.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class MemcachedOptions(Options):
    """What a `memcached` check takes."""

    host: Host = Field(description="The name or address to connect to; the server's host if left out.")
    port: Port = Field(default=11211, description="The port of the memcached server.")
    expect: Fields = Field(
        default_factory=dict,
        description="Fields of `stats`, each with what it must be, such as {accepting_conns: 1, curr_items: {min: 1}}.",
    )
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the whole look takes longer than this, such as 50ms."
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")


@dataclass(frozen=True, slots=True)
class MemcachedCheck:
    """A look that asks for the version, and for what the server says of itself if that is held to something."""

    options: MemcachedOptions

    @property
    def target(self) -> str:
        return f"{bracketed(self.options.host)}:{self.options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        place = Place(host=options.host, port=options.port, family=Family(options.family))
        try:
            async with open_stream(tools, place, deadline) as stream:
                seen = await self._talk(stream)
        except TargetFaultError as fault:
            seen = fault.look
        return slowed(seen, options.within)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        options = self.options
        seconds = max(1, round(timeout.total_seconds()))
        host = look.address if look is not None and look.address is not None else options.host
        named = "|".join(map(re.escape, options.expect))
        asked, wanted = ("stats", f"^STAT ({named}) ") if options.expect else ("version", "^VERSION")
        line = f"printf '{asked}\\r\\nquit\\r\\n' | timeout {seconds} nc {word(host)} {options.port}"
        return f"{line} | grep -E {word(wanted)}"

    async def _talk(self, stream: Stream) -> Look:
        await stream.write(b"version\r\n")
        said = _text(await stream.read_line())
        if not said.startswith("VERSION "):
            raise refused(stream, said)
        if not self.options.expect:
            return stream.seen()
        await stream.write(b"stats\r\n")
        told = read_stats(await _told(stream))
        wrong = judge_fields(told, self.options.expect)
        measures = measures_of(told, self.options.expect)
        if wrong is not None:
            return stream.seen(Outcome.DOWN, Cause.CONTENT, wrong, measures=measures)
        return stream.seen(measures=measures)


def refused(stream: Stream, said: str) -> TargetFaultError:
    """Return the fault of a server that says anything but what it was asked for."""
    if said.startswith(("ERROR ", "SERVER_ERROR", "CLIENT_ERROR")):
        return stream.fault(Cause.STATUS, said)
    return stream.fault(Cause.PROTOCOL, "does not speak as memcached does")


def read_stats(lines: Iterable[str]) -> dict[str, str]:
    """Return the fields of an answer to `stats`; lines that are none are passed over."""
    found = (_STAT.fullmatch(line) for line in lines)
    return {field[1]: field[2] for field in found if field is not None}


async def _told(stream: Stream) -> list[str]:
    lines: list[str] = []
    while (line := _text(await stream.read_line())) != "END":
        lines.append(line)
        if not line.startswith("STAT "):
            raise refused(stream, line)
        if len(lines) > _LINES:
            raise stream.fault(Cause.PROTOCOL, "tells more of itself than is read")
    return lines


def _text(line: bytes) -> str:
    return _CONTROL.sub(" ", line.decode(errors="replace"))


def _short(value: object) -> dict[str, Any]:
    return port_or_place(value, "memcached", 11211)


def _service(_options: MemcachedOptions) -> Service:
    return Service.DATABASES


KIND = Kind(
    name="memcached",
    options=MemcachedOptions,
    build=MemcachedCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
