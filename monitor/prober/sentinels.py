"""Sentinels: targets apart from the servers that tell whether we see anything at all. A round looks at all of them at once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.checks.contract import Check, OwnFaultError, TargetFaultError, Tools
from monitor.checks.wire.connecting import has_route
from monitor.clock import Clock
from monitor.health.view import AddressFamily, Tally, Views, family_of
from monitor.observation import Outcome
from monitor.prober.lag import LagWatch

_log = logging.getLogger(__name__)

WITHIN_S = 2.0
# A round during which our own loop stood still says nothing about the network.
_SPOILT_S = 0.5
_AGAIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """One target, known by its address."""

    address: str
    check: Check

    @property
    def family(self) -> AddressFamily:
        """The way out that it stands for."""
        return family_of(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round came to. `began` is a moment of the monotonic clock, `began_at` the same one of the wall's; `found` says of
    each family which sentinels did not answer.
    """

    began: float
    began_at: datetime
    tallies: Mapping[AddressFamily, Tally]
    found: Mapping[AddressFamily, str]

    @property
    def views(self) -> Views:
        """What that says about our view."""
        return {family: tally.view for family, tally in self.tallies.items()}


class Sentinels:
    """Looks at all sentinels at once, each within `WITHIN_S`."""

    def __init__(self, sentinels: Sequence[Sentinel], tools: Tools, clock: Clock, lag: LagWatch) -> None:
        """Look with `tools`; `lag` is of the loop on which that happens."""
        self._sentinels = tuple(sentinels)
        self._tools = tools
        self._clock = clock
        self._lag = lag

    def __len__(self) -> int:
        return len(self._sentinels)

    @property
    def families(self) -> frozenset[AddressFamily]:
        """The families that can be judged."""
        return frozenset(one.family for one in self._sentinels)

    async def look(self) -> Round:
        """Return what a round says that begins now; one that our own standing still spoilt is made again, a few times."""
        loop, again = asyncio.get_running_loop(), _AGAIN
        began, made = loop.time(), await self._round()
        while again and self._lag.worst_since(began) > _SPOILT_S:
            again -= 1
            began, made = loop.time(), await self._round()
        return made

    async def _round(self) -> Round:
        began, began_at = self._clock.monotonic(), self._clock.now()
        faults = await asyncio.gather(*(self._fault(one) for one in self._sentinels))
        asked: Counter[AddressFamily] = Counter()
        silent: dict[AddressFamily, list[str]] = {}
        for one, fault in zip(self._sentinels, faults, strict=True):
            if fault is not None:
                asked[one.family] += 1
            if fault:
                silent.setdefault(one.family, []).append(f"{one.check.target} ({fault})")
        return Round(
            began=began,
            began_at=began_at,
            tallies={
                family: Tally(answered=asked[family] - len(silent.get(family, ())), asked=asked[family])
                for family in self.families
            },
            found={family: ", ".join(said) for family, said in silent.items()},
        )

    async def _fault(self, sentinel: Sentinel) -> str | None:
        """Return "" for an answer, what was wrong otherwise; None when we could not ask, by a fault that says nothing of the network."""
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        try:
            async with asyncio.timeout_at(deadline):
                look = await sentinel.check.look(self._tools, deadline)
        except TimeoutError:
            return f"no answer within {WITHIN_S:g} s"
        except TargetFaultError as fault:
            return str(fault) or "no answer"
        except OwnFaultError as fault:
            return None if has_route(sentinel.address) else str(fault)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not hide the faults of others
            _log.error("the sentinel %s cannot be asked: %s", sentinel.check.target, type(error).__name__)
            return None
        return "" if look.outcome in (Outcome.OK, Outcome.WARN) else look.found or "no answer"
