"""The tools that looks share, opened and closed together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from monitor.checks.contract import Tools
from monitor.checks.policy import TargetPolicy
from monitor.clock import Clock
from monitor.prober.resolver import Resolver, ResolverSettings
from monitor.prober.transport import CurlTransport, system_ca_file


@asynccontextmanager
async def open_tools(
    settings: ResolverSettings | None,
    clock: Clock,
    *,
    policy: TargetPolicy | None = None,
    ca_file: str | None = None,
) -> AsyncIterator[Tools]:
    """Lend resolver and transport for the running loop; `ca_file` replaces the system's CA certificates for every look."""
    trusted = ca_file or system_ca_file()
    resolver, transport = Resolver(settings), CurlTransport(trusted)
    try:
        yield Tools(
            resolver=resolver,
            transport=transport,
            now=clock.now,
            ca_file=trusted,
            policy=policy or TargetPolicy(),
        )
    finally:
        await resolver.close()
        await transport.close()


class Toolbox:
    """The tools of a process, which can be exchanged while looks are under way: those go on with what they began with."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stack = AsyncExitStack()
        self._putting_away: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._putting_away:
            task.cancel()
        await asyncio.gather(*self._putting_away, return_exceptions=True)
        await self._stack.aclose()

    async def open(self, settings: ResolverSettings | None, policy: TargetPolicy, longest_s: float) -> Tools:
        """Return tools of these settings; those lent before are closed when no look can use them any more, in `longest_s` seconds."""
        before, self._stack = self._stack, AsyncExitStack()
        tools = await self._stack.enter_async_context(open_tools(settings, self._clock, policy=policy))
        task = asyncio.create_task(_put_away(before, longest_s))
        self._putting_away.add(task)
        task.add_done_callback(self._putting_away.discard)
        return tools


async def _put_away(stack: AsyncExitStack, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
    finally:
        await stack.aclose()
