"""Looks and policies in letters, so that a test reads like the line of looks that it is about.

`O` ok, `N` a warning that only the staff cares for, `S` slow, `D` down, `?` our own trouble.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from monitor.health.advance import advance
from monitor.health.state import Attempts, Health, Policy, Transition
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome

CHECK = CheckKey(server=ServerId("gye1"), check="http")
START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
STEP = timedelta(seconds=15)

LETTERS = {
    "O": (Outcome.OK, None),
    "N": (Outcome.WARN, Cause.CERTIFICATE_ENDING),
    "S": (Outcome.WARN, Cause.SLOW),
    "D": (Outcome.DOWN, Cause.REFUSED),
    "?": (Outcome.UNKNOWN, Cause.OWN),
}


def policy(confirm: int = 3, recover: int = 2) -> Policy:
    """Return a policy with these attempts; failures are looked at again after 15 s, recoveries after 20 s."""
    return Policy(
        confirm=Attempts(attempts=confirm, retry=timedelta(seconds=15)),
        recover=Attempts(attempts=recover, retry=timedelta(seconds=20)),
    )


def at(step: int) -> datetime:
    """Return when the look number `step` begins."""
    return START + step * STEP


def look(letter: str, step: int) -> Observation:
    """Return the look that a letter stands for."""
    outcome, cause = LETTERS[letter]
    return Observation(
        check=CHECK, started_at=at(step), took_ms=12.5, outcome=outcome, cause=cause, found=letter
    )


def watch(
    letters: str, rules: Policy, health: Health | None = None, first: int = 0
) -> tuple[Health, list[Transition | None]]:
    """Return the health after these looks, and what each of them changed."""
    health = health or Health(check=CHECK)
    changes = []
    for step, letter in enumerate(letters.replace(" ", ""), start=first):
        health, change = advance(health, look(letter, step), rules)
        changes.append(change)
    return health, changes
