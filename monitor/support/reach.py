"""How customers reach people: the ways, the plans that have them, and what they are promised. As it was applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.support.escalation import Promise
from monitor.support.hours import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to reach people: `kind` is ticket, chat, phone or email. Every plan has it if `plans` names none."""

    kind: str
    plans: tuple[str, ...] = ()
    number: str = ""
    url: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What is said to customers about support. `plans` are the names of plans by their id, in each language.

    `average_over` is the time over which the average to answer is taken.
    """

    hours: Hours = field(default_factory=Hours)
    ways: tuple[Way, ...] = ()
    plans: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    promise: Promise = field(default_factory=Promise)
    average_over: timedelta = timedelta(days=30)
