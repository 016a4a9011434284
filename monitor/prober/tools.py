"""The tools that looks share, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
