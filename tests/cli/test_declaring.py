"""What an operator tells customers of by the command: incidents that no check sees, and words on any of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.actions.summarise import summarise
from monitor.inventory import load
from monitor.store import journal, readings
from monitor.store.journal import rebuild
from tests.cli.conftest import Answer, Installation, Vigia, deliver
from tests.docs.reading import ROOT

TEXTS = ("--text", "es=Un corte de fibra en Cuenca.", "--text", "en=A cut fibre in Cuenca.")
WORDS = (
    "--server",
    "gye1",
    "--impact",
    "major",
    "--title",
    "Fibra cortada",
    "--title-en",
    "Cut fibre",
    *TEXTS,
)


def declare(vigia: Vigia, installation: Installation, *more: str) -> dict:
    said = vigia("incident", "open", *installation.where, *WORDS, "--author", "ana", "--json", *more)
    assert said.status == 0, said.err
    return said.document


def test_an_incident_is_opened_told_on_and_resolved(vigia: Vigia, installation: Installation):
    opened = declare(vigia, installation)
    assert (opened["stage"], opened["impact"], opened["origin"]) == ("investigating", "major", "operator")
    assert (opened["audience"], opened["servers"], opened["ticket"]) == ("public", ["gye1"], None)
    assert opened["title"] == "Fibra cortada"
    told = vigia(
        "incident", "update", opened["id"], *installation.where, "--stage", "identified", "--impact", "critical",
        *TEXTS, "--author", "eva", "--json",
    ).document  # fmt: skip
    assert (told["stage"], told["impact"]) == ("identified", "critical")
    assert [(word["stage"], word["author"]) for word in told["updates"]] == [
        ("investigating", "ana"),
        ("identified", "eva"),
    ]
    watched = vigia(
        "incident", "update", opened["id"], *installation.where, "--stage", "monitoring", *TEXTS, "--json"
    ).document
    assert watched["ended_at"] is not None
    # Nothing but its operator ends it, however long it is watched.
    installation.lookout.bureau.keep_house()
    assert (
        vigia("incident", "show", opened["id"], *installation.where, "--json").document["stage"]
        == "monitoring"
    )
    over = vigia("incident", "resolve", opened["id"], *installation.where, *TEXTS, "--json").document
    assert (over["stage"], over["ended_at"]) == ("resolved", watched["ended_at"])
    history = vigia(
        "incident", "update", opened["id"], *installation.where, "--stage", "postmortem", *TEXTS, "--json"
    ).document
    assert history["stage"] == "postmortem"


def deliveries_of(vigia: Vigia, installation: Installation, incident: str) -> list[tuple[str, str]]:
    with installation.database.reading() as tx:
        return [
            (row["channel"], row["action"])
            for row in tx.rows(
                "SELECT channel, action FROM deliveries WHERE incident = ? ORDER BY id", (incident,)
            )
        ]


def test_it_has_a_ticket_only_if_one_is_asked_for(vigia: Vigia, installation: Installation):
    plain = declare(vigia, installation)["id"]
    assert deliveries_of(vigia, installation, plain) == [("operators", "opened")]
    asked = declare(vigia, installation, "--ticket")["id"]
    vigia("incident", "update", asked, *installation.where, *TEXTS)
    vigia("incident", "resolve", asked, *installation.where)
    configuration = load(installation.config, environment={})
    installation.lookout.clock.step(timedelta(minutes=3))
    deliver(configuration, installation.lookout, ("done", "done"))
    (ticket,) = [
        one
        for one in vigia("ticket", "list", *installation.where, "--json").document
        if asked in one["incidents"]
    ]
    assert (ticket["status"], ticket["priority"]) == ("closed", "normal")
    assert ticket["subject"].endswith("gye1.nodored.test: caída parcial")
    shown = vigia("incident", "show", asked, *installation.where, "--json").document
    assert shown["ticket"] == ticket["reference"]


def test_what_our_looks_find_there_is_an_incident_of_its_own(vigia: Vigia, installation: Installation):
    """So that its ticket is its own, and ends when our looks say so; customers read of both."""
    (before,) = vigia("incident", "list", *installation.where, "--json").document
    vigia("incident", "resolve", before["id"], *installation.where)
    declared = declare(vigia, installation)["id"]
    installation.lookout.see("gye1/http down", times=3)
    with installation.database.reading() as tx:
        detected = readings.open_incident_of(tx, "gye1")
        page = summarise(tx, installation.lookout.clock.now(), number=1)
    assert detected is not None
    assert {declared, detected.id} == {each.id for each in page.open_incidents}
    assert ("ticket", "create") in deliveries_of(vigia, installation, detected.id)
    assert ("ticket", "create") not in deliveries_of(vigia, installation, declared)


def test_a_word_on_what_our_looks_found_reaches_its_ticket(vigia: Vigia, installation: Installation):
    (detected,) = vigia("incident", "list", *installation.where, "--json").document
    told = vigia(
        "incident", "update", detected["id"], *installation.where, "--stage", "identified", *TEXTS, "--json"
    )
    assert told.document["stage"] == "identified"
    assert deliveries_of(vigia, installation, detected["id"])[-2:] == [
        ("ticket", "comment"),
        ("ticket", "priority"),
    ]


def refusal(said: Answer) -> str:
    assert said.status in (1, 2)
    assert said.out == ""
    return said.err


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--server", "uio9", *WORDS[2:]), "no server 'uio9'"),
        (("--server", "gye1", "--impact", "bad", *WORDS[4:]), "critical"),
        (WORDS[:6], "--text"),
        ((*WORDS[:8], "--text", "es=Hola"), "customers read en too"),
        ((*WORDS[:8], "--text", "fr=Salut"), "es=… or en=…"),
        ((*WORDS[:8], "--text", "es=Hola", "--text", "en=" + "x" * 5001), "at most 5000 letters"),
        ((*WORDS, "--author", "vigia"), "--author NAME"),
    ],
)
def test_what_cannot_be_told_is_refused(vigia: Vigia, installation: Installation, words, remedy: str):
    assert remedy in refusal(vigia("incident", "open", *installation.where, *words))
    assert len(vigia("incident", "list", *installation.where, "--json").document) == 1


def test_a_move_that_is_not_a_persons_is_refused(vigia: Vigia, installation: Installation):
    (detected,) = vigia("incident", "list", *installation.where, "--json").document
    where = (detected["id"], *installation.where, *TEXTS)
    assert "they say when it recovers" in refusal(
        vigia("incident", "update", *where, "--stage", "monitoring")
    )
    assert "vigia force" in refusal(vigia("incident", "update", *where, "--impact", "none"))
    assert "cannot become postmortem" in refusal(vigia("incident", "update", *where, "--stage", "postmortem"))
    assert "there is no incident 'nobody'" in refusal(
        vigia("incident", "update", "nobody", *installation.where, *TEXTS)
    )


def test_everything_that_was_declared_comes_back_from_the_journal(vigia: Vigia, installation: Installation):
    declared = declare(vigia, installation, "--ticket")["id"]
    with installation.database.reading() as tx:
        before = readings.incident(tx, declared)
        entries = [one.entry for one in journal.entries(tx, subject=declared)]
    assert before is not None
    assert before.wants_ticket
    assert entries[0].body.incident.wants_ticket
    assert entries[0].body.incident.title == before.title == {"es": "Fibra cortada", "en": "Cut fibre"}
    rebuild(installation.database)
    with installation.database.reading() as tx:
        assert readings.incident(tx, declared) == before


def test_the_help_names_both(vigia: Vigia):
    said = vigia("incident", "--help")
    assert " open " in said.out
    assert " update " in said.out
    assert Path(ROOT / "docs/commands.md").read_text().count("vigia incident open") >= 1
