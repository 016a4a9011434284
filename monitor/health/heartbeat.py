"""When a heartbeat has to report, and what its reports and its silence mean.

A heartbeat is a check that nobody looks at: a job reports to us. These are functions of moments and values; they know neither who
took the reports in nor where anything is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.health.cron import Cron, parse_cron
from monitor.observation import Cause, Outcome

KIND = "heartbeat"
START, FAIL, SUCCESS = -2, -1, 0
"""What a report says; 1 to 255 are the exit codes of a run that failed."""
LARGEST_EXIT_CODE = 255

_GRACE_OF_CRON = timedelta(minutes=10)
_LEAST_GRACE, _MOST_GRACE = timedelta(minutes=1), timedelta(hours=1)
# A clock over there that goes a little before ours must not turn the report of this moment into one of the moment before.
_EARLY = timedelta(seconds=5)
# A part that restarts is back long before that.
_BRIEF = timedelta(minutes=1)
AWAY_AFTER = timedelta(seconds=15)
"""Without a sign of life for so long, the part that takes reports in is held to be away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When reports are due: `every` after the last one, or at the moments of `cron` in `zone`; `grace` later they are overdue.

    A run that takes longer than `within` between its start and its success is slow.
    """

    every: timedelta
    grace: timedelta
    cron: str | None = None
    zone: str = "UTC"
    within: timedelta | None = None

    @property
    def rhythm(self) -> str:
        """What the expected moments follow from, in words that change when they do."""
        return f"{self.cron} in {self.zone}" if self.cron else f"every {self.every.total_seconds():g} s"

    def following(self, moment: datetime) -> datetime:
        """Return when the next report is expected after something that happened at `moment`."""
        if self.cron is None:
            return moment + self.every
        return _parsed(self.cron).next_after(moment + _EARLY, ZoneInfo(self.zone))


def default_grace(every: timedelta, cron: str | None) -> timedelta:
    """Return how late a report may be unless the configuration says so: a tenth of its interval, a minute to an hour."""
    if cron is not None:
        return _GRACE_OF_CRON
    return min(max(every / 10, _LEAST_GRACE), _MOST_GRACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One report. `signal` is START, FAIL, or the exit code of a run; `body` is what the job sent along."""

    at: datetime
    signal: int
    body: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Since when reports could come in without interruption, and when the part that takes them in was heard of last.

    `before` is the last sign of life before that, None if there was none.
    """

    heard_at: datetime
    since: datetime
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How a heartbeat stands.

    `expected` is the moment of the next report. `reported_at`, `signal` and `ran` tell of the newest report that was no start: when, what it
    said, and how long its run took, None without a start. A run that has not ended began at `started_at`; `running_since` is the
    first start since the last report. `overdue_since` is the deadline that passed without a report.
    """

    expected: datetime
    reported_at: datetime | None = None
    signal: int | None = None
    ran: timedelta | None = None
    body: str = ""
    started_at: datetime | None = None
    running_since: datetime | None = None
    overdue_since: datetime | None = None
    arrivals: int = 0

    @property
    def heard_at(self) -> datetime | None:
        """The newest sign of the job, of whatever kind."""
        return max((at for at in (self.reported_at, self.started_at) if at is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a heartbeat's standing means as the outcome of a look."""

    outcome: Outcome
    cause: Cause | None = None
    found: str = ""


def fresh(schedule: Schedule, moment: datetime) -> Beat:
    """Return a heartbeat that is awaited from `moment` on: it has one whole interval and its grace."""
    return Beat(expected=schedule.following(moment))


def rescheduled(schedule: Schedule, beat: Beat, moment: datetime) -> Beat:
    """Return the heartbeat when its rhythm changes at `moment`; what it reported stays."""
    return replace(beat, expected=schedule.following(moment), running_since=None)


def taken(schedule: Schedule, beat: Beat, arrival: Arrival) -> Beat:
    """Return the heartbeat after one more report."""
    arrivals = beat.arrivals + arrival.times
    if arrival.signal == START:
        since = beat.running_since or arrival.at
        return replace(beat, started_at=arrival.at, running_since=since, arrivals=arrivals)
    began = beat.started_at
    return Beat(
        expected=schedule.following(arrival.at),
        reported_at=arrival.at,
        signal=arrival.signal,
        ran=None if began is None else max(arrival.at - began, timedelta(0)),
        body=arrival.body,
        arrivals=arrivals,
    )


def deadline(schedule: Schedule, beat: Beat, reception: Reception) -> datetime | None:
    """Return when the heartbeat becomes overdue unless it reports; None while it is overdue already.

    A run that has begun has until its own end: what it may take (`within`) and the grace after that. After an interruption of
    ours there is always the grace, counted from our return.
    """
    if beat.overdue_since is not None:
        return None
    return max(_own_deadline(schedule, beat), reception.since + schedule.grace)


def excused(schedule: Schedule, beat: Beat, reception: Reception) -> Beat:
    """Return the heartbeat with the moment excused that fell into a long interruption of ours: its report was lost, not missing."""
    before = reception.before
    if before is None or reception.since - before <= _BRIEF or beat.overdue_since is not None:
        return beat
    begun = beat.expected if beat.running_since is None else min(beat.expected, beat.running_since)
    if not (before < _own_deadline(schedule, beat) and begun < reception.since):
        return beat
    expected = max(beat.expected, schedule.following(reception.since))
    return replace(beat, expected=expected, running_since=None)


def over_leap(schedule: Schedule, beat: Beat, left: datetime, entered: datetime) -> Beat:
    """Return the heartbeat when our clock was set from `left` to `entered`.

    Forward, a deadline that lies in what was leapt over is excused. Back, nothing has happened in what is the future now, and no report is
    awaited later than it could be from now on.
    """
    if entered >= left:
        return excused(schedule, beat, Reception(heard_at=entered, since=entered, before=left))
    expected = min(beat.expected, schedule.following(entered))
    if expected == beat.expected and (beat.heard_at is None or beat.heard_at <= entered):
        return beat
    return replace(
        beat,
        expected=expected,
        reported_at=_at_latest(beat.reported_at, entered),
        started_at=_at_latest(beat.started_at, entered),
        running_since=_at_latest(beat.running_since, entered),
        overdue_since=_at_latest(beat.overdue_since, entered),
    )


def is_heard(reception: Reception, now: datetime) -> bool:
    """Can reports come in at `now`, as far as is known?"""
    return now - reception.heard_at <= AWAY_AFTER


def judged(schedule: Schedule, beat: Beat, reception: Reception, now: datetime) -> Beat:
    """Return the heartbeat as `now` has it: overdue once its deadline has passed, unless nothing can have come in."""
    if not is_heard(reception, now):
        return beat
    due = deadline(schedule, beat, reception)
    return replace(beat, overdue_since=due) if due is not None and due <= now else beat


def finding(schedule: Schedule, beat: Beat) -> Finding | None:
    """Return what the standing means; None before the first report is due."""
    if beat.overdue_since is not None:
        return Finding(outcome=Outcome.DOWN, cause=Cause.OVERDUE, found=_silence(beat))
    if beat.signal is None:
        return None
    if beat.signal != SUCCESS:
        said = "reported a failure" if beat.signal == FAIL else f"exit code {beat.signal}"
        return Finding(outcome=Outcome.DOWN, cause=Cause.STATUS, found=said)
    within = schedule.within
    if within is not None and beat.ran is not None and beat.ran > within:
        found = f"ran for {_seconds(beat.ran)}, expected within {_seconds(within)}"
        return Finding(outcome=Outcome.WARN, cause=Cause.SLOW, found=found)
    return Finding(outcome=Outcome.OK)


def _at_latest(at: datetime | None, moment: datetime) -> datetime | None:
    return None if at is None else min(at, moment)


@lru_cache(maxsize=1024)
def _parsed(line: str) -> Cron:
    return parse_cron(line)


def _own_deadline(schedule: Schedule, beat: Beat) -> datetime:
    if beat.running_since is not None:
        return beat.running_since + (schedule.within or timedelta(0)) + schedule.grace
    return beat.expected + schedule.grace


def _silence(beat: Beat) -> str:
    if beat.running_since is not None and beat.overdue_since and beat.running_since < beat.overdue_since:
        return f"a run that began at {_clock(beat.running_since)} has not ended"
    last = "no report ever" if beat.heard_at is None else f"no report since {_clock(beat.heard_at)}"
    return f"{last}; expected by {_clock(beat.expected)}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.6g} s"
