"""Processes that look for watch: real ones, which are killed, stopped, changed in number and left without a watch."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from monitor.checks.policy import TargetPolicy
from monitor.clock import SystemClock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets
from monitor.observation import Observation, Outcome
from monitor.prober import PER_HOST, Prober, open_tools
from monitor.scheduling import Scheduler
from monitor.station import remote
from monitor.station.crew import Crew
from monitor.station.lookout import Listener, Lookout
from monitor.station.remote import Remote
from monitor.station.wire import Open
from tests.journeys.house import ROOT, lives, wait_for
from tests.scheduling.builders import plan
from tests.servers.peers import Peer, answer, peer, silent

SECOND = timedelta(seconds=1)
OPENING = Open(resolver=None, policy=TargetPolicy(), per_host=PER_HOST)


class Bench:
    """A crew and everything that it was heard to say."""

    def __init__(self) -> None:
        self.looks: dict[CheckKey, list[Observation]] = defaultdict(list)
        self.late: list[float] = []
        self.faults: list[tuple[str, str]] = []
        self.returned: list[CheckKey] = []
        self.lost = 0
        self.remotes: list[Remote] = []
        self.crew: Crew

    def listener(self) -> Listener:
        def lost(looks: int) -> None:
            self.lost += looks

        return Listener(
            look=lambda look: self.looks[look.check].append(look),
            late=self.late.append,
            skipped=lambda _looks: None,
            dropped=lost,
            missed=lambda _job: None,
            fault=lambda part, words: self.faults.append((part, words)),
        )

    def count(self) -> int:
        return sum(map(len, self.looks.values()))

    async def replace(self, plans: Iterable[CheckPlan], probers: int, secrets: Secrets | None = None) -> None:
        wanted = {each.key: each for each in plans}
        await self.crew.replace(wanted, secrets or Secrets({}, Path()), probers)

    async def everybody_was_seen(self, plans: Iterable[CheckPlan], times: int = 1) -> None:
        before = {each.key: len(self.looks[each.key]) for each in plans}
        await until(
            lambda: all(len(self.looks[each]) >= count + times for each, count in before.items()),
            "a look of every check",
        )

    def assert_no_number_is_lost_or_doubled(self) -> None:
        for looks in self.looks.values():
            assert [look.sequence for look in looks] == list(range(1, len(looks) + 1))
            assert all(later.started_at > earlier.started_at for earlier, later in pairwise(looks))


async def until(fact: Callable[[], object], what: str) -> None:
    for _ in range(1200):
        if fact():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not come within a minute")


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    clock = SystemClock()
    listener = made.listener()
    async with open_tools(None, clock) as tools:
        prober = Prober(tools=tools, clock=clock, deliver=listener.look)
        prober.on_start = lambda _key, seconds: listener.late(seconds)
        scheduler = Scheduler(clock, prober.begin)
        scheduler.start()

        def hire(number: int, of: int) -> Remote:
            hired = Remote(
                f"prober {number + 1}",
                OPENING,
                listener=listener,
                clock=clock,
                on_return=made.returned.extend,
            )
            made.remotes.append(hired)
            return hired

        alone = Lookout(prober, scheduler, Secrets({}, Path()))
        made.crew = Crew(alone=alone, hire=hire, clock=clock, on_handed=made.returned.extend)
        try:
            yield made
        finally:
            await scheduler.stop()
            await prober.close()
            await made.crew.close()


def play(act: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with bench() as made:
            await act(made)
        await until(lambda: not outposts(), "the end of every process")

    uvloop.run(whole())


def outposts() -> list[psutil.Process]:
    """Return the living processes that look for this one."""
    children = psutil.Process().children()
    return [each for each in children if lives(each) and "monitor.station.outpost" in each.cmdline()]


def look_at(target: Peer, count: int, every: float = 1.0) -> list[CheckPlan]:
    return [
        replace(
            plan(number, every=every),
            kind="http",
            options={"url": f"http://127.0.0.1:{target.port}/{number}"},
        )
        for number in range(count)
    ]


def test_several_look_and_every_look_comes_back():
    async def act(made: Bench) -> None:
        async with peer(answer()) as target:
            plans = look_at(target, 24)
            await made.replace(plans, 3)
            await made.everybody_was_seen(plans, times=2)
            assert len(outposts()) == 3
            assert {look.outcome for looks in made.looks.values() for look in looks} == {Outcome.OK}
            assert len(made.late) >= made.count()
            assert (made.faults, made.lost) == ([], 0)
            made.assert_no_number_is_lost_or_doubled()

    play(act)


def test_checks_keep_their_rhythm_through_every_change_of_hands():
    async def act(made: Bench) -> None:
        async with peer(answer()) as target:
            plans = look_at(target, 30)
            await made.replace(plans, 1)
            await made.everybody_was_seen(plans, times=2)
            for probers in (3, 2, 4, 1, 2):
                await made.replace(plans, probers)
                await made.everybody_was_seen(plans, times=2)
                assert len(outposts()) == (0 if probers == 1 else probers)
            made.assert_no_number_is_lost_or_doubled()
            if max(made.late) < 0.2:
                # On a machine that kept up, nobody was looked at twice in a turn, nor left out of one. One look that was held
                # up makes a short gap beside a long one, so two turns are measured together.
                for looks in made.looks.values():
                    began = [look.started_at for look in looks[1:]]
                    gaps = [later - earlier for earlier, later in zip(began, began[2:], strict=False)]
                    assert min(gaps) > 1.2 * SECOND
                    assert max(gaps) < 2.8 * SECOND

    play(act)


def test_one_that_is_killed_is_replaced_and_its_checks_go_on():
    async def act(made: Bench) -> None:
        async with peer(answer()) as target:
            plans = look_at(target, 20)
            await made.replace(plans, 2)
            await made.everybody_was_seen(plans, times=2)
            made.returned.clear()
            before = outposts()
            before[0].kill()
            await until(lambda: made.faults and len(outposts()) == 2, "another process")
            await made.everybody_was_seen(plans, times=3)
            assert made.faults == [("prober", made.faults[0][1])]
            assert 0 < len(made.returned) < 20
            assert before[1] in outposts()
            made.assert_no_number_is_lost_or_doubled()
            assert made.lost == 0

    play(act)


def test_one_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "SILENT_S", 3)

    async def act(made: Bench) -> None:
        async with peer(answer()) as target:
            plans = look_at(target, 20)
            await made.replace(plans, 2)
            await made.everybody_was_seen(plans)
            hanging = outposts()[0]
            hanging.send_signal(signal.SIGSTOP)
            await until(lambda: made.faults and len(outposts()) == 2, "another process")
            assert not lives(hanging)
            await made.everybody_was_seen(plans, times=2)
            made.assert_no_number_is_lost_or_doubled()

    play(act)


def test_a_terminal_that_hangs_up_or_interrupts_ends_no_outpost():
    async def act(made: Bench) -> None:
        async with peer(answer()) as target:
            plans = look_at(target, 10)
            await made.replace(plans, 2)
            await made.everybody_was_seen(plans)
            for process in outposts():
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGHUP)
            await made.everybody_was_seen(plans, times=2)
            assert made.faults == []

    play(act)


def test_a_clean_end_loses_no_look_that_has_ended():
    async def act(made: Bench) -> None:
        asked: list[float] = []

        async def counts(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answer()(found, reader, writer)
            asked.append(asyncio.get_running_loop().time())

        async with peer(counts) as target:
            plans = look_at(target, 100)
            await made.replace(plans, 2)
            await made.everybody_was_seen(plans)
            await made.crew.close()
            closed = asyncio.get_running_loop().time()
            assert outposts() == []
            # Of what was asked in the very last moment a look may have been under way, which is dropped.
            assert made.count() >= sum(moment < closed - 2 for moment in asked)
            assert made.count() <= len(asked)
            made.assert_no_number_is_lost_or_doubled()

    play(act)


def test_a_look_that_is_under_way_does_not_hold_up_the_end():
    async def act(made: Bench) -> None:
        async with peer(silent) as target:
            plans = [replace(each, timeout=timedelta(minutes=5)) for each in look_at(target, 4)]
            await made.replace(plans, 2)
            await until(lambda: len(made.late) == 4, "the looks")
            async with asyncio.timeout(60):
                await made.crew.close()
            assert made.count() == 0

    play(act)


def test_secrets_go_along_and_stay_secret(tmp_path: Path):
    async def act(made: Bench) -> None:
        async with peer(answer(404, b"the token is s3cr3t-t0k3n")) as target:
            watched = look_at(target, 1)[0]
            options = {**watched.options, "headers": {"X-Token": "${TOKEN}", "X-Key": "file:key"}}
            watched = replace(watched, options=options)
            (tmp_path / "key").write_text("k3y-0f-a-f1l3\n")
            secrets = Secrets({"TOKEN": "s3cr3t-t0k3n", "OTHER": "never used"}, tmp_path)
            secrets.fill("${TOKEN}")
            secrets.fill("file:key")
            await made.replace([watched], 2, secrets)
            await made.everybody_was_seen([watched])
            look = made.looks[watched.key][0]
            assert b"X-Token: s3cr3t-t0k3n" in target.asked[0]
            assert b"X-Key: k3y-0f-a-f1l3" in target.asked[0]
            assert "s3cr3t" not in repr(look)
            assert "${TOKEN}" in look.excerpt
            for process in outposts():
                assert "s3cr3t" not in " ".join(process.cmdline())
                assert "s3cr3t" not in " ".join(process.environ().values())
            changed = Secrets({"TOKEN": "another-one"}, tmp_path)
            changed.fill("${TOKEN}")
            changed.fill("file:key")
            await made.replace([watched], 2, changed)
            await until(lambda: b"X-Token: another-one" in target.asked[-1], "the new secret")

    play(act)


WATCH = """
import asyncio, sys
from monitor.clock import SystemClock
from monitor.station.lookout import Listener
from monitor.station.remote import Remote
from tests.station.test_outposts import OPENING

async def main():
    nothing = lambda *_: None
    listener = Listener(look=nothing, late=nothing, skipped=nothing, dropped=nothing, missed=nothing, fault=nothing)
    for number in range(2):
        Remote(str(number), OPENING, listener=listener, clock=SystemClock(), on_return=nothing)
    await asyncio.sleep(1)
    print("here", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_outpost_survives_a_watch_that_is_killed():
    watch = subprocess.Popen(
        [sys.executable, "-c", WATCH],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == b"here\n"
        children = wait_for(
            lambda: each if len(each := psutil.Process(watch.pid).children()) == 2 else None,
            what="two outposts",
        )
        watch.kill()
        watch.wait(20)
        wait_for(lambda: not any(map(lives, children)), what="the end of both")
    finally:
        watch.kill()
        watch.wait(20)
        if watch.stdout is not None:
            watch.stdout.close()


def test_an_outpost_that_nobody_gives_orders_to_ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outpost = subprocess.Popen(
            [sys.executable, "-m", "monitor.station.outpost", str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
            cwd=ROOT,
        )
        theirs.close()
        ours.close()
        assert outpost.wait(60) == 0
