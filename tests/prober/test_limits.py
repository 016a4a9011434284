"""One timer ends every look that does not end by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
import uvloop

from monitor.prober.limits import Limits, OverdueError


async def for_ever() -> str:
    await asyncio.Event().wait()
    return "never"


async def at_once() -> str:
    return "done"


async def ended(limits: Limits, doing: Awaitable[str], seconds: float) -> str:
    try:
        return await limits.hold(doing, asyncio.get_running_loop().time() + seconds)
    except OverdueError:
        return f"overdue after {seconds}"


def test_each_is_ended_at_its_own_moment_whatever_came_before() -> None:
    async def main() -> list[str]:
        limits, order = Limits(), []

        async def noted(doing: Awaitable[str], seconds: float) -> None:
            order.append(await ended(limits, doing, seconds))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for seconds in (0.3, 0.1, 0.2, 0.0):
                group.create_task(noted(for_ever(), seconds))
            group.create_task(noted(at_once(), 0.05))
        return order

    assert uvloop.run(main()) == [
        "done",
        "overdue after 0.0",
        "overdue after 0.1",
        "overdue after 0.2",
        "overdue after 0.3",
    ]


def test_one_that_was_ended_goes_on_with_the_next() -> None:
    async def main() -> list[str]:
        limits = Limits()
        async with asyncio.timeout(60):
            return [await ended(limits, doing, 0.05) for doing in (for_ever(), at_once(), for_ever())]

    assert uvloop.run(main()) == ["overdue after 0.05", "done", "overdue after 0.05"]


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def main() -> None:
        task = asyncio.create_task(ended(Limits(), for_ever(), 60))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        uvloop.run(main())


def test_an_error_of_what_is_done_is_its_own() -> None:
    async def wrong() -> str:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        uvloop.run(ended(Limits(), wrong(), 60))
