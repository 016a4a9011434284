"""Looks at file servers: a real vsftpd in clear and in TLS, and peers that speak FTP badly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.contract import Look
from monitor.checks.ftp import KIND, FtpOptions
from monitor.health.words import Service
from monitor.observation import Cause, Observation, Outcome
from tests.servers import faults, peers
from tests.servers.certificates import Files, make_files
from tests.servers.file_server import PASSWORD, FileServer
from tests.servers.looking import NO_SECRETS, Looker, TestSecrets, looker
from tests.servers.peers import Behaviour, Peer, refused_port

VSFTPD = pytest.mark.system("vsftpd")
ANONYMOUS = {"user": "anonymous", "password": PASSWORD}
HOWS: dict[str, tuple[dict[str, Any], str]] = {
    "in clear": ({}, ""),
    "with AUTH TLS": ({"starttls": True}, "force_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n"),
    "inside TLS": ({"tls": True}, "implicit_ssl=YES\n"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Mapping[str, FileServer]]:
    found = {
        how: FileServer(tmp_path_factory.mktemp("vsftpd"), None if how == "in clear" else files, more)
        for how, (_, more) in HOWS.items()
    }
    for server in found.values():
        server.start()
    yield found
    for server in found.values():
        server.stop()


def seen_of(
    folder: Path, files: Files | None, see: Callable[[Looker], Awaitable[Observation]]
) -> Observation:
    async def main() -> Observation:
        async with looker(folder, files.ca if files else None) as looking:
            return await see(looking)

    return uvloop.run(main())


def look(
    folder: Path,
    files: Files | None,
    options: dict[str, Any],
    *,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    return seen_of(
        folder, files, lambda looking: looking.look("ftp", options, seconds=seconds, secrets=secrets)
    )


def entries_of(seen: Observation) -> list[float]:
    return [one.value for one in seen.measures if (one.name, one.unit) == ("entries", "")]


LINES: dict[str, tuple[Behaviour, Cause | None]] = {
    "a black hole": (faults.stalls(), Cause.TIMEOUT_FIRST_BYTE),
    "goes silent": (faults.stalls(30), Cause.TIMEOUT_TOTAL),
    "trickles": (faults.trickles(0.1), Cause.TIMEOUT_TOTAL),
    "hangs up": (faults.hangs_up(30), Cause.RESET),
    "half closes": (faults.half_closes(30), Cause.RESET),
    "resets": (faults.resets(30), Cause.RESET),
    "garbles": (faults.garbles(), None),
}


@VSFTPD
class TestARealServer:
    @pytest.mark.parametrize("how", HOWS)
    def test_it_greets_lets_in_and_lists(
        self, tmp_path: Path, files: Files, servers: Mapping[str, FileServer], how: str
    ) -> None:
        server, options = servers[how], HOWS[how][0]
        greeted = look(
            tmp_path, files, {"port": server.port, **options, "expect": {"contains": "Files of the test"}}
        )
        assert (greeted.outcome, greeted.found, greeted.measures) == (Outcome.OK, "", ())
        let_in = look(tmp_path, files, {"port": server.port, **options, "login": ANONYMOUS})
        assert (let_in.outcome, let_in.found) == (Outcome.OK, "")
        listing = {"login": ANONYMOUS, "list": f"{server.root}/pub", "expect": {"entries": {"min": 2}}}
        listed = look(tmp_path, files, {"port": server.port, **options, **listing})
        assert (listed.outcome, listed.found, entries_of(listed)) == (Outcome.OK, "", [2])
        assert (listed.tls_expires_at is not None) is (how != "in clear")
        assert ("tls" in listed.phases) is (how != "in clear")

    @pytest.mark.parametrize("how", ["with AUTH TLS", "inside TLS"])
    def test_a_certificate_for_another_name_is_down_before_anything_is_said(
        self, tmp_path: Path, files: Files, servers: Mapping[str, FileServer], how: str
    ) -> None:
        given = {"host": "other.test", "port": servers[how].port, **HOWS[how][0], "login": ANONYMOUS}
        seen = look(tmp_path, files, given)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_HOST)
        assert look(tmp_path, files, {**given, "verify": False}).outcome is Outcome.OK
        assert look(tmp_path, files, {**given, "tls_name": "ok.test"}).outcome is Outcome.OK

    def test_a_certificate_near_its_end_is_a_warning(
        self, tmp_path: Path, files: Files, servers: Mapping[str, FileServer]
    ) -> None:
        given = {"port": servers["inside TLS"].port, "tls": True, "certificate": "9999999d"}
        seen = look(tmp_path, files, given)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)

    def test_an_empty_place_has_no_entries(self, tmp_path: Path, servers: Mapping[str, FileServer]) -> None:
        server = servers["in clear"]
        given = {"port": server.port, "login": ANONYMOUS, "list": f"{server.root}/empty place"}
        seen = look(tmp_path, None, given)
        assert (seen.outcome, entries_of(seen)) == (Outcome.OK, [0])
        seen = look(tmp_path, None, {**given, "expect": {"entries": {}}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
        assert seen.found == "listed 0 entries, expected at least 1"

    def test_a_place_that_is_not_there_is_down(
        self, tmp_path: Path, servers: Mapping[str, FileServer]
    ) -> None:
        given = {"port": servers["in clear"].port, "login": ANONYMOUS, "list": "/no/such place"}
        seen = look(tmp_path, None, given)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
        assert seen.found == "550 Failed to change directory., expected 200 or 250"

    def test_a_wrong_password_is_a_refused_login_and_never_shown(
        self, tmp_path: Path, servers: Mapping[str, FileServer]
    ) -> None:
        options = {"port": servers["in clear"].port, "login": {"user": "anonymous", "password": "${PW}"}}
        assert look(tmp_path, None, options, secrets=TestSecrets({"PW": PASSWORD})).outcome is Outcome.OK
        seen = look(tmp_path, None, options, secrets=TestSecrets({"PW": "correct-horse"}))
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert seen.found == "the login was refused: 530 Login incorrect."
        assert "correct-horse" not in repr(seen)
        assert '"anonymous:${PW}"' in seen.reproduce

    def test_a_server_that_wants_tls_refuses_a_login_in_clear(
        self, tmp_path: Path, servers: Mapping[str, FileServer]
    ) -> None:
        seen = look(tmp_path, None, {"port": servers["with AUTH TLS"].port, "login": ANONYMOUS})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert "must use encryption" in seen.found

    def test_a_server_without_tls_begins_none(
        self, tmp_path: Path, servers: Mapping[str, FileServer]
    ) -> None:
        seen = look(tmp_path, None, {"port": servers["in clear"].port, "starttls": True, "login": ANONYMOUS})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
        assert seen.found.startswith("530 Please login with USER and PASS")

    def test_a_greeting_may_be_expected(self, tmp_path: Path, servers: Mapping[str, FileServer]) -> None:
        seen = look(tmp_path, None, {"port": servers["in clear"].port, "expect": {"contains": "ProFTPD"}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
        assert seen.found == "the greeting is '220 Files of the test', expected 'ProFTPD' in it"

    def test_slower_than_expected_is_a_warning(
        self, tmp_path: Path, servers: Mapping[str, FileServer]
    ) -> None:
        async def see(looking: Looker) -> Observation:
            async with faults.fault_proxy(servers["in clear"].port, faults.delays(0.2)) as proxy:
                options = {"port": proxy.port, "expect": {"within": "100ms"}}
                return await looking.look("ftp", options, seconds=30.0)

        seen = seen_of(tmp_path, None, see)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)

    @pytest.mark.parametrize("what", LINES)
    def test_a_server_behind_a_bad_line_is_down_in_time(
        self, tmp_path: Path, servers: Mapping[str, FileServer], what: str
    ) -> None:
        fault, cause = LINES[what]

        async def see(looking: Looker) -> Observation:
            async with faults.fault_proxy(servers["in clear"].port, fault) as proxy:
                return await looking.look("ftp", {"port": proxy.port, "login": ANONYMOUS}, seconds=1.0)

        seen = seen_of(tmp_path, None, see)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in ({cause} if cause else {Cause.PROTOCOL, Cause.TIMEOUT_TOTAL}), seen.found

    @pytest.mark.system("curl", "openssl", "nc", "grep", "timeout")
    @pytest.mark.parametrize("how", HOWS)
    @pytest.mark.parametrize(
        "what",
        ["greets", "lets in", "lists", "lists no such place", "refuses", "is not there", "is a stranger"],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, files: Files, servers: Mapping[str, FileServer], how: str, what: str
    ) -> None:
        if (how, what) == ("in clear", "is a stranger"):
            what = "greets"
        server = servers[how]
        options: dict[str, dict[str, Any]] = {
            "greets": {},
            "lets in": {"login": ANONYMOUS},
            "lists": {"login": ANONYMOUS, "list": f"{server.root}/empty place"},
            "lists no such place": {"login": ANONYMOUS, "list": "/no such place"},
            "refuses": {"login": {"user": "ftp", "password": "wrong"}},
            "is not there": {"port": refused_port()},
            "is a stranger": {"host": "other.test"},
        }
        given = {"host": "ok.test", "port": server.port, "ca": str(files.ca), **HOWS[how][0], **options[what]}

        async def main() -> tuple[bool, bool]:
            async with looker(tmp_path) as looking:
                seen = await looking.look("ftp", given, seconds=30.0)
                check = KIND.build(FtpOptions.model_validate(given))
                line = seen.reproduce or check.reproduce(
                    Look(outcome=seen.outcome, address=seen.address), timedelta(seconds=30)
                )
                run = await asyncio.create_subprocess_shell(
                    line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
                )
                return seen.outcome is Outcome.OK, await run.wait() == 0

        fine, repeated = uvloop.run(main())
        assert fine is (what in {"greets", "lets in", "lists"})
        assert repeated is fine

    def test_a_server_that_stops_is_refused_and_comes_back(self, tmp_path: Path) -> None:
        found = FileServer(tmp_path)
        found.start()
        try:
            assert look(tmp_path, None, {"port": found.port}).outcome is Outcome.OK
            found.stop()
            assert look(tmp_path, None, {"port": found.port}).cause is Cause.REFUSED
            found.start()
            assert look(tmp_path, None, {"port": found.port}).outcome is Outcome.OK
        finally:
            found.stop()

    def test_a_server_that_is_full_says_so(self, tmp_path: Path) -> None:
        found = FileServer(tmp_path, more="max_clients=1\n")
        found.start()

        async def see(looking: Looker) -> Observation:
            writer = await seat(found.port)
            try:
                return await looking.look("ftp", {"port": found.port}, seconds=30.0)
            finally:
                writer.close()

        try:
            seen = seen_of(tmp_path, None, see)
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
            assert seen.found.startswith("421 There are too many connected users")
        finally:
            found.stop()


async def seat(port: int) -> asyncio.StreamWriter:
    """Take the only seat of a server, once it has seen that whoever had it before is gone."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if (await reader.readline()).startswith(b"220"):
            return writer
        writer.close()


