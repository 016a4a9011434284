"""An operator overrules what is shown of a server: for a reason, for a while, and on record (rule D12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.actions import force as forcing
from monitor.actions.summarise import summarise
from monitor.errors import NotFoundError, RefusedError
from monitor.health.force import LONGEST, Force
from monitor.health.words import Service, Status, Why
from monitor.identifiers import ServerId
from monitor.journal.entries import Kind
from monitor.status.snapshot import ServerView
from monitor.store import journal, readings
from tests.actions.builders import GYE1, MINUTE, UIO1, Lookout, fleet, gye1, uio1
from tests.actions.test_windows_meet_judgement import planned, until

HOUR = 60 * MINUTE
A_SECOND = timedelta(seconds=1)
WELL = tuple(f"{check.key} ok" for check in (*gye1().checks, *uio1().checks))


def forced(lookout: Lookout, status: Status, lasts: timedelta = HOUR, of: ServerId = GYE1, **more) -> Force:
    now = lookout.clock.now()
    wanted = Force(
        server=of, status=status, reason="The check is wrong.", author="ana", since=now, until=now + lasts
    )
    with lookout.database.writing() as tx:
        return forcing.force(tx, replace(wanted, **more))


def release(lookout: Lookout, of: ServerId = GYE1) -> Force:
    with lookout.database.writing() as tx:
        told = forcing.release(tx, of, author="eva", moment=lookout.clock.now())
    lookout.bureau.keep_house()
    return told


def later(lookout: Lookout, span: timedelta, *looks: str) -> None:
    until(lookout, lookout.clock.now() + span, *looks)


def shown(lookout: Lookout, of: ServerId = GYE1) -> ServerView:
    lookout.bureau.publish("", "")
    with lookout.database.reading() as tx:
        snapshot = summarise(tx, lookout.clock.now(), number=1)
    return next(one for one in snapshot.servers() if one.id == of)


@pytest.mark.parametrize("status", list(Status))
def test_any_status_can_be_forced_and_is_shown_at_once_with_why(lookout: Lookout, status: Status):
    lookout.see(*WELL)
    forced(lookout, status)
    view = shown(lookout)
    assert (view.status, view.because) == (status, Why.FORCED)
    assert shown(lookout, UIO1).because is None


@pytest.mark.parametrize(
    ("status", "services"),
    [
        (Status.OPERATIONAL, {Service.WEB: Status.OPERATIONAL, Service.MAIL: Status.OPERATIONAL}),
        (Status.MAJOR_OUTAGE, {Service.WEB: Status.MAJOR_OUTAGE, Service.MAIL: Status.MAJOR_OUTAGE}),
        (
            Status.DEGRADED_PERFORMANCE,
            {Service.WEB: Status.DEGRADED_PERFORMANCE, Service.MAIL: Status.OPERATIONAL},
        ),
    ],
)
def test_no_service_contradicts_its_server(lookout: Lookout, status: Status, services):
    lookout.see(*WELL)
    lookout.see("gye1/http down", "gye1/tls down", times=3)
    forced(lookout, status)
    assert shown(lookout).services == services


def test_a_server_that_nobody_has_judged_yet_can_be_forced(lookout: Lookout):
    forced(lookout, Status.MAJOR_OUTAGE)
    assert shown(lookout).status is Status.MAJOR_OUTAGE
    release(lookout)
    assert shown(lookout).status is Status.UNKNOWN


def test_the_journal_holds_who_said_it_why_and_until_when(lookout: Lookout):
    lookout.see(*WELL)
    word = forced(lookout, Status.PARTIAL_OUTAGE, 4 * HOUR)
    (entry,) = [one for one in lookout.entries() if one.kind is Kind.SERVER_FORCED]
    assert (entry.actor, entry.subject, entry.body.reason) == ("ana", GYE1, "The check is wrong.")
    assert entry.body.until == word.until == word.since + 4 * HOUR
    release(lookout)
    (entry,) = [one for one in lookout.entries() if one.kind is Kind.SERVER_RELEASED]
    assert entry.actor == "eva"


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"until": timedelta(0)}, "--until"),
        ({"until": -HOUR}, "--until"),
        ({"until": LONGEST + A_SECOND}, "24 hours at most"),
        ({"reason": "  "}, "--reason"),
        ({"reason": "x" * 501}, "--reason"),
        ({"author": ""}, "--author"),
        ({"author": "vigia"}, "--author"),
        ({"author": "ana\nadmin"}, "--author"),
    ],
)
def test_a_word_without_sense_is_refused_with_its_remedy(lookout: Lookout, changes, remedy: str):
    lookout.see(*WELL)
    if "until" in changes:
        changes = {"until": lookout.clock.now() + changes["until"]}
    with pytest.raises(RefusedError, match=remedy):
        forced(lookout, Status.OPERATIONAL, **changes)
    assert Kind.SERVER_FORCED.value not in lookout.kinds()


def test_a_server_that_is_not_there_cannot_be_forced_nor_one_released_that_was_not(lookout: Lookout):
    with pytest.raises(NotFoundError, match="nobody"):
        forced(lookout, Status.OPERATIONAL, of=ServerId("nobody"))
    with pytest.raises(NotFoundError, match="nobody has forced"):
        release(lookout)


def test_it_expires_by_itself_and_its_end_is_on_record(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.MAJOR_OUTAGE, HOUR)
    later(lookout, HOUR - A_SECOND, *WELL)
    assert lookout.status() is Status.MAJOR_OUTAGE
    later(lookout, A_SECOND)
    assert shown(lookout).because is None
    assert lookout.status() is Status.OPERATIONAL
    (entry,) = [one for one in lookout.entries() if one.kind is Kind.SERVER_RELEASED]
    assert entry.actor == "vigia"
    assert lookout.bureau.keep_house() is None


def test_it_outlives_a_restart_and_expires_after_one(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.MAJOR_OUTAGE, HOUR)
    lookout.bureau.publish("", "")
    lookout.clock.step(10 * A_SECOND)
    again = lookout.restart()
    again.see(*WELL, times=2)
    assert again.status() is Status.MAJOR_OUTAGE
    again.bureau.publish("", "")
    again.clock.step(2 * HOUR)
    third = again.restart()
    third.see(*WELL, times=2)
    third.bureau.keep_house()
    third.see(*WELL, times=2)
    assert third.status() is Status.OPERATIONAL
    third.database.close()


def test_a_further_word_takes_the_place_of_the_one_before(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.MAJOR_OUTAGE, HOUR)
    forced(lookout, Status.DEGRADED_PERFORMANCE, 2 * HOUR)
    later(lookout, HOUR, *WELL)
    assert lookout.status() is Status.DEGRADED_PERFORMANCE
    later(lookout, HOUR, *WELL)
    assert lookout.status() is Status.OPERATIONAL


def test_what_is_forced_to_be_well_opens_no_incident_until_the_word_ends(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.OPERATIONAL)
    lookout.see("gye1/http down", times=5)
    assert lookout.status() is Status.OPERATIONAL
    assert lookout.incidents() == []
    release(lookout)
    assert lookout.status() is Status.PARTIAL_OUTAGE
    assert lookout.incident().servers == (GYE1,)
    assert lookout.told() == ["create"]


def test_other_servers_are_told_of_meanwhile(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.OPERATIONAL)
    lookout.see("gye1/http down", "uio1/http down", times=3)
    assert lookout.incident().servers == (UIO1,)


def test_what_recovers_before_the_word_ends_was_never_told(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.OPERATIONAL)
    lookout.see("gye1/http down", times=5)
    lookout.see("gye1/http ok", times=2)
    release(lookout)
    assert lookout.incidents() == []


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.OPERATIONAL])
def test_a_bad_status_opens_nothing_by_itself_and_hides_no_fault(lookout: Lookout, status: Status):
    lookout.see(*WELL)
    forced(lookout, status)
    later(lookout, 2 * MINUTE, *WELL)
    assert lookout.incidents() == []
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().impact.value == "major"
    assert lookout.status() is status


def test_an_open_incident_goes_on_and_recovers_whatever_is_forced(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=3)
    forced(lookout, Status.OPERATIONAL)
    lookout.see("gye1/http ok", times=2)
    assert lookout.incident().stage.value == "monitoring"


def test_a_window_comes_before_what_is_forced(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.OPERATIONAL, 2 * HOUR)
    window = planned(lookout, timedelta(0), HOUR)
    assert shown(lookout).status is Status.UNDER_MAINTENANCE
    later(lookout, window.ends_at - lookout.clock.now(), *WELL)
    assert shown(lookout).status is Status.OPERATIONAL


def test_availability_counts_what_was_shown(lookout: Lookout):
    lookout.see(*WELL)
    start = lookout.clock.now()
    forced(lookout, Status.MAJOR_OUTAGE, HOUR)
    later(lookout, 30 * MINUTE, *WELL)
    release(lookout)
    later(lookout, 10 * MINUTE, *WELL)
    forced(lookout, Status.OPERATIONAL, HOUR)
    for _ in range(20):
        later(lookout, MINUTE, "gye1/http down")
    release(lookout)
    with lookout.database.reading() as tx:
        spans = readings.status_spans(tx, start, lookout.clock.now())[GYE1]
    minutes = [(one.status, round((one.end - one.start) / MINUTE)) for one in spans]
    assert minutes == [(Status.MAJOR_OUTAGE, 30), (Status.OPERATIONAL, 30)]
    assert shown(lookout).days[-1].down_s == 30 * 60


def test_a_fault_that_began_under_the_word_does_not_reach_back_into_it(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.OPERATIONAL)
    lookout.see("gye1/http down", times=2)
    word = release(lookout)
    lookout.see("gye1/http down")
    assert lookout.status() is Status.PARTIAL_OUTAGE
    assert lookout.since() == word.released_at


def test_a_server_that_was_retired_and_comes_back_is_shown_as_forced(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.MAJOR_OUTAGE)
    lookout.bureau.apply(fleet(uio1()))
    lookout.bureau.apply(fleet())
    lookout.see(*WELL, times=2)
    assert lookout.status() is Status.MAJOR_OUTAGE


def test_a_replay_gives_the_same_rows(lookout: Lookout):
    lookout.see(*WELL)
    forced(lookout, Status.MAJOR_OUTAGE)
    forced(lookout, Status.OPERATIONAL, of=UIO1)
    release(lookout)
    before = _tables(lookout)
    journal.rebuild(lookout.database)
    assert _tables(lookout) == before


def _tables(lookout: Lookout) -> list[list[tuple[object, ...]]]:
    names = ("forces", "server_status", "status_intervals")
    with lookout.database.reading() as tx:
        return [
            sorted((tuple(row) for row in tx.rows(f"SELECT * FROM {name}")), key=repr)  # noqa: S608 - names of ours
            for name in names
        ]
