"""The name servers of a zone, all of them: do they agree with each other, and with the zone above?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dns.name
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.SOA import SOA

from monitor.checks.contract import Family, Look, TargetFaultError, Tools
from monitor.checks.names.asking import ask_server
from monitor.checks.questions import PORT, Answers, Question
from monitor.checks.wire.connecting import has_route
from monitor.checks.wire.stream import Place
from monitor.observation import Cause, Outcome

# A zone has two to eight name servers; a list without end is not followed.
_SERVERS = 16
_ADDRESSES = 4
_PARENTS = 4


@dataclass(frozen=True, slots=True, order=True)
class Listed:
    """One address of a name server; empty when its name has none."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.address else self.name


Replies = Mapping[Listed, Answers | TargetFaultError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone, its name written without the last dot, and what is needed to ask about it."""

    name: str
    tools: Tools
    deadline: float
    port: int = PORT
    family: Family = Family.ANY

    async def serials(self) -> Look | None:
        """Return what is wrong with the zone's name servers, None when all of them hold the same version of it."""
        answers = await self.tools.resolver.ask(Question(name=self.name, rdtype="NS"), self.deadline)
        return judge_serials(await self._replies(_names(answers.records), "SOA"), self.name)

    async def delegation(self) -> Look | None:
        """Return in what the zone above disagrees with the zone about its name servers, None when they agree."""
        parent, answers = await self._above()
        delegated = delegated_to(answers, self.name)
        if not delegated:
            return _down(Cause.NAME, f"{parent} delegates {self.name} to nobody")
        return judge_delegation(delegated, await self._replies(delegated, "NS"), self.name)

    async def _above(self) -> tuple[str, Answers]:
        """Return the name of the zone above and what one of its servers says about our name servers."""
        ask = self.tools.resolver.ask
        over = dns.name.from_text(self.name).parent()
        parent = zone_in(await ask(Question(name=over.to_text(), rdtype="SOA"), self.deadline), over)
        if parent is None:
            raise TargetFaultError(Cause.NAME, f"there is no zone above {self.name}")
        servers = await ask(Question(name=parent.to_text(), rdtype="NS"), self.deadline)
        listed = [one for one in await self._listed(_names(servers.records)) if one.address][:_PARENTS]
        fault = TargetFaultError(Cause.NAME, f"there is no name server above {self.name}")
        for index, one in enumerate(listed):
            now = asyncio.get_running_loop().time()
            until = now + (self.deadline - now) / (len(listed) - index + 1)
            reply = await self._asked(one, "NS", until)
            if isinstance(reply, Answers):
                return parent.to_text(omit_final_dot=True), reply
            fault = reply
        raise fault

    async def _replies(self, names: Iterable[str], rdtype: str) -> Replies:
        listed = await self._listed(names)
        if not listed:
            raise TargetFaultError(Cause.NAME, f"{self.name} has no name server")
        replies = await asyncio.gather(*(self._asked(one, rdtype, self.deadline) for one in listed))
        return dict(zip(listed, replies, strict=True))

    async def _listed(self, names: Iterable[str]) -> list[Listed]:
        """Return every address of these name servers that a route of ours leads to."""
        found = await asyncio.gather(*(self._addresses(name) for name in sorted(names)[:_SERVERS]))
        return [one for addresses in found for one in addresses]

    async def _addresses(self, name: str) -> list[Listed]:
        try:
            addresses = await self.tools.resolver.addresses(name, self.family, self.deadline)
        except TargetFaultError:
            return [Listed(name, "")]
        reachable = [address for address in addresses if has_route(address)]
        return [Listed(name, address) for address in (reachable or addresses)[:_ADDRESSES]]

    async def _asked(self, one: Listed, rdtype: str, until: float) -> Answers | TargetFaultError:
        if not one.address:
            return TargetFaultError(Cause.NAME, "it has no address")
        question = Question(name=self.name, rdtype=rdtype, recursive=False)
        try:
            asked = await ask_server(self.tools, Place(host=one.address, port=self.port), question, until)
        except TargetFaultError as fault:
            return fault
        return asked.answers


def judge_serials(replies: Replies, zone: str) -> Look | None:
    """Return what is wrong with the versions that name servers hold, None when all hold the same."""
    if (fault := _first_fault(replies, zone)) is not None:
        return fault
    servers: dict[int, list[str]] = {}
    for one, reply in replies.items():
        record = reply.records[0] if isinstance(reply, Answers) and reply.records else None
        if not isinstance(record, SOA):
            return _down(Cause.NAME, f"{one} does not say which version of {zone} it holds")
        servers.setdefault(record.serial, []).append(str(one))
    if len(servers) == 1:
        return None
    held = "; ".join(f"{serial} at {', '.join(servers[serial])}" for serial in sorted(servers))
    return _down(Cause.CONTENT, f"the serials of {zone} differ: {held}")


def judge_delegation(delegated: frozenset[str], replies: Replies, zone: str) -> Look | None:
    """Return in what name servers disagree with the set that the zone above names, None when they agree."""
    if (fault := _first_fault(replies, zone)) is not None:
        return fault
    for one, reply in replies.items():
        own = _names(reply.records) if isinstance(reply, Answers) else frozenset()
        if own != delegated:
            missing, more = sorted(delegated - own), sorted(own - delegated)
            words = [f"only above: {', '.join(missing)}"] if missing else []
            words += [f"only in the zone: {', '.join(more)}"] if more else []
            return _down(Cause.CONTENT, f"name servers of {zone} by {one}, {'; '.join(words)}")
    return None


def delegated_to(answers: Answers, zone: str) -> frozenset[str]:
    """Return the name servers that an answer names for a zone, as records of its own or as a referral."""
    owner = dns.name.from_text(zone)
    sections = (*answers.message.answer, *answers.message.authority)
    named = next((each for each in sections if each.rdtype == dns.rdatatype.NS and each.name == owner), None)
    return _names(named)


def zone_in(answers: Answers, name: dns.name.Name) -> dns.name.Name | None:
    """Return the zone in which `name` lies, by the SOA record that an answer about it carries."""
    sections = (*answers.message.answer, *answers.message.authority)
    return next(
        (each.name for each in sections if each.rdtype == dns.rdatatype.SOA and name.is_subdomain(each.name)),
        None,
    )


def _first_fault(replies: Replies, zone: str) -> Look | None:
    for one, reply in replies.items():
        if isinstance(reply, TargetFaultError):
            return _down(reply.look.cause or Cause.NAME, f"{one}: {reply}")
        if reply.records is None or not reply.authoritative:
            return _down(Cause.NAME, f"{one} does not answer for {zone} ({reply.rcode})")
    return None


def _names(records: dns.rrset.RRset | None) -> frozenset[str]:
    if records is None or records.rdtype != dns.rdatatype.NS:
        return frozenset()
    return frozenset(record.target.canonicalize().to_text(omit_final_dot=True) for record in records)


def _down(cause: Cause, found: str) -> Look:
    return Look(outcome=Outcome.DOWN, cause=cause, found=found)