def says(*replies: str, then: Behaviour = peers.silent) -> Behaviour:
    """Greet with the first, answer every command in turn with the others, then behave otherwise."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, one in enumerate(replies):
            if number:
                await reader.readline()
            await found.send(writer, one.encode())
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


async def cuts(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    peers.cut(writer)


LET_IN = ("220 Peer\r\n", "331 Password\r\n", "230 In\r\n")
BAD: dict[str, tuple[Behaviour, Cause, str]] = {
    "keeps silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE, "no answer within"),
    "goes silent": (says("220 Peer\r\n"), Cause.TIMEOUT_TOTAL, "the answer did not end"),
    "greets for ever": (
        without_end(b"220-and more\r\n" * 1000),
        Cause.PROTOCOL,
        "sent a reply of more than 200 lines",
    ),
    "says a line without end": (
        without_end(b"2" * 65536),
        Cause.PROTOCOL,
        "sent more than 8192 bytes without an end",
    ),
    "will be ready for ever": (without_end(b"120 soon\r\n" * 1000), Cause.STATUS, "120 soon, expected 220"),
    "hangs up": (closes, Cause.RESET, "hung up before its answer was whole"),
    "is an SSH server": (says("SSH-2.0-Peer\r\n"), Cause.PROTOCOL, "does not speak FTP: 'SSH-2.0-Peer'"),
    "is closed": (says("421 Closed for today\r\n"), Cause.STATUS, "421 Closed for today, expected 220"),
    "is too busy for a login": (
        says("220 Peer\r\n", "421 Not now\r\n"),
        Cause.STATUS,
        "lets nobody log in now: 421 Not now",
    ),
    "knows nobody": (says("220 Peer\r\n", "530 Who?\r\n"), Cause.LOGIN, "the login was refused: 530 Who?"),
    "refuses as RFC 2228 may": (
        says("220 Peer\r\n", "331 P\r\n", "430 No\r\n"),
        Cause.LOGIN,
        "the login was refused: 430",
    ),
    "speaks of no port": (
        says(*LET_IN, "250 There\r\n", "229 ok\r\n"),
        Cause.PROTOCOL,
        "names no port for its data: '229",
    ),
    "has an impossible port": (
        says(*LET_IN, "250 There\r\n", "229 (|||99999|)\r\n"),
        Cause.PROTOCOL,
        "names no port for its data",
    ),
    "has no passive mode": (
        says(*LET_IN, "250 There\r\n", "500 What?\r\n", "502 No\r\n"),
        Cause.STATUS,
        "502 No, expected 227",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_speaks_no_ftp_or_bad_ftp_is_down_in_time(tmp_path: Path, what: str) -> None:
    behave, cause, found = BAD[what]

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            options = {"port": peer.port, "login": {"user": "anonymous"}, "list": "/"}
            seen = await looking.look("ftp", options, seconds=1.0)
            assert peer.sent < 16 << 20
            return seen

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)


def lists(
    data: Behaviour, *after: str, port: int | None = None, host: str = "10.9.8.7", epsv: bool = False
) -> Behaviour:
    """Let everybody in and list as `data` does, on a port that stands beside another `host`; `after` is what follows LIST."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with peers.peer(data) as listing:
            at = listing.port if port is None else port
            place = f"{host.replace('.', ',')},{at >> 8},{at & 255}"
            modes = (f"229 Here (|||{at}|)\r\n",) if epsv else ("500 What?\r\n", f"227 Here ({place}).\r\n")
            replies = (*LET_IN, "250 There\r\n", *modes, *after)
            await says(*replies)(found, reader, writer)

    return behave


