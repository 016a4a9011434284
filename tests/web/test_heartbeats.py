"""The address that heartbeats report to: what it takes, what it answers, and that no sender can hold it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from werkzeug.test import Client, TestResponse

from monitor.clock import SystemClock
from monitor.errors import BusyError, StoreError
from monitor.health.heartbeat import FAIL, START, SUCCESS, Beat
from monitor.store import heartbeats
from monitor.store.database import Database
from monitor.store.heartbeats import Stored
from tests.conftest import SteppingClock
from tests.store.history import append, applied
from tests.web.builders import NOW, MemoryReader
from tests.web.scenes import fine
from web.application import create_server_application
from web.heartbeats import BODY_LIMIT

ROOT = Path(__file__).parents[2]
TOKEN = "a-token_of-a-Backup-0123456789"


@dataclass
class MemoryInbox:
    """Keeps what came in memory; raises `fault` while there is one."""

    taken: list[tuple[int, str]] = field(default_factory=list)
    fault: StoreError | None = None

    def knows(self, token: str) -> bool:
        return token == TOKEN

    def take(self, token: str, signal: int, body: str = "") -> None:
        if self.fault is not None:
            raise self.fault
        self.taken.append((signal, body))


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def visitor(inbox: MemoryInbox) -> Client:
    reader = MemoryReader(SteppingClock(NOW), fine())
    return Client(create_server_application(reader, inbox))


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_report_is_taken_by_every_usual_method(visitor: Client, inbox: MemoryInbox, method: str):
    answer = visitor.open(f"/ping/{TOKEN}", method=method)
    assert answer.status_code == 200
    assert answer.data == (b"" if method == "HEAD" else b"OK")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert inbox.taken == [(SUCCESS, "")]


@pytest.mark.parametrize(
    ("behind", "signal"),
    [
        ("", SUCCESS),
        ("/", SUCCESS),
        ("/0", SUCCESS),
        ("/start", START),
        ("/fail", FAIL),
        ("/1", 1),
        ("/255", 255),
        ("/007", 7),
        ("/3?rid=1", 3),
    ],
)
def test_what_stands_behind_the_token_says_what_happened(
    visitor: Client, inbox: MemoryInbox, behind: str, signal: int
):
    assert visitor.get(f"/ping/{TOKEN}{behind}").status_code == 200
    assert inbox.taken == [(signal, "")]


@pytest.mark.parametrize(
    "path",
    [
        "/ping/a-token_of-a-Backup-0123456788",
        f"/ping/{TOKEN}x",
        f"/ping/{TOKEN}/256",
        f"/ping/{TOKEN}/-1",
        f"/ping/{TOKEN}/1000",
        f"/ping/{TOKEN}/ok",
        f"/ping/{TOKEN}/fail/1",
        f"/ping/{TOKEN}%00",
        f"/ping/{TOKEN}%0a",
        "/ping/",
        "/ping/short",
        "/ping/" + "x" * 5000,
        "/ping/²²²²²²²²²²²²²²²²²²²²",
    ],
)
def test_whatever_else_is_asked_for_is_one_and_the_same_answer(
    visitor: Client, inbox: MemoryInbox, path: str
):
    def seen(answer: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
        return answer.status_code, answer.data, list(answer.headers)

    unknown = visitor.post("/ping/0123456789abcdef", data=b"hello")
    assert unknown.status_code == 404
    assert seen(visitor.get(path)) == seen(unknown)
    assert inbox.taken == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_whatever_the_token(visitor: Client, inbox: MemoryInbox, method: str):
    for token in (TOKEN, "0123456789abcdef"):
        answer = visitor.open(f"/ping/{token}", method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert inbox.taken == []


def test_what_is_sent_along_is_kept_up_to_ten_kilobytes(visitor: Client, inbox: MemoryInbox):
    visitor.post(f"/ping/{TOKEN}/1", data="respaldo falló: ñandú\n".encode())
    visitor.post(f"/ping/{TOKEN}/1", data=b"x" * 1_000_000)
    visitor.post(f"/ping/{TOKEN}/1", data=b"\xff\x00\xfe")
    bodies = [body for _, body in inbox.taken]
    assert bodies == ["respaldo falló: ñandú\n", "x" * BODY_LIMIT, "\ufffd\ufffd"]


@pytest.mark.parametrize("fault", [BusyError("held"), StoreError("full")])
def test_a_report_that_is_not_on_disk_is_not_acknowledged(
    visitor: Client, inbox: MemoryInbox, fault: StoreError
):
    inbox.fault = fault
    answer = visitor.get(f"/ping/{TOKEN}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


def test_no_fault_puts_the_token_into_the_log(
    visitor: Client, inbox: MemoryInbox, caplog: pytest.LogCaptureFixture
):
    inbox.fault = StoreError("the disk is full")
    visitor.get(f"/ping/{TOKEN}")
    assert "the disk is full" in caplog.text
    assert TOKEN not in caplog.text


def test_a_server_without_an_inbox_has_no_such_address():
    alone = Client(create_server_application(MemoryReader(SteppingClock(NOW), fine())))
    assert alone.get(f"/ping/{TOKEN}").status_code == 404


class Front:
    """A real page server over a real data directory that awaits one heartbeat."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "vigia.db", owner=True)
        append(self.database, applied("gye1"))
        stored = Stored(
            digest=heartbeats.digest_of(TOKEN),
            rhythm="every 3600 s",
            beat=Beat(expected=SystemClock().now()),
        )
        with self.database.writing() as tx:
            heartbeats.save(tx, {1: stored})
        self._told = folder / "address"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "web", "--data", str(folder), "--listen", "127.0.0.1:0"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        pause = threading.Event()
        for _ in range(600):
            with contextlib.suppress(requests.ConnectionError, OSError):
                if requests.get(f"{self.url}/healthz", timeout=60).ok:
                    return
            pause.wait(0.1)
        raise AssertionError("the page server did not come up")

    @property
    def url(self) -> str:
        return f"http://{self._told.read_text(encoding='utf-8').strip()}"

    def open(self, text: str) -> socket.socket:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=60)
        connection.sendall(text.encode())
        return connection

    def taken(self) -> list[tuple[int, str]]:
        with self.database.reading() as tx:
            return [(each.arrival.signal, each.arrival.body) for each in heartbeats.waiting(tx, 1000)]

    def forget(self) -> None:
        with self.database.writing() as tx:
            for each in heartbeats.waiting(tx, 1000):
                heartbeats.take_out(tx, each.id)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self.database.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    front = Front(tmp_path_factory.mktemp("front"))
    yield front
    front.close()


