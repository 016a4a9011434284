"""Why a server fails: by itself, because of what it depends on, or with many others at once (rules D7 and D8).

What is found here keeps an incident from being opened, or puts it off; it never touches one that is open, nor any look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from monitor.actions.picture import Picture
from monitor.actions.suspense import Causes
from monitor.checks import is_passive
from monitor.fleet import Server
from monitor.health.advance import Level, persist, retry_gap
from monitor.health.rollup import Judged, Standing, is_failing
from monitor.health.state import Health
from monitor.health.words import CheckImpact, State
from monitor.identifiers import CheckKey, IncidentId, ServerId
from monitor.incidents import bursts, parents
from monitor.incidents.bursts import Burst, Waiting
from monitor.incidents.decision import QuietReason
from monitor.incidents.incident import Audience, Incident, Origin
from monitor.incidents.parents import Ancestor, Place, Rhythm, Verdict

# A server that failed with others and is well again tells for so long still that they failed together.
_FORGOTTEN_AFTER = timedelta(minutes=5)
_QUIET = (State.UNKNOWN, State.UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A server that fails and has no incident: what was shown of it, what its checks say, and whether a window keeps it quiet."""

    server: Server
    standings: tuple[Standing, ...]
    before: Judged | None
    seen: Judged
    quiet: bool

    @property
    def failing(self) -> tuple[Health, ...]:
        """Its failing checks that customers are told of."""
        return tuple(one.health for one in self.standings if is_failing(one))

    @property
    def fresh(self) -> tuple[Health, ...]:
        """Those of them that do not have to be confirmed anew."""
        return tuple(health for health in self.failing if not health.persisting)


def failing_descendants(
    picture: Picture, changed: Mapping[CheckKey, Health], servers: Iterable[ServerId]
) -> tuple[ServerId, ...]:
    """Return the servers that depend on one of these and fail: what becomes of them may follow from it."""
    found = dict.fromkeys(below for server in servers for below in picture.lineage.descendants(server))
    return tuple(
        server
        for server in found
        if any(map(is_failing, picture.standings(picture.servers[server], changed)))
    )


def failing_servers(picture: Picture) -> tuple[ServerId, ...]:
    """Return the servers of which a check is confirmed to fail."""
    failing = (State.DEGRADED, State.DOWN)
    found = dict.fromkeys(key.server for key, one in picture.healths.items() if one.confirmed in failing)
    return tuple(server for server in found if server in picture.servers)


def note_onsets(picture: Picture, changed: Mapping[CheckKey, Health]) -> None:
    """Note since when servers are under suspicion, or fail, of which a check was just looked at."""
    turned = {key.server for key, health in changed.items() if health.state not in _QUIET}
    for server in turned:
        began = bursts.onset(picture.standings(picture.servers[server], changed))
        if began is not None:
            picture.suspense.onsets[server] = began


def forget_onsets(picture: Picture, moment: datetime) -> None:
    """Drop what is known of servers that have been well for a while."""
    onsets = picture.suspense.onsets
    old = [server for server, began in onsets.items() if moment - began > _FORGOTTEN_AFTER]
    for server in old:
        watched = picture.servers.get(server)
        if watched is None or bursts.onset(picture.standings(watched, {})) is None:
            del onsets[server]


def trace(
    failures: Iterable[Failure],
    picture: Picture,
    changed: Mapping[CheckKey, Health],
    moment: datetime,
    open_incidents: Iterable[Incident] | None = None,
) -> Causes:
    """Return why servers fail. `open_incidents` are given by whoever looks at everything that waits; only then a burst is told of."""
    return _Trace(picture, changed, moment).of(tuple(failures), open_incidents)


