"""From a fault to the words that customers and operators read, and to the ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.health.words import CheckImpact, Status
from monitor.incidents.incident import Audience, Impact, Stage
from monitor.journal.entries import IncidentResolved, IncidentUpdated, Kind, Reason
from monitor.language import LANGUAGES
from monitor.store import journal, readings
from tests.actions.builders import (
    GYE1,
    MINUTE,
    REOPEN_WITHIN,
    RESOLVE_AFTER,
    RETRY,
    UIO1,
    Lookout,
    fleet,
    gye1,
    key,
    uio1,
)

WELL = tuple(f"{check.key} ok" for check in gye1().checks)


def fault(lookout: Lookout, *checks: str) -> None:
    """Let checks of gye1 fail that were well before."""
    lookout.see(*WELL)
    lookout.see(*(f"gye1/{check} down" for check in checks or ("http",)), times=3)


def over(lookout: Lookout) -> None:
    """Let everything recover and the watching end."""
    lookout.all_well()
    lookout.wait(RESOLVE_AFTER)


def reasons(lookout: Lookout) -> list[Reason]:
    return [entry.body.reason for entry in lookout.entries() if isinstance(entry.body, IncidentUpdated)]


def test_a_fault_opens_one_incident_that_begins_with_the_first_failing_look(lookout: Lookout):
    lookout.see(*WELL)
    first = lookout.clock.now() + RETRY
    lookout.see("gye1/http down", times=3)
    incident = lookout.incident()
    assert (incident.stage, incident.impact) == (Stage.INVESTIGATING, Impact.MAJOR)
    assert (incident.servers, incident.checks) == ((GYE1,), (key("gye1/http"),))
    assert (incident.started_at, incident.opened_at) == (first, lookout.clock.now())
    assert lookout.since() == first
    assert lookout.status() is Status.PARTIAL_OUTAGE


def test_customers_read_title_and_text_in_every_language(lookout: Lookout):
    fault(lookout, "smtp")
    incident = lookout.incident()
    (update,) = incident.updates
    assert set(incident.title) == set(update.text) == set(LANGUAGES)
    assert incident.title["es"] == "gye1.nodored.com: correo fuera de servicio"
    assert incident.title["en"] == "gye1.nodored.com: mail out of service"
    # The first failing look was at 15:00:30 UTC: in Ecuador it was ten in the morning.
    assert "10:00" in update.text["es"]
    assert "10:00" in update.text["en"]


def test_looks_that_go_on_failing_tell_nothing_new(lookout: Lookout):
    fault(lookout)
    before = lookout.kinds()
    lookout.see("gye1/http down", times=20)
    assert lookout.kinds() == before
    assert lookout.told() == ["create"]


def test_another_check_joins_the_incident_and_raises_its_ticket(lookout: Lookout):
    fault(lookout)
    lookout.see("gye1/smtp down", times=3)
    incident = lookout.incident()
    assert incident.checks == (key("gye1/http"), key("gye1/smtp"))
    assert reasons(lookout) == [Reason.JOINED]
    assert lookout.told() == ["create", "comment", "priority"]
    lookout.see("gye1/tls down", times=3)
    assert lookout.incident().impact is Impact.CRITICAL
    assert reasons(lookout) == [Reason.JOINED, Reason.WORSENED]
    assert lookout.told(channel="operators") == ["opened", "worsened"]


def test_a_slow_check_that_goes_down_worsens_its_incident(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/http slow", times=3)
    assert lookout.incident().impact is Impact.MINOR
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().impact is Impact.MAJOR
    assert reasons(lookout) == [Reason.WORSENED]


def test_a_partial_recovery_eases_the_incident_and_leaves_the_ticket_as_urgent_as_it_was(lookout: Lookout):
    fault(lookout, "http", "smtp", "tls")
    assert lookout.incident().impact is Impact.CRITICAL
    lookout.see("gye1/http ok", "gye1/tls ok", times=2)
    assert lookout.incident().impact is Impact.MAJOR
    assert reasons(lookout)[-1] is Reason.EASED
    assert "priority" not in lookout.told()


def test_a_recovery_is_watched_and_then_resolved_with_the_first_good_look_as_its_end(lookout: Lookout):
    fault(lookout)
    first_good = lookout.clock.now() + RETRY
    lookout.see("gye1/http ok", times=2)
    assert lookout.incident().stage is Stage.MONITORING
    assert lookout.status() is Status.OPERATIONAL
    lookout.wait(RESOLVE_AFTER - timedelta(seconds=1))
    assert lookout.incident().stage is Stage.MONITORING
    lookout.wait(timedelta(seconds=1))
    incident = lookout.incident()
    assert incident.stage is Stage.RESOLVED
    assert incident.ended_at == first_good
    assert incident.resolved_at == lookout.clock.now()
    assert lookout.told() == ["create", "comment", "resolve"]
    assert [update.stage for update in incident.updates] == ["investigating", "monitoring", "resolved"]


def test_a_relapse_while_it_is_watched_goes_on_with_the_same_incident(lookout: Lookout):
    fault(lookout)
    lookout.see("gye1/http ok", times=2)
    lookout.see("gye1/http down", times=3)
    incident = lookout.incident()
    assert incident.stage is Stage.INVESTIGATING
    assert incident.ended_at is None
    lookout.wait(RESOLVE_AFTER)
    assert lookout.incident().stage is Stage.INVESTIGATING


def test_a_relapse_soon_after_the_resolution_reopens_incident_and_ticket(lookout: Lookout):
    fault(lookout)
    over(lookout)
    lookout.clock.step(REOPEN_WITHIN - 2 * MINUTE)
    lookout.see("gye1/smtp down", times=3)
    incident = lookout.incident()
    assert incident.stage is Stage.INVESTIGATING
    assert incident.checks == (key("gye1/http"), key("gye1/smtp"))
    assert lookout.told()[-1] == "reopen"
    assert lookout.told().count("create") == 1


def test_a_fault_long_after_the_resolution_is_a_new_incident(lookout: Lookout):
    fault(lookout)
    over(lookout)
    lookout.clock.step(REOPEN_WITHIN + MINUTE)
    lookout.see("gye1/http down", times=3)
    old, new = lookout.incidents()
    assert (old.stage, new.stage) == (Stage.RESOLVED, Stage.INVESTIGATING)
    assert lookout.told(new.id) == ["create"]


def test_a_fault_of_one_server_never_joins_the_incident_of_another(lookout: Lookout):
    fault(lookout)
    lookout.see("uio1/http down", "uio1/tcp down", times=3)
    first, second = lookout.incidents()
    assert (first.servers, second.servers) == ((GYE1,), (UIO1,))
    assert second.impact is Impact.CRITICAL


def test_a_certificate_near_its_end_is_told_to_operators_and_the_helpdesk_alone(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/tls ending", times=3)
    incident = lookout.incident()
    assert (incident.audience, incident.impact) == (Audience.OPERATORS, Impact.NONE)
    assert lookout.told() == ["create"]
    assert lookout.told(channel="operators") == ["opened"]
    assert lookout.status() is Status.OPERATIONAL
    lookout.see("gye1/tls ok", times=2)
    assert lookout.incident().stage is Stage.RESOLVED
    assert lookout.told() == ["create", "resolve"]
    assert lookout.told(channel="operators") == ["opened", "resolved"]


def test_a_warning_that_becomes_a_fault_is_settled_and_told_to_customers(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/tls ending", times=3)
    lookout.see("gye1/tls down", times=3)
    warning, public = lookout.incidents()
    assert (warning.audience, warning.stage) == (Audience.OPERATORS, Stage.RESOLVED)
    assert (public.audience, public.stage) == (Audience.PUBLIC, Stage.INVESTIGATING)


def test_a_full_disk_of_a_check_without_impact_changes_nothing_for_customers(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/disk full", "gye1/http down", times=3)
    operators, public = sorted(lookout.incidents(), key=lambda each: each.audience)
    assert operators.checks == (key("gye1/disk"),)
    assert public.checks == (key("gye1/http"),)


def test_a_retired_server_closes_its_incident_with_a_word_of_its_own(lookout: Lookout):
    fault(lookout)
    lookout.bureau.apply(fleet(uio1()))
    lookout.wait(MINUTE)
    incident = lookout.incident()
    assert incident.stage is Stage.RESOLVED
    assert incident.ended_at is not None
    assert set(incident.updates[-1].text) == set(LANGUAGES)
    assert lookout.told()[-1] == "resolve"
    with lookout.database.reading() as tx:
        assert GYE1 not in readings.standing(tx)
        [end] = [one.entry.body for one in journal.entries(tx, kinds=[Kind.INCIDENT_RESOLVED])]
    assert isinstance(end, IncidentResolved)
    assert not end.recovered


def test_a_failing_check_that_is_taken_out_lets_its_incident_recover(lookout: Lookout):
    fault(lookout, "http", "smtp")
    lookout.see("gye1/smtp ok", times=2)
    without = replace(gye1(), checks=tuple(each for each in gye1().checks if each.key != key("gye1/http")))
    lookout.bureau.apply(fleet(without, uio1()))
    assert lookout.incident().stage is Stage.MONITORING
    assert lookout.status() is Status.OPERATIONAL
    lookout.wait(RESOLVE_AFTER)
    assert lookout.incident().stage is Stage.RESOLVED


def test_what_changed_in_the_configuration_while_nobody_watched_is_considered_at_the_start(lookout: Lookout):
    fault(lookout, "http", "smtp")
    lookout.see("gye1/smtp ok", times=2)
    without = replace(gye1(), checks=tuple(each for each in gye1().checks if each.key != key("gye1/http")))
    again = lookout.restart(fleet(without, uio1()))
    assert again.incident().stage is Stage.MONITORING
    assert again.status() is Status.OPERATIONAL
    again.database.close()


def test_a_check_that_counts_from_now_on_is_told_when_the_configuration_is_applied(lookout: Lookout):
    lookout.see(*WELL)
    lookout.see("gye1/disk down", times=3)
    assert lookout.incident().audience is Audience.OPERATORS
    lookout.clock.step(RETRY)
    counting = tuple(replace(each, impact=CheckImpact.OUTAGE) for each in gye1().checks)
    lookout.bureau.apply(fleet(replace(gye1(), checks=counting), uio1()))
    warning, public = lookout.incidents()
    assert warning.stage is Stage.RESOLVED
    assert public.impact is Impact.MAJOR
    # No look of this moment confirmed it, so the look that is held speaks for it.
    assert public.started_at == lookout.clock.now() - 3 * RETRY


def test_the_same_configuration_again_writes_nothing(lookout: Lookout):
    before = lookout.kinds()
    lookout.bureau.apply(lookout.fleet)
    assert lookout.kinds() == before


def test_the_first_healthy_look_is_no_news(lookout: Lookout):
    lookout.see(*WELL)
    assert lookout.kinds() == ["station.armed", "inventory.applied", "watch.started", "server.changed"]
