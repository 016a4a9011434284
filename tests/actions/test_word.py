"""An operator's word on an incident: it is in hand, it is over, it was a false alarm (rules D9 and D13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.actions import word
from monitor.actions.summarise import summarise
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet
from monitor.health.words import Status
from monitor.identifiers import IncidentId
from monitor.incidents.incident import Audience, Incident, Stage
from monitor.journal.consequences import Channel
from monitor.journal.entries import IncidentResolved, Kind
from monitor.status.snapshot import Snapshot
from monitor.store import journal, readings, schema
from tests.actions.builders import GYE1, MINUTE, REOPEN_WITHIN, RESOLVE_AFTER, Lookout, gye1, key, uio1
from tests.actions.test_windows_meet_judgement import until

HOUR = 60 * MINUTE
A_SECOND = timedelta(seconds=1)
WELL = tuple(f"{check.key} ok" for check in (*gye1().checks, *uio1().checks))
REASON = {"es": "Se cortó nuestra propia línea.", "en": "Our own line was cut."}


@pytest.fixture
def failing(lookout: Lookout) -> Lookout:
    """A lookout with an open incident of gye1/http."""
    lookout.see(*WELL)
    lookout.see("gye1/http down", times=3)
    return lookout


def newest(lookout: Lookout) -> Incident:
    return lookout.incidents()[-1]


def acknowledge(lookout: Lookout, lasts: timedelta | None = None, author: str = "ana") -> Incident:
    now = lookout.clock.now()
    end = None if lasts is None else now + lasts
    with lookout.database.writing() as tx:
        return word.acknowledge(tx, newest(lookout).id, end, author=author, moment=now)


def resolve(lookout: Lookout, **words: str) -> Incident:
    with lookout.database.writing() as tx:
        return word.resolve(
            tx, newest(lookout).id, author="ana", moment=lookout.clock.now(), words=words or None
        )


def end_of(lookout: Lookout) -> IncidentResolved:
    with lookout.database.reading() as tx:
        [end] = [one.entry.body for one in journal.entries(tx, kinds=[Kind.INCIDENT_RESOLVED])]
    assert isinstance(end, IncidentResolved)
    return end


def retract(lookout: Lookout, incident: IncidentId | None = None) -> Incident:
    with lookout.database.writing() as tx:
        return word.retract(
            tx, incident or newest(lookout).id, REASON, author="ana", moment=lookout.clock.now()
        )


def page(lookout: Lookout) -> Snapshot:
    lookout.bureau.publish("", "")
    with lookout.database.reading() as tx:
        return summarise(tx, lookout.clock.now(), number=1)


def over(lookout: Lookout) -> None:
    """Let everything recover and the watching end."""
    lookout.see(*WELL, times=2)
    until(lookout, lookout.clock.now() + RESOLVE_AFTER + MINUTE, *WELL)


def spans(lookout: Lookout) -> list[Status]:
    now = lookout.clock.now()
    with lookout.database.reading() as tx:
        return [one.status for one in readings.status_spans(tx, now - 30 * HOUR, now)[GYE1]]


class TestAcknowledge:
    def test_operators_hear_no_more_while_all_else_goes_on(self, failing: Lookout):
        acknowledge(failing)
        failing.see("gye1/http down", "gye1/smtp down", "gye1/tls down", times=3)
        assert failing.told(channel=Channel.OPERATORS) == ["opened"]
        # Who has it in hand, and that it grew.
        assert failing.told()[:3] == ["create", "comment", "comment"]
        assert "priority" not in failing.told(channel=Channel.OPERATORS)
        assert failing.incident().impact.value == "critical"
        assert len(failing.incident().updates) == 2

    def test_its_end_is_told_and_ends_it(self, failing: Lookout):
        acknowledge(failing)
        over(failing)
        assert failing.told(channel=Channel.OPERATORS) == ["opened", "resolved"]
        assert failing.incident().acknowledged is None

    def test_it_expires(self, failing: Lookout):
        acknowledge(failing, 10 * MINUTE)
        until(failing, failing.clock.now() + 10 * MINUTE, "gye1/http down")
        failing.see("gye1/http down", "gye1/smtp down", "gye1/tls down", times=3)
        assert failing.told(channel=Channel.OPERATORS) == ["opened", "worsened"]

    def test_what_comes_back_after_its_end_is_told(self, failing: Lookout):
        acknowledge(failing)
        over(failing)
        failing.see("gye1/http down", times=3)
        assert failing.told(channel=Channel.OPERATORS) == ["opened", "resolved", "reopened"]

    def test_it_is_seen_on_the_incident_and_replaced_by_a_further_one(self, failing: Lookout):
        first = acknowledge(failing)
        assert first.acknowledged is not None
        assert (first.acknowledged.author, first.acknowledged.until) == ("ana", None)
        second = acknowledge(failing, HOUR, author="eva")
        assert second.acknowledged is not None
        assert (second.acknowledged.author, second.acknowledged.until) == (
            "eva",
            failing.clock.now() + HOUR,
        )

    def test_customers_read_nothing_of_it(self, failing: Lookout):
        before = failing.incident().updates
        acknowledge(failing)
        assert failing.incident().updates == before

    def test_a_matter_of_the_staff_can_be_taken_in_hand_and_its_ticket_says_so(self, lookout: Lookout):
        lookout.see(*WELL)
        lookout.see("gye1/tls ending", times=3)
        acknowledge(lookout)
        assert lookout.told() == ["create", "comment"]

    def test_what_is_over_or_unknown_and_moments_that_passed_are_refused(self, failing: Lookout):
        with pytest.raises(RefusedError, match="past already"):
            acknowledge(failing, -MINUTE)
        with failing.database.writing() as tx, pytest.raises(NotFoundError, match="vigia incident list"):
            word.acknowledge(tx, IncidentId("nobody"), None, author="ana", moment=failing.clock.now())
        over(failing)
        with pytest.raises(RefusedError, match="is over"):
            acknowledge(failing)


class TestResolve:
    def test_it_is_over_for_customers_the_ticket_and_operators(self, failing: Lookout):
        incident = resolve(failing, es="Cambiamos un cable.")
        assert (incident.stage, incident.open) == (Stage.RESOLVED, False)
        assert incident.updates[-1].author == "ana"
        assert incident.updates[-1].text["es"] == "Cambiamos un cable."
        assert incident.updates[-1].text["en"].startswith("We consider")
        assert failing.told()[-1] == "resolve"
        assert failing.told(channel=Channel.OPERATORS)[-1] == "resolved"

    def test_one_that_recovered_ended_with_its_first_good_look(self, failing: Lookout):
        failing.see("gye1/http ok", times=2)
        ended = failing.incident().ended_at
        assert resolve(failing).ended_at == ended
        assert end_of(failing).recovered

    def test_what_no_look_saw_mended_is_not_put_down_as_mended_at_whatever_instant(self, failing: Lookout):
        failing.clock.step(timedelta(microseconds=700))
        resolve(failing)
        assert not end_of(failing).recovered

    def test_while_it_goes_on_failing_nothing_is_told_again(self, failing: Lookout):
        resolve(failing)
        failing.see("gye1/http down", times=5)
        failing.bureau.apply(failing.fleet)
        until(failing, failing.clock.now() + REOPEN_WITHIN + MINUTE, "gye1/http down")
        again = failing.restart()
        again.see("gye1/http down", times=5)
        assert len(again.incidents()) == 1
        assert again.status() is Status.PARTIAL_OUTAGE
        again.database.close()

    def test_a_reload_of_another_configuration_does_not_bring_it_back(self, failing: Lookout):
        resolve(failing)
        failing.bureau.apply(_renamed(failing))
        assert len(failing.incidents()) == 1

    def test_a_new_failure_of_it_is_a_new_incident_and_never_the_old_one(self, failing: Lookout):
        first = resolve(failing)
        failing.see("gye1/http ok", times=2)
        failing.see("gye1/http down", times=3)
        assert failing.incidents()[0] == first
        assert newest(failing).open
        assert failing.told(newest(failing).id) == ["create"]

    def test_another_check_that_fails_is_told_although_the_first_goes_on(self, failing: Lookout):
        resolve(failing)
        failing.see("gye1/http down", "gye1/smtp down", times=3)
        assert len(failing.incidents()) == 2
        assert key("gye1/smtp") in newest(failing).checks

    def test_a_failure_that_began_just_before_and_is_confirmed_just_after_is_told(self, failing: Lookout):
        failing.see("gye1/smtp down", times=2)
        resolve(failing)
        failing.see("gye1/smtp down")
        assert newest(failing).checks == (key("gye1/smtp"),)

    def test_one_that_failed_again_unconfirmed_when_it_was_resolved_is_told(self, failing: Lookout):
        failing.see("gye1/http ok", times=2)
        failing.see("gye1/http down", times=2)
        resolve(failing)
        failing.see("gye1/http down")
        assert len(failing.incidents()) == 2

    def test_a_matter_of_the_staff_does_not_come_back_either(self, lookout: Lookout):
        lookout.see(*WELL)
        lookout.see("gye1/tls ending", times=3)
        resolve(lookout)
        lookout.see("gye1/tls ending", "gye1/disk full", times=3)
        staff = [one for one in lookout.incidents() if one.audience is Audience.OPERATORS]
        assert [one.checks for one in staff] == [(key("gye1/tls"),), (key("gye1/disk"),)]
        lookout.see("gye1/tls ok", times=2)
        lookout.see("gye1/tls ending", times=3)
        assert newest(lookout).checks == (key("gye1/tls"),)

    def test_what_is_over_cannot_be_resolved(self, failing: Lookout):
        resolve(failing)
        with pytest.raises(RefusedError, match="resolved cannot become resolved"):
            resolve(failing)


class TestRetract:
    def test_it_is_closed_as_retracted_with_its_reason_in_one_update(self, failing: Lookout):
        before = failing.incident().updates
        incident = retract(failing)
        assert (incident.stage, incident.open) == (Stage.RESOLVED, False)
        assert incident.retracted is not None
        assert (incident.retracted.author, incident.retracted.reason) == ("ana", REASON["es"])
        assert incident.updates[:-1] == before
        assert REASON["es"] in incident.updates[-1].text["es"]
        assert REASON["en"] in incident.updates[-1].text["en"]

    def test_the_page_lists_it_no_more_as_open_and_no_day_counts_it(self, failing: Lookout):
        assert [one.id for one in page(failing).open_incidents] == [failing.incident().id]
        retract(failing)
        told = page(failing)
        assert told.open_incidents == ()
        assert [one.retracted is not None for one in told.recent_incidents] == [True]
        (view,) = [one for one in told.servers() if one.id == GYE1]
        assert view.days[-1].incidents == ()

    def test_ticket_and_operators_are_told(self, failing: Lookout):
        retract(failing)
        assert failing.told() == ["create", "resolve"]
        assert failing.told(channel=Channel.OPERATORS) == ["opened", "retracted"]

    def test_operators_are_told_although_somebody_had_it_in_hand(self, failing: Lookout):
        acknowledge(failing)
        retract(failing)
        assert failing.told(channel=Channel.OPERATORS)[-1] == "retracted"

    def test_availability_forgets_what_it_caused(self, failing: Lookout):
        until(failing, failing.clock.now() + 20 * MINUTE, "gye1/http down")
        over(failing)
        assert page(failing).servers()[0].days[-1].down_s > 20 * 60
        retract(failing)
        assert spans(failing) == [Status.OPERATIONAL]
        assert page(failing).servers()[0].days[-1].down_s == 0
        assert page(failing).servers()[0].uptime == 1.0

    def test_one_that_is_over_only_gets_a_note_on_its_ticket(self, failing: Lookout):
        over(failing)
        resolved_at = failing.incident().resolved_at
        incident = retract(failing)
        assert incident.resolved_at == resolved_at
        assert failing.told() == ["create", "comment", "resolve", "comment"]

    def test_faults_before_and_after_it_stay_as_they_were(self, failing: Lookout):
        over(failing)
        first = failing.incident()
        until(failing, failing.clock.now() + REOPEN_WITHIN + MINUTE, *WELL)
        failing.see("gye1/smtp down", times=3)
        until(failing, failing.clock.now() + 10 * MINUTE, "gye1/smtp down")
        over(failing)
        before = page(failing).servers()[0].days[-1].down_s
        first_s = round((first.ended_at - first.started_at).total_seconds())
        retract(failing, first.id)
        assert page(failing).servers()[0].days[-1].down_s == before - first_s
        assert spans(failing) == [Status.OPERATIONAL, Status.PARTIAL_OUTAGE, Status.OPERATIONAL]

    def test_what_goes_on_failing_is_not_told_again_and_counts_from_now_on(self, failing: Lookout):
        until(failing, failing.clock.now() + 10 * MINUTE, "gye1/http down")
        retract(failing)
        moment = failing.clock.now()
        failing.see("gye1/http down", times=5)
        assert len(failing.incidents()) == 1
        assert failing.since() == moment
        assert spans(failing) == [Status.OPERATIONAL, Status.PARTIAL_OUTAGE]

    def test_it_stays_retracted_and_the_next_fault_is_another_incident(self, failing: Lookout):
        retract(failing)
        failing.see("gye1/http ok", times=2)
        failing.see("gye1/http down", times=3)
        old, new = failing.incidents()
        assert old.retracted is not None
        assert new.retracted is None
        assert new.open

    def test_the_past_is_kept_in_the_journal(self, failing: Lookout):
        retract(failing)
        (entry,) = [one for one in failing.entries() if one.kind is Kind.INCIDENT_RETRACTED]
        assert (entry.actor, entry.body.servers) == ("ana", (GYE1,))
        assert Kind.INCIDENT_OPENED.value in failing.kinds()

    def test_twice_is_refused_and_so_is_no_reason(self, failing: Lookout):
        with failing.database.writing() as tx, pytest.raises(RefusedError, match="--reason"):
            word.retract(tx, failing.incident().id, {"es": " "}, author="ana", moment=failing.clock.now())
        retract(failing)
        with pytest.raises(RefusedError, match="retracted already"):
            retract(failing)

    def test_a_replay_gives_the_same_rows(self, failing: Lookout):
        acknowledge(failing, HOUR)
        until(failing, failing.clock.now() + 5 * MINUTE, "gye1/http down")
        retract(failing)
        failing.see("gye1/http ok", times=2)
        before = _tables(failing)
        journal.rebuild(failing.database)
        assert _tables(failing) == before


def _renamed(lookout: Lookout) -> Fleet:
    servers = tuple(replace(one, name=f"neu-{one.name}") for one in lookout.fleet.servers)
    return replace(lookout.fleet, servers=servers)


def _tables(lookout: Lookout) -> dict[str, list[list[object]]]:
    with lookout.database.reading() as tx:
        return {
            table: sorted((list(row) for row in tx.rows(f"SELECT * FROM {table}")), key=repr)  # noqa: S608 - names of ours
            for table in (*schema.FOLDED, "deliveries")
        }
