"""What comes and goes: one incident that stays open, few words, and none at all where nothing was ever confirmed (rule D10)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, pairwise

import pytest

from monitor.actions import maintain
from monitor.health.flapping import LASTING
from monitor.health.words import Status, Why
from monitor.incidents.incident import Audience, Incident, Stage
from monitor.journal.entries import IncidentUpdated, Kind, Reason
from monitor.observation import Cause
from monitor.store import readings
from tests.actions.builders import GYE1, MINUTE, RESOLVE_AFTER, Lookout, key

HALF_AN_HOUR = timedelta(minutes=30)


def because(lookout: Lookout) -> Why | None:
    with lookout.database.reading() as tx:
        return readings.standing(tx)[key("gye1/http").server].judged.because


def reasons(lookout: Lookout) -> list[str]:
    return [entry.body.reason for entry in lookout.entries() if isinstance(entry.body, IncidentUpdated)]


def come_and_go(lookout: Lookout, span: timedelta, line: str = "down ok") -> None:
    """Let gye1/http come and go for a while, keeping house as watch does."""
    end = lookout.clock.now() + span
    words = cycle(line.split())
    while lookout.clock.now() < end:
        lookout.see(f"gye1/http {next(words)}")
        lookout.bureau.keep_house()


@pytest.fixture
def unstable(lookout: Lookout) -> Lookout:
    """A lookout whose gye1 is out and then comes and goes."""
    lookout.all_well()
    lookout.see("gye1/http down", times=3)
    come_and_go(lookout, 3 * MINUTE, "ok down")
    return lookout


def test_what_only_comes_and_goes_is_unstable_and_opens_nothing(lookout: Lookout):
    lookout.all_well()
    come_and_go(lookout, 10 * MINUTE)
    assert (lookout.status(), because(lookout)) == (Status.DEGRADED_PERFORMANCE, Why.FLAPPING)
    assert lookout.incidents() == []
    lookout.see("gye1/http ok", times=30)
    assert (lookout.status(), because(lookout)) == (Status.OPERATIONAL, None)
    assert lookout.incidents() == []


def test_an_incident_that_comes_and_goes_says_so_once_and_stays_open(unstable: Lookout):
    incident = unstable.incident()
    assert incident.stage is Stage.INVESTIGATING
    assert incident.unstable_at is not None
    assert reasons(unstable) == [Reason.UNSTABLE]
    assert incident.title["es"].endswith("(inestable)")
    assert "comes and goes" in incident.updates[-1].text["en"]
    # All is well for a while, but not for long enough to believe it.
    unstable.see("gye1/http ok", times=10)
    unstable.bureau.keep_house()
    assert unstable.incident().stage is Stage.INVESTIGATING
    assert (unstable.status(), because(unstable)) == (Status.DEGRADED_PERFORMANCE, Why.FLAPPING)


def test_it_tells_every_half_hour_at_most_and_so_does_the_ticket(unstable: Lookout):
    come_and_go(unstable, 4 * HALF_AN_HOUR, "down down down ok ok ok")
    told = [update.at for update in unstable.incident().updates]
    assert reasons(unstable) == [Reason.UNSTABLE] * 5
    assert all(later - earlier >= HALF_AN_HOUR for earlier, later in pairwise(told[1:]))
    actions = [action for action in unstable.told() if action != "priority"]
    assert actions == ["create", *["comment"] * 5]


def test_once_it_stays_well_it_recovers_and_resolves(unstable: Lookout):
    unstable.see("gye1/http ok", times=21)
    unstable.bureau.keep_house()
    incident = unstable.incident()
    assert (incident.stage, incident.unstable_at) == (Stage.MONITORING, None)
    unstable.wait(RESOLVE_AFTER + MINUTE)
    assert unstable.incident().stage is Stage.RESOLVED
    assert unstable.told()[-1] == "resolve"
    assert unstable.told().count("create") == 1


def test_once_it_stays_down_it_says_that_it_goes_on(unstable: Lookout):
    unstable.see("gye1/http down", times=21)
    unstable.bureau.keep_house()
    incident = unstable.incident()
    assert (incident.stage, incident.unstable_at) == (Stage.INVESTIGATING, None)
    assert not incident.title["es"].endswith("(inestable)")
    assert reasons(unstable) == [Reason.UNSTABLE, Reason.STEADY]


def test_while_it_is_being_watched_it_goes_back_to_work_instead_of_relapsing(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/http down", times=3)
    lookout.see("gye1/http ok", times=2)
    assert lookout.incident().stage is Stage.MONITORING
    come_and_go(lookout, 2 * MINUTE)
    assert lookout.incident().stage is Stage.INVESTIGATING
    assert reasons(lookout) == [Reason.RECOVERING, Reason.UNSTABLE]


def test_what_else_fails_joins_and_what_is_worse_raises_the_ticket_all_the_same(unstable: Lookout):
    for _ in range(3):
        unstable.see("gye1/http down", "gye1/smtp down", "gye1/tls down")
    incident = unstable.incident()
    assert set(map(str, incident.checks)) == {"gye1/http", "gye1/smtp", "gye1/tls"}
    assert incident.impact == "critical"
    assert incident.title["es"].endswith("(inestable)")
    assert unstable.told().count("create") == 1


def test_an_incident_of_what_came_and_went_before_is_unstable_from_its_first_word(lookout: Lookout):
    lookout.all_well()
    come_and_go(lookout, 3 * MINUTE)
    lookout.see("gye1/http down", times=3)
    incident = lookout.incident()
    assert incident.unstable_at == incident.opened_at
    assert incident.title["es"].endswith("(inestable)")
    lookout.bureau.keep_house()
    assert reasons(lookout) == []


def test_what_comes_and_goes_and_joins_an_incident_makes_it_unstable_with_that_word(lookout: Lookout):
    lookout.all_well()
    lookout.see("gye1/smtp down", times=3)
    come_and_go(lookout, 2 * MINUTE)
    assert lookout.incident().unstable_at is None
    lookout.see("gye1/http down", times=3)
    assert lookout.incident().title["es"].endswith("(inestable)")
    come_and_go(lookout, 2 * MINUTE)
    assert reasons(lookout) == [Reason.JOINED]


def test_a_check_that_counts_for_nothing_makes_nobody_unstable(lookout: Lookout):
    lookout.all_well()
    for word in ["down", "ok"] * 20:
        lookout.see(f"gye1/disk {word}")
    assert lookout.status() is Status.OPERATIONAL


def operators(lookout: Lookout) -> list[Incident]:
    return [one for one in lookout.incidents() if one.audience is Audience.OPERATORS]


def test_what_comes_and_goes_for_half_an_hour_without_an_incident_is_a_matter_for_operators(lookout: Lookout):
    lookout.all_well()
    come_and_go(lookout, LASTING - MINUTE)
    assert lookout.incidents() == []
    come_and_go(lookout, 4 * MINUTE)
    (matter,) = operators(lookout)
    assert matter.open
    assert "gye1.nodored.com" in matter.title["en"]
    assert "coming and going" in matter.updates[0].text["en"]
    assert lookout.told(matter.id) == ["create"]
    lookout.see("gye1/http ok", times=21)
    assert not operators(lookout)[0].open


def test_what_customers_read_of_already_is_no_matter_for_operators_besides(unstable: Lookout):
    come_and_go(unstable, 2 * LASTING)
    assert operators(unstable) == []


def test_what_was_done_in_a_window_makes_nobody_unstable(lookout: Lookout):
    lookout.all_well()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=lookout.clock.now(),
            ends_at=lookout.clock.now() + 10 * MINUTE,
            title={"es": "Trabajos", "en": "Work"},
            actor="ana",
            moment=lookout.clock.now(),
        )
    come_and_go(lookout, 9 * MINUTE)
    lookout.wait(2 * MINUTE)
    lookout.see("gye1/http ok", times=2)
    assert (lookout.status(), because(lookout)) == (Status.OPERATIONAL, None)
    assert lookout.incidents() == []


@pytest.fixture
def crowd(lookout: Lookout) -> Callable[[float, int], None]:
    chance = random.Random(7)

    def look(share: float, times: int) -> None:
        for _ in range(times):
            looks = [
                f"{check.key} {'down' if chance.random() < share else 'ok'}"
                for check in lookout.fleet.checks()
            ]
            lookout.see(*looks)

    return look


def test_single_failures_by_chance_open_nothing(lookout: Lookout, crowd: Callable[[float, int], None]):
    """One look in a hundred fails by chance: what the formula of the confirmation promises stays what it was."""
    crowd(0.01, 600)
    assert lookout.incidents() == []
    assert Kind.INCIDENT_OPENED not in lookout.kinds()


def test_it_survives_a_restart(unstable: Lookout):
    before = dict(unstable.bureau.picture.healths)
    again = unstable.restart()
    assert again.bureau.picture.health(key("gye1/http")).flapping
    assert again.bureau.picture.health(key("gye1/http")).changes == before[key("gye1/http")].changes
    again.bureau.keep_house()
    assert reasons(again) == [Reason.UNSTABLE]
    assert again.bureau.picture.health(key("gye1/http")).cause in (None, Cause.REFUSED)
    again.database.close()