@pytest.fixture
def front(served: Front) -> Front:
    """The server, with nothing in its inbox."""
    served.forget()
    return served


def test_a_large_body_is_cut_and_its_sender_answered(front: Front):
    answer = requests.post(f"{front.url}/ping/{TOKEN}/2", data=b"x" * 20_000_000, timeout=60)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert front.taken() == [(2, "x" * BODY_LIMIT)]


def test_slow_senders_hold_neither_the_page_nor_the_reports_of_others(front: Front):
    """Each sends the beginning of a body and nothing more. One of them is waited for; the others are taken as they are."""
    head = f"POST /ping/{TOKEN}/9 HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nhalf"
    slow = [front.open(head) for _ in range(12)]
    assert requests.get(f"{front.url}/healthz", timeout=60).status_code == 200
    assert requests.get(f"{front.url}/ping/{TOKEN}", timeout=60).status_code == 200
    answered: list[socket.socket] = []
    while len(answered) < 11:
        answered, _, _ = select.select(slow, [], [])
    for each in answered:
        assert each.recv(12) == b"HTTP/1.1 200"
    assert sorted(front.taken()) == [(0, ""), *[(9, "")] * 11]
    for each in slow:
        each.close()
    pause = threading.Event()
    while len(front.taken()) < 13:
        pause.wait(0.05)
    assert max(front.taken()) == (9, "half")
    answer = requests.post(f"{front.url}/ping/{TOKEN}", data=b"the next body", timeout=60)
    assert answer.status_code == 200
    assert front.taken()[-1] == (0, "the next body")


def test_a_chunked_body_is_read(front: Front):
    answer = requests.post(f"{front.url}/ping/{TOKEN}", data=iter([b"one ", b"two"]), timeout=60)
    assert answer.status_code == 200
    assert front.taken() == [(0, "one two")]


@pytest.mark.parametrize(
    "garbage",
    [
        f"POST /ping/{TOKEN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense",
        f"POST /ping/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
        f"GET /ping/{TOKEN}\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_request_that_is_none_does_no_harm(front: Front, garbage: str):
    with front.open(garbage) as connection:
        connection.recv(100)
    assert requests.get(f"{front.url}/ping/{TOKEN}", timeout=60).status_code == 200
