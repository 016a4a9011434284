"""Which check begins when: fixed phases in slots of 20 ms. Pure, and in whole ticks, so that nothing drifts.

A *tick* counts slots since the zero of the monotonic clock. On Linux that zero is the start of the machine, so a
check keeps its place in the rhythm when the service restarts. A check's *slot* is its phase: a hash of its name modulo
its interval. A *turn* is a tick at which it is due.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from monitor.identifiers import CheckKey

SLOT = timedelta(milliseconds=20)
_SLOT_MS = SLOT // timedelta(milliseconds=1)
GRAINS = (1, 2, 5, 10)
COARSEST = max(GRAINS)
TOGETHER = 5


def ticks_in(span: timedelta) -> int:
    """Return how many slots fit into `span`, rounded, at least one."""
    return max(1, round(span / SLOT))


def tick_at(moment: float) -> int:
    """Return the tick that the monotonic `moment` (seconds) lies in."""
    return int(moment * 1000) // _SLOT_MS


def moment_of(tick: int) -> float:
    """Return the monotonic moment in seconds at which a tick begins."""
    return tick * _SLOT_MS / 1000


def grain_of(every: timedelta, checks: int) -> int:
    """Return how many slots are best used as one, so that a few checks begin together.

    To wake a process costs more than a look, so a look is cheaper in company. Yet looks that begin together wait for each other, and
    their stopwatches feel it: the company stays small.
    """
    ticks = ticks_in(every)
    if checks * COARSEST < ticks:
        return 1
    return max(
        grain for grain in GRAINS if grain == 1 or (ticks % grain == 0 and checks * grain <= TOGETHER * ticks)
    )


def phase(key: CheckKey, every: timedelta) -> int:
    """Return the slot of a check within its interval: the same in every process and on every machine."""
    digest = blake2b(str(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest) % ticks_in(every)


def newest_turn(key: CheckKey, every: timedelta, moment: float) -> int:
    """Return the tick of the newest turn of a check that is not later than a monotonic moment, by its phase alone."""
    now = tick_at(moment)
    return now - (now - phase(key, every)) % ticks_in(every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A check that is due: at `tick`, its newest turn, after `passed` earlier ones that went by unused."""

    key: CheckKey
    tick: int
    passed: int = 0


class Timetable:
    """The checks of one interval in their slots.

    `grain` slots are used as one: a check begins at the last tick of those that its phase lies in. Adding and removing one check
    costs a look-up and a move within the list of occupied slots, however many checks there are.
    """

    def __init__(self, every: timedelta, grain: int = 1) -> None:
        self.every = every
        self.grain = grain
        self._count = ticks_in(every)
        self._keys: dict[int, dict[CheckKey, None]] = {}
        self._occupied: list[int] = []

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._keys.values())

    def __contains__(self, key: CheckKey) -> bool:
        return key in self._keys.get(self._slot(key), ())

    def add(self, key: CheckKey) -> None:
        """Give a check its slot; adding it again changes nothing."""
        slot = self._slot(key)
        if slot not in self._keys:
            self._keys[slot] = {}
            insort(self._occupied, slot)
        self._keys[slot][key] = None

    def remove(self, key: CheckKey) -> None:
        """Take a check out; one that is not here raises KeyError."""
        slot = self._slot(key)
        keys = self._keys[slot]
        del keys[key]
        if not keys:
            del self._keys[slot]
            del self._occupied[bisect_left(self._occupied, slot)]

    def regrained(self, grain: int) -> Timetable:
        """Return the same checks with so many slots as one."""
        table = Timetable(self.every, grain)
        for keys in self._keys.values():
            for key in keys:
                table.add(key)
        return table

    def following(self, tick: int) -> int | None:
        """Return the first tick after `tick` at which any check is due; None when there are no checks."""
        if not self._occupied:
            return None
        cycle, slot = divmod(tick, self._count)
        index = bisect_right(self._occupied, slot)
        if index == len(self._occupied):
            return (cycle + 1) * self._count + self._occupied[0]
        return cycle * self._count + self._occupied[index]

    def turns(self, first: int, last: int) -> Iterator[Turn]:
        """Give every check that is due in the ticks from `first` to `last`, each once, however long that was."""
        for slot in self._slots(first, last):
            newest = last - (last - slot) % self._count
            passed = (newest - first) // self._count
            for key in self._keys[slot]:
                yield Turn(key=key, tick=newest, passed=passed)

    def _slot(self, key: CheckKey) -> int:
        return -(-phase(key, self.every) // self.grain) * self.grain % self._count

    def _slots(self, first: int, last: int) -> list[int]:
        if last < first:
            return []
        if last - first + 1 >= self._count:
            return list(self._occupied)
        start, end = first % self._count, last % self._count
        low, high = bisect_left(self._occupied, start), bisect_right(self._occupied, end)
        if start <= end:
            return self._occupied[low:high]
        return self._occupied[low:] + self._occupied[:high]
