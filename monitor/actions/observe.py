"""Looks come in: they are stored, judged, and what they change is decided, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.actions import ourselves
from monitor.actions.append import append
from monitor.actions.causes import note_onsets
from monitor.actions.picture import Picture
from monitor.actions.respond import respond
from monitor.health import flapping
from monitor.health.advance import advance, persist
from monitor.health.state import Health, Transition
from monitor.identifiers import CheckKey
from monitor.journal.entries import NumberedEntry
from monitor.observation import Cause, Observation
from monitor.store import observations as series
from monitor.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a batch of looks came to: the healths after it, and the entries that were appended."""

    healths: Mapping[CheckKey, Health]
    entries: tuple[NumberedEntry, ...]


def observe(tx: Transaction, picture: Picture, looks: Sequence[Observation], moment: datetime) -> Observed:
    """Store the looks and carry out what they confirm. Looks at checks that are no longer watched are left out.

    Streaks that moved are stored with the looks; healths that only became a look younger are left to `note_healths`, because
    nothing is decided by them.
    """
    watched = [look for look in looks if look.check in picture.plans and look.check in picture.numbers]
    series.record(tx, [(picture.numbers[look.check], look) for look in watched])
    healths, transitions = _judged(picture, watched)
    moved = [health for key, health in healths.items() if _moved(picture.health(key), health)]
    series.save_healths(tx, moved, picture.numbers)
    note_onsets(picture, healths)
    before, picture = picture, picture.heard(healths)
    told = before.stale.keys() - picture.stale.keys()
    restless = {
        key.server
        for key, health in healths.items()
        if key in told
        or flapping.turned(picture.health(key), health)
        or _is_hidden(picture.health(key)) != _is_hidden(health)
    }
    entries = (
        respond(tx, picture, healths, transitions, moment, restless=restless)
        if transitions or restless
        else []
    )
    if told or ourselves.turned(picture, healths):
        entries += ourselves.consider(tx, picture, healths, moment)
    return Observed(healths=healths, entries=append(tx, entries, moment))


def note_healths(tx: Transaction, picture: Picture, keys: Iterable[CheckKey]) -> None:
    """Store how the named checks stand, so that readers see their newest look."""
    series.save_healths(tx, [picture.healths[key] for key in keys if key in picture.healths], picture.numbers)


def _judged(
    picture: Picture, looks: Sequence[Observation]
) -> tuple[dict[CheckKey, Health], tuple[Transition, ...]]:
    healths: dict[CheckKey, Health] = {}
    transitions: list[Transition] = []
    for look in looks:
        before = healths.get(look.check) or picture.health(look.check)
        healths[look.check], transition = advance(before, look, picture.plans[look.check].policy)
        if _is_of_a_window(picture, look) and healths[look.check] is not before:
            healths[look.check] = persist(healths[look.check])
        if transition is not None:
            transitions.append(transition)
    return healths, tuple(transitions)


def _is_of_a_window(picture: Picture, look: Observation) -> bool:
    """Did a look begin before a window ended that has ended since? It is judged by its own time, not by its arrival (rule M5)."""
    quiet_until = picture.quiet_until.get(look.check.server)
    return quiet_until is not None and look.started_at < quiet_until


def _moved(before: Health, after: Health) -> bool:
    """Is there more to it than a younger look?"""
    young = replace(
        before,
        looked_at=after.looked_at,
        last_ok_at=after.last_ok_at,
        outcome=after.outcome,
        cause=after.cause,
        found=after.found,
        took_ms=after.took_ms,
        sequence=after.sequence,
    )
    return before.looked_at is None or young != after or _is_hidden(before) != _is_hidden(after)


def _is_hidden(health: Health) -> bool:
    """Did our blocked view hide what the newest look would have seen?"""
    return health.cause is Cause.ISOLATED
