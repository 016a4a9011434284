"""The page about support as a value, its part of the front page, and what mail templates and programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from monitor.language import moments
from monitor.status.snapshot import Snapshot
from monitor.status.support import DepartmentView, Presence, SupportView
from monitor.support.answers import AnswerTime, average_line, hours_and_minutes, promised_words, span_words
from monitor.support.hours import Hours
from monitor.support.reach import Way
from web.figures import iso
from web.reading import Reading, Said

_WEEK = 7
_ALWAYS = timedelta(days=30)
_SPOKEN = frozenset({"chat", "phone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceWords:
    """Whether anybody is there, and until when or from when on; `when` is empty where nobody ever is."""

    open: bool
    title: str
    short: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """One department. `average` is empty without a figure, `about` says what it rests on; both where nothing can be measured."""

    id: str
    name: Said
    email: str
    average: str
    about: str
    hours: tuple[str, ...]
    presence: PresenceWords | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayCard:
    """A way to reach people: where it leads, who has it, and whether somebody is there, if that is asked of it."""

    kind: str
    name: str
    about: str
    link: str
    shown: str
    plans: str
    presence: PresenceWords | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeDay:
    """A holiday: its day in words and for machines."""

    words: str
    iso: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportPage:
    """Everything about support. `identity` is shown where people speak with customers at once."""

    presence: PresenceWords
    offices: tuple[Office, ...]
    ways: tuple[WayCard, ...]
    hours: tuple[str, ...]
    holidays: tuple[FreeDay, ...]
    promise: str
    identity: bool
    measured: bool


def support_page(support: SupportView, snapshot: Snapshot, reading: Reading) -> SupportPage:
    """Return the page about support."""
    now = snapshot.generated_at
    return SupportPage(
        presence=_presence(support.presence, now, reading),
        offices=tuple(_office(each, now, reading) for each in support.departments),
        ways=tuple(_way(way, support, now, reading) for way in support.ways),
        hours=_hours(support.hours, reading),
        holidays=tuple(
            FreeDay(words=_day(each.day, each.name, reading), iso=each.day.isoformat())
            for each in support.holidays
        ),
        promise=_promise(support, reading),
        identity=any(way.kind in _SPOKEN for way in support.ways),
        measured=any(each.answer is not None for each in support.departments),
    )


def _promise(support: SupportView, reading: Reading) -> str:
    """Return within what time every ticket is answered, of all departments or of those that promise it."""
    promise = support.promise
    promised = promised_words(promise.after, reading.language, in_service=promise.in_service)
    names = [reading.told(each.name).text for each in support.departments if promise.holds_for(each.id)]
    if len(names) == len(support.departments):
        return reading.say("page.support.promise.every", promised=promised)
    listed = moments.listed(names, reading.language)
    return reading.say("page.support.promise.some", promised=promised, departments=listed)


def sentence_of(support: SupportView, department: str, reading: Reading) -> str | None:
    """Return the sentence about a department's average, empty without a figure; None if there is no such department."""
    office = next((each for each in support.departments if each.id == department), None)
    if office is None:
        return None
    name = reading.told(office.name).text
    return "" if office.answer is None else average_line(name, office.answer, reading.language)


def support_shape(support: SupportView, snapshot: Snapshot) -> dict[str, Any]:
    """Return support as programs read it: names by language, moments in UTC, durations in seconds."""
    return {
        "generated_at": iso(snapshot.generated_at),
        "time_zone": snapshot.site.timezone,
        **_presence_shape(support.presence),
        "hours": _hours_shape(support.hours),
        "departments": [
            {
                "id": each.id,
                "name": dict(each.name),
                "email": each.email or None,
                "hours": None if each.hours is None else _hours_shape(each.hours),
                **_presence_shape(each.presence or support.presence),
                "answer_time": None if each.answer is None else _answer_shape(each.answer),
                "unanswered": support.unanswered.get(each.id),
            }
            for each in support.departments
        ],
        "channels": [
            {
                "kind": way.kind,
                "plans": list(way.plans),
                "number": way.number or None,
                "url": way.url or None,
                "email": way.email or None,
            }
            for way in support.ways
        ],
        "plans": [{"id": plan, "name": dict(name)} for plan, name in support.plans.items()],
        "holidays": [{"date": each.day.isoformat(), "name": dict(each.name)} for each in support.holidays],
        "answered_within_seconds": int(support.promise.after.total_seconds()),
        "answered_within_counts": "service" if support.promise.in_service else "clock",
    }


def _presence_shape(presence: Presence) -> dict[str, Any]:
    return {
        "open": presence.open_until is not None,
        "open_until": presence.open_until and iso(presence.open_until),
        "opens_at": presence.opens_at and iso(presence.opens_at),
    }


