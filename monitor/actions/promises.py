"""Draw the view of support from the tables: what the file promises, and what the tickets show."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.actions.calendars import calendar_of
from monitor.fleet import Department, Fleet
from monitor.language.zones import day_of
from monitor.status.support import DepartmentView, Presence, SupportView
from monitor.store import cases, readings
from monitor.store.database import Transaction
from monitor.support.hours import Calendar

_HOLIDAYS_AHEAD = timedelta(days=62)
_MOST_HOLIDAYS = 5


def support_view(tx: Transaction, fleet: Fleet, now: datetime) -> SupportView:
    """Return support as it is at `now`."""
    support = fleet.support
    calendar = calendar_of(tx, support.hours, fleet.site.timezone)
    answers = {each.department: each for each in readings.answer_times(tx)}
    today = day_of(now, ZoneInfo(fleet.site.timezone))

    def view(department: Department) -> DepartmentView:
        own = department.hours and calendar_of(tx, department.hours, fleet.site.timezone)
        return DepartmentView(
            id=department.id,
            name=department.name,
            email=department.email,
            hours=department.hours,
            presence=_presence(own, now) if own else None,
            answer=answers.get(department.id),
        )

    return SupportView(
        departments=tuple(view(each) for each in fleet.departments),
        ways=support.ways,
        plans=support.plans,
        hours=support.hours,
        presence=_presence(calendar, now),
        promise=support.promise,
        holidays=calendar.holidays(today, today + _HOLIDAYS_AHEAD)[:_MOST_HOLIDAYS],
        answers=tuple(answers.values()),
        unanswered=_unanswered(tx, fleet, answers.keys()),
    )


def _presence(calendar: Calendar, now: datetime) -> Presence:
    return Presence(open_until=calendar.open_until(now), opens_at=calendar.next_opening(now))


def _unanswered(tx: Transaction, fleet: Fleet, known: object) -> dict[str, int]:
    """Return how many tickets wait in each department; nothing where no ticket can be read."""
    if not known:
        return {}
    waiting = cases.waiting_by_department(tx)
    departments = dict.fromkeys((*(each.id for each in fleet.departments), *waiting))
    return {department: waiting.get(department, 0) for department in departments}
