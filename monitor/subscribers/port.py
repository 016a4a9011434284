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


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to be said."""

    title: str
    body: str
    tone: Tone


class Messenger(Protocol):
    """One way to people. Calls block, for half a minute at most."""

    def tell(self, message: Message) -> bool:
        """Say it; return whether it was surely taken."""