def _hours_shape(hours: Hours) -> list[dict[str, Any]]:
    return [
        {"days": list(shift.days), "from": _clock(shift.opens), "to": _clock(shift.closes)}
        for shift in hours.shifts
    ]


def _answer_shape(time: AnswerTime) -> dict[str, Any]:
    return {
        "since": iso(time.since),
        "as_of": iso(time.until),
        "mean_seconds": _seconds(time.mean),
        "median_seconds": _seconds(time.median),
        "p90_seconds": _seconds(time.p90),
        "answered": time.answered,
        "counted_unanswered": time.counted,
        "sample": time.sample,
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def _presence(presence: Presence, now: datetime, reading: Reading) -> PresenceWords:
    if presence.open_until is not None:
        title, short = reading.say("page.support.open"), reading.say("page.support.open.short")
        if presence.open_until - now > _ALWAYS:
            return PresenceWords(open=True, title=title, short=short, when=reading.say("page.support.always"))
        when = _when("page.support.until", presence.open_until, now, reading)
        return PresenceWords(open=True, title=title, short=short, when=when)
    short = reading.say("page.support.closed.short")
    if presence.opens_at is None:
        return PresenceWords(open=False, title=reading.say("page.support.never"), short=short, when="")
    when = _when("page.support.again", presence.opens_at, now, reading)
    return PresenceWords(open=False, title=reading.say("page.support.closed"), short=short, when=when)


def _when(key: str, instant: datetime, now: datetime, reading: Reading) -> str:
    """Return a sentence about a moment, with the day and its weekday where it is not today."""
    zone, day = reading.zone_name(instant), reading.day(instant)
    if day == reading.day(now):
        return reading.hour_phrase(f"{key}.clock", instant, zone=zone)
    return reading.hour_phrase(f"{key}.day", instant, zone=zone, day=moments.weekday(day, reading.language))


def _office(department: DepartmentView, now: datetime, reading: Reading) -> Office:
    time = department.answer
    return Office(
        id=department.id,
        name=reading.told(department.name),
        email=department.email,
        average="" if time is None or time.mean is None else hours_and_minutes(time.mean, reading.language),
        about="" if time is None else _about(time, now, reading),
        hours=() if department.hours is None else _hours(department.hours, reading),
        presence=None if department.presence is None else _presence(department.presence, now, reading),
    )


def _about(time: AnswerTime, now: datetime, reading: Reading) -> str:
    span, at = span_words(time, reading.language), reading.at(time.until, now)
    if time.mean is None:
        return reading.say("page.support.average.none", span=span, at=at)
    sample = [reading.say("page.support.average.answers", count=time.answered)]
    if time.counted:
        sample.append(reading.say("page.support.average.waiting", count=time.counted))
    listed = moments.listed(sample, reading.language)
    return reading.say("page.support.average.over", sample=listed, span=span, at=at)


def _way(way: Way, support: SupportView, now: datetime, reading: Reading) -> WayCard:
    names = [reading.told(support.plans.get(plan, {"": plan})).text or plan for plan in way.plans]
    listed = moments.listed(names, reading.language)
    link, shown = _target(way)
    return WayCard(
        kind=way.kind,
        name=reading.say(f"page.support.way.{way.kind}"),
        about=reading.say(f"page.support.way.{way.kind}.about"),
        link=link,
        shown=shown,
        plans=reading.say("page.support.plans", plans=listed)
        if names
        else reading.say("page.support.plans.all"),
        presence=_presence(support.presence, now, reading) if way.kind in _SPOKEN else None,
    )


def _target(way: Way) -> tuple[str, str]:
    """Return where a way leads, and what is shown of that; both empty if the file does not say."""
    if way.number:
        digits = "".join(letter for letter in way.number if letter.isdigit() or letter == "+")
        return f"tel:{digits}", way.number
    if way.url:
        return way.url, way.url.partition("://")[2]
    return (f"mailto:{way.email}", way.email) if way.email else ("", "")


def _hours(hours: Hours, reading: Reading) -> tuple[str, ...]:
    return tuple(
        _capital(
            reading.say(
                "page.support.shift",
                days=_days(shift.days, reading),
                opens=_clock(shift.opens),
                closes=_clock(shift.closes),
            )
        )
        for shift in hours.shifts
    )


def _days(days: Sequence[int], reading: Reading) -> str:
    """Return days of the week in words: a run of three or more by its ends."""
    if len(days) == _WEEK:
        return reading.say("page.support.days.all")
    names = [moments.weekday_name(day, reading.language) for day in days]
    if len(days) > 2 and all(later == day + 1 for day, later in pairwise(days)):
        return reading.say("page.support.days.run", first=names[0], last=names[-1])
    return moments.listed(names, reading.language)


def _day(day: date, name: Any, reading: Reading) -> str:
    words = _capital(moments.weekday(day, reading.language))
    called = reading.told(name).text
    return reading.say("page.support.holiday", day=words, name=called) if called else words


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
