"""Questions to name servers: UDP with TCP where an answer is too long, bounded in number and in time."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from monitor.checks.contract import Family, OwnFaultError, TargetFaultError
from monitor.checks.names.asking import ask_address
from monitor.checks.options.targets import is_address, split_host_port
from monitor.checks.questions import PORT, Answers, Question
from monitor.checks.wire.stream import Place
from monitor.observation import Cause

RESOLV_CONF = Path("/etc/resolv.conf")
# Enough that a hundred dead names do not hold up the living ones, few enough that a name server takes it for one client.
QUERIES_AT_ONCE = 128
_SERVERS = 3
_OUR_LIMITS = frozenset({errno.EMFILE, errno.ENFILE})
# RFC 8305: once one family is here, the other gets this long to follow.
_OTHER_FAMILY = 0.05
_RECORDS: Mapping[Family, tuple[dns.rdatatype.RdataType, ...]] = {
    Family.ANY: (dns.rdatatype.AAAA, dns.rdatatype.A),
    Family.IPV4: (dns.rdatatype.A,),
    Family.IPV6: (dns.rdatatype.AAAA,),
}


class Verdict(StrEnum):
    """What asking about a name came to. `failed` is an answer without use (SERVFAIL, nonsense), `silent` none at all."""

    FOUND = "found"
    ABSENT = "absent"
    FAILED = "failed"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Answer:
    """One verdict, the addresses of a name that was found, and what a general question was answered."""

    verdict: Verdict
    addresses: tuple[str, ...] = ()
    said: Answers | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Where a name server listens."""

    address: str
    port: int = PORT

    def __str__(self) -> str:
        return self.address if self.port == PORT else f"{self.address}:{self.port}"


def parse_server(text: str) -> Server:
    """Return the server that `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::1]:53` names; anything else raises ValueError."""
    if is_address(text):
        return Server(text)
    address, port = split_host_port(text)
    ip_address(address)
    return Server(address, port)


def system_servers(path: Path = RESOLV_CONF) -> tuple[Server, ...]:
    """Return the name servers of the system; its search list is not used, since a check names its target in full."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.split() for line in lines)
    named = (parts[1] for parts in words if len(parts) > 1 and parts[0] == "nameserver")
    return tuple(Server(address) for address in named if is_address(address))[:_SERVERS]


class NameServers:
    """Asks name servers about names; every question has its own port and number."""

    def __init__(self, queries_at_once: int = QUERIES_AT_ONCE) -> None:
        self._queries_at_once = queries_at_once
        self._gates: dict[Server, asyncio.Semaphore] = {}

    async def ask(self, server: Server, name: str, family: Family, until: float) -> Answer:
        """Return what one server says about a name by `until`, a moment of the loop."""
        queries = [
            asyncio.create_task(self._query(server, name, record, until)) for record in _RECORDS[family]
        ]
        try:
            done, pending = await asyncio.wait(queries, return_when=asyncio.FIRST_COMPLETED)
            found = any(query.result().verdict is Verdict.FOUND for query in done)
            if pending:
                await asyncio.wait(pending, timeout=_OTHER_FAMILY if found else None)
            return _joined([query.result() for query in queries if query.done()])
        finally:
            for query in queries:
                query.cancel()

    async def ask_in_general(self, server: Server, question: Question, until: float) -> Answer:
        """Return what one server answers to any question by `until`, a moment of the loop."""
        gate = self._gates.setdefault(server, asyncio.Semaphore(self._queries_at_once))
        try:
            async with asyncio.timeout_at(until), gate:
                asked = await ask_address(Place(host=server.address, port=server.port), question, until)
        except TimeoutError:
            return Answer(Verdict.SILENT)
        except TargetFaultError as fault:
            return Answer(Verdict.FAILED if fault.look.cause is Cause.PROTOCOL else Verdict.SILENT)
        except OwnFaultError as fault:
            if isinstance(fault.__cause__, OSError) and fault.__cause__.errno in _OUR_LIMITS:
                raise
            # No route to this server says nothing about the next.
            return Answer(Verdict.SILENT)
        return _read_in_general(asked.answers)

    async def _query(
        self, server: Server, name: str, record: dns.rdatatype.RdataType, until: float
    ) -> Answer:
        gate = self._gates.setdefault(server, asyncio.Semaphore(self._queries_at_once))
        question = dns.message.make_query(name, record)
        try:
            async with asyncio.timeout_at(until), gate:
                return _read(await _sent(question, server, until))
        except (TimeoutError, dns.exception.Timeout):
            return Answer(Verdict.SILENT)
        except dns.exception.DNSException:
            return Answer(Verdict.FAILED)
        except OSError as error:
            if error.errno in _OUR_LIMITS:
                raise OwnFaultError(Cause.OWN, f"cannot ask a name server: {error.strerror}") from error
            # A server that refuses or cannot be reached says as little as one that keeps silent.
            return Answer(Verdict.SILENT)


async def _sent(question: dns.message.QueryMessage, server: Server, until: float) -> dns.message.Message:
    """Ask twice: a datagram may get lost, and a second loss is left to the next server."""
    left = until - asyncio.get_running_loop().time()
    where: dict[str, Any] = {"where": server.address, "port": server.port, "ignore_unexpected": True}
    try:
        answer, _ = await dns.asyncquery.udp_with_fallback(question, timeout=left / 2, **where)
    except dns.exception.Timeout:
        answer, _ = await dns.asyncquery.udp_with_fallback(question, timeout=left / 2, **where)
    return answer


def _read(message: dns.message.Message) -> Answer:
    if message.rcode() == dns.rcode.NXDOMAIN:
        return Answer(Verdict.ABSENT)
    if message.rcode() != dns.rcode.NOERROR or not isinstance(message, dns.message.QueryMessage):
        return Answer(Verdict.FAILED)
    answer = message.resolve_chaining().answer
    if answer is None:
        return Answer(Verdict.ABSENT)
    return Answer(Verdict.FOUND, tuple(record.to_text() for record in answer))


def _read_in_general(said: Answers) -> Answer:
    if said.message.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return Answer(Verdict.FAILED, said=said)
    return Answer(Verdict.FOUND if said.records else Verdict.ABSENT, said=said)


def _joined(answers: list[Answer]) -> Answer:
    """Return one answer for both families: what was found, else the least certain of what was said."""
    found = tuple(address for answer in answers for address in answer.addresses)
    if found:
        return Answer(Verdict.FOUND, found)
    worst = max(answers, key=lambda answer: list(Verdict).index(answer.verdict))
    return Answer(worst.verdict)
