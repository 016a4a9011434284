"""The first start: nothing is opened before everything was looked at once; what is down then is told as ever (rule D14)."""

from __future__ import annotations

from datetime import datetime

from monitor.actions import people
from monitor.actions.append import append
from monitor.actions.picture import Picture
from monitor.checks import is_passive
from monitor.errors import RefusedError
from monitor.identifiers import CheckKey
from monitor.journal.entries import Entry, Kind, StationArmed
from monitor.store import deliveries, readings
from monitor.store.database import Transaction


def due(tx: Transaction, picture: Picture, moment: datetime) -> bool:
    """Is the first round over, or did a person end it?"""
    since = readings.learning_since(tx)
    return since is None or not awaited(picture, since, moment)


def awaited(picture: Picture, since: datetime, moment: datetime) -> tuple[CheckKey, ...]:
    """Return the checks whose first look the round still waits for: each for its interval and its timeout at the longest."""
    lived = picture.leaps.lived(since, moment)
    return tuple(
        key
        for key, plan in picture.plans.items()
        if not is_passive(plan.kind)
        and picture.health(key).looked_at is None
        and lived < plan.every + plan.timeout
    )


def end_round(tx: Transaction, picture: Picture, moment: datetime) -> bool:
    """Put on record that the first round is over, if it is; return whether things may be opened from now on."""
    if not due(tx, picture, moment):
        return False
    if readings.learning_since(tx) is not None:
        append(tx, (_armed("vigia", moment, early=False),), moment)
    return True


def arm(tx: Transaction, author: str, moment: datetime) -> int:
    """End the first round by a person's word, and the care of a restored directory; return how many deliveries are set free.

    Raises RefusedError when there is neither.
    """
    freed = deliveries.trust(tx, moment)
    learning = readings.is_learning(tx)
    if not learning and not freed:
        raise RefusedError("it is armed already: faults open incidents, and deliveries go out")
    if learning:
        append(tx, (_armed(people.author(author), moment, early=True),), moment)
    return freed


def _armed(actor: str, moment: datetime, *, early: bool) -> Entry:
    body = StationArmed(early=early)
    return Entry(kind=Kind.STATION_ARMED, moment=moment, actor=actor, subject="station", body=body)
