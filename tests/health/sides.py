"""The judgement of one check and the reference model, driven by the same events and compared after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType

from monitor.health.advance import Level, advance, persist, wants_retry
from monitor.health.blindness import BLIND_AFTER, is_blind
from monitor.health.state import Health
from monitor.health.words import State
from tests.health.looks import CHECK, at, look, policy
from tests.health.reference import Event, Look, Policy, Restart, Stand, WindowEnds, stand

FIRST = Policy(attempts=3, recoveries=2)


@dataclass(frozen=True)
class Real:
    """What the product holds of the check, and what its newest step confirmed."""

    health: Health = field(default_factory=lambda: Health(check=CHECK))
    rules: Policy = FIRST
    told: tuple[str, str, object] | None = None


def step(real: Real, event: Event) -> Real:
    """Let the product take one event."""
    if isinstance(event, Policy):
        return replace(real, rules=event, told=None)
    if isinstance(event, Restart):
        return replace(real, health=replace(real.health, sequence=0), told=None)
    if isinstance(event, WindowEnds):
        return replace(real, health=persist(real.health), told=None)
    seen = replace(
        look(event.letter, 0), started_at=event.began, sequence=event.number, doubtful=event.doubtful
    )
    health, change = advance(real.health, seen, policy(*real.rules))
    told = None if change is None else (change.before, change.after, change.since)
    return replace(real, health=health, told=told)


def differences(real: Real, model: Stand) -> dict[str, tuple[object, object]]:
    """Return what the product holds and the model does not agree with, by name."""
    health = real.health
    newest = model.newest
    pairs: dict[str, tuple[object, object]] = {
        "told": (real.told, model.told),
        "confirmed": (health.confirmed.value, model.word),
        "state": (health.state.value, model.state),
        "since": (health.since, model.since),
        "persisting": (health.persisting, model.persisting),
        "flapping since": (health.flapping_since, model.flapping_since),
        "last ok": (health.last_ok_at, model.last_ok_at),
        "newest look": (health.looked_at, None if newest is None else newest.began),
        "is blind": (is_blind(health), model.unknowns >= BLIND_AFTER),
        "felt": (health.felt, model.held in (2, 3)),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]} | contradictions(health)


def contradictions(health: Health) -> dict[str, tuple[object, object]]:
    """Return what a health says that cannot be together."""
    levels = [doubt.level for doubt in health.doubts]
    pairs = {
        "a confirmed word": (health.confirmed in (State.SUSPECT, State.RECOVERING), False),
        "looks of the streak": (health.streak, len(levels)),
        "of them down": (health.hard, levels.count(Level.DOWN)),
        "start of the streak": (health.streak_since, health.doubts[0].at if levels else None),
        "hurried while in doubt": (wants_retry(health) or not levels, True),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def disagreement(events: Sequence[Event]) -> str:
    """Return where the two sides part first, empty if nowhere."""
    real = Real()
    for done, event in enumerate(events, start=1):
        real = step(real, event)
        if found := differences(real, stand(events[:done], *FIRST)):
            return f"after {list(events[:done])}: {found}"
    return ""


def shortest(events: Sequence[Event]) -> list[Event]:
    """Return what is left of events that the sides disagree about when each that can go is gone."""
    left = list(events)
    tried = 0
    while tried < len(left):
        fewer = left[:tried] + left[tried + 1 :]
        if disagreement(fewer):
            left = fewer
        else:
            tried += 1
    return left


LETTERS: Mapping[str, Callable[[int], Event]] = MappingProxyType(
    {
        "ok": lambda step: Look("O", at(step), step),
        "down": lambda step: Look("D", at(step), step),
        "unknown": lambda step: Look("?", at(step), step),
        "late": lambda _step: Look("D", at(-1)),
        "window ends": lambda _step: WindowEnds(),
        "restart": lambda _step: Restart(),
    }
)
SHADES: Mapping[str, Callable[[int], Event]] = MappingProxyType(
    {
        "ok": LETTERS["ok"],
        "noted": lambda step: Look("N", at(step), step),
        "slow": lambda step: Look("S", at(step), step),
        "down": LETTERS["down"],
        "down in doubt": lambda step: Look("D", at(step), step, doubtful=True),
        "late": LETTERS["late"],
        "window ends": LETTERS["window ends"],
    }
)


def every_sequence(letters: Mapping[str, Callable[[int], Event]], length: int, rules: Policy = FIRST) -> int:
    """Compare the sides after every sequence of up to so many of these letters; return how many sequences that were.

    Raises AssertionError with the sequence where they part.
    """

    def descend(real: Real, before: tuple[Event, ...]) -> int:
        if len(before) == length:
            return 0
        ends = 0
        for make in letters.values():
            events = (*before, make(len(before) + 1))
            after = step(real, events[-1])
            found = differences(after, stand(events, *rules))
            if found:
                raise AssertionError(f"after {events}: {found}")
            ends += 1 + descend(after, events)
        return ends

    return descend(Real(rules=rules), ())


def line(random: Random, length: int) -> list[Event]:
    """Return events of chance: mostly looks in their order, some late, some by a clock that was set back, windows, restarts, policies."""
    events: list[Event] = []
    moment, number = 0, 0
    for _ in range(length):
        kind = random.random()
        if kind < 0.04:
            events.append(WindowEnds())
        elif kind < 0.06:
            events.append(Policy(random.randint(1, 5), random.randint(1, 4)))
        elif kind < 0.08:
            events.append(Restart())
            number = 0
        elif kind < 0.14:
            behind = random.randint(0, 5)
            events.append(Look(random.choice("ONSD?"), at(moment - behind), random.randint(0, number)))
        else:
            moment += -random.randint(1, 9) if kind < 0.16 else random.randint(1, 3)
            number += 1
            letter = random.choice("OOOONSSDDDDD??") if kind < 0.8 else random.choice("OD")
            events.append(Look(letter, at(moment), number, random.random() < 0.1))
    return events
