"""What incidents say, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from monitor.fleet import Fleet, Group, Site
from monitor.health.rollup import Judged, judge
from monitor.health.words import CheckImpact, Service, Status
from monitor.identifiers import GroupId, ServerId
from monitor.incidents.crowd import Crowd
from monitor.incidents.evidence import held_evidence
from monitor.incidents.incident import Impact, Stage
from monitor.incidents.texts import (
    News,
    Report,
    crowd_title,
    staff_opened,
    staff_resolved,
    staff_title,
    title,
    update_text,
)
from monitor.language import LANGUAGES, text
from tests.incidents.builders import SERVER, health, minute, plan, standings

ECUADOR = ZoneInfo("America/Guayaquil")
SECOND = 7


def judged(**held: str) -> Judged:
    """Return the server as judged with these checks held so."""
    return judge(standings({name: health(name, how) for name, how in held.items()}))


OUT = judged(ping="down", smtp="down", http="down")
MAIL_OUT = judged(smtp="down")
MIXED = judged(smtp="down", http="down", ping="slow")
SLOW = judged(http="slow")


def report(state: Judged, failing: int = 1, **more) -> Report:
    """Return a report at 12:05 in Ecuador about something that began at noon."""
    facts = Report(
        server=SERVER, judged=state, zone=ECUADOR, moment=minute(5), started_at=minute(0), failing=failing
    )
    return replace(facts, **more)


@pytest.mark.parametrize(
    ("state", "spanish", "english"),
    [
        (OUT, "gye1.nodored.com: fuera de servicio", "gye1.nodored.com: out of service"),
        (MAIL_OUT, "gye1.nodored.com: correo fuera de servicio", "gye1.nodored.com: mail out of service"),
        (
            MIXED,
            "gye1.nodored.com: web y correo fuera de servicio",
            "gye1.nodored.com: web and mail out of service",
        ),
        (
            SLOW,
            "gye1.nodored.com: web con lentitud o fallas leves",
            "gye1.nodored.com: web slow or with slight faults",
        ),
    ],
)
def test_a_title_names_the_server_and_what_of_it_is_hit(state: Judged, spanish: str, english: str):
    assert title(SERVER, state) == {"es": spanish, "en": english}


def test_the_first_word_says_what_is_hit_since_when_what_was_seen_and_what_comes_next():
    told = update_text(News.OPENED, report(MAIL_OUT))
    assert told["es"] == (
        "El correo de gye1.nodored.com está fuera de servicio desde las 12:00, hora de Ecuador."
        " 1 de sus 3 comprobaciones automáticas da mal resultado, vista desde nuestro centro de monitoreo."
        " Nuestro equipo técnico ya está avisado; publicaremos aquí cada novedad."
    )
    assert told["en"] == (
        "Mail on gye1.nodored.com is out of service. It began at 12:00, Ecuador time."
        " 1 of its 3 automatic checks fails, seen from our monitoring centre."
        " Our technical team has been notified; every development will be posted here."
    )


def test_several_services_are_told_worst_first():
    told = update_text(News.JOINED, report(MIXED, 3))["es"]
    assert told.startswith(
        "La falla alcanza a más partes desde las 12:05, hora de Ecuador:"
        " el alojamiento web y el correo de gye1.nodored.com están fuera de servicio;"
        " la conexión de red de gye1.nodored.com responde con lentitud o con fallas leves."
        " 3 de sus 3 comprobaciones automáticas dan mal resultado"
    )


def test_a_server_with_one_check_that_counts_says_so():
    alone = replace(SERVER, checks=(plan("http"), plan("smtp", CheckImpact.NONE)))
    told = update_text(News.OPENED, report(OUT, server=alone))["es"]
    assert "Lo muestra su comprobación automática, hecha desde nuestro centro de monitoreo." in told


def test_what_persists_after_maintenance_says_when_that_ended():
    told = update_text(News.PERSISTS, report(OUT, 3))["es"]
    assert told.startswith(
        "El mantenimiento terminó a las 12:00, hora de Ecuador, y la falla continúa:"
        " gye1.nodored.com está fuera de servicio."
    )


def test_a_recovery_says_since_when_and_how_long_it_will_be_watched():
    told = update_text(News.RECOVERING, report(judged(), 0, ended_at=minute(4)))["es"]
    assert told == (
        "gye1.nodored.com funciona de nuevo desde las 12:04, hora de Ecuador: sus comprobaciones automáticas,"
        " hechas desde nuestro centro de monitoreo, dan buen resultado."
        " Lo observamos durante 5 minutos más antes de darlo por resuelto."
    )


def test_a_resolution_says_how_long_the_fault_lasted():
    over = report(judged(), 0, started_at=minute(0), ended_at=minute(93), moment=minute(98))
    assert update_text(News.RESOLVED, over)["es"] == (
        "gye1.nodored.com funciona con normalidad desde las 13:33, hora de Ecuador."
        " La falla duró 1 hora y 33 minutos."
    )


def test_a_relapse_speaks_of_its_own_first_failing_look():
    told = update_text(News.RELAPSED, report(MAIL_OUT, changed_at=minute(3)))["es"]
    assert told.startswith("La falla volvió a las 12:03, hora de Ecuador: el correo de gye1.nodored.com está")


def test_operators_read_of_a_warning_with_its_cause():
    ending = replace(health("http", "slow", minute(1)), found="12 days left")
    evidence = held_evidence(ending, "http")
    assert staff_title(SERVER, evidence)["es"] == "gye1.nodored.com: aviso de la comprobación http"
    told = staff_opened(SERVER, evidence, ECUADOR, minute(2))["es"]
    assert told.startswith(
        "La comprobación http de gye1.nodored.com da un aviso desde las 12:01, hora de Ecuador: "
    )
    assert text("cause.slow", "es") in told
    assert "(detalle técnico: 12 days left)" in told
    assert staff_resolved(SERVER, "http", minute(3), ECUADOR, minute(4))["en"] == (
        "The check http of gye1.nodored.com has not given this warning since 12:03, Ecuador time."
    )


def crowd(*held: str) -> Crowd:
    """Return ten servers of which the first are held so; those of the second group are web7, web8 and web9."""
    statuses = {
        "down": Status.MAJOR_OUTAGE,
        "partial": Status.PARTIAL_OUTAGE,
        "slow": Status.DEGRADED_PERFORMANCE,
    }
    groups = (
        Group(id=GroupId("vps"), name={"es": "Servidores virtuales", "en": "Virtual servers"}),
        Group(id=GroupId("hosting"), name={"es": "Hosting compartido", "en": "Shared hosting"}),
    )
    servers = tuple(
        replace(
            SERVER,
            id=ServerId(f"web{number}"),
            name=f"web{number}",
            group=groups[number >= SECOND].id,
        )
        for number in range(10)
    )
    fleet = Fleet(site=Site(name="Nodored", url=""), groups=groups, servers=servers)
    hit = tuple((server, statuses[how]) for server, how in zip(servers, held, strict=False))
    return Crowd(fleet=fleet, servers=servers, hit=hit)


def _fitting(news: News, told: Report) -> Report:
    return replace(told, behind=("uio1.nodored.com",)) if news is News.BEHIND else told


def _everything_told() -> list[str]:
    """Return every update about every state of the server, in every language."""
    states = [judged(ping=a, smtp=b, http=c) for a, b, c in product(("up", "slow", "down"), repeat=3)]
    told = [update_text(news, _fitting(news, report(state, 1))) for news in News for state in states]
    told += [
        update_text(news, _fitting(news, report(states[0], crowd=crowd(*hit))))
        for news in News
        for hit in (("down",), ("down", "slow", "partial"), ("slow",) * 8)
    ]
    return [words for texts in told for words in texts.values()] + [
        words for state in states for words in title(SERVER, state).values()
    ]


def test_no_text_has_a_hole_a_doubled_blank_or_a_small_beginning():
    for words in _everything_told():
        assert not re.search(r"[{}]|  |\bNone\b|^\s|\s$", words)
        assert words.startswith(("gye1.nodored.com", "web", "9", "7", "2")) or words[0].isupper()


class TestSeveralServers:
    def test_a_title_names_the_first_of_them_and_counts_the_others(self):
        assert crowd_title(crowd(*["down"] * 6)) == {
            "es": "web0, web1, web2 y 3 servidores más: fuera de servicio",
            "en": "web0, web1, web2, and 3 more servers: out of service",
        }

    def test_a_title_names_those_that_are_hit_worst(self):
        assert crowd_title(crowd("slow", "down", "down", "slow"))["es"] == "web1 y web2: fuera de servicio"

    def test_a_group_that_is_hit_as_a_whole_goes_by_its_name(self):
        assert crowd_title(crowd(*["down"] * 7))["es"] == (
            "Servidores virtuales (7 de 7 servidores): fuera de servicio"
        )
        assert crowd_title(crowd(*["down"] * 8))["en"] == (
            "Virtual servers (7 of 7 servers) and web7: out of service"
        )

    def test_the_first_word_says_how_each_of_them_is_hit(self):
        told = update_text(News.OPENED, report(OUT, crowd=crowd("down", "down", "slow")))["es"]
        assert told == (
            "web0 y web1 están fuera de servicio; web2 responde con lentitud o con fallas leves"
            " desde las 12:00, hora de Ecuador. 3 de 10 servidores fallan, vistos desde nuestro centro de monitoreo."
            " Nuestro equipo técnico ya está avisado; publicaremos aquí cada novedad."
        )

    def test_an_easing_says_how_many_are_back(self):
        told = update_text(News.EASED, report(OUT, crowd=crowd("down")))
        assert told["en"].startswith(
            "9 of the 10 servers of this incident work again. Now: web0 is out of service. 1 of 10 servers fails,"
        )
        assert told["es"].startswith("9 de los 10 servidores de este incidente funcionan de nuevo.")

    def test_a_recovery_is_that_of_all_of_them(self):
        over = report(judged(), 0, ended_at=minute(4), crowd=crowd())
        assert update_text(News.RECOVERING, over)["es"].startswith(
            "Los 10 servidores de este incidente funcionan de nuevo desde las 12:04, hora de Ecuador:"
        )


def test_what_cannot_be_judged_behind_a_server_is_named_with_it():
    behind = tuple(f"web{number}" for number in range(6))
    opened = update_text(News.OPENED, report(OUT, 3, behind=behind))["es"]
    assert "Por esta falla tampoco podemos saber cómo están: web0, web1, web2 y 3 servidores más." in opened
    later = update_text(News.BEHIND, report(OUT, 3, behind=("web0",)))["en"]
    assert later.startswith("Because of this fault we cannot tell either how these are: web0. Our technical")


def test_both_languages_say_different_words():
    for news in News:
        told = update_text(news, _fitting(news, report(MIXED, 2)))
        assert set(told) == set(LANGUAGES)
        assert len(set(told.values())) == len(LANGUAGES)


def test_a_fault_that_ended_before_it_was_told_to_begin_lasted_no_time():
    odd = report(judged(), 0, started_at=minute(5), ended_at=minute(5) - timedelta(seconds=1))
    assert "duró 0 segundos" in update_text(News.RESOLVED, odd)["es"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_judgement_has_a_text(language: str):
    keys = [
        *(f"stage.{stage}" for stage in Stage),
        *(f"impact.{impact}" for impact in Impact),
        *(f"service.{service}" for service in Service),
        *(f"service_phrase.{service}" for service in Service),
        *(f"status.{status}" for status in Status),
    ]
    assert all(text(key, language) for key in keys)
