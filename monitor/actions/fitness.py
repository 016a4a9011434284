"""Is the helpdesk fit to be given tickets? Asked at every start and after every change of it, and told to operators while it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from monitor.actions.outbox import Append
from monitor.clock import fresh_ulid
from monitor.identifiers import IncidentId, UpdateId
from monitor.incidents.incident import Audience, Impact, Incident, Stage, Trouble, Update
from monitor.journal.entries import Entry, IncidentOpened, IncidentResolved, Kind
from monitor.language import LANGUAGES, Texts, text
from monitor.language.phrases import Phrase
from monitor.store import readings
from monitor.store.database import Database, Transaction
from monitor.tickets.port import DeliveryError, Fate, Helpdesk

_WHILE_FIT = timedelta(hours=1)


class Inspector:
    """Keeps an eye on one helpdesk: at once, then each hour, and at every turn while it lacks something."""

    def __init__(
        self, database: Database, helpdesk: Helpdesk, append: Append, on_fit: Callable[[bool], None]
    ) -> None:
        """Take the parts; `on_fit` is told what every inspection found."""
        self._database = database
        self._helpdesk = helpdesk
        self._append = append
        self._on_fit = on_fit
        self._fit_at: datetime | None = None

    def inspect(self, now: datetime) -> bool:
        """Inspect if it is time, and tell operators of what begins or ends; return whether there was anything to tell.

        Of a helpdesk that cannot be asked nothing is known: what was told stays, and it is asked again at the next turn.
        """
        if self._fit_at is not None and now - self._fit_at < _WHILE_FIT:
            return False
        flaws = self._flaws()
        self._on_fit(not flaws)
        with self._database.writing() as tx:
            entries = _told(tx, flaws, now)
            self._append(tx, entries)
        self._fit_at = None if flaws else now
        return bool(entries)

    def _flaws(self) -> tuple[Phrase, ...]:
        try:
            return self._helpdesk.inspect()
        except DeliveryError as error:
            if error.fate is not Fate.FORBIDDEN:
                raise
            return (error.told,)


def _told(tx: Transaction, flaws: Sequence[Phrase], now: datetime) -> list[Entry]:
    told = next((one for one in readings.open_incidents(tx) if one.trouble is Trouble.HELPDESK), None)
    if flaws and told is None:
        return [_opened(flaws, now)]
    if not flaws and told is not None:
        return [_resolved(told, now)]
    return []


def _opened(flaws: Sequence[Phrase], now: datetime) -> Entry:
    words = {
        language: text(
            "ourselves.opened.helpdesk",
            language,
            count=len(flaws),
            reason=" ".join(flaw.say(language) for flaw in flaws),
        )
        for language in LANGUAGES
    }
    incident = Incident(
        id=IncidentId(fresh_ulid(now)),
        title={language: text("ourselves.title.helpdesk", language) for language in LANGUAGES},
        stage=Stage.INVESTIGATING,
        impact=Impact.NONE,
        servers=(),
        checks=(),
        started_at=now,
        opened_at=now,
        audience=Audience.OPERATORS,
        trouble=Trouble.HELPDESK,
        updates=(_update(Stage.INVESTIGATING, words, now),),
    )
    body = IncidentOpened(incident=incident)
    return Entry(kind=Kind.INCIDENT_OPENED, moment=now, subject=incident.id, body=body)


def _resolved(told: Incident, now: datetime) -> Entry:
    words = {language: text("ourselves.resolved.helpdesk", language) for language in LANGUAGES}
    body = IncidentResolved(
        incident=told.id,
        ended_at=max(now, told.started_at),
        update=_update(Stage.RESOLVED, words, now),
    )
    return Entry(kind=Kind.INCIDENT_RESOLVED, moment=now, subject=told.id, body=body)


def _update(stage: Stage, words: Texts, now: datetime) -> Update:
    return Update(id=UpdateId(fresh_ulid(now)), stage=stage, text=words, at=now)
