"""A real browser over a real server, on loopback only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from monitor.status.snapshot import Snapshot
from tests.conftest import SteppingClock
from tests.web.builders import MemoryReader, series
from tests.web.scenes import fine
from web.application import create_server_application

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class _Silent(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Say nothing."""


class Stage:
    """A served page whose present a test sets."""

    def __init__(self, reader: MemoryReader, clock: SteppingClock, url: str) -> None:
        self.reader = reader
        self.clock = clock
        self.url = url

    def show(self, present: Snapshot) -> None:
        """Show another present from the next visit on."""
        number = self.reader.present.number + 1
        self.clock.step(timedelta(seconds=1))
        self.reader.present = replace(present, number=number)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    clock = SteppingClock(datetime(2026, 11, 22, 15, 0, tzinfo=UTC))
    reader = MemoryReader(clock, fine(), times=(series(),))
    server = make_server(
        "127.0.0.1", 0, create_server_application(reader), threaded=True, request_handler=_Silent
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Stage(reader, clock, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGUMENTS))
        yield chromium
        chromium.close()
