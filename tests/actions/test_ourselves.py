"""Checks that tell us nothing: operators hear of it once, customers and the helpdesk never."""

from __future__ import annotations

from dataclasses import replace

from monitor.health.blindness import BLIND_AFTER
from monitor.incidents.incident import Audience, Impact, Stage
from monitor.journal.consequences import Channel
from monitor.store import journal
from tests.actions.builders import GYE1, RETRY, Lookout, fleet, gye1, key, uio1


def test_a_hiccup_of_ours_tells_nobody_anything(lookout: Lookout):
    lookout.see("gye1/http ok")
    lookout.see("gye1/http unknown", times=BLIND_AFTER - 1)
    lookout.see("gye1/http ok")
    lookout.see("gye1/http unknown", times=BLIND_AFTER - 1)
    assert lookout.incidents() == []


def test_checks_that_stay_blind_are_one_matter_of_the_operators(lookout: Lookout):
    lookout.see("gye1/http ok", "gye1/smtp ok")
    first = lookout.clock.now() + RETRY
    lookout.see("gye1/http unknown", "gye1/smtp unknown", times=BLIND_AFTER + 3)
    incident = lookout.incident()
    assert (incident.audience, incident.impact, incident.servers) == (Audience.OPERATORS, Impact.NONE, ())
    assert set(incident.checks) == {key("gye1/http"), key("gye1/smtp")}
    assert incident.started_at == first
    assert lookout.told(channel=Channel.OPERATORS) == ["opened"]
    assert lookout.told(channel=Channel.TICKET) == []
    assert "no file descriptor left" in incident.updates[-1].text["es"]
    assert lookout.status(GYE1) == "operational"


def test_another_check_that_goes_blind_joins_and_the_last_that_sees_again_ends_it(lookout: Lookout):
    lookout.see("gye1/http unknown", times=BLIND_AFTER)
    lookout.see("uio1/http unknown", times=BLIND_AFTER)
    assert set(lookout.incident().checks) == {key("gye1/http"), key("uio1/http")}
    lookout.see("gye1/http ok")
    assert lookout.incident().stage is Stage.INVESTIGATING
    lookout.see("uio1/http down")
    assert lookout.incident().stage is Stage.RESOLVED
    assert lookout.told(channel=Channel.OPERATORS) == ["opened", "resolved"]


def test_blindness_is_remembered_over_a_restart(lookout: Lookout):
    lookout.see("gye1/http unknown", times=BLIND_AFTER)
    again = lookout.restart()
    again.see("gye1/http unknown", times=3)
    assert again.incident().stage is Stage.INVESTIGATING
    again.see("gye1/http ok")
    assert again.incident().stage is Stage.RESOLVED
    again.database.close()


def test_a_blind_check_that_is_watched_no_more_ends_the_matter(lookout: Lookout):
    lookout.see("gye1/http unknown", times=BLIND_AFTER)
    without = replace(gye1(), checks=tuple(each for each in gye1().checks if each.key != key("gye1/http")))
    lookout.bureau.apply(fleet(without, uio1()))
    lookout.bureau.keep_house()
    assert lookout.incident().stage is Stage.RESOLVED


def test_the_tables_are_a_view_of_the_journal_here_too(lookout: Lookout):
    lookout.see("gye1/http unknown", times=BLIND_AFTER)
    before = lookout.incident()
    journal.rebuild(lookout.database)
    assert lookout.incident() == before
