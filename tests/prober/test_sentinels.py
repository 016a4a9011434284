"""One round of sentinels: all at once, each within its time, and only those count that could be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import DEFAULT_TIMEOUT, Look, OwnFaultError, TargetFaultError, Tools
from monitor.clock import SystemClock
from monitor.health.view import AddressFamily, Tally, View
from monitor.observation import Cause, Outcome
from monitor.prober import Round, Sentinel, Sentinels, open_tools
from monitor.prober.lag import LagWatch

Answer = Callable[[], Coroutine[Any, Any, Look]]


@dataclass(frozen=True)
class Scripted:
    """A check that answers as it is told."""

    answer: Answer
    target: str = "192.0.2.1:53"

    async def look(self, tools: Tools, deadline: float) -> Look:
        return await self.answer()

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        return ""


async def fine() -> Look:
    return Look(outcome=Outcome.OK)


async def warns() -> Look:
    return Look(outcome=Outcome.WARN, cause=Cause.LOSS, found="1 of 2 echoes came back")


async def refuses() -> Look:
    raise TargetFaultError(Cause.REFUSED, "the connection was refused")


async def is_silent() -> Look:
    await asyncio.sleep(3600)
    return await fine()


async def cannot() -> Look:
    raise OwnFaultError(Cause.RIGHTS, "this user may not send ICMP")


async def breaks() -> Look:
    raise ZeroDivisionError


def look(*answers: Answer, address: str = "127.0.0.1") -> Round:
    async def act() -> Round:
        lag = LagWatch()
        async with open_tools(None, SystemClock()) as tools:
            sentinels = [Sentinel(address=address, check=Scripted(answer)) for answer in answers]
            return await Sentinels(sentinels, tools, SystemClock(), lag).look()

    return uvloop.run(act())


@pytest.mark.parametrize(
    ("answers", "tally"),
    [
        ((fine, warns), Tally(answered=2, asked=2)),
        ((fine, refuses, is_silent, is_silent), Tally(answered=1, asked=4)),
        ((refuses, is_silent), Tally(answered=0, asked=2)),
        # What we could not ask by a fault of our own says nothing about the network.
        ((cannot, breaks), Tally(answered=0, asked=0)),
        ((cannot, refuses), Tally(answered=0, asked=1)),
    ],
)
def test_a_round_counts_who_answered_of_those_who_could_be_asked(answers: tuple[Answer, ...], tally: Tally):
    assert look(*answers).tallies == {AddressFamily.IPV4: tally}


def test_a_round_says_who_kept_silent_and_why():
    made = look(fine, refuses, is_silent)
    assert made.views == {AddressFamily.IPV4: View.DOUBTFUL}
    assert made.found == {
        AddressFamily.IPV4: "192.0.2.1:53 (the connection was refused), 192.0.2.1:53 (no answer within 2 s)"
    }


def test_a_sentinel_speaks_for_the_family_of_its_address():
    assert look(fine, address="::1").tallies == {AddressFamily.IPV6: Tally(answered=1, asked=1)}


def test_no_sentinels_say_nothing():
    assert look().views == {}
