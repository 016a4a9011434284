"""An operator overrules what is shown of a server, for a while (rule D12)."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.actions import people
from monitor.actions.append import append
from monitor.errors import NotFoundError, RefusedError
from monitor.health.force import LONGEST, Force, shown
from monitor.health.rollup import Held, Judged
from monitor.health.words import Service, Status
from monitor.identifiers import ServerId
from monitor.journal.entries import Entry, Kind, ServerChanged, ServerForced, ServerReleased
from monitor.store import readings
from monitor.store.database import Transaction


def force(tx: Transaction, wanted: Force) -> Force:
    """Show a server as an operator wants it from `wanted.since` on, and return it as it is on record; a further word replaces the one before.

    Raises NotFoundError for a server that the fleet does not have, RefusedError for an end that is past or more than 24 hours
    ahead, and for words that are missing.
    """
    held = _held(tx, wanted.server, wanted.since)
    if wanted.until <= wanted.since:
        raise RefusedError("that moment is past already: name one that is to come with --until")
    if wanted.until - wanted.since > LONGEST:
        raise RefusedError("an operator's word lasts 24 hours at most: name an earlier moment with --until")
    body = ServerForced(
        server=wanted.server,
        status=wanted.status,
        reason=people.reason(wanted.reason),
        until=wanted.until.astimezone(UTC),
    )
    entry = _entry(Kind.SERVER_FORCED, body, people.author(wanted.author), wanted.since)
    append(tx, (entry,), wanted.since)
    on_record = readings.forces(tx, (wanted.server,))[wanted.server]
    _show(tx, held, on_record)
    return on_record


def release(tx: Transaction, server: ServerId, *, author: str, moment: datetime) -> Force:
    """Take an operator's word back and return it; what the checks say is shown with the next round of the house.

    Raises NotFoundError when nobody's word holds.
    """
    known = readings.forces(tx, (server,)).get(server)
    if known is None or not known.holds:
        raise NotFoundError(f"nobody has forced what is shown of {server!r}")
    append(tx, (_released(server, people.author(author), moment),), moment)
    return readings.forces(tx, (server,))[server]


def due(tx: Transaction, moment: datetime) -> bool:
    """Has a word expired, or did one end of which something is still shown?"""
    return bool(_expired(tx, moment) or readings.unforced(tx))


def expire(tx: Transaction, moment: datetime) -> tuple[ServerId, ...]:
    """End every word whose time is over; return the servers that have to be judged by their checks again."""
    append(tx, [_released(one.server, people.OURSELVES, moment) for one in _expired(tx, moment)], moment)
    return readings.unforced(tx)


def _expired(tx: Transaction, moment: datetime) -> list[Force]:
    return [one for one in readings.forces(tx).values() if one.holds and one.until <= moment]


def _held(tx: Transaction, server: ServerId, moment: datetime) -> Held:
    """Return what is held of a server; of one that nobody has judged yet, that nothing is known."""
    fleet = readings.fleet(tx)
    if fleet is None:
        raise RefusedError("nothing is watched yet: start the service once with `vigia run`")
    services = {plan.service for plan in fleet.server(server).checks}
    unseen = {service: Status.UNKNOWN for service in Service if service in services}
    nothing = Held(
        judged=Judged(status=Status.UNKNOWN, services=unseen), since=moment, last_known=Status.UNKNOWN
    )
    return readings.standing(tx, (server,)).get(server, nothing)


def _show(tx: Transaction, held: Held, forced: Force) -> None:
    after = shown(held.judged, forced)
    if after == held.judged:
        return
    body = ServerChanged(
        server=forced.server,
        status=after.status,
        services=after.services,
        since=held.since if after.status is held.judged.status else forced.since,
        because=after.because,
    )
    append(tx, (_entry(Kind.SERVER_CHANGED, body, people.OURSELVES, forced.since),), forced.since)


def _released(server: ServerId, actor: str, moment: datetime) -> Entry:
    return _entry(Kind.SERVER_RELEASED, ServerReleased(server=server), actor, moment)


def _entry(
    kind: Kind, body: ServerForced | ServerReleased | ServerChanged, actor: str, moment: datetime
) -> Entry:
    return Entry(kind=kind, moment=moment, subject=body.server, body=body, actor=actor)
