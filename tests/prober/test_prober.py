"""The prober around a look: one at a time, bounded, and never a fault of ours counted against a target."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import DEFAULT_TIMEOUT, Check, Look, OwnFaultError, TargetFaultError, Tools
from monitor.clock import SystemClock
from monitor.fleet.fleet import CheckPlan
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import Prober, open_tools
from monitor.prober.prober import clean
from tests.servers import peers
from tests.servers.looking import looker, plan_of


@dataclass(slots=True)
class Scripted:
    """A check that does what a test tells it, and remembers how many of it ran at once."""

    act: Callable[[float], Coroutine[Any, Any, Look]]
    line: str = "true"
    now: int = 0
    most: int = 0
    looks: int = 0

    @property
    def target(self) -> str:
        return "scripted"

    async def look(self, tools: Tools, deadline: float) -> Look:
        self.now, self.looks = self.now + 1, self.looks + 1
        self.most = max(self.most, self.now)
        try:
            return await self.act(deadline)
        finally:
            self.now -= 1

    def reproduce(self, look: Look | None = None, timeout: timedelta = DEFAULT_TIMEOUT) -> str:
        return self.line


async def fine(_deadline: float) -> Look:
    return Look(outcome=Outcome.OK)


def raising(error: Exception) -> Callable[[float], Coroutine[Any, Any, Look]]:
    async def act(_deadline: float) -> Look:
        raise error

    return act


def plan(name: str, seconds: float = 5.0, server: str = "gye1") -> CheckPlan:
    made = plan_of("tcp", {"port": 1}, seconds, name)
    return replace(made, key=CheckKey(ServerId(server), name))


@dataclass(slots=True)
class Bench:
    """A prober and what it delivered."""

    prober: Prober
    delivered: list[Observation] = field(default_factory=list)

    def install(self, *checks: tuple[CheckPlan, Check]) -> None:
        self.prober.replace({made.key: (made, check) for made, check in checks})

    def begin(self, key: CheckKey) -> bool:
        return self.prober.begin(key, SystemClock().monotonic())

    async def settled(self) -> None:
        await settled(self.prober)


async def settled(prober: Prober) -> None:
    """Wait until no look is under way."""
    async with asyncio.timeout(60):
        while prober.running:  # noqa: ASYNC110 - the prober announces observations, not silence
            await asyncio.sleep(0.005)


def with_prober(use: Callable[[Bench], Coroutine[Any, Any, None]], **limits: int) -> None:
    async def main() -> None:
        clock = SystemClock()
        async with open_tools(None, clock) as tools:
            delivered: list[Observation] = []
            prober = Prober(tools=tools, clock=clock, deliver=delivered.append, **limits)
            try:
                await use(Bench(prober, delivered))
            finally:
                await prober.close()

    uvloop.run(main())


def observe(check: Check, seconds: float = 5.0) -> Observation:
    found: list[Observation] = []

    async def use(bench: Bench) -> None:
        found.append(await bench.prober.look_once(plan("one", seconds), check))

    with_prober(use)
    return found[0]


@pytest.mark.parametrize(
    ("error", "outcome", "cause", "found"),
    [
        (TargetFaultError(Cause.RESET, "cut off"), Outcome.DOWN, Cause.RESET, "cut off"),
        (OwnFaultError(Cause.RIGHTS, "may not"), Outcome.UNKNOWN, Cause.RIGHTS, "may not"),
        (ValueError("token hunter2"), Outcome.UNKNOWN, Cause.OWN, "ValueError in test_prober.py:"),
        (OSError(24, "Too many open files"), Outcome.UNKNOWN, Cause.OWN, "OSError: Too many open files in "),
        (
            PermissionError(1, "Operation not permitted"),
            Outcome.UNKNOWN,
            Cause.RIGHTS,
            "PermissionError: Operation not",
        ),
        (TimeoutError(), Outcome.UNKNOWN, Cause.OWN, "TimeoutError: no reason given in "),
    ],
)
def test_trouble_at_the_target_is_told_from_our_own(
    error: Exception, outcome: Outcome, cause: Cause, found: str
) -> None:
    seen = observe(Scripted(raising(error)))
    assert (seen.outcome, seen.cause, seen.found[: len(found)]) == (outcome, cause, found)
    assert "hunter2" not in seen.found


def test_a_look_that_does_not_end_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def for_ever(_deadline: float) -> Look:
        await asyncio.Event().wait()
        raise AssertionError

    seen = observe(Scripted(for_ever), seconds=0.2)
    assert (seen.outcome, seen.cause, seen.found) == (
        Outcome.DOWN,
        Cause.TIMEOUT_TOTAL,
        "not done within 0.2 s",
    )
    assert caplog.records == []


def test_a_look_during_which_our_loop_stood_still_says_nothing() -> None:
    """The loop is held for real: a peer that seemed slow was only read late."""

    async def held(_deadline: float) -> Look:
        blocked = asyncio.Event()
        asyncio.get_running_loop().call_soon(hold, 5.6)
        asyncio.get_running_loop().call_later(0.1, blocked.set)
        await blocked.wait()
        return Look(outcome=Outcome.DOWN, cause=Cause.TIMEOUT_TOTAL)

    seen = observe(Scripted(held), seconds=30)
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
    assert "stood still" in seen.found


def test_a_look_that_had_half_of_its_time_taken_by_us_did_not_run_out_of_it() -> None:
    async def cut_short(_deadline: float) -> Look:
        blocked = asyncio.Event()
        asyncio.get_running_loop().call_soon(hold, 1.6)
        asyncio.get_running_loop().call_later(0.1, blocked.set)
        await blocked.wait()
        return Look(outcome=Outcome.DOWN, cause=Cause.TIMEOUT_CONNECT)

    async def refused(_deadline: float) -> Look:
        await cut_short(_deadline)
        return Look(outcome=Outcome.DOWN, cause=Cause.REFUSED)

    assert observe(Scripted(cut_short), seconds=2).outcome is Outcome.UNKNOWN
    assert observe(Scripted(refused), seconds=2).outcome is Outcome.DOWN


def hold(seconds: float) -> None:
    """Block the loop's thread, as a stalled disk or a starved machine would."""
    threading.Event().wait(seconds)


