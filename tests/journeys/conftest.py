"""Journeys run real processes; each has a folder, a port and a data directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.house import House, Nginx

CONFIGURATION = """
site:
  name: Nodored
  url: https://estado.nodored.test
  timezone: America/Guayaquil
  languages: [es, en]
listen: 127.0.0.1:0
defaults:
  every: 1s
  timeout: 1s
  confirm: {{attempts: 3, retry: 1s}}
  recover: {{attempts: 2, retry: 1s}}
  resolve_after: {resolve_after}
  reopen_within: 10m
groups:
  - {{id: hosting, name: {{es: Hosting compartido, en: Shared hosting}}}}
servers:
  - id: gye1
    name: gye1.nodored.com
    group: hosting
    host: 127.0.0.1
    checks:
      - http: {{url: "http://127.0.0.1:{port}/", expect: {{status: 200, body: {{contains: sano}}}}}}
  - id: gye2
    name: gye2.nodored.com
    group: hosting
    host: 127.0.0.1
    checks:
      - tcp: {other_port}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = Nginx(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[Nginx]:
    """A second server, which nobody ever stops."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    server = Nginx(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_house(tmp_path: Path, nginx: Nginx, neighbour: Nginx) -> Iterator[Callable[..., House]]:
    """Makes services that watch both servers, each in a folder of its own; `more` is added to the configuration."""
    made: list[House] = []

    def make(name: str = "one", *, more: str = "", resolve_after: str = "3s") -> House:
        folder = tmp_path / name
        folder.mkdir()
        written = CONFIGURATION.format(
            port=nginx.port, other_port=neighbour.port, resolve_after=resolve_after
        )
        made.append(House(folder, written + more))
        return made[-1]

    yield make
    for house in made:
        house.end()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()
