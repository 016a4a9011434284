"""What a channel to people can do for us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Tone(StrEnum):
    """How a message is meant, for channels that show it by a colour or a sign."""

    ALARM = "alarm"
    WARNING = "warning"
    RELIEF = "relief"


class Reach(StrEnum):
    """Whom a message has reached. `failed`: somebody may have it and somebody surely lacks it, so try again."""

    EVERYBODY = "everybody"
    NOBODY_ASKED = "nobody_asked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to be said; `key` is the same for every attempt at it."""

    key: str
    title: str
    body: str
    tone: Tone


class Messenger(Protocol):
    """A channel to people. Calls block, for half a minute at most."""

    def tell(self, message: Message) -> Reach:
        """Say it to everybody who asked to be told, and to nobody twice if that can be avoided."""
