"""The filter in front of the recorder, with real sentinels on loopback: what counts against a target, and what against us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from monitor.checks import KINDS
from monitor.clock import SystemClock
from monitor.health.view import AddressFamily, View
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import Resolver, ResolverSettings, Sentinel, Sentinels, open_tools
from monitor.station.outlook import Outlook, is_loopback

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def look(
    word: str, name: str = "gye1", sequence: int = 1, address: str | None = "127.0.0.9", took_ms: float = 1.0
) -> Observation:
    outcome, cause = {
        "ok": (Outcome.OK, None),
        "down": (Outcome.DOWN, Cause.REFUSED),
        "name": (Outcome.DOWN, Cause.NAME),
        "slow": (Outcome.WARN, Cause.SLOW),
        "own": (Outcome.UNKNOWN, Cause.OWN),
    }[word]
    return Observation(
        check=CheckKey(ServerId(name), "http"),
        started_at=NOON,
        took_ms=took_ms,
        outcome=outcome,
        cause=cause,
        found=word,
        address=address,
        sequence=sequence,
    )


class Target:
    """A TCP server that counts who came, and can be taken away and brought back."""

    def __init__(self) -> None:
        self.port = 0
        self.visits = 0
        self._server: asyncio.Server | None = None

    async def rise(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def fall(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


@dataclass
class Scene:
    """An outlook at work, what it handed on, and its sentinels."""

    outlook: Outlook
    targets: list[Target]
    handed: list[Observation] = field(default_factory=list)
    again: list[CheckKey] = field(default_factory=list)

    async def until(self, fact: Callable[[], object], what: str) -> None:
        for _ in range(1200):
            if fact():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{what} did not come within a minute")

    async def seen(self, *looks: Observation) -> list[Observation]:
        """Put looks and return what was handed on of them."""
        before = len(self.handed)
        for one in looks:
            self.outlook.put(one)
        await self.until(lambda: len(self.handed) >= before + len(looks), "the looks")
        return self.handed[before:]


@asynccontextmanager
async def outlooks(
    count: int = 3, *, is_near: Callable[[str], bool] = lambda _address: False
) -> AsyncIterator[Scene]:
    clock = SystemClock()
    targets = [Target() for _ in range(count)]
    for target in targets:
        await target.rise()
    handed: list[Observation] = []
    again: list[CheckKey] = []
    outlook = Outlook(clock, hand=handed.append, look_again=again.extend, is_near=is_near)
    async with open_tools(ResolverSettings(servers=("127.0.0.1:1",)), clock) as tools:
        kind = KINDS["tcp"]
        sentinels = [
            Sentinel(
                address="127.0.0.1",
                check=kind.build(kind.options.model_validate({"host": "127.0.0.1", "port": target.port})),
            )
            for target in targets
        ]
        outlook.use(Sentinels(sentinels, tools, clock, outlook.lag), None, asks_resolver=False)
        running = asyncio.create_task(outlook.run())
        try:
            yield Scene(outlook, targets, handed, again)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            for target in targets:
                await target.fall()


def play(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop.run(act())


def test_a_failing_look_counts_when_every_sentinel_answers():
    async def act() -> None:
        async with outlooks() as scene:
            down, slow = await scene.seen(look("down"), look("slow", "uio1"))
            assert (down, slow) == (look("down"), look("slow", "uio1"))

    play(act)


def test_five_hundred_failing_looks_cost_a_few_rounds():
    async def act() -> None:
        async with outlooks() as scene:
            looks = [look("down", f"server-{number}") for number in range(500)]
            assert await scene.seen(*looks) == looks
            assert max(target.visits for target in scene.targets) <= 4

    play(act)


def test_when_no_sentinel_answers_what_fails_is_ours_and_what_is_seen_is_seen():
    async def act() -> None:
        async with outlooks() as scene:
            for target in scene.targets:
                await target.fall()
            well = look("ok", "uio1")
            scene.outlook.put(well)
            assert scene.handed == [well], "what we can see waits for nobody"
            for word, address in (("down", "127.0.0.9"), ("name", None)):
                [seen] = await scene.seen(look(word, address=address))
                assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.ISOLATED)
                assert word in seen.found
            [own] = await scene.seen(look("own", "own1", address=None))
            assert own.cause is Cause.ISOLATED

    play(act)


def test_one_silent_sentinel_of_three_makes_a_look_doubtful():
    async def act() -> None:
        async with outlooks() as scene:
            await scene.targets[0].fall()
            [seen] = await scene.seen(look("down"))
            assert (seen.outcome, seen.doubtful) == (Outcome.DOWN, True)
            newest = scene.outlook.newest
            assert newest is not None
            assert newest.views == {AddressFamily.IPV4: View.DOUBTFUL}

    play(act)


def test_a_target_on_this_very_machine_is_never_hidden():
    async def act() -> None:
        async with outlooks(is_near=is_loopback) as scene:
            for target in scene.targets:
                await target.fall()
            scene.outlook.put(look("down"))
            assert scene.handed == [look("down")]

    play(act)


def test_a_family_without_sentinels_is_never_hidden():
    async def act() -> None:
        async with outlooks() as scene:
            for target in scene.targets:
                await target.fall()
            [seen] = await scene.seen(look("down", address="2001:db8::1"))
            assert seen.outcome is Outcome.DOWN

    play(act)


def test_without_sentinels_nothing_waits():
    async def act() -> None:
        async with outlooks(0) as scene:
            scene.outlook.put(look("down"))
            assert scene.handed == [look("down")]
            assert scene.outlook.insight.blocked == {}

    play(act)


def test_looks_at_one_check_keep_their_order():
    async def act() -> None:
        async with outlooks() as scene:
            looks = [look("down", sequence=1), look("ok", sequence=2), look("down", sequence=3)]
            assert [one.sequence for one in await scene.seen(*looks)] == [1, 2, 3]

    play(act)


def test_a_look_that_began_while_our_view_was_blocked_says_nothing_even_if_it_ended_later():
    async def act() -> None:
        async with outlooks(1) as scene:
            await scene.targets[0].fall()
            await scene.seen(look("down", "first"))
            hidden = scene.outlook.newest
            assert hidden is not None
            await scene.targets[0].rise()
            age = 1000 * (SystemClock().monotonic() - hidden.began)
            [seen] = await scene.seen(look("down", took_ms=age / 2))
            assert seen.cause is Cause.ISOLATED
            await scene.until(lambda: len(scene.again) == 2, "the wish to look again")

    play(act)


def test_a_blocked_view_becomes_a_fact_and_ends_as_one():
    async def act() -> None:
        async with outlooks(2) as scene:
            family = AddressFamily.IPV4
            await scene.until(
                lambda: scene.outlook.insight.blocked[family].holds is False, "a clear view at first"
            )
            for target in scene.targets:
                await target.fall()
            [seen] = await scene.seen(look("down"))
            assert seen.cause is Cause.ISOLATED
            await scene.until(lambda: scene.outlook.insight.is_blocked, "the fact")
            fact = scene.outlook.insight.blocked[family]
            assert str(scene.targets[0].port) in fact.found
            assert scene.again == []
            await scene.targets[0].rise()
            await scene.until(lambda: not scene.outlook.insight.is_blocked, "its end")
            over = scene.outlook.insight.blocked[family]
            assert (over.holds, over.before) == (False, fact.since)
            assert scene.again == [CheckKey(ServerId("gye1"), "http")]

    play(act)


def test_no_look_is_lost_at_the_end():
    async def act() -> None:
        clock, handed = SystemClock(), list[Observation]()
        outlook = Outlook(clock, hand=handed.append, look_again=lambda _keys: None, is_near=lambda _a: False)
        target = Target()
        await target.rise()
        async with open_tools(None, clock) as tools:
            kind = KINDS["tcp"]
            check = kind.build(kind.options.model_validate({"host": "127.0.0.1", "port": target.port}))
            outlook.use(
                Sentinels([Sentinel(address="127.0.0.1", check=check)], tools, clock, outlook.lag),
                None,
                asks_resolver=False,
            )
            outlook.put(look("down"))
            assert handed == []
            await outlook.finish()
            assert handed == [look("down")]
        await target.fall()

    play(act)


@pytest.mark.parametrize("reference", ["reference.test", None])
def test_name_servers_that_answer_nobody_become_a_fact(reference: str | None):
    async def act() -> None:
        outlook = Outlook(SystemClock(), hand=lambda _look: None, look_again=lambda _keys: None)
        async with open_tools(None, SystemClock()) as tools:
            resolver = Resolver(ResolverSettings(servers=("127.0.0.1:1",), reference=reference))
            outlook.use(Sentinels((), tools, SystemClock(), outlook.lag), resolver, asks_resolver=True)
            running = asyncio.create_task(outlook.run())
            for _ in range(1200):
                if outlook.insight.resolver.holds:
                    break
                await asyncio.sleep(0.05)
            assert outlook.insight.resolver.holds
            assert "127.0.0.1:1" in outlook.insight.resolver.found
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    play(act)
