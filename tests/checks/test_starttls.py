"""Protocols that begin in clear, asked to go on inside TLS: by servers that play along, and by those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import uvloop

from monitor.checks.remote.starttls import PORTS, ProtocolName, reply_of
from monitor.observation import Cause, Observation, Outcome
from tests.journeys.house import free_port
from tests.servers.certificates import Certificates, Files, make_files
from tests.servers.chat import Chat
from tests.servers.daemons import Daemon
from tests.servers.databases import Mariadb, Postgresql, postgresql_folder
from tests.servers.directory import Directory
from tests.servers.dovecot import Dovecot
from tests.servers.file_server import FileServer
from tests.servers.looking import check_of, looker, plan_of

Turn = tuple[bytes, bytes]
"""What the client must have said, b"" before it said anything, and what it is answered."""
Peers = Callable[[Path, Files], Iterator[tuple[str, int]]]
"""Start a server, and name each protocol that it speaks and the port."""


def handshake_of_mysql(capabilities: int) -> bytes:
    low, high = capabilities & 0xFFFF, capabilities >> 16
    payload = (
        b"\x0a8.0.36\0"
        + struct.pack("<I8sxHBHHB10x", 7, b"12345678", low, 33, 2, high, 21)
        + b"123456789012\0mysql_native_password\0"
    )
    return struct.pack("<I", len(payload))[:3] + b"\0" + payload


LDAP_SUCCESS = bytes.fromhex("300c02010178070a010004000400")
LDAP_UNAVAILABLE = bytes.fromhex("300c02010178070a013404000400")
XMPP_FEATURES = (
    b"<?xml version='1.0'?><stream:stream id='1' version='1.0' xmlns='jabber:client'>"
    b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
)

AGREES: dict[ProtocolName, Sequence[Turn]] = {
    "smtp": [
        (b"", b"220-mail.test\r\n220 ready\r\n"),
        (b"EHLO vigia.invalid\r\n", b"250-mail.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
        (b"STARTTLS\r\n", b"220 go ahead\r\n"),
    ],
    "ftp": [
        (b"", b"220-Welcome\r\n   as you like\r\n 220 not yet\r\n220 ready\r\n"),
        (b"AUTH TLS\r\n", b"234 Proceed\r\n"),
    ],
    "imap": [
        (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
        (b"a STARTTLS\r\n", b"* 1 EXISTS\r\na OK Begin\r\n"),
    ],
    "pop3": [(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK Begin\r\n")],
    "sieve": [
        (b"", b'"IMPLEMENTATION" "tests"\r\n"STARTTLS"\r\nOK "ready"\r\n'),
        (b"STARTTLS\r\n", b'ok "Begin"\r\n'),
    ],
    "ldap": [(b"1.3.6.1.4.1.1466.20037", LDAP_SUCCESS)],
    "postgresql": [(bytes.fromhex("0000000804d2162f"), b"S")],
    "mysql": [(b"", handshake_of_mysql(0x0F00 << 16 | 0xFFFF)), (bytes(23), b"")],
    "xmpp": [
        (b"", b""),
        (b"to=\"ok.test\" version='1.0'>", XMPP_FEATURES),
        (
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        ),
    ],
}


def play(listener: socket.socket, turns: Sequence[Turn], tls: ssl.SSLContext | None) -> None:
    """Hold one conversation as written down, byte by byte, and begin TLS after it; listen until the client hangs up."""
    taken, _ = listener.accept()
    with taken, contextlib.suppress(OSError):
        for wanted, answer in turns:
            said = b""
            while wanted not in said:
                byte = taken.recv(1)
                if not byte:
                    return
                said += byte
            taken.sendall(answer)
        if tls is None:
            while taken.recv(1024):
                pass
            return
        with tls.wrap_socket(taken, server_side=True) as secured:
            secured.recv(1)


def greeted(
    folder: Path,
    turns: Sequence[Turn],
    certificates: Certificates,
    protocol: str,
    *,
    what: str | None = None,
    seconds: float = 10,
) -> Observation:
    async def main(port: int) -> Observation:
        async with looker(folder, certificates.ca_file) as looking:
            options = {"host": "ok.test", "port": port, "starttls": protocol}
            return await looking.look("tls", options, seconds=seconds)

    context = None if what is None else certificates.contexts[what]
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(60)
        playing = pool.submit(play, listener, turns, context)
        seen = uvloop.run(main(listener.getsockname()[1]))
        playing.result(60)
    return seen


def test_every_protocol_is_played() -> None:
    assert set(AGREES) == set(get_args(ProtocolName)) == set(PORTS.values())


@pytest.mark.parametrize("protocol", AGREES)
def test_a_server_that_agrees_shows_its_certificate(
    tmp_path: Path, certificates: Certificates, protocol: ProtocolName
) -> None:
    seen = greeted(tmp_path, AGREES[protocol], certificates, protocol, what="good")
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert seen.tls_expires_at is not None
    assert "tls" in seen.phases


@pytest.mark.parametrize("protocol", AGREES)
def test_its_certificate_is_judged_as_any_other(
    tmp_path: Path, certificates: Certificates, protocol: ProtocolName
) -> None:
    seen = greeted(tmp_path, AGREES[protocol], certificates, protocol, what="expired")
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_EXPIRED)


@pytest.mark.parametrize(
    ("protocol", "turns", "found"),
    [
        ("smtp", [(b"", b"554 no service\r\n")], "greets with '554 no service'"),
        ("smtp", [(b"", b"220 a\r\n"), (b"EHLO", b"502 what?\r\n")], "refuses EHLO: '502 what?'"),
        (
            "smtp",
            [*AGREES["smtp"][:2], (b"STARTTLS", b"454 not today\r\n")],
            "refuses STARTTLS: '454 not today'",
        ),
        ("smtp", [(b"", b"* OK IMAP4rev1\r\n")], "no reply: '* OK IMAP4rev1'"),
        ("smtp", [(b"", b"220-on\r\n" * 200)], "sent a reply of more than 100 lines"),
        ("ftp", [(b"", b"220 a\r\n"), (b"AUTH TLS", b"530 no\r\n")], "refuses AUTH TLS: '530 no'"),
        ("imap", [(b"", b"* BYE too many\r\n")], "greets with '* BYE too many'"),
        ("imap", [(b"", b"* OK a\r\n"), (b"STARTTLS", b"a NO\r\n")], "refuses STARTTLS: 'a NO'"),
        ("imap", [(b"", b"* OK a\r\n"), (b"STARTTLS", b"* 1\r\n" * 200)], "sent more than 100 lines"),
        ("pop3", [(b"", b"-ERR busy\r\n")], "greets with '-ERR busy'"),
        ("pop3", [(b"", b"+OK\r\n"), (b"STLS", b"-ERR no\r\n")], "refuses STLS: '-ERR no'"),
        ("sieve", [(b"", b'BYE "away"\r\n')], "greets with 'BYE \"away\"'"),
        ("ldap", [(b"20037", LDAP_UNAVAILABLE)], "refuses TLS: 52 unavailable"),
        ("ldap", [(b"20037", b"HTTP/1.1 400 Bad\r\n")], "speaks no LDAP: "),
        ("postgresql", [(b"\x2f", b"N")], "refuses TLS"),
        ("postgresql", [(b"\x2f", b"E")], "no PostgreSQL: 'E'"),
        ("mysql", [(b"", handshake_of_mysql(0xF7FF))], "offers no TLS"),
        (
            "mysql",
            [(b"", b"\x18\0\0\0\xff\x10\x04#08004Too many guests")],
            "refuses us: Too many guests (1040)",
        ),
        ("mysql", [(b"", b"SSH-2.0-OpenSSH\r\n")], "no greeting of MySQL"),
        ("mysql", [(b"", b"\x04\0\0\0abcd")], "no greeting of MySQL"),
        ("xmpp", [(b"1.0'>", b"<stream:features></stream:features>")], "offers no TLS"),
        ("xmpp", [*AGREES["xmpp"][:2], (b"<starttls", b"<failure/>")], "refuses TLS: '<failure/>'"),
    ],
)
def test_a_server_that_does_not_agree_is_down(
    tmp_path: Path, certificates: Certificates, protocol: str, turns: Sequence[Turn], found: str
) -> None:
    seen = greeted(tmp_path, turns, certificates, protocol)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.found.startswith(found)


@pytest.mark.parametrize("protocol", AGREES)
@pytest.mark.parametrize("turns", range(3))
def test_a_server_that_falls_silent_is_down_in_time(
    tmp_path: Path, certificates: Certificates, protocol: ProtocolName, turns: int
) -> None:
    seen = greeted(tmp_path, AGREES[protocol][:turns], certificates, protocol, seconds=0.5)
    assert seen.outcome is Outcome.DOWN
    assert seen.cause in {Cause.TIMEOUT_FIRST_BYTE, Cause.TIMEOUT_TOTAL, Cause.TIMEOUT_TLS}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@contextlib.contextmanager
def running(server: Daemon) -> Iterator[Daemon]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


SIEVE = """
protocols = imap sieve
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