def test_only_a_look_that_is_not_ok_carries_its_line_and_its_excerpt() -> None:
    async def bad(_deadline: float) -> Look:
        return Look(outcome=Outcome.DOWN, cause=Cause.STATUS, excerpt="secret plan")

    async def good(_deadline: float) -> Look:
        return Look(outcome=Outcome.OK, excerpt="hello")

    assert (observe(Scripted(bad)).reproduce, observe(Scripted(bad)).excerpt) == ("true", "secret plan")
    assert (observe(Scripted(good)).reproduce, observe(Scripted(good)).excerpt) == ("", "")


def test_evidence_is_bounded_and_clean() -> None:
    async def bad(_deadline: float) -> Look:
        return Look(
            outcome=Outcome.DOWN,
            cause=Cause.STATUS,
            found="a\x1b\n" * 500,
            excerpt="ñ\ud800\x00\u202e\n" * 5000,
        )

    seen = observe(Scripted(bad))
    assert (len(seen.found), len(seen.excerpt)) == (200, 2000)
    assert seen.found.startswith("a a a ")
    assert seen.excerpt.startswith("ñ\nñ\n")
    assert seen.excerpt.encode()


def test_cleaning_keeps_words_of_every_language() -> None:
    assert clean("añadir\t日本 🙂\n", 100) == "añadir\t日本 🙂\n"


def test_a_check_never_runs_twice_at_once() -> None:
    async def use(bench: Bench) -> None:
        release = asyncio.Event()

        async def waits(_deadline: float) -> Look:
            await release.wait()
            return Look(outcome=Outcome.OK)

        check, one = Scripted(waits), plan("one")
        bench.install((one, check))
        assert bench.begin(one.key)
        assert not bench.begin(one.key)
        assert bench.prober.skipped == 1
        release.set()
        await bench.settled()
        assert bench.begin(one.key)
        await bench.settled()
        assert [seen.sequence for seen in bench.delivered] == [1, 2]

    with_prober(use)


def test_a_check_that_nobody_knows_does_not_begin() -> None:
    async def use(bench: Bench) -> None:
        assert not bench.begin(plan("gone").key)
        assert bench.prober.skipped == 0

    with_prober(use)


