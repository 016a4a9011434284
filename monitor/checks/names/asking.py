"""One question to one name server of the user's choice, by UDP or TCP, that no answer can drag out or blow up."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import dns.message
from pydantic import AfterValidator

from monitor.checks.contract import Family, TargetFaultError, Tools
from monitor.checks.options.targets import REFERENCE, host_of, is_address, split_host_port
from monitor.checks.questions import (
    PAYLOAD,
    PORT,
    Answers,
    BrokenAnswerError,
    NotAnAnswerError,
    Question,
    is_truncated,
    read_answer,
)
from monitor.checks.wire.connecting import connect, fault_of, over_addresses
from monitor.checks.wire.stream import Place, Stream
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
_NOTED = 1000


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
        return await ask_address(replace(place, host=address), question, deadline, transport)

    asked, named = await over_addresses(tools, place.host, place.family, deadline, attempt)
    total = named["name"] + asked.phases["total"]
    return replace(asked, phases=named | asked.phases | {"total": total})


async def ask_address(
    place: Place, question: Question, deadline: float, transport: Transport = "udp"
) -> Asked:
    """Return what the name server at an address answers; nobody is asked whether one may go there. Raises as `ask_server`."""
    if transport == "tcp":
        return await _by_tcp(place, question, deadline)
    asked = await _by_udp(place, question, deadline)
    if not is_truncated(asked.answers.message):
        return asked
    again = await _by_tcp(place, question, deadline)
    return replace(again, phases=_summed(asked.phases, again.phases))


async def _by_tcp(place: Place, question: Question, deadline: float) -> Asked:
    query = question.message()
    wire = query.to_wire()
    began = time.perf_counter()
    connected = await connect(place.host, place.port, deadline)
    stream = Stream(connected.socket, place.host, deadline, began)
    stream.phases |= connected.phases
    try:
        await stream.write(len(wire).to_bytes(2) + wire)
        answer = await stream.read_exactly(int.from_bytes(await stream.read_exactly(2)))
        message = await _read(answer, query)
    except NotAnAnswerError as error:
        raise stream.fault(Cause.PROTOCOL, f"sent {error}") from error
    finally:
        stream.close()
    answers = Answers(message=message, address=place.host, port=place.port)
    return Asked(answers=answers, phases=dict(stream.seen().phases))


async def _by_udp(place: Place, question: Question, deadline: float) -> Asked:
    """Ask by datagrams. One that is no answer to ours may be anybody's, so it is noted and the true one awaited."""
    query = question.message()
    began = time.perf_counter()
    noted: list[str] = []
    opened = _open(place)
    try:
        async with asyncio.timeout_at(deadline):
            message = await _exchanged(opened, query, deadline, noted)
    except TimeoutError as error:
        raise _silence(place, noted, time.perf_counter() - began) from error
    except BrokenAnswerError as error:
        phases = {"total": 1000 * (time.perf_counter() - began)}
        raise TargetFaultError(Cause.PROTOCOL, f"sent {error}", address=place.host, phases=phases) from error
    except OSError as error:
        raise fault_of(error.errno or 0, place.host) from error
    finally:
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


async def _exchanged(
    opened: socket.socket, query: dns.message.QueryMessage, deadline: float, noted: list[str]
) -> dns.message.QueryMessage:
    """Send the question, and again when nothing comes for a while, until it is answered."""
    loop = asyncio.get_running_loop()
    pause = max(0.0, deadline - loop.time()) / _SENDINGS
    receiving = asyncio.create_task(_answer(opened, query, noted))
    try:
        for _ in range(_SENDINGS):
            await loop.sock_sendall(opened, query.to_wire())
            done, _ = await asyncio.wait({receiving}, timeout=pause)
            if done:
                break
        return await receiving
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def _answer(
    opened: socket.socket, query: dns.message.QueryMessage, noted: list[str]
) -> dns.message.QueryMessage:
    loop = asyncio.get_running_loop()
    while len(noted) < _NOTED:
        wire = await loop.sock_recv(opened, _DATAGRAM)
        try:
            return await _read(wire, query)
        except BrokenAnswerError:
            raise
        except NotAnAnswerError as error:
            noted.append(str(error))
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