def sends(data: bytes, then: Behaviour = closes) -> Behaviour:
    """Send that at once."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, data)
        await then(found, reader, writer)

    return behave


ENTRIES = b"total 12\r\ndrwxr-xr-x 2 0 0 4096 Nov 22 .\r\ndrwxr-xr-x 2 0 0 4096 Nov 22 ..\r\n-rw-r--r-- 1 0 0 4 Nov 22 a b\r\n"
LISTS: dict[str, tuple[Behaviour, Cause | None, str]] = {
    "is fine": (lists(sends(ENTRIES), "150 Now\r\n226 Done\r\n"), None, "1"),
    "is fine by EPSV": (lists(sends(ENTRIES), "150 Now\r\n226 Done\r\n", epsv=True), None, "1"),
    "ends without a line end": (lists(sends(b"a\r\nb"), "125 Now\r\n250 Done\r\n"), None, "2"),
    "is empty and says so": (lists(sends(b""), "226 Nothing here\r\n"), None, "0"),
    "is longer than is read": (lists(without_end(b"x" * 62 + b"\r\n"), "150 Now\r\n"), None, "4096"),
    "is refused": (lists(sends(b""), "425 Cannot\r\n"), Cause.STATUS, "425 Cannot, expected 125 or 150"),
    "breaks off": (
        lists(sends(ENTRIES), "150 Now\r\n426 Broken\r\n"),
        Cause.STATUS,
        "426 Broken, expected 226 or 250",
    ),
    "never comes": (lists(peers.silent, "150 Now\r\n"), Cause.TIMEOUT_FIRST_BYTE, "data connection to port "),
    "never ends": (
        lists(sends(b"a", then=peers.silent), "150 Now\r\n"),
        Cause.TIMEOUT_TOTAL,
        "data connection to port ",
    ),
    "is reset": (
        lists(sends(b"a", then=cuts), "150 Now\r\n451 The disk is gone\r\n"),
        Cause.STATUS,
        "451 The disk is gone, expected 226 or 250",
    ),
    "is behind a wall": (
        lists(closes, port=1),
        Cause.REFUSED,
        "data connection to port 1: the connection was refused",
    ),
}


@pytest.mark.parametrize("what", LISTS)
def test_the_data_connection_goes_to_the_address_that_was_asked(tmp_path: Path, what: str) -> None:
    """Whatever address a server names: it might be anybody's."""
    behave, cause, found = LISTS[what]

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            options = {"port": peer.port, "login": {"user": "anonymous"}, "list": "/"}
            return await looking.look("ftp", options, seconds=3.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.cause, seen.address) == (cause, "127.0.0.1"), seen.found
    if cause is None:
        assert entries_of(seen) == [float(found)]
    else:
        assert seen.outcome is Outcome.DOWN
        assert seen.found.startswith(found)