class _Trace:
    """One search for causes; what is above several servers is judged once."""

    def __init__(self, picture: Picture, changed: Mapping[CheckKey, Health], moment: datetime) -> None:
        self._picture = picture
        self._changed = changed
        self._moment = moment
        self._ancestors: dict[ServerId, Ancestor] = {}
        self._look_at: dict[CheckKey, None] = {}
        self._again: dict[CheckKey, timedelta] = {}
        self._healths: dict[CheckKey, Health] = {}
        self._holds: dict[ServerId, datetime] = {}

    def of(self, failures: tuple[Failure, ...], open_incidents: Iterable[Incident] | None) -> Causes:
        """Return the causes of failures."""
        out: dict[ServerId, tuple[ServerId, ...]] = {}
        places = {failure.server.id: self._placed(failure, out) for failure in failures}
        crowds = self._in_bursts(failures, places)
        for failure, _burst in crowds:
            places[failure.server.id] = replace(places[failure.server.id], held=QuietReason.MASS)
            self._wait_for_another_look(failure)
        parties = {} if open_incidents is None else self._parties(crowds, places, tuple(open_incidents))
        return Causes(
            places=places,
            out=out,
            parties=parties,
            holds={server: since for server, since in self._holds.items() if server not in parties},
            look_at=tuple(self._look_at),
            again=tuple(self._again.items()),
            healths=self._healths,
        )

    def _placed(self, failure: Failure, out: dict[ServerId, tuple[ServerId, ...]]) -> Place:
        server = failure.server.id
        above = self._picture.lineage.ancestors(server)
        if not above:
            return Place(judged=failure.seen)
        since = self._picture.suspense.holds.get(server, self._moment)
        verdicts = {
            one: parents.verdict(self._ancestor(one), since=since, moment=self._moment) for one in above
        }
        place = parents.place(
            before=failure.before,
            seen=failure.seen,
            fresh=bool(failure.fresh),
            quiet=failure.quiet,
            verdicts=tuple(verdicts.values()),
        )
        if place.held is QuietReason.PARENT_DOWN:
            found = [one for one, verdict in verdicts.items() if verdict is Verdict.OUT]
            out[server] = parents.topmost(found, self._picture.lineage.above)
        elif place.held is QuietReason.PARENT_AWAITED:
            self._wait_for_parents(failure, place, above)
        return place

    def _wait_for_parents(self, failure: Failure, place: Place, above: Iterable[ServerId]) -> None:
        server = failure.server.id
        if place.anew:
            # What was seen until now was the fault of another: it counts from the return of that.
            self._holds[server] = self._moment
            for health in failure.failing:
                self._healths[health.check] = _anew(health, self._moment)
                self._look_at[health.check] = None
            return
        if server not in self._picture.suspense.holds:
            self._look_at |= dict.fromkeys(key for one in above for key in self._active(self._ancestor(one)))
        self._holds[server] = self._picture.suspense.holds.get(server, self._moment)

    def _in_bursts(
        self, failures: Iterable[Failure], places: Mapping[ServerId, Place]
    ) -> list[tuple[Failure, Burst]]:
        """Return the failures that are nobody else's and belong to a burst."""
        free = [one for one in failures if places[one.server.id].held is None and one.fresh and not one.quiet]
        if not free:
            return []
        by_server = {server: burst for burst in self._bursts for server in burst.servers}
        return [(one, by_server[one.server.id]) for one in free if one.server.id in by_server]

    @cached_property
    def _bursts(self) -> tuple[Burst, ...]:
        """What fails because of something above it is the fault of that, and no part of a burst."""
        onsets = {
            server: began
            for server, began in self._picture.suspense.onsets.items()
            if not self._has_parent_out(server)
        }
        return bursts.bursts(onsets, len(self._picture.servers))

    def _has_parent_out(self, server: ServerId) -> bool:
        above = (self._ancestor(one).standings for one in self._picture.lineage.ancestors(server))
        return any(parents.is_out(one) or parents.is_doubted(one) for one in above)

    def _wait_for_another_look(self, failure: Failure) -> None:
        server = failure.server.id
        if server not in self._picture.suspense.holds:
            plans = self._picture.plans
            self._again |= {
                health.check: retry_gap(health, plans[health.check].policy) for health in failure.fresh
            }
        self._holds[server] = self._picture.suspense.holds.get(server, self._moment)

    def _parties(
        self,
        crowds: Iterable[tuple[Failure, Burst]],
        places: dict[ServerId, Place],
        open_incidents: tuple[Incident, ...],
    ) -> dict[ServerId, str]:
        """Tell of each burst whose servers have waited for long enough: they join its incident, or open one."""
        by_burst: dict[Burst, list[Failure]] = {}
        for failure, burst in crowds:
            by_burst.setdefault(burst, []).append(failure)
        parties: dict[ServerId, str] = {}
        for burst, failures in by_burst.items():
            party = _incident_of(burst, open_incidents) or f"burst {burst.tripped_at.isoformat()}"
            for server in bursts.ready(map(self._waiting, failures), self._moment):
                parties[server] = party
                places[server] = replace(places[server], held=None)
        return parties

    def _waiting(self, failure: Failure) -> Waiting:
        since = self._holds[failure.server.id]
        plans = self._picture.plans
        looked_at = [one for one in failure.fresh if not is_passive(plans[one.check].kind)]
        return Waiting(
            server=failure.server.id,
            since=since,
            seen_again=all(bursts.failed_since(health, since) for health in looked_at),
        )

    def _ancestor(self, server: ServerId) -> Ancestor:
        known = self._ancestors.get(server)
        if known is None:
            watched = self._picture.servers[server]
            known = self._ancestors[server] = Ancestor(
                server=server,
                standings=self._picture.standings(watched, self._changed),
                rhythms={
                    plan.key: Rhythm(
                        policy=plan.policy, timeout=None if is_passive(plan.kind) else plan.timeout
                    )
                    for plan in watched.checks
                },
            )
        return known

    @staticmethod
    def _active(ancestor: Ancestor) -> list[CheckKey]:
        """Return the checks of an ancestor that say whether it is out, and that somebody can look at."""
        return [
            one.health.check
            for one in ancestor.standings
            if one.impact is CheckImpact.OUTAGE and ancestor.rhythms[one.health.check].timeout is not None
        ]


def _anew(health: Health, moment: datetime) -> Health:
    """Let a failure be confirmed anew, as one that began now; a recovery that has begun goes on if it is one to the full."""
    mending = health.state is State.RECOVERING and all(doubt.level == Level.FINE for doubt in health.doubts)
    kept = health if mending else persist(health)
    return replace(kept, persisting=True, since=moment)


def _incident_of(burst: Burst, open_incidents: Iterable[Incident]) -> IncidentId | None:
    """Return the incident that was opened for a burst, if it is open; what failed before has its own."""
    for incident in open_incidents:
        public = incident.audience is Audience.PUBLIC and incident.origin is Origin.DETECTED
        if public and incident.opened_at >= burst.tripped_at and burst.servers.intersection(incident.servers):
            return incident.id
    return None
