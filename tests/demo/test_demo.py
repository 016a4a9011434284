"""`make demo` as a newcomer sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.health.words import Status
from monitor.status.snapshot import HISTORY_DAYS
from tests.journeys import facts
from tests.journeys.house import ROOT, House, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


class Demo(House):
    """`python -m demo`, which writes its configuration and starts the service by itself."""

    def start(self, *command: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--data", str(self.data), "--listen", "127.0.0.1:0", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=ROOT,
                start_new_session=True,
            )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path, "")
    yield made
    made.end()


def test_a_newcomer_sees_a_fault_become_incident_ticket_and_news(demo: Demo) -> None:
    with running(demo):
        assert "Demostración" in demo.get("/").text
        assert "Demonstration" in demo.get("/en/").text
        past = demo.items("/history.rss")
        assert len(past) > 3, "a made-up past has incidents"
        days = facts.server(demo, "correo").days
        assert len(days) == HISTORY_DAYS
        assert {Status.OPERATIONAL, Status.DEGRADED_PERFORMANCE} <= {day.worst for day in days}

        wait_for(lambda: facts.is_out(demo, "correo"), what="the real fault")
        news = wait_for(lambda: set(demo.items("/history.rss")) - set(past), what="the item in the feed")
        wait_for(lambda: facts.tickets(demo), what="the ticket")
        [ticket] = demo.vigia("desk", "list")
        [incident] = [each for each in facts.incidents(demo, "correo") if each.resolved_at is None]
        assert [row.incident for row in facts.tickets(demo)] == [incident.id]
        assert ticket["priority"] == "urgent"
        assert len(news) == 1
        assert incident.id in news.pop()
        assert "correo.demo stops listening" in demo.tail()

        assert demo.stop() == 0
        assert "Traceback" not in demo.tail()
