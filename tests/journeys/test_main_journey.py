"""A real nginx stops and starts: the page, the feeds, the desk and a real Prometheus follow."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.journeys.house import House, Nginx, free_port, running, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.system("nginx"), pytest.mark.timeout(300)]


def server(house: House, name: str = "gye1") -> dict[str, Any]:
    return next(each for each in house.vigia("status")["servers"] if each["id"] == name)


def is_up(house: House) -> bool:
    return server(house)["status"] == "operational"


def is_out(house: House) -> bool:
    return server(house)["status"] == "major_outage"


def public_incidents(house: House) -> list[dict[str, Any]]:
    return [each for each in house.vigia("incident", "list") if each["audience"] == "public"]


def headline(house: House, path: str) -> str:
    """Return the sentence at the top of a page."""
    return re.findall(r"<h1[^>]*>(.*?)</h1>", house.get(path).text, re.DOTALL)[0]


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
        wait_for(lambda: is_up(house), what="the first green")
        wait_for(lambda: scraped(metrics, up) == ["1"], what="vigia_check_up 1")
        assert house.items("/history.rss") == []

        nginx.stop()
        wait_for(lambda: is_out(house), what="the outage")
        wait_for(lambda: "fuera de servicio" in headline(house, "/"), what="the page in Spanish")
        wait_for(lambda: "out of service" in headline(house, "/en/"), what="the page in English")
        wait_for(lambda: scraped(metrics, up) == ["0"], what="vigia_check_up 0")
        wait_for(lambda: len(house.items("/history.rss")) == 1, what="the item of the incident")
        wait_for(lambda: len(house.items("/updates.rss")) == 1, what="the item of the update")
        [ticket] = wait_for(lambda: house.vigia("ticket", "list"), what="the ticket")
        [incident] = public_incidents(house)
        assert incident["servers"] == ["gye1"]
        assert incident["impact"] == "critical"
        assert ticket["priority"] == "urgent"
        assert ticket["department"] == "soporte"
        assert ticket["incidents"] == [incident["id"]]
        [desk] = house.vigia("desk", "list")
        assert desk["reference"] == ticket["reference"]
        assert house.get(f"/incidents/{incident['id']}").status_code == 200

        nginx.start()
        wait_for(lambda: is_up(house), what="the recovery")
        wait_for(lambda: public_incidents(house)[0]["stage"] == "resolved", what="the end of the incident")
        wait_for(lambda: house.vigia("ticket", "list")[0]["status"] == "closed", what="the end of the ticket")
        wait_for(lambda: scraped(metrics, up) == ["1"], what="vigia_check_up 1 again")
        wait_for(lambda: "Todo funciona" in headline(house, "/"), what="a page without the outage")
        assert len(house.items("/history.rss")) == 1
        assert len(house.items("/updates.rss")) == 3

        for _ in range(4):
            nginx.stop()
            wait_for(lambda: is_out(house), what="the relapse")
            nginx.start()
            wait_for(lambda: is_up(house), what="the recovery")
        wait_for(lambda: public_incidents(house)[0]["stage"] == "resolved", what="the last end")
        wait_for(lambda: house.vigia("ticket", "list")[0]["status"] == "closed", what="the ticket's last end")
        assert len(public_incidents(house)) == 1
        assert len(house.vigia("ticket", "list")) == 1
        assert len(house.vigia("desk", "list")) == 1
        assert server(house, "gye2")["status"] == "operational"
        assert house.stop() == 0
        assert house.processes() == []
