"""One question to one name server of the user's choice, by UDP or TCP, that no answer can drag out or blow up."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import dns.message
from pydantic import AfterValidator

from monitor.checks.connecting import fault_of, over_addresses
from monitor.checks.contract import Family, TargetFaultError, Tools
from monitor.checks.questions import (
    PAYLOAD,
    PORT,
    Answers,
    NotAnAnswerError,
    Question,
    is_truncated,
    read_answer,
)
from monitor.checks.stream import BYTES_LIMIT, Place, open_stream
from monitor.checks.targets import REFERENCE, host_of, is_address, split_host_port
from monitor.observation import Cause

Transport = Literal["udp", "tcp"]


def place_of(server: str, port: int = PORT, family: Family = Family.ANY) -> Place:
    """Return where the name server listens that `192.0.2.53`, `ns1.example:5353` or `[2001:db8::53]:53` names.

    `port` is for one that names none. What is no server raises ValueError.
    """
    if ":" not in server or is_address(server):
        return Place(host=host_of(server), port=port, family=family)
    host, own = split_host_port(server)
    return Place(host=host_of(host), port=own, family=family)


def _server(text: str) -> str:
    if not REFERENCE.search(text):
        place_of(text)
    return text


NameServer = Annotated[str, AfterValidator(_server)]
# A datagram may get lost: the question is sent three times in the time there is.
_SENDINGS = 3
_DATAGRAM = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An answer and the phases of getting it, in milliseconds."""

    answers: Answers
    phases: dict[str, float]


async def ask_server(
    tools: Tools, place: Place, question: Question, deadline: float, transport: Transport = "udp"
) -> Asked:
    """Return what the name server at `place` answers, by TCP where a datagram was too small.

    Silence, nonsense and answers to something else raise TargetFaultError: the server that was asked is the target.
    """

    async def attempt(address: str, _within: float | None) -> Asked:
        at = replace(place, host=address)
        if transport == "tcp":
            return await _by_tcp(tools, at, question, deadline)
        asked = await _by_udp(at, question, deadline)
        if not is_truncated(asked.answers.message):
            return asked
        again = await _by_tcp(tools, at, question, deadline)
        return replace(again, phases=_summed(asked.phases, again.phases))

    asked, named = await over_addresses(tools, place.host, place.family, deadline, attempt)
    total = named["name"] + asked.phases["total"]
    return replace(asked, phases=named | asked.phases | {"total": total})


async def _by_tcp(tools: Tools, place: Place, question: Question, deadline: float) -> Asked:
    query = question.message()
    wire = query.to_wire()
    async with open_stream(tools, place, deadline) as stream:
        await stream.write(len(wire).to_bytes(2) + wire)
        answer = await stream.read_exactly(int.from_bytes(await stream.read_exactly(2)))
        try:
            message = await _read(answer, query)
        except NotAnAnswerError as error:
            raise stream.fault(Cause.PROTOCOL, f"sent {error}") from error
        phases = dict(stream.seen().phases)
    phases.pop("name")
    return Asked(answers=Answers(message=message, address=place.host, port=place.port), phases=phases)


async def _by_udp(place: Place, question: Question, deadline: float) -> Asked:
    """Ask by datagrams. One that is no answer to ours may be anybody's, so it is noted and the true one awaited."""
    query = question.message()
    began = time.perf_counter()
    noted: list[str] = []
    opened = _open(place)
    sending = asyncio.create_task(_send(opened, query.to_wire(), deadline))
    try:
        async with asyncio.timeout_at(deadline):
            message = await _answer(opened, query, noted)
    except TimeoutError as error:
        raise _silence(place, noted, time.perf_counter() - began) from error
    except OSError as error:
        raise fault_of(error.errno or 0, place.host) from error
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        opened.close()
    took = 1000 * (time.perf_counter() - began)
    answers = Answers(message=message, address=place.host, port=place.port)
    return Asked(answers=answers, phases={"first_byte": took, "total": took})


def _open(place: Place) -> socket.socket:
    """Return a datagram socket that only hears the place it is connected to, from a port of its own."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise fault_of(error.errno or 0, place.host) from error
    try:
        opened.connect((place.host, place.port))
    except OSError as error:
        opened.close()
        raise fault_of(error.errno or 0, place.host) from error
    return opened


async def _send(opened: socket.socket, wire: bytes, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    pause = max(0.0, deadline - loop.time()) / _SENDINGS
    for _ in range(_SENDINGS):
        await loop.sock_sendall(opened, wire)
        await asyncio.sleep(pause)


async def _answer(
    opened: socket.socket, query: dns.message.QueryMessage, noted: list[str]
) -> dns.message.QueryMessage:
    loop = asyncio.get_running_loop()
    taken = 0
    while True:
        wire = await loop.sock_recv(opened, _DATAGRAM)
        try:
            return await _read(wire, query)
        except NotAnAnswerError as error:
            noted.append(str(error))
        taken += len(wire)
        if taken > BYTES_LIMIT:
            # Whoever floods us is not waited for.
            raise TimeoutError


async def _read(wire: bytes, query: dns.message.QueryMessage) -> dns.message.QueryMessage:
    """Read an answer; one that is longer than was asked for may cost a while, and nobody else shall wait meanwhile."""
    if len(wire) <= PAYLOAD:
        return read_answer(wire, query)
    return await asyncio.to_thread(read_answer, wire, query)


def _silence(place: Place, noted: list[str], seconds: float) -> TargetFaultError:
    phases = {"total": 1000 * seconds}
    if noted:
        found = f"{len(noted)} datagrams within {seconds:.1f} s and no answer among them: {noted[-1]}"
        return TargetFaultError(Cause.PROTOCOL, found, address=place.host, phases=phases)
    return TargetFaultError(
        Cause.TIMEOUT_FIRST_BYTE, f"no answer within {seconds:.1f} s", address=place.host, phases=phases
    )


def _summed(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {**first, **second}}
