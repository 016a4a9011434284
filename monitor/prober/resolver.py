"""Names to addresses, by our own questions: never by the loop's threads and never inside libcurl.

Sixty dead names in a configuration once held up ten of ten healthy looks, because all of them waited for the same few resolver
threads. Here a look-up costs a datagram and a timer, has a deadline of its own, and tells a dead name from a dead resolver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from monitor.checks.contract import Family, OwnFaultError, TargetFaultError
from monitor.checks.options.targets import ascii_host, is_address
from monitor.checks.questions import Answers, Question
from monitor.checks.wire.connecting import has_route
from monitor.observation import Cause
from monitor.prober.hosts_file import HOSTS, HostsFile
from monitor.prober.name_servers import (
    RESOLV_CONF,
    Answer,
    NameServers,
    Server,
    Verdict,
    parse_server,
    system_servers,
)

# What a look-up may use of the time that is left for the look, so that its verdict comes before the look's deadline.
_SHARE = 0.8
_LONGEST = 5.0
_STAGGER = 0.1
_DOUBT = 0.5
_ROOT = Question(name=".", rdtype="NS")
_REMEDY = "name at least two servers and a reference name under `resolver:`, or look at /etc/resolv.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverSettings:
    """Which name servers are asked (`ip` or `ip:port`; the system's when there are none).

    `reference` is a name that always exists: when our servers cannot even say that one, the trouble is ours.
    """

    servers: tuple[str, ...] = ()
    reference: str | None = None

    def __post_init__(self) -> None:
        for server in self.servers:
            parse_server(server)


_Ask = Callable[[Server], Coroutine[Any, Any, Answer]]


class Resolver:
    """The resolver room: hosts file first, then the name servers; look-ups of one name are shared while they are in flight."""

    def __init__(
        self,
        settings: ResolverSettings | None = None,
        *,
        hosts: Path = HOSTS,
        resolv_conf: Path = RESOLV_CONF,
    ) -> None:
        self._settings = settings or ResolverSettings()
        self._configured = tuple(parse_server(server) for server in self._settings.servers)
        self._resolv_conf = resolv_conf
        self._hosts = HostsFile(hosts)
        self._name_servers = NameServers()
        self._flights: dict[tuple[str, Family], asyncio.Task[tuple[str, ...]]] = {}
        self._reference: asyncio.Task[bool] | None = None

    async def addresses(self, name: str, family: Family, deadline: float) -> tuple[str, ...]:
        """Return the addresses of `name`, the reachable family first; IPv6 before IPv4 where both are.

        A dead name raises TargetFaultError; servers that do not even know the reference raise OwnFaultError.
        """
        if is_address(name):
            return _of_family((name,), family, name)
        try:
            wanted = ascii_host(name)
        except ValueError as error:
            raise TargetFaultError(Cause.NAME, str(error)) from error
        local = self._hosts.addresses(wanted)
        if local:
            return _of_family(local, family, name)
        found = await self._flight(wanted, family, deadline)
        return _preferred(found)

    async def ask(self, question: Question, deadline: float) -> Answers:
        """Return what our name servers answer, whatever its rcode; the hosts file has no say.

        Records from one server end the asking; "no such name" is weighed against the others as for addresses. Silence of
        servers that know the reference raises TargetFaultError, everything that speaks against our servers OwnFaultError.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await self._answers(question, _until(deadline))
        except TimeoutError as error:
            raise _late(question.name) from error

    async def trouble(self, until: float) -> str:
        """Return why our name servers are of no use now, "" while one of them is; `until` is a moment of the loop.

        They have to know the reference. Without one they are asked for the servers of the root, and any word of theirs will do.
        """
        servers = self._configured or system_servers(self._resolv_conf)
        if not servers:
            return f"no name server is configured; {_REMEDY}"
        name = self._settings.reference

        async def ask(server: Server) -> Answer:
            if name is None:
                return await self._name_servers.ask_in_general(server, _ROOT, until)
            return await self._name_servers.ask(server, name, Family.ANY, until)

        answers = await _ask_all(servers, ask, until)
        if _is_found(answers) or (name is None and _is_absent(answers)):
            return ""
        return f"{_said(answers)} about {name or 'the root'} ({', '.join(map(str, servers))})"

    async def close(self) -> None:
        """Give up every look-up that is in flight."""
        flights = [*self._flights.values(), *([self._reference] if self._reference else [])]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _flight(self, name: str, family: Family, deadline: float) -> tuple[str, ...]:
        key = (name, family)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._look_up(name, family, _until(deadline)))
            flight.add_done_callback(partial(self._landed, key))
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise _late(name) from error

    def _landed(self, key: tuple[str, Family], flight: asyncio.Task[tuple[str, ...]]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            # Whoever waited may be gone by now; asked for here, a fault without a reader is no surprise later.
            flight.exception()

    async def _look_up(self, name: str, family: Family, until: float) -> tuple[str, ...]:
        async def ask(server: Server) -> Answer:
            return await self._name_servers.ask(server, name, family, until)

        answers, reference = await self._asked(name, ask, until)
        if _is_found(answers):
            return next(answer.addresses for answer in answers if answer.verdict is Verdict.FOUND)
        raise await self._our_fault(name, answers, reference) or _target_fault(name, family, answers)

    async def _answers(self, question: Question, until: float) -> Answers:
        async def ask(server: Server) -> Answer:
            return await self._name_servers.ask_in_general(server, question, until)

        answers, reference = await self._asked(question.name, ask, until)
        if not _is_found(answers) and (ours := await self._our_fault(question.name, answers, reference)):
            raise ours
        said = [answer.said for answer in sorted(answers, key=_rank) if answer.said is not None]
        if not said:
            raise _target_fault(question.name, Family.ANY, answers)
        return said[0]

    async def _asked(
        self, name: str, ask: _Ask, until: float
    ) -> tuple[list[Answer], asyncio.Task[bool] | None]:
        """Return what our servers said and, unless one found something, the question whether they know the reference."""
        servers = self._configured or system_servers(self._resolv_conf)
        if not servers:
            raise OwnFaultError(
                Cause.RESOLVER, f"cannot look up {name}: no name server is configured; {_REMEDY}"
            )
        asking = asyncio.create_task(_ask_all(servers, ask, until))
        try:
            now = asyncio.get_running_loop().time()
            await asyncio.wait({asking}, timeout=_DOUBT * (until - now))
            # In doubt the reference is asked while the name still has time to answer, so that both verdicts come by `until`.
            reference = None if asking.done() else self._reference_check(servers, until)
            answers = await asking
        finally:
            asking.cancel()
        if reference is None and not _is_found(answers):
            reference = self._reference_check(servers, until)
        return answers, reference

    async def _our_fault(
        self, name: str, answers: list[Answer], reference: asyncio.Task[bool] | None
    ) -> OwnFaultError | None:
        """Return our own fault when it is not to be believed that no server had an answer about `name`.

        Without a reference "no such name" is believed, and a failure only when several servers agree on it; silence never is.
        """
        failed = all(answer.verdict is Verdict.FAILED for answer in answers)
        if reference is not None:
            ours = not await asyncio.shield(reference)
            remedy = f"nor do they know {self._settings.reference}; look at the name servers"
        else:
            ours = not _is_absent(answers) and not (failed and len(answers) > 1)
            remedy = _REMEDY
        return (
            OwnFaultError(Cause.RESOLVER, f"cannot look up {name}: {_said(answers)}, {remedy}")
            if ours
            else None
        )

    def _reference_check(self, servers: tuple[Server, ...], until: float) -> asyncio.Task[bool] | None:
        """Return the running question whether our servers know the reference, shared by all who doubt at once."""
        name = self._settings.reference
        if name is None:
            return None
        if self._reference is None or self._reference.done():
            self._reference = asyncio.create_task(self._knows(servers, name, until))
        return self._reference

    async def _knows(self, servers: tuple[Server, ...], name: str, until: float) -> bool:
        async def ask(server: Server) -> Answer:
            return await self._name_servers.ask(server, name, Family.ANY, until)

        return _is_found(await _ask_all(servers, ask, until))


async def _ask_all(servers: tuple[Server, ...], ask: _Ask, until: float) -> list[Answer]:
    """Ask the servers one after the other, without waiting for the silent; the first that finds something ends it.

    "No such name" from one server is weighed against the others: only a name that none of them knows is dead.
    """
    budget = until - asyncio.get_running_loop().time()
    tasks: list[asyncio.Task[Answer]] = []
    try:
        for server in servers:
            tasks.append(asyncio.create_task(ask(server)))
            await asyncio.wait(tasks, timeout=_STAGGER * budget, return_when=asyncio.FIRST_COMPLETED)
            if _found(tasks):
                break
        pending = {task for task in tasks if not task.done()}
        while pending and not _found(tasks):
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()


def _until(deadline: float) -> float:
    now = asyncio.get_running_loop().time()
    return now + max(0.0, min(_LONGEST, _SHARE * (deadline - now)))


def _late(name: str) -> OwnFaultError:
    return OwnFaultError(
        Cause.RESOLVER, f"the look-up of {name} did not end in time; give the check more time"
    )


def _rank(answer: Answer) -> int:
    return list(Verdict).index(answer.verdict)


def _is_found(answers: list[Answer]) -> bool:
    return any(answer.verdict is Verdict.FOUND for answer in answers)


def _is_absent(answers: list[Answer]) -> bool:
    return any(answer.verdict is Verdict.ABSENT for answer in answers)


def _is_silent(answers: list[Answer]) -> bool:
    return all(answer.verdict is Verdict.SILENT for answer in answers)


def _said(answers: list[Answer]) -> str:
    return "no name server answered" if _is_silent(answers) else "the name servers had no answer"


def _target_fault(name: str, family: Family, answers: list[Answer]) -> TargetFaultError:
    if _is_absent(answers):
        return TargetFaultError(Cause.NAME, _absent(name, family))
    cause = Cause.TIMEOUT_NAME if _is_silent(answers) else Cause.NAME
    return TargetFaultError(cause, f"{_said(answers)} about {name}")


def _found(tasks: list[asyncio.Task[Answer]]) -> bool:
    return any(task.done() and task.result().verdict is Verdict.FOUND for task in tasks)


def _of_family(addresses: tuple[str, ...], family: Family, name: str) -> tuple[str, ...]:
    kept = _kept(addresses, family)
    if not kept:
        raise TargetFaultError(Cause.NAME, _absent(name, family))
    return kept if len(kept) == 1 else _preferred(kept)


@lru_cache(maxsize=8192)
def _kept(addresses: tuple[str, ...], family: Family) -> tuple[str, ...]:
    if family is Family.ANY:
        return addresses
    return tuple([address for address in addresses if (":" in address) is (family is Family.IPV6)])


def _preferred(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses with those first that a route of ours leads to, and among them IPv6 first."""
    if len({":" in address for address in addresses}) < 2:
        return addresses
    return tuple(sorted(addresses, key=lambda address: (not has_route(address), ":" not in address)))


def _absent(name: str, family: Family) -> str:
    return (
        f"the name {name} does not exist" if family is Family.ANY else f"{name} has no {family.value} address"
    )
