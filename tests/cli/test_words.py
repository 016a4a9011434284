"""What operators say by the command: forced servers, incidents in hand, resolved and retracted, windows that move."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import closing

import pytest

from tests.cli.conftest import Installation, Vigia
from tests.docs.reading import ROOT

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
WORK = ("--server", "gye1", "--from", "2099-12-01 22:00", "--title", "Discos")


def plan(vigia: Vigia, installation: Installation, until: str, *more: str):
    return vigia("window", "plan", *installation.where, *WORK, "--until", until, *more)


# Servers


def test_a_server_is_forced_shown_and_released(vigia: Vigia, installation: Installation):
    words = ("--reason", "The check is wrong", "--for", "4h", "--author", "ana")
    said = vigia("force", "gye1", "operational", *installation.where, *words)
    assert said.status == 0
    assert said.out.startswith("gye1 is shown as operational until ")
    (server,) = vigia("status", *installation.where, "--json").document["servers"]
    assert (server["status"], server["because"]) == ("operational", "forced")
    assert {one["status"] for one in server["services"]} == {"operational"}
    document = vigia("force", "gye1", "--release", *installation.where, "--author", "eva", "--json").document
    assert INSTANT.fullmatch(document.pop("released_at"))
    assert INSTANT.fullmatch(document.pop("since"))
    assert INSTANT.fullmatch(document.pop("until"))
    assert document == {
        "server": "gye1",
        "status": "operational",
        "reason": "The check is wrong",
        "by": "ana",
    }
    installation.lookout.bureau.keep_house()
    (server,) = vigia("status", *installation.where, "--json").document["servers"]
    assert (server["status"], server["because"]) == ("partial_outage", None)


@pytest.mark.parametrize(
    ("words", "status", "remedy"),
    [
        (("gye1", "operational", "--reason", "x"), 2, "--until or --for"),
        (("gye1", "--reason", "x", "--for", "4h"), 2, "STATUS"),
        (("gye1", "operational", "--for", "4h"), 2, "--reason"),
        (("gye1", "fine", "--reason", "x", "--for", "4h"), 2, "major_outage"),
        (("gye1", "operational", "--reason", "x", "--for", "soon"), 2, "--for"),
        (("gye1", "operational", "--reason", "x", "--for", "0h"), 2, "--for"),
        (("gye1", "operational", "--reason", "x", "--for", "4h", "--until", "2099-01-01"), 2, "once"),
        (("gye1", "operational", "--reason", "x", "--until", "soon"), 2, "--until"),
        (("gye1", "operational", "--reason", "x", "--for", "25h"), 1, "24 hours at most"),
        (("gye1", "operational", "--reason", "x", "--until", "2020-01-01 10:00"), 1, "past already"),
        (("nobody", "operational", "--reason", "x", "--for", "4h"), 1, "nobody"),
        (("gye1", "operational", "--reason", "x", "--for", "4h", "--author", "vigia"), 1, "--author"),
        (("gye1", "--release"), 1, "nobody has forced"),
        (("gye1", "operational", "--release"), 2, "--release takes no status"),
    ],
)
def test_a_word_without_sense_is_refused_with_its_remedy(
    vigia: Vigia, installation: Installation, words, status: int, remedy: str
):
    answer = vigia("force", *words, *installation.where)
    assert answer.status == status
    assert remedy in answer.err
    assert answer.out == ""


def test_who_forces_a_server_in_a_window_is_told_what_the_page_says(vigia: Vigia, installation: Installation):
    words = ("--server", "gye1", "--from", "2020-01-01 10:00", "--until", "2099-01-01 10:00", "--title", "X")
    assert vigia("window", "plan", *installation.where, *words, "--yes-longer-than-a-day").status == 0
    said = vigia("force", "gye1", "operational", *installation.where, "--reason", "x", "--for", "1h")
    assert "under maintenance" in said.out


# Incidents


def test_an_incident_is_taken_in_hand_and_says_so(vigia: Vigia, installation: Installation):
    identity = installation.lookout.incident().id
    said = vigia("incident", "acknowledge", identity, *installation.where, "--for", "4h", "--author", "ana")
    assert said.status == 0
    assert said.out.startswith(f"{identity} is in hand of ana until ")
    assert re.search(
        r"in hand of ana since .* until", vigia("incident", "show", identity, *installation.where).out
    )
    held = vigia("incident", "show", identity, *installation.where, "--json").document["acknowledged"]
    assert held["by"] == "ana"
    assert INSTANT.fullmatch(held["at"])
    assert INSTANT.fullmatch(held["until"])
    for_good = vigia("incident", "acknowledge", identity, *installation.where, "--json").document
    assert (for_good["acknowledged"]["by"], for_good["acknowledged"]["until"]) == ("operator", None)


def test_an_incident_is_resolved_with_words_for_customers(vigia: Vigia, installation: Installation):
    identity = installation.lookout.incident().id
    words = ("--text", "es=Cambiamos un cable.", "--text", "en=We changed a cable.", "--author", "ana")
    said = vigia("incident", "resolve", identity, *installation.where, *words)
    assert (said.status, said.out) == (0, f"Resolved {identity}.\n")
    assert "gye1 still fails" in said.err
    document = vigia("incident", "show", identity, *installation.where, "--json").document
    assert document["stage"] == "resolved"
    assert document["updates"][-1]["text"] == {"es": "Cambiamos un cable.", "en": "We changed a cable."}
    assert document["updates"][-1]["author"] == "ana"
    again = vigia("incident", "resolve", identity, *installation.where)
    assert again.status == 1
    assert "cannot become resolved" in again.err


@pytest.mark.parametrize("text", ["Cambiamos un cable.", "fr=Un câble.", "es="])
def test_words_in_no_language_that_we_speak_are_wrong_usage(
    vigia: Vigia, installation: Installation, text: str
):
    identity = installation.lookout.incident().id
    answer = vigia("incident", "resolve", identity, *installation.where, "--text", text)
    assert answer.status == 2
    assert "es=…" in answer.err


def test_a_false_alarm_is_withdrawn_with_its_reason(vigia: Vigia, installation: Installation):
    identity = installation.lookout.incident().id
    words = ("--reason", "Falló nuestra línea.", "--reason-en", "Our line failed.", "--author", "ana")
    document = vigia("incident", "retract", identity, *installation.where, *words, "--json").document
    assert document["retracted"]["by"] == "ana"
    assert document["retracted"]["reason"] == "Falló nuestra línea."
    assert document["stage"] == "resolved"
    assert "Our line failed." in document["updates"][-1]["text"]["en"]
    assert "retracted by ana" in vigia("incident", "show", identity, *installation.where).out
    assert vigia("incident", "list", "--open", *installation.where, "--json").document == []
    again = vigia("incident", "retract", identity, *installation.where, "--reason", "x")
    assert (again.status, "retracted already" in again.err) == (1, True)


@pytest.mark.parametrize("verb", [("acknowledge",), ("resolve",), ("retract", "--reason", "x")])
def test_an_incident_that_is_not_there_is_named(vigia: Vigia, installation: Installation, verb):
    answer = vigia("incident", verb[0], "nobody", *verb[1:], *installation.where)
    assert answer.status == 1
    assert "vigia incident list" in answer.err


# Windows


def test_a_window_is_begun_extended_and_completed(vigia: Vigia, installation: Installation):
    where = installation.where
    window = plan(vigia, installation, "2099-12-02 02:00", "--json").document
    assert window["children"] == []
    # It begins three generations early, so that it is long.
    assert vigia("window", "start", window["id"], *where).status == 0
    longer = ("--until", "2099-12-02 03:00", "--yes-longer-than-a-day", "--author", "ana", "--json")
    assert (
        vigia("window", "extend", window["id"], *where, *longer).document["ends_at"]
        == "2099-12-02T08:00:00.000Z"
    )
    more = ("--by", "30m", "--yes-longer-than-a-day", "--json")
    assert (
        vigia("window", "extend", window["id"], *where, *more).document["ends_at"]
        == "2099-12-02T08:30:00.000Z"
    )
    assert vigia("window", "complete", window["id"], *where).out == f"Completed {window['id']}.\n"
    (only,) = vigia("window", "list", *where, "--json").document
    assert (only["id"], only["status"]) == (window["id"], "completed")


def test_more_than_a_day_needs_a_second_yes(vigia: Vigia, installation: Installation):
    refused = plan(vigia, installation, "2099-12-03 22:00")
    assert refused.status == 1
    assert "--yes-longer-than-a-day" in refused.err
    assert vigia("window", "list", *installation.where, "--json").document == []
    assert plan(vigia, installation, "2099-12-03 22:00", "--yes-longer-than-a-day").status == 0


@pytest.mark.parametrize("until", ["forever", "", "never"])
def test_a_window_without_an_end_is_refused(vigia: Vigia, installation: Installation, until: str):
    answer = plan(vigia, installation, until)
    assert answer.status == 2
    assert "--until" in answer.err
    assert vigia("window", "plan", *installation.where, *WORK).status == 2


@pytest.mark.parametrize(
    ("verb", "more", "status", "remedy"),
    [
        ("extend", (), 2, "--until or with --by"),
        ("extend", ("--by", "1h", "--until", "2099-12-02 03:00"), 2, "--until or with --by"),
        ("extend", ("--until", "2099-12-02 01:00"), 1, "vigia window complete"),
        ("extend", ("--by", "30h"), 1, "--yes-longer-than-a-day"),
        ("complete", (), 1, "vigia window cancel"),
    ],
)
def test_a_move_without_sense_is_refused_with_its_remedy(
    vigia: Vigia, installation: Installation, verb: str, more, status: int, remedy: str
):
    window = plan(vigia, installation, "2099-12-02 02:00", "--json").document
    answer = vigia("window", verb, window["id"], *installation.where, *more)
    assert answer.status == status
    assert remedy in answer.err


@pytest.mark.parametrize(("typed", "status"), [(b"y\n", 0), (b"n\n", 1)])
def test_a_person_at_a_terminal_is_asked_whether_more_than_a_day_is_meant(
    vigia: Vigia, installation: Installation, typed: bytes, status: int
):
    leader, follower = pty.openpty()
    ours = "import sys; from monitor.cli import main; sys.exit(main())"
    words = ("window", "plan", *installation.where, *WORK, "--until", "2099-12-03 22:00")
    with closing(os.fdopen(leader, "r+b", buffering=0)) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-c", ours, *words], stdin=follower, stdout=subprocess.PIPE, cwd=ROOT
        )
        os.close(follower)
        terminal.write(typed)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == status
    assert b"The window lasts 48 hours" in out
    assert len(vigia("window", "list", *installation.where, "--json").document) == 1 - status