def mailboxes(folder: Path, files: Files) -> Iterator[tuple[str, int]]:
    sieve = free_port()
    with running(Dovecot(files, more=SIEVE.format(port=sieve))) as server:
        assert isinstance(server, Dovecot)
        yield "imap", server.port
        yield "sieve", sieve


def old_mail(folder: Path, files: Files) -> Iterator[tuple[str, int]]:
    with running(Dovecot(files)) as server:
        assert isinstance(server, Dovecot)
        yield "pop3", server.pop3
        yield "smtp", server.submission


def of(protocol: str, make: Callable[[Path, Files], Daemon]) -> Peers:
    def made(folder: Path, files: Files) -> Iterator[tuple[str, int]]:
        with running(make(folder, files)) as server:
            yield protocol, server.port

    return made


def database(folder: Path, files: Files) -> Iterator[tuple[str, int]]:
    with postgresql_folder() as own, running(Postgresql(own, files)) as server:
        yield "postgresql", server.port


REAL: list[Any] = [
    pytest.param(
        mailboxes, id="dovecot", marks=pytest.mark.system("dovecot", "/usr/lib/dovecot/managesieve")
    ),
    pytest.param(
        old_mail,
        id="dovecot, pop3 and submission",
        marks=pytest.mark.system("dovecot", "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/submission"),
    ),
    pytest.param(of("ftp", FileServer), id="vsftpd", marks=pytest.mark.system("vsftpd")),
    pytest.param(of("ldap", Directory), id="slapd", marks=pytest.mark.system("slapd")),
    pytest.param(of("mysql", Mariadb), id="mariadb", marks=pytest.mark.system("mariadbd")),
    pytest.param(
        database,
        id="postgresql",
        marks=pytest.mark.skipif(
            not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")), reason="needs initdb"
        ),
    ),
    pytest.param(of("xmpp", Chat), id="prosody", marks=pytest.mark.system("prosody")),
]


