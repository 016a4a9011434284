"""Looks at mailboxes by IMAP: a real server, and peers that misbehave."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.checks.contract import Look
from monitor.checks.imap import ImapCheck, ImapOptions
from monitor.checks.mailing.imap_session import mailbox_word
from monitor.observation import Cause, Measure, Outcome
from tests.checks.mail_talks import look, look_at_peer, repeated, timed
from tests.servers import peers
from tests.servers.certificates import Certificates, Files, make_files, wall_time
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.scripted import drips, floods, says, scripted

LOGIN = {"user": USER, "password": PASSWORD}
HELLO = b"* OK ready\r\n"
CAN = b"* CAPABILITY IMAP4rev1\r\n% OK\r\n"
# What an obliging server says; the kinds of answer that a test changes come first.
ANSWERS = {b"CAPABILITY": CAN, b"LOGIN": b"+ go on\r\n", b"EXAMINE": b"* 3 EXISTS\r\n% OK\r\n"}


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
    return {"host": "ok.test", "port": server.imaps, "tls": True, "ca": str(files.ca), **more}


def logged_in(**changed: bytes) -> dict[bytes, bytes]:
    """Return the answers of a server that takes any login by literals, some of them changed."""
    words = {key.encode(): answer for key, answer in changed.items()}
    last = {PASSWORD.upper().encode(): b"V2 OK welcome\r\n", USER.upper().encode(): b"+ and\r\n"}
    return {**ANSWERS, **words, **last, b"": b"% OK\r\n"}


@pytest.mark.system("dovecot")
@pytest.mark.parametrize("options", [{}, {"tls": False}, {"tls": False, "starttls": True}])
def test_a_mailbox_is_read_however_tls_begins(
    dovecot: Dovecot, files: Files, tmp_path: Path, options: dict[str, Any]
) -> None:
    port = dovecot.port if options else dovecot.imaps
    dovecot.put(b"Subject: one\r\n\r\nhello\r\n")
    seen = look(tmp_path, "imap", real(dovecot, files, login=LOGIN, **{**options, "port": port}))
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert [measure.name for measure in seen.measures] == ["messages"]
    assert seen.measures[0].value >= 1
    assert seen.tls_expires_at is not None
    assert set(seen.phases) == {"name", "connect", "tls", "first_byte", "total"}


@pytest.mark.system("dovecot")
def test_reading_leaves_everything_as_it_was(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    dovecot.put(b"Subject: untouched\r\n\r\nhello\r\n")
    before = dovecot.letters()
    assert look(tmp_path, "imap", real(dovecot, files, login=LOGIN)).outcome is Outcome.OK
    assert dovecot.letters() == before


@pytest.mark.system("dovecot")
def test_without_a_login_a_greeting_is_enough(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    seen = look(tmp_path, "imap", real(dovecot, files))
    assert (seen.outcome, seen.measures) == (Outcome.OK, ())


@pytest.mark.system("dovecot")
def test_a_refused_login_is_down(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    seen = look(tmp_path, "imap", real(dovecot, files, login={"user": USER, "password": "wrong"}))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
    assert "AUTHENTICATIONFAILED" in seen.found


@pytest.mark.system("dovecot")
def test_a_mailbox_that_is_not_there_is_down(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    seen = look(tmp_path, "imap", real(dovecot, files, login=LOGIN, mailbox="Añejo"))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
    assert seen.found.startswith("the mailbox Añejo cannot be read: NO")


@pytest.mark.system("dovecot")
def test_a_mailbox_beyond_ascii_is_read(dovecot: Dovecot, files: Files, tmp_path: Path) -> None:
    with dovecot.client() as client:
        client.create(mailbox_word("Correo ñ & más"))
    seen = look(tmp_path, "imap", real(dovecot, files, login=LOGIN, mailbox="Correo ñ & más"))
    assert (seen.outcome, seen.measures) == (Outcome.OK, (Measure("messages", 0),))


@pytest.mark.system("dovecot")
def test_a_server_that_stops_and_comes_back(files: Files, tmp_path: Path) -> None:
    server = Dovecot(files)
    try:
        server.start()
        assert look(tmp_path, "imap", real(server, files)).outcome is Outcome.OK
        server.stop(keep=True)
        seen = look(tmp_path, "imap", real(server, files))
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)
        server.start()
        assert look(tmp_path, "imap", real(server, files)).outcome is Outcome.OK
    finally:
        server.stop()


@pytest.mark.system("dovecot")
def test_a_certificate_near_its_end_is_a_warning(tmp_path: Path) -> None:
    ends = wall_time() + timedelta(days=5)
    files = make_files(tmp_path, not_after=ends)
    server = Dovecot(files)
    try:
        server.start()
        seen = look(tmp_path, "imap", real(server, files))
        fine = look(tmp_path, "imap", real(server, files, certificate="2d"))
    finally:
        server.stop()
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)
    assert fine.outcome is Outcome.OK


@pytest.mark.system("dovecot")
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"tls_name": "elsewhere.test"}, Cause.CERTIFICATE_HOST),
        ({"ca": "/etc/ssl/certs/ca-certificates.crt"}, Cause.CERTIFICATE_ISSUER),
    ],
)
def test_a_wrong_certificate_is_down_before_a_login_is_said(
    dovecot: Dovecot, files: Files, tmp_path: Path, options: dict[str, Any], cause: Cause
) -> None:
    seen = look(tmp_path, "imap", real(dovecot, files, login=LOGIN, **options))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    wanted = real(dovecot, files, login=LOGIN, verify=False, **options)
    assert look(tmp_path, "imap", wanted).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("options", "port", "at_once"),
    [
        ({}, 993, True),
        ({"starttls": True}, 143, False),
        ({"starttls": False}, 993, True),
        ({"tls": False}, 143, False),
        ({"port": 143}, 143, False),
        ({"port": 993}, 993, True),
        ({"port": 10993, "tls": True}, 10993, True),
    ],
)
def test_port_and_tls_follow_from_each_other(options: dict[str, Any], port: int, at_once: bool) -> None:
    meant = ImapOptions(host="a.test", **options)
    assert (meant.at_port, meant.at_once) == (port, at_once)


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"* BYE too many connections\r\n", Cause.STATUS),
        (b"* PREAUTH come in\r\n", Cause.STATUS),
        (b"220 mail.test ESMTP\r\n", Cause.PROTOCOL),
        (b"+OK ready\r\n", Cause.PROTOCOL),
        (b"\xff\xfe\r\n", Cause.PROTOCOL),
        (b"* OK", Cause.RESET),
        (b"", Cause.RESET),
    ],
)
def test_a_greeting_that_is_none_is_down(tmp_path: Path, greeting: bytes, cause: Cause) -> None:
    seen, _ = look_at_peer(tmp_path, "imap", says(greeting))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"% NO [UNAVAILABLE] ask later\r\n", Cause.STATUS),
        (b"% NO wrong\r\n", Cause.LOGIN),
        (b"% BAD what?\r\n", Cause.LOGIN),
        (b"V7 OK another's answer\r\n", Cause.PROTOCOL),
        (b"* BYE shutting down\r\n", Cause.STATUS),
        (b"hello\r\n", Cause.PROTOCOL),
    ],
)
def test_a_login_that_goes_wrong(tmp_path: Path, answer: bytes, cause: Cause) -> None:
    behave = scripted(b"* OK caf\xe9\r\n", logged_in(LOGIN=answer))
    seen, _ = look_at_peer(tmp_path, "imap", behave, login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


def test_a_login_by_literals_holds_any_character(tmp_path: Path) -> None:
    login = {"user": 'a"li\\ce {5}', "password": 'pässword "{3}'}
    answers = {
        **ANSWERS,
        login["password"].upper().encode()[-5:]: b"V2 OK welcome\r\n",
        b"{5}": b"+ and\r\n",
        b"": b"% OK\r\n",
    }
    seen, found = look_at_peer(tmp_path, "imap", scripted(HELLO, answers), login=login)
    assert (seen.outcome, seen.measures) == (Outcome.OK, (Measure("messages", 3),)), seen.found
    assert found.asked[1] == b"V2 LOGIN {11}\r\n"


def test_what_is_told_to_people_may_end_like_a_literal(tmp_path: Path) -> None:
    answers = logged_in(CAPABILITY=b"* OK wait {12}\r\n" + CAN)
    seen, _ = look_at_peer(tmp_path, "imap", scripted(b"* OK ready {7}\r\n", answers), login=LOGIN)
    assert seen.outcome is Outcome.OK, seen.found


def test_a_server_that_forbids_logins_is_asked_for_none(tmp_path: Path) -> None:
    answers = logged_in(CAPABILITY=b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n% OK\r\n")
    seen, found = look_at_peer(tmp_path, "imap", scripted(HELLO, answers), login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert PASSWORD.encode() not in b"".join(found.asked)


def test_a_login_that_is_taken_and_a_mailbox_that_is_not_shown(tmp_path: Path) -> None:
    """As of a server whose disk is gone: it still knows its users."""
    answers = logged_in(EXAMINE=b"% NO [SERVERBUG] Internal error occurred\r\n")
    seen, _ = look_at_peer(tmp_path, "imap", scripted(HELLO, answers), login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
    assert "SERVERBUG" in seen.found


def test_starttls_that_is_asked_for_and_missing_is_down(tmp_path: Path) -> None:
    seen, found = look_at_peer(tmp_path, "imap", scripted(HELLO, logged_in()), starttls=True, login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert len(found.asked) == 1


def test_what_is_said_in_clear_after_starttls_is_not_believed(
    tmp_path: Path, certificates: Certificates
) -> None:
    can = b"* CAPABILITY IMAP4rev1 STARTTLS\r\n% OK\r\n"
    answers = logged_in(CAPABILITY=can, STARTTLS=b"% OK begin\r\n* CAPABILITY AUTH=PLAIN\r\n")
    behave = scripted(HELLO, answers, tls=certificates.contexts["good"])
    seen, _ = look_at_peer(tmp_path, "imap", behave, ca=certificates.ca_file)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)


def test_a_server_that_repeats_our_login_gives_nothing_away(tmp_path: Path) -> None:
    said = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    answers = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n% OK\r\n",
        b"AUTHENTICATE": b"+ \r\n",
        b"": b"* OK you said " + said + b"\r\nV2 NO not " + said + b"\r\n",
    }
    seen, found = look_at_peer(tmp_path, "imap", scripted(HELLO, answers), login=LOGIN)
    assert said + b"\r\n" in found.asked
    assert seen.cause is Cause.LOGIN
    assert said.decode() not in seen.found + seen.excerpt


def test_a_slow_server_is_a_warning(tmp_path: Path) -> None:
    behave = peers.late(0.3, scripted(HELLO, logged_in()))
    seen, _ = look_at_peer(tmp_path, "imap", behave, expect={"within": "200ms"})
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)


HOSTILE: dict[str, tuple[peers.Behaviour, Cause]] = {
    "silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
    "one byte a moment": (drips(b"*"), Cause.TIMEOUT_TOTAL),
    "an answer without end": (floods(HELLO, b"* OK and more\r\n"), Cause.PROTOCOL),
    "empty lines without end": (floods(HELLO, b"\r\n"), Cause.PROTOCOL),
    "a line of ten megabytes": (floods(HELLO, b"x" * 20_000, b"* OK "), Cause.PROTOCOL),
    "a literal of ten megabytes": (floods(HELLO, b"x" * 20_000, b"* LIST {10485760}\r\n"), Cause.PROTOCOL),
    "a literal of more than there is": (floods(HELLO, b"* 1 {65000}\r\n"), Cause.PROTOCOL),
    "literals without end": (floods(HELLO, b"* 1 FETCH {1}\r\nx{1}\r\ny{9}\r\n"), Cause.PROTOCOL),
    "questions without end": (floods(HELLO, b"+ more?\r\n"), Cause.PROTOCOL),
    "half a literal": (scripted(HELLO, {b"": b"* 1 FETCH {100}\r\nhalf"}), Cause.TIMEOUT_TOTAL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_peer_neither_holds_up_a_look_nor_fills_the_memory(tmp_path: Path, name: str) -> None:
    behave, cause = HOSTILE[name]
    tracemalloc.start()
    try:
        seen, over = timed(tmp_path, "imap", behave, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert over < 0.5
    assert peak < 20 * 1024 * 1024


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", '"INBOX"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("Entwürfe", '"Entw&APw-rfe"'),
        ("Q&A", '"Q&-A"'),
        ("~peter/mail/台北/日本語", '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'),
    ],
)
def test_the_name_of_a_mailbox_as_it_travels(name: str, written: str) -> None:
    """The last is the example of RFC 3501."""
    assert mailbox_word(name) == written


@pytest.mark.system("dovecot", "curl")
@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({}, Outcome.OK),
        ({"login": LOGIN}, Outcome.OK),
        ({"login": LOGIN, "mailbox": "Nowhere"}, Outcome.DOWN),
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
        wanted |= {"port": dovecot.port, "tls": False, "starttls": True}
    assert look(tmp_path, "imap", wanted).outcome is outcome
    assert (repeated(line_of(wanted)) == 0) is (outcome is Outcome.OK), line_of(wanted)


@pytest.mark.system("curl")
def test_the_line_to_repeat_it_sees_that_nobody_is_there() -> None:
    assert repeated(line_of({"host": "ok.test", "port": peers.refused_port()})) != 0


def test_the_line_to_repeat_it_reads_a_password_where_it_lies() -> None:
    login = {"user": "${USER}", "password": "file:/run/secrets/mail box"}
    line = line_of({"host": "ok.test", "login": login})
    assert """-u "${USER}:$(cat '/run/secrets/mail box')" """ in line


def line_of(options: dict[str, Any]) -> str:
    """Return the line that repeats a look, to the address that was looked at: no shell knows our host."""
    seen = Look(outcome=Outcome.OK, address="127.0.0.1")
    return ImapCheck(ImapOptions.model_validate(options)).reproduce(seen, timedelta(seconds=30))
