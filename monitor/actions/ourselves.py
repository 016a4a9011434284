"""Our own trouble: checks that tell us nothing are one matter of the operators, and never one of the customers."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.actions.picture import Picture
from monitor.clock import fresh_ulid
from monitor.health.blindness import is_blind
from monitor.health.state import Health
from monitor.identifiers import CheckKey, IncidentId, UpdateId
from monitor.incidents.incident import Audience, CheckEvidence, Impact, Incident, Stage, Update
from monitor.journal.entries import Entry, IncidentOpened, IncidentResolved, IncidentUpdated, Kind, Reason
from monitor.language import LANGUAGES, Texts, text
from monitor.language.moments import since
from monitor.observation import Outcome
from monitor.store import readings
from monitor.store.database import Transaction


def turned(picture: Picture, changed: Mapping[CheckKey, Health]) -> bool:
    """Did any check become blind, or see again?"""
    return any(is_blind(picture.health(key)) != is_blind(health) for key, health in changed.items())


def consider(
    tx: Transaction, picture: Picture, changed: Mapping[CheckKey, Health], moment: datetime
) -> list[Entry]:
    """Return what operators are told of checks that are blind: one incident for all of them, without a server."""
    healths = ChainMap(dict(changed), picture.healths)
    blind = [healths[key] for key in picture.plans if key in healths and is_blind(healths[key])]
    told = open_one(tx)
    if told is None:
        return [_opened(blind, picture, moment)] if blind else []
    if not blind:
        return [_resolved(told, picture, moment)]
    new = [health for health in blind if health.check not in told.checks]
    return [_joined(told, new, blind, picture, moment)] if new else []


def open_one(tx: Transaction) -> Incident | None:
    """Return the open incident about ourselves; it is known by having no server."""
    own = (incident for incident in readings.open_incidents(tx) if is_about_ourselves(incident))
    return next(own, None)


def is_about_ourselves(incident: Incident) -> bool:
    """Is this about our own trouble, and about no server?"""
    return incident.audience is Audience.OPERATORS and not incident.servers


def _opened(blind: Sequence[Health], picture: Picture, moment: datetime) -> Entry:
    incident = Incident(
        id=IncidentId(fresh_ulid(moment)),
        title=_in_each("ourselves.title"),
        stage=Stage.INVESTIGATING,
        impact=Impact.NONE,
        servers=(),
        checks=tuple(health.check for health in blind),
        started_at=_began(blind, moment),
        opened_at=moment,
        audience=Audience.OPERATORS,
        updates=(_update(Stage.INVESTIGATING, _words("ourselves.opened", blind, picture, moment), moment),),
    )
    body = IncidentOpened(incident=incident, evidence=_evidence(blind, picture, moment))
    return Entry(kind=Kind.INCIDENT_OPENED, moment=moment, subject=incident.id, body=body)


def _joined(
    told: Incident, new: Sequence[Health], blind: Sequence[Health], picture: Picture, moment: datetime
) -> Entry:
    body = IncidentUpdated(
        incident=told.id,
        reason=Reason.JOINED,
        stage=told.stage,
        impact=told.impact,
        servers=(),
        checks=(*told.checks, *(health.check for health in new)),
        update=_update(told.stage, _words("ourselves.opened", blind, picture, moment), moment),
        evidence=_evidence(new, picture, moment),
    )
    return Entry(kind=Kind.INCIDENT_UPDATED, moment=moment, subject=told.id, body=body)


def _resolved(told: Incident, picture: Picture, moment: datetime) -> Entry:
    seen = [picture.health(key).looked_at for key in told.checks if key in picture.plans]
    ended_at = max(min((at for at in seen if at is not None), default=moment), told.started_at)
    update = _update(Stage.RESOLVED, _in_each("ourselves.resolved"), moment)
    body = IncidentResolved(incident=told.id, ended_at=ended_at, update=update)
    return Entry(kind=Kind.INCIDENT_RESOLVED, moment=moment, subject=told.id, body=body)


def _words(key: str, blind: Sequence[Health], picture: Picture, moment: datetime) -> Texts:
    return {
        language: text(
            key,
            language,
            count=len(blind),
            since=since(_began(blind, moment), picture.zone, language, seen_from=moment),
            reason=blind[0].found,
        )
        for language in LANGUAGES
    }


def _in_each(key: str) -> Texts:
    return {language: text(key, language) for language in LANGUAGES}


def _began(blind: Sequence[Health], moment: datetime) -> datetime:
    return min(health.unknown_since or moment for health in blind)


def _evidence(blind: Sequence[Health], picture: Picture, moment: datetime) -> tuple[CheckEvidence, ...]:
    return tuple(
        CheckEvidence(
            check=health.check,
            kind=picture.plans[health.check].kind,
            outcome=Outcome.UNKNOWN,
            cause=health.cause,
            found=health.found,
            failing_since=health.unknown_since or moment,
            last_ok_at=health.last_ok_at,
            looked_at=health.looked_at or moment,
            took_ms=health.took_ms,
        )
        for health in blind
    )


def _update(stage: Stage, words: Texts, moment: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(moment)), stage=stage, text=words, at=moment)