@pytest.mark.system("openssl", "timeout")
@pytest.mark.parametrize("real", REAL)
def test_real_servers_agree_and_the_line_sees_the_same(tmp_path: Path, files: Files, real: Peers) -> None:
    async def repeated(line: str) -> int:
        run = await asyncio.create_subprocess_shell(
            line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await run.wait()

    async def main(protocol: str, port: int) -> None:
        options = {"host": "ok.test", "port": port, "starttls": protocol, "ca": str(files.ca)}
        async with looker(tmp_path) as looking:
            fine = await looking.look("tls", options, seconds=20)
            assert (fine.outcome, fine.found) == (Outcome.OK, "")
            stranger = await looking.look("tls", {**options, "name": "other.test"}, seconds=20)
            # A chat server wants to be called by its name before it shows anything.
            assert stranger.cause is (Cause.RESET if protocol == "xmpp" else Cause.CERTIFICATE_HOST)
        line = check_of(plan_of("tls", options)).reproduce(fine, timedelta(seconds=20))
        line = line.replace("-connect ok.test:", "-connect 127.0.0.1:")
        assert await repeated(line) == 0
        assert await repeated(stranger.reproduce) != 0

    for protocol, port in real(tmp_path, files):
        asyncio.run(main(protocol, port))


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b"220 ready", (220, True)), (b"220-on", (220, False)), (b"250", (250, True)), (b"421 ", (421, True))],
)
def test_a_line_of_a_reply_has_a_code(line: bytes, expected: tuple[int, bool]) -> None:
    assert reply_of(line) == expected


@pytest.mark.parametrize("line", [b"", b"22", b"2200 x", b"abc", b"920 x", b"220x"])
def test_what_is_no_line_of_a_reply_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="no reply"):
        reply_of(line)
