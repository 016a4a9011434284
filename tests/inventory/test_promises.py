"""What the file promises to customers, as values."""

from __future__ import annotations

from datetime import date, timedelta

from monitor.fleet import Fleet
from monitor.inventory.changes import What, changes
from monitor.support.escalation import Promise
from monitor.support.hours import Hours, Shift
from monitor.support.reach import Support, Way
from tests.inventory.conftest import Loader

PROMISES = """
support:
  hours: {days: "sat-mon,wed", from: "09:30", to: "24:00", also: [{days: fri}], holidays: EC, closed: [2026-12-24], open: [2026-10-09]}
  departments:
    - {id: soporte, name: Soporte, hours: {days: mon}, head: "${HEAD}"}
    - {id: pagos, name: Pagos}
  plans: [{id: empresas, name: Empresas}]
  channels: [{kind: chat, plans: [empresas]}, {kind: phone, number: "+593 7 256 2711"}]
  unanswered: {after: 8h, count: service, departments: [soporte]}
  average_over: 90d
"""


def test_promises_reach_the_fleet(loaded: Loader):
    fleet = loaded(PROMISES, environment={"HEAD": "json://head.example.com"}).fleet

    assert fleet.support == Support(
        hours=Hours(
            shifts=(
                Shift(days=(0, 2, 5, 6), opens=570, closes=1440),
                Shift(days=(4,), opens=480, closes=1080),
            ),
            country="EC",
            closed=(date(2026, 12, 24),),
            open=(date(2026, 10, 9),),
        ),
        ways=(Way(kind="chat", plans=("empresas",)), Way(kind="phone", number="+593 7 256 2711")),
        plans={"empresas": {"es": "Empresas", "en": "Empresas"}},
        promise=Promise(after=timedelta(hours=8), in_service=True, departments=("soporte",)),
        average_over=timedelta(days=90),
    )
    assert [each.hours for each in fleet.departments] == [
        Hours(shifts=(Shift(days=(0,), opens=480, closes=1080),)),
        None,
    ]


def test_the_address_of_a_head_is_a_secret_that_stays_out_of_the_fleet(loaded: Loader):
    configuration = loaded(PROMISES, environment={"HEAD": "json://head.example.com"})

    assert configuration.settings.heads["soporte"].get_secret_value() == "json://head.example.com"
    assert "head.example.com" not in repr(configuration)


def test_who_promises_nothing_answers_from_monday_to_friday_and_within_a_day(loaded: Loader):
    assert loaded().fleet.support == Support()
    assert Support().promise.after == timedelta(days=1)


def test_a_plan_tells_of_a_promise_that_changes(loaded: Loader):
    before: Fleet = loaded("support: {hours: {holidays: EC}}").fleet
    after: Fleet = loaded("support: {hours: {holidays: US}}").fleet

    (change,) = changes(before, after)
    assert (change.what, change.kind) == (What.CHANGED, "support")
