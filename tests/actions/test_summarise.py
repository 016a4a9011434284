"""The one picture: what is known, how old that is, and what days and shares come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from monitor.actions import maintain
from monitor.actions.append import append
from monitor.actions.summarise import freshness_of, summarise
from monitor.health.words import Indicator, State, Status
from monitor.identifiers import IncidentId, UpdateId
from monitor.incidents.incident import Audience, Impact, Incident, Origin, Stage, Update
from monitor.journal.entries import Entry, IncidentOpened, Kind
from monitor.status.snapshot import GREY_AFTER, HISTORY_DAYS, STALE_AFTER, Day, Freshness, Snapshot
from monitor.store import observations
from monitor.store.database import Database
from monitor.store.days import refresh_days
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, RETRY, UIO1, Lookout, fleet
from tests.conftest import SteppingClock

HOUR = 60 * MINUTE
WELL = tuple(f"{check.key} ok" for check in fleet().checks())
TEXTS: Mapping[str, str] = {"es": "...", "en": "..."}


def beat(lookout: Lookout) -> None:
    """Let watch give a sign of life now."""
    lookout.bureau.publish("", "")


def picture(lookout: Lookout) -> Snapshot:
    with lookout.database.reading() as tx:
        return summarise(tx, lookout.clock.now(), number=1)


def today(lookout: Lookout) -> Day:
    return picture(lookout).servers()[0].days[-1]


def at(lookout: Lookout, moment: datetime) -> None:
    lookout.clock.step(moment - lookout.clock.now())


def window(lookout: Lookout, lasts: timedelta) -> None:
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx, servers=(GYE1,), starts_at=now, ends_at=now + lasts, title=TEXTS, actor="ana", moment=now
        )
    lookout.bureau.keep_house()


def told(lookout: Lookout, name: str, **changes: object) -> None:
    """Put an incident on record that no look has opened."""
    now = lookout.clock.now()
    plain = Incident(
        id=IncidentId(name),
        title=TEXTS,
        stage=Stage.INVESTIGATING,
        impact=Impact.MINOR,
        servers=(GYE1,),
        checks=(),
        started_at=now,
        opened_at=now,
        origin=Origin.OPERATOR,
        updates=(Update(id=UpdateId(f"U{name}"), stage=Stage.INVESTIGATING, text=TEXTS, at=now),),
    )
    incident = replace(plain, **changes)  # type: ignore[arg-type] # a builder takes any of the fields
    body = IncidentOpened(incident=incident)
    with lookout.database.writing() as tx:
        append(tx, (Entry(kind=Kind.INCIDENT_OPENED, moment=now, subject=name, body=body),), now)


# Freshness


@pytest.mark.parametrize(
    ("age", "freshness"),
    [
        (timedelta(0), Freshness.FRESH),
        (STALE_AFTER, Freshness.FRESH),
        (STALE_AFTER + timedelta(milliseconds=1), Freshness.STALE),
        (GREY_AFTER, Freshness.STALE),
        (GREY_AFTER + timedelta(milliseconds=1), Freshness.GREY),
        (-MINUTE, Freshness.FRESH),
    ],
)
def test_a_picture_ages_at_its_edges(clock: SteppingClock, age: timedelta, freshness: Freshness):
    assert freshness_of(clock.now() - age, clock.now()) is freshness


def test_a_picture_without_any_sign_of_life_is_grey(clock: SteppingClock):
    assert freshness_of(None, clock.now()) is Freshness.GREY


def test_before_anything_was_applied_the_page_is_empty_and_grey(tmp_path, clock: SteppingClock):
    database = Database.open(tmp_path / "vigia.db", owner=True)
    with database.reading() as tx:
        snapshot = summarise(tx, clock.now(), number=7)
    database.close()
    assert (snapshot.number, snapshot.freshness, snapshot.groups) == (7, Freshness.GREY, ())
    assert snapshot.indicator is Indicator.NONE


def test_a_grey_page_shows_nothing_as_known_and_says_what_was(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=3)
    beat(lookout)
    lookout.clock.step(GREY_AFTER + MINUTE)
    first, second = picture(lookout).servers()
    assert (first.status, first.last_known) == (Status.UNKNOWN, Status.PARTIAL_OUTAGE)
    assert (second.status, second.last_known) == (Status.UNKNOWN, Status.OPERATIONAL)
    assert set(first.services.values()) == {Status.UNKNOWN}
    assert picture(lookout).groups[0].status is Status.UNKNOWN
    assert picture(lookout).indicator is Indicator.MAJOR


# Servers


def test_a_server_that_nobody_looked_at_is_unknown(lookout: Lookout):
    snapshot = picture(lookout)
    assert [view.status for view in snapshot.servers()] == [Status.UNKNOWN, Status.UNKNOWN]
    check = snapshot.servers()[0].checks[0]
    assert (check.state, check.outcome, check.took_ms, check.checked_at) == (State.UNKNOWN, None, None, None)


def test_checks_show_their_newest_look(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down")
    check = picture(lookout).servers()[0].checks[0]
    assert (check.id, check.state, check.outcome, check.cause) == ("http", State.SUSPECT, "down", "refused")
    assert check.took_ms == 12.5
    assert check.checked_at == lookout.clock.now()


def test_a_server_in_a_window_is_under_maintenance_whatever_it_does(lookout: Lookout):
    lookout.see(*WELL)
    window(lookout, HOUR)
    lookout.see("gye1/http down", times=3)
    beat(lookout)
    snapshot = picture(lookout)
    first, second = snapshot.servers()
    assert (first.status, first.last_known) == (Status.UNDER_MAINTENANCE, Status.PARTIAL_OUTAGE)
    assert second.status is Status.OPERATIONAL
    assert [each.servers for each in snapshot.active_windows] == [{GYE1}]


def test_windows_are_upcoming_then_active_then_past(lookout: Lookout):
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now + HOUR,
            ends_at=now + 2 * HOUR,
            title=TEXTS,
            actor="ana",
            moment=now,
        )
    found = []
    for _ in range(3):
        snapshot = picture(lookout)
        found.append(
            tuple(map(len, (snapshot.upcoming_windows, snapshot.active_windows, snapshot.past_windows)))
        )
        lookout.clock.step(HOUR)
        lookout.bureau.keep_house()
    assert found == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_groups_without_servers_are_left_out(lookout: Lookout):
    assert [group.id for group in picture(lookout).groups] == ["hosting"]


def test_a_group_takes_the_worst_of_its_servers(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http slow", times=3)
    beat(lookout)
    snapshot = picture(lookout)
    assert snapshot.groups[0].status is Status.DEGRADED_PERFORMANCE
    assert snapshot.indicator is Indicator.MINOR


# Incidents


def test_customers_never_see_what_is_for_operators_or_a_drill(lookout: Lookout):
    told(lookout, "01PUBLIC")
    told(lookout, "01STAFF", audience=Audience.OPERATORS)
    told(lookout, "01DRILL", drill=True)
    snapshot = picture(lookout)
    assert [incident.id for incident in snapshot.open_incidents] == ["01PUBLIC"]
    assert today(lookout).incidents == ("01PUBLIC",)


def test_open_incidents_stand_worst_first_and_resolved_ones_newest_first(lookout: Lookout):
    told(lookout, "01MINOR")
    lookout.clock.step(MINUTE)
    told(lookout, "01MAJOR", impact=Impact.CRITICAL)
    lookout.see("uio1/http down", times=3)
    lookout.all_well()
    lookout.wait(RESOLVE_AFTER)
    snapshot = picture(lookout)
    assert [incident.id for incident in snapshot.open_incidents] == ["01MAJOR", "01MINOR"]
    assert [incident.servers for incident in snapshot.recent_incidents] == [(UIO1,)]


def test_an_incident_stands_on_every_day_that_it_touches(lookout: Lookout):
    told(lookout, "01LONG", started_at=lookout.clock.now() - timedelta(days=2))
    days = picture(lookout).servers()[0].days
    assert [len(day.incidents) for day in days[-4:]] == [0, 1, 1, 1]


def test_an_incident_that_began_before_the_ninety_days_stands_on_all_of_them(lookout: Lookout):
    told(lookout, "01AGES", started_at=lookout.clock.now() - timedelta(days=200))
    assert all(day.incidents == ("01AGES",) for day in picture(lookout).servers()[0].days)


# Days and shares


def test_there_are_ninety_days_and_the_last_is_today_in_the_zone_of_the_site(lookout: Lookout):
    days = picture(lookout).servers()[0].days
    assert len(days) == HISTORY_DAYS
    assert days[-1].date == date(2026, 11, 22)
    assert all(before.date + timedelta(days=1) == after.date for before, after in pairwise(days))


def test_days_turn_at_midnight_in_ecuador_and_not_in_greenwich(lookout: Lookout):
    at(lookout, datetime(2026, 11, 23, 4, 59, 59, tzinfo=UTC))
    assert today(lookout).date == date(2026, 11, 22)
    at(lookout, datetime(2026, 11, 23, 5, 0, 0, tzinfo=UTC))
    assert today(lookout).date == date(2026, 11, 23)


def test_today_counts_what_was_down_from_the_first_failing_to_the_first_good_look(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=8)
    lookout.see("gye1/http ok", times=4)
    beat(lookout)
    day = today(lookout)
    assert day.down_s == 8 * 15
    assert day.worst is Status.PARTIAL_OUTAGE
    share = picture(lookout).servers()[0].uptime
    # Judged since the first look: eight failing turns of twelve, of which the last good one is this moment.
    assert share == pytest.approx(1 - 8 / 12)


def test_maintenance_counts_neither_as_up_nor_as_down(lookout: Lookout):
    lookout.see(*WELL)
    lookout.wait(HOUR, every=HOUR)
    window(lookout, HOUR)
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    lookout.wait(2 * HOUR, every=RETRY)
    beat(lookout)
    day = today(lookout)
    assert day.maintenance_s == 3600
    assert day.down_s == 0
    assert picture(lookout).servers()[0].uptime == 1.0


def test_time_in_which_nobody_looked_is_no_data(lookout: Lookout):
    lookout.see(*WELL)
    beat(lookout)
    before = today(lookout).no_data_s
    lookout.clock.step(HOUR)
    # Not heard for an hour: what came after the last sign of life is unknown already, before anybody starts again.
    assert today(lookout).no_data_s == before + 3600
    again = lookout.restart()
    again.see(*WELL)
    beat(again)
    day = today(again)
    assert day.no_data_s == pytest.approx(before + 3600, abs=1)
    assert picture(again).servers()[0].uptime == 1.0
    again.database.close()


def test_a_server_without_any_data_has_no_share(lookout: Lookout):
    assert [view.uptime for view in picture(lookout).servers()] == [None, None]


def test_closed_days_are_shown_as_they_were_worked_out(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=4)
    lookout.see("gye1/http ok", times=2)
    at(lookout, datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    with lookout.database.writing() as tx:
        refresh_days(tx, lookout.bureau.picture.zone, lookout.clock.now(), date(2026, 8, 24))
        observations.beat(tx, "watch", lookout.clock.now())
    yesterday, now = picture(lookout).servers()[0].days[-2:]
    assert (yesterday.date, yesterday.down_s) == (date(2026, 11, 22), 60)
    assert (now.date, now.down_s) == (date(2026, 11, 23), 0)
