"""Windows: planned with sense, kept by themselves, and quiet for as long as they last and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.actions import maintain
from monitor.errors import NotFoundError, RefusedError
from monitor.health.words import Status
from monitor.identifiers import ServerId, WindowId
from monitor.incidents.incident import Audience, Impact, Stage
from monitor.journal.entries import IncidentUpdated, Reason
from monitor.maintenance.window import Window, WindowStage
from monitor.store import readings
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, RETRY, UIO1, Lookout, fleet, key, recurring

HOUR = 60 * MINUTE
TITLE = {"es": "Cambio de discos", "en": "Disks are replaced"}


def plan(lookout: Lookout, start: timedelta, end: timedelta, *servers: ServerId) -> Window:
    """Plan a window of gye1, counted from now."""
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        return maintain.plan(
            tx,
            servers=servers or (GYE1,),
            starts_at=now + start,
            ends_at=now + end,
            title=TITLE,
            actor="ana",
            moment=now,
        )


def cancel(lookout: Lookout, window: WindowId) -> Window:
    with lookout.database.writing() as tx:
        return maintain.cancel(tx, window, actor="ana", moment=lookout.clock.now())


def running(lookout: Lookout, lasts: timedelta = HOUR) -> Window:
    """Return a window of gye1 that has just begun."""
    window = plan(lookout, timedelta(0), lasts)
    lookout.bureau.keep_house()
    return window


def stored(lookout: Lookout, window: WindowId) -> Window:
    with lookout.database.reading() as tx:
        found = readings.window(tx, window)
    assert found is not None
    return found


# Planning


def test_a_window_is_planned_in_the_zone_of_the_site_and_kept_in_utc(lookout: Lookout):
    window = plan(lookout, HOUR, 2 * HOUR)
    assert stored(lookout, window.id) == window
    assert (window.time_zone, window.stage) == ("America/Guayaquil", WindowStage.SCHEDULED)
    assert lookout.entries()[-1].actor == "ana"


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (2 * HOUR, HOUR, "ends before it starts"),
        (HOUR, HOUR, "ends before it starts"),
        (-2 * HOUR, -HOUR, "over already"),
        (HOUR, 25 * HOUR + MINUTE, "--yes-longer-than-a-day"),
    ],
)
def test_nonsense_is_refused_with_a_remedy(lookout: Lookout, start: timedelta, end: timedelta, sentence: str):
    with pytest.raises(RefusedError, match=sentence):
        plan(lookout, start, end)
    assert lookout.windows() == ()


def test_a_window_for_nobody_or_for_a_stranger_is_refused(lookout: Lookout):
    with pytest.raises(NotFoundError, match="gye9"):
        plan(lookout, HOUR, 2 * HOUR, GYE1, ServerId("gye9"))
    now = lookout.clock.now()
    with lookout.database.writing() as tx, pytest.raises(RefusedError, match="at least one server"):
        maintain.plan(tx, servers=(), starts_at=now, ends_at=now + HOUR, title=TITLE, actor="ana", moment=now)


def test_a_window_of_exactly_24_hours_is_allowed(lookout: Lookout):
    assert plan(lookout, HOUR, 25 * HOUR).ends_at == lookout.clock.now() + 25 * HOUR


# Keeping


def test_a_window_starts_and_ends_by_itself(lookout: Lookout):
    window = plan(lookout, HOUR, 2 * HOUR)
    assert lookout.bureau.keep_house() is None
    lookout.clock.step(HOUR)
    kept = lookout.bureau.keep_house()
    assert kept is not None
    assert kept.decided
    assert stored(lookout, window.id).stage is WindowStage.IN_PROGRESS
    assert lookout.bureau.keep_house() is None
    lookout.clock.step(HOUR)
    lookout.bureau.keep_house()
    after = stored(lookout, window.id)
    assert (after.stage, after.ended_at) == (WindowStage.COMPLETED, lookout.clock.now())
    assert lookout.bureau.keep_house() is None


def test_a_window_that_nobody_was_there_for_is_told_in_full(lookout: Lookout):
    window = plan(lookout, HOUR, 2 * HOUR)
    lookout.clock.step(timedelta(days=40))
    lookout.bureau.keep_house()
    assert stored(lookout, window.id).stage is WindowStage.COMPLETED
    assert lookout.kinds()[-2:] == ["window.started", "window.completed"]


def test_a_cancelled_window_never_begins_and_is_cancelled_once(lookout: Lookout):
    window = plan(lookout, HOUR, 2 * HOUR)
    cancel(lookout, window.id)
    lookout.wait(3 * HOUR, every=10 * MINUTE)
    assert stored(lookout, window.id).stage is WindowStage.CANCELLED
    with pytest.raises(RefusedError, match="cancelled already"):
        cancel(lookout, window.id)
    with pytest.raises(NotFoundError, match="window list"):
        cancel(lookout, WindowId("nothing"))


# Quiet


def test_m1_a_fault_that_comes_and_goes_inside_is_told_to_nobody(lookout: Lookout):
    running(lookout)
    lookout.see("gye1/http down", times=5)
    assert lookout.status() is Status.PARTIAL_OUTAGE
    lookout.see("gye1/http ok", times=2)
    lookout.wait(2 * HOUR, every=MINUTE)
    assert lookout.incidents() == []


def test_m1_warnings_for_the_staff_are_quiet_too(lookout: Lookout):
    running(lookout)
    lookout.see("gye1/tls ending", "gye1/disk full", times=5)
    assert lookout.incidents() == []


def test_m2_a_fault_that_goes_on_is_an_incident_from_the_end_of_the_window(lookout: Lookout):
    window = running(lookout)
    lookout.see("gye1/http down", times=5)
    lookout.clock.step(window.ends_at - lookout.clock.now())
    kept = lookout.bureau.keep_house()
    assert kept is not None
    assert key("gye1/http") in kept.look_at
    lookout.see("gye1/http down", times=2)
    assert lookout.incidents() == []
    lookout.see("gye1/http down")
    incident = lookout.incident()
    assert incident.started_at == window.ends_at
    assert incident.updates[0].text["es"].startswith("El mantenimiento terminó")
    assert lookout.told() == ["create"]


def test_m2_what_was_mended_with_the_end_of_the_window_is_told_to_nobody(lookout: Lookout):
    window = running(lookout)
    lookout.see("gye1/http down", times=5)
    lookout.clock.step(window.ends_at - lookout.clock.now())
    lookout.bureau.keep_house()
    lookout.see("gye1/http ok", times=3)
    assert lookout.incidents() == []
    assert lookout.status() is Status.OPERATIONAL


def test_m2_holds_when_watch_was_away_at_the_end_of_the_window(lookout: Lookout):
    window = running(lookout)
    lookout.see("gye1/http down", times=5)
    lookout.clock.step(window.ends_at - lookout.clock.now() + HOUR)
    again = lookout.restart()
    again.bureau.keep_house()
    again.see("gye1/http down", times=3)
    assert again.incident().stage is Stage.INVESTIGATING
    again.database.close()


def test_m3_a_window_that_begins_pauses_the_incident_and_the_ticket_hears_of_it(lookout: Lookout):
    lookout.see("gye1/http down", times=3)
    running(lookout)
    told = [entry.body.reason for entry in lookout.entries() if isinstance(entry.body, IncidentUpdated)]
    assert told == [Reason.WINDOW_BEGAN]
    assert lookout.told() == ["create", "comment"]
    lookout.see("gye1/smtp down", times=3)
    assert lookout.incident().checks == (key("gye1/http"),)
    assert lookout.told() == ["create", "comment"]
    assert len(lookout.incident().updates) == 1


def test_m3_a_recovery_is_always_told(lookout: Lookout):
    lookout.see("gye1/http down", times=3)
    running(lookout)
    lookout.all_well()
    assert lookout.incident().stage is Stage.MONITORING
    lookout.wait(RESOLVE_AFTER)
    assert lookout.incident().stage is Stage.RESOLVED


def test_m4_cancelling_a_running_window_lets_what_still_fails_be_told(lookout: Lookout):
    window = running(lookout)
    lookout.see("gye1/http down", times=5)
    cancelled = cancel(lookout, window.id)
    assert cancelled.ended_at == lookout.clock.now()
    lookout.clock.step(timedelta(seconds=1))
    kept = lookout.bureau.keep_house()
    assert kept is not None
    assert key("gye1/http") in kept.look_at
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().started_at == cancelled.ended_at
    assert lookout.bureau.keep_house() is None


def test_m4_a_window_that_was_cancelled_while_nobody_watched_is_over_as_well(lookout: Lookout):
    window = running(lookout)
    lookout.see("gye1/http down", times=5)
    lookout.bureau.publish("", "")
    lookout.clock.step(timedelta(seconds=3))
    cancel(lookout, window.id)
    lookout.clock.step(MINUTE)
    again = lookout.restart()
    again.bureau.keep_house()
    again.see("gye1/http down", times=3)
    assert again.incident().impact is Impact.MAJOR
    again.database.close()


def test_m6_overlapping_windows_are_quiet_until_the_last_one_ends(lookout: Lookout):
    first = running(lookout, 20 * MINUTE)
    second = running(lookout, 40 * MINUTE)
    lookout.see("gye1/http down", times=5)
    lookout.clock.step(first.ends_at - lookout.clock.now())
    lookout.bureau.keep_house()
    lookout.see("gye1/http down", times=5)
    assert lookout.incidents() == []
    lookout.clock.step(second.ends_at - lookout.clock.now())
    lookout.bureau.keep_house()
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().started_at == second.ends_at


def test_a_window_of_one_server_says_nothing_about_another(lookout: Lookout):
    running(lookout)
    lookout.see("gye1/http down", "uio1/http down", times=3)
    assert lookout.incident().servers == (UIO1,)


def test_nothing_is_told_between_the_planned_end_and_the_round_that_completes_the_window(lookout: Lookout):
    window = running(lookout)
    lookout.clock.step(window.ends_at - lookout.clock.now() - 2 * RETRY)
    lookout.see("gye1/http down", times=3)
    assert lookout.clock.now() > window.ends_at
    assert lookout.incidents() == []
    lookout.bureau.keep_house()
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().audience is Audience.PUBLIC


# Windows as code


def sundays(lookout: Lookout) -> dict[WindowId, WindowStage]:
    return {window.id: window.stage for window in lookout.windows()}


def test_a_rule_plans_the_next_fourteen_days_once(lookout: Lookout):
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    # The day is Sunday the 22nd in Ecuador, and two in the morning has passed.
    assert list(sundays(lookout)) == ["backups-202611290700", "backups-202612060700"]
    with lookout.database.writing() as tx:
        assert maintain.plan_recurring(tx, fleet(windows=(recurring(),)), lookout.clock.now()) == 0
    lookout.clock.step(timedelta(days=3))
    with lookout.database.writing() as tx:
        assert maintain.plan_recurring(tx, fleet(windows=(recurring(),)), lookout.clock.now()) == 0
    lookout.clock.step(timedelta(days=7))
    with lookout.database.writing() as tx:
        assert maintain.plan_recurring(tx, fleet(windows=(recurring(),)), lookout.clock.now()) == 1


def test_an_occurrence_that_has_not_begun_follows_the_configuration(lookout: Lookout):
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    longer = recurring(lasts=timedelta(hours=3), servers=(GYE1, UIO1), title={"es": "Copias", "en": "Copies"})
    lookout.bureau.apply(fleet(windows=(longer,)))
    for window in lookout.windows():
        assert window.ends_at - window.starts_at == timedelta(hours=3)
        assert window.servers == {GYE1, UIO1}
        assert window.title["en"] == "Copies"
    assert len(lookout.windows()) == 2


def test_a_rule_that_is_gone_takes_its_occurrences_along_and_brings_them_back(lookout: Lookout):
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    lookout.bureau.apply(fleet())
    assert set(sundays(lookout).values()) == {WindowStage.CANCELLED}
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    assert set(sundays(lookout).values()) == {WindowStage.SCHEDULED}


def test_an_occurrence_that_a_person_cancelled_stays_cancelled(lookout: Lookout):
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    cancel(lookout, WindowId("backups-202611290700"))
    with lookout.database.writing() as tx:
        assert maintain.plan_recurring(tx, fleet(windows=(recurring(),)), lookout.clock.now()) == 0
    assert sundays(lookout)[WindowId("backups-202611290700")] is WindowStage.CANCELLED


def test_a_running_occurrence_outlives_its_rule(lookout: Lookout):
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    lookout.clock.step(datetime(2026, 11, 29, 7, 30, tzinfo=UTC) - lookout.clock.now())
    lookout.bureau.keep_house()
    lookout.bureau.apply(fleet())
    assert sundays(lookout)[WindowId("backups-202611290700")] is WindowStage.IN_PROGRESS


def test_windows_that_were_planned_by_hand_are_left_alone_by_the_rules(lookout: Lookout):
    window = plan(lookout, HOUR, 2 * HOUR)
    lookout.bureau.apply(fleet(windows=(recurring(),)))
    lookout.bureau.apply(fleet())
    assert stored(lookout, window.id).stage is WindowStage.SCHEDULED
