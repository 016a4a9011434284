"""Heartbeats report: what came in is judged in the order in which it came, exactly once, and what is missing is found."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.actions.observe import Observed, observe
from monitor.actions.picture import Picture
from monitor.checks import is_passive
from monitor.checks.heartbeat import schedule_of
from monitor.health.advance import retry_gap, wants_retry
from monitor.health.heartbeat import (
    START,
    Arrival,
    Beat,
    Finding,
    Reception,
    Schedule,
    deadline,
    excused,
    finding,
    fresh,
    is_heard,
    judged,
    rescheduled,
    taken,
)
from monitor.health.state import Health
from monitor.health.view import Insight
from monitor.identifiers import CheckKey
from monitor.observation import EXCERPT_LIMIT, FOUND_LIMIT, Measure, Observation, Outcome
from monitor.prober.prober import clean
from monitor.store import heartbeats as store
from monitor.store.database import Transaction

MOST = 5_000
"""So many reports are taken in at once; the next round follows at once when there are more."""
AN_HOUR = 3_600
"""So many reports of a check in an hour become observations one by one; of more, only the newest of each round."""
_NO_TIME = timedelta(0)
_TICK = timedelta(milliseconds=1)
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One heartbeat as watch holds it. `looks` counts the observations that its reports became in the hour `hour`."""

    schedule: Schedule
    stored: store.Stored
    hour: int = 0
    looks: int = 0

    @property
    def beat(self) -> Beat:
        return self.stored.beat

    def at(self, beat: Beat) -> Heartbeat:
        """Return it with another standing."""
        return self if beat == self.beat else replace(self, stored=replace(self.stored, beat=beat))


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a round came to: the heartbeats after it, the looks that were made of it, and when the next one is due at the latest."""

    heartbeats: Mapping[CheckKey, Heartbeat]
    looks: tuple[Observation, ...]
    observed: Observed
    due: datetime | None


def enrol(
    tx: Transaction, picture: Picture, digests: Mapping[CheckKey, bytes], moment: datetime
) -> Mapping[CheckKey, Heartbeat]:
    """Await the heartbeats of the applied fleet from now on, each by the digest of its token, and no others.

    One that is new, or whose rhythm changed, begins with a whole interval.
    """
    known = store.stored(tx)
    awaited = {
        plan.key: _enrolled(schedule, digests[plan.key], known.get(plan.key), moment)
        for plan in picture.plans.values()
        if is_passive(plan.kind) and plan.key in digests and plan.key in picture.numbers
        for schedule in (schedule_of(plan.options, plan.every, picture.fleet.site.timezone),)
    }
    changed = {key: each.stored for key, each in awaited.items() if each.stored != known.get(key)}
    if changed:
        store.save(tx, {picture.numbers[key]: each for key, each in changed.items()})
    if known.keys() - awaited.keys():
        store.keep_only(tx, [picture.numbers[key] for key in awaited])
    return awaited


def receive(
    tx: Transaction,
    picture: Picture,
    heartbeats: Mapping[CheckKey, Heartbeat],
    moment: datetime,
    *,
    ahead: timedelta = _NO_TIME,
) -> Received:
    """Take in what came, find what is overdue, and carry out what that confirms; the inbox is emptied with it.

    `ahead` is how far `moment` is ahead of the clock that reports are stamped by.
    """
    waiting = store.waiting(tx, MOST)
    reception = _trusted(_dated(store.reception(tx), moment, ahead), picture.insight)
    arrivals: dict[int, list[Arrival]] = {}
    for report in waiting:
        arrival = replace(report.arrival, at=min(report.arrival.at + ahead, moment))
        arrivals.setdefault(report.number, []).append(arrival)
    changed: dict[CheckKey, Heartbeat] = {}
    looks: list[Observation] = []
    for key, before in heartbeats.items():
        after, found = _round(before, arrivals.get(picture.numbers[key], ()), reception, moment)
        if not found and (again := _again(picture, key, after)) is not None and again <= moment:
            found = (_Found(at=moment, beat=after.beat),)
        looks += _looks(picture.health(key), after.schedule, found)
        if after is not before:
            changed[key] = after
    observed = observe(tx, picture, looks, moment)
    store.save(tx, {picture.numbers[key]: each.stored for key, each in changed.items()})
    if waiting:
        store.take_out(tx, waiting[-1].id)
    held = {**heartbeats, **changed}
    after_it = replace(picture, healths=ChainMap(dict(observed.healths), picture.healths))
    return Received(
        heartbeats=held,
        looks=tuple(looks),
        observed=observed,
        due=moment if len(waiting) == MOST else _due(after_it, held, reception, moment),
    )


def _trusted(reception: Reception | None, insight: Insight | None) -> Reception | None:
    """Return how reports could come in, as far as our view was clear: while it is blocked, silence says nothing.

    What was due meanwhile is excused afterwards, as after any interruption of ours.
    """
    if reception is None or insight is None or not insight.blocked:
        return reception
    if insight.is_blocked:
        return None
    spans = [
        (fact.before, fact.since)
        for fact in insight.blocked.values()
        if fact.before and fact.since is not None
    ]
    if len(spans) < len(insight.blocked):
        return reception
    began, ended = max(start for start, _ in spans), min(end for _, end in spans)
    if ended <= max(began, reception.since):
        return reception
    return replace(reception, since=ended, before=began)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A standing that is worth an observation, and since when; `new` when a report brought it about."""

    at: datetime
    beat: Beat
    new: bool = False


