"""Looks at SSH servers: a real sshd with keys that change, and peers that speak SSH badly."""

from __future__ import annotations

import asyncio
import getpass
import logging
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import paramiko
import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.ssh import KIND, SshOptions
from monitor.health.words import Service
from monitor.identifiers import CheckKey, ServerId
from monitor.observation import Cause, Observation, Outcome
from tests.journeys.house import wait_for
from tests.servers import faults, peers
from tests.servers.looking import NO_SECRETS, Looker, TestSecrets, looker
from tests.servers.peers import Behaviour, Peer, refused_port
from tests.servers.secure_shell import SecureShell, make_key

SSHD = pytest.mark.system("sshd", "ssh-keygen")
STRANGE = "SHA256:" + "A" * 43
ME = getpass.getuser()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureShell]:
    found = SecureShell(tmp_path_factory.mktemp("sshd"), ("ed25519", "rsa", "ecdsa"))
    found.start()
    yield found
    found.stop()


def seen_of(folder: Path, see: Callable[[Looker], Awaitable[Observation]]) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            return await see(looking)

    return uvloop.run(main())


def look(
    folder: Path,
    options: dict[str, Any],
    *,
    memory: Mapping[str, str] | None = None,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    async def see(looking: Looker) -> Observation:
        looking.prober.remember({CheckKey(ServerId("gye1"), "ssh"): memory or {}})
        return await looking.look("ssh", options, seconds=seconds, secrets=secrets)

    return seen_of(folder, see)


@contextmanager
def running(server: SecureShell) -> Iterator[SecureShell]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


GARBLED = {Cause.PROTOCOL, Cause.RESET, Cause.TIMEOUT_TOTAL}
LINES: dict[str, tuple[Behaviour, set[Cause]]] = {
    "a black hole": (faults.stalls(), {Cause.TIMEOUT_FIRST_BYTE}),
    "goes silent": (faults.stalls(300), {Cause.TIMEOUT_TOTAL}),
    "trickles": (faults.trickles(0.1), {Cause.TIMEOUT_TOTAL}),
    "hangs up": (faults.hangs_up(), {Cause.RESET}),
    "hangs up later": (faults.hangs_up(300), {Cause.RESET}),
    "half closes": (faults.half_closes(300), {Cause.RESET}),
    "resets": (faults.resets(300), {Cause.RESET}),
    "garbles its offer": (faults.garbles(300), GARBLED),
    "garbles its key": (faults.garbles(1250), GARBLED),
}


@SSHD
class TestARealServer:
    def test_it_is_there_and_its_key_is_remembered(self, tmp_path: Path, server: SecureShell) -> None:
        seen = look(tmp_path, {"port": server.port, "expect": {"contains": ["SSH-2.0-", "OpenSSH"]}})
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.remember == {"host_key": server.fingerprints["ed25519"], "type": "ssh-ed25519"}
        assert {"connect", "first_byte", "total"} <= set(seen.phases)
        again = look(tmp_path, {"port": server.port}, memory=seen.remember)
        assert (again.outcome, again.remember) == (Outcome.OK, None)

    @pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
    def test_a_fixed_key_may_be_any_that_the_server_has(
        self, tmp_path: Path, server: SecureShell, kind: str
    ) -> None:
        seen = look(tmp_path, {"port": server.port, "host_key": server.fingerprints[kind]})
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.remember is not None
        assert seen.remember["host_key"] == server.fingerprints[kind]
        several = [STRANGE, server.fingerprints[kind]]
        assert look(tmp_path, {"port": server.port, "host_key": several}).outcome is Outcome.OK

    def test_another_key_than_the_fixed_one_is_down(self, tmp_path: Path, server: SecureShell) -> None:
        seen = look(tmp_path, {"port": server.port, "host_key": STRANGE})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.HOST_KEY)
        shown = server.fingerprints["ed25519"]
        assert (
            seen.found == f"the host key is {shown}, expected {STRANGE}; if that is meant, set it as host_key"
        )
        assert seen.remember is None

    def test_what_the_banner_holds_may_be_expected(self, tmp_path: Path, server: SecureShell) -> None:
        seen = look(tmp_path, {"port": server.port, "expect": {"contains": "dropbear"}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
        assert "'dropbear'" in seen.found
        assert "OpenSSH" in seen.excerpt

    def test_a_key_lets_us_in(self, tmp_path: Path, server: SecureShell) -> None:
        key = server.let_in(tmp_path / "key")
        assert look(tmp_path, {"port": server.port, "login": {"user": ME, "key": str(key)}}).found == ""

    @pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
    def test_a_passphrase_opens_a_key(self, tmp_path: Path, server: SecureShell, kind: str) -> None:
        key = server.let_in(tmp_path / "key", kind, passphrase="open sesame")
        login = {"user": ME, "key": str(key), "passphrase": "${PHRASE}"}
        options = {"port": server.port, "login": login}
        right = look(tmp_path, options, secrets=TestSecrets({"PHRASE": "open sesame"}))
        assert (right.outcome, right.found) == (Outcome.OK, "")
        wrong = look(tmp_path, options, secrets=TestSecrets({"PHRASE": "close sesame"}))
        assert (wrong.outcome, wrong.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert "its passphrase is another" in wrong.found
        assert "close sesame" not in repr(wrong)

    def test_a_key_that_nobody_knows_is_a_refused_login(self, tmp_path: Path, server: SecureShell) -> None:
        make_key(tmp_path / "stranger")
        seen = look(tmp_path, {"port": server.port, "login": {"user": ME, "key": str(tmp_path / "stranger")}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert seen.found.startswith("the login was refused")

    def test_a_password_where_none_is_taken_is_a_refused_login(
        self, tmp_path: Path, server: SecureShell
    ) -> None:
        seen = look(tmp_path, {"port": server.port, "login": {"user": ME, "password": "hunter2"}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert seen.found == "the login was refused: it takes only publickey"

    def test_a_key_of_ours_that_cannot_be_read_is_our_own_trouble(
        self, tmp_path: Path, server: SecureShell
    ) -> None:
        (tmp_path / "no key").write_text("Dear server, let me in\n")
        for path, said in ((tmp_path / "missing", "No such file"), (tmp_path / "no key", "no private key")):
            seen = look(tmp_path, {"port": server.port, "login": {"user": ME, "key": str(path)}})
            assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
            assert said in seen.found

    def test_nobody_logs_in_to_a_server_with_another_key(self, tmp_path: Path, server: SecureShell) -> None:
        key = server.let_in(tmp_path / "key")
        login = {"user": ME, "key": str(key)}
        before = server.log.read_text().count("Accepted publickey")
        assert look(tmp_path, {"port": server.port, "login": login}).outcome is Outcome.OK
        wait_for(lambda: server.log.read_text().count("Accepted publickey") == before + 1, what="a login")
        seen = look(tmp_path, {"port": server.port, "login": login, "host_key": STRANGE})
        assert seen.cause is Cause.HOST_KEY
        assert server.log.read_text().count("Accepted publickey") == before + 1

    def test_slower_than_expected_is_a_warning(self, tmp_path: Path, server: SecureShell) -> None:
        async def see(looking: Looker) -> Observation:
            async with faults.fault_proxy(server.port, faults.delays(0.2)) as proxy:
                options = {"port": proxy.port, "expect": {"within": "100ms"}}
                return await looking.look("ssh", options, seconds=30.0)

        seen = seen_of(tmp_path, see)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)
        assert seen.remember is not None

    @pytest.mark.parametrize("what", LINES)
    def test_a_server_behind_a_bad_line_is_down_in_time(
        self, tmp_path: Path, server: SecureShell, what: str
    ) -> None:
        fault, causes = LINES[what]

        async def see(looking: Looker) -> Observation:
            async with faults.fault_proxy(server.port, fault) as proxy:
                return await looking.look("ssh", {"port": proxy.port}, seconds=1.5)

        seen = seen_of(tmp_path, see)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in causes, seen.found
        assert no_thread_is_left()

    def test_nothing_is_logged_and_no_thread_is_left(
        self, tmp_path: Path, server: SecureShell, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        look(tmp_path, {"port": server.port})
        look(tmp_path, {"port": server.port, "login": {"user": ME, "password": "hunter2"}})
        assert no_thread_is_left()
        assert [record.name for record in caplog.records if record.name.startswith("paramiko")] == []

    @pytest.mark.system("ssh-keyscan", "ssh-keygen", "ssh", "grep", "timeout", "sshpass")
    @pytest.mark.parametrize(
        "what",
        ["there", "not there", "its key", "another key", "let in", "let in by passphrase", "not let in"],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, server: SecureShell, what: str
    ) -> None:
        stranger = tmp_path / "stranger"
        make_key(stranger)
        phrase = {"passphrase": "open sesame"} if "passphrase" in what else {}
        key = server.let_in(tmp_path / "key", **phrase)
        options: dict[str, dict[str, Any]] = {
            "there": {},
            "not there": {"port": refused_port()},
            "its key": {"host_key": server.fingerprints["rsa"]},
            "another key": {"host_key": STRANGE},
            "let in": {"login": {"user": ME, "key": str(key)}},
            "let in by passphrase": {"login": {"user": ME, "key": str(key), **phrase}},
            "not let in": {"login": {"user": ME, "key": str(stranger)}},
        }
        given = {"port": server.port, **options[what]}
        seen = look(tmp_path, given)
        assert (seen.outcome is Outcome.OK) is (
            what in {"there", "its key", "let in", "let in by passphrase"}
        )
        check = KIND.build(SshOptions.model_validate({"host": "127.0.0.1", **given}))
        line = seen.reproduce or check.reproduce(None, timedelta(seconds=30))

        async def repeated() -> int:
            run = await asyncio.create_subprocess_shell(
                line,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            return await run.wait()

        assert (uvloop.run(repeated()) == 0) is (seen.outcome is Outcome.OK), line


@SSHD
class TestAServerThatChanges:
    def test_another_key_is_down_until_it_is_set(self, tmp_path: Path) -> None:
        server = SecureShell(tmp_path)
        old = server.fingerprints["ed25519"]
        with running(server):
            remembered = look(tmp_path, {"port": server.port}).remember
        assert look(tmp_path, {"port": server.port}, memory=remembered).cause is Cause.REFUSED
        new = server.take_key("ed25519")
        with running(server):
            seen = look(tmp_path, {"port": server.port}, memory=remembered)
            assert (seen.outcome, seen.cause, seen.remember) == (Outcome.DOWN, Cause.HOST_KEY, None)
            assert seen.found == (
                f"the host key changed from {old} to {new}; if that is meant, set the new one as host_key"
            )
            mended = look(tmp_path, {"port": server.port, "host_key": new}, memory=remembered)
            assert (mended.outcome, mended.remember) == (Outcome.OK, {"host_key": new, "type": "ssh-ed25519"})

    def test_a_better_key_besides_the_known_one_is_no_change(self, tmp_path: Path) -> None:
        server = SecureShell(tmp_path, ("rsa",))
        with running(server):
            remembered = look(tmp_path, {"port": server.port}).remember
        assert remembered == {"host_key": server.fingerprints["rsa"], "type": "ssh-rsa"}
        server.take_key("ed25519")
        with running(server):
            assert look(tmp_path, {"port": server.port}, memory=remembered).outcome is Outcome.OK

    def test_a_known_key_that_is_gone_is_a_change(self, tmp_path: Path) -> None:
        server = SecureShell(tmp_path, ("rsa",))
        remembered = {"host_key": server.fingerprints.pop("rsa"), "type": "ssh-rsa"}
        server.take_key("ecdsa")
        with running(server):
            seen = look(tmp_path, {"port": server.port}, memory=remembered)
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.HOST_KEY)

    @pytest.mark.parametrize("exchange", ["diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"])
    def test_a_server_of_long_ago_is_spoken_to(self, tmp_path: Path, exchange: str) -> None:
        more = f"KexAlgorithms {exchange}\nHostKeyAlgorithms ssh-rsa\nCiphers 3des-cbc\nMACs hmac-sha1"
        with running(SecureShell(tmp_path, ("rsa",), more=more)) as server:
            seen = look(tmp_path, {"port": server.port, "host_key": server.fingerprints["rsa"]})
            assert (seen.outcome, seen.found) == (Outcome.OK, "")

    @pytest.mark.parametrize(
        "exchange",
        [
            "curve25519-sha256",
            "ecdh-sha2-nistp384",
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group14-sha256",
        ],
    )
    def test_a_server_of_today_is_spoken_to(self, tmp_path: Path, exchange: str) -> None:
        with running(SecureShell(tmp_path, more=f"KexAlgorithms {exchange}")) as server:
            assert look(tmp_path, {"port": server.port}).found == ""

    def test_with_nothing_in_common_it_is_down_and_said_what_it_offers(self, tmp_path: Path) -> None:
        more = "KexAlgorithms diffie-hellman-group-exchange-sha256"
        with running(SecureShell(tmp_path, more=more)) as server:
            seen = look(tmp_path, {"port": server.port})
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
            assert seen.found == "nothing in common: no acceptable kex algorithm; its host keys: ssh-ed25519"

    def test_a_login_that_is_only_half_of_one_is_refused(self, tmp_path: Path) -> None:
        more = "AuthenticationMethods publickey,password\nPasswordAuthentication yes"
        server = SecureShell(tmp_path, more=more)
        key = server.let_in(tmp_path / "key")
        with running(server):
            seen = look(tmp_path, {"port": server.port, "login": {"user": ME, "key": str(key)}})
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
            assert seen.found == "the login was refused: after it the server wants password"


class _Doorman(paramiko.ServerInterface):
    """Lets ana in by her password."""

    def check_auth_password(self, username: str, password: str) -> int:
        known = (username, password) == ("ana", "hunter2-and-more")
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"


@contextmanager
def doorman(folder: Path) -> Iterator[int]:
    """Run a server that knows passwords, and return its port."""
    make_key(folder / "host")
    key = paramiko.PKey.from_path(folder / "host")
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)

        def serve() -> None:
            while not ended.is_set():
                try:
                    taken, _ = listening.accept()
                except TimeoutError:
                    continue
                transport = paramiko.Transport(taken)
                transport.add_server_key(key)
                transport.start_server(event=threading.Event(), server=_Doorman())

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            serving.join()


@pytest.mark.system("ssh-keygen")
def test_a_password_lets_in_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    with doorman(tmp_path) as port:
        options = {"port": port, "login": {"user": "ana", "password": "${PW}"}}
        right = look(tmp_path, options, secrets=TestSecrets({"PW": "hunter2-and-more"}))
        assert (right.outcome, right.found) == (Outcome.OK, "")
        wrong = look(tmp_path, options, secrets=TestSecrets({"PW": "correct-horse"}))
        assert (wrong.outcome, wrong.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert wrong.found == "the login was refused: its credentials are not accepted"
        assert "correct-horse" not in repr(wrong)
        assert 'SSHPASS="${PW}"' in wrong.reproduce


def says(data: bytes, *, then: Behaviour = peers.silent) -> Behaviour:
    """Say that at once, then behave otherwise."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, data)
        await then(found, reader, writer)

    return behave


def without_end(data: bytes) -> Behaviour:
    """Say that for ever."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await found.send(writer, data)

    return behave


async def closes(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say no more and hang up."""


async def a_byte_a_tenth(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await found.send(writer, b"x")
        await asyncio.sleep(0.1)


def packet(payload: bytes) -> bytes:
    """Return a packet in clear."""
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


BANNER = b"SSH-2.0-Peer\r\n"
BAD: dict[str, tuple[Behaviour, Cause, str]] = {
    "keeps silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE, "no answer within"),
    "speaks a byte at a time": (a_byte_a_tenth, Cause.TIMEOUT_TOTAL, "the answer did not end"),
    "says its banner and no more": (says(BANNER), Cause.TIMEOUT_TOTAL, "the answer did not end"),
    "hangs up": (closes, Cause.RESET, ""),
    "hangs up after its banner": (says(BANNER, then=closes), Cause.RESET, ""),
    "resets": (peers.resets, Cause.RESET, ""),
    "lets nobody in": (says(b"Not allowed at this time\r\n", then=closes), Cause.RESET, ""),
    "is a mail server": (says(b"220 mail.test ESMTP\r\n"), Cause.TIMEOUT_TOTAL, ""),
    "says lines without end": (
        without_end(b"welcome\r\n" * 1000),
        Cause.PROTOCOL,
        "said 50 lines and no banner of SSH",
    ),
    "says a line without end": (
        without_end(b"x" * 65536),
        Cause.PROTOCOL,
        "sent more than 8192 bytes without an end",
    ),
    "is too old": (
        says(b"SSH-1.5-Cisco-1.25\n"),
        Cause.PROTOCOL,
        "speaks SSH 1.5, which nobody speaks any more",
    ),
    "has no name": (
        says(b"SSH-2.0\r\n"),
        Cause.PROTOCOL,
        "names its protocol in no way that can be read: 'SSH-2.0'",
    ),
    "sends a giant": (
        says(BANNER + b"\x7f\xff\xff\xff" * 100),
        Cause.PROTOCOL,
        "broke off the exchange of keys",
    ),
    "sends no packets": (says(BANNER + b"x" * 5000), Cause.PROTOCOL, "broke off the exchange of keys"),
    "sends packets without end": (
        says(BANNER, then=without_end(packet(b"\x02" + b"\x00\x00\x01\x00" + b"x" * 256) * 100)),
        Cause.PROTOCOL,
        "sent more than 1024 KiB",
    ),
    "sends something else first": (
        says(BANNER + packet(b"\x15")),
        Cause.PROTOCOL,
        "broke off the exchange of keys",
    ),
    "offers nothing": (
        says(BANNER + packet(b"\x14" + bytes(16) + bytes(4) * 10 + bytes(5))),
        Cause.PROTOCOL,
        "nothing in common: no acceptable kex algorithm; its host keys: nothing that is known",
    ),
    "says good-bye": (
        says(BANNER + packet(b"\x01" + bytes(4) + b"\x00\x00\x00\x09not today" + bytes(4))),
        Cause.RESET,
        "hung up during the exchange of keys: not today",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_speaks_no_ssh_or_bad_ssh_is_down_in_time(tmp_path: Path, what: str) -> None:
    behave, cause, found = BAD[what]

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            return await looking.look("ssh", {"port": peer.port}, seconds=1.0)

    seen = seen_of(tmp_path, see)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)
    assert no_thread_is_left()


def test_lines_for_people_may_stand_before_the_banner(tmp_path: Path) -> None:
    async def see(looking: Looker) -> Observation:
        async with peers.peer(says(b"Authorised use only\r\n" * 10 + BANNER, then=closes)) as peer:
            return await looking.look(
                "ssh", {"port": peer.port, "expect": {"contains": "OpenSSH"}}, seconds=30.0
            )

    assert seen_of(tmp_path, see).found == "the banner is 'SSH-2.0-Peer', expected 'OpenSSH' in it"


def no_thread_is_left() -> bool:
    """Wait until no thread of a session is there any more."""

    def none() -> bool:
        return not [
            one for one in threading.enumerate() if "Transport" in type(one).__name__ or "client" in one.name
        ]

    wait_for(none, what="the end of every session")
    return True


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host_key": "aa:bb:cc"}, "expected the fingerprint of a host key"),
        ({"host_key": [STRANGE, 7]}, "expected the fingerprint of a host key"),
        ({"login": {"user": "ana"}}, "either by key or by password"),
        ({"login": {"user": "ana", "key": "/a", "password": "b"}}, "either by key or by password"),
        ({"login": {"user": "ana", "password": "b", "passphrase": "c"}}, "passphrase opens a locked key"),
        ({"login": {"user": "a\nb", "password": "b"}}, "control character"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        SshOptions.model_validate({"host": "ok.test", **given})


def test_the_short_form_is_a_port_or_a_place() -> None:
    assert KIND.short("[2001:db8::1]:2222") == {"host": "2001:db8::1", "port": 2222}
    options = SshOptions.model_validate({"host": "2001:db8::1", "port": 2222, "host_key": "${KEY}"})
    assert KIND.service(options) is Service.FILES
    assert KIND.build(options).target == "[2001:db8::1]:2222"
    assert (KIND.needs, KIND.extra) == (("paramiko",), "ssh")
    with pytest.raises(ValueError, match="short form of ssh"):
        KIND.short(None)


def test_a_session_ends_with_its_deadline(tmp_path: Path) -> None:
    async def see(looking: Looker) -> Observation:
        async with peers.peer(says(BANNER)) as peer:
            return await looking.look("ssh", {"port": peer.port}, seconds=1.0)

    began = time.monotonic()
    seen = seen_of(tmp_path, see)
    assert seen.took_ms >= 900
    assert time.monotonic() - began < 30
