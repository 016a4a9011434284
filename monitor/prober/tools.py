"""The tools that looks share, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.checks.contract import Tools
from monitor.clock import Clock
from monitor.prober.resolver import Resolver, ResolverSettings
from monitor.prober.transport import CurlTransport


@asynccontextmanager
async def open_tools(
    settings: ResolverSettings | None, clock: Clock, *, ca_file: str | None = None
) -> AsyncIterator[Tools]:
    """Lend resolver and transport for the running loop; `ca_file` replaces the system's CA certificates for every look."""
    resolver, transport = Resolver(settings), CurlTransport(ca_file)
    try:
        yield Tools(resolver=resolver, transport=transport, now=clock.now)
    finally:
        await resolver.close()
        await transport.close()
