"""Looks at mail servers for the tests of the kinds that speak to them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import uvloop

from monitor.observation import Observation
from tests.servers import peers
from tests.servers.looking import NO_SECRETS, TestSecrets, looker


def look(
    folder: Path,
    kind: str,
    options: dict[str, Any],
    *,
    ca: Path | None = None,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    """Return what a look at a server that runs already saw."""

    async def main() -> Observation:
        async with looker(folder, ca) as looking:
            return await looking.look(kind, options, seconds=seconds, secrets=secrets)

    return uvloop.run(main())


def look_at_peer(
    folder: Path, kind: str, behave: peers.Behaviour, *, ca: Path | None = None, **more: Any
) -> tuple[Observation, peers.Peer]:
    """Return what a look at a peer saw, and the peer; `tls`, `seconds` and `secrets` are not options of the check."""
    tls, seconds = more.pop("context", None), more.pop("seconds", 30.0)
    secrets = more.pop("secrets", NO_SECRETS)

    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(behave, tls=tls) as found, looker(folder, ca) as looking:
            options = {"host": "ok.test", "port": found.port, **more}
            return await looking.look(kind, options, seconds=seconds, secrets=secrets), found

    return uvloop.run(main())


def timed(
    folder: Path, kind: str, behave: peers.Behaviour, seconds: float, **more: Any
) -> tuple[Observation, float]:
    """Return what a look with so many seconds saw and by how many seconds it overran them."""

    async def main() -> tuple[Observation, float]:
        async with peers.peer(behave) as found, looker(folder) as looking:
            began = time.perf_counter()
            seen = await looking.look(kind, {"port": found.port, **more}, seconds=seconds)
            return seen, time.perf_counter() - began - seconds

    return uvloop.run(main())


def repeated(line: str) -> int:
    """Run a line that repeats a look; return its exit status."""
    run = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=90, check=False)
    return run.returncode
