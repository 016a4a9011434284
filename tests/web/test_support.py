"""Support on the page: is anybody there, how long does an answer take, how is a ticket written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.status.support import Presence
from monitor.support.escalation import Promise
from monitor.support.hours import Hours, Shift
from monitor.support.reach import Way
from tests.web import builders
from tests.web.builders import NOW, snapshot

DAY = timedelta(days=1)


def words(element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def cards(page, section: str) -> dict[str, str]:
    found = page.xpath(f"//section[@aria-labelledby='{section}']//li[contains(@class, 'card')]")
    return {words(card.xpath(".//h3")[0]): words(card) for card in found}


def test_it_is_told_when_nobody_is_there_and_when_they_are_back(page):
    shown = page("/support")
    assert words(shown.xpath("//h1")[0]) == "En este momento no hay atención"
    assert words(shown.xpath("//*[@class='lead']")[0]) == (
        "Volvemos a atender el lunes, 23 de noviembre, a las 08:00, hora de Ecuador."
    )
    assert "We are back on Monday, November 23, at 08:00, Ecuador time." in words(page("/en/support"))


@pytest.mark.parametrize(
    ("presence", "title", "when"),
    [
        (Presence(open_until=NOW + timedelta(hours=8), opens_at=None), "Estamos atendiendo", "Atendemos hasta las 18:00, hora de Ecuador."),
        (Presence(open_until=NOW + timedelta(hours=27), opens_at=None), "Estamos atendiendo", "Atendemos hasta el lunes, 23 de noviembre, a las 13:00, hora de Ecuador."),
        (Presence(open_until=NOW + timedelta(days=400), opens_at=None), "Estamos atendiendo", "Atendemos a toda hora."),
        (Presence(open_until=None, opens_at=NOW + timedelta(hours=3)), "En este momento no hay atención", "Volvemos a atender a las 13:00, hora de Ecuador."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_true_now(reader, page, presence, title, when):
    reader.present = snapshot(support=builders.support(presence=presence))
    shown = page("/support")

    assert (words(shown.xpath("//h1")[0]), words(shown.xpath("//*[@class='lead']")[0])) == (title, when)


def test_nobody_ever_there_is_said_without_a_promise(reader, page):
    reader.present = snapshot(support=builders.support(presence=Presence(open_until=None, opens_at=None)))
    assert words(page("/support").xpath("//h1")[0]) == "No hay horario de atención"


def test_each_department_has_its_address_and_its_average_as_of_when(page):
    assert cards(page("/support"), "departments") == {
        "Pagos y facturación": "Pagos y facturación pagos@example.com 0 h 1 min promedio de respuesta de 12 respuestas en"
        " los últimos 30 días; actualizado a las 09:59, hora de Ecuador",
        "Soporte técnico": "Soporte técnico soporte@example.com 23 h 40 min promedio de respuesta de 12 respuestas en los"
        " últimos 30 días; actualizado a las 09:59, hora de Ecuador",
        "Asesoría comercial": "Asesoría comercial comercial@example.com Sin respuestas en los últimos 30 días; actualizado a las 09:59,"
        " hora de Ecuador",
    }


def test_a_helpdesk_that_cannot_be_read_leaves_the_figures_out(reader, page):
    told = builders.support()
    silent = tuple(replace(each, answer=None) for each in told.departments)
    reader.present = snapshot(support=replace(told, departments=silent))

    assert cards(page("/support"), "departments")["Soporte técnico"] == "Soporte técnico soporte@example.com"
    assert "promedio" not in words(page("/support"))
    # Whose wait cannot be seen cannot be raised either.
    assert "sube de prioridad" not in words(page("/support"))
    assert "Promedio" not in words(page("/"))


def test_those_that_still_wait_are_no_answers(reader, page, served):
    told = builders.support()
    nothing = timedelta(0)
    busy = replace(
        builders.answered("soporte", nothing, sample=3), counted=1, since=NOW - DAY, until=NOW, p90=nothing
    )
    reader.show(support=replace(told, departments=(replace(told.departments[1], answer=busy),)))

    assert "de 3 respuestas y 1 ticket que aún espera en el último día" in words(page("/support"))
    assert "from 3 answers and 1 ticket that still waits over the last day" in words(page("/en/support"))
    # Nothing is a figure too: what is asked and answered out of hours.
    [figures] = [
        each["answer_time"] for each in json.loads(served.get("/api/v1/support.json").text)["departments"]
    ]
    assert (figures["mean_seconds"], figures["median_seconds"], figures["p90_seconds"]) == (0, 0, 0)


def test_the_promise_names_those_who_keep_it(reader, page):
    assert "Cada ticket recibe una respuesta dentro de 24 horas." in words(page("/support"))

    reader.show(support=builders.support(promise=Promise(departments=("soporte", "pagos"))))
    assert "Cada ticket de Pagos y facturación y Soporte técnico recibe" in words(page("/support"))
    assert "Every ticket of Payments and billing and Technical support gets" in words(page("/en/support"))


def test_ways_tell_whose_they_are_and_whether_somebody_is_there(page):
    shown = cards(page("/support"), "ways")

    assert "Para todos los planes" in shown["Ticket"]
    assert "Para Profesionales Web y Empresas Cerrado ahora" in shown["Chat en vivo"]
    assert "+593 7 256 2711" in shown["Teléfono"]
    links = page("/support").xpath("//section[@aria-labelledby='ways']//a/@href")
    assert links == ["https://clientes.example.com", "tel:+59372562711"]


def test_hours_and_holidays_stand_in_words(reader, page):
    hours = Hours(
        shifts=(
            Shift(days=(0, 1, 2, 3, 4), opens=480, closes=1080),
            Shift(days=(5,), opens=540, closes=780),
            Shift(days=(0, 2), opens=1140, closes=1440),
            Shift(days=tuple(range(7)), opens=0, closes=60),
        )
    )
    reader.present = snapshot(support=builders.support(hours=hours))
    section = page("/support").xpath("//section[@aria-labelledby='hours']")[0]

    assert [words(line) for line in section.xpath(".//li")] == [
        "De lunes a viernes, de 08:00 a 18:00",
        "Sábado, de 09:00 a 13:00",
        "Lunes y miércoles, de 19:00 a 24:00",
        "Todos los días, de 00:00 a 01:00",
        "Jueves, 24 de diciembre",
        "Viernes, 25 de diciembre: Navidad",
    ]
    assert "Monday to Friday, 08:00 to 18:00" in words(page("/en/support"))


def test_the_security_question_is_told_where_people_speak(reader, page):
    assert "pregunta de seguridad" in words(page("/support"))

    reader.present = snapshot(support=builders.support(ways=(Way(kind="ticket"),)))
    assert "pregunta de seguridad" not in words(page("/support"))


def test_the_front_page_carries_the_essence(page):
    panel = page("/").xpath("//section[@aria-labelledby='support']")[0]

    assert words(panel) == (
        "Soporte Soporte y tiempos de respuesta Volvemos a atender el lunes, 23 de noviembre, a las 08:00, hora de Ecuador."
        " Promedio de respuesta dentro del horario de atención Pagos y facturación 0 h 1 min Soporte técnico 23 h 40 min"
    )
    assert page("/en/").xpath("//nav//a[@href='/en/support']")


def test_who_configures_nothing_has_no_page_about_it(reader, page, visit):
    reader.present = snapshot(support=builders.support(departments=(), ways=()))

    for path in ("/support", "/en/support", "/api/v1/support.json", "/support/answer-time/soporte.txt"):
        assert visit.get(path).status_code == 404
    assert not page("/").xpath("//a[@href='/support']")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/support/answer-time/soporte.txt", "Tiempo promedio de respuesta de Soporte técnico: 23 h 40 min dentro del horario de atención, en los últimos 30 días.\n"),
        ("/en/support/answer-time/soporte.txt", "Average time to answer of Technical support: 23 h 40 min within service hours, over the last 30 days.\n"),
        ("/support/answer-time/soporte.html", "<p>Tiempo promedio de respuesta de Soporte técnico: 23 h 40 min dentro del horario de atención, en los últimos 30 días.</p>\n"),
        ("/support/answer-time/comercial.txt", ""),
        ("/support/answer-time/comercial.html", ""),
    ],
)  # fmt: skip
def test_a_mail_template_includes_the_sentence(served, path, body):
    answer = served.get(path)
    assert (answer.status_code, answer.text) == (200, body)


def test_a_department_s_name_is_only_ever_text(reader, visit):
    evil = "<script>alert(1)</script>"
    told = builders.support()
    named = tuple(replace(each, name={"es": evil, "en": evil}) for each in told.departments)
    reader.present = snapshot(support=replace(told, departments=named))

    for path in ("/support", "/support/answer-time/soporte.html", "/"):
        assert evil not in visit.get(path).text


def test_a_department_that_does_not_exist_is_not_found(served):
    assert served.get("/support/answer-time/nadie.txt").status_code == 404


def test_programs_read_the_same_as_data(served):
    told = json.loads(served.get("/api/v1/support.json").text)

    assert (told["open"], told["open_until"], told["opens_at"]) == (False, None, "2026-11-23T13:00:00Z")
    assert told["hours"] == [{"days": [0, 1, 2, 3, 4], "from": "08:00", "to": "18:00"}]
    support = told["departments"][1]
    assert (support["id"], support["unanswered"]) == ("soporte", 3)
    assert support["answer_time"] == {
        "since": "2026-10-23T14:59:00Z",
        "as_of": "2026-11-22T14:59:00Z",
        "mean_seconds": 85_200,
        "median_seconds": 85_200,
        "p90_seconds": 170_400,
        "answered": 12,
        "counted_unanswered": 0,
        "sample": 12,
    }
    assert told["departments"][2]["answer_time"]["mean_seconds"] is None
    assert told["channels"][1] == {
        "kind": "chat",
        "plans": ["profesionales", "empresas"],
        "number": None,
        "url": None,
        "email": None,
    }
    assert told["holidays"][1] == {"date": "2026-12-25", "name": {"es": "Navidad", "en": "Christmas Day"}}
    assert (told["answered_within_seconds"], told["answered_within_counts"]) == (86_400, "clock")
