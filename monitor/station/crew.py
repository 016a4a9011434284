"""Who looks: this process itself, or several others, each with its share of the checks.

Which share a check belongs to follows from its name alone, so that a changed configuration moves as few as can be. Whoever takes a check
over goes on with its turns where the one before stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.clock import Clock
from monitor.fleet import CheckPlan
from monitor.identifiers import CheckKey
from monitor.inventory.references import Secrets
from monitor.prober import Known
from monitor.station.lookout import Assignment, Looking, taken_until
from monitor.station.sharing import share_of


@dataclass(slots=True, eq=False)
class _Place:
    """One of those who look, and the checks that it has."""

    looking: Looking
    plans: dict[CheckKey, CheckPlan] = field(default_factory=dict)


class Crew:
    """Hands out the checks.

    `alone` is this process as one who looks; `hire(number, of)` gives another process. `on_handed` is told of checks that somebody else
    looks at from now on: what was wished for them with `again` is lost.
    """

    def __init__(
        self,
        *,
        alone: Looking,
        hire: Callable[[int, int], Looking],
        clock: Clock,
        on_handed: Callable[[Iterable[CheckKey]], None],
    ) -> None:
        self._alone = alone
        self._hire = hire
        self._clock = clock
        self._on_handed = on_handed
        self._places: list[_Place] = []
        self._changing = asyncio.Lock()
        self._memories: Mapping[CheckKey, Mapping[str, str]] = {}

    def __len__(self) -> int:
        """How many look."""
        return len(self._places)

    def remember(self, memories: Mapping[CheckKey, Mapping[str, str]]) -> None:
        """Take over what checks knew before this process began."""
        self._memories = memories

    async def replace(
        self, plans: Mapping[CheckKey, CheckPlan], secrets: Secrets, probers: int, *, anew: bool = False
    ) -> None:
        """Have exactly these checks looked at from now on, by so many processes; 1 is this one alone.

        An untouched check keeps its turns, whoever looks at it then. `anew` puts other processes in the place of those that look.
        """
        async with self._changing:
            before = {key: plan for place in self._places for key, plan in place.plans.items()}
            # Whoever is new is there before anything is taken away, and what goes elsewhere is taken away before it is given.
            places = await self._man(probers, anew=anew)
            known = await self._release(plans, places)
            gone = [place for place in self._places if place not in places]
            self._places = places
            await asyncio.gather(*(place.looking.close() for place in gone))
            for place in places:
                place.looking.renew(secrets)
            given = self._assignments(plans, before, known)
            for place, assignments in zip(places, given, strict=True):
                if assignments:
                    await place.looking.take(assignments)
            self._on_handed(each.plan.key for share in given for each in share if each.until is not None)

    def again(self, key: CheckKey, after: timedelta) -> None:
        """Look at a check once more `after` this moment, besides its rhythm; one that nobody has is left alone."""
        place = self._place_of(key)
        if place is not None:
            place.looking.again(key, after)

    def now(self, keys: Iterable[CheckKey]) -> None:
        """Look at these checks at once; those that nobody has are left alone."""
        shares: dict[int, list[CheckKey]] = {}
        for key in keys:
            if self._place_of(key) is not None:
                shares.setdefault(share_of(key, len(self._places)), []).append(key)
        for number, share in shares.items():
            self._places[number].looking.now(share)

    async def close(self) -> None:
        """Look no more; every look that has ended was handed over when this returns."""
        async with self._changing:
            await asyncio.gather(*(place.looking.close() for place in self._places))
            self._places.clear()

    async def _man(self, probers: int, *, anew: bool) -> list[_Place]:
        """Return so many who look, as far as can be those who look already; new ones are ready to."""
        if probers == 1:
            return self._places if self._is_alone() else [_Place(self._alone)]
        kept = [] if anew or self._is_alone() else self._places[:probers]
        hired = [_Place(self._hire(number, probers)) for number in range(len(kept), probers)]
        await asyncio.gather(*(place.looking.ready() for place in hired))
        return [*kept, *hired]

    async def _release(
        self, plans: Mapping[CheckKey, CheckPlan], places: Sequence[_Place]
    ) -> dict[CheckKey, Known]:
        """Take away what nobody, or somebody else, looks at from now on; return what is known of it."""
        known: dict[CheckKey, Known] = {}
        for place in self._places:
            leaving = [
                key
                for key, plan in place.plans.items()
                if plans.get(key) != plan or places[share_of(key, len(places))] is not place
            ]
            if leaving:
                known |= await place.looking.drop(leaving)
            for key in leaving:
                del place.plans[key]
        return known

    def _assignments(
        self,
        plans: Mapping[CheckKey, CheckPlan],
        before: Mapping[CheckKey, CheckPlan],
        known: Mapping[CheckKey, Known],
    ) -> list[list[Assignment]]:
        """Give every check that nobody has to whom it belongs; return who has to take what."""
        moment, present = self._clock.monotonic(), self._clock.now()
        given: list[list[Assignment]] = [[] for _ in self._places]
        for key, plan in plans.items():
            number = share_of(key, len(self._places))
            if key in self._places[number].plans:
                continue
            self._places[number].plans[key] = plan
            kept = self._known(key, plan, before.get(key), known)
            settled = before.get(key) == plan
            until = taken_until(plan, kept.looked_at, moment, present) if settled else None
            given[number].append(Assignment(plan=plan, until=until, known=kept))
        self._memories = {}
        return given

    def _is_alone(self) -> bool:
        return len(self._places) == 1 and self._places[0].looking is self._alone

    def _place_of(self, key: CheckKey) -> _Place | None:
        if not self._places:
            return None
        place = self._places[share_of(key, len(self._places))]
        return place if key in place.plans else None

    def _known(
        self, key: CheckKey, plan: CheckPlan, before: CheckPlan | None, known: Mapping[CheckKey, Known]
    ) -> Known:
        """Return what whoever looks next has to know; what was known of one target says nothing about another."""
        if before is None:
            return Known(memory=self._memories.get(key))
        kept = known.get(key, Known())
        if (before.kind, before.options) == (plan.kind, plan.options):
            return kept
        return Known(sequence=kept.sequence)
