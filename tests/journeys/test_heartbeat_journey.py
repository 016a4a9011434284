"""Jobs report by real requests to a real service; what is missing becomes an incident, and no kill loses or doubles a report."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from monitor.health.words import State
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Outcome
from monitor.store import heartbeats, observations, readings
from monitor.store.database import Transaction
from monitor.store.readings import Look
from tests.journeys import facts
from tests.journeys.house import House, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

CONFIGURATION = """
site: {{name: Nodored, timezone: America/Guayaquil}}
listen: 127.0.0.1:0
defaults: {{resolve_after: 1s}}
groups: [{{id: hosting, name: {{es: Hosting compartido, en: Shared hosting}}}}]
servers:
- id: gye1
  name: gye1.nodored.com
  group: hosting
  checks:
{checks}
"""
EVER = datetime.fromisoformat("2000-01-01T00:00Z"), datetime.fromisoformat("2100-01-01T00:00Z")
BACKUP = "  - heartbeat: {name: backup, every: 8s, grace: 4s, within: 1s, service: files}\n"
ROTATION = '  - heartbeat: {name: rotation, cron: "0 3 * * *", token: "file:token"}\n'
TOKEN = "0123456789-the-token-of-a-rotation"


class Jobs:
    """A service that awaits jobs, and what is on record of them."""

    def __init__(self, folder: Path, checks: str) -> None:
        self.house = House(folder, CONFIGURATION.format(checks=checks))
        (folder / "token").write_text(f"{TOKEN}\n", encoding="utf-8")

    def listed(self) -> dict[str, dict[str, Any]]:
        return {each["check"]: each for each in self.house.vigia("heartbeat", "list")}

    def path(self, check: str = "backup") -> str:
        """Return where a job reports to, below the address that the service listens on at the moment."""
        address: str = self.listed()[check]["address"]
        return address[address.index("/ping/") :]

    def state(self, check: str = "backup") -> State | None:
        health = facts.ask(self.house, readings.healths).get(CheckKey(ServerId("gye1"), check))
        return None if health is None else health.state

    def looks(self, check: str = "backup") -> list[Look]:
        def answer(tx: Transaction) -> list[Look]:
            number = readings.check_numbers(tx)[CheckKey(ServerId("gye1"), check)]
            return list(observations.looks(tx, number, *EVER))

        return facts.ask(self.house, answer)

    def arrivals(self) -> int:
        """Return how many reports were counted and how many wait to be, of all jobs."""

        def answer(tx: Transaction) -> int:
            waiting = sum(each.arrival.times for each in heartbeats.waiting(tx, 100_000))
            return waiting + sum(each.beat.arrivals for each in heartbeats.stored(tx).values())

        return facts.ask(self.house, answer)


@pytest.fixture
def make_jobs(tmp_path: Path) -> Iterator[Callable[[str], Jobs]]:
    made: list[Jobs] = []

    def make(checks: str) -> Jobs:
        made.append(Jobs(tmp_path, checks))
        return made[-1]

    yield make
    for jobs in made:
        jobs.house.end()


def curl(url: str, *words: str) -> str:
    return subprocess.run(
        ["curl", "-fsS", "-m", "20", "--retry", "5", *words, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    ).stdout


@pytest.mark.system("curl")
def test_a_job_reports_fails_falls_silent_and_returns(make_jobs: Callable[[str], Jobs]):
    jobs = make_jobs(BACKUP + ROTATION)
    with running(jobs.house) as house:
        wait_for(lambda: facts.knows(house, "gye1"), what="the applied fleet")
        path = jobs.path()
        assert curl(f"http://{house.address}{path}") == "OK"
        wait_for(lambda: jobs.state() is State.UP, what="the first report")
        assert jobs.state("rotation") is None, "it is not due, so nothing is known of it and nothing is wrong"

        # A run that takes longer than it should, told by its start.
        curl(f"http://{house.address}{path}/start")
        threading.Event().wait(1.2)
        curl(f"http://{house.address}{path}", "--data-binary", "done")
        wait_for(lambda: any(look.outcome is Outcome.WARN for look in jobs.looks()), what="the slow run")
        slow = next(look for look in jobs.looks() if look.outcome is Outcome.WARN)
        assert slow.took_ms >= 1200

        curl(f"http://{house.address}{path}/3", "--data-binary", "no space left on device")
        wait_for(lambda: jobs.state() is State.DOWN, what="the failure")
        [failed] = [look for look in jobs.looks() if look.found == "exit code 3"]
        assert failed.excerpt == "no space left on device"
        incident = wait_for(lambda: facts.incidents(house), what="the incident")[0]
        wait_for(lambda: facts.tickets(house), what="the ticket")
        curl(f"http://{house.address}{path}/0", "-I")
        wait_for(lambda: jobs.state() is State.UP, what="the recovery")

        # Silence.
        wait_for(lambda: jobs.state() is State.DOWN, what="the missing report")
        assert any(look.found.startswith("no report since") for look in jobs.looks())
        [probed] = [house.vigia("probe", "gye1/backup")]
        assert (probed["outcome"], probed["cause"]) == ("down", "overdue")
        assert jobs.listed()["backup"]["overdue_since"] is not None
        wait_for(
            lambda: any(each.open for each in facts.incidents(house)), what="the incident of the silence"
        )
        curl(f"http://{house.address}{path}")
        wait_for(lambda: jobs.state() is State.UP, what="the return")

        def keep_reporting_until_all_is_well() -> bool:
            curl(f"http://{house.address}{path}")
            return not any(each.open for each in facts.incidents(house))

        wait_for(keep_reporting_until_all_is_well, what="the end of the incident")
        assert facts.incidents(house)[0].id == incident.id, "a relapse belongs to the same incident"

        # Whatever is public is silent about the addresses.
        assert curl(f"http://{house.address}/ping/{TOKEN}/1") == "OK"
        secret = path.removeprefix("/ping/")
        shown = [house.get(each).text for each in ("/", "/en/", "/servers/gye1", "/metrics", "/history.rss")]
        shown += [str(house.vigia("status")), house.tail(), str(house.vigia("probe", "gye1"))]
        # The journal and all tables as well.
        shown += [file.read_bytes().decode(errors="replace") for file in house.data.iterdir()]
        assert not any(each in text for text in shown for each in (secret, TOKEN))
        assert house.get(f"/ping/{secret}x").status_code == 404


@pytest.mark.parametrize("role", ["watch", "web"])
def test_every_report_that_was_answered_counts_exactly_once_through_a_kill(
    make_jobs: Callable[[str], Jobs], role: str
):
    """Five hundred reports of five jobs from four senders; the part is killed twice in their midst."""
    names = [f"job{number}" for number in range(5)]
    jobs = make_jobs("".join(f"  - heartbeat: {{name: {name}, every: 1h}}\n" for name in names))
    with running(jobs.house) as house:
        wait_for(lambda: facts.knows(house, "gye1"), what="the applied fleet")
        listed = jobs.listed()
        paths = [listed[name]["address"][listed[name]["address"].index("/ping/") :] for name in names]
        turns = iter(itertools.islice(itertools.cycle(paths), 500))
        lock, acknowledged, uncertain = threading.Lock(), [0], [0]

        def send() -> None:
            while True:
                with lock:
                    path = next(turns, None)
                if path is None:
                    return
                report(path)

        def report(path: str) -> None:
            """Send until it is acknowledged; what was cut off in between may or may not have arrived."""
            while True:
                try:
                    answer = requests.post(f"http://{house.address}{path}", timeout=30)
                except requests.RequestException:
                    with lock:
                        uncertain[0] += 1
                    threading.Event().wait(0.05)
                    continue
                if answer.status_code == 200:
                    with lock:
                        acknowledged[0] += 1
                    return

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        for share in (100, 300):
            wait_for(lambda share=share: acknowledged[0] >= share, what="some reports")
            with contextlib.suppress(ProcessLookupError):
                house.kill(role)
            wait_for(lambda: house.get("/readyz").ok, what=f"the return of {role}")
        for sender in senders:
            sender.join()
        assert acknowledged[0] == 500
        wait_for(lambda: _is_empty(jobs), what="an empty inbox")
        counted = jobs.arrivals()
        assert 500 <= counted <= 500 + uncertain[0]
        wait_for(
            lambda: sum(len(jobs.looks(name)) for name in names) == counted,
            what="an observation of each report",
        )
        with facts.opened(house) as database:
            assert database.integrity() == "ok"


def _is_empty(jobs: Jobs) -> bool:
    return not facts.ask(jobs.house, lambda tx: heartbeats.waiting(tx, 1))


def test_a_job_is_not_blamed_for_what_it_could_not_report(make_jobs: Callable[[str], Jobs]):
    """The service is stopped through the moment in which a report was due: it grants the grace from its return."""
    jobs = make_jobs("  - heartbeat: {name: backup, every: 3s, grace: 30s}\n")
    with running(jobs.house) as house:
        wait_for(lambda: facts.knows(house, "gye1"), what="the applied fleet")
        path = jobs.path()
        assert house.get(path).status_code == 200
        wait_for(lambda: jobs.state() is State.UP, what="the first report")
        assert house.stop() == 0
        threading.Event().wait(6)
        house.start()
        house.ready()
        assert house.get(path).status_code == 200, "the address is the same after a restart"
        wait_for(lambda: len(jobs.looks()) == 2, what="the second report")
        assert [look.outcome for look in jobs.looks()] == [Outcome.OK] * 2
        assert facts.incidents(house) == ()
