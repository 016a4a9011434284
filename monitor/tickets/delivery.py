"""The life of one delivery, as a table of moves and one function an event.

Nobody gives exactly-once over a network. What this machine gives is sending at least once with the duplicates
prevented: an action whose fate is unknown is looked up, and a ticket is created again only when a look-up after
`search_lag` has found nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.journal.consequences import DeliveryState
from monitor.tickets.port import Action, DeliveryError, Fate

LONGEST_BACK_OFF = timedelta(minutes=5)
FORBIDDEN_PAUSE = timedelta(minutes=5)
LONGEST_ASKED_PAUSE = timedelta(minutes=15)
FALLBACK_AFTER = timedelta(seconds=60)
_ATTEMPTS_BORNE = 3
_POLLS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 45))
_POLL_EVERY = timedelta(seconds=60)
_LONGEST_DOUBT = timedelta(days=1)


class Step(StrEnum):
    """What is to be done next with a delivery that is due."""

    SEND = "send"
    LOOK = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What may be done about a delivery whose fate is unknown.

    `searchable`: its effect can be seen from outside (a comment's cannot, nor a message's). `careful`: it is looked up before
    every sending but the first, because done twice it would be two tickets. `search_lag`: how long its effect may be hidden.
    """

    searchable: bool
    careful: bool
    search_lag: timedelta


BLIND = Manner(searchable=False, careful=False, search_lag=timedelta(0))


def manner_of(action: Action, search_lag: timedelta | None) -> Manner:
    """Return how a ticket's action is treated when nobody knows what became of it; without a lag nothing can be looked up."""
    if action is Action.COMMENT or search_lag is None:
        return BLIND
    return Manner(searchable=True, careful=action is Action.CREATE, search_lag=search_lag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """How far one delivery has come.

    `attempts` counts sendings and look-ups that failed. `sent_at` is the last moment at which something of ours may
    have been under way with unknown fate; None when everything before is known to have had no effect.
    """

    state: DeliveryState
    due: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    detail: str = ""


_S = DeliveryState
MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _S.READY: frozenset({_S.CLAIMED, _S.DONE}),
    _S.CLAIMED: frozenset({_S.SENDING, _S.READY, _S.DONE, _S.REJECTED}),
    _S.SENDING: frozenset({_S.DONE, _S.RETRY, _S.AMBIGUOUS, _S.REJECTED}),
    _S.RETRY: frozenset({_S.CLAIMED, _S.LOOKUP, _S.DONE}),
    _S.AMBIGUOUS: frozenset({_S.LOOKUP, _S.CLAIMED}),
    _S.LOOKUP: frozenset({_S.DONE, _S.READY, _S.AMBIGUOUS, _S.RETRY, _S.REJECTED}),
    _S.REJECTED: frozenset({_S.RETRY}),
    _S.DONE: frozenset(),
}


def next_step(parcel: Parcel, manner: Manner) -> Step:
    """Return whether a delivery that is due may be sent or must be looked up first."""
    if parcel.state is _S.AMBIGUOUS and manner.searchable:
        return Step.LOOK
    return Step.LOOK if parcel.state is _S.RETRY and manner.careful else Step.SEND


def after_claim(parcel: Parcel, step: Step) -> Parcel:
    """The delivery is ours: nothing has left the house yet."""
    return _moved(parcel, _S.CLAIMED if step is Step.SEND else _S.LOOKUP)


def after_begin(parcel: Parcel, now: datetime) -> Parcel:
    """The attempt is on record and the first byte may leave."""
    return replace(_moved(parcel, _S.SENDING), attempts=parcel.attempts + 1, sent_at=now)


def after_success(parcel: Parcel, detail: str = "") -> Parcel:
    """The other side has confirmed it, or there is nothing left to do; this is final."""
    return replace(_moved(parcel, _S.DONE), detail=detail)


def after_error(
    parcel: Parcel, manner: Manner, error: DeliveryError, *, now: datetime, chance: float
) -> Parcel:
    """An attempt was not confirmed; `chance` (0.0 to 1.0) spreads the retries of many deliveries."""
    told = replace(parcel, detail=error.detail)
    match error.fate:
        case Fate.REFUSED:
            return _moved(told, _S.REJECTED)
        case Fate.CONFLICT | Fate.MISSING if parcel.attempts >= _ATTEMPTS_BORNE:
            return _moved(told, _S.REJECTED)
        case Fate.UNCERTAIN | Fate.CONFLICT if manner.searchable:
            return replace(
                _moved(told, _S.AMBIGUOUS), sent_at=now, due=_next_poll(now, now, manner.search_lag)
            )
        case Fate.UNCERTAIN | Fate.CONFLICT:
            return replace(
                _moved(told, _S.RETRY), sent_at=now, due=now + pause(parcel.attempts, error, chance)
            )
        case Fate.NOT_SENT | Fate.FORBIDDEN | Fate.MISSING:
            return replace(
                _moved(told, _S.RETRY), sent_at=None, due=now + pause(parcel.attempts, error, chance)
            )


