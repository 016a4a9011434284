"""The sentence at the head of the page names what is hit and is true."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.health.words import Service, Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Stage
from monitor.status.snapshot import Freshness, Snapshot
from tests.web import builders, scenes
from tests.web.builders import FINE, NOW, SITE, group, server, snapshot
from web.public.standing import overall, sentence, server_sentence
from web.reading import Reading

ES, EN = (Reading(language=language, site=SITE) for language in ("es", "en"))

WORKING_AGAIN = snapshot(open_incidents=(builders.incident(stage=Stage.MONITORING),))
ANNOUNCED = snapshot(open_incidents=(builders.incident(),))
NOT_LOOKED_AT = snapshot(group(server("gye1", Status.UNKNOWN), server("uio1")))
OVERNIGHT = snapshot(
    group(server("gye1", Status.UNDER_MAINTENANCE)),
    active_windows=(
        builders.running(
            servers=frozenset({ServerId("gye1"), ServerId("uio1")}), ends_at=NOW + timedelta(hours=15)
        ),
    ),
)


@pytest.mark.parametrize(
    ("present", "spanish", "english"),
    [
        (scenes.fine(), "Todo funciona con normalidad", "Everything is working"),
        (
            scenes.one_down(),
            "El correo de gye1.nodored.com está fuera de servicio",
            "Mail on gye1.nodored.com is out of service",
        ),
        (
            scenes.many(),
            "2 servidores tienen problemas; el más grave, gye1.nodored.com: fuera de servicio",
            "2 servers have problems; the worst is gye1.nodored.com: out of service",
        ),
        (
            scenes.maintenance(),
            "gye1.nodored.com está en mantenimiento hasta las 12:00",
            "gye1.nodored.com is under maintenance until 12:00",
        ),
        (
            OVERNIGHT,
            "2 servidores están en mantenimiento hasta el 23 nov, 01:00",
            "2 servers are under maintenance until Nov 23, 01:00",
        ),
        (
            scenes.grey(),
            "No sabemos en qué estado están los servidores desde las 09:50, hora de Ecuador",
            "We have not known the state of the servers since 09:50, Ecuador time",
        ),
        (
            NOT_LOOKED_AT,
            "No hay datos recientes de gye1.nodored.com",
            "There is no recent data on gye1.nodored.com",
        ),
        (scenes.empty(), "Todavía no se vigila ningún servidor", "No server is being watched yet"),
        (
            WORKING_AGAIN,
            "Todo funciona de nuevo; seguimos observando: gye1.nodored.com: sin servicio en correo",
            "Everything is working again; still being watched: gye1.nodored.com: no service in mail",
        ),
        (
            ANNOUNCED,
            "Incidente abierto: gye1.nodored.com: sin servicio en correo",
            "Open incident: gye1.nodored.com: no service in mail",
        ),
        (
            snapshot(heard_at=None, freshness=Freshness.GREY),
            "Todavía no sabemos en qué estado están los servidores",
            "We do not know the state of the servers yet",
        ),
    ],
)
def test_the_sentence_tells_what_is_true_now(present: Snapshot, spanish: str, english: str):
    assert (sentence(present, ES), sentence(present, EN)) == (spanish, english)


@pytest.mark.parametrize(
    ("status", "services", "expected"),
    [
        (Status.OPERATIONAL, {}, "gye1.nodored.com funciona con normalidad"),
        (Status.MAJOR_OUTAGE, {Service.WEB: Status.MAJOR_OUTAGE}, "gye1.nodored.com está fuera de servicio"),
        (Status.PARTIAL_OUTAGE, {}, "gye1.nodored.com está fuera de servicio en parte"),
        (
            Status.PARTIAL_OUTAGE,
            {Service.WEB: Status.MAJOR_OUTAGE, Service.MAIL: Status.MAJOR_OUTAGE},
            "El alojamiento web y el correo de gye1.nodored.com están fuera de servicio",
        ),
        (
            Status.DEGRADED_PERFORMANCE,
            {Service.PANEL: Status.DEGRADED_PERFORMANCE},
            "El panel de control de gye1.nodored.com responde con lentitud o con fallas leves",
        ),
        (Status.UNDER_MAINTENANCE, {}, "gye1.nodored.com está en mantenimiento"),
    ],
)
def test_a_servers_sentence_names_the_services_that_are_hit(status, services, expected):
    assert server_sentence(server("gye1", status, services={**FINE, **services}), ES) == expected


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (scenes.fine(), Status.OPERATIONAL),
        (scenes.many(), Status.MAJOR_OUTAGE),
        (scenes.maintenance(), Status.UNDER_MAINTENANCE),
        (scenes.grey(), Status.UNKNOWN),
        (scenes.empty(), Status.UNKNOWN),
        (NOT_LOOKED_AT, Status.UNKNOWN),
    ],
)
def test_one_status_stands_for_all(present: Snapshot, expected: Status):
    assert overall(present) is expected
