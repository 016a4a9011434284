"""A real process: it ends with whoever started it, the port is never shared, a stop is clean."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from web.__main__ import address, main
from web.server import HEAD_LIMIT_MS, STOP_LIMIT_S

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def until(fact: Callable[[], object]) -> object:
    """Wait for a fact to be true and return it."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 20):
        if found := fact():
            return found
        pause.wait(0.05)
    raise AssertionError(f"it never became true: {fact}")


class Served:
    """One page server in processes of its own."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1:0") -> None:
        self.main = subprocess.Popen(
            [sys.executable, "-m", "tests.web.serve", str(folder), listen],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._told = folder / "address"

    @property
    def url(self) -> str:
        return f"http://{self._told.read_text(encoding='utf-8').strip()}/"

    def answers(self) -> bool:
        with suppress(requests.ConnectionError, FileNotFoundError):
            return requests.get(self.url, timeout=PATIENCE_S).status_code == 200
        return False

    def ready(self) -> Served:
        until(self.answers)
        return self

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self.main.kill()
        self.main.communicate()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that tests only visit."""
    served = Served(tmp_path_factory.mktemp("steady")).ready()
    yield served
    served.end()


@pytest.fixture
def page_server(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path).ready()
    yield served
    served.end()


def test_one_that_is_killed_leaves_nobody_behind_who_answers(page_server):
    assert psutil.Process(page_server.main.pid).children() == []
    page_server.main.kill()
    page_server.main.wait(PATIENCE_S)

    assert not page_server.answers()


def test_a_stop_is_clean(page_server):
    page_server.main.send_signal(signal.SIGTERM)

    _, errors = page_server.main.communicate(timeout=PATIENCE_S)

    assert page_server.main.returncode == 0
    assert errors == ""


def test_a_visitor_who_never_finishes_a_sentence_does_not_hold_up_the_stop(page_server):
    host, _, port = page_server.url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        page_server.main.send_signal(signal.SIGTERM)

        assert page_server.main.wait(PATIENCE_S) == 0
        # Half of what the server would wait for the end of the sentence by itself, and time enough on a slow machine.
        assert time.monotonic() - began < STOP_LIMIT_S + HEAD_LIMIT_MS / 2000


def test_the_port_is_never_shared(steady, tmp_path):
    """A second server would answer every other visitor from another world."""
    address = steady.url.removeprefix("http://").rstrip("/")
    second = subprocess.run(
        [sys.executable, "-m", "web", "--data", str(tmp_path / "other"), "--listen", address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert second.returncode == 1
    assert f"cannot listen on {address}" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (tmp_path / "other" / "address").exists()


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_wrong_usage(listen, capsys):
    with pytest.raises(SystemExit) as left:
        main(["--listen", listen])

    assert left.value.code == 2
    assert "is not HOST:PORT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:8080", ("::1", 8080)), (":80", ("0.0.0.0", 80))],
)
def test_an_address_is_host_and_port(text, expected):
    assert address(text) == expected


def test_a_connection_gets_many_pages_packed_and_unchanged(steady):
    with requests.Session() as session:
        first = session.get(steady.url, headers={"Accept-Encoding": "br"}, timeout=PATIENCE_S, stream=True)
        packed = first.raw.read()
        again = session.get(
            steady.url,
            headers={"Accept-Encoding": "br", "If-None-Match": first.headers["ETag"]},
            timeout=PATIENCE_S,
        )
        head = session.head(steady.url, headers={"Accept-Encoding": "br"}, timeout=PATIENCE_S)

    assert first.headers["Content-Encoding"] == "br"
    assert (again.status_code, again.content) == (304, b"")
    assert head.headers["Content-Length"] == str(len(packed))


def test_a_visitor_who_never_finishes_a_sentence_keeps_nobody_else_waiting(steady):
    host, _, port = steady.url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")

        assert steady.answers()