@pytest.mark.parametrize(
    ("limits", "servers", "most"),
    [({"concurrency": 3}, ["a", "b", "c", "d", "e", "f"], 3), ({"per_host": 2}, ["a"] * 6, 2)],
)
def test_looks_wait_for_their_turn_and_that_wait_is_lateness(
    limits: dict[str, int], servers: list[str], most: int
) -> None:
    async def use(bench: Bench) -> None:
        async def works(_deadline: float) -> Look:
            await asyncio.sleep(0.02)
            return Look(outcome=Outcome.OK)

        check = Scripted(works)
        plans = [plan(f"check{number}", server=server) for number, server in enumerate(servers)]
        late: dict[CheckKey, float] = {}
        bench.prober.on_start = late.__setitem__
        bench.install(*((made, check) for made in plans))
        assert all(bench.begin(made.key) for made in plans)
        await bench.settled()
        assert (check.most, check.looks, len(bench.delivered)) == (most, 6, 6)
        assert late[plans[-1].key] > late[plans[0].key]

    with_prober(use, **limits)


def test_a_new_inventory_drops_looks_of_checks_that_vanished_or_changed_and_keeps_the_rest() -> None:
    async def use(bench: Bench) -> None:
        release = asyncio.Event()

        async def waits(_deadline: float) -> Look:
            await release.wait()
            return Look(outcome=Outcome.OK)

        stays, changes, vanishes = plan("stays"), plan("changes"), plan("vanishes")
        check = Scripted(waits)
        bench.install((stays, check), (changes, check), (vanishes, check))
        for made in (stays, changes, vanishes):
            bench.begin(made.key)
        await asyncio.sleep(0)
        bench.install((stays, Scripted(fine)), (replace(changes, options={"port": 2}), Scripted(fine)))
        assert not bench.begin(stays.key)
        assert bench.begin(changes.key)
        release.set()
        await bench.settled()
        assert sorted(seen.check.check for seen in bench.delivered) == ["changes", "stays"]

    with_prober(use)


def test_an_observation_that_cannot_be_delivered_does_not_stop_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> int:
        clock = SystemClock()

        def full(_observation: Observation) -> None:
            raise RuntimeError("full")

        async with open_tools(None, clock) as tools:
            prober = Prober(tools=tools, clock=clock, deliver=full)
            check, one = Scripted(fine), plan("one")
            prober.replace({one.key: (one, check)})
            for _ in range(2):
                assert prober.begin(one.key, clock.monotonic())
                await settled(prober)
            await prober.close()
            return check.looks

    assert uvloop.run(main()) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_no_free_descriptor_is_our_own_trouble(tmp_path: Path) -> None:
    """The limit of this process is lowered for real to what is open now."""

    async def main() -> list[Observation]:
        async with peers.peer(peers.answer()) as found, looker(tmp_path) as looking:
            # What both kinds need is read while files can be opened.
            await looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"})
            await looking.look("tcp", {"port": found.port})
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                return [
                    await looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"}),
                    await looking.look("tcp", {"port": found.port}),
                ]
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    for seen in uvloop.run(main()):
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN), seen
        assert "ulimit -n" in seen.found


def test_two_hundred_hostile_peers_do_not_delay_a_healthy_look(tmp_path: Path) -> None:
    async def main() -> tuple[list[Observation], list[Observation]]:
        behaviours = [peers.drips_head, peers.drips_body, peers.silent, peers.resets, peers.hangs_up]
        async with (
            peers.peer(peers.answer()) as good,
            peers.peer(behaviours[0]) as a,
            peers.peer(behaviours[1]) as b,
            peers.peer(behaviours[2]) as c,
            peers.peer(behaviours[3]) as d,
            peers.peer(behaviours[4]) as e,
            looker(tmp_path) as looking,
        ):
            hostile = [
                asyncio.create_task(
                    looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"}, seconds=2)
                )
                for found in (a, b, c, d, e) * 40
            ]
            healthy = [
                await looking.look("http", {"url": f"http://127.0.0.1:{good.port}/"}, seconds=20)
                for _ in range(20)
            ]
            return healthy, await asyncio.gather(*hostile)

    healthy, hostile = uvloop.run(main())
    assert {seen.outcome for seen in healthy} == {Outcome.OK}
    assert {seen.outcome for seen in hostile} == {Outcome.DOWN}
    assert {seen.cause for seen in hostile} == {Cause.TIMEOUT_FIRST_BYTE, Cause.TIMEOUT_TOTAL, Cause.RESET}
