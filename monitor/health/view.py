"""Is it us? What sentinels say about our own view, one address family at a time (rule D4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address

from monitor.health.advance import FELT_WARNINGS
from monitor.observation import FOUND_LIMIT, Cause, Observation, Outcome


class AddressFamily(StrEnum):
    """Which way out of the house a look takes."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


class View(StrEnum):
    """How far we can believe what we see: all sentinels answer, some do, none does."""

    CLEAR = "clear"
    DOUBTFUL = "doubtful"
    ISOLATED = "isolated"


Views = Mapping[AddressFamily, View]
"""The view of each family that has sentinels; one that has none is never judged."""

_WORSE = {view: rank for rank, view in enumerate(View)}
_OURS = frozenset({Cause.OWN, Cause.RESOLVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many sentinels of a family answered, of those that could be asked at all."""

    answered: int
    asked: int

    @property
    def view(self) -> View:
        """What that says; nobody who could be asked says nothing against us."""
        if self.answered == self.asked:
            return View.CLEAR
        return View.DOUBTFUL if self.answered else View.ISOLATED


def literal(address: str | None) -> str | None:
    """Return the bare address that a look names, which may have a zone or a port; None when it names none."""
    bare = "" if address is None else address.partition("%")[0]
    if bare.count(":") == 1 or bare.startswith("["):
        bare = bare.rpartition(":")[0].strip("[]")
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


def family_of(address: str) -> AddressFamily:
    """Return the family of an address literal."""
    return AddressFamily.IPV6 if ":" in address else AddressFamily.IPV4


def view_of(address: str | None, views: Views) -> View:
    """Return the view that a look at `address` had; one without an address is blocked only when every family is."""
    if address is not None:
        return views.get(family_of(address), View.CLEAR)
    return min(views.values(), key=_WORSE.__getitem__, default=View.CLEAR)


def worst_view(views: Iterable[View]) -> View:
    """Return the view that is to be believed least."""
    return max(views, key=_WORSE.__getitem__, default=View.CLEAR)


def speaks_against(look: Observation) -> bool:
    """Does a look say something against its target that customers would be told of?"""
    if look.outcome is Outcome.WARN:
        return look.cause in FELT_WARNINGS
    return look.outcome is Outcome.DOWN


def may_be_blocked(look: Observation) -> bool:
    """Did a look fail by a fault of ours that a blocked view would explain, such as having no route?"""
    return look.outcome is Outcome.UNKNOWN and look.cause in _OURS


def seen_through(look: Observation, view: View) -> Observation:
    """Return what a failing look comes to when our view was like this."""
    if view is View.CLEAR:
        return look
    if view is View.DOUBTFUL:
        return replace(look, doubtful=True) if speaks_against(look) else look
    found = f"no sentinel answers either, so our own view is blocked: {look.found}"
    return replace(look, outcome=Outcome.UNKNOWN, cause=Cause.ISOLATED, found=found[:FOUND_LIMIT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that we hold of ourselves; None while nothing is known yet. `found` is one short line of evidence.

    What is over, and held from `before` to `since`, does not hold any more.
    """

    holds: bool | None = None
    since: datetime | None = None
    found: str = ""
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """A fact, and what was said against it since: the same `word`, `times` in a row, for the first time at `first`."""

    fact: Fact = field(default_factory=Fact)
    word: bool | None = None
    times: int = 0
    first: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Is something known that nothing speaks against?"""
        return self.fact.holds is not None and not self.times


def believe(belief: Belief, word: bool, at: datetime, found: str = "", *, needed: int = 2) -> Belief:  # noqa: FBT001 - the word itself
    """Return what is believed after one more word; `needed` in a row that contradict the fact turn it.

    The turn is dated by the first of them.
    """
    if word is belief.fact.holds:
        return Belief(fact=belief.fact)
    again = word is belief.word
    times, first = (belief.times + 1, belief.first or at) if again else (1, at)
    if times < needed:
        return Belief(fact=belief.fact, word=word, times=times, first=first)
    before = belief.fact.since if belief.fact.holds else None
    return Belief(fact=Fact(holds=word, since=first, found=found if word else "", before=before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """What we know of ourselves: families whose view is blocked (of those that have sentinels), a resolver that is dead, a loop that is late."""

    blocked: Mapping[AddressFamily, Fact] = field(default_factory=dict)
    resolver: Fact = field(default_factory=Fact)
    late: Fact = field(default_factory=Fact)

    @property
    def is_blocked(self) -> bool:
        """Is every way out that we can judge blocked?"""
        return bool(self.blocked) and all(fact.holds for fact in self.blocked.values())
