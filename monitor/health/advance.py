"""How one look moves a check's health: suspicion, confirmation, recovery.

Looks and confirmed states share one ladder: fine, a warning for the staff, a warning that users feel, down. Two
sentences then say everything (rules D2, D9 and D11):

- `confirm.attempts` looks in a row that are all worse than what is confirmed confirm the mildest of them;
- `recover.attempts` looks in a row that are all better than what is confirmed confirm the worst of them.

A look that is `unknown` is our own trouble: it neither raises nor resets a streak. A look that is older than the
newest one judged comes too late to change the present. Looks are numbered, because their times may go back with the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from monitor.health import flapping
from monitor.health.blindness import after_unknown
from monitor.health.state import Attempts, Doubt, Health, Policy, Transition, changed
from monitor.health.words import State
from monitor.observation import Cause, Observation, Outcome

# Slowness is felt by those who use a server; so is what a plugin warns of by its exit status 1. Every other warning
# (a certificate near its end, a disk that fills) is a matter of the staff.
FELT_WARNINGS = frozenset({Cause.SLOW, Cause.STATUS})


# So many more looks confirm a failure while some of our sentinels do not answer.
IN_DOUBT = 2


class Level(IntEnum):
    """How bad a look, or a confirmed state, is."""

    FINE = 0
    NOTED = 1
    FELT = 2
    DOWN = 3


class _Way(Enum):
    """Which way a look points from what is confirmed."""

    WORSE = "worse"
    BETTER = "better"


def advance(health: Health, observation: Observation, policy: Policy) -> tuple[Health, Transition | None]:
    """Return the health after one more look, and the change that this look confirms, if it does.

    The first look at all that is `ok` confirms `up` by itself; nothing else is taken on a single word.
    """
    if _is_late(health, observation):
        return health, None
    seen = _seen(health, observation)
    if observation.outcome is Outcome.UNKNOWN:
        return after_unknown(seen, observation.started_at), None
    found = _level(observation)
    seen = flapping.after_look(seen, well=found < Level.FELT, at=observation.started_at)
    doubted = _doubted(seen, found, observation.started_at)
    level = _verdict(doubted, _cautious(policy) if observation.doubtful else policy)
    if level is None:
        return doubted, None
    return _confirmed(health, doubted, level, observation)


def persist(health: Health) -> Health:
    """Return the health at the end of a window: nothing seen in it counts towards a confirmation (rules M1, M2).

    A failure that is confirmed stays so, and has to be confirmed anew by fresh looks before it opens an incident.
    """
    failing = health.confirmed in (State.DEGRADED, State.DOWN)
    return _with_doubts(changed(flapping.at_rest(health), persisting=failing, state=health.confirmed), ())


def wants_retry(health: Health) -> bool:
    """Is a change on its way, so that the next look should come after the retry gap instead of a whole interval?"""
    return health.persisting or health.state in (State.SUSPECT, State.RECOVERING)


def retry_gap(health: Health, policy: Policy) -> timedelta:
    """Return how long after this look the next one should come while a change is on its way."""
    return _attempts(health, policy).retry


def _is_late(health: Health, observation: Observation) -> bool:
    """Is it older than the newest look that was judged, or the same?

    Either its number or its time shows that it is not: a clock that is set back makes a young look seem old, and somebody else
    who looks from now on may count from one again. Before this process judged any, a number says enough.
    """
    if observation.sequence > health.sequence:
        return False
    return health.looked_at is not None and observation.started_at <= health.looked_at


def _seen(health: Health, observation: Observation) -> Health:
    known = observation.outcome is not Outcome.UNKNOWN
    return changed(
        health,
        unknowns=0 if known else health.unknowns,
        unknown_since=None if known else health.unknown_since,
        looked_at=observation.started_at,
        outcome=observation.outcome,
        cause=observation.cause,
        found=observation.found,
        took_ms=observation.took_ms,
        last_ok_at=observation.started_at if observation.outcome is Outcome.OK else health.last_ok_at,
        sequence=observation.sequence,
    )


def _level(observation: Observation) -> Level:
    if observation.outcome is Outcome.OK:
        return Level.FINE
    if observation.outcome is Outcome.DOWN:
        return Level.DOWN
    return Level.FELT if observation.cause in FELT_WARNINGS else Level.NOTED


def _standing(health: Health) -> Level:
    """Return the step of the ladder that is confirmed; a check nobody has seen yet begins at the top."""
    if health.confirmed is State.DOWN:
        return Level.DOWN
    if health.confirmed is State.DEGRADED:
        return Level.FELT if health.felt else Level.NOTED
    return Level.FINE


def _way(health: Health, level: Level) -> _Way | None:
    """Tell which way a look points; None when it agrees with what is confirmed."""
    if health.persisting or health.confirmed is State.UNKNOWN:
        return _Way.BETTER if level is Level.FINE else _Way.WORSE
    if level == _standing(health):
        return None
    return _Way.WORSE if level > _standing(health) else _Way.BETTER


def _doubted(health: Health, level: Level, at: datetime) -> Health:
    """Return the health with this look added to the streak, or with a streak begun or ended by it."""
    way = _way(health, level)
    if way is None:
        return _with_doubts(changed(health, state=health.confirmed), ()) if health.doubts else health
    before = _Way.BETTER if health.state is State.RECOVERING else _Way.WORSE
    kept = health.doubts if way is before else ()
    state = _state_on(health, way)
    return _with_doubts(changed(health, state=state), (*kept, Doubt(level=level, at=at)))


def _state_on(health: Health, way: _Way) -> State:
    if way is _Way.BETTER:
        return State.RECOVERING
    # After a window a failure is being confirmed anew: it is no suspicion, it goes on.
    return health.confirmed if health.persisting else State.SUSPECT


def _with_doubts(health: Health, doubts: tuple[Doubt, ...]) -> Health:
    return changed(
        health,
        doubts=doubts,
        streak=len(doubts),
        hard=sum(doubt.level == Level.DOWN for doubt in doubts),
        streak_since=doubts[0].at if doubts else None,
    )


def _cautious(policy: Policy) -> Policy:
    """Return the policy for a look that was made while we saw only in part (rule D4)."""
    return replace(policy, confirm=replace(policy.confirm, attempts=policy.confirm.attempts + IN_DOUBT))


def _attempts(health: Health, policy: Policy) -> Attempts:
    return policy.recover if health.state is State.RECOVERING else policy.confirm


def _verdict(health: Health, policy: Policy) -> Level | None:
    """Return the level that the streak confirms; None while it is too short."""
    if not health.doubts:
        return None
    better = health.state is State.RECOVERING
    needed = 1 if better and health.confirmed is State.UNKNOWN else _attempts(health, policy).attempts
    newest = [doubt.level for doubt in health.doubts[-needed:]]
    if len(newest) < needed:
        return None
    return Level(max(newest) if better else min(newest))


def _confirmed(
    before: Health, doubted: Health, level: Level, observation: Observation
) -> tuple[Health, Transition]:
    after = _state_of(level)
    # What the window hid went on all the while: it keeps the moment at which it began.
    goes_on = before.persisting and level == _standing(before)
    since = before.since if goes_on and before.since else _since(doubted, level)
    settled = changed(
        doubted, confirmed=after, since=since, felt=level >= Level.FELT, persisting=False, state=after
    )
    transition = Transition(
        check=before.check,
        before=before.confirmed,
        after=after,
        since=since,
        observation=observation,
        last_ok_at=before.last_ok_at,
    )
    return _carried(settled, doubted, level), transition


def _state_of(level: Level) -> State:
    if level is Level.FINE:
        return State.UP
    return State.DOWN if level is Level.DOWN else State.DEGRADED


def _since(health: Health, level: Level) -> datetime:
    """Return the start of the streak's unbroken end whose looks are all at least as far as `level`."""
    better = health.state is State.RECOVERING
    return _tail(health.doubts, lambda doubt: doubt.level <= level if better else doubt.level >= level)[0].at


def _carried(settled: Health, doubted: Health, level: Level) -> Health:
    """Return the settled health with the looks that already point beyond it, so that none has to be made twice."""
    better = doubted.state is State.RECOVERING
    beyond = _tail(doubted.doubts, lambda doubt: doubt.level < level if better else doubt.level > level)
    if not beyond:
        return _with_doubts(settled, ())
    state = State.RECOVERING if better else State.SUSPECT
    return _with_doubts(changed(settled, state=state), beyond)


def _tail(doubts: tuple[Doubt, ...], holds: Callable[[Doubt], bool]) -> tuple[Doubt, ...]:
    """Return the unbroken end of `doubts` for whose every look `holds` is true."""
    begin = len(doubts)
    while begin and holds(doubts[begin - 1]):
        begin -= 1
    return doubts[begin:]
