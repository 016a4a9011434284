"""A thousand faults in each way in which a helpdesk's answer is lost: `python -m tests.soak.lost_answers [FAULTS]`.

The helpdesk is a real server, the line a real one; the time is made up, so that hours of waiting pass in seconds. Whatever the
way, there must be exactly as many tickets as faults, and each tells its own.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.identifiers import IncidentId, ServerId
from monitor.store.database import Database
from monitor.tickets.port import reference_of
from monitor.tickets.webhook import Webhook, WebhookOptions
from tests.actions.conftest import EARS, INSTALLATION, House, Listeners
from tests.conftest import SteppingClock
from tests.journeys.house import wait_for
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.tickets import builders

FAULTS = 1000
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
APART = 10 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an answer is lost: what happens to each creation, how long the index lags, and whether the reference is kept."""

    mode: str
    lag: timedelta = timedelta(0)
    search_lag: timedelta = 15 * SECOND
    drops: bool = False
    patience: timedelta = timedelta(seconds=0.1)


WAYS = {
    "made, then silence": Way(mode="hang"),
    "made, then the line breaks": Way(mode="reset"),
    "made, then 500": Way(mode="500"),
    "made after the deadline": Way(mode="late"),
    "made, silence, index 10 s behind": Way(mode="hang", lag=10 * SECOND),
    "made, silence, index 10 min behind": Way(mode="hang", lag=10 * MINUTE, search_lag=15 * MINUTE),
    "made, but the reference is dropped": Way(mode="ok", drops=True, patience=10 * SECOND),
}


class Creations(deque[str]):
    """The mode of every creation; whatever else is asked is answered as it should be."""

    def __init__(self, helpdesk: Helpdesk, mode: str) -> None:
        super().__init__()
        self._helpdesk, self._mode = helpdesk, mode

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> str:
        action, _key = self._helpdesk.asked[-1]
        return self._mode if action == "create" else "ok"


def lose(folder: Path, way: Way, faults: int) -> list[str]:
    """Let so many faults meet a helpdesk that loses its answers in one way; return what was wrong at the end."""
    clock = SteppingClock(builders.START)
    database, helpdesk = Database.open(folder / "vigia.db", owner=True), Helpdesk(clock.now, lag=way.lag)
    try:
        house = _house(database, helpdesk, clock, way)
        house.record(builders.applied(builders.START, *(ServerId(f"web{each}") for each in range(faults))))
        _live(house, faults)
        return _wrong(house, way, faults)
    finally:
        helpdesk.close()
        database.close()


def _house(database: Database, helpdesk: Helpdesk, clock: SteppingClock, way: Way) -> House:
    helpdesk.drops_references = way.drops
    helpdesk.modes = Creations(helpdesk, way.mode)
    options = WebhookOptions(
        url=helpdesk.url, secret=SecretStr(SECRET), timeout=way.patience, search_lag=way.search_lag
    )
    operators, fallback, results = Listeners(), Listeners(), list[str]()
    deliverer = Deliverer(
        database=database,
        helpdesk=Webhook(options, clock.now),
        operators={EARS: operators},
        fallback={EARS: fallback},
        clock=clock,
        installation=INSTALLATION,
        append=lambda tx, entries: append(tx, entries, clock.now()),
        chance=lambda: 0.5,
        on_result=results.append,
    )
    return House(database, clock, helpdesk, operators, fallback, deliverer, results)


def _live(house: House, faults: int) -> None:
    """One fault each ten seconds; when nothing can be hidden any more, all of them end."""
    wholes = [
        builders.incident(
            identity(number),
            ServerId(f"web{number}"),
            started_at=builders.START + number * APART,
            opened_at=builders.START + number * APART,
        )
        for number in range(faults)
    ]
    for whole in wholes:
        asked = len(house.helpdesk.asked)
        house.happen(builders.opened(whole))
        if len(house.helpdesk.asked) > asked:
            # What is made behind our back is made in real time, and must not be overtaken by the one that is made up.
            made = sum(action == "create" for action, _ in house.helpdesk.asked)
            wait_for(lambda made=made: len(house.helpdesk.tickets) >= made, what="the ticket behind our back")
        house.wait(APART, every=APART)
    house.wait(20 * MINUTE, every=30 * SECOND)
    for whole in wholes:
        house.happen(builders.resolved(whole, house.clock.now() + SECOND))
    house.wait(60 * MINUTE, every=30 * SECOND)


def identity(number: int) -> IncidentId:
    """Return the name of a made-up incident."""
    return IncidentId(f"01JD9ZK3V8QW5R7T2M4N6P{number:04d}")


def _wrong(house: House, way: Way, faults: int) -> list[str]:
    tickets = house.helpdesk.tickets
    found = list(house.helpdesk.complaints)
    if len(tickets) != faults:
        found.append(f"{len(tickets)} tickets for {faults} faults")
    for number in range(faults):
        name = reference_of(INSTALLATION, identity(number))
        mine = [each for each in tickets if name in each.subject]
        told = [action for each in mine for action, _ in each.messages]
        if told != ["create", "resolve"] or mine[0].status != "closed":
            found.append(f"{name}: {told}")
    if way.search_lag > MINUTE and len(house.fallback.heard) != faults:
        found.append(f"{len(house.fallback.heard)} messages while nobody knew for a minute, of {faults}")
    if way.drops and not house.operators.heard:
        found.append("nobody was told that references are dropped")
    return found


def main(faults: int) -> int:
    """Lose answers, count and print; 1 when a ticket was lost or doubled."""
    failed = False
    logging.disable(logging.WARNING)
    for title, way in WAYS.items():
        with TemporaryDirectory(prefix="vigia-soak-") as name:
            found = lose(Path(name), way, faults)
        print(f"  {title:<36} {faults} faults, {len(found)} wrong", flush=True)
        for each in found[:10]:
            print(f"  WRONG: {each}")
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else FAULTS))
