"""Two ways to judge the same past, side by side: what each would have told, how soon, and where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.fleet import CheckPlan, Fleet, Server
from monitor.health.state import Transition
from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import Audience
from monitor.maintenance.window import Window
from monitor.rehearsal.alarms import Alarm, alarms
from monitor.rehearsal.course import Course

_BADNESS = {State.UNKNOWN: 0, State.UP: 0, State.DEGRADED: 1, State.DOWN: 2}


class What(StrEnum):
    """What other settings do about a trouble: tell of it alone, keep silent about it, or tell of it otherwise."""

    RAISED = "raised"
    AVOIDED = "avoided"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """A stretch in which a check came and went too often; `ended_at` is None if it still did at the end."""

    check: CheckKey
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one set of settings would have told, and how long it would have taken to be sure of each failure of a check.

    A delay lasts from the beginning of the first failing look to the end of the one that confirmed it.
    """

    alarms: tuple[Alarm, ...]
    delays: tuple[timedelta, ...]
    flapping: tuple[Flapping, ...]

    @property
    def incidents(self) -> tuple[Alarm, ...]:
        """What customers would have been told."""
        return tuple(one for one in self.alarms if one.incident.audience is Audience.PUBLIC)

    @property
    def warnings(self) -> tuple[Alarm, ...]:
        """What only operators would have been told."""
        return tuple(one for one in self.alarms if one.incident.audience is Audience.OPERATORS)

    @property
    def median_delay(self) -> timedelta | None:
        """The delay in the middle, None if nothing failed."""
        return sorted(self.delays)[len(self.delays) // 2] if self.delays else None

    @property
    def worst_delay(self) -> timedelta | None:
        """The longest delay, None if nothing failed."""
        return max(self.delays, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Alarms about the same trouble that are not alike: those of the settings in force, and those of the proposed ones.

    One side is empty where only the other would have told anything.
    """

    in_force: tuple[Alarm, ...]
    proposed: tuple[Alarm, ...]

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The alarms of both."""
        return (*self.in_force, *self.proposed)

    @property
    def first(self) -> Alarm:
        """The alarm that began first."""
        return min(self.alarms, key=_beginning)

    @property
    def what(self) -> What:
        """What the proposed settings come to."""
        if not self.in_force:
            return What.RAISED
        return What.CHANGED if self.proposed else What.AVOIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """The checks whose stored looks cannot say all that another configuration would have seen.

    A check of only one configuration is not judged. `looks` names, of the others, the keys whose values differ and that decide how and when
    looks are made: those were made as they were.
    """

    only_in_force: tuple[CheckKey, ...]
    only_proposed: tuple[CheckKey, ...]
    looks: Mapping[CheckKey, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How the time from `since` to `until` would have been told by the settings in force and by proposed ones."""

    since: datetime
    until: datetime
    servers: int
    checks: int
    looks: int
    in_force: Side
    proposed: Side
    unlike: Unlike

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Where the two differ, by the beginning of the trouble."""
        found = differences(self.in_force.alarms, self.proposed.alarms, self.until)
        return tuple(sorted(found, key=lambda one: _beginning(one.first)))


def side(
    server: Server, courses: Mapping[CheckKey, Course], windows: Iterable[Window], until: datetime
) -> Side:
    """Return what would have been told of one server whose checks fared so."""
    return Side(
        alarms=alarms(server, courses, windows, until),
        delays=tuple(
            turn.at - turn.transition.since
            for course in courses.values()
            for turn in course.turns
            if turn.transition is not None and _is_worse(turn.transition)
        ),
        flapping=tuple(phase for course in courses.values() for phase in _phases(course)),
    )


def together(sides: Iterable[Side]) -> Side:
    """Return what would have been told of several servers."""
    every = tuple(sides)
    return Side(
        alarms=tuple(alarm for one in every for alarm in one.alarms),
        delays=tuple(delay for one in every for delay in one.delays),
        flapping=tuple(phase for one in every for phase in one.flapping),
    )


def differences(
    in_force: Iterable[Alarm], proposed: Iterable[Alarm], until: datetime
) -> Iterator[Difference]:
    """Return where two sets of alarms differ. Alarms that touch in time tell of the same trouble; open ones last until `until`.

    When an incident was resolved makes no difference: that follows from `resolve_after`.
    """
    matters: defaultdict[_Matter, tuple[list[Alarm], list[Alarm]]] = defaultdict(lambda: ([], []))
    for place, some in enumerate((in_force, proposed)):
        for alarm in some:
            matters[_matter(alarm)][place].append(alarm)
    for one, other in matters.values():
        for difference in _troubles(one, other, until):
            if [_told(alarm) for alarm in difference.in_force] != [
                _told(alarm) for alarm in difference.proposed
            ]:
                yield difference


def unlike(in_force: Fleet, proposed: Fleet, server: ServerId | None = None) -> Unlike:
    """Return what of two fleets, or of one server in both, cannot be judged from the looks that were made."""
    before, after = (
        {plan.key: plan for plan in fleet.checks() if server in (None, plan.key.server)}
        for fleet in (in_force, proposed)
    )
    both = {key: tuple(_other_looks(before[key], plan)) for key, plan in after.items() if key in before}
    return Unlike(
        only_in_force=tuple(key for key in before if key not in after),
        only_proposed=tuple(key for key in after if key not in before),
        looks={key: names for key, names in both.items() if names},
    )


_Matter = tuple[ServerId, CheckKey | None]
"""What an alarm is about: a server, or the one check that only operators are told of."""


def _matter(alarm: Alarm) -> _Matter:
    incident = alarm.incident
    return incident.servers[0], incident.checks[0] if incident.audience is Audience.OPERATORS else None


def _troubles(in_force: list[Alarm], proposed: list[Alarm], until: datetime) -> Iterator[Difference]:
    """Return the alarms about one matter by the stretches of time that they cover together."""
    spans = sorted(
        (alarm.incident.started_at, alarm.incident.ended_at or until, place, at)
        for place, some in enumerate((in_force, proposed))
        for at, alarm in enumerate(some)
    )
    together: tuple[list[Alarm], list[Alarm]] = ([], [])
    lasts: datetime | None = None
    for start, end, place, at in spans:
        if lasts is not None and start > lasts:
            yield Difference(in_force=tuple(together[0]), proposed=tuple(together[1]))
            together, lasts = ([], []), None
        together[place].append((in_force, proposed)[place][at])
        lasts = end if lasts is None else max(end, lasts)
    if lasts is not None:
        yield Difference(in_force=tuple(together[0]), proposed=tuple(together[1]))


def _told(alarm: Alarm) -> tuple[object, ...]:
    incident = alarm.incident
    times = (incident.started_at, incident.opened_at, incident.ended_at)
    return (*times, alarm.worst, alarm.reopened, frozenset(incident.checks))


def _beginning(alarm: Alarm) -> tuple[datetime, ServerId]:
    return alarm.incident.started_at, alarm.incident.servers[0]


def _phases(course: Course) -> Iterator[Flapping]:
    """Return when a check flapped, oldest first."""
    since: datetime | None = None
    for turn in course.turns:
        if since is not None and turn.health.flapping_since != since:
            yield Flapping(check=turn.health.check, started_at=since, ended_at=turn.at)
        since = turn.health.flapping_since
    if since is not None:
        yield Flapping(check=course.health.check, started_at=since, ended_at=None)


def _is_worse(change: Transition) -> bool:
    return _BADNESS[change.after] > _BADNESS[change.before]


def _other_looks(before: CheckPlan, after: CheckPlan) -> Iterator[str]:
    old, new = _ways(before), _ways(after)
    return (name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name))


def _ways(plan: CheckPlan) -> dict[str, object]:
    """Return everything that decides what a look finds, and when it is made."""
    return {
        "kind": plan.kind,
        "every": plan.every,
        "timeout": plan.timeout,
        "confirm.retry": plan.policy.confirm.retry,
        "recover.retry": plan.policy.recover.retry,
        **{name: value for name, value in plan.options.items() if value is not None},
    }
