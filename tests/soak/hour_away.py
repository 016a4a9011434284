"""A helpdesk that is away for an hour, while 300 servers fail and 120 of them recover: `python -m tests.soak.hour_away [MINUTES]`.

The whole service, nginx and a helpdesk over HTTP, in real time. The helpdesk hangs up, then keeps silent, then says that it is overloaded;
once it is back it takes 60 actions a minute. In the end each fault has one ticket that tells its story in order, and nothing waits. A shorter absence has as many fewer
faults, for more than ten a minute would be a storm.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from monitor.clock import Clock, SystemClock
from monitor.identifiers import ServerId
from monitor.store import deliveries
from monitor.tickets.port import reference_of
from tests.actions.conftest import INSTALLATION, House
from tests.journeys import facts
from tests.journeys import house as houses
from tests.journeys.house import Nginx, running, wait_for
from tests.servers.helpdesk import SECRET, Helpdesk
from tests.soak.lost_answers import MINUTE, SECOND, identity
from tests.tickets import builders

FAULTS, RECOVERING = 300, 120
AWAY = 60 * MINUTE
DRAINED_WITHIN = 10 * MINUTE
A_MINUTE = 60
CONFIGURATION = """
site: {{name: Nodored, url: "https://estado.nodored.test", timezone: America/Guayaquil, languages: [es, en]}}
listen: 127.0.0.1:0
defaults:
  every: 20s
  timeout: 5s
  confirm: {{attempts: 2, retry: 2s}}
  recover: {{attempts: 2, retry: 2s}}
  resolve_after: 10s
  reopen_within: 1s
helpdesk: {{kind: webhook, url: "{helpdesk}", secret: "{secret}", timeout: 5s, search_lag: 10s}}
groups:
  - {{id: hosting, name: {{es: Hosting, en: Hosting}}}}
