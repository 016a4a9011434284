"""A real nginx stops and starts: the page, the feeds, the desk and a real Prometheus follow."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.journeys import facts
from tests.journeys.house import House, Nginx, free_port, running, wait_for
from tests.journeys.pages import headline

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]


def incidents(house: House) -> list[dict[str, Any]]:
    """Return the public incidents as the command tells them."""
    return [each for each in house.vigia("incident", "list") if each["audience"] == "public"]


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A real Prometheus server that scrapes `target` every second; gives its address."""
    folder.mkdir()
    port = free_port()
    (folder / "prometheus.yml").write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: vigia
    static_configs: [{{targets: ["{target}"]}}]
"""
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def scraped(address: str, query: str) -> list[str]:
    answer = requests.get(f"{address}/api/v1/query", params={"query": query}, timeout=5).json()
    return [sample["value"][1] for sample in answer["data"]["result"]]


@pytest.mark.system("prometheus")
def test_a_fault_reaches_everybody_and_its_end_too(house: House, nginx: Nginx, tmp_path: Path) -> None:
    up = 'vigia_check_up{server="gye1",check="http"}'
    with running(house), prometheus(tmp_path / "prometheus", house.address) as metrics:
        wait_for(lambda: facts.is_up(house), what="the first green")
        wait_for(lambda: scraped(metrics, up) == ["1"], what="vigia_check_up 1")
        assert house.items("/history.rss") == []

        nginx.stop()
        wait_for(lambda: facts.is_out(house), what="the outage")
        wait_for(lambda: "fuera de servicio" in headline(house, "/"), what="the page in Spanish")
        wait_for(lambda: "out of service" in headline(house, "/en/"), what="the page in English")
        wait_for(lambda: scraped(metrics, up) == ["0"], what="vigia_check_up 0")
        wait_for(lambda: len(house.items("/history.rss")) == 1, what="the item of the incident")
        wait_for(lambda: len(house.items("/updates.rss")) == 1, what="the item of the update")
        [ticket] = wait_for(lambda: house.vigia("ticket", "list"), what="the ticket")
        [incident] = incidents(house)
        assert incident["servers"] == ["gye1"]
        assert incident["impact"] == "critical"
        assert ticket["priority"] == "urgent"
        assert ticket["department"] == "soporte"
        assert ticket["incidents"] == [incident["id"]]
        [desk] = house.vigia("desk", "list")
        assert desk["reference"] == ticket["reference"]
        assert house.get(f"/incidents/{incident['id']}").status_code == 200

        nginx.start()
        wait_for(lambda: facts.is_up(house), what="the recovery")
        wait_for(lambda: facts.incidents(house)[0].resolved_at, what="the end of the incident")
        wait_for(lambda: facts.tickets(house)[0].status == "closed", what="the end of the ticket")
        wait_for(lambda: scraped(metrics, up) == ["1"], what="vigia_check_up 1 again")
        wait_for(lambda: "Todo funciona" in headline(house, "/"), what="a page without the outage")
        wait_for(lambda: len(house.items("/updates.rss")) == 3, what="the item of each update")
        assert len(house.items("/history.rss")) == 1

        for _ in range(4):
            nginx.stop()
            wait_for(lambda: facts.is_out(house), what="the relapse")
            nginx.start()
            wait_for(lambda: facts.is_up(house), what="the recovery")
        wait_for(lambda: facts.incidents(house)[0].resolved_at, what="the last end")
        wait_for(lambda: facts.tickets(house)[0].status == "closed", what="the ticket's last end")
        assert len(incidents(house)) == 1
        assert len(house.vigia("ticket", "list")) == 1
        assert len(house.vigia("desk", "list")) == 1
        shown = {each["id"]: each["status"] for each in house.vigia("status")["servers"]}
        assert shown == {"gye1": "operational", "gye2": "operational"}
