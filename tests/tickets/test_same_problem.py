"""Whether a request is about a fault that is known: what it names, what the requester has with us, and what it complains of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.fleet import Fleet
from monitor.health.words import Service
from monitor.identifiers import CheckKey
from monitor.tickets.same_problem import Asked, same_fault, same_subject
from tests.tickets import builders
from tests.tickets.builders import GYE1, UIO1

HOME = ("gye1", "cliente.test")


def fleet() -> Fleet:
    """Two servers, each with a site and mail."""
    whole = builders.fleet()
    services = {"http": Service.WEB, "smtp": Service.MAIL}
    servers = tuple(
        replace(
            server, checks=tuple(replace(plan, service=services[plan.key.check]) for plan in server.checks)
        )
        for server in whole.servers
    )
    return replace(whole, servers=servers)


def is_same(subject: str, body: str = "", places: tuple[str, ...] = (), check: str = "smtp") -> bool:
    incident = builders.incident(server=GYE1, checks=(CheckKey(GYE1, check),))
    return same_fault(Asked(subject=subject, body=body, places=places), incident, fleet())


@pytest.mark.parametrize(
    "words",
    [
        "gye1 no responde",
        "Hola, ¿qué pasa con GYE1?",
        "https://gye1.nodored.example/login da error",
        "No puedo conectar a 192.0.2.10.",
        "servidor:gye1",
    ],
)
def test_who_names_a_server_that_is_out_asks_about_its_fault(words: str) -> None:
    assert is_same("Consulta", words)
    assert is_same(words, "")


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("El correo no funciona", True),
        ("No me llegan los correos a Outlook", True),
        ("mail is down", True),
        ("Nada funciona", True),
        ("My mail does not work", True),
        ("mail doesn’t work", True),
        ("mail is broken", True),
        ("El correo no sirve", True),
        ("El correo no anda", True),
        ("No tengo correo", True),
        ("El correo está fuera de línea", True),
        ("Webmail no disponible", True),
        ("mail unavailable", True),
        ("El servidor no responde", True),
        ("¡Fuera de servicio!", True),
        ("¿Para qué sirve el correo?", False),
        ("No tengo la factura", False),
        ("Todo está caído", True),
        ("Mi sitio está caído", False),
        ("La página da error", False),
        ("Quiero contratar más correos", False),
        ("Por favor envíenme la factura", False),
        ("I would like to open a domain", False),
        ("Cómo instalo WordPress?", False),
        ("Download of the invoice", False),
    ],
)
def test_who_lives_on_the_server_asks_about_the_fault_if_the_trouble_fits(words: str, same: bool) -> None:
    assert is_same(words, "", HOME) is same
    assert is_same(words, "", ("GYE1",)) is same
    assert is_same(words, "", ("uio1", "otro.test")) is False
    assert is_same(words) is False


def test_a_server_that_is_wholly_out_takes_every_service_with_it() -> None:
    whole = fleet()
    plans = tuple(replace(plan, service=Service.NETWORK) for plan in whole.servers[0].checks)
    out = replace(whole, servers=(replace(whole.servers[0], checks=plans), *whole.servers[1:]))
    incident = builders.incident(server=GYE1, checks=(CheckKey(GYE1, "http"),))
    asked = Asked(subject="El correo no funciona", body="", places=("gye1",))
    assert same_fault(asked, incident, out)


def test_who_lives_behind_the_server_that_is_out_is_about_its_fault_too() -> None:
    incident = builders.incident(server=GYE1, checks=(CheckKey(GYE1, "smtp"),), unreachable=(UIO1,))
    asked = Asked(subject="Nada funciona", body="", places=("uio1",))
    assert same_fault(asked, incident, fleet())


def test_an_id_that_is_a_common_word_is_no_name() -> None:
    whole = fleet()
    named = replace(whole.servers[0], id="correo", name="correo", host="", addresses=())
    incident = builders.incident(server=named.id, checks=())
    out = replace(whole, servers=(named, *whole.servers[1:]))
    assert not same_fault(Asked(subject="Quiero otro correo", body=""), incident, out)
    assert not same_fault(Asked(subject="El correo central", body=""), incident, out)
    assert same_fault(Asked(subject="Consulta", body="¿El servidor  Correo?"), incident, out)
    central = replace(out, servers=(replace(named, name="Correo central"), *whole.servers[1:]))
    assert same_fault(Asked(subject="El CORREO central no va", body=""), incident, central)
    assert not same_fault(Asked(subject="Correo centralizado", body=""), incident, central)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("El correo no llega", "RE: Fwd: el  CORREO no llega", True),
        ("Conexión", "[#7] Re: conexion", True),
        ("Factura de mayo", "Factura de junio", False),
        ("Re:", "Re:", False),
        ("", "", False),
    ],
)
def test_a_subject_is_the_same_whatever_mail_programs_add(one: str, other: str, same: bool) -> None:
    assert same_subject(one, other) is same
