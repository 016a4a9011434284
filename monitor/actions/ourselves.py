"""Our own troubles: each is one matter of the operators, and never one of the customers.

What is believed of ourselves (`Insight`), and checks that tell us nothing, are held against what operators were told: each trouble
has one open incident at most, without a server, and ends when it is over. That our view is blocked is a fact of the journal as well.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.actions.picture import Picture
from monitor.clock import fresh_ulid
from monitor.health.blindness import is_blind
from monitor.health.state import Health
from monitor.health.view import Fact, Insight
from monitor.identifiers import CheckKey, IncidentId, UpdateId
from monitor.incidents.incident import (
    Audience,
    CheckEvidence,
    Impact,
    Incident,
    Origin,
    Stage,
    Trouble,
    Update,
)
from monitor.journal.entries import (
    Entry,
    IncidentOpened,
    IncidentResolved,
    IncidentUpdated,
    Kind,
    Reason,
    ViewBlocked,
    ViewCleared,
)
from monitor.language import LANGUAGES, Texts, text
from monitor.language.moments import since
from monitor.observation import Cause, Outcome
from monitor.store import readings
from monitor.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """All that decides about our troubles: the picture, the healths after this batch, and the incidents that are open."""

    picture: Picture
    healths: Mapping[CheckKey, Health]
    told: Mapping[Trouble, Incident]
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """What there is to tell of one trouble. Where it is one of checks, they stand in `checks`."""

    since: datetime
    reason: str
    checks: tuple[Health, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What became of a trouble: `matter` is None once it is over, which was at `ended_at`; `is_new` when more has come to it."""

    trouble: Trouble
    matter: _Matter | None
    ended_at: datetime
    is_new: bool = field(default=False)


def turned(picture: Picture, changed: Mapping[CheckKey, Health]) -> bool:
    """Did any check become blind, or see again?"""
    return any(
        is_blind(picture.health(key)) != is_blind(health)
        or (is_blind(health) and health.cause is Cause.RESOLVER)
        for key, health in changed.items()
    )


def consider(
    tx: Transaction, picture: Picture, changed: Mapping[CheckKey, Health], moment: datetime
) -> list[Entry]:
    """Return what there is to note and to tell of our own troubles: one incident for each, without a server."""
    scene = _Scene(
        picture=picture,
        healths=ChainMap(dict(changed), picture.healths),
        told={trouble_of(one): one for one in readings.open_incidents(tx) if is_about_ourselves(one)},
        moment=moment,
    )
    views = [] if picture.insight is None else list(_views(tx, picture.insight, moment))
    more = any(entry.kind is Kind.VIEW_BLOCKED for entry in views)
    return [*views, *(entry for word in _words(scene, more_is_blocked=more) for entry in _told(scene, word))]


def consider_one(
    tx: Transaction, picture: Picture, trouble: Trouble, fact: Fact, moment: datetime
) -> list[Entry]:
    """Return what there is to tell of one trouble that is known from elsewhere; of what is not known, what was told stays."""
    if fact.holds is None:
        return []
    told = {trouble_of(one): one for one in readings.open_incidents(tx) if is_about_ourselves(one)}
    scene = _Scene(picture=picture, healths=picture.healths, told=told, moment=moment)
    at = fact.since or moment
    matter = _Matter(since=at, reason=fact.found) if fact.holds else None
    return list(_told(scene, _Word(trouble=trouble, matter=matter, ended_at=at)))


def is_about_ourselves(incident: Incident) -> bool:
    """Is this about our own trouble, and about no server?"""
    detected = incident.origin is Origin.DETECTED and not incident.drill
    return detected and incident.audience is Audience.OPERATORS and not incident.servers


def trouble_of(incident: Incident) -> Trouble:
    """Return which trouble an incident about ourselves is about; before there were several it was blindness."""
    return incident.trouble or Trouble.BLIND


