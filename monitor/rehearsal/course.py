"""One check's looks of the past, judged anew by the very functions that judge the present.

Most looks of most checks change nothing. A look that left a health as it was but for its newest look will do so again: the
rest of a row of looks that found the same is leapt over, and only the last of them is judged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from monitor.health.advance import advance, persist
from monitor.health.flapping import LOOKS, lasts
from monitor.health.state import Health, Policy, Transition
from monitor.identifiers import CheckKey
from monitor.observation import Observation

# What every look writes anew; whatever else a health holds decides what the next look does.
_NEWEST = frozenset({"check", "looked_at", "outcome", "cause", "found", "took_ms", "last_ok_at", "sequence"})
_held = attrgetter(*(field.name for field in fields(Health) if field.name not in _NEWEST))
_found = attrgetter("outcome", "cause")
_started_at = attrgetter("started_at")
# What a server's judgement rests on.
_weighed = attrgetter("confirmed", "felt", "persisting", "flapping_since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A moment at which a check's health came to weigh otherwise for its server.

    `transition` is the change that a look confirmed; None at the end of a window.
    """

    at: datetime
    health: Health
    transition: Transition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a check fared: its turns, oldest first, and its health after the last look."""

    turns: tuple[Turn, ...]
    health: Health


def replay(check: CheckKey, looks: Sequence[Observation], policy: Policy, ends: Iterable[datetime]) -> Course:
    """Return how a check of which nothing was known fared under `policy`.

    `looks` stand in the order in which they came; `ends` are the ends of the windows of its server, oldest first. A look
    belongs to the time in which it began, and is judged when it ends.
    """
    course = _Course(check)
    timely = tuple(_timely(looks))
    begin = 0
    for end in ends:
        stop = bisect_left(timely, end, begin, key=_started_at)
        course.look(timely[begin:stop], policy)
        course.leave_window(end)
        begin = stop
    course.look(timely[begin:], policy)
    return Course(turns=tuple(course.turns), health=course.health)


def settles_within(policy: Policy) -> int:
    """Return after how many healthy looks in a row one more of them changes nothing, whatever was before."""
    return max(policy.confirm.attempts, policy.recover.attempts) + LOOKS


def _timely(looks: Iterable[Observation]) -> Iterator[Observation]:
    """Leave out what came too late to change the present of its time."""
    newest: datetime | None = None
    for look in looks:
        if newest is None or look.started_at > newest:
            newest = look.started_at
            yield look


class _Course:
    """A course under way."""

    def __init__(self, check: CheckKey) -> None:
        self.health = Health(check=check)
        self.turns: list[Turn] = []

    def look(self, looks: Sequence[Observation], policy: Policy) -> None:
        for _, some in groupby(looks, key=_found):
            self._look_alike(tuple(some), policy)

    def leave_window(self, end: datetime) -> None:
        if self.health.looked_at is not None:
            self._turn(end, persist(self.health), None)

    def _look_alike(self, looks: tuple[Observation, ...], policy: Policy) -> None:
        """Judge looks that found the same."""
        for left, look in enumerate(looks, 1 - len(looks)):
            before = self.health
            health, transition = advance(before, look, policy)
            self._turn(_judged_at(look), health, transition)
            if left < -1 and transition is None and _is_settled(before, health):
                health, transition = advance(health, looks[-1], policy)
                self._turn(_judged_at(looks[-1]), health, transition)
                return

    def _turn(self, at: datetime, health: Health, transition: Transition | None) -> None:
        if transition is not None or _weighs_otherwise(self.health, health):
            # A check is looked at by one look at a time; should two overlap, they are judged in their order all the same.
            at = max(at, self.turns[-1].at) if self.turns else at
            self.turns.append(Turn(at=at, health=health, transition=transition))
        self.health = health


def _is_settled(before: Health, after: Health) -> bool:
    """Did a look leave all as it was? While a check comes and goes, time alone makes it weigh otherwise."""
    return not after.flapping and _held(before) == _held(after)


def _weighs_otherwise(before: Health, after: Health) -> bool:
    if _weighed(before) != _weighed(after):
        return True
    return after.flapping and lasts(before) != lasts(after)


def _judged_at(look: Observation) -> datetime:
    return look.started_at + timedelta(milliseconds=look.took_ms)
