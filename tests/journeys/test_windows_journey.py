"""Planned work: it begins and ends by itself, keeps its servers quiet, and what still fails afterwards is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.clock import SystemClock
from monitor.maintenance.window import WindowStage
from tests.journeys import facts
from tests.journeys.house import House, Nginx, running, wait_for
from tests.journeys.pages import headline

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]

AHEAD, LASTS = timedelta(seconds=6), timedelta(seconds=14)


def test_a_window_keeps_quiet_while_it_lasts_and_tells_what_persists(house: House, nginx: Nginx) -> None:
    with running(house):
        wait_for(lambda: facts.is_up(house), what="the first green")
        starts = SystemClock().now() + AHEAD
        planned = house.vigia(
            "window", "plan", "--server", "gye1",
            "--from", starts.isoformat(), "--until", (starts + LASTS).isoformat(), "--title", "Cambio de disco",
        )  # fmt: skip
        wait_for(lambda: "Cambio de disco" in house.get("/").text, what="the announcement")

        wait_for(lambda: facts.status(house) == "under_maintenance", what="the start of the window")
        assert SystemClock().now() >= starts
        nginx.stop()
        wait_for(lambda: "mantenimiento" in headline(house, "/"), what="the page in Spanish")
        wait_for(lambda: "aintenance" in headline(house, "/en/"), what="the page in English")
        wait_for(lambda: facts.looks(house)[-1].outcome == "down", what="the fault inside the window")
        assert not facts.incidents(house)

        wait_for(lambda: facts.incidents(house), what="what persists after the window")
        [incident] = facts.incidents(house)
        [window] = facts.windows(house)
        assert window.id == planned["id"]
        assert window.stage is WindowStage.COMPLETED
        assert window.started_at is not None
        assert window.ended_at is not None
        assert window.started_at >= starts
        assert window.ended_at >= starts + LASTS
        assert incident.opened_at >= window.ended_at, "something was told while the window lasted"
        [ticket] = wait_for(lambda: facts.tickets(house), what="the ticket")
        assert ticket.incident == incident.id
        assert facts.is_out(house)
