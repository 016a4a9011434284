"""Why does a server stand as it does: now, or at any moment that the journal remembers?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.actions.picture import Picture, picture_of
from monitor.actions.respond import situation_of
from monitor.errors import RefusedError
from monitor.fleet import CheckPlan, Fleet, Server
from monitor.health.state import Health
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.decision import Quiet, decide
from monitor.incidents.explaining import Account, CheckMatter, Matter, Seen, explain
from monitor.journal.entries import CheckChanged, Kind
from monitor.observation import Observation
from monitor.rehearsal.course import replay
from monitor.store import journal, observations, readings
from monitor.store.database import Database, Transaction

_LOOKS = 8
# A past health is worked out from so much of the looks before: far more than any streak, or any window of restlessness, takes.
_LOOK_BACK = timedelta(days=1)
_AN_INSTANT = timedelta(milliseconds=1)
_ABOUT_CHECKS = (Kind.CHECK_WENT_DOWN, Kind.CHECK_DEGRADED, Kind.CHECK_RECOVERED)


def explain_now(tx: Transaction, server: ServerId, moment: datetime) -> Account:
    """Return why a server stands as it does; an unknown one raises NotFoundError."""
    fleet = _fleet(tx)
    picture = picture_of(fleet, readings.check_numbers(tx), readings.healths(tx))
    return _account(tx, tx, picture, fleet.server(server), moment)


def explain_then(database: Database, server: ServerId, moment: datetime) -> Account:
    """Return why a server stood as it did at a moment of the past; one before anything was watched raises RefusedError.

    What was decided until then comes from the journal, folded again beside; how the checks stood from the looks that are still kept.
    """
    with _as_of(database, moment) as then, database.reading() as tx:
        fleet = _fleet(then)
        watched = fleet.server(server)
        healths = dict(_healths(tx, then, fleet, watched, moment))
        picture = picture_of(fleet, readings.check_numbers(tx), healths)
        return _account(tx, then, picture, watched, moment)


def _fleet(tx: Transaction) -> Fleet:
    fleet = readings.fleet(tx)
    if fleet is None:
        raise RefusedError("nothing was watched yet: start the service once with `vigia run`")
    return fleet


@contextmanager
def _as_of(database: Database, moment: datetime) -> Iterator[Transaction]:
    """Lend the tables as they stood at a moment, in a place of their own that is gone afterwards."""
    with (
        TemporaryDirectory() as folder,
        closing(Database.open(Path(folder) / "then.db", owner=True)) as beside,
    ):
        with beside.writing() as then, database.reading() as tx:
            journal.replay(tx, then, until=moment)
        with beside.reading() as then:
            yield then


def _account(
    looked: Transaction, told: Transaction, picture: Picture, server: Server, moment: datetime
) -> Account:
    """Return the account of a server from the looks of one transaction and what was decided as another has it."""
    situation = situation_of(told, picture, server.id, moment)
    member = next(one for one in situation.members if one.server.id == server.id)
    decision = decide(situation)
    incident = situation.open
    ticket = None if incident is None else readings.ticket_of(told, incident.id)
    listing = (each for each in readings.open_incidents(told) if server.id in each.unreachable)
    standings = picture.standings(server, {})
    return explain(
        Matter(
            server=server,
            moment=moment,
            zone=picture.zone,
            held=readings.standing(told, [server.id]).get(server.id),
            checks=tuple(
                CheckMatter(
                    plan=plan,
                    standing=standing,
                    looks=_newest(looked, picture.numbers[plan.key], plan, moment),
                )
                for plan, standing in zip(server.checks, standings, strict=True)
            ),
            member=member,
            quiet=decision.reason if isinstance(decision, Quiet) else member.held,
            incident=incident,
            listed=next(listing, None) if incident is None else None,
            ticket=None if ticket is None else ticket.reference,
        )
    )


def _newest(tx: Transaction, number: int, plan: CheckPlan, moment: datetime) -> tuple[Seen, ...]:
    """Return the newest looks, the newest first; those of the last hours, for older ones decide nothing any more."""
    since = moment - max(_LOOKS * (plan.every + plan.timeout), timedelta(hours=1))
    found = observations.looks(tx, number, since, moment + _AN_INSTANT)[-_LOOKS:]
    return tuple(
        Seen(at=one.started_at, outcome=one.outcome, cause=one.cause, found=one.found, took_ms=one.took_ms)
        for one in reversed(found)
    )


def _healths(
    tx: Transaction, then: Transaction, fleet: Fleet, server: Server, moment: datetime
) -> Iterator[tuple[CheckKey, Health]]:
    """Work out how the checks of a server, of those it depends on and of those in its incident stood at a moment."""
    told = readings.open_incident_of(then, server.id)
    concerned = {server.id, *_ancestors(fleet, server), *(() if told is None else told.servers)}
    numbers = readings.check_numbers(tx)
    windows = readings.windows(then, ending_after=moment - _LOOK_BACK)
    for one in fleet.servers:
        if one.id not in concerned:
            continue
        ends = sorted(
            window.ended_at for window in windows if window.ended_at is not None and one.id in window.covered
        )
        for plan in one.checks:
            looks = _observed(tx, numbers[plan.key], plan.key, moment)
            health = replay(plan.key, looks, plan.policy, ends).health
            yield plan.key, _dated(tx, health, moment)


def _observed(tx: Transaction, number: int, key: CheckKey, moment: datetime) -> list[Observation]:
    found = observations.looks(tx, number, moment - _LOOK_BACK, moment + _AN_INSTANT)
    return [
        Observation(
            check=key,
            started_at=look.started_at,
            took_ms=look.took_ms,
            outcome=look.outcome,
            cause=look.cause,
            found=look.found,
            sequence=place,
        )
        for place, look in enumerate(found, 1)
    ]


def _dated(tx: Transaction, health: Health, moment: datetime) -> Health:
    """Return a health with the moment of its last confirmed change as the journal has it, which may lie further back than the looks."""
    entries = journal.entries(tx, subject=str(health.check), kinds=_ABOUT_CHECKS)
    changes = [one.entry.body for one in entries if one.entry.moment <= moment]
    newest = changes[-1] if changes else None
    if isinstance(newest, CheckChanged) and newest.after is health.confirmed:
        return replace(health, since=newest.since)
    return health


def _ancestors(fleet: Fleet, server: Server) -> Iterable[ServerId]:
    by_id: Mapping[ServerId, Server] = {one.id: one for one in fleet.servers}
    found: dict[ServerId, None] = {}
    waiting = list(server.depends_on)
    while waiting:
        name = waiting.pop()
        if name not in found and name in by_id:
            found[name] = None
            waiting += by_id[name].depends_on
    return found
