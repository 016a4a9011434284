"""What operators read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.incidents.incident import Audience, Origin, Stage
from monitor.journal.entries import Entry, Kind, Reason, TicketRejected
from monitor.subscribers import wording
from monitor.subscribers.port import Tone
from monitor.subscribers.wording import Matter
from tests.tickets import builders

LATER = builders.START + timedelta(minutes=10)


def matter(entry: Entry, language: str = "es", **changes: object) -> Matter:
    return Matter(
        incident=builders.incident(**changes),
        entry=entry,
        fleet=builders.fleet(),
        language=language,
        ticket="https://helpdesk.example/tickets/7",
    )


def test_a_fault_names_server_beginning_cause_ticket_and_page() -> None:
    message = wording.opened(matter(builders.opened(builders.incident())))
    assert message.title == "[Nodored] gye1.nodored.example: fuera de servicio"
    assert message.tone is Tone.ALARM
    for fact in (
        "22 de noviembre de 2026, 10:00, hora de Ecuador",
        "gye1/http",
        "connection refused",
        "https://helpdesk.example/tickets/7",
        f"https://estado.nodored.example/incidents/{builders.INCIDENT}",
    ):
        assert fact in message.body


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("es", "- gye1/http: rechazó la conexión (detalle técnico: connection refused)"),
        ("en", "- gye1/http: refused the connection (connection refused)"),
    ],
)
def test_the_cause_is_told_in_the_language_of_the_message(language: str, told: str) -> None:
    message = wording.opened(matter(builders.opened(builders.incident()), language))
    assert told in message.body.splitlines()


def test_our_own_troubles_are_marked_and_lead_to_no_public_page() -> None:
    message = wording.opened(matter(builders.opened(builders.incident()), audience=Audience.OPERATORS))
    assert "Aviso interno" in message.title
    assert "/incidents/" not in message.body
    assert message.tone is Tone.WARNING


def test_the_end_tells_how_long_it_lasted() -> None:
    over = matter(
        builders.resolved(builders.incident(), LATER), stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER
    )
    message = wording.resolved(over)
    assert "Resuelto" in message.title
    assert "10 minutos" in message.body
    assert message.tone is Tone.RELIEF


@pytest.mark.parametrize(
    ("actor", "title"), [("ana", "[Nodored] Resuelto por ana: "), ("vigia", "[Nodored] Cerrado: ")]
)
def test_what_nobody_saw_mended_is_not_told_as_mended(actor: str, title: str) -> None:
    ended = builders.resolved(builders.incident(), LATER, actor=actor, recovered=False)
    message = wording.resolved(matter(ended, stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER))
    assert message.title.startswith(title)
    assert "Responde bien" not in message.body
    assert "Novedad 0." in message.body


def test_many_checks_are_cut_to_five_and_a_number() -> None:
    seen = [builders.evidence(f"check{number}") for number in range(8)]
    body = wording.opened(matter(builders.opened(builders.incident(), *seen))).body
    assert body.count("- gye1/check") == 5
    assert "y 3 controles más" in body


def test_a_target_cannot_add_lines_to_a_message() -> None:
    evil = builders.evidence(found="503\r\nAll is well\x1b[2J")
    body = wording.opened(matter(builders.opened(builders.incident(), evil))).body
    assert "\nAll is well" not in body
    assert "\x1b" not in body


@pytest.mark.parametrize("action", ["create", "comment", "priority", "resolve", "reopen", "verify"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_a_rejected_action_is_named_in_words(action: str, language: str) -> None:
    body = TicketRejected(
        incident=builders.INCIDENT, reference="VG-X", action=action, detail="the helpdesk answers 422"
    )
    entry = Entry(kind=Kind.TICKET_REJECTED, moment=LATER, subject=builders.INCIDENT, body=body)
    message = wording.rejected(matter(entry, language))
    assert "422" in message.body
    # By which `vigia ticket show` and `retry` know it, opened or not.
    assert "VG-X" in message.body
    assert f"«{action}»" not in message.body


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_kind_of_message_exists_in_both_languages(language: str) -> None:
    whole = builders.incident()
    titles = {
        wording.opened(matter(builders.opened(whole), language)).title,
        wording.worsened(matter(builders.updated(whole, Reason.WORSENED, LATER), language)).title,
        wording.resolved(matter(builders.resolved(whole, LATER), language)).title,
        wording.reopened(matter(builders.reopened(whole, LATER), language)).title,
        wording.uncertain(matter(builders.opened(whole), language)).title,
    }
    assert len(titles) == 5


def test_what_a_person_declared_names_them_and_what_customers_read() -> None:
    whole = builders.incident(origin=Origin.OPERATOR)
    entry = replace(builders.opened(whole), actor="ana")
    message = wording.opened(matter(entry, origin=Origin.OPERATOR))
    assert message.title == "[Nodored] Declarado por ana: gye1.nodored.example: fuera de servicio"
    assert message.body.startswith("Los clientes leen: Novedad 0.")
    over = wording.resolved(matter(builders.resolved(whole, LATER, actor="eva"), origin=Origin.OPERATOR))
    assert over.title.startswith("[Nodored] Resuelto por eva: ")


def test_a_drill_says_first_that_nothing_failed() -> None:
    drill = {"drill": True, "origin": Origin.OPERATOR, "audience": Audience.OPERATORS}
    message = wording.opened(matter(builders.opened(builders.incident()), language="en", **drill))
    assert message.body.startswith("This is a drill: nothing failed")
    assert "/incidents/" not in message.body
    over = wording.resolved(matter(builders.resolved(builders.incident(), LATER), language="en", **drill))
    assert over.tone is Tone.RELIEF
    assert "drill is over" in over.body
