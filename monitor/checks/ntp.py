"""Does a time server answer, is it synchronised itself, and do its clock and ours agree?"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field, model_validator

from monitor.checks.contract import (
    DEFAULT_TIMEOUT,
    Family,
    Kind,
    Look,
    Options,
    TargetFaultError,
    Tools,
)
from monitor.checks.options.durations import PositiveDuration, format_duration
from monitor.checks.options.shell import word
from monitor.checks.options.targets import FamilyName, Host, Port, at_host, bracketed
from monitor.checks.wire.connecting import fault_of, has_route, resolve
from monitor.checks.wire.sntp import SIZE, Answer, Comparison, answer_of, compared, question
from monitor.health.words import Service
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Measure, Outcome

_PORT = 123
# A datagram may get lost; three in a row seldom do.
_QUESTIONS = 3
# So many datagrams that answer nothing of ours are a flood.
_STRAY_LIMIT = 100


class NtpOptions(Options):
    """What an `ntp` check takes."""

    host: Host = Field(description="The name or address of the time server; the server's host if left out.")
    port: Port = Field(default=_PORT, description="Its UDP port.")
    offset: PositiveDuration = Field(
        default=timedelta(seconds=1),
        description="Warn when its clock and ours differ by more than this, such as 100ms.",
    )
    fail: PositiveDuration | None = Field(
        default=None,
        description="Down when they differ by more than this, such as 1m.",
    )
    stratum: int = Field(
        default=15,
        ge=1,
        le=15,
        description="Warn when it is more steps away from a reference clock than this.",
    )
    family: FamilyName = Field(default="any", description="Which addresses to use: any, ipv4 or ipv6.")

    @model_validator(mode="after")
    def _warned_first(self) -> Self:
        if self.fail is not None and self.fail < self.offset:
            raise RefusalError(
                "options.ntp.order", fail=format_duration(self.fail), offset=format_duration(self.offset)
            )
        return self


@dataclass(frozen=True, slots=True)
class NtpCheck:
    """A look that asks for the time and compares it with ours."""

    options: NtpOptions

    @property
    def target(self) -> str:
        options = self.options
        return options.host if options.port == _PORT else f"{bracketed(options.host)}:{options.port}"

    async def look(self, tools: Tools, deadline: float) -> Look:
        options = self.options
        began = time.perf_counter()
        addresses, phases = await resolve(tools, options.host, Family(options.family), deadline)
        address = next((one for one in addresses if has_route(one)), addresses[0])
        try:
            answer, comparison = await _asked(tools, address, options.port, deadline)
        except TargetFaultError as fault:
            phases["total"] = 1000 * (time.perf_counter() - began)
            fault.look = replace(fault.look, address=address, phases=phases)
            raise
        phases["first_byte"] = 1000 * comparison.round_trip
        phases["total"] = 1000 * (time.perf_counter() - began)
        return replace(judged(answer, comparison, options), address=address, phases=phases)

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        host = look.address if look is not None and look.address is not None else self.options.host
        server = f"server {host} port {self.options.port} iburst maxsamples 1"
        return f"chronyd -U -Q -t {max(1, round(timeout.total_seconds()))} {word(server)}"


def judged(answer: Answer, comparison: Comparison, options: NtpOptions) -> Look:
    """Return the verdict on an answer; address and phases are the look's to add.

    By half of the round trip the difference may be wrong: only what is beyond that counts.
    """
    if not answer.synchronised:
        found = f"tells no time: {answer.kiss}" if answer.kiss else "is not synchronised itself"
        return Look(outcome=Outcome.DOWN, cause=Cause.PROTOCOL, found=found)
    measures = (
        Measure(name="offset_seconds", value=comparison.offset, unit="seconds"),
        Measure(name="round_trip_seconds", value=comparison.round_trip, unit="seconds"),
        Measure(name="stratum", value=answer.stratum),
    )
    for allowed, outcome in ((options.fail, Outcome.DOWN), (options.offset, Outcome.WARN)):
        if allowed is not None and comparison.surely > allowed.total_seconds():
            side = "ahead of" if comparison.offset > 0 else "behind"
            found = f"its clock is {abs(comparison.offset):.3f} s {side} ours, expected within {format_duration(allowed)}"
            return Look(outcome=outcome, cause=Cause.CONTENT, found=found, measures=measures)
    if answer.stratum > options.stratum:
        found = f"stratum {answer.stratum}, expected {options.stratum} or less"
        return Look(outcome=Outcome.WARN, cause=Cause.CONTENT, found=found, measures=measures)
    return Look(outcome=Outcome.OK, measures=measures)


@dataclass(slots=True)
class _Questions:
    """A socket that only the server may speak to, and when each question was asked, by our clock and by the stopwatch."""

    socket: socket.socket
    now: Callable[[], datetime]
    asked: dict[int, tuple[datetime, float]] = field(default_factory=dict)
    strays: int = 0

    async def ask(self) -> None:
        nonce = secrets.randbits(64)
        self.asked[nonce] = (self.now(), time.perf_counter())
        await asyncio.get_running_loop().sock_sendall(self.socket, question(nonce))

    async def hear(self) -> tuple[Answer, Comparison]:
        """Return the first answer to one of our questions; everything else is passed over."""
        loop = asyncio.get_running_loop()
        while self.strays < _STRAY_LIMIT:
            data = await loop.sock_recv(self.socket, 2 * SIZE)
            arrived = time.perf_counter()
            nonce, answer = answer_of(data) or (-1, None)
            if answer is not None and nonce in self.asked:
                asked_at, began = self.asked[nonce]
                return answer, compared(answer, asked_at, arrived - began)
            self.strays += 1
        raise TargetFaultError(Cause.PROTOCOL, f"{self.strays} datagrams came, and none answers our question")


async def _asked(tools: Tools, address: str, port: int, deadline: float) -> tuple[Answer, Comparison]:
    """Ask up to three times and return the first answer; raises TargetFaultError or OwnFaultError."""
    began = asyncio.get_running_loop().time()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as opened:
            opened.connect((address, port))
            questions = _Questions(opened, tools.now)
            for turn in range(_QUESTIONS):
                await questions.ask()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(began + (deadline - began) * (turn + 1) / _QUESTIONS):
                        return await questions.hear()
    except OSError as error:
        raise fault_of(error.errno or 0, address) from error
    if questions.strays:
        raise TargetFaultError(Cause.PROTOCOL, "what came does not answer our question")
    raise TargetFaultError(Cause.TIMEOUT_FIRST_BYTE, f"no answer within {deadline - began:.1f} s")


def _short(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"host": value}
    raise RefusalError("options.short.address", found=value, kind="ntp")


def _service(_options: NtpOptions) -> Service:
    return Service.NETWORK


KIND = Kind(
    name="ntp",
    options=NtpOptions,
    build=NtpCheck,
    complete=at_host,
    short=_short,
    service=_service,
    bare=True,
)
