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
        assert len(facts.server(demo, "correo").days) == HISTORY_DAYS
        shown = {Status.OPERATIONAL, Status.DEGRADED_PERFORMANCE}
        # They are worked out once the service looks.
        wait_for(
            lambda: shown <= {day.worst for day in facts.server(demo, "correo").days},
            what="the days of the past",
        )

        wait_for(lambda: facts.is_out(demo, "correo"), what="the real fault")
        news = wait_for(lambda: set(demo.items("/history.rss")) - set(past), what="the item in the feed")
        [incident] = [each for each in facts.incidents(demo, "correo") if each.resolved_at is None]
        # The machine itself is watched as well, and may need somebody at the same time.
        opened = wait_for(
            lambda: next((row for row in facts.tickets(demo) if row.incident == incident.id), None),
            what="the ticket",
        )
        [ticket] = [each for each in demo.vigia("desk", "list") if each["reference"] == opened.reference]
        assert ticket["priority"] == "urgent"
        assert len(news) == 1
        assert incident.id in news.pop()
        assert "correo.demo stops listening" in demo.tail()

        assert demo.stop() == 0
        assert "Traceback" not in demo.tail()