def _views(tx: Transaction, insight: Insight, moment: datetime) -> Iterator[Entry]:
    """Yield what there is to note of families whose view became blocked or clear."""
    noted = {one.family for one in readings.blocked_views(tx)}
    for family in noted - insight.blocked.keys():
        yield _cleared(ViewCleared(family=family, ended_at=moment), moment)
    for family, fact in insight.blocked.items():
        if fact.holds and family not in noted:
            body = ViewBlocked(
                family=family, since=fact.since or moment, families=len(insight.blocked), found=fact.found
            )
            yield Entry(kind=Kind.VIEW_BLOCKED, moment=moment, subject=family, body=body)
        if fact.holds is False and family in noted:
            yield _cleared(ViewCleared(family=family, ended_at=fact.since or moment), moment)


def _cleared(body: ViewCleared, moment: datetime) -> Entry:
    return Entry(kind=Kind.VIEW_CLEARED, moment=moment, subject=body.family, body=body)


def _words(scene: _Scene, *, more_is_blocked: bool) -> Iterator[_Word]:
    for trouble, find in _CHECKS.items():
        checks = tuple(find(scene))
        told = scene.told.get(trouble)
        yield _Word(
            trouble=trouble,
            matter=_Matter(since=_began(checks, scene.moment), reason=checks[0].found, checks=checks)
            if checks
            else None,
            ended_at=_seen_again(scene, told),
            is_new=told is not None and any(health.check not in told.checks for health in checks),
        )
    facts = {} if scene.picture.insight is None else _facts(scene.picture.insight)
    for trouble, fact in facts.items():
        # Of what is not known yet, what was told stays.
        if fact.holds is not None:
            at = fact.since or scene.moment
            yield _Word(
                trouble=trouble,
                matter=_Matter(since=at, reason=fact.found) if fact.holds else None,
                ended_at=at,
                is_new=trouble is Trouble.ISOLATED and more_is_blocked,
            )


def _facts(insight: Insight) -> Mapping[Trouble, Fact]:
    return {
        Trouble.ISOLATED: _isolation(insight),
        Trouble.RESOLVER: insight.resolver,
        Trouble.LATE: insight.late,
    }


def _isolation(insight: Insight) -> Fact:
    """Return whether the view is blocked by any family; one cause mostly blocks them all."""
    blocked = [fact for fact in insight.blocked.values() if fact.holds]
    if blocked:
        began = min((fact.since for fact in blocked if fact.since is not None), default=None)
        return Fact(holds=True, since=began, found="; ".join(fact.found for fact in blocked if fact.found))
    if any(fact.holds is None for fact in insight.blocked.values()):
        return Fact()
    ends = [fact.since for fact in insight.blocked.values() if fact.since is not None]
    return Fact(holds=False, since=max(ends, default=None))


def _blind(scene: _Scene) -> Iterator[Health]:
    """Yield the checks whose looks keep failing by our own fault, unless another trouble explains it."""
    for key in scene.picture.plans:
        health = scene.healths.get(key)
        if health is not None and is_blind(health) and not _is_explained(scene, health):
            yield health


def _stale(scene: _Scene) -> Iterator[Health]:
    """Yield the checks of which we have known nothing new for so long that something is wrong with us, whatever it is."""
    told = scene.told.get(Trouble.STALE)
    for key, is_long in scene.picture.stale.items():
        health = scene.healths.get(key)
        wanted = is_long or (told is not None and key in told.checks)
        if health is not None and wanted and not (is_blind(health) or _is_explained(scene, health)):
            yield health


def _is_explained(scene: _Scene, health: Health) -> bool:
    """Does a trouble that is told by itself keep this check from telling us something?"""
    if health.cause is Cause.ISOLATED:
        return True
    insight = scene.picture.insight
    if health.cause is not Cause.RESOLVER or insight is None:
        return False
    well = insight.resolver
    # What a look met before our name servers answered again is no news either.
    is_past = well.since is None or health.looked_at is None or health.looked_at <= well.since
    return well.holds is not False or is_past


