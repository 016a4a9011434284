"""What a ticket says, and what it does not let an outsider say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.identifiers import ServerId
from monitor.incidents.incident import Acknowledgement, Audience, Impact, Origin, Stage
from monitor.journal.entries import Entry, IncidentOpened, Kind, Reason
from monitor.tickets import orders, wording
from monitor.tickets.orders import Present
from monitor.tickets.port import Action, Order, Priority
from monitor.tickets.story import Story
from tests.tickets import builders

REFERENCE = f"VG-TESTHAUS-{builders.INCIDENT}"
LATER = builders.START + timedelta(minutes=10)


def story(*entries: Entry, language: str = "es", **changes: object) -> Story:
    whole = builders.incident(**changes)
    return Story(
        incident=whole,
        entries=entries or (builders.opened(whole),),
        fleet=builders.fleet(),
        reference=REFERENCE,
        department="soporte",
        language=language,
    )


def order(action: Action, told: Story, entry: Entry, priority: Priority = Priority.URGENT) -> Order | None:
    return orders.order_of(action, 2, told, entry, Present(ticket="7", priority=priority))


def test_a_new_ticket_holds_everything_that_a_technician_needs() -> None:
    body = wording.creation(story())
    for fact in (
        "gye1.nodored.example (gye1)",
        "Hosting compartido",
        "192.0.2.10, 192.0.2.11",
        "Soporte técnico",
        "22 de noviembre de 2026, 10:00, hora de Ecuador (15:00:00 UTC)",
        "gye1/http (http)",
        "connection refused",
        "Último control bueno: 22 de noviembre de 2026, 09:59",
        "nombre 1 ms, conexión 11 ms, total 12 ms",
        "```\ncurl -sv https://gye1.nodored.example/\n```",
        f"https://estado.nodored.example/incidents/{builders.INCIDENT}",
        "https://estado.nodored.example/servers/gye1",
        "Publicado para los clientes: Novedad 0.",
    ):
        assert fact in body


def test_what_protocols_say_in_english_stands_as_a_detail_and_the_cause_in_the_words_of_the_ticket() -> None:
    lines = [line.strip() for line in wording.creation(story()).splitlines()]
    assert "Causa observada: rechazó la conexión" in lines
    assert "Detalle técnico: connection refused" in lines


@pytest.mark.parametrize(("language", "since"), [("es", "Simulacro desde: "), ("en", "Drill since: ")])
def test_of_a_drill_nothing_is_said_to_fail(language: str, since: str) -> None:
    drill = {"drill": True, "origin": Origin.OPERATOR, "audience": Audience.OPERATORS, "checks": ()}
    whole = builders.incident(**drill)
    entry = Entry(
        kind=Kind.INCIDENT_OPENED,
        moment=whole.opened_at,
        subject=whole.id,
        body=IncidentOpened(incident=whole),
    )
    body = wording.creation(story(entry, language=language, **drill))
    assert since in body
    assert "Falla desde" not in body
    assert "Failing since" not in body


def test_the_subject_names_reference_server_and_fault() -> None:
    assert wording.subject(story()) == f"[{REFERENCE}] gye1.nodored.example: fuera de servicio"
    english = wording.subject(story(language="en", impact=Impact.MINOR))
    assert english == f"[{REFERENCE}] gye1.nodored.example: degraded"


def test_a_late_ticket_holds_the_newest_evidence_of_every_check() -> None:
    whole = builders.incident()
    joined = builders.updated(
        whole, Reason.JOINED, LATER, builders.evidence("smtp"), builders.evidence(found="503 instead of 2xx")
    )
    body = wording.creation(story(builders.opened(whole), joined))
    assert "Qué falla (2 controles)" in body
    assert "gye1/smtp" in body
    assert "503 instead of 2xx" in body
    assert "connection refused" in body
    assert body.count("gye1/http") == 1


def test_a_ticket_for_what_is_over_says_so_and_is_not_urgent() -> None:
    whole = builders.incident()
    ended = builders.resolved(whole, LATER)
    over = story(builders.opened(whole), ended, stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER)
    made = orders.order_of(Action.CREATE, 1, over, over.entries[0], None)
    assert made is not None
    assert made.priority is Priority.NORMAL
    assert "ya se recuperó" in made.body
    assert "10 minutos" in made.body
    assert made.body.startswith("YA TERMINÓ: ")
    assert "AVERÍA" not in made.body
    assert made.body.count("porque antes no fue posible entregarlo") == 1
    in_place_of_another = wording.creation(replace(over, replaces="7"))
    assert "(7) ya no existe" in in_place_of_another
    assert "no fue posible entregarlo" not in in_place_of_another


def test_nothing_from_outside_can_end_its_fence_or_pose_as_a_header() -> None:
    evil = builders.evidence(found="503\r\nBcc: everybody", excerpt="````\nSubject: hello\x1b[2J\x00")
    body = wording.creation(story(builders.opened(builders.incident(), evil)))
    lines = body.splitlines()
    fence = lines.index("`````")
    assert lines[fence + 1 : fence + 4] == [
        "````",
        "Subject: hello\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}",
        "`````",
    ]
    assert "\nBcc" not in body


def test_where_a_look_was_led_is_told_place_by_place_in_a_fence() -> None:
    led = builders.evidence(via=("https://gye1.nodored.example/login", "https://evil.example/```\nBcc: all"))
    lines = wording.creation(story(builders.opened(builders.incident(), led))).splitlines()
    start = lines.index("   El control fue llevado a:")
    assert lines[start + 1 : start + 4] == [
        "````",
        "https://gye1.nodored.example/login",
        "https://evil.example/```",
    ]
    assert "El control fue llevado a" not in wording.creation(story())


def test_several_servers_are_named_by_the_first_and_a_number() -> None:
    told = story(servers=(builders.GYE1, builders.UIO1, ServerId("retired")))
    assert "gye1.nodored.example y 2 servidores más" in wording.subject(told)
    assert "Servidor: retired" in wording.creation(told)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_for_an_update_has_its_comment(reason: Reason, language: str) -> None:
    told = story(language=language)
    body = wording.comment(told, builders.updated(told.incident, reason, LATER, builders.evidence("smtp")))
    assert "gye1.nodored.example" in body
    assert "gye1/smtp" in body


def test_a_resolution_tells_how_long_it_lasted_and_who_ended_it() -> None:
    told = story()
    by_itself = wording.resolution(told, builders.resolved(told.incident, LATER))
    by_ana = wording.resolution(told, builders.resolved(told.incident, LATER, actor="ana"))
    assert "5 minutos" in by_itself
    assert "ana" not in by_itself
    assert "ana" in by_ana


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_a_person_ended_while_it_failed_is_not_told_as_mended(language: str) -> None:
    told = story(language=language)
    for ended_at in (LATER, LATER - timedelta(seconds=5)):
        entry = builders.resolved(told.incident, LATER, ended_at=ended_at, actor="ana", recovered=False)
        by_ana = wording.resolution(told, entry)
        assert "ana" in by_ana
        assert "gye1.nodored.example" not in by_ana


def test_what_nobody_watches_any_more_ends_with_its_own_word_and_not_as_mended() -> None:
    told = story()
    assert (
        wording.resolution(told, builders.resolved(told.incident, LATER, recovered=False)) == "Novedad 600."
    )


@pytest.mark.parametrize("recovered", [True, False])
def test_a_late_ticket_calls_recovered_only_what_was_seen_to_be(recovered: bool) -> None:
    whole = builders.incident(stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER)
    entries = (builders.opened(whole), builders.resolved(whole, LATER, recovered=recovered))
    told = story(*entries, stage=Stage.RESOLVED, ended_at=LATER, resolved_at=LATER)
    assert ("ya se recuperó" in wording.creation(told)) is recovered
    of_a_mass = replace(told, mass=(replace(told.incident, mass=told.incident.id),))
    assert ("ya se recuperó" in wording.creation(of_a_mass)) is recovered


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_ticket_hears_who_has_it_in_hand_and_nobody_else_does(language: str) -> None:
    told = story(language=language)
    until = builders.acknowledged(told.incident, LATER, LATER + timedelta(hours=4))
    first, second = (
        order(Action.COMMENT, told, entry) for entry in (builders.acknowledged(told.incident, LATER), until)
    )
    assert first is not None
    assert second is not None
    assert (first.internal, second.internal) == (True, True)
    assert first.body.startswith("ana")
    assert "14:10" not in first.body
    assert "14:10" in second.body


@pytest.mark.parametrize("public", [False, True])
def test_follow_ups_are_internal_unless_they_are_meant_for_everybody(public: bool) -> None:
    told = replace(story(), public=public)
    whole = told.incident
    follow_ups = (
        (Action.COMMENT, builders.updated(whole, Reason.EASED, LATER)),
        (Action.RESOLVE, builders.resolved(whole, LATER)),
        (Action.REOPEN, builders.reopened(whole, LATER)),
    )
    orders = [order(action, told, entry) for action, entry in follow_ups]
    assert [one is not None and one.internal for one in orders] == [not public] * 3
    created = order(Action.CREATE, told, builders.opened(whole))
    assert created is not None
    assert not created.internal
    held = order(Action.COMMENT, told, builders.acknowledged(whole, LATER))
    assert held is not None
    assert held.internal


def test_a_ticket_that_is_made_late_says_who_has_it_in_hand() -> None:
    held = Acknowledgement(author="ana", at=LATER, until=None)
    assert "ana lo tiene entre manos" in wording.creation(story(acknowledged=held))


@pytest.mark.parametrize("action", [Action.RESOLVE, Action.COMMENT])
def test_a_false_alarm_is_told_with_its_reason_and_without_a_length(action: Action) -> None:
    told = story()
    note = order(action, told, builders.retracted(told.incident, LATER))
    assert note is not None
    assert "Se cortó nuestra propia línea." in note.body
    assert "ana" in note.body
    assert "duró" not in note.body


def test_a_resolution_before_its_beginning_lasts_nothing() -> None:
    """A clock that was set back may put the end before the start."""
    told = story()
    entry = builders.resolved(told.incident, LATER, ended_at=builders.START - timedelta(minutes=1))
    assert "0 " in wording.resolution(told, entry)


@pytest.mark.parametrize(
    ("impact", "priority"),
    [
        (Impact.CRITICAL, Priority.URGENT),
        (Impact.MAJOR, Priority.URGENT),
        (Impact.MINOR, Priority.HIGH),
    ],
)
def test_how_urgent_a_ticket_is_follows_from_its_incident(impact: Impact, priority: Priority) -> None:
    told = story(impact=impact)
    made = orders.order_of(Action.CREATE, 1, told, told.entries[0], None)
    assert made is not None
    assert (made.priority, made.key) == (priority, f"{REFERENCE}-create-1")


def test_a_priority_that_does_not_rise_is_not_asked_for() -> None:
    told = story()
    worse = builders.updated(told.incident, Reason.WORSENED, LATER, impact=Impact.CRITICAL)
    assert order(Action.PRIORITY, told, worse, Priority.URGENT) is None
    rise = order(Action.PRIORITY, told, worse, Priority.HIGH)
    assert rise is not None
    assert rise.priority is Priority.URGENT
    assert "urgente" in rise.body


def test_a_priority_is_not_raised_for_what_is_over() -> None:
    told = story(stage=Stage.RESOLVED, ended_at=LATER)
    worse = builders.updated(told.incident, Reason.WORSENED, LATER)
    assert order(Action.PRIORITY, told, worse, Priority.HIGH) is None


def test_reopening_raises_a_ticket_that_was_opened_late_and_lowers_none() -> None:
    told = story(impact=Impact.MINOR)
    again = builders.reopened(told.incident, LATER, impact=Impact.MINOR)
    raised, kept = order(Action.REOPEN, told, again, Priority.NORMAL), order(Action.REOPEN, told, again)
    assert raised is not None
    assert kept is not None
    assert (raised.priority, kept.priority) == (Priority.HIGH, Priority.URGENT)


def test_a_comment_without_a_ticket_is_a_fault_of_ours() -> None:
    told = story()
    with pytest.raises(ValueError, match="no ticket yet"):
        orders.order_of(Action.COMMENT, 2, told, builders.updated(told.incident, Reason.EASED, LATER), None)


def test_a_phase_without_a_name_of_ours_keeps_its_own() -> None:
    body = wording.creation(
        story(builders.opened(builders.incident(), builders.evidence(phases={"own_step": 3.0})))
    )
    assert "own step 3 ms" in body


def test_a_site_in_english_links_to_its_pages_in_the_language_of_the_ticket() -> None:
    told = story()
    english_first = replace(told.fleet, site=replace(told.fleet.site, languages=("en", "es")))
    assert "https://estado.nodored.example/es/incidents/" in wording.creation(
        replace(told, fleet=english_first)
    )
