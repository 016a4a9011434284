"""The command as people and programs call it, and an installation in which something happened."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.actions.deliver import Deliverer
from monitor.cli import main
from monitor.clock import HouseClock, SystemClock
from monitor.inventory import Configuration, load
from monitor.station.office import Wanted, office_of
from monitor.store.database import Database
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock

CONFIGURATION = """
site: {{name: Nodored, url: https://estado.nodored.test, timezone: America/Guayaquil}}
listen: 127.0.0.1:0
data: var
groups: [{{id: hosting, name: {{es: Hosting compartido, en: Shared hosting}}}}]
servers:
  - id: gye1
    name: gye1.nodored.test
    group: hosting
    host: 127.0.0.1
    checks:
      - http: "http://127.0.0.1:{up}/"
      - tcp: {down}
"""


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit status and what it said on each side."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Vigia = Callable[..., Answer]


@pytest.fixture
def vigia(capfd: pytest.CaptureFixture[str]) -> Vigia:
    """Run a command in this process, as its entry point does."""

    def run(*words: object) -> Answer:
        capfd.readouterr()
        status = main([str(word) for word in words])
        # `run` tells its children the address that it bound.
        os.environ.pop("VIGIA_LISTEN", None)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Answer(status, out, err)

    return run


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[int]:
    """A web server on loopback; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, and that nobody answers on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@dataclass
class Installation:
    """A configuration, and a data directory with one fault in it."""

    config: Path
    data: Path
    lookout: Lookout

    @property
    def where(self) -> tuple[str, ...]:
        return ("--config", str(self.config), "--data", str(self.data))

    @property
    def database(self) -> Database:
        return self.lookout.database


@pytest.fixture
def config(tmp_path: Path, page: int, nobody: int) -> Path:
    path = tmp_path / "servers.yaml"
    path.write_text(CONFIGURATION.format(up=page, down=nobody), encoding="utf-8")
    return path


@pytest.fixture
def installation(tmp_path: Path, config: Path) -> Iterator[Installation]:
    """An installation in which gye1/tcp has been down for a minute, and the built-in desk has its ticket."""
    data = tmp_path / "var"
    data.mkdir()
    clock = SteppingClock(SystemClock().now() - timedelta(minutes=2))
    configuration = load(config, environment={})
    lookout = Lookout(Database.open(data / "vigia.db", owner=True), clock, configuration.fleet)
    lookout.see("gye1/http ok", "gye1/tcp ok")
    lookout.see("gye1/tcp down", times=3)
    deliver(configuration, lookout)
    lookout.bureau.publish("", "")
    yield Installation(config, data, lookout)
    lookout.database.close()


def deliver(
    configuration: Configuration, lookout: Lookout, wanted_results: tuple[str, ...] = ("done",)
) -> None:
    """Carry out what is due at the built-in desk."""
    results: list[str] = []
    deliverer = deliverer_of(configuration, lookout.database, lookout.bureau.clock, results)
    while deliverer.step():
        lookout.clock.step(timedelta(milliseconds=1))
    assert tuple(results) == wanted_results


def deliverer_of(
    configuration: Configuration, database: Database, clock: HouseClock, results: list[str]
) -> Deliverer:
    """Return whoever carries tickets to the built-in desk."""
    wanted = Wanted(configuration=configuration, database=database, clock=clock, installation="TESTHAUS")
    return office_of(wanted, on_result=results.append, on_news=lambda: None).deliverer
