"""Windows meet judgement: every case of rule M1 to M10, on the clock that steps and a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.actions import maintain, windows
from monitor.actions.summarise import summarise
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet
from monitor.health.words import Service, Status
from monitor.identifiers import ServerId, WindowId
from monitor.incidents.incident import Stage
from monitor.journal.entries import IncidentUpdated, Kind, Reason, WindowPlanned
from monitor.language.zones import instant_of, zone_data
from monitor.maintenance.window import Window, WindowStage
from monitor.status.snapshot import ServerView
from monitor.store import readings
from monitor.store.database import Database
from tests.actions.builders import (
    GYE1,
    MINUTE,
    RETRY,
    UIO1,
    Lookout,
    fleet,
    gye1,
    key,
    look,
    plan,
    recurring,
    server,
    uio1,
)

HOUR = 60 * MINUTE
A_SECOND = timedelta(seconds=1)
TITLE = {"es": "Cambio de discos", "en": "Disks are replaced"}
ROUTER, SITE1 = ServerId("router"), ServerId("site1")


def planned(lookout: Lookout, start: timedelta, end: timedelta, *servers: ServerId, **more: bool) -> Window:
    """Plan a window of gye1, counted from now, and let the house see it."""
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        window = maintain.plan(
            tx,
            servers=servers or (GYE1,),
            starts_at=now + start,
            ends_at=now + end,
            title=TITLE,
            actor="ana",
            moment=now,
            **more,
        )
    lookout.bureau.keep_house()
    return window


def extend(lookout: Lookout, window: WindowId, ends_at: datetime, **more: bool) -> Window:
    with lookout.database.writing() as tx:
        return windows.extend(tx, window, ends_at, actor="ana", moment=lookout.clock.now(), **more)


def cancel(lookout: Lookout, window: WindowId) -> None:
    with lookout.database.writing() as tx:
        maintain.cancel(tx, window, actor="ana", moment=lookout.clock.now())
    lookout.clock.step(A_SECOND)
    lookout.bureau.keep_house()


def until(lookout: Lookout, moment: datetime, *looks: str) -> tuple[str, ...]:
    """Let time pass up to a moment, with a look each minute and the house kept; return what was asked to be looked at."""
    asked: list[str] = []
    while lookout.clock.now() < moment:
        lookout.clock.step(min(MINUTE, moment - lookout.clock.now()))
        asked += keep(lookout)
        if looks and lookout.clock.now() < moment:
            lookout.bureau.record([look(*words.split(), lookout.clock.now()) for words in looks])
    return tuple(asked)


def keep(lookout: Lookout) -> tuple[str, ...]:
    kept = lookout.bureau.keep_house()
    return () if kept is None else tuple(str(one) for one in kept.look_at)


def shown(lookout: Lookout, of: ServerId = GYE1) -> ServerView:
    """Return a server as the page shows it right now."""
    lookout.bureau.publish("", "")
    with lookout.database.reading() as tx:
        snapshot = summarise(tx, lookout.clock.now(), number=1)
    return next(one for one in snapshot.servers() if one.id == of)


def stored(lookout: Lookout, window: WindowId) -> Window:
    with lookout.database.reading() as tx:
        found = readings.window(tx, window)
    assert found is not None
    return found


def reasons(lookout: Lookout) -> list[Reason]:
    return [entry.body.reason for entry in lookout.entries() if isinstance(entry.body, IncidentUpdated)]


def well(lookout: Lookout) -> None:
    lookout.see(*(f"{check.key} ok" for check in lookout.fleet.checks()))


# M1: what fails and recovers inside


def test_m1_a_failure_that_begins_and_ends_inside_tells_nobody(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", "gye1/smtp down", "gye1/tls down", times=4)
    assert lookout.status() is Status.MAJOR_OUTAGE
    lookout.see("gye1/http ok", "gye1/smtp ok", "gye1/tls ok", times=2)
    until(lookout, window.ends_at + MINUTE, "gye1/http ok", "gye1/smtp ok", "gye1/tls ok")
    assert lookout.incidents() == []
    assert lookout.status() is Status.OPERATIONAL


def test_m1_what_was_down_inside_costs_no_uptime_and_is_counted_apart(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), 20 * MINUTE)
    lookout.see("gye1/http down", "gye1/smtp down", "gye1/tls down", times=4)
    lookout.see("gye1/http ok", "gye1/smtp ok", "gye1/tls ok", times=2)
    until(lookout, window.ends_at + MINUTE, "gye1/http ok", "gye1/smtp ok", "gye1/tls ok")
    today = shown(lookout).days[-1]
    assert today.down_s == 0
    assert today.maintenance_s == pytest.approx(20 * 60, abs=61)


def test_m1_a_failure_before_the_window_that_is_confirmed_inside_waits_for_its_end(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down")
    planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=2)
    assert lookout.status() is Status.PARTIAL_OUTAGE
    assert lookout.incidents() == []


# M2: what still fails at the end


def test_m2_everything_is_looked_at_a_minute_before_the_end_and_at_the_end(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    asked = until(lookout, window.ends_at - MINUTE - A_SECOND, "gye1/http ok")
    assert asked == ()
    lookout.clock.step(A_SECOND)
    mine = {str(check.key) for check in gye1().checks}
    assert set(keep(lookout)) == mine
    lookout.clock.step(30 * A_SECOND)
    assert keep(lookout) == ()
    lookout.clock.step(30 * A_SECOND)
    assert set(keep(lookout)) == mine
    lookout.clock.step(A_SECOND)
    assert keep(lookout) == ()


def test_m2_a_window_of_less_than_a_minute_is_looked_at_as_it_begins(lookout: Lookout):
    well(lookout)
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now,
            ends_at=now + 40 * A_SECOND,
            title=TITLE,
            actor="ana",
            moment=now,
        )
    assert "gye1/http" in keep(lookout)


def test_m2_the_last_look_waits_for_the_last_of_windows_that_overlap(lookout: Lookout):
    well(lookout)
    first = planned(lookout, timedelta(0), 20 * MINUTE)
    second = planned(lookout, timedelta(0), 40 * MINUTE)
    # The end of the first asks for looks of what it covered; nothing was foreseen for it.
    until(lookout, first.ends_at - MINUTE)
    assert keep(lookout) == ()
    until(lookout, second.ends_at - MINUTE - A_SECOND)
    lookout.clock.step(A_SECOND)
    assert "gye1/http" in keep(lookout)


def test_m2_an_extension_within_the_last_minute_asks_again_before_the_new_end(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    until(lookout, window.ends_at - 30 * A_SECOND)
    longer = extend(lookout, window.id, window.ends_at + HOUR)
    assert keep(lookout) == ()
    until(lookout, longer.ends_at - MINUTE - A_SECOND)
    lookout.clock.step(A_SECOND)
    assert "gye1/http" in keep(lookout)


def test_m2_as_many_fresh_looks_as_ever_open_it_with_the_end_as_its_beginning(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    until(lookout, window.ends_at, "gye1/http down")
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    lookout.see("gye1/http down")
    incident = lookout.incident()
    assert incident.started_at == window.ends_at
    assert incident.updates[0].text["es"].startswith("El mantenimiento terminó")
    assert incident.updates[0].text["en"].startswith("Maintenance ended")


def test_m2_a_good_look_among_the_fresh_ones_starts_the_row_anew(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    until(lookout, window.ends_at, "gye1/http down")
    lookout.see("gye1/http down", times=2)
    lookout.see("gye1/http ok")
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    lookout.see("gye1/http down")
    assert lookout.incident().stage is Stage.INVESTIGATING


def test_m2_the_end_is_acted_upon_when_watch_was_away(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    lookout.bureau.publish("", "")
    lookout.clock.step(window.ends_at - lookout.clock.now() + HOUR)
    again = lookout.restart()
    again.bureau.keep_house()
    again.see("gye1/http down", times=2)
    assert again.incidents() == []
    again.see("gye1/http down")
    assert again.incident().started_at >= window.ends_at
    again.database.close()


# M3: a window that begins during an open incident


def test_m3_the_incident_stays_open_its_ticket_hears_of_it_once_and_customers_do_not(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    words = len(lookout.incident().updates)
    planned(lookout, timedelta(0), HOUR)
    planned(lookout, timedelta(0), 2 * HOUR)
    incident = lookout.incident()
    assert incident.stage is Stage.INVESTIGATING
    assert len(incident.updates) == words
    assert reasons(lookout) == [Reason.WINDOW_BEGAN]
    assert lookout.told() == ["create", "comment"]
    assert lookout.told(channel="operators") == ["opened"]


def test_m3_updates_pause_and_go_on_after_the_window(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", "gye1/smtp down", times=4)
    assert lookout.incident().checks == (key("gye1/http"),)
    until(lookout, window.ends_at, "gye1/http down", "gye1/smtp down")
    lookout.see("gye1/http down", "gye1/smtp down", times=3)
    assert set(lookout.incident().checks) == {key("gye1/http"), key("gye1/smtp")}
    assert lookout.told().count("create") == 1


def test_m3_a_recovery_is_told_in_the_window_with_everybody_who_is_told_of_any(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http ok", times=2)
    assert lookout.incident().stage is Stage.MONITORING
    until(lookout, window.starts_at + 10 * MINUTE, *(f"{one.key} ok" for one in lookout.fleet.checks()))
    assert lookout.incident().stage is Stage.RESOLVED
    assert lookout.told()[-1] == "resolve"
    assert lookout.told(channel="operators") == ["opened", "resolved"]


def test_m3_what_fails_again_in_the_window_is_not_resolved_and_not_told(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http ok", times=2)
    lookout.see("gye1/http down", times=3)
    before = lookout.told()
    until(lookout, lookout.clock.now() + 10 * MINUTE, "gye1/http down")
    assert lookout.incident().stage is Stage.MONITORING
    assert lookout.told() == before


def test_m3_a_window_that_came_and_went_while_nobody_watched_pauses_nothing(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now + MINUTE,
            ends_at=now + 2 * MINUTE,
            title=TITLE,
            actor="ana",
            moment=now,
        )
    lookout.clock.step(3 * MINUTE)
    lookout.bureau.keep_house()
    assert reasons(lookout) == []


# M4: windows that change in the middle of an incident


def test_m4_a_window_planned_back_in_time_counts_from_now_and_takes_nothing_back(lookout: Lookout):
    well(lookout)
    lookout.see("gye1/http down", times=3)
    opened = lookout.incident()
    window = planned(lookout, -HOUR, HOUR)
    assert stored(lookout, window.id).started_at == lookout.clock.now()
    assert lookout.incident().id == opened.id
    assert lookout.incident().updates == opened.updates
    assert lookout.told() == ["create", "comment"]
    before = lookout.since()
    today = shown(lookout).days[-1]
    assert today.down_s == round((lookout.clock.now() - before).total_seconds())


def test_m4_a_window_that_is_all_in_the_past_is_refused(lookout: Lookout):
    with pytest.raises(RefusedError, match="over already"):
        planned(lookout, -2 * HOUR, -HOUR)


def test_m4_cancelled_in_the_middle_lets_what_still_fails_be_told_after_fresh_looks(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    cancel(lookout, window.id)
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    lookout.see("gye1/http down")
    assert lookout.incident().started_at == stored(lookout, window.id).ended_at


def test_m4_extended_in_the_middle_goes_on_being_quiet(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    extend(lookout, window.id, window.ends_at + HOUR)
    until(lookout, window.ends_at + 30 * MINUTE, "gye1/http down")
    assert lookout.incidents() == []


def test_m4_completed_early_ends_the_quiet_at_that_moment(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    with lookout.database.writing() as tx:
        done = windows.complete(tx, window.id, actor="ana", moment=lookout.clock.now())
    lookout.clock.step(A_SECOND)
    assert "gye1/http" in keep(lookout)
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().started_at == done.ended_at


def test_m4_begun_early_is_quiet_from_then_on(lookout: Lookout):
    well(lookout)
    window = planned(lookout, HOUR, 2 * HOUR)
    lookout.see("gye1/http down", times=2)
    with lookout.database.writing() as tx:
        windows.begin(tx, window.id, actor="ana", moment=lookout.clock.now())
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    assert shown(lookout).status is Status.UNDER_MAINTENANCE


def test_m4_every_change_is_on_record_with_who_made_it(lookout: Lookout):
    window = planned(lookout, timedelta(0), HOUR)
    extend(lookout, window.id, window.ends_at + HOUR)
    cancel(lookout, window.id)
    told = [(entry.kind, entry.actor) for entry in lookout.entries() if entry.subject == window.id]
    assert told == [
        (Kind.WINDOW_PLANNED, "ana"),
        (Kind.WINDOW_STARTED, "vigia"),
        (Kind.WINDOW_EXTENDED, "ana"),
        (Kind.WINDOW_CANCELLED, "ana"),
    ]


@pytest.mark.parametrize("verb", [windows.begin, windows.complete, maintain.cancel])
def test_m4_what_is_over_cannot_be_changed(lookout: Lookout, verb):
    window = planned(lookout, timedelta(0), HOUR)
    cancel(lookout, window.id)
    with lookout.database.writing() as tx, pytest.raises(RefusedError, match="cancelled already"):
        verb(tx, window.id, actor="ana", moment=lookout.clock.now())
    with pytest.raises(RefusedError, match="cancelled already"):
        extend(lookout, window.id, window.ends_at + HOUR)
    with lookout.database.writing() as tx, pytest.raises(NotFoundError, match="vigia window list"):
        verb(tx, WindowId("nobody"), actor="ana", moment=lookout.clock.now())


# M5: looks that come late


def test_m5_looks_from_inside_that_arrive_after_the_end_confirm_nothing(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=5)
    until(lookout, window.ends_at, "gye1/http down")
    late = [window.ends_at - seconds * A_SECOND for seconds in (3, 2, 1)]
    for at in late:
        lookout.clock.step(A_SECOND)
        lookout.bureau.record([look("gye1/http", "down", at)])
    assert lookout.incidents() == []
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    lookout.see("gye1/http down")
    assert lookout.incident().started_at == window.ends_at


def test_m5_a_failure_seen_inside_and_heard_of_after_the_end_is_no_failure_of_afterwards(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    until(lookout, window.ends_at, *(f"{one.key} ok" for one in lookout.fleet.checks()))
    for seconds in (3, 2, 1):
        lookout.bureau.record([look("gye1/http", "down", window.ends_at - seconds * A_SECOND)])
    lookout.see("gye1/http ok", times=2)
    assert lookout.incidents() == []
    assert lookout.status() is Status.OPERATIONAL


def test_m5_a_look_from_after_the_end_counts(lookout: Lookout):
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    until(lookout, window.ends_at, *(f"{one.key} ok" for one in lookout.fleet.checks()))
    lookout.see("gye1/http down", times=3)
    incident = lookout.incident()
    assert incident.started_at == window.ends_at + RETRY
    assert "mantenimiento" not in incident.updates[0].text["es"].lower()


# M6: windows that overlap or grow


def test_m6_overlapping_windows_are_one_quiet_time(lookout: Lookout):
    well(lookout)
    first = planned(lookout, timedelta(0), 20 * MINUTE)
    second = planned(lookout, 10 * MINUTE, 40 * MINUTE)
    lookout.see("gye1/http down", times=5)
    until(lookout, first.ends_at + 10 * MINUTE, "gye1/http down")
    assert lookout.incidents() == []
    assert shown(lookout).status is Status.UNDER_MAINTENANCE
    until(lookout, second.ends_at, "gye1/http down")
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().started_at == second.ends_at


def test_m6_windows_that_touch_leave_no_gap(lookout: Lookout):
    well(lookout)
    first = planned(lookout, timedelta(0), 20 * MINUTE)
    planned(lookout, 20 * MINUTE, 40 * MINUTE)
    lookout.see("gye1/http down", times=5)
    until(lookout, first.ends_at + 5 * MINUTE, "gye1/http down")
    assert lookout.incidents() == []


def test_m6_an_extended_window_keeps_its_one_notice(lookout: Lookout):
    window = planned(lookout, timedelta(0), HOUR)
    longer = extend(lookout, window.id, window.ends_at + HOUR)
    (only,) = lookout.windows()
    assert only == stored(lookout, window.id)
    assert (only.id, only.ends_at, only.starts_at) == (window.id, longer.ends_at, window.starts_at)
    assert only.planned_at == window.planned_at
    assert only.started_at is not None


def test_m6_an_end_that_is_no_later_is_refused_with_the_remedy(lookout: Lookout):
    window = planned(lookout, timedelta(0), HOUR)
    for ends_at in (window.ends_at, window.ends_at - MINUTE):
        with pytest.raises(RefusedError, match="vigia window complete"):
            extend(lookout, window.id, ends_at)


def test_m6_a_window_of_a_rule_that_a_person_extended_is_not_shortened_again(lookout: Lookout):
    rules = fleet(windows=(recurring(),))
    lookout.bureau.apply(rules)
    name = WindowId("backups-202611290700")
    longer = extend(lookout, name, stored(lookout, name).ends_at + HOUR)
    with lookout.database.writing() as tx:
        assert maintain.plan_recurring(tx, rules, lookout.clock.now()) == 0
    assert stored(lookout, name).ends_at == longer.ends_at


# M7: local times


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        # Clocks in Madrid go from 02:00 to 03:00 on the 28th of March 2027 ...
        ("Europe/Madrid", "2027-03-28 02:30", datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        # ... and show 02:30 twice on the 31st of October: the first is summer time still.
        ("Europe/Madrid", "2027-10-31 02:30", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
        # Lord Howe Island moves by half an hour.
        ("Australia/Lord_Howe", "2027-10-03 02:15", datetime(2027, 10, 2, 15, 30, tzinfo=UTC)),
        ("America/Guayaquil", "2027-03-28 02:30", datetime(2027, 3, 28, 7, 30, tzinfo=UTC)),
    ],
)
def test_m7_a_skipped_time_is_the_first_instant_after_it_and_a_double_one_the_first(zone, local, utc):
    assert instant_of(datetime.fromisoformat(local), ZoneInfo(zone)) == utc


def test_m7_a_rule_keeps_its_length_in_elapsed_time_across_a_clock_change():
    rule = recurring(rule="every sunday 01:30", lasts=timedelta(hours=3))
    start = datetime(2027, 3, 27, tzinfo=UTC)
    (night, *_) = maintain.occurrences(rule, "Europe/Madrid", start, start + timedelta(days=7))
    assert night.starts_at == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
    assert night.ends_at - night.starts_at == timedelta(hours=3)


def test_m7_the_plan_names_its_zone_and_the_version_of_the_zones(lookout: Lookout):
    window = planned(lookout, HOUR, 2 * HOUR)
    (body,) = [entry.body for entry in lookout.entries() if isinstance(entry.body, WindowPlanned)]
    assert window.time_zone == "America/Guayaquil"
    assert body.zone_data == zone_data()
    assert body.zone_data[:2] == "20"


# M8: scope


def behind_a_router() -> Fleet:
    """Return gye1 behind a router, a site behind gye1, and uio1 behind nobody."""
    far = replace(gye1(), depends_on=(ROUTER,))
    site = server(SITE1, plan("site1/http", Service.WEB), plan("site1/heartbeat", Service.FILES))
    return fleet(
        server(ROUTER, plan("router/ping", Service.NETWORK)), far, replace(site, depends_on=(GYE1,)), uio1()
    )


@pytest.fixture
def deep(lookout: Lookout) -> Lookout:
    """The same lookout, of servers that depend on each other."""
    lookout.fleet = behind_a_router()
    lookout.bureau.apply(lookout.fleet)
    well(lookout)
    return lookout


def test_m8_a_window_covers_everything_behind_its_servers(deep: Lookout):
    window = planned(deep, timedelta(0), HOUR, ROUTER)
    assert window.children == {GYE1, SITE1}
    deep.see("gye1/http down", "site1/http down", "site1/heartbeat down", "uio1/http down", times=4)
    assert deep.incident().servers == (UIO1,)
    statuses = {name: shown(deep, name).status for name in (ROUTER, GYE1, SITE1)}
    assert set(statuses.values()) == {Status.UNDER_MAINTENANCE}


def test_m8_what_is_in_front_of_a_window_is_not_covered(deep: Lookout):
    window = planned(deep, timedelta(0), HOUR, GYE1)
    assert window.children == {SITE1}
    deep.see("router/ping down", times=4)
    assert ROUTER in deep.incident().servers


def test_m8_children_have_to_prove_anew_that_they_fail_after_it(deep: Lookout):
    window = planned(deep, timedelta(0), HOUR, GYE1)
    deep.see("site1/http down", times=4)
    until(deep, window.ends_at, "site1/http down")
    deep.see("site1/http down", times=2)
    assert deep.incidents() == []
    deep.see("site1/http down")
    assert deep.incident().started_at == window.ends_at


def test_m8_the_ticket_of_a_child_hears_of_the_window_of_its_parent(deep: Lookout):
    in_front = [f"{check.key} ok" for one in deep.fleet.servers[:2] for check in one.checks]
    deep.see("site1/http down", *in_front, times=4)
    deep.bureau.keep_house()
    assert deep.incident().servers == (SITE1,)
    planned(deep, timedelta(0), HOUR, GYE1)
    assert reasons(deep) == [Reason.WINDOW_BEGAN]


def test_m8_the_time_of_a_child_in_it_is_maintenance(deep: Lookout):
    window = planned(deep, timedelta(0), 30 * MINUTE, ROUTER)
    until(deep, window.ends_at + MINUTE, *(f"{one.key} ok" for one in deep.fleet.checks()))
    assert shown(deep, SITE1).days[-1].maintenance_s == pytest.approx(30 * 60, abs=61)
    assert shown(deep, UIO1).days[-1].maintenance_s == 0


def test_m8_who_is_behind_follows_the_configuration_while_the_window_is_not_over(deep: Lookout):
    ahead = planned(deep, HOUR, 2 * HOUR, ROUTER)
    running = planned(deep, timedelta(0), HOUR, ROUTER)
    alone = fleet(*(replace(one, depends_on=()) for one in deep.fleet.servers))
    deep.bureau.apply(alone)
    assert stored(deep, ahead.id).children == frozenset()
    now = stored(deep, running.id)
    assert (now.stage, now.children) == (WindowStage.IN_PROGRESS, frozenset())
    deep.bureau.apply(behind_a_router())
    assert stored(deep, ahead.id).children == {GYE1, SITE1}


def test_m8_a_rule_covers_what_is_behind_its_servers(deep: Lookout):
    with_rule = replace(behind_a_router(), windows=(recurring(),))
    deep.bureau.apply(with_rule)
    assert {frozenset(window.children) for window in deep.windows()} == {frozenset({SITE1})}
    with deep.database.writing() as tx:
        assert maintain.plan_recurring(tx, with_rule, deep.clock.now()) == 0


# M9: the longest window


def test_m9_more_than_a_day_needs_a_second_yes(lookout: Lookout):
    with pytest.raises(RefusedError, match="--yes-longer-than-a-day"):
        planned(lookout, timedelta(0), 24 * HOUR + A_SECOND)
    assert planned(lookout, timedelta(0), 24 * HOUR).stage is WindowStage.SCHEDULED
    assert planned(lookout, timedelta(0), 30 * HOUR, confirmed=True).stage is WindowStage.SCHEDULED


def test_m9_neither_does_a_window_grow_beyond_a_day_by_itself(lookout: Lookout):
    window = planned(lookout, timedelta(0), 20 * HOUR)
    with pytest.raises(RefusedError, match="--yes-longer-than-a-day"):
        extend(lookout, window.id, window.ends_at + 5 * HOUR)
    assert stored(lookout, window.id).ends_at == window.ends_at
    longer = extend(lookout, window.id, window.ends_at + 5 * HOUR, confirmed=True)
    assert stored(lookout, window.id).ends_at == longer.ends_at


# M10: what the page shows


@pytest.mark.parametrize("word", ["ok", "down", "slow"])
def test_m10_a_server_in_a_window_is_under_maintenance_and_never_green(lookout: Lookout, word: str):
    well(lookout)
    planned(lookout, timedelta(0), HOUR)
    lookout.see(*(f"{one.key} {word}" for one in gye1().checks), times=4)
    view = shown(lookout)
    assert view.status is Status.UNDER_MAINTENANCE
    assert set(view.services.values()) == {Status.UNDER_MAINTENANCE}


def test_m10_it_is_so_from_the_first_moment_to_just_before_the_last(lookout: Lookout):
    well(lookout)
    window = planned(lookout, MINUTE, 2 * MINUTE)
    seen = []
    for moment in (window.starts_at - A_SECOND, window.starts_at, window.ends_at - A_SECOND, window.ends_at):
        until(lookout, moment)
        seen.append(shown(lookout).status is Status.UNDER_MAINTENANCE)
    assert seen == [False, True, True, False]


def test_m10_every_path_that_lets_a_window_end_late_still_shows_it(tmp_path, clock):
    """A round of the house that comes late does not turn a page green before what failed was looked at anew."""
    lookout = Lookout(Database.open(tmp_path / "late.db", owner=True), clock)
    well(lookout)
    window = planned(lookout, timedelta(0), HOUR)
    lookout.see("gye1/http down", times=4)
    lookout.clock.step(window.ends_at - lookout.clock.now() + timedelta(seconds=5))
    assert shown(lookout).status in (Status.UNDER_MAINTENANCE, Status.PARTIAL_OUTAGE)
    assert lookout.incidents() == []
    lookout.database.close()
