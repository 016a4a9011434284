"""The rules of servers and incidents once more, written from the sentences and for nothing but to be right.

A world is told one fact after the other: looks, rounds of the house, windows, restarts. After each it goes over every server anew, whether or not
anything happened to it, and asks the rules' own questions. Each check's stand is reckoned from all its looks (`tests.health.reference`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.health.reference import Anew, Event, Look, Stand, WindowEnds, restlessness, stand

IMPACTS = {"major_outage": 3, "partial_outage": 2, "degraded_performance": 1}
WORDS = ("none", "minor", "major", "critical")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Rules:
    """The fleet and its figures: the checks of each server, and what each depends on."""

    checks: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, str]
    attempts: int
    recoveries: int
    resolve_after: timedelta
    reopen_within: timedelta
    retry: timedelta
    timeout: timedelta


class Shown(NamedTuple):
    """What is shown of a server, and why it is not what its checks say."""

    status: str = "unknown"
    because: str | None = None


@dataclass
class Told:
    """One incident as it stands; `impact` from 1 to 3."""

    server: str
    checks: list[str]
    impact: int
    started_at: datetime
    opened_at: datetime
    stage: str = "investigating"
    ended_at: datetime | None = None
    monitoring_since: datetime | None = None
    resolved_at: datetime | None = None
    unreachable: list[str] = field(default_factory=list)
    unstable_at: datetime | None = None
    words: list[datetime] = field(default_factory=list)
    moves: list[str] = field(default_factory=lambda: ["opened"])

    def say(self, move: str, moment: datetime, impact: int | None = None) -> None:
        self.moves.append(move)
        self.words.append(moment)
        if impact is not None:
            self.impact = impact


@dataclass
class Window:
    """A planned time; `ends` is when it really ended once it `is_over`."""

    server: str
    starts: datetime
    ends: datetime
    began: bool = False
    is_over: bool = False


class World:
    """Everything that follows from the facts so far."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.past: dict[str, list[Event]] = {check: [] for own in rules.checks.values() for check in own}
        self.stands: dict[str, Stand] = {check: self._stand(check) for check in self.past}
        self.shown: dict[str, Shown] = {server: Shown() for server in rules.checks}
        self.incidents: list[Told] = []
        self.windows: list[Window] = []
        self.waiting: dict[str, datetime] = {}
        self.recovered: dict[str, datetime] = {}

    # Facts

    def looks(self, moment: datetime, looks: Iterable[tuple[str, Look]]) -> None:
        self.recovered = {}
        for check, look in looks:
            self._add(check, look)
            told = self.stands[check].told
            if told is not None and told[1] == "up":
                server = check.partition("/")[0]
                self.recovered[server] = max(told[2], self.recovered.get(server, told[2]))
        self._go_over(moment)

    def house(self, moment: datetime) -> None:
        self.recovered = {}
        self._go_over(moment)
        for window in self.windows:
            window.began = window.began or (window.starts <= moment and not window.is_over)
            if window.began and not window.is_over and window.ends <= moment:
                self._end(window, moment)
        self._go_over(moment)
        for incident in self.incidents:
            since = incident.monitoring_since
            if incident.stage != "monitoring" or since is None:
                continue
            if (
                self._judged(incident.server).status == "operational"
                and moment - since >= self.rules.resolve_after
            ):
                incident.stage, incident.resolved_at, incident.monitoring_since = "resolved", moment, None
                incident.say("resolved", moment)

    def plan(self, server: str, starts: datetime, ends: datetime) -> None:
        self.windows.append(Window(server, starts, ends))

    def cancel(self, moment: datetime) -> None:
        for window in self.windows:
            if window.is_over:
                continue
            if window.began:
                self._end(window, moment)
            window.is_over = True
        self.windows = [window for window in self.windows if window.began]

    def restart(self, moment: datetime) -> None:
        self.recovered = {}
        self.waiting.clear()
        self._go_over(moment)

    # Checks

    def _stand(self, check: str) -> Stand:
        return stand(self.past[check], self.rules.attempts, self.rules.recoveries)

    def _add(self, check: str, event: Event) -> None:
        self.past[check].append(event)
        self.stands[check] = self._stand(check)

    def failing(self, server: str) -> list[str]:
        return [check for check in self.rules.checks[server] if self.stands[check].held in (2, 3)]

    def fresh(self, server: str) -> list[str]:
        return [check for check in self.failing(server) if not self.stands[check].persisting]

    def restless(self, checks: Iterable[str]) -> list[int]:
        found = [self.stands[check] for check in checks if self.stands[check].flapping_since is not None]
        return [round(restlessness(one.wellness)) for one in found]

    def _judged(self, server: str) -> Shown:
        own = self.rules.checks[server]
        down = [check for check in own if self.stands[check].held == 3]
        if down and (len(down) == len(own) or (len(down) > 1 and any(map(_is_ping, down)))):
            return Shown("major_outage")
        if down:
            return Shown("partial_outage")
        if self.failing(server):
            return Shown("degraded_performance")
        if self.restless(own):
            return Shown("degraded_performance", "flapping")
        return Shown(
            "operational" if any(self.stands[check].held is not None for check in own) else "unknown"
        )

    # Windows

    def is_quiet(self, server: str, moment: datetime) -> bool:
        return any(
            one.starts <= moment and (moment < one.ends or one.began) and not one.is_over
            for one in self.windows
            if server in self._covered(one)
        )

    def _quiet_until(self, server: str, moment: datetime) -> datetime | None:
        """Return the newest end of a quiet time, windows that touch or overlap being one."""
        spans = sorted((one.starts, one.ends) for one in self.windows if server in self._covered(one))
        union: list[list[datetime]] = []
        for starts, ends in spans:
            if union and starts <= union[-1][1]:
                union[-1][1] = max(union[-1][1], ends)
            else:
                union.append([starts, ends])
        return max((ends for _, ends in union if ends <= moment), default=None)

    def _covered(self, window: Window) -> list[str]:
        below = [child for child, parent in self.rules.parents.items() if parent == window.server]
        return [window.server, *below]

    def _end(self, window: Window, moment: datetime) -> None:
        window.is_over, window.ends = True, moment
        for server in self._covered(window):
            for check in self.rules.checks[server]:
                self._add(check, WindowEnds())

    # Servers

    def open_of(self, server: str) -> Told | None:
        return next((one for one in self.incidents if one.server == server and one.stage != "resolved"), None)

    def _go_over(self, moment: datetime) -> None:
        behind: dict[str, list[str]] = {}
        held = {server: self._placed(server, moment, behind) for server in self.rules.checks}
        for server in self.rules.checks:
            self._decide(server, moment, is_held=held[server], behind=behind.get(server, []))

    def _placed(self, server: str, moment: datetime, behind: dict[str, list[str]]) -> bool:
        """Settle what is shown of a server; return whether its failure opens nothing yet."""
        before, seen = self.shown[server], self._judged(server)
        parent = self.rules.parents.get(server)
        self.shown[server] = seen
        since = self.waiting.pop(server, moment)
        if parent is None or not self.failing(server) or self.open_of(server) is not None:
            return False
        if self._is_out(parent):
            self.shown[server] = Shown("unknown", "unreachable")
            behind.setdefault(parent, []).append(server)
            return True
        was_unreachable = before.because == "unreachable"
        if not self.fresh(server) and before.because not in ("unreachable", "rechecking"):
            # It has to be confirmed anew after a window first: there is nothing to tell that could wait.
            return False
        if self._is_awaited(parent, since, moment) and (was_unreachable or not self.is_quiet(server, moment)):
            self.waiting[server] = since
            if _rank(seen.status) > _rank(before.status):
                self.shown[server] = before
            return True
        if was_unreachable:
            for check in self.failing(server):
                self._add(check, Anew(moment))
            since = moment
        elif before.because != "rechecking" or self.fresh(server):
            return False
        self.waiting[server] = since
        self.shown[server] = Shown("unknown", "rechecking")
        return True

    def _is_out(self, server: str) -> bool:
        own = self.rules.checks[server]
        return all(self.stands[check].held == 3 and not self.stands[check].persisting for check in own)

    def _is_doubted(self, server: str) -> bool:
        own = [self.stands[check] for check in self.rules.checks[server]]
        return all(one.held == 3 or (one.state == "suspect" and _any_down(one)) for one in own)

    def _is_awaited(self, parent: str, since: datetime, moment: datetime) -> bool:
        """May the parent yet turn out to be out: is it under suspicion, or was it not looked at since?"""
        own = [self.stands[check] for check in self.rules.checks[parent]]
        waited, rules = moment - since, self.rules
        longest = rules.attempts * (rules.retry + rules.timeout) + 5 * SECOND
        if self._is_doubted(parent) and waited < longest:
            return True
        unseen = any(one.newest is None or one.newest.began < since for one in own)
        return unseen and waited < rules.timeout + 5 * SECOND

    # Incidents

    def _decide(self, server: str, moment: datetime, *, is_held: bool, behind: list[str]) -> None:
        incident = self.open_of(server)
        is_hit = bool(self.failing(server)) and not is_held
        fresh = [] if self.is_quiet(server, moment) or not is_hit else self.fresh(server)
        if incident is None:
            if fresh:
                self._begin(server, fresh, moment, behind)
            return
        move = self._move(incident, moment, is_hit=is_hit, fresh=fresh, behind=behind)
        self._tell(incident, move, moment, fresh=fresh, behind=behind)

    def _impact(self, server: str) -> int:
        return IMPACTS.get(self.shown[server].status, 0)

    def _begin(self, server: str, fresh: list[str], moment: datetime, behind: list[str]) -> None:
        started = min(since for check in fresh if (since := self.stands[check].since) is not None)
        quiet_until = self._quiet_until(server, moment)
        if quiet_until is not None and started < quiet_until:
            started = quiet_until
        unstable_at = moment if self.restless(fresh) else None
        mine = [one for one in self.incidents if one.server == server and one.resolved_at is not None]
        back_soon = [
            one for one in mine[-1:] if started - (one.resolved_at or moment) <= self.rules.reopen_within
        ]
        for recent in back_soon:
            recent.stage, recent.ended_at, recent.resolved_at = "investigating", None, None
            recent.checks += [check for check in fresh if check not in recent.checks]
            recent.unreachable += [child for child in behind if child not in recent.unreachable]
            recent.unstable_at = moment if self.restless(recent.checks) else None
            recent.say("reopened", moment, self._impact(server))
            return
        self.incidents.append(
            Told(
                server=server,
                checks=list(fresh),
                impact=self._impact(server),
                started_at=started,
                opened_at=moment,
                unreachable=list(behind),
                unstable_at=unstable_at,
                words=[moment],
            )
        )

    def _move(
        self, incident: Told, moment: datetime, *, is_hit: bool, fresh: list[str], behind: list[str]
    ) -> str:
        """Return what there is to tell of an open incident, empty if nothing."""
        plain = self._plain(incident, moment, is_hit=is_hit, fresh=fresh, behind=behind)
        restless = self.restless(incident.checks)
        if not restless:
            return "steady" if incident.unstable_at is not None and fresh and not plain else plain
        more = (
            plain == "joined"
            and (set(fresh) - set(incident.checks) or self._impact(incident.server) > incident.impact)
        ) or plain in ("worsened", "behind")
        if self.is_quiet(incident.server, moment) or more:
            return plain
        told = incident.unstable_at
        return "unstable" if told is None or moment - told >= timedelta(minutes=30) else ""

    def _plain(
        self, incident: Told, moment: datetime, *, is_hit: bool, fresh: list[str], behind: list[str]
    ) -> str:
        if not is_hit:
            return "recovering" if incident.stage != "monitoring" else ""
        if not fresh:
            return ""
        if incident.stage == "monitoring":
            return "relapsed"
        impact = self._impact(incident.server)
        move = ""
        if set(fresh) - set(incident.checks):
            move = "joined"
        elif impact > incident.impact:
            move = "worsened"
        elif impact < incident.impact:
            move = "eased"
        elif set(behind) - set(incident.unreachable):
            move = "behind"
        # An incident of several servers tells at growing distances, of a minute at most, that things changed, unless they are worse.
        spacing = min(timedelta(minutes=1), (moment - incident.words[0]) / 2)
        lately = len(incident.words) > 1 and moment - incident.words[-1] < spacing
        return "" if behind and lately and impact <= incident.impact else move

    def _tell(
        self, incident: Told, move: str, moment: datetime, *, fresh: list[str], behind: list[str]
    ) -> None:
        if not move:
            return
        impact: int | None = self._impact(incident.server)
        incident.unreachable += [server for server in behind if server not in incident.unreachable]
        if move == "recovering":
            incident.stage, incident.monitoring_since = "monitoring", moment
            incident.ended_at = max(self.recovered.get(incident.server, moment), incident.started_at)
            impact = None
        elif move in ("relapsed", "unstable"):
            incident.stage, incident.monitoring_since, incident.ended_at = "investigating", None, None
        if move == "behind":
            impact = None
        if move == "unstable":
            impact = max(incident.impact, impact or 0)
        if move in ("joined", "relapsed", "unstable"):
            incident.checks += [check for check in fresh if check not in incident.checks]
        incident.say(move, moment, impact)
        if move == "unstable":
            incident.unstable_at = moment
        elif move == "recovering" or not self.restless(incident.checks):
            incident.unstable_at = None
        elif incident.unstable_at is None:
            incident.unstable_at = moment


def _is_ping(check: str) -> bool:
    return check.endswith("/ping")


def _any_down(one: Stand) -> bool:
    """Was any look of the streak down?"""
    for bad, _ in reversed(one.line):
        if bad <= (one.held or 0):
            return False
        if bad == 3:
            return True
    return False


def _rank(status: str) -> int:
    order = (
        "operational",
        "under_maintenance",
        "unknown",
        "degraded_performance",
        "partial_outage",
        "major_outage",
    )
    return order.index(status)
