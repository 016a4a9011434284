"""What the house knows of its clock's leaps, and how much time was lived in between. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Leap:
    """The clock of the house went from `left` to `entered` and we saw nothing of what was in between.

    It was stepped, or we `slept` (or were not there at all) and the time really passed.
    """

    left: datetime
    entered: datetime
    slept: bool = False

    @property
    def by(self) -> timedelta:
        """How far it went."""
        return self.entered - self.left


@dataclass(frozen=True, slots=True)
class Leaps:
    """The newest leaps of the house's clock, oldest first."""

    known: tuple[Leap, ...] = ()

    def and_then(self, leap: Leap) -> Leaps:
        """Return them with one more; those of long ago are forgotten."""
        return Leaps((*self.known, leap)[-_REMEMBERED:])

    def lived(self, since: datetime, until: datetime) -> timedelta:
        """Return how long we were there between two moments of the house's clock, never less than nothing.

        Once the clock was set back the same moment comes twice: then `since` is taken for the later one.
        """
        return max(_between(self.known, since, until), timedelta(0))

    def passed(self, since: datetime, until: datetime) -> timedelta:
        """Return how much time went by between two moments, our sleep included; below zero if `since` lies in a future of no explanation."""
        return _between([leap for leap in self.known if not leap.slept], since, until)


def _between(leaps: Sequence[Leap], since: datetime, until: datetime) -> timedelta:
    total = timedelta(0)
    for leap in reversed(leaps):
        if leap.entered > until:
            continue
        if leap.entered <= since <= until:
            break
        total += until - leap.entered
        until = leap.left
    return total + (until - since)