def _dated(reception: Reception | None, moment: datetime, ahead: timedelta) -> Reception | None:
    """Return web's signs of life by the clock that `moment` is of; what lies after it then was dated by that clock already."""
    if reception is None or not ahead:
        return reception
    heard_at, since = reception.heard_at + ahead, reception.since + ahead
    return replace(
        reception,
        heard_at=heard_at if heard_at <= moment else reception.heard_at,
        since=since if since <= moment else reception.since,
    )


def _enrolled(schedule: Schedule, digest: bytes, known: store.Stored | None, moment: datetime) -> Heartbeat:
    if known is None:
        beat = fresh(schedule, moment)
    elif known.rhythm != schedule.rhythm:
        beat = rescheduled(schedule, known.beat, moment)
    else:
        beat = known.beat
    return Heartbeat(schedule=schedule, stored=store.Stored(digest=digest, rhythm=schedule.rhythm, beat=beat))


def _round(
    heartbeat: Heartbeat, arrivals: Sequence[Arrival], reception: Reception | None, moment: datetime
) -> tuple[Heartbeat, tuple[_Found, ...]]:
    """Return a heartbeat after its reports and its silence until `moment`, and what there is to be observed of both."""
    schedule, beat = heartbeat.schedule, heartbeat.beat
    found: list[_Found] = []
    for arrival in arrivals:
        beat = taken(schedule, beat, arrival)
        if arrival.signal != START:
            found.append(_Found(at=arrival.at, beat=beat, new=True))
    if found:
        heartbeat, found = _within_measure(heartbeat, found, moment)
    if reception is not None:
        late = judged(schedule, excused(schedule, beat, reception), reception, moment)
        if late.overdue_since is not None and beat.overdue_since is None:
            found.append(_Found(at=late.overdue_since, beat=late))
        beat = late
    return heartbeat.at(beat), tuple(found)


def _within_measure(
    heartbeat: Heartbeat, found: list[_Found], moment: datetime
) -> tuple[Heartbeat, list[_Found]]:
    """Let no flood of reports fill the disk: beyond the measure of an hour, only the newest of a round is observed."""
    hour = int(moment.timestamp()) // _HOUR_S
    room = AN_HOUR - (heartbeat.looks if heartbeat.hour == hour else 0)
    kept = found if len(found) <= room else [*found[: max(room - 1, 0)], found[-1]]
    return replace(heartbeat, hour=hour, looks=AN_HOUR - room + len(kept)), kept


def _looks(health: Health, schedule: Schedule, found: Sequence[_Found]) -> list[Observation]:
    """Return standings as observations, each later than the one before and with the next number."""
    looks: list[Observation] = []
    last = health.looked_at
    for each in found:
        meant = finding(schedule, each.beat)
        if meant is not None:
            last = each.at if last is None else max(each.at, last + _TICK)
            number = health.sequence + len(looks) + 1
            looks.append(replace(_observation(health.check, last, each, meant), sequence=number))
    return looks


def _observation(key: CheckKey, at: datetime, found: _Found, meant: Finding) -> Observation:
    ran = found.beat.ran if found.beat.overdue_since is None else None
    took_ms = 0.0 if ran is None else ran / _TICK
    fine = meant.outcome is Outcome.OK
    return Observation(
        check=key,
        started_at=at,
        took_ms=took_ms,
        outcome=meant.outcome,
        cause=meant.cause,
        found=meant.found[:FOUND_LIMIT],
        phases={"total": took_ms},
        excerpt="" if fine or not found.new else clean(found.beat.body, EXCERPT_LIMIT),
        reproduce="" if fine else f"vigia probe {key}",
        measures=(Measure(name="run_seconds", value=ran.total_seconds(), unit="seconds"),)
        if ran is not None and found.new
        else (),
    )


def _due(
    picture: Picture, heartbeats: Mapping[CheckKey, Heartbeat], reception: Reception | None, moment: datetime
) -> datetime | None:
    """Return when there is something to find although nothing comes in; None when there never is."""
    hears = reception if reception is not None and is_heard(reception, moment) else None
    moments = [_again(picture, key, each) for key, each in heartbeats.items()]
    if hears is not None:
        moments += [deadline(each.schedule, each.beat, hears) for each in heartbeats.values()]
    return min((each for each in moments if each is not None), default=None)


def _again(picture: Picture, key: CheckKey, heartbeat: Heartbeat) -> datetime | None:
    """Return when the standing of a heartbeat has to be looked at once more to be believed, None when it is."""
    health = picture.health(key)
    if not wants_retry(health) or finding(heartbeat.schedule, heartbeat.beat) is None:
        return None
    seen = health.looked_at
    return None if seen is None else seen + retry_gap(health, picture.plans[key].policy)
