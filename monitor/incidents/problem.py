"""What kind of problem an incident is: by what was found, never by the product that a customer bought."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from monitor.errors import NotFoundError
from monitor.fleet import Fleet
from monitor.health.words import Service
from monitor.identifiers import CheckKey
from monitor.incidents.incident import CheckEvidence, Impact
from monitor.observation import Cause


class Problem(StrEnum):
    """Kinds of problems, the gravest first: of several in one incident the first counts."""

    SERVER = "server"
    SECURITY = "security"
    MAIL = "mail"
    DEGRADED = "degraded"
    EXPIRY = "expiry"
    CAPACITY = "capacity"


_SECURITY = frozenset({Cause.HOST_KEY, Cause.LISTED})
_EXPIRY = frozenset({Cause.CERTIFICATE_ENDING, Cause.CERTIFICATE_EXPIRED, Cause.DOMAIN_ENDING})
# Whoever asks these asks how full or how busy something is, and for the staff alone.
_GAUGES = frozenset({"host", "nagios", "prometheus"})
_RANK = {problem: rank for rank, problem in enumerate(Problem)}


def problem_of(impact: Impact, servers: int, evidence: Iterable[CheckEvidence], fleet: Fleet) -> Problem:
    """Return the kind of an incident of `impact` that hits so many servers, and in which `evidence` was found.

    Several servers that are out are a server fault, whatever was found on each. A host key that changed and an entry in a block
    list are matters of security, even where customers notice nothing. What has expired is a server fault if customers notice.
    """
    found = tuple(evidence)
    if servers > 1 and impact.severity >= Impact.MAJOR.severity:
        return Problem.SERVER
    if not found:
        return _of_impact(impact)
    return min((_of(one, impact, fleet) for one in found), key=_RANK.__getitem__)


def _of(evidence: CheckEvidence, impact: Impact, fleet: Fleet) -> Problem:
    if evidence.cause in _SECURITY:
        return Problem.SECURITY
    if impact is Impact.NONE:
        return _unnoticed(evidence, fleet)
    # A server of which nothing is left is more than its mail.
    is_mail = impact is Impact.MAJOR and _service(evidence.check, fleet) is Service.MAIL
    return Problem.MAIL if is_mail else _of_impact(impact)


def _unnoticed(evidence: CheckEvidence, fleet: Fleet) -> Problem:
    if evidence.cause in _EXPIRY:
        return Problem.EXPIRY
    if evidence.cause is Cause.CAPACITY or evidence.kind in _GAUGES:
        return Problem.CAPACITY
    return Problem.MAIL if _service(evidence.check, fleet) is Service.MAIL else Problem.DEGRADED


def _of_impact(impact: Impact) -> Problem:
    return Problem.SERVER if impact.severity >= Impact.MAJOR.severity else Problem.DEGRADED


def _service(key: CheckKey, fleet: Fleet) -> Service | None:
    try:
        plans = fleet.server(key.server).checks
    except NotFoundError:
        # It was retired while its ticket was under way.
        return None
    return next((plan.service for plan in plans if plan.key == key), None)
