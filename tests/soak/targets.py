"""Targets of every kind of behaviour in processes of their own: `python -m tests.soak.targets peers|names FOLDER`.

Prints one line of JSON with the port of each, by its name, and serves until standard input ends. The name server stands apart: peers that send
megabytes would make its answers late.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from tests.servers import peers
from tests.servers.certificates import make_certificates, wall_time
from tests.servers.name_server import SILENT, Zone, name_server

PLAIN: dict[str, peers.Behaviour] = {
    "fine": peers.answer(),
    "missing": peers.answer(404, b"not here"),
    "broken": peers.answer(500, b"broken"),
    "late": peers.late(0.02, peers.answer()),
    "hangs up": peers.hangs_up,
    "resets": peers.resets,
    "short": peers.short_body,
    "other": peers.other_protocol,
    "old": peers.no_head,
    "huge": peers.huge_line,
    "cookies": peers.many_cookies,
    "silent": peers.silent,
    "drips": peers.drips_head,
}
SECURED = ("good", "expired", "not yet", "other name", "ending", "stranger", "self-signed")
ZONE = {"named.test": ("127.0.0.1",), "broken.test": "SERVFAIL", "never.test": SILENT}


async def serve(what: str, folder: Path) -> None:
    """Serve until nobody holds our standard input any more."""
    async with AsyncExitStack() as stack:
        ports = await (_names(stack) if what == "names" else _peers(stack, folder))
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _names(stack: AsyncExitStack) -> dict[str, int]:
    zone = await stack.enter_async_context(name_server(Zone(names=dict(ZONE))))
    return {"names": zone.port}


async def _peers(stack: AsyncExitStack, folder: Path) -> dict[str, int]:
    certificates = make_certificates(folder, wall_time())
    ports: dict[str, int] = {}
    for name, behaviour in PLAIN.items():
        ports[name] = (await stack.enter_async_context(peers.peer(behaviour))).port
    for name in SECURED:
        context = certificates.contexts[name]
        ports[name] = (await stack.enter_async_context(peers.peer(peers.answer(), tls=context))).port
    ports["hole"] = stack.enter_context(_black_hole())
    ports["refused"] = peers.refused_port()
    return ports


class _black_hole:  # noqa: N801 - used as a function
    """A port whose queue is full: every further greeting is dropped without a word."""

    def __enter__(self) -> int:
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0)
        self._waiting = [socket.socket() for _ in range(4)]
        for one in self._waiting:
            one.setblocking(False)
            one.connect_ex(self._listening.getsockname())
        return int(self._listening.getsockname()[1])

    def __exit__(self, *_error: object) -> None:
        for one in (*self._waiting, self._listening):
            one.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
