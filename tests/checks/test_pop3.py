"""Looks at mailboxes by POP3: a real server, and peers that misbehave."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.checks.contract import Look
from monitor.checks.pop3 import Pop3Check, Pop3Options
from monitor.observation import Cause, Measure, Outcome
from tests.checks.mail_talks import look, look_at_peer, repeated, timed
from tests.servers import peers
from tests.servers.certificates import Certificates, Files, make_files
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.scripted import drips, floods, says, scripted

LOGIN = {"user": USER, "password": PASSWORD}
HELLO = b"+OK ready\r\n"
# What an old server says that has no CAPA.
ANSWERS = {b"CAPA": b"-ERR what?\r\n", b"STAT": b"+OK 3 1234\r\n", b"": b"+OK\r\n"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def dovecot(files: Files) -> Iterator[Dovecot]:
    server = Dovecot(files)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def real(server: Dovecot, files: Files, **more: Any) -> dict[str, Any]:
    return {"host": "ok.test", "port": server.pop3s, "tls": True, "ca": str(files.ca), **more}


@pytest.mark.system("dovecot")
@pytest.mark.parametrize("options", [{}, {"tls": False}, {"tls": False, "starttls": True}])
def test_mail_is_counted_however_tls_begins(
    dovecot: Dovecot, files: Files, tmp_path: Path, options: dict[str, Any]
) -> None:
    port = dovecot.pop3 if options else dovecot.pop3s
    dovecot.put(b"Subject: one\r\n\r\nhello\r\n")
    before = dovecot.letters()
    seen = look(tmp_path, "pop3", real(dovecot, files, login=LOGIN, **{**options, "port": port}))
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert [(measure.name, measure.unit) for measure in seen.measures] == [
        ("messages", ""),
        ("mailbox_size", "bytes"),
    ]
    assert seen.measures[0].value == len(before)
    assert seen.tls_expires_at is not None
    assert dovecot.letters() == before


@pytest.mark.system("dovecot")
def test_without_a_login_a_greeting_is_enough(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    seen = look(tmp_path, "pop3", real(dovecot, files))
    assert (seen.outcome, seen.measures) == (Outcome.OK, ())


@pytest.mark.system("dovecot")
def test_a_refused_login_is_down(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    seen = look(tmp_path, "pop3", real(dovecot, files, login={"user": USER, "password": "wrong"}))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)


@pytest.mark.system("dovecot")
def test_a_server_that_stops_and_comes_back(files: Files, tmp_path: Path) -> None:
    server = Dovecot(files)
    try:
        server.start()
        assert look(tmp_path, "pop3", real(server, files)).outcome is Outcome.OK
        server.stop(keep=True)
        seen = look(tmp_path, "pop3", real(server, files))
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)
        server.start()
        assert look(tmp_path, "pop3", real(server, files)).outcome is Outcome.OK
    finally:
        server.stop()


@pytest.mark.parametrize("what", ["expired", "other name", "stranger"])
def test_a_bad_certificate_is_down(tmp_path: Path, certificates: Certificates, what: str) -> None:
    seen, found = look_at_peer(
        tmp_path,
        "pop3",
        scripted(HELLO, ANSWERS),
        ca=certificates.ca_file,
        context=certificates.contexts[what],
        tls=True,
        login=LOGIN,
    )
    assert seen.outcome is Outcome.DOWN
    assert str(seen.cause).startswith("certificate_")
    assert found.asked == []


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"-ERR [SYS/TEMP] not now\r\n", Cause.STATUS),
        (b"* OK ready\r\n", Cause.PROTOCOL),
        (b"+OKAY\r\n", Cause.PROTOCOL),
        (b"+OK", Cause.RESET),
        (b"", Cause.RESET),
    ],
)
def test_a_greeting_that_is_none_is_down(tmp_path: Path, greeting: bytes, cause: Cause) -> None:
    seen, _ = look_at_peer(tmp_path, "pop3", says(greeting))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


def test_an_old_server_is_told_user_and_password(tmp_path: Path) -> None:
    behave = scripted(b"+OK caf\xe9\r\n", ANSWERS)
    seen, found = look_at_peer(tmp_path, "pop3", behave, login=LOGIN)
    assert seen.measures == (Measure("messages", 3), Measure("mailbox_size", 1234, "bytes"))
    assert found.asked[1:3] == [f"USER {USER}\r\n".encode(), f"PASS {PASSWORD}\r\n".encode()]


@pytest.mark.parametrize(
    ("line", "answer", "cause"),
    [
        (b"PASS", b"-ERR [AUTH] wrong\r\n", Cause.LOGIN),
        (b"USER", b"-ERR nobody here\r\n", Cause.LOGIN),
        (b"PASS", b"-ERR [IN-USE] locked by another\r\n", Cause.STATUS),
        (b"PASS", b"-ERR [SYS/PERM] ask the postmaster\r\n", Cause.STATUS),
        (b"PASS", b"welcome\r\n", Cause.PROTOCOL),
        (b"STAT", b"-ERR the disk is gone\r\n", Cause.CONTENT),
        (b"STAT", b"+OK many\r\n", Cause.PROTOCOL),
    ],
)
def test_what_may_go_wrong_after_the_greeting(
    tmp_path: Path, line: bytes, answer: bytes, cause: Cause
) -> None:
    others = {key: usual for key, usual in ANSWERS.items() if key != line}
    seen, _ = look_at_peer(tmp_path, "pop3", scripted(HELLO, {line: answer, **others}), login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


def test_starttls_that_is_asked_for_and_missing_is_down(tmp_path: Path) -> None:
    seen, _ = look_at_peer(tmp_path, "pop3", scripted(HELLO, ANSWERS), starttls=True)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)


def test_starttls_that_is_offered_and_refused_is_down(tmp_path: Path) -> None:
    answers = {b"CAPA": b"+OK\r\nSTLS\r\n.\r\n", b"STLS": b"-ERR not today\r\n", b"": b"+OK\r\n"}
    seen, _ = look_at_peer(tmp_path, "pop3", scripted(HELLO, answers))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)


def test_a_server_that_repeats_our_login_gives_nothing_away(tmp_path: Path) -> None:
    said = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    answers = {
        b"CAPA": b"+OK\r\nSASL PLAIN\r\n.\r\n",
        b"AUTH": b"+ \r\n",
        b"": b"-ERR not " + said + b"\r\n",
    }
    seen, found = look_at_peer(tmp_path, "pop3", scripted(HELLO, answers), login=LOGIN)
    assert said + b"\r\n" in found.asked
    assert seen.cause is Cause.LOGIN
    assert said.decode() not in seen.found + seen.excerpt


def test_a_slow_server_is_a_warning(tmp_path: Path) -> None:
    behave = peers.late(0.3, scripted(HELLO, ANSWERS))
    seen, _ = look_at_peer(tmp_path, "pop3", behave, expect={"within": "200ms"})
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)


HOSTILE: dict[str, tuple[peers.Behaviour, Cause]] = {
    "silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
    "one byte a moment": (drips(b"+"), Cause.TIMEOUT_TOTAL),
    "an answer without end": (floods(HELLO, b"UIDL\r\n", b"+OK\r\n"), Cause.PROTOCOL),
    "empty lines without end": (floods(HELLO, b"\r\n"), Cause.PROTOCOL),
    "a line of ten megabytes": (floods(HELLO, b"x" * 20_000, b"+OK "), Cause.PROTOCOL),
    "no last line": (scripted(HELLO, {b"": b"+OK\r\nSASL PLAIN\r\n"}), Cause.TIMEOUT_TOTAL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_peer_neither_holds_up_a_look_nor_fills_the_memory(tmp_path: Path, name: str) -> None:
    behave, cause = HOSTILE[name]
    tracemalloc.start()
    try:
        seen, over = timed(tmp_path, "pop3", behave, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert over < 0.5
    assert peak < 20 * 1024 * 1024


@pytest.mark.system("dovecot", "curl")
@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({}, Outcome.OK),
        ({"login": LOGIN}, Outcome.OK),
        ({"login": {"user": USER, "password": "wrong"}}, Outcome.DOWN),
        ({"tls_name": "elsewhere.test"}, Outcome.DOWN),
    ],
)
@pytest.mark.parametrize("starttls", [True, False])
def test_the_line_to_repeat_it_sees_the_same(
    dovecot: Dovecot, files: Files, tmp_path: Path, options: dict[str, Any], outcome: Outcome, starttls: bool
) -> None:
    wanted = real(dovecot, files, **options)
    if starttls:
        wanted |= {"port": dovecot.pop3, "tls": False, "starttls": True}
    assert look(tmp_path, "pop3", wanted).outcome is outcome
    check = Pop3Check(Pop3Options.model_validate(wanted))
    line = check.reproduce(Look(outcome=outcome, address="127.0.0.1"), timedelta(seconds=30))
    assert (repeated(line) == 0) is (outcome is Outcome.OK), line
