"""What comes to a heartbeat's address from outside, and what is written about it in the file."""

from __future__ import annotations

import contextlib
import io
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from monitor.health.cron import parse_cron
from monitor.health.heartbeat import FAIL, LARGEST_EXIT_CODE, START
from tests.fuzz.survival import survives
from web.heartbeats import BODY_LIMIT, Heartbeats

NOON = datetime.fromisoformat("2026-11-22T12:00:00Z")
GUAYAQUIL = ZoneInfo("America/Guayaquil")
TOKEN = "0123456789abcdef"

words = st.sampled_from(
    [
        "*",
        "0",
        "3",
        "59",
        "*/5",
        "1-5",
        "mon-fri",
        "sun",
        "feb",
        "30,31",
        "60",
        "-1",
        "a",
        "@daily",
        "5-1",
        "/",
        ",",
    ]
)
lines = st.text(max_size=60) | st.lists(words, min_size=1, max_size=6).map(" ".join)


@survives(lines)
def test_a_crontab_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_cron(line).next_after(NOON, GUAYAQUIL) > NOON


class Book:
    """Knows one token and notes what came."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, str]] = []

    def knows(self, token: str) -> bool:
        return token == TOKEN

    def take(self, token: str, signal: int, body: str = "") -> None:
        assert token == TOKEN
        self.taken.append((signal, body))


behind = st.sampled_from(["", "/", "/start", "/fail", "/0", "/255", "/256", "/٣", "/1\n"]) | st.text(
    max_size=8
)
paths = st.builds(lambda token, end: f"/ping/{token}{end}", st.just(TOKEN) | st.text(max_size=40), behind)


@survives(
    paths, st.sampled_from(["GET", "HEAD", "POST", "PUT", "BREW"]), st.binary(max_size=64), st.booleans()
)
def test_any_request_is_taken_or_refused(path: str, method: str, body: bytes, large: bool) -> None:
    book = Book()
    statuses: list[str] = []
    sent = body * BODY_LIMIT if large else body
    environ = EnvironBuilder(path="/", method=method).get_environ()
    environ |= {"PATH_INFO": path, "wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
    application = Heartbeats(lambda _, start: start("404 Not Found", []) or [], book)  # type: ignore[func-returns-value]
    answer = b"".join(application(environ, lambda status, _headers, _error=None: statuses.append(status)))
    assert [status[:3] for status in statuses] in (["200"], ["404"], ["405"])
    assert (statuses[0] == "200 OK") == bool(book.taken)
    for signal, kept in book.taken:
        assert START <= signal <= LARGEST_EXIT_CODE
        assert signal >= FAIL or signal == START
        assert len(kept) <= BODY_LIMIT
        kept.encode()
        assert answer == (b"" if method == "HEAD" else b"OK")