def after_lookup(parcel: Parcel, manner: Manner, now: datetime) -> Parcel:
    """A look-up found no sign of it: send only if it can no longer be hidden, else look again."""
    if parcel.sent_at is None or now >= parcel.sent_at + manner.search_lag:
        return replace(_moved(parcel, _S.READY), due=now)
    return replace(_moved(parcel, _S.AMBIGUOUS), due=_next_poll(parcel.sent_at, now, manner.search_lag))


def after_lookup_error(parcel: Parcel, error: DeliveryError, *, now: datetime, chance: float) -> Parcel:
    """The look-up itself failed: nothing was learnt, so nothing may be sent."""
    attempts = parcel.attempts + 1
    doubt = parcel.sent_at is not None
    due = now + pause(attempts, error, chance, _POLL_EVERY if doubt else LONGEST_BACK_OFF)
    state = _S.AMBIGUOUS if doubt else _S.RETRY
    return replace(_moved(parcel, state), attempts=attempts, due=due, detail=error.detail)


def after_misfit(parcel: Parcel, detail: str) -> Parcel:
    """No order can be made of it: that is our own fault, and waiting will not mend it."""
    return replace(_moved(parcel, _S.REJECTED), detail=detail)


def after_doubt(parcel: Parcel, now: datetime, detail: str) -> Parcel:
    """A look-up found nothing, which proves nothing as things are: look on for a day, and leave it to a person then."""
    if parcel.sent_at is None or now >= parcel.sent_at + _LONGEST_DOUBT:
        return replace(_moved(parcel, _S.REJECTED), detail=detail)
    return replace(_moved(parcel, _S.AMBIGUOUS), due=now + _POLL_EVERY, detail=detail)


def after_crash(parcel: Parcel, now: datetime) -> Parcel:
    """The process died in the middle. What was being sent may have arrived at any moment until now."""
    match parcel.state:
        case DeliveryState.SENDING:
            return replace(_moved(parcel, _S.AMBIGUOUS), sent_at=now, due=now)
        case DeliveryState.CLAIMED:
            return replace(_moved(parcel, _S.READY), due=now)
        case DeliveryState.LOOKUP:
            return replace(_moved(parcel, _S.RETRY if parcel.sent_at is None else _S.AMBIGUOUS), due=now)
        case _:
            return parcel


def pause(
    attempts: int, error: DeliveryError, chance: float, longest: timedelta = LONGEST_BACK_OFF
) -> timedelta:
    """Return how long to wait: 2^attempts seconds and at most `longest`, give or take 20 %, and never less than asked for."""
    if error.fate in (Fate.FORBIDDEN, Fate.REFUSED):
        return FORBIDDEN_PAUSE
    back_off = min(longest, timedelta(seconds=2 ** min(attempts, 16)))
    asked = min(error.retry_after or timedelta(0), LONGEST_ASKED_PAUSE)
    return max(back_off * (0.8 + 0.4 * chance), asked)


def is_alarming(error: DeliveryError) -> bool:
    """Does this need a person? A refusal, or credentials or an address that are wrong, will not heal by waiting."""
    return error.fate in (Fate.FORBIDDEN, Fate.REFUSED)


def told_by_creation(waiting: Sequence[Action]) -> tuple[bool, ...]:
    """Return which of the actions that waited behind a creation its text has told already, in their order.

    A ticket that is made late tells the whole story so far. Only a resolution that still holds remains to be done.
    """
    reopened_last = max(
        (place for place, action in enumerate(waiting) if action is Action.REOPEN), default=-1
    )
    return tuple(
        action is not Action.RESOLVE or place < reopened_last for place, action in enumerate(waiting)
    )


def _next_poll(sent_at: datetime, now: datetime, search_lag: timedelta) -> datetime:
    """5, 10, 30, then every 60 seconds apart, and once just when nothing can be hidden any more."""
    waited = now - sent_at
    rounds = waited // _POLL_EVERY
    later = [_POLLS[-1] + _POLL_EVERY * (rounds + ahead) for ahead in range(3)]
    moments = (sent_at + wait for wait in (*_POLLS, *later, search_lag) if wait > waited)
    return min(moments)


def _moved(parcel: Parcel, state: DeliveryState) -> Parcel:
    if state not in MOVES[parcel.state]:
        raise ValueError(f"a delivery that is {parcel.state} cannot become {state}")
    return replace(parcel, state=state)
