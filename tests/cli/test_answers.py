"""What the commands show of an installation: tables for people, JSON for programs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.journal.entries import TicketUpdated
from monitor.station.lifeline import only_watch
from tests.actions.builders import RETRY, look
from tests.cli.conftest import Installation, Vigia

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


# Configuration


def test_a_good_file_is_told_in_one_line(vigia: Vigia, config):
    answer = vigia("validate", config)
    assert (answer.status, answer.out) == (0, f"{config} is valid: 1 servers, 2 checks\n")
    assert vigia("validate", "--config", config, "--json").document == {
        "valid": True,
        "servers": 1,
        "checks": 2,
        "faults": [],
    }


def test_a_bad_file_is_told_with_every_fault_and_its_place(vigia: Vigia, config):
    config.write_text(
        config.read_text().replace("group: hosting", "group: nowhere").replace("host:", "hots:")
    )
    answer = vigia("validate", config)
    assert answer.status == 1
    assert answer.out == ""
    assert "nowhere" in answer.err
    faults = vigia("validate", config, "--json")
    assert faults.status == 1
    assert faults.document["valid"] is False
    assert {"file", "line", "column", "key", "message"} == set(faults.document["faults"][0])


def test_the_doctor_names_a_remedy_for_what_is_not_fine(vigia: Vigia, installation: Installation):
    answer = vigia("doctor", *installation.where)
    assert answer.status == 0
    assert "notify.operators" in answer.out
    findings = {
        finding["subject"]: finding for finding in vigia("doctor", *installation.where, "--json").document
    }
    assert findings["database"] == {
        "subject": "database",
        "verdict": "fine",
        "detail": "integrity check: ok",
    }
    assert findings["watch"]["verdict"] == "fine"


def test_the_doctor_says_with_status_1_that_something_is_broken(vigia: Vigia, installation: Installation):
    installation.config.write_text("site: 7\n")
    answer = vigia("doctor", *installation.where)
    assert answer.status == 1
    assert "BROKEN" in answer.out


# Status


def test_status_shows_servers_incidents_and_windows_and_fails_while_something_is_down(
    vigia: Vigia, installation: Installation
):
    vigia("window", "plan", *installation.where, *WINDOW)
    answer = vigia("status", *installation.where)
    assert answer.status == 1
    assert re.search(r"gye1 +Partial outage .*tcp:down", answer.out)
    assert "ticket VG-TESTHAUS-" in answer.out
    assert "scheduled · gye1" in answer.out
    document = vigia("status", *installation.where, "--json").document
    assert document["indicator"] == "major"
    assert document["servers"][0]["status"] == "partial_outage"
    assert document["servers"][0]["checks"][1]["state"] == "down"
    assert document["incidents"][0]["ticket"].startswith("VG-TESTHAUS-")
    assert INSTANT.fullmatch(document["heard_at"])


def test_status_is_0_when_nothing_is_down(vigia: Vigia, installation: Installation):
    installation.lookout.all_well()
    assert vigia("status", *installation.where).status == 0


# Incidents


def test_incidents_are_listed_and_shown_in_both_languages(vigia: Vigia, installation: Installation):
    identity = installation.lookout.incident().id
    listed = vigia("incident", "list", *installation.where)
    assert listed.status == 0
    assert identity in listed.out
    shown = vigia("incident", "show", identity, *installation.where)
    assert "es: " in shown.out
    assert "en: " in shown.out
    document = vigia("incident", "show", identity, *installation.where, "--json").document
    assert (document["stage"], document["impact"], document["servers"]) == (
        "investigating",
        "major",
        ["gye1"],
    )
    assert set(document["updates"][0]["text"]) == {"es", "en"}
    (only,) = vigia("incident", "list", *installation.where, "--json").document
    assert {**only, "evidence": document["evidence"], "notes": []} == document


def test_an_incident_shows_what_was_found_when_its_checks_failed(vigia: Vigia, installation: Installation):
    led = ("https://gye1.nodored.test/panel", "https://panel.nodored.test/")
    more = {
        "found": "503, expected 2xx",
        "address": "192.0.2.7",
        "via": led,
        "excerpt": "no",
        "reproduce": "curl -L",
    }
    lookout = installation.lookout
    for _ in range(3):
        lookout.bureau.record([replace(look("gye1/http", "down", lookout.clock.step(RETRY)), **more)])
    identity = lookout.incident().id
    evidence = vigia("incident", "show", identity, *installation.where, "--json").document["evidence"]
    assert {each["check"] for each in evidence} == {"gye1/http", "gye1/tcp"}
    (http,) = (each for each in evidence if each["check"] == "gye1/http")
    assert (http["outcome"], http["address"], http["via"]) == ("down", "192.0.2.7", list(led))
    lines = vigia("incident", "show", identity, *installation.where).out.splitlines()
    assert [line.split() for line in lines if "led to" in line] == [["led", "to", place] for place in led]
    assert {"    no", "    curl -L"} <= set(lines)


def test_open_leaves_out_what_is_resolved(vigia: Vigia, installation: Installation):
    assert len(vigia("incident", "list", "--open", *installation.where, "--json").document) == 1
    installation.lookout.all_well()
    # The journal holds whole milliseconds, so a moment on its edge may lie a trifle ahead.
    watched = installation.lookout.fleet.servers[0].resolve_after
    installation.lookout.wait(watched + timedelta(seconds=1))
    assert vigia("incident", "list", "--open", *installation.where).out == "No incidents.\n"
    assert len(vigia("incident", "list", *installation.where, "--json").document) == 1


# Tickets and the desk


def test_tickets_are_listed_and_shown_with_every_attempt(vigia: Vigia, installation: Installation):
    (ticket,) = vigia("ticket", "list", *installation.where, "--json").document
    assert (ticket["helpdesk"], ticket["priority"], ticket["status"]) == ("desk", "urgent", "open")
    listed = vigia("ticket", "list", *installation.where)
    # The reference stands in the subject in brackets, and is no mark-up there.
    assert f"[{ticket['reference']}]" in listed.out
    shown = vigia("ticket", "show", ticket["reference"], *installation.where)
    assert re.search(r"ticket create +done", shown.out)
    document = vigia("ticket", "show", ticket["reference"], *installation.where, "--json").document
    created = next(each for each in document["deliveries"] if each["action"] == "create")
    assert [attempt["outcome"] for attempt in created["attempts"]] == ["done"]


def test_a_reply_answers_the_ticket_and_the_journal_says_who_wrote(vigia: Vigia, installation: Installation):
    answer = vigia(
        "desk", "reply", 1, "Reiniciamos el servicio.", "--as", "ana", *installation.where, "--json"
    )
    assert answer.document["status"] == "answered"
    assert answer.document["first_answer_at"] is not None
    newest = installation.lookout.entries()[-1]
    assert isinstance(newest.body, TicketUpdated)
    assert (newest.actor, newest.body.status) == ("ana", "answered")
    assert vigia("ticket", "list", *installation.where, "--json").document[0]["status"] == "answered"


def test_an_internal_word_is_no_answer(vigia: Vigia, installation: Installation):
    before = installation.lookout.kinds()
    answer = vigia("desk", "reply", 1, "Disco por cambiar", "--internal", *installation.where, "--json")
    assert answer.document["status"] == "open"
    assert installation.lookout.kinds() == before
    (ticket,) = vigia("desk", "list", *installation.where, "--json").document
    assert ticket["messages"][-1]["internal"] is True


def test_a_ticket_is_handed_over_and_back(vigia: Vigia, installation: Installation):
    assert "ana" in vigia("desk", "assign", 1, "ana", *installation.where).out
    assert vigia("desk", "assign", 1, "-", *installation.where, "--json").document["assignee"] is None


def test_a_closed_ticket_needs_nobody(vigia: Vigia, installation: Installation):
    assert vigia("desk", "close", 1, "Quedó estable.", *installation.where).status == 0
    assert vigia("desk", "list", *installation.where).out == "Nothing needs anybody.\n"
    assert "closed" in vigia("desk", "list", "--all", *installation.where).out
    assert vigia("ticket", "list", *installation.where, "--json").document[0]["status"] == "closed"


# Windows

WINDOW = (
    "--server",
    "gye1",
    "--from",
    "2099-12-01 22:00",
    "--until",
    "2099-12-02 02:00",
    "--title",
    "Discos",
)


def test_a_window_is_planned_in_the_zone_of_the_site_listed_and_cancelled(
    vigia: Vigia, installation: Installation
):
    said = vigia("window", "plan", *installation.where, *WINDOW)
    assert re.search(
        r"Planned \w{26}: 2099-12-01 22:00:00 – 2099-12-02 02:00:00 \(America/Guayaquil\)", said.out
    )
    (window,) = vigia("window", "list", *installation.where, "--json").document
    assert window["starts_at"] == "2099-12-02T03:00:00.000Z"
    assert window["titles"] == {"es": "Discos", "en": "Discos"}
    assert "scheduled" in vigia("window", "list", *installation.where).out
    assert vigia("window", "cancel", window["id"], *installation.where).out == f"Cancelled {window['id']}.\n"
    assert vigia("window", "list", *installation.where, "--json").document[0]["status"] == "cancelled"


def test_a_window_takes_instants_with_an_offset_and_a_title_in_english(
    vigia: Vigia, installation: Installation
):
    words = (
        "--server",
        "gye1",
        "--from",
        "2099-12-01T22:00:00Z",
        "--until",
        "2099-12-01T23:00+00:00",
        "--title",
        "Discos",
        "--title-en",
        "Disks",
    )
    document = vigia("window", "plan", *installation.where, *words, "--json").document
    assert document["starts_at"] == "2099-12-01T22:00:00.000Z"
    assert document["titles"] == {"es": "Discos", "en": "Disks"}


def test_windows_to_come_stand_before_those_that_are_over(vigia: Vigia, installation: Installation):
    first, second, third = (
        vigia(
            "window",
            "plan",
            *installation.where,
            "--server",
            "gye1",
            "--from",
            f"2099-12-0{day} 22:00",
            "--until",
            f"2099-12-0{day} 23:00",
            "--title",
            "Discos",
            "--json",
        ).document["id"]
        for day in (1, 2, 3)
    )
    vigia("window", "cancel", first, *installation.where)
    listed = vigia("window", "list", *installation.where, "--json").document
    assert [window["id"] for window in listed] == [second, third, first]


# Keeping


def test_a_rebuild_replays_every_entry(vigia: Vigia, installation: Installation):
    entries = len(installation.lookout.entries())
    assert vigia("rebuild", *installation.where).out == f"Replayed {entries} entries.\n"
    assert vigia("rebuild", *installation.where, "--json").document == {"entries": entries}


def test_a_rebuild_is_refused_while_watch_works(vigia: Vigia, installation: Installation):
    with only_watch(installation.data):
        answer = vigia("rebuild", *installation.where)
    assert answer.status == 1
    assert "stop it first" in answer.err


# Looking


def test_a_probe_shows_phases_of_what_is_up(vigia: Vigia, config):
    answer = vigia("probe", "gye1/http", "--config", config)
    assert answer.status == 0
    assert re.match(r"gye1/http  ok  \d+\.\d ms\n", answer.out)
    assert re.search(r"address +127\.0\.0\.1\n", answer.out)
    assert re.search(r"connect +█+ +\d+\.\d ms\n", answer.out)
    assert re.search(r"repeat it with\n +curl .*127\.0\.0\.1", answer.out)
    document = vigia("probe", "gye1/http", "--config", config, "--json").document
    assert (document["check"], document["outcome"], document["address"]) == ("gye1/http", "ok", "127.0.0.1")


def test_a_probe_of_what_is_down_says_why_and_how_to_see_it_again(vigia: Vigia, config, nobody: int):
    answer = vigia("probe", "gye1/tcp", "--config", config)
    assert answer.status == 1
    assert re.match(r"gye1/tcp  down · refused  \d+\.\d ms\n  the connection was refused\n", answer.out)
    assert re.search(rf"repeat it with\n +.*127\.0\.0\.1.*{nobody}", answer.out)


def test_a_probe_of_a_server_looks_at_every_check_and_fails_with_one(vigia: Vigia, config, tmp_path):
    answer = vigia("probe", "gye1", "--config", config, "--json")
    assert answer.status == 1
    assert [check["outcome"] for check in answer.document["checks"]] == ["ok", "down"]
    assert answer.err == ""
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("name", ["gye1/http", "gye1"])
def test_a_probe_writes_nothing(vigia: Vigia, installation: Installation, name: str):
    before = installation.lookout.kinds()
    vigia("probe", name, *installation.where)
    assert installation.lookout.kinds() == before
