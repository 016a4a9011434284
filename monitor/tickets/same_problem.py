"""Is a request about a fault that is known already? Pure: words, what the requester has with us, and the open incidents.

One well-described ticket a problem: whoever asks about a fault that has its incident is led there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.fleet import Fleet, Server
from monitor.health.words import Service
from monitor.incidents.incident import Incident

_TOKEN = re.compile(r"[a-z0-9](?:[a-z0-9._:-]*[a-z0-9])?")
_STEM = 4
_PREFIXES = re.compile(r"^(?:\s*(?:re|rv|fw|fwd|aw|tr)\s*:|\s*\[#\d+\])+", re.IGNORECASE)

# What customers call what they get, in either language, accents folded. A word of four letters or more stands for all that begin with it.
_SERVICES = {
    Service.WEB: ("web", "sitio", "pagina", "site", "website", "wordpress", "tienda"),
    Service.MAIL: ("mail", "correo", "email", "webmail", "smtp", "imap", "pop", "pop3", "buzon", "outlook"),
    Service.PANEL: ("panel", "cpanel", "plesk"),
    Service.DATABASES: ("database", "mysql", "mariadb", "postgres", "phpmyadmin"),
    Service.FILES: ("ftp", "sftp", "archivo", "file"),
    Service.NAMES: ("dns", "dominio", "domain", "nameserver"),
    Service.NETWORK: ("network", "conexion", "connection"),
}
# How people say that something does not work: surely, and of a service that they name beside it.
_TROUBLE = (
    "caid", "cayo", "down", "funciona", "working", "lento", "lenta", "slow", "error", "falla", "fallo", "timeout",
    "inaccesible", "unreachable", "offline", "outage", "broken", "unavailable", "indisponible",
)  # fmt: skip
_MAYBE = (
    "carga", "load", "abre", "open", "entra", "acced", "access", "conect", "connect", "envia", "send", "sale", "llega", "arriv",
    "recib", "receiv", "respond", "problem",
)  # fmt: skip
# The same in more words than one, of which each alone says nothing.
_TROUBLE_SAID = re.compile(
    r"\b(?:no (?:sirven?|andan?|responden?|(?:esta )?disponible)|fuera de (?:linea|servicio)"
    r"|(?:does not|doesn't|do not|don't|not) (?:work|respond|available)|not responding|not available)\b"
)
_MAYBE_SAID = re.compile(r"\b(?:no tengo|no hay|have no|there is no)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: its words, and the servers and domains that the requester has with us."""

    subject: str
    body: str
    places: tuple[str, ...] = ()


def same_fault(asked: Asked, incident: Incident, fleet: Fleet) -> bool:
    """Is this request, by all appearances, about that incident?

    It is if it names one of the servers that are out, whatever it says; or if the requester lives on one of them and tells of trouble
    with a service that the incident is about, or of trouble without naming any service.
    """
    text = _plain(f"{asked.subject}\n{asked.body}")
    words = _tokens(text)
    out = [server for server in fleet.servers if server.id in (*incident.servers, *incident.unreachable)]
    if any(words & _names(server) or _is_called(server, text) for server in out):
        return True
    homes = {server.id for server in out} | {name for server in out for name in _names(server)}
    if not homes & {folded(place) for place in asked.places}:
        return False
    named = {service for service, stems in _SERVICES.items() if _speaks(words, stems)}
    if not named:
        return _speaks(words, _TROUBLE) or bool(_TROUBLE_SAID.search(text))
    said = _TROUBLE_SAID.search(text) or _MAYBE_SAID.search(text)
    return (_speaks(words, (*_TROUBLE, *_MAYBE)) or bool(said)) and bool(named & _services(incident, fleet))


def same_subject(one: str, other: str) -> bool:
    """Are these two subjects the same, apart from what mail programs put in front, accents, case and blanks?"""
    return _core(one) == _core(other) != ""


def folded(written: str) -> str:
    """Return a text in lower case without accents."""
    plain = unicodedata.normalize("NFKD", written.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _core(subject: str) -> str:
    return " ".join(folded(_PREFIXES.sub("", subject)).split())


def _plain(written: str) -> str:
    return " ".join(folded(written).replace("\u2019", "'").split())


def _tokens(text: str) -> frozenset[str]:
    every = _TOKEN.findall(text)
    return frozenset((*every, *(part for token in every for part in token.split(":"))))


def _names(server: Server) -> frozenset[str]:
    every = (server.id, server.name, server.host, *server.addresses)
    # An id such as `web` is a word that people use without meaning the server.
    known = {folded(name) for name in every if name}
    return frozenset(name for name in known if any(letter in ".:0123456789" for letter in name))


def _is_called(server: Server, text: str) -> bool:
    """Is a server meant whose id is a word of every day: behind the word for a server, or by a name of several words?"""
    words = sorted(_plain(name) for name in {server.id, server.name} if name)
    called = (rf"\b(?:servidor|server) {re.escape(word)}\b" for word in words)
    named = (rf"\b{re.escape(word)}\b" for word in words if " " in word)
    return any(re.search(each, text) for each in (*called, *named))


def _services(incident: Incident, fleet: Fleet) -> frozenset[Service]:
    """Return which services the failing checks stand for; all of them if the whole server is out."""
    kinds = {plan.key: plan.service for server in fleet.servers for plan in server.checks}
    found = {kinds[check] for check in incident.checks if check in kinds}
    return frozenset(Service) if Service.NETWORK in found else frozenset(found)


def _speaks(words: Iterable[str], stems: Iterable[str]) -> bool:
    """Is one of the words one of the stems, or does it begin with one that is long enough to mean something?"""
    whole = frozenset(stems)
    begins = tuple(stem for stem in whole if len(stem) >= _STEM and stem != "down")
    return any(word in whole or word.startswith(begins) for word in words)
