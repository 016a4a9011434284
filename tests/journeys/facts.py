"""What a running service has on record, read beside it in milliseconds; starting a `vigia` for it takes a second.

The database is opened for each question and closed after it: a connection that we kept would spare a service that was
killed the recovery that it has to master.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from monitor.actions.summarise import summarise
from monitor.clock import SystemClock
from monitor.health.words import Status
from monitor.identifiers import ServerId
from monitor.incidents.incident import Audience, Incident
from monitor.maintenance.window import Window
from monitor.status.snapshot import ServerView
from monitor.store import journal, observations, readings
from monitor.store.database import Database, Transaction
from monitor.store.readings import Look, TicketRow
from tests.journeys.house import House

Answer = TypeVar("Answer")


@contextmanager
def opened(house: House) -> Iterator[Database]:
    """The database beside a service, closed afterwards."""
    database = Database.open(house.data / "vigia.db", owner=False)
    try:
        yield database
    finally:
        database.close()


def ask(house: House, question: Callable[[Transaction], Answer]) -> Answer:
    """Return the answer to one question."""
    with opened(house) as database, database.reading() as tx:
        return question(tx)


def server(house: House, name: str = "gye1") -> ServerView:
    now = SystemClock().now()
    shown = ask(house, lambda tx: summarise(tx, now, number=1)).servers()
    return next(each for each in shown if each.id == name)


def knows(house: House, name: str) -> bool:
    """Is a server of that name watched?"""
    fleet = ask(house, readings.fleet)
    return fleet is not None and any(each.id == name for each in fleet.servers)


def status(house: House, name: str = "gye1") -> Status | None:
    """Return the status that is shown; None before the server is known."""
    return server(house, name).status if knows(house, name) else None


def is_up(house: House, name: str = "gye1") -> bool:
    return status(house, name) is Status.OPERATIONAL


def is_out(house: House, name: str = "gye1") -> bool:
    return status(house, name) is Status.MAJOR_OUTAGE


def incidents(house: House, name: str = "gye1") -> tuple[Incident, ...]:
    """Return every public incident that a server ever had."""
    ever = datetime.fromisoformat("2000-01-01T00:00Z"), datetime.fromisoformat("2100-01-01T00:00Z")
    told = ask(house, lambda tx: readings.incidents_between(tx, *ever, Audience.PUBLIC))
    return tuple(incident for incident in told if ServerId(name) in incident.servers)


def tickets(house: House) -> tuple[TicketRow, ...]:
    return tuple(ask(house, readings.tickets))


def windows(house: House) -> tuple[Window, ...]:
    return tuple(ask(house, readings.windows))


def heard_at(house: House) -> datetime | None:
    return ask(house, readings.heard_at)


def looks(house: House, name: str = "gye1") -> tuple[Look, ...]:
    """Return every look at a server that is on record, oldest first."""
    ever = datetime.fromisoformat("2000-01-01T00:00Z"), datetime.fromisoformat("2100-01-01T00:00Z")

    def answer(tx: Transaction) -> tuple[Look, ...]:
        numbers = [number for key, number in readings.check_numbers(tx).items() if key.server == name]
        return tuple(look for number in numbers for look in observations.looks(tx, number, *ever))

    return tuple(sorted(ask(house, answer), key=lambda look: look.started_at))


def record(house: House) -> list[str]:
    """Return the journal, a line an entry, oldest first."""
    return ask(
        house,
        lambda tx: [f"{each.number} {each.entry.kind} {each.entry.subject}" for each in journal.entries(tx)],
    )
