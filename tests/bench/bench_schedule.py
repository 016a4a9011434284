"""What it costs to begin looks, and how late they begin, at 10,000 and at 50,000 checks."""

from __future__ import annotations

import asyncio
import resource
from datetime import timedelta

import uvloop

from monitor.clock import SystemClock
from monitor.fleet import CheckPlan
from monitor.health.state import Attempts, Policy
from monitor.identifiers import CheckKey, ServerId
from monitor.scheduling import Scheduler
from monitor.scheduling.rhythm import first_round

EVERY = timedelta(seconds=30)
SECONDS = 15
RETRY = Attempts(attempts=3, retry=timedelta(seconds=15))


def plans(count: int) -> list[CheckPlan]:
    return [
        CheckPlan(
            key=CheckKey(ServerId(f"server{number // 10}"), f"check{number % 10}"),
            kind="tcp",
            options={},
            every=EVERY,
            timeout=timedelta(seconds=10),
            policy=Policy(confirm=RETRY, recover=RETRY),
        )
        for number in range(count)
    ]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(count: int) -> None:
    clock = SystemClock()
    late: list[float] = []
    fleet = plans(count)
    scheduler = Scheduler(clock, lambda _, due: late.append(clock.monotonic() - due))
    before = cpu()
    scheduler.replace(fleet)
    scheduler.start()
    started = cpu() - before
    # The grid of every check has begun half an interval after the first round.
    await asyncio.sleep((first_round(EVERY, count) + EVERY / 2).total_seconds())
    late.clear()
    before = cpu()
    await asyncio.sleep(SECONDS)
    used = cpu() - before
    await scheduler.stop()
    late.sort()
    print(
        f"{count:>7,} checks every {EVERY.seconds} s: {len(late) / SECONDS:7,.0f} looks/s, "
        f"{used / len(late) * 1e6:5.1f} ms CPU per 1,000, {used / SECONDS:6.2%} of a core, start {started * 1000:5.0f} ms CPU, "
        f"late p50 {late[len(late) // 2] * 1000:5.1f} ms, p99 {late[int(len(late) * 0.99)] * 1000:6.1f} ms, max {late[-1] * 1000:6.1f} ms"
    )


if __name__ == "__main__":
    for amount in (10_000, 50_000):
        uvloop.run(measure(amount))
