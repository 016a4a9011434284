"""An operator tells customers of a problem that our looks do not see, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.actions import people
from monitor.actions.append import append
from monitor.clock import fresh_ulid
from monitor.errors import NotFoundError, RefusedError
from monitor.fleet import Fleet
from monitor.identifiers import IncidentId, ServerId, UpdateId
from monitor.incidents.incident import Audience, Impact, Incident, Origin, Stage, Update
from monitor.incidents.lifecycle import require_move
from monitor.journal.entries import Entry, IncidentOpened, IncidentUpdated, Kind, Reason
from monitor.language import LANGUAGES, Texts
from monitor.store import readings
from monitor.store.database import Transaction

_LONGEST_TITLE = 200
_LONGEST_TEXT = 5000
# Of what our own looks found they say themselves when it recovers and when it is over.
_OURS = frozenset({Stage.MONITORING, Stage.RESOLVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an operator declares. `title` and `words` are what customers read, by language; `ticket` asks for a ticket as well."""

    servers: tuple[ServerId, ...]
    impact: Impact
    title: Mapping[str, str]
    words: Mapping[str, str]
    ticket: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A further word: None leaves the stage or the impact as it is."""

    words: Mapping[str, str]
    stage: Stage | None = None
    impact: Impact | None = None


def declare(tx: Transaction, declared: Declaration, *, author: str, moment: datetime) -> Incident:
    """Open an incident for customers and return it; what our looks find on its servers opens one of its own.

    Raises NotFoundError for a server that is not watched, RefusedError for words that nobody could read.
    """
    name, fleet = people.author(author), _fleet(tx)
    servers = tuple(dict.fromkeys(declared.servers))
    if not servers:
        raise RefusedError("name the servers that it is about: --server ID")
    for server in servers:
        fleet.server(server)
    incident = Incident(
        id=IncidentId(fresh_ulid(moment)),
        title=_texts(declared.title, fleet, "--title", _LONGEST_TITLE),
        stage=Stage.INVESTIGATING,
        impact=declared.impact,
        servers=servers,
        checks=(),
        started_at=moment,
        opened_at=moment,
        audience=Audience.PUBLIC,
        origin=Origin.OPERATOR,
        wants_ticket=declared.ticket,
        updates=(_update(Stage.INVESTIGATING, _words(declared.words, fleet), name, moment),),
    )
    body = IncidentOpened(incident=incident)
    entry = Entry(kind=Kind.INCIDENT_OPENED, moment=moment, subject=incident.id, body=body, actor=name)
    append(tx, (entry,), moment)
    return incident


def update(
    tx: Transaction, incident_id: IncidentId, news: News, *, author: str, moment: datetime
) -> Incident:
    """Add a word to an incident that customers read, and return it as it stands then.

    Raises NotFoundError, or RefusedError where the incident cannot go there.
    """
    name, fleet = people.author(author), _fleet(tx)
    incident = _public(tx, incident_id)
    stage, impact = news.stage or incident.stage, news.impact or incident.impact
    _require(incident, stage, impact)
    ended_at = (incident.ended_at or moment) if stage is Stage.MONITORING else incident.ended_at
    body = IncidentUpdated(
        incident=incident.id,
        reason=Reason.OPERATOR,
        stage=stage,
        impact=impact,
        servers=incident.servers,
        checks=incident.checks,
        unreachable=incident.unreachable,
        update=_update(stage, _words(news.words, fleet), name, moment),
        ended_at=ended_at if stage not in (Stage.INVESTIGATING, Stage.IDENTIFIED) else None,
    )
    entry = Entry(kind=Kind.INCIDENT_UPDATED, moment=moment, subject=incident.id, body=body, actor=name)
    append(tx, (entry,), moment)
    return readings.incident(tx, incident.id) or incident


def _require(incident: Incident, stage: Stage, impact: Impact) -> None:
    """Raise RefusedError unless a person may move this incident so."""
    if stage is Stage.RESOLVED:
        raise RefusedError("an incident is ended by `vigia incident resolve`")
    require_move(incident.stage, stage)
    if incident.origin is Origin.OPERATOR:
        return
    if impact is not incident.impact:
        raise RefusedError(
            "how bad it is follows from our own looks; `vigia force` shows a server as you see it"
        )
    if stage is not incident.stage and _OURS & {stage, incident.stage} and incident.open:
        raise RefusedError(
            f"it is {incident.stage} by our own looks, and they say when it recovers; leave --stage out, or resolve it"
        )


def _public(tx: Transaction, incident_id: IncidentId) -> Incident:
    found = readings.incident(tx, incident_id)
    if found is None:
        raise NotFoundError(f"there is no incident {incident_id!r}; `vigia incident list` shows them")
    if found.audience is not Audience.PUBLIC:
        raise RefusedError(f"customers do not read of the incident {incident_id}: there is nobody to tell")
    return found


def _fleet(tx: Transaction) -> Fleet:
    fleet = readings.fleet(tx)
    if fleet is None:
        raise NotFoundError("nothing is watched yet: start `vigia run` first")
    return fleet


def _words(words: Mapping[str, str], fleet: Fleet) -> Texts:
    return _texts(words, fleet, "--text", _LONGEST_TEXT)


def _texts(words: Mapping[str, str], fleet: Fleet, option: str, longest: int) -> Texts:
    """Return a text in every language that we speak; one that the page does not speak gets the default's words."""
    given = {language: text.strip() for language, text in words.items() if text.strip()}
    missing = [language for language in fleet.site.languages if language not in given]
    if missing:
        raise RefusedError(f"customers read {' and '.join(missing)} too: give {option} in it as well")
    if max(map(len, given.values())) > longest:
        raise RefusedError(f"{option} has at most {longest} letters")
    default = given[fleet.site.languages[0]]
    return {language: given.get(language, default) for language in LANGUAGES}


def _update(stage: Stage, words: Texts, author: str, moment: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(moment)), stage=stage, text=words, at=moment, author=author)
