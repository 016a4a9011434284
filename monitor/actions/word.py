"""An operator's word on an incident: it is in hand, it is over, it was a false alarm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from monitor.actions import people
from monitor.actions.append import append
from monitor.clock import fresh_ulid
from monitor.errors import NotFoundError, RefusedError
from monitor.identifiers import IncidentId, ServerId, UpdateId
from monitor.incidents.incident import Audience, Incident, Origin, Stage, Update
from monitor.incidents.lifecycle import require_move
from monitor.journal.entries import Entry, IncidentAcknowledged, IncidentResolved, IncidentRetracted, Kind
from monitor.language import LANGUAGES, Texts, text
from monitor.language.moments import duration
from monitor.store import readings
from monitor.store.database import Transaction


def acknowledge(
    tx: Transaction, incident_id: IncidentId, until: datetime | None, *, author: str, moment: datetime
) -> Incident:
    """Take an open incident in hand until `until`, or until its end, and return it: operators hear no more of it (rule D13).

    Raises NotFoundError or RefusedError.
    """
    incident = _known(tx, incident_id)
    if not incident.open:
        raise RefusedError(f"the incident {incident_id} is over: there is nothing to take in hand")
    if until is not None and until <= moment:
        raise RefusedError("that moment is past already: name one that is to come with --until, or none")
    body = IncidentAcknowledged(incident=incident.id, until=None if until is None else until.astimezone(UTC))
    return _said(tx, Kind.INCIDENT_ACKNOWLEDGED, body, people.author(author), moment)


def resolve(
    tx: Transaction,
    incident_id: IncidentId,
    *,
    author: str,
    moment: datetime,
    words: Mapping[str, str] | None = None,
) -> Incident:
    """Resolve an open incident and return it; it does not reopen by itself (rule D9). `words` are what customers read.

    Raises NotFoundError or RefusedError.
    """
    incident = _known(tx, incident_id)
    require_move(incident.stage, Stage.RESOLVED)
    ended_at = incident.ended_at or moment
    lasted = max(ended_at - incident.started_at, timedelta(0))
    plain = {
        language: text("incident.text.closed", language, lasted=duration(lasted, language))
        for language in LANGUAGES
    }
    name = people.author(author)
    body = IncidentResolved(
        incident=incident.id,
        ended_at=ended_at,
        update=_update({**plain, **(words or {})}, name, moment),
        recovered=incident.seen_well,
    )
    return _said(tx, Kind.INCIDENT_RESOLVED, body, name, moment)


def retract(
    tx: Transaction, incident_id: IncidentId, reason: Mapping[str, str], *, author: str, moment: datetime
) -> Incident:
    """Withdraw an incident that was a false alarm, open or over, and return it.

    What was held of its servers on account of it is taken back. `reason` is what customers read, by language.
    Raises NotFoundError or RefusedError.
    """
    incident = _known(tx, incident_id)
    if incident.retracted is not None:
        raise RefusedError(f"the incident {incident_id} was retracted already")
    if incident.stage is Stage.POSTMORTEM:
        raise RefusedError(f"the incident {incident_id} has a postmortem: it is history")
    whys = {language: people.reason(words) for language, words in reason.items()}
    first = next(iter(whys.values()))
    name = people.author(author)
    told = {
        language: text("incident.text.retracted", language, reason=whys.get(language, first))
        for language in LANGUAGES
    }
    body = IncidentRetracted(
        incident=incident.id,
        reason=first,
        servers=_accused(incident),
        since=incident.started_at,
        until=max(incident.ended_at or moment, incident.started_at),
        was_open=incident.open,
        update=_update(told, name, moment),
    )
    return _said(tx, Kind.INCIDENT_RETRACTED, body, name, moment)


def _accused(incident: Incident) -> tuple[ServerId, ...]:
    """Return the servers that were held to fail because of what the incident is about."""
    detected = incident.origin is Origin.DETECTED and incident.audience is Audience.PUBLIC
    return incident.servers if detected and not incident.drill else ()


def _known(tx: Transaction, incident_id: IncidentId) -> Incident:
    found = readings.incident(tx, incident_id)
    if found is None:
        raise NotFoundError(f"there is no incident {incident_id!r}; `vigia incident list` shows them")
    return found


def _update(words: Texts, author: str, moment: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(moment)), stage=Stage.RESOLVED, text=words, at=moment, author=author)


def _said(
    tx: Transaction,
    kind: Kind,
    body: IncidentAcknowledged | IncidentResolved | IncidentRetracted,
    author: str,
    moment: datetime,
) -> Incident:
    entry = Entry(kind=kind, moment=moment, subject=body.incident, body=body, actor=author)
    append(tx, (entry,), moment)
    return _known(tx, body.incident)
