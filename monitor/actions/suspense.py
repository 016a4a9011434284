"""What waits between two transactions: servers whose failure is not told yet, and looks that are asked for.

It only asks for more looks and more thought, so a transaction that fails costs nothing; and what it holds follows from the healths,
so that a new process finds it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.health.state import Health
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.parents import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """What was found of servers that fail: the place of each, what is out above it, and with whom it is told of.

    `parties` names for servers of a burst the open incident that they join, or the name of one that they open together. `holds`
    tells since when each server waits that does. `look_at` and `again` are checks to be looked at now, and after a while; `healths` those
    that have to be confirmed anew.
    """

    places: Mapping[ServerId, Place] = field(default_factory=dict)
    out: Mapping[ServerId, tuple[ServerId, ...]] = field(default_factory=dict)
    parties: Mapping[ServerId, str] = field(default_factory=dict)
    holds: Mapping[ServerId, datetime] = field(default_factory=dict)
    look_at: tuple[CheckKey, ...] = ()
    again: tuple[tuple[CheckKey, timedelta], ...] = ()
    healths: Mapping[CheckKey, Health] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Suspense:
    """`holds` are the servers to be thought of again soon, each since when it waits, `onsets` when servers came under suspicion. `anew` are
    healths to be taken over after the commit, `look_at` and `again` the looks that are asked for.
    """

    holds: dict[ServerId, datetime] = field(default_factory=dict)
    onsets: dict[ServerId, datetime] = field(default_factory=dict)
    anew: dict[CheckKey, Health] = field(default_factory=dict)
    look_at: dict[CheckKey, None] = field(default_factory=dict)
    again: dict[CheckKey, timedelta] = field(default_factory=dict)

    def note(
        self, considered: Iterable[ServerId], waiting: Mapping[ServerId, datetime], causes: Causes
    ) -> None:
        """Take in what was found of servers: those that do not wait any more are let go."""
        for server in considered:
            self.holds.pop(server, None)
        self.holds.update(waiting)
        self.anew.update(causes.healths)
        self.look_at.update(dict.fromkeys(causes.look_at))
        self.again.update(causes.again)

    def taken_anew(self) -> Mapping[CheckKey, Health]:
        """Hand over the healths that have to be confirmed anew."""
        anew, self.anew = self.anew, {}
        return anew

    def taken_looks(self) -> tuple[tuple[CheckKey, ...], tuple[tuple[CheckKey, timedelta], ...]]:
        """Hand over the checks to be looked at at once, and those after a while."""
        look_at, again = tuple(self.look_at), tuple(self.again.items())
        self.look_at, self.again = {}, {}
        return look_at, again
