"""Is it us? The filter in front of the recorder: a failing look counts against its target only if our own view was clear (rules D4, D6).

A look that failed waits for a round of the sentinels that began after it had ended. All looks that wait share the round, so that five
hundred failures at once cost a few. The newest round before a look counts as well, and so do those in between: the worst of them is what
the look is worth.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address

from monitor.clock import Clock
from monitor.errors import VigiaError
from monitor.health.view import (
    AddressFamily,
    Belief,
    Insight,
    View,
    believe,
    literal,
    may_be_blocked,
    seen_through,
    speaks_against,
    view_of,
    worst_view,
)
from monitor.identifiers import CheckKey
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import Resolver, Round, Sentinels
from monitor.prober.lag import LATE_S, LagWatch

_log = logging.getLogger(__name__)

PERIOD_S = 10.0
# While the newest word contradicts what is held, the next one comes sooner.
SOON_S = 2.0
# Rounds begin no closer than this, however many looks fail.
APART_S = 0.5
# An older round says nothing about a look that begins now: we may have slept in between.
_CURRENT_S = 3 * PERIOD_S
_ASKING_S = 4.0
_RESOLVER_WORDS = 3
# So many stalls of our own loop within five minutes are a matter of the operators.
_STALLS = 3
_STALLS_WITHIN_S = 300.0


def is_loopback(address: str) -> bool:
    """Does a look at this address never leave the machine?"""
    return ip_address(address).is_loopback


@dataclass(frozen=True, slots=True)
class _Held:
    """A look that waits for a round, the bare address that it went to, and the monotonic moment at which it began."""

    look: Observation
    address: str | None
    began: float


class Outlook:
    """Hands looks on, at once or after a round of the sentinels, in the order of each check.

    `hand` takes what is to be recorded; `look_again` hears which checks may be seen again after our view was blocked; `is_near` tells
    targets that no blocked view can hide. `insight` is what is held of ourselves at present. All methods belong to the loop's thread.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        hand: Callable[[Observation], None],
        look_again: Callable[[Collection[CheckKey]], None],
        is_near: Callable[[str], bool] = is_loopback,
    ) -> None:
        self._clock = clock
        self._hand = hand
        self._look_again = look_again
        self._is_near = is_near
        self._sentinels: Sentinels | None = None
        self._resolver: Resolver | None = None
        self._always_asks = False
        self._asks = asyncio.Event()
        self._lag = LagWatch()
        self._rounds: deque[Round] = deque(maxlen=64)
        self._waiting: list[_Held] = []
        self._held: Counter[CheckKey] = Counter()
        self._wanted = asyncio.Event()
        self._finished = asyncio.Event()
        self._hidden: dict[CheckKey, str | None] = {}
        self._views: dict[AddressFamily, Belief] = {}
        self._resolves = Belief()
        self._late = Belief()
        self.insight = Insight()

    @property
    def lag(self) -> LagWatch:
        """The stopwatch of this loop."""
        return self._lag

    @property
    def newest(self) -> Round | None:
        """The round that ended last."""
        return self._rounds[-1] if self._rounds else None

    def use(self, sentinels: Sentinels, resolver: Resolver | None, *, asks_resolver: bool) -> None:
        """Believe these from now on. A resolver that was not configured is asked only once a look has met its failure."""
        self._sentinels = sentinels if len(sentinels) else None
        self._resolver, self._always_asks = resolver, asks_resolver
        if asks_resolver:
            self._asks.set()
        families = sentinels.families
        self._views = {family: self._views.get(family, Belief()) for family in families}
        self._rounds = deque(
            (one for one in self._rounds if one.tallies.keys() == families), maxlen=self._rounds.maxlen
        )
        self._learnt()
        self._wanted.set()

    def put(self, look: Observation) -> None:
        """Take a look that has ended; returns at once."""
        if look.cause is Cause.RESOLVER:
            self._asks.set()
        # Nearly all looks go this way: what we can see, we see.
        if self._sentinels is None or (look.outcome is Outcome.OK and not self._held):
            self._hand(look)
            return
        address = literal(look.address)
        if address is not None and self._is_near(address):
            self._hand(look)
            return
        held = _Held(look, address, self._clock.monotonic() - look.took_ms / 1000)
        if speaks_against(look) or self._held[look.check]:
            self._held[look.check] += 1
            self._waiting.append(held)
            self._wanted.set()
        else:
            self._hand(self._judged(held))

    async def run(self) -> None:
        """Look at the sentinels now and then, and whenever a look waits; and at our name servers beside that."""
        self._lag.start()
        asking = asyncio.create_task(self._watch_resolver())
        try:
            while True:
                await self._look()
                await self._pause()
        finally:
            asking.cancel()
            self._lag.stop()
            await asyncio.gather(asking, return_exceptions=True)

    async def finish(self) -> None:
        """Hand on every look that waits, after one more round; `run` must not be under way any more."""
        if self._waiting:
            await self._look()

    async def _pause(self) -> None:
        await asyncio.sleep(APART_S)
        settled = all(belief.is_settled for belief in self._views.values())
        try:
            async with asyncio.timeout((PERIOD_S if settled else SOON_S) - APART_S):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        """Make a round, and hand on the looks that had ended when it began."""
        self._wanted.clear()
        waiting, self._waiting = self._waiting, []
        try:
            if self._sentinels is not None:
                self._note(await self._sentinels.look())
        finally:
            # Whatever becomes of the round, no look is lost.
            for held in waiting:
                self._held[held.look.check] -= 1
                if not self._held[held.look.check]:
                    del self._held[held.look.check]
                self._hand(self._judged(held))
            self._release()
            self._note_lateness()
            self._learnt()
            self._finished.set()
            self._finished = asyncio.Event()

    def _note(self, made: Round) -> None:
        if self._sentinels is None or self._sentinels.families != made.tallies.keys():
            return
        self._rounds.append(made)
        for family, view in made.views.items():
            self._views[family] = believe(
                self._views[family], view is View.ISOLATED, made.began_at, made.found.get(family, "")
            )

    def _judged(self, held: _Held) -> Observation:
        if not (speaks_against(held.look) or may_be_blocked(held.look)):
            return held.look
        judged = seen_through(held.look, self._view(held))
        if judged.cause is Cause.ISOLATED:
            self._hidden[judged.check] = held.address
        return judged

    def _view(self, held: _Held) -> View:
        """Return the worst view from the newest round before a look up to the newest at all."""
        views: list[View] = []
        for made in reversed(self._rounds):
            if made.began < held.began - _CURRENT_S:
                break
            views.append(view_of(held.address, made.views))
            if made.began <= held.began:
                break
        return worst_view(views)

    def _release(self) -> None:
        """Have looked at again what our blocked view hid, as soon as it is clear."""
        views = self._rounds[-1].views if self._rounds and self._sentinels is not None else {}
        seen = [key for key, address in self._hidden.items() if view_of(address, views) is not View.ISOLATED]
        for key in seen:
            del self._hidden[key]
        if seen:
            self._look_again(seen)

    def _note_lateness(self) -> None:
        now = asyncio.get_running_loop().time()
        stalls = self._lag.stalls_since(now - _STALLS_WITHIN_S, LATE_S)
        if stalls >= _STALLS or not stalls:
            found = f"our loop stood still {stalls} times within five minutes" if stalls else ""
            self._late = believe(self._late, bool(stalls), self._clock.now(), found, needed=1)

    def _learnt(self) -> None:
        self.insight = Insight(
            blocked={family: belief.fact for family, belief in self._views.items()},
            resolver=self._resolves.fact,
            late=self._late.fact,
        )

    async def _watch_resolver(self) -> None:
        while True:
            await self._asks.wait()
            if self._resolver is not None:
                await self._ask(self._resolver)
            if self._resolves.fact.holds is False and not self._always_asks:
                self._asks.clear()
            await asyncio.sleep(PERIOD_S if self._resolves.is_settled else SOON_S)

    async def _round_from_now(self) -> None:
        """Wait for the end of a round that begins after this moment."""
        asked = self._clock.monotonic()
        while self._sentinels is not None and not (self._rounds and self._rounds[-1].began >= asked):
            self._wanted.set()
            await self._finished.wait()

    async def _ask(self, resolver: Resolver) -> None:
        """Ask our name servers once; while our view is blocked their silence says nothing."""
        moment = self._clock.now()
        try:
            trouble = await resolver.trouble(asyncio.get_running_loop().time() + _ASKING_S)
        except VigiaError as error:
            _log.warning("our name servers cannot be asked: %s", error)
            return
        if trouble and self._sentinels is not None:
            await self._round_from_now()
            if self._rounds and view_of(None, self._rounds[-1].views) is View.ISOLATED:
                return
        self._resolves = believe(self._resolves, bool(trouble), moment, trouble, needed=_RESOLVER_WORDS)
        self._learnt()
