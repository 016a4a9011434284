"""Looks at mail servers by SMTP: real ones, and peers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import Look, TargetFaultError
from monitor.checks.mailing.mail import keep_from_clear
from monitor.checks.smtp import SmtpCheck, SmtpOptions
from monitor.checks.wire.stream import Stream
from monitor.observation import Cause, Outcome
from tests.checks.mail_talks import look, look_at_peer, repeated, timed
from tests.servers import peers
from tests.servers.certificates import Certificates, Files, make_files
from tests.servers.dovecot import ADDRESS, PASSWORD, USER, Dovecot
from tests.servers.looking import TestSecrets, looker
from tests.servers.post_office import post_office
from tests.servers.scripted import drips, floods, says, scripted

HERE = {"host": "ok.test", "ehlo": "probe.test"}
LOGIN = {"user": USER, "password": PASSWORD}
HELLO = b"220 mail.test ESMTP\r\n"
EHLO = b"250-mail.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def dovecot(files: Files) -> Iterator[Dovecot]:
    with post_office() as office:
        server = Dovecot(files, relay=office.port)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def test_a_server_that_greets_is_ok(tmp_path: Path) -> None:
    with post_office() as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port})
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert set(seen.phases) == {"name", "connect", "first_byte", "total"}


def test_nobody_there_is_down(tmp_path: Path) -> None:
    seen = look(tmp_path, "smtp", {"port": peers.refused_port()})
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)


def test_tls_is_begun_where_it_is_offered_and_its_end_is_known(
    tmp_path: Path, certificates: Certificates
) -> None:
    with post_office(certificates.contexts["good"]) as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port}, ca=certificates.ca_file)
    assert seen.outcome is Outcome.OK, seen.found
    assert seen.tls_expires_at is not None
    assert "tls" in seen.phases


def test_starttls_false_stays_in_clear(tmp_path: Path, certificates: Certificates) -> None:
    with post_office(certificates.contexts["expired"]) as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port, "starttls": False})
    assert (seen.outcome, seen.tls_expires_at) == (Outcome.OK, None)


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("expired", Cause.CERTIFICATE_EXPIRED),
        ("other name", Cause.CERTIFICATE_HOST),
        ("stranger", Cause.CERTIFICATE_ISSUER),
    ],
)
def test_a_bad_certificate_is_down_and_nothing_more_is_said(
    tmp_path: Path, certificates: Certificates, what: str, cause: Cause
) -> None:
    with post_office(certificates.contexts[what]) as office:
        options = {**HERE, "port": office.port, "starttls": True, "to": "somebody@ok.test"}
        seen = look(tmp_path, "smtp", options, ca=certificates.ca_file)
        assert office.envelopes == []
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.tls_expires_at is not None


def test_a_certificate_near_its_end_is_a_warning(tmp_path: Path, certificates: Certificates) -> None:
    with post_office(certificates.contexts["ending"]) as office:
        options = {**HERE, "port": office.port, "certificate": "14d"}
        seen = look(tmp_path, "smtp", options, ca=certificates.ca_file)
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)
    assert seen.tls_expires_at == certificates.soon


@pytest.mark.parametrize(
    ("options", "lenient"),
    [
        ({}, True),
        ({"port": 25}, True),
        ({"port": 587}, False),
        ({"starttls": True}, False),
        ({"login": LOGIN}, False),
    ],
)
def test_only_between_mail_servers_a_bad_certificate_is_let_pass(
    options: dict[str, Any], lenient: bool
) -> None:
    assert SmtpOptions(host="a.test", **options).lenient is lenient


@pytest.mark.parametrize("what", ["other name", "expired", "stranger"])
def test_between_mail_servers_a_bad_certificate_is_a_warning(
    tmp_path: Path, certificates: Certificates, what: str
) -> None:
    """As on port 25, which a test cannot take."""

    class Between(SmtpOptions):
        @property
        def lenient(self) -> bool:
            return True

    async def main(port: int) -> None:
        async with looker(tmp_path, certificates.ca_file) as looking:
            check = SmtpCheck(Between.model_validate({"host": "ok.test", "port": port, "to": "a@ok.test"}))
            seen = await check.look(looking.tools, asyncio.get_running_loop().time() + 30)
            assert seen.outcome is Outcome.WARN
            assert "certificate" in seen.found
            assert str(seen.cause).startswith("certificate_")

    with post_office(certificates.contexts[what]) as office:
        uvloop.run(main(office.port))
        assert office.envelopes == [("<>", "a@ok.test")]


@pytest.mark.parametrize(
    ("options", "port", "at_once"),
    [
        ({}, 25, False),
        ({"tls": True}, 465, True),
        ({"port": 465}, 465, True),
        ({"port": 465, "tls": False}, 465, False),
        ({"port": 465, "starttls": True}, 465, False),
        ({"port": 587}, 587, False),
    ],
)
def test_port_and_tls_follow_from_each_other(options: dict[str, Any], port: int, at_once: bool) -> None:
    meant = SmtpOptions(host="a.test", **options)
    assert (meant.at_port, meant.at_once) == (port, at_once)


def test_tls_from_the_first_byte(tmp_path: Path, certificates: Certificates) -> None:
    answers = {b"EHLO": EHLO, b"": b"221 bye\r\n"}
    context = certificates.contexts["good"]
    seen, _ = look_at_peer(
        tmp_path, "smtp", scripted(HELLO, answers), ca=certificates.ca_file, context=context, tls=True
    )
    assert seen.outcome is Outcome.OK, seen.found
    assert seen.tls_expires_at is not None


def test_a_recipient_is_offered_and_no_mail_is_sent(tmp_path: Path) -> None:
    with post_office() as office:
        options = {**HERE, "port": office.port, "from": "probe@ok.test", "to": "somebody@ok.test"}
        seen = look(tmp_path, "smtp", options)
        assert office.envelopes == [("probe@ok.test", "somebody@ok.test")]
        assert office.taken == []
    assert seen.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("450 4.2.0 Greylisted, come back later", Outcome.WARN),
        ("451 4.7.1 Try again", Outcome.WARN),
        ("421 4.3.2 Shutting down", Outcome.DOWN),
        ("452 4.3.1 No room", Outcome.DOWN),
        ("550 5.1.1 Nobody here by that name", Outcome.DOWN),
    ],
)
def test_a_refused_recipient_is_down_and_a_postponed_one_a_warning(
    tmp_path: Path, said: str, outcome: Outcome
) -> None:
    with post_office(recipients={"somebody@ok.test": said}) as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port, "to": "somebody@ok.test"})
    assert (seen.outcome, seen.cause) == (outcome, Cause.STATUS)
    assert said in seen.found
    assert said in seen.excerpt


def test_a_refused_sender_is_down(tmp_path: Path) -> None:
    with post_office(sender="553 5.1.8 No such domain") as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port, "from": "probe@nowhere.test"})
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
    assert seen.found == "refused the sender: 553 5.1.8 No such domain"


def test_an_open_relay_is_down(tmp_path: Path) -> None:
    with post_office() as office:
        seen = look(tmp_path, "smtp", {**HERE, "port": office.port, "refuses": "other@example.org"})
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
    assert seen.found.startswith("an open relay: takes mail for other@example.org")


def test_a_server_that_refuses_strangers_and_takes_its_own_is_ok(tmp_path: Path) -> None:
    with post_office(recipients={"other@example.org": "554 5.7.1 Relay access denied"}) as office:
        options = {**HERE, "port": office.port, "refuses": "other@example.org", "to": "somebody@ok.test"}
        seen = look(tmp_path, "smtp", options)
        assert [to for _, to in office.envelopes] == ["other@example.org", "somebody@ok.test"]
    assert seen.outcome is Outcome.OK, seen.found


def test_the_greeting_must_hold_what_is_expected(tmp_path: Path) -> None:
    with post_office() as office:
        fine = look(tmp_path, "smtp", {**HERE, "port": office.port, "expect": {"greeting": "mail.test"}})
        wrong = look(tmp_path, "smtp", {**HERE, "port": office.port, "expect": {"greeting": ["Exim"]}})
    assert fine.outcome is Outcome.OK
    assert (wrong.outcome, wrong.cause) == (Outcome.DOWN, Cause.CONTENT)


def test_a_slow_server_is_a_warning(tmp_path: Path) -> None:
    behave = peers.late(0.3, scripted(HELLO, {b"EHLO": EHLO, b"": b"250 OK\r\n"}))
    seen, _ = look_at_peer(tmp_path, "smtp", behave, expect={"within": "200ms"})
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"554 5.7.1 Go away\r\n", Cause.STATUS),
        (b"421-Too busy\r\n421 Come back later\r\n", Cause.STATUS),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Cause.PROTOCOL),
        (b"220\xa0caf\xe9\r\n", Cause.PROTOCOL),
        (b"\x16\x03\x01\r\n", Cause.PROTOCOL),
        (b"22", Cause.RESET),
        (b"", Cause.RESET),
    ],
)
def test_a_greeting_that_is_none_is_down(tmp_path: Path, greeting: bytes, cause: Cause) -> None:
    seen, _ = look_at_peer(tmp_path, "smtp", says(greeting))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


def test_letters_beyond_ascii_in_a_greeting_do_no_harm(tmp_path: Path) -> None:
    behave = scripted(b"220-caf\xe9 \xff\r\n220 \r\n", {b"EHLO": EHLO, b"": b"250 OK\r\n"})
    seen, _ = look_at_peer(tmp_path, "smtp", behave)
    assert seen.outcome is Outcome.OK, seen.found


def test_an_old_server_is_greeted_in_the_old_way(tmp_path: Path) -> None:
    answers = {b"EHLO": b"502 what?\r\n", b"HELO": b"250 mail.test\r\n", b"": b"221 bye\r\n"}
    seen, found = look_at_peer(tmp_path, "smtp", scripted(HELLO, answers), ehlo="probe.test")
    assert seen.outcome is Outcome.OK
    assert found.asked[:2] == [b"EHLO probe.test\r\n", b"HELO probe.test\r\n"]


@pytest.mark.parametrize(
    ("ehlo", "said"),
    [
        ("probe.test", "probe.test"),
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("año.test", "xn--ao-zja.test"),
        (None, socket.gethostname()),
    ],
)
def test_the_name_that_we_greet_with(ehlo: str | None, said: str) -> None:
    assert SmtpOptions(host="a.test", ehlo=ehlo).greets_as == said


def test_starttls_that_is_asked_for_and_missing_is_down(tmp_path: Path) -> None:
    behave = scripted(HELLO, {b"EHLO": EHLO, b"": b"250 OK\r\n"})
    seen, _ = look_at_peer(tmp_path, "smtp", behave, starttls=True)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"454 TLS not available\r\n", Cause.PROTOCOL),
        (b"220 go on\r\n250-injected.test\r\n250 AUTH PLAIN\r\n", Cause.PROTOCOL),
        (b"220 go on\r\n", Cause.TIMEOUT_TLS),
    ],
)
def test_starttls_that_is_offered_and_not_kept_is_down(tmp_path: Path, answer: bytes, cause: Cause) -> None:
    answers = {b"EHLO": b"250-mail.test\r\n250 STARTTLS\r\n", b"STARTTLS\r\n": answer}

    async def behave(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, HELLO)
        for key in (b"EHLO", b"STARTTLS\r\n"):
            await reader.readline()
            await found.send(writer, answers[key])
        await peers.silent(found, reader, writer)

    seen, _ = look_at_peer(tmp_path, "smtp", behave, seconds=1.0)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


@pytest.mark.system("dovecot")
@pytest.mark.parametrize("offered", ["plain", "login", "cram-md5"])
def test_a_login_by_every_mechanism(files: Files, tmp_path: Path, offered: str) -> None:
    with post_office() as office:
        server = Dovecot(files, relay=office.port, more=f"auth_mechanisms = {offered}")
        try:
            server.start()
            options = {**HERE, "port": server.submission, "login": LOGIN}
            seen = look(tmp_path, "smtp", options, ca=files.ca)
            wrong = {**options, "login": {"user": USER, "password": "wrong"}}
            refused = look(tmp_path, "smtp", wrong, ca=files.ca)
        finally:
            server.stop()
    assert seen.outcome is Outcome.OK, seen.found
    assert (refused.outcome, refused.cause) == (Outcome.DOWN, Cause.LOGIN)
    assert refused.found.startswith("the login was refused: 535 5.7.8")


@pytest.mark.system("dovecot")
def test_after_a_login_the_envelope_is_offered_again_inside_tls(
    dovecot: Dovecot, files: Files, tmp_path: Path
) -> None:
    options = {
        **HERE,
        "port": dovecot.submission,
        "starttls": True,
        "login": LOGIN,
        "from": ADDRESS,
        "to": ADDRESS,
    }
    seen = look(tmp_path, "smtp", options, ca=files.ca)
    assert seen.outcome is Outcome.OK, seen.found


def test_a_login_that_cannot_be_judged_now_is_no_refusal_of_the_password(tmp_path: Path) -> None:
    answers = {
        b"EHLO": b"250-mail.test\r\n250 AUTH PLAIN\r\n",
        b"AUTH": b"454 4.7.0 Temporary authentication failure\r\n",
        b"": b"250 OK\r\n",
    }
    seen, _ = look_at_peer(tmp_path, "smtp", scripted(HELLO, answers), login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)


@pytest.mark.parametrize("auth", [b"250 8BITMIME\r\n", b"250 AUTH GSSAPI XOAUTH2\r\n"])
def test_no_login_that_we_know_is_a_fault_of_the_server(tmp_path: Path, auth: bytes) -> None:
    answers = {b"EHLO": b"250-mail.test\r\n" + auth, b"": b"250 OK\r\n"}
    seen, _ = look_at_peer(tmp_path, "smtp", scripted(HELLO, answers), login=LOGIN)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)


def test_a_server_that_repeats_our_login_gives_nothing_away(tmp_path: Path) -> None:
    said = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    answers = {
        b"EHLO": b"250-mail.test\r\n250 AUTH PLAIN\r\n",
        b"AUTH": b"334 \r\n",
        b"": b"535 no such login: " + said + b" " + PASSWORD.encode() + b"\r\n",
    }
    seen, found = look_at_peer(
        tmp_path,
        "smtp",
        scripted(HELLO, answers),
        login={"user": USER, "password": "${SECRET}"},
        secrets=TestSecrets({"SECRET": PASSWORD}),
    )
    assert said + b"\r\n" in found.asked
    assert seen.cause is Cause.LOGIN
    shown = seen.found + seen.excerpt + seen.reproduce
    assert PASSWORD not in shown
    assert said.decode() not in shown
    assert "${SECRET}" in seen.reproduce


@pytest.mark.parametrize(
    ("address", "options", "kept"),
    [
        ("192.0.2.1", {}, True),
        ("192.0.2.1", {"tls": False}, True),
        ("192.0.2.1", {"starttls": False}, False),
        ("127.0.0.1", {}, False),
        ("::1", {}, False),
    ],
)
def test_a_password_goes_in_clear_only_where_that_was_said(
    address: str, options: dict[str, Any], kept: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = Stream(ours, address, 0.0, 0.0)
        server = SmtpOptions(host="a.test", port=587, **options)
        with pytest.raises(TargetFaultError, match="not sent in clear") if kept else nullcontext():
            keep_from_clear(stream, server)


HOSTILE: dict[str, tuple[peers.Behaviour, Cause]] = {
    "silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
    "one byte a moment": (drips(b"2"), Cause.TIMEOUT_TOTAL),
    "a reply without end": (floods(HELLO, b"250-and more\r\n"), Cause.PROTOCOL),
    "empty lines without end": (floods(HELLO, b"\r\n"), Cause.PROTOCOL),
    "a line of ten megabytes": (floods(HELLO, b"x" * 20_000, b"250 "), Cause.PROTOCOL),
    "lines one at a time": (drips(b"220-\r\n"), Cause.TIMEOUT_TOTAL),
    "half a reply": (scripted(HELLO, {b"": b"250-mail.test\r\n25"}), Cause.TIMEOUT_TOTAL),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_peer_neither_holds_up_a_look_nor_fills_the_memory(tmp_path: Path, name: str) -> None:
    behave, cause = HOSTILE[name]
    tracemalloc.start()
    try:
        seen, over = timed(tmp_path, "smtp", behave, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert over < 0.5
    assert peak < 20 * 1024 * 1024


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"to": "a@b.test\r\nDATA"}, "expected a bare mail address"),
        ({"to": "<a@b.test>"}, "expected a bare mail address"),
        ({"to": "nobody"}, "expected a bare mail address"),
        ({"tls": True, "starttls": True}, "not both"),
        ({"login": {"user": "a\nb", "password": "c"}}, "control character"),
        ({"login": {"user": "", "password": "c"}}, "at least 1"),
        ({"ehlo": "a b"}, "expected a name or an address"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SmtpOptions.model_validate({"host": "a.test", **given})


def test_an_address_may_be_a_reference() -> None:
    options = {"host": "a.test", "from": "${PROBE}", "to": "probe@${DOMAIN}"}
    assert SmtpOptions.model_validate(options).recipient == "probe@${DOMAIN}"


@pytest.mark.system("curl")
@pytest.mark.parametrize(("what", "outcome"), [("good", Outcome.OK), ("expired", Outcome.DOWN)])
def test_the_line_to_repeat_it_sees_the_same(
    tmp_path: Path, certificates: Certificates, what: str, outcome: Outcome
) -> None:
    with post_office(certificates.contexts[what]) as office:
        options = {**HERE, "port": office.port, "starttls": True, "ca": str(certificates.ca_file)}
        seen = look(tmp_path, "smtp", options)
        assert seen.outcome is outcome, seen.found
        assert (repeated(line_of(options)) == 0) is (outcome is Outcome.OK)
    assert repeated(line_of(options)) != 0


@pytest.mark.system("curl", "swaks")
@pytest.mark.parametrize("said", ["250 2.1.5 OK", "550 5.1.1 Nobody here"])
def test_the_line_that_offers_an_envelope_sees_the_same(
    tmp_path: Path, certificates: Certificates, said: str
) -> None:
    with post_office(
        certificates.contexts["good"],
        recipients={"somebody@ok.test": said, "other@example.org": "554 5.7.1 no relay"},
    ) as office:
        options = {
            **HERE,
            "port": office.port,
            "ca": str(certificates.ca_file),
            "to": "somebody@ok.test",
            "refuses": "other@example.org",
        }
        seen = look(tmp_path, "smtp", options)
        line = line_of(options)
        assert (repeated(line) == 0) is (seen.outcome is Outcome.OK), line
        assert office.taken == []


@pytest.mark.system("dovecot", "curl", "swaks")
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_the_line_that_logs_in_sees_the_same(
    dovecot: Dovecot, files: Files, tmp_path: Path, password: str
) -> None:
    login = {"user": USER, "password": password}
    options = {**HERE, "port": dovecot.submission, "ca": str(files.ca), "login": login, "to": ADDRESS}
    seen = look(tmp_path, "smtp", options)
    line = line_of(options)
    assert (repeated(line) == 0) is (seen.outcome is Outcome.OK), line


def line_of(options: dict[str, Any]) -> str:
    """Return the line that repeats a look, to the address that was looked at: no shell knows our host."""
    seen = Look(outcome=Outcome.OK, address="127.0.0.1")
    return SmtpCheck(SmtpOptions.model_validate(options)).reproduce(seen, timedelta(seconds=30))
