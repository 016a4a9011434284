"""Time servers on loopback: a real one (chrony), and one that says what a test wants."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from monitor.checks.wire.sntp import SIZE, question, stamp_of
from tests.servers.daemons import Daemon

_PACKET = struct.Struct("!BBbbII4s4Q")


class Chrony(Daemon):
    """Tells the machine's own time as if it were a clock of that stratum; it never touches that clock."""

    def __init__(self, folder: Path, stratum: int = 5, *, local: bool = True) -> None:
        super().__init__(folder, "chronyd")
        self._configuration = folder / "chrony.conf"
        lines = [
            f"port {self.port}",
            "bindaddress 127.0.0.1",
            "allow 127.0.0.1",
            "cmdport 0",
            f"pidfile {folder}/chronyd.pid",
            f"driftfile {folder}/drift",
            *([f"local stratum {stratum}"] if local else []),
        ]
        self._configuration.write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        me = pwd.getpwuid(os.geteuid()).pw_name
        return ["chronyd", "-d", "-x", "-U", "-u", me, "-f", str(self._configuration)]

    def _listens(self) -> bool:
        super()._listens()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(question(7))
                return len(probe.recv(100)) == SIZE
            except OSError:
                return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a clock answers. `nonce` replaces the number that it answers to."""

    received: datetime
    sent: datetime
    leap: int = 0
    mode: int = 4
    stratum: int = 2
    reference: bytes = b"GPS\0"
    nonce: int | None = None

    def packet(self, nonce: int) -> bytes:
        """Return the answer to the question with that number."""
        return _PACKET.pack(
            self.leap << 6 | 4 << 3 | self.mode,
            self.stratum,
            6,
            -20,
            0,
            0,
            self.reference,
            stamp_of(self.received),
            nonce if self.nonce is None else self.nonce,
            stamp_of(self.received),
            stamp_of(self.sent),
        )


Answers = Callable[[int], Sequence[bytes]]
"""What is sent back, datagram by datagram, to a question with that number."""


@dataclass(slots=True)
class Liar(asyncio.DatagramProtocol):
    """A server that answers every question as it is told."""

    answers: Answers
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # That of uvloop sends datagrams, but is none by its class.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        assert self.transport is not None
        for datagram in self.answers(int.from_bytes(data[40:48])):
            self.transport.sendto(datagram, addr)


@asynccontextmanager
async def liar(answers: Answers) -> AsyncIterator[Liar]:
    """Run a server that answers like that."""
    transport, found = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Liar(answers), local_addr=("127.0.0.1", 0)
    )
    found.port = transport.get_extra_info("sockname")[1]
    try:
        yield found
    finally:
        transport.close()
