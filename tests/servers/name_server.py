"""A name server on loopback that knows what a test tells it: answers, refusals, silence, lies, and answers that come late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

NXDOMAIN = "NXDOMAIN"
SERVFAIL = "SERVFAIL"
SILENT = "SILENT"

Lie = Callable[[dns.message.Message, dns.message.Message], bytes]
"""Makes something else of a question and its true answer."""


def other_number(_question: dns.message.Message, answer: dns.message.Message) -> bytes:
    """Answer with the number of another question."""
    answer.id ^= 1
    return answer.to_wire()


def other_question(question: dns.message.Message, _answer: dns.message.Message) -> bytes:
    """Answer what nobody asked."""
    asked = dns.message.make_query("elsewhere.test", "A", id=question.id)
    answer = dns.message.make_response(asked)
    answer.answer.append(dns.rrset.from_text("elsewhere.test.", 60, "IN", "A", "192.0.2.66"))
    return answer.to_wire()


def garbage(question: dns.message.Message, _answer: dns.message.Message) -> bytes:
    """Answer with the right number and then nonsense."""
    return question.id.to_bytes(2) + b"\xff" * 300


def no_answer(question: dns.message.Message, _answer: dns.message.Message) -> bytes:
    """Send the question back."""
    return question.to_wire()


def torn(_question: dns.message.Message, answer: dns.message.Message) -> bytes:
    """Announce more records than come."""
    wire = answer.to_wire()
    return wire[:6] + (7).to_bytes(2) + wire[8:]


def crowded(question: dns.message.Message, answer: dns.message.Message) -> bytes:
    """Answer with four thousand records, all names by reference to one of a hundred labels."""
    name = b"\x01a" * 100 + b"\0"
    head = question.id.to_bytes(2) + b"\x84\x00\x00\x01" + (4000).to_bytes(2) + bytes(4)
    asked = question.question[0].name.to_wire() + b"\0\1\0\1"
    start = len(head) + len(asked)
    first = name + b"\0\5\0\1\0\0\0\1" + len(name).to_bytes(2) + name
    others = b"".join(
        pointer + b"\0\5\0\1\0\0\0\1\0\2" + pointer
        for number in range(3999)
        for pointer in [(0xC000 | (start + 2 * (number % 50))).to_bytes(2)]
    )
    return head + asked + first + others


@dataclass(slots=True)
class Zone:
    """What is known of each name: its addresses, or one of the words above; `late` seconds pass before any answer.

    `texts` are the TXT records of names. A name in `only_by_tcp` is cut short over UDP. With a `lie` every answer becomes that.
    `queries` counts what was asked, over either.
    """

    names: dict[str, tuple[str, ...] | str] = field(default_factory=dict)
    otherwise: str = NXDOMAIN
    late: float = 0.0
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    only_by_tcp: frozenset[str] = frozenset()
    lie: Lie | None = None
    queries: Counter[str] = field(default_factory=Counter)
    port: int = 0

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Return the answer to a question, None for silence."""
        question = dns.message.from_wire(wire)
        name = question.question[0].name.to_text(omit_final_dot=True)
        record = question.question[0].rdtype
        self.queries[name] += 1
        known = self.names.get(name, self.otherwise)
        if known == SILENT:
            return None
        response = dns.message.make_response(question)
        response.flags |= dns.flags.RA
        if isinstance(known, str):
            response.set_rcode(dns.rcode.from_text(known))
        elif name in self.only_by_tcp and not tcp:
            response.flags |= dns.flags.TC
        elif wanted := self._wanted(name, known, record):
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", record, *wanted))
        return response.to_wire() if self.lie is None else self.lie(question, response)

    def _wanted(self, name: str, known: tuple[str, ...], record: dns.rdatatype.RdataType) -> list[str] | None:
        if record == dns.rdatatype.TXT:
            return [f'"{text}"' for text in self.texts.get(name, ())]
        if record not in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            return None
        return [address for address in known if (":" in address) is (record == dns.rdatatype.AAAA)]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._zone.answer(data, tcp=False)
        if answer is not None:
            asyncio.get_running_loop().call_later(self._zone.late, self._send, answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[Zone]:
    """Serve `zone` over UDP and TCP on one port of loopback."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2))
            answer = zone.answer(await reader.readexactly(length), tcp=True)
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    zone.port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(zone), local_addr=("127.0.0.1", zone.port)
    )
    try:
        yield zone
    finally:
        datagrams.close()
        server.close()
        await server.wait_closed()
