"""A program for the test of real clock steps: tells each look, each run of a job and each moment on standard output."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from monitor.clock import SystemClock
from monitor.scheduling import Scheduler
from tests.scheduling.builders import plan


async def main() -> None:
    clock = SystemClock()

    def tell(what: str) -> None:
        sys.stdout.write(f"{what} {clock.monotonic()} {clock.now():%Y}\n")
        sys.stdout.flush()

    scheduler = Scheduler(clock, lambda key, _: tell(f"look:{key}"), lambda fault: tell(f"fault:{fault}"))
    scheduler.replace([plan(number, every=1) for number in range(3)])
    scheduler.every("job", timedelta(milliseconds=200), lambda: tell("job"))
    scheduler.start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await scheduler.stop()


asyncio.run(main())
