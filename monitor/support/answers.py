"""How long customers wait for an answer: the figures of a department, over its service hours alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from monitor.language import Language, text
from monitor.support.hours import Calendar

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A customer's ticket: `answered_at` is the first word of a person, None while there is none."""

    opened_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTime:
    """How long a department takes to answer, counted from `since` to `until`, in time of service.

    `answered` were answered in that time, `counted` are those that wait longer than these took on average and count with
    what they have waited; both together are the sample. `waiting` are all that wait. Without any answer there are no figures.
    """

    department: str
    since: datetime
    until: datetime
    answered: int
    counted: int
    waiting: int
    mean: timedelta | None
    median: timedelta | None
    p90: timedelta | None

    @property
    def sample(self) -> int:
        """How many tickets the figures rest on."""
        return self.answered + self.counted


def answer_time(
    department: str, inquiries: Iterable[Inquiry], calendar: Calendar, since: datetime, until: datetime
) -> AnswerTime:
    """Return how long a department takes to answer.

    A ticket counts by the moment of its answer. One without an answer counts once it waits longer than the answered ones
    took on average: to leave it out would flatter, and to count it sooner as well. One that was closed without an answer is nobody's wait.
    """
    every = tuple(inquiries)
    answered = sorted(
        calendar.worked(each.opened_at, each.answered_at)
        for each in every
        if each.answered_at is not None and since <= each.answered_at <= until
    )
    waits = [
        calendar.worked(each.opened_at, until)
        for each in every
        if each.answered_at is None and each.closed_at is None and each.opened_at <= until
    ]
    usual = _mean(answered)
    longer = [wait for wait in waits if usual is not None and wait > usual]
    sample = sorted((*answered, *longer))
    return AnswerTime(
        department=department,
        since=since,
        until=until,
        answered=len(answered),
        counted=len(longer),
        waiting=len(waits),
        mean=_mean(sample),
        median=_share(sample, 0.5),
        p90=_share(sample, 0.9),
    )


def hours_and_minutes(span: timedelta, language: Language) -> str:
    """Return a time of answering in hours and minutes, both always: 0 h 1 min; minutes that have begun count."""
    hours, minutes = divmod(-(-span // _MINUTE), 60)
    return text("support.hours_and_minutes", language, hours=hours, minutes=minutes)


def promised_words(after: timedelta, language: Language, *, in_service: bool) -> str:
    """Return a time that was promised, in whole hours: 24 horas, 8 horas de atención; what is left of an hour counts as one."""
    key = "support.hours.service" if in_service else "support.hours"
    return text(key, language, count=-(-after // timedelta(hours=1)))


def average_line(name: str, time: AnswerTime, language: Language) -> str:
    """Return the sentence about a department's average that stands at the head of its mail; empty without a figure."""
    if time.mean is None:
        return ""
    return text(
        "support.average_line",
        language,
        department=name,
        average=hours_and_minutes(time.mean, language),
        span=span_words(time, language),
    )


def span_words(time: AnswerTime, language: Language) -> str:
    """Return the time that the figures were taken over, as what follows "in": los últimos 30 días."""
    return text("support.span", language, count=(time.until - time.since).days)


def _mean(waits: Sequence[timedelta]) -> timedelta | None:
    return sum(waits, timedelta(0)) / len(waits) if waits else None


def _share(waits: Sequence[timedelta], share: float) -> timedelta | None:
    """Return the wait that this share of all (sorted) did not exceed; None if there are none."""
    return waits[ceil(share * len(waits)) - 1] if waits else None
