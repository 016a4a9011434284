"""explain, as people and programs read it: the present, and the past as it stood."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.actions import maintain
from tests.actions.builders import GYE1
from tests.cli.conftest import Installation, Vigia

MINUTE = timedelta(minutes=1)


def told(vigia: Vigia, installation: Installation, *words: str) -> str:
    answer = vigia("explain", "gye1", *installation.where, *words)
    assert answer.status == 0, answer.err
    return answer.out


def test_a_fault_is_told_with_its_rule_its_incident_and_its_looks(vigia: Vigia, installation: Installation):
    out = told(vigia, installation)
    assert "Partial outage" in out
    assert "1 of 2 checks whose failure is an outage are down" in out
    document = vigia("explain", "gye1", *installation.where, "--json").document
    incident = vigia("incident", "list", *installation.where, "--json").document[0]
    assert any(incident["id"] in sentence["en"] for sentence in document["sentences"])
    assert any(incident["ticket"] in sentence["es"] for sentence in document["sentences"])
    (down,) = (check for check in document["checks"] if check["state"] == "down")
    assert down["id"] == "tcp"
    assert [look["outcome"] for look in down["looks"]] == ["down", "down", "down", "ok"]
    assert "Confirmed down since" in down["sentences"][0]["en"]


def test_the_sentences_come_in_spanish_too(vigia: Vigia, installation: Installation):
    assert "una caída parcial" in told(vigia, installation, "--lang", "es")


def test_a_suspicion_tells_how_far_it_has_come(vigia: Vigia, installation: Installation):
    installation.lookout.see("gye1/http down", times=2)
    out = told(vigia, installation)
    assert "2 of 3 looks in a row say worse" in out


def test_a_window_is_the_reason_to_be_quiet(vigia: Vigia, installation: Installation):
    lookout = installation.lookout
    lookout.see("gye1/tcp ok", times=2)
    lookout.wait(timedelta(minutes=40), every=MINUTE)
    now = lookout.clock.now()
    with lookout.database.writing() as tx:
        maintain.plan(
            tx,
            servers=(GYE1,),
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            title={"es": "Discos", "en": "Disks"},
            actor="ana",
            moment=now,
        )
    lookout.bureau.keep_house()
    lookout.see("gye1/tcp down", times=3)
    assert "maintenance is on until" in told(vigia, installation, "--at", lookout.clock.now().isoformat())


def test_the_past_is_told_as_it_stood(vigia: Vigia, installation: Installation):
    lookout = installation.lookout
    during = lookout.clock.now()
    present = told(vigia, installation)
    lookout.see("gye1/tcp ok", times=2)
    lookout.wait(timedelta(minutes=6), every=MINUTE)
    assert "No incident about it is open" in told(vigia, installation)
    past = told(vigia, installation, "--at", during.isoformat())
    # The same words as then, under a line that says that it is the past.
    assert past.splitlines()[1:] == present.splitlines()
    assert "As it stood at" in past.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("gye9",), 1, "gye9"),
        (("gye1", "--at", "soon"), 2, "2026-12-01 22:00"),
        (("gye1", "--at", "2020-01-01 00:00"), 1, "nothing was watched"),
    ],
)
def test_what_cannot_be_told_is_said(vigia: Vigia, installation: Installation, words, status, said):
    answer = vigia("explain", *words, *installation.where)
    assert answer.status == status
    assert said in answer.err