_CHECKS: Mapping[Trouble, Callable[[_Scene], Iterator[Health]]] = {
    Trouble.BLIND: _blind,
    Trouble.STALE: _stale,
}


def _told(scene: _Scene, word: _Word) -> Iterator[Entry]:
    told = scene.told.get(word.trouble)
    if told is None and word.matter is not None:
        yield _opened(scene, word.trouble, word.matter)
    if told is not None and word.matter is None:
        yield _resolved(told, word, scene.moment)
    if told is not None and word.matter is not None and word.is_new:
        yield _joined(scene, told, word.matter)


def _opened(scene: _Scene, trouble: Trouble, matter: _Matter) -> Entry:
    moment = scene.moment
    incident = Incident(
        id=IncidentId(fresh_ulid(moment)),
        title={language: text(f"ourselves.title.{trouble}", language) for language in LANGUAGES},
        stage=Stage.INVESTIGATING,
        impact=Impact.NONE,
        servers=(),
        checks=tuple(health.check for health in matter.checks),
        started_at=matter.since,
        opened_at=moment,
        audience=Audience.OPERATORS,
        trouble=trouble,
        updates=(_update(Stage.INVESTIGATING, _said(scene, trouble, matter), moment),),
    )
    body = IncidentOpened(incident=incident, evidence=_evidence(scene, matter.checks))
    return Entry(kind=Kind.INCIDENT_OPENED, moment=moment, subject=incident.id, body=body)


def _joined(scene: _Scene, told: Incident, matter: _Matter) -> Entry:
    new = [health for health in matter.checks if health.check not in told.checks]
    body = IncidentUpdated(
        incident=told.id,
        reason=Reason.JOINED,
        stage=told.stage,
        impact=told.impact,
        servers=(),
        checks=(*told.checks, *(health.check for health in new)),
        update=_update(told.stage, _said(scene, trouble_of(told), matter), scene.moment),
        evidence=_evidence(scene, new),
    )
    return Entry(kind=Kind.INCIDENT_UPDATED, moment=scene.moment, subject=told.id, body=body)


def _resolved(told: Incident, word: _Word, moment: datetime) -> Entry:
    words = {language: text(f"ourselves.resolved.{word.trouble}", language) for language in LANGUAGES}
    body = IncidentResolved(
        incident=told.id,
        ended_at=max(word.ended_at, told.started_at),
        update=_update(Stage.RESOLVED, words, moment),
    )
    return Entry(kind=Kind.INCIDENT_RESOLVED, moment=moment, subject=told.id, body=body)


def _seen_again(scene: _Scene, told: Incident | None) -> datetime:
    """Return when the first of an incident's checks told us something again."""
    if told is None:
        return scene.moment
    seen = [scene.picture.health(key).looked_at for key in told.checks if key in scene.picture.plans]
    return min((at for at in seen if at is not None), default=scene.moment)


def _said(scene: _Scene, trouble: Trouble, matter: _Matter) -> Texts:
    return {
        language: text(
            f"ourselves.opened.{trouble}",
            language,
            count=len(matter.checks),
            since=since(matter.since, scene.picture.zone, language, seen_from=scene.moment),
            reason=matter.reason,
        )
        for language in LANGUAGES
    }


def _began(checks: Sequence[Health], moment: datetime) -> datetime:
    return min((health.unknown_since or health.looked_at or moment for health in checks), default=moment)


def _evidence(scene: _Scene, checks: Sequence[Health]) -> tuple[CheckEvidence, ...]:
    moment = scene.moment
    return tuple(
        CheckEvidence(
            check=health.check,
            kind=scene.picture.plans[health.check].kind,
            outcome=health.outcome or Outcome.UNKNOWN,
            cause=health.cause,
            found=health.found,
            failing_since=health.unknown_since or health.looked_at or moment,
            last_ok_at=health.last_ok_at,
            looked_at=health.looked_at or moment,
            took_ms=health.took_ms,
        )
        for health in checks
    )


def _update(stage: Stage, words: Texts, moment: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(moment)), stage=stage, text=words, at=moment)