servers:
{servers}
"""
SERVER = '  - {{id: web{number}, name: web{number}.test, group: hosting, checks: [http: "http://127.0.0.1:{port}/{number}.html"]}}'


@dataclass
class Absence(deque[str]):
    """What every request meets: one trouble after the other until `until`, then a helpdesk that takes so many actions a minute."""

    clock: Clock
    since: datetime
    until: datetime
    troubles: Sequence[str]
    is_reading: bool = False
    taken: list[datetime] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> str:
        """Return the mode of the next request."""
        now = self.clock.now()
        if now < self.until:
            passed = (now - self.since) / (self.until - self.since)
            return self.troubles[min(int(len(self.troubles) * max(passed, 0.0)), len(self.troubles) - 1)]
        if self.is_reading:
            return "ok"
        with self.lock:
            self.taken = [moment for moment in self.taken if moment > now - MINUTE]
            if len(self.taken) >= A_MINUTE:
                return "429"
            self.taken.append(now)
        return "ok"


def leave(helpdesk: Helpdesk, clock: Clock, span: timedelta, troubles: Sequence[str]) -> datetime:
    """Let the helpdesk be away from now on; return when it is back."""
    until = clock.now() + span
    helpdesk.modes = Absence(clock, clock.now(), until, troubles)
    helpdesk.get_modes = Absence(clock, clock.now(), until, troubles, is_reading=True)
    return until


def made_up(house: House, faults: int, recovering: int) -> list[str]:
    """Let the hour pass in no time; return what was wrong at the end."""
    house.record(builders.applied(builders.START, *(ServerId(f"web{each}") for each in range(faults))))
    back = leave(house.helpdesk, house.clock, AWAY, ("close", "503", "500_only"))
    apart = AWAY / (faults + 1)
    story = []
    for number in range(faults):
        at = house.clock.now() + number * apart
        whole = builders.incident(identity(number), ServerId(f"web{number}"), started_at=at, opened_at=at)
        story.append(builders.opened(whole))
        if number < recovering:
            story.append(builders.resolved(whole, at + 15 * MINUTE))
    for entry in sorted(story, key=lambda entry: entry.moment):
        house.happen(entry)
    while (house.clock.now() < back) or _waiting(house):
        house.clock.step(5 * SECOND)
        house.steps()
        if house.clock.now() > back + 60 * MINUTE:
            return ["it is not drained an hour later"]
    drained = house.clock.now() - back
    wrong = [] if drained <= DRAINED_WITHIN else [f"drained {drained} after it was back"]
    references = [reference_of(INSTALLATION, identity(number)) for number in range(faults)]
    return wrong + wrong_tickets(house.helpdesk, references, recovering)


def wrong_tickets(helpdesk: Helpdesk, references: Sequence[str], recovered: int) -> list[str]:
    """Return what is wrong with the tickets; the first of `references` are those of faults that are over."""
    # A real second may end while a request is on its way.
    wrong = [each for each in helpdesk.complaints if "another moment" not in each]
    if len(helpdesk.tickets) != len(references):
        wrong.append(f"{len(helpdesk.tickets)} tickets for {len(references)} faults")
    for number, reference in enumerate(references):
        told = [[action for action, _ in each.messages] for each in helpdesk.of(reference)]
        is_over = number < recovered
        if len(told) != 1 or told[0].count("create") != 1 or told[0][0] != "create":
            wrong.append(f"{reference}: {told}")
        elif (told[0][-1] == "resolve") is not is_over or told[0].count("resolve") > 1:
            wrong.append(f"{reference} is {'over' if is_over else 'not over'}: {told[0]}")
    return wrong


def _waiting(house: House) -> bool:
    with house.database.reading() as tx:
        return bool(deliveries.pending(tx))


def main(away: timedelta) -> int:
    """Let it be away in real time, measure and print; 1 when something was lost, doubled or late."""
    with TemporaryDirectory(prefix="vigia-soak-") as name:
        wrong = observe(Path(name), away)
    for each in wrong:
        print(f"  WRONG: {each}")
    return int(bool(wrong))


def observe(folder: Path, away: timedelta) -> list[str]:
    faults, recovering = round(FAULTS * (away / AWAY)), round(RECOVERING * (away / AWAY))
    folder.chmod(0o755)
    pages = folder / "pages"
    pages.mkdir()
    clock = SystemClock()
    nginx, helpdesk = Nginx(pages), Helpdesk(clock.now)
    for number in range(faults):
        (pages / f"{number}.html").write_text("sano\n")
    servers = "\n".join(SERVER.format(number=number, port=nginx.port) for number in range(faults))
    house = houses.House(folder, CONFIGURATION.format(helpdesk=helpdesk.url, secret=SECRET, servers=servers))
    try:
        nginx.start()
        with running(house):
            wait_for(
                lambda: all(facts.is_up(house, f"web{each}") for each in (0, faults - 1)),
                what="the first green",
            )
            print(f"  {faults} servers, the helpdesk away for {away}", flush=True)
            back = leave(helpdesk, clock, away, ("close", "silent", "503"))
            slowest = _fail_and_recover(house, pages, back, (faults, recovering))
            waiting = _pending(house)
            print(
                f"  back: {waiting:.0f} deliveries wait; slowest answer of the page meanwhile {1000 * slowest:.0f} ms"
            )
            wait_for(lambda: _pending(house) == 0, what="the last delivery", patience=3600)
            drained = clock.now() - back
            print(f"  drained {drained.total_seconds():.0f} s after it was back")
            references = _references(house, faults)
            wrong = wrong_tickets(helpdesk, references, recovering)
            print(f"  {len(references)} incidents, {len(helpdesk.tickets)} tickets, {len(wrong)} wrong")
            return wrong + ([] if drained <= DRAINED_WITHIN else [f"drained only after {drained}"])
    finally:
        nginx.stop()
        helpdesk.close()


def _fail_and_recover(house: houses.House, pages: Path, back: datetime, counts: tuple[int, int]) -> float:
    """Let all servers fail one after the other, the first ones recover half an absence later; return the page's slowest answer."""
    clock, pause, slowest = SystemClock(), threading.Event(), 0.0
    faults, recovering = counts
    begun = clock.now()
    # The last one is confirmed before the helpdesk is back.
    apart = (back - begun - MINUTE / 2) / faults
    recovers = (back - begun) / 2
    failed = recovered = 0
    while clock.now() < back:
        passed = clock.now() - begun
        while failed < faults and passed >= failed * apart:
            (pages / f"{failed}.html").unlink()
            failed += 1
        while recovered < recovering and passed >= recovered * apart + recovers:
            (pages / f"{recovered}.html").write_text("sano\n")
            recovered += 1
        began = clock.monotonic()
        if not house.get("/").ok:
            raise AssertionError("the page does not answer")
        slowest = max(slowest, clock.monotonic() - began)
        pause.wait(1.0)
    return slowest


def _pending(house: houses.House) -> float:
    for line in requests.get(f"http://{house.address}/metrics", timeout=10).text.splitlines():
        if line.startswith("vigia_deliveries_pending") and 'kind="ticket"' in line:
            return float(line.rpartition(" ")[2])
    return 0.0


def _references(house: houses.House, faults: int) -> list[str]:
    """Return the reference of every server's incident, in the order of the servers; one that had several counts as often."""
    found = facts.tickets(house)
    by_incident = {ticket.incident: ticket.reference for ticket in found}
    return [
        by_incident.get(incident.id, "no ticket")
        for number in range(faults)
        for incident in facts.incidents(house, f"web{number}")
    ]


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) * MINUTE if len(sys.argv) > 1 else AWAY))
