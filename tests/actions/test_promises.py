"""Support as it is drawn: who is there at this moment, the holidays ahead, what the tickets show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from monitor.actions.promises import support_view
from monitor.fleet import Department, Fleet
from monitor.status.support import Presence, SupportView
from monitor.store import cases, observations
from monitor.store.cases import CaseRow, Reads
from monitor.support.answers import AnswerTime
from monitor.support.hours import Hours, Shift
from monitor.support.reach import Support
from tests.actions.builders import Lookout
from tests.tickets import builders

SUNDAY = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHTS = Hours(shifts=(Shift(days=tuple(range(7)), opens=0, closes=1440),))


def fleet(**changes: object) -> Fleet:
    departments = (
        Department(id="soporte", name={"es": "Soporte"}, email="soporte@example.com", hours=NIGHTS),
        Department(id="pagos", name={"es": "Pagos"}),
    )
    return replace(
        builders.fleet(), departments=departments, support=Support(hours=Hours(country="EC"), **changes)
    )


def drawn(lookout: Lookout, now: datetime, whole: Fleet | None = None) -> SupportView:
    with lookout.database.reading() as tx:
        return support_view(tx, whole or fleet(), now)


def holidays(lookout: Lookout, *days: str) -> None:
    told = json.dumps({"until": 2028, "by": "1", "days": {day: {"es": "Feriado"} for day in days}})
    with lookout.database.writing() as tx:
        observations.publish(tx, "holidays.EC", SUNDAY, told)


def test_whether_anybody_is_there_follows_the_clock_and_the_holidays(lookout: Lookout):
    assert drawn(lookout, SUNDAY).presence == Presence(open_until=None, opens_at=MONDAY - 2 * HOUR)
    assert drawn(lookout, MONDAY).presence == Presence(open_until=MONDAY + 8 * HOUR, opens_at=None)

    holidays(lookout, "2026-11-23")
    assert drawn(lookout, MONDAY).presence == Presence(open_until=None, opens_at=MONDAY + 22 * HOUR)


def test_a_department_with_hours_of_its_own_is_there_by_those(lookout: Lookout):
    soporte, pagos = drawn(lookout, SUNDAY).departments

    assert soporte.presence is not None
    assert soporte.presence.open_until is not None
    assert (soporte.hours, pagos.hours, pagos.presence) == (NIGHTS, None, None)


def test_holidays_ahead_are_the_next_five_of_two_months(lookout: Lookout):
    days = ("2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30")
    holidays(lookout, *days)
    assert [each.day for each in drawn(lookout, MONDAY).holidays] == [
        date(2026, 11, day) for day in range(23, 28)
    ]


def test_figures_and_tickets_that_wait_are_those_of_the_last_reading(lookout: Lookout):
    assert drawn(lookout, SUNDAY).unanswered == {}
    time = AnswerTime(
        department="soporte",
        since=SUNDAY - timedelta(days=30),
        until=SUNDAY,
        answered=3,
        counted=1,
        waiting=2,
        mean=timedelta(hours=23, minutes=40, microseconds=7),
        median=HOUR,
        p90=None,
    )
    case = CaseRow(
        helpdesk="rt",
        ticket="7",
        url="",
        department="ventas",
        subject="",
        requester="",
        priority="normal",
        status="open",
        seen_at=SUNDAY,
        opened_at=SUNDAY,
        answered_at=None,
        closed_at=None,
    )
    with lookout.database.writing() as tx:
        cases.put_answer_times(tx, (time,))
        cases.put(tx, (case, replace(case, ticket="8", answered_at=SUNDAY)))
        cases.note_read(tx, "rt", Reads(read_at=SUNDAY, whole_at=SUNDAY))

    view = drawn(lookout, SUNDAY)
    assert view.departments[0].answer == time
    assert view.departments[1].answer is None
    assert view.answers == (time,)
    assert view.unanswered == {"soporte": 0, "pagos": 0, "ventas": 1}


@pytest.mark.parametrize(("departments", "told"), [((), False), (fleet().departments, True)])
def test_there_is_something_to_tell_once_something_is_configured(lookout: Lookout, departments, told):
    assert drawn(lookout, SUNDAY, replace(fleet(), departments=departments)).is_told is told
