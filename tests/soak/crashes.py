"""Deaths at every point of a fault's way to its ticket, and at moments of chance: `python -m tests.soak.crashes [TIMES] [KILLS]`.

A life watches, judges, records and delivers in a process of its own: the looks and the time are made up, everything else is the
product's, and the helpdesk speaks HTTP and reads its own writes at once, as one on a database does. After each death the next life goes on with the
same file. In the end each incident must have exactly one ticket, and each ticket an incident.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from monitor.actions.append import append
from monitor.actions.deliver import Deliverer
from monitor.health.words import Service
from monitor.identifiers import ServerId
from monitor.store import readings
from monitor.store.database import Database
from monitor.tickets.port import reference_of
from monitor.tickets.webhook import WebhookOptions
from tests.actions.builders import MINUTE, RESOLVE_AFTER, Lookout, fleet, plan, server
from tests.actions.conftest import EARS, INSTALLATION, Listeners
from tests.actions.crashing import DIED, DyingWebhook
from tests.conftest import SteppingClock
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.tickets import builders

TIMES, KILLS = 20, 200
SERVERS = 500
LONGEST_LIFE_S = 0.6
LONGEST_S = 120.0
LONG_AGO, FAR_OFF = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
SEARCH_LAG = timedelta(seconds=10)
# The points of the rules, in the order in which a fault comes by them.
POINTS = {
    "C1 looked, nothing handed over": "looked_at",
    "C2 queued, not committed": "before_commit",
    "C3 in the commit": "in_commit",
    "C4 committed, not claimed": "decided",
    "C5 claimed": "claimed",
    "C6 attempt on record, not connected": "recorded",
    "C7 connected, nothing sent": "connected",
    "C8 half of it sent": "half_sent",
    "C9 all of it sent, no answer read": "whole_sent",
    "C10 answer read, not committed": "answered",
    "C11 committed, not read back": "committed",
    "C12 while its fate is looked up": "looked",
    "C13 between two tickets of one reference": "merged",
}


@dataclass
class Shared:
    """What outlives every life: the file, the helpdesk and the time."""

    path: Path
    clock: SteppingClock
    helpdesk: Helpdesk
    servers: int
    wrong: list[str] = field(default_factory=list)

    def life(self, point: str = "") -> Life:
        return Life(self, point)

    def expect(self, status: int, wanted: int) -> None:
        if status != wanted:
            self.wrong.append(f"a life ended with {status} instead of {wanted}")

    def a_day_passes(self) -> None:
        """No life may begin before the last one ended, whose own time nobody knows."""
        self.clock.step(timedelta(days=1))


class Life:
    """One process between two deaths: it goes on with whatever it finds."""

    def __init__(self, shared: Shared, point: str) -> None:
        self._point = point
        self.clock = SteppingClock(shared.clock.now())
        self.database = Database.open(shared.path, owner=True)
        watched = fleet(*(_server(number) for number in range(shared.servers)))
        self.lookout = Lookout(self.database, self.clock, watched)
        options = WebhookOptions(
            url=shared.helpdesk.url,
            secret=SecretStr(SECRET),
            timeout=timedelta(seconds=10),
            search_lag=SEARCH_LAG,
        )
        self.deliverer = Deliverer(
            database=self.database,
            helpdesk=DyingWebhook(options, shared.clock, point),
            operators={EARS: Listeners()},
            clock=self.clock,
            installation=INSTALLATION,
            append=lambda tx, entries: append(tx, entries, self.clock.now()),
            chance=lambda: 0.5,
            checkpoint=lambda name: die() if name == point else None,
        )
        self.deliverer.recover()

    def fail(self, number: int) -> None:
        """Let a server fail until that is confirmed."""
        name = f"{_name(number)}/http"
        self.lookout.see(f"{name} down", times=2)
        if self._point == "looked_at":
            die()
        if self._point in ("before_commit", "in_commit"):
            _die_in_commit(self.database, at_once=self._point == "before_commit")
        self.lookout.see(f"{name} down")
        if self._point == "decided":
            die()

    def recover(self, number: int) -> None:
        """Let a server be well again until its incident is over."""
        self.lookout.see(f"{_name(number)}/http ok", times=2)
        self.lookout.wait(RESOLVE_AFTER + MINUTE, every=MINUTE)

    def deliver(self) -> None:
        """Carry everything out that is due now."""
        while self.deliverer.step():
            self.clock.step(timedelta(milliseconds=1))

    def settle(self) -> None:
        """Let time pass until nothing waits any more."""
        for _ in range(40):
            self.deliver()
            self.clock.step(SEARCH_LAG)

    def met(self) -> int:
        """Return how many servers had their incident."""
        return len({server for incident in self.lookout.incidents() for server in incident.servers})

    def catch_up(self) -> None:
        """Bring to its end what a life before left open."""
        for incident in self.lookout.incidents():
            if incident.open:
                self.recover(_number(incident.servers[0]))
        self.deliver()


def die() -> None:
    os._exit(DIED)


def _name(number: int) -> str:
    return f"web{number}"


def _number(server: ServerId) -> int:
    return int(server.removeprefix("web"))


def _server(number: int):
    return server(ServerId(_name(number)), plan(f"{_name(number)}/http", Service.WEB))


def _die_in_commit(database: Database, *, at_once: bool) -> None:
    """Die when the next transaction is about to be committed, or somewhere within that."""

    def traced(statement: str) -> None:
        if statement.startswith("COMMIT"):
            if at_once:
                die()
            threading.Thread(target=_die_soon).start()

    database._writer.set_trace_callback(traced)


def _die_soon() -> None:
    # A commit waits for the disk: a few hundred microseconds on a fast one.
    time.sleep(random.random() / 1000)  # noqa: TID251 - real time, in a process that is about to die
    die()


def in_a_process(live: Callable[[], None], seconds: float | None = None) -> int:
    """Let a copy of this process live, for so long at most; return its exit status, -9 if it was killed."""
    child = os.fork()
    if child == 0:
        try:
            live()
        except BaseException:  # noqa: BLE001 - the copy must never go on as its parent would
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    ending = threading.Timer(LONGEST_S if seconds is None else seconds, os.kill, (child, signal.SIGKILL))
    ending.start()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ending.cancel()
    return status


def die_at(shared: Shared, point: str, number: int) -> None:
    """Let one server fail, die at a point of its way, and go on until all is over."""

    def first() -> None:
        life = shared.life("whole_sent" if point == "looked" else point)
        life.fail(number)
        life.settle()

    def second() -> None:
        shared.life(point).settle()

    def last() -> None:
        life = shared.life()
        life.fail(number)
        life.settle()
        life.recover(number)
        life.settle()
        life.database.close()

    if point == "merged":
        shared.helpdesk.modes.append("twice")
    shared.expect(in_a_process(first), DIED)
    shared.a_day_passes()
    if point == "looked":
        shared.expect(in_a_process(second), DIED)
        shared.a_day_passes()
    shared.expect(in_a_process(last), 0)
    shared.a_day_passes()


def killed_at_random(shared: Shared, kills: int, chance: random.Random) -> None:
    """Kill a life that goes through one fault after the other, again and again; then let one end in peace."""

    def live() -> None:
        life = shared.life()
        life.settle()
        life.catch_up()
        while life.met() < shared.servers:
            life.fail(life.met())
            life.deliver()
            life.catch_up()
        signal.pause()

    def last() -> None:
        life = shared.life()
        life.settle()
        life.catch_up()
        life.database.close()

    for _ in range(kills):
        shared.expect(in_a_process(live, chance.uniform(0, LONGEST_LIFE_S)), -signal.SIGKILL)
        shared.a_day_passes()
    shared.expect(in_a_process(last), 0)


def faults_of(shared: Shared) -> int:
    """Note everything that is not as it should be at the end; return how many incidents there were."""
    database = Database.open(shared.path, owner=True)
    with database.reading() as tx:
        incidents = readings.incidents_between(tx, LONG_AGO, FAR_OFF)
    references = {reference_of(INSTALLATION, incident.id) for incident in incidents}
    for incident in incidents:
        tickets = shared.helpdesk.of(reference_of(INSTALLATION, incident.id))
        told = [action for action, _ in tickets[0].messages] if tickets else []
        if not tickets or told.count("create") != 1 or tickets[0].status != "closed" or incident.open:
            shared.wrong.append(f"{incident.servers}: {told}, {incident.stage}")
        # One that the helpdesk itself made twice is closed as well, and nobody writes on it any more.
        shared.wrong += [
            f"{incident.servers}: a second ticket is open" for each in tickets[1:] if each.status != "closed"
        ]
    shared.wrong += [
        f"{each.reference} is nobody's"
        for each in shared.helpdesk.tickets
        if each.reference not in references
    ]
    shared.wrong += shared.helpdesk.complaints
    if database.integrity() != "ok":
        shared.wrong.append("the database is damaged")
    database.close()
    return len(incidents)


@contextmanager
def sharing(folder: Path, servers: int) -> Iterator[Shared]:
    """Give what lives have in common, on a database that is ready."""
    clock = SteppingClock(builders.START)
    Database.open(folder / "vigia.db", owner=True).close()
    helpdesk = Helpdesk(clock.now)
    try:
        yield Shared(folder / "vigia.db", clock, helpdesk, servers)
    finally:
        helpdesk.close()


def points(folder: Path, times: int, chosen: Sequence[str] = tuple(POINTS.values())) -> list[str]:
    """Die so many times at each point; return what was wrong."""
    with sharing(folder, times * len(chosen)) as shared:
        for number in range(times):
            for place, point in enumerate(chosen):
                die_at(shared, point, number * len(chosen) + place)
        found = faults_of(shared)
        if found != shared.servers:
            shared.wrong.append(f"{found} incidents of {shared.servers} faults")
        doubled = sum(point == "merged" for point in chosen) * times
        if len(shared.helpdesk.tickets) != found + doubled:
            shared.wrong.append(
                f"{len(shared.helpdesk.tickets)} tickets for {found} incidents, {doubled} of them doubled by the helpdesk"
            )
        return shared.wrong


def kills(folder: Path, count: int, chance: random.Random) -> tuple[int, list[str]]:
    """Kill so many lives; return how many incidents there were, and what was wrong."""
    with sharing(folder, SERVERS) as shared:
        killed_at_random(shared, count, chance)
        found = faults_of(shared)
        if len(shared.helpdesk.tickets) != found:
            shared.wrong.append(f"{len(shared.helpdesk.tickets)} tickets for {found} incidents")
        return found, shared.wrong


def main(times: int, count: int) -> int:
    """Die, count and print; 1 when something was lost or doubled."""
    wrong: list[str] = []
    with TemporaryDirectory(prefix="vigia-soak-") as name:
        for place, (title, point) in enumerate(POINTS.items()):
            folder = Path(name, str(place))
            folder.mkdir()
            found = points(folder, times, [point])
            print(f"  {title:<45} {times} times, {len(found)} wrong", flush=True)
            wrong += found
        seed = random.SystemRandom().randrange(1_000_000)
        incidents, found = kills(Path(name), count, random.Random(seed))
        print(
            f"  {count} kills at moments of chance (seed {seed}): {incidents} incidents, {len(found)} wrong"
        )
        wrong += found
    for each in wrong:
        print(f"  WRONG: {each}")
    return int(bool(wrong))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(given + [TIMES, KILLS][len(given) :])))