def test_nothing_is_said_before_tls_stands(tmp_path: Path) -> None:
    asked = bytearray()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.send(writer, b"220 Peer\r\n")
        asked.extend(await reader.readline())
        await peer.send(writer, b"234 Go on\r\n230 You are in already\r\n")
        while data := await reader.read(4096):
            asked.extend(data)

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            options = {"port": peer.port, "starttls": True, "login": ANONYMOUS}
            return await looking.look("ftp", options, seconds=1.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.found == "said more in clear after it had agreed to TLS"
    assert bytes(asked) == b"AUTH TLS\r\n"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls": True, "starttls": True}, "not both"),
        ({"list": "/pub"}, "a listing needs a login"),
        ({"login": {"user": "anonymous"}, "list": "pub"}, "expected a path that begins with /"),
        ({"login": {"user": "anonymous"}, "list": "/pub\r\nDELE x"}, "control character"),
        ({"login": {"user": "ana"}}, "a user other than anonymous needs a password"),
        ({"login": {"user": "a\nb", "password": "x"}}, "control character"),
        ({"expect": {"entries": {"min": 1}}}, "entries counts what a listing shows"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        FtpOptions.model_validate({"host": "ok.test", **given})


@pytest.mark.parametrize(
    ("given", "port", "at_once"),
    [
        ({}, 21, False),
        ({"tls": True}, 990, True),
        ({"port": 990}, 990, True),
        ({"port": 990, "starttls": True}, 990, False),
        ({"port": 990, "tls": False}, 990, False),
    ],
)
def test_the_port_tells_how_tls_begins(given: dict[str, Any], port: int, at_once: bool) -> None:
    options = FtpOptions.model_validate({"host": "ok.test", **given})
    assert (options.at_port, options.at_once) == (port, at_once)
    assert KIND.service(options) is Service.FILES
    assert KIND.build(options).target == f"ok.test:{port}"


def test_the_short_form_is_a_port_or_a_place() -> None:
    assert KIND.short("ftp.test:990") == {"host": "ftp.test", "port": 990}
    with pytest.raises(ValueError, match="short form of ftp"):
        KIND.short(None)
