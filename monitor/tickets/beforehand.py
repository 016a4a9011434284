"""What is read at a helpdesk before, and after, something is written there, and what it means when that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from monitor.language import Language
from monitor.language.phrases import Phrase
from monitor.tickets.port import DeliveryError, Fate

Result = TypeVar("Result")
_TELLING = frozenset({Fate.NOT_SENT, Fate.FORBIDDEN, Fate.MISSING})


def beforehand(read: Callable[[], Result]) -> Result:
    """Return what is read before anything is written: whatever goes wrong with it has surely changed nothing."""
    try:
        return read()
    except DeliveryError as error:
        if error.fate in _TELLING:
            raise
        raise _as(Fate.NOT_SENT, error) from error


def afterwards(call: Callable[[], Result]) -> Result:
    """Return what is asked for after something was written: whatever goes wrong with it, that may stand."""
    try:
        return call()
    except DeliveryError as error:
        if error.fate is Fate.UNCERTAIN:
            raise
        raise _as(Fate.UNCERTAIN, error) from error


def _as(fate: Fate, error: DeliveryError) -> DeliveryError:
    return DeliveryError(fate, error.detail, retry_after=error.retry_after, remedy=error.remedy)


def inspected(flaws: Callable[[], Iterable[Phrase]], key: str) -> tuple[Phrase, ...]:
    """Return what is wrong; who is turned away learns no more than that, which the sentence `key` tells with its `detail`."""
    try:
        return tuple(flaws())
    except DeliveryError as error:
        if error.fate is not Fate.FORBIDDEN or error.remedy:
            raise
        return (Phrase(key, {"detail": error.detail}),)


class Fitness:
    """Lets no ticket be opened at a helpdesk that could not keep it or find it again.

    Once it was found fit it stays so for the life of this object: what it loses later is found by whoever inspects it.
    """

    def __init__(self, inspect: Callable[[], tuple[Phrase, ...]], language: Language) -> None:
        self._inspect = inspect
        self._language = language
        self._fit = False

    def require(self) -> None:
        """Raise DeliveryError with `forbidden` and the first flaw in words, so that operators hear of it and it is tried again."""
        if self._fit:
            return
        flaws = beforehand(self._inspect)
        if flaws:
            raise DeliveryError(Fate.FORBIDDEN, flaws[0].say(self._language))
        self._fit = True

    def doubt(self) -> None:
        """Inspect again before the next ticket is opened."""
        self._fit = False
