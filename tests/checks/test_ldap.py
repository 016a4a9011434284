"""Looks at directories: a real slapd, and peers that speak LDAP badly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.ldap import KIND, LdapOptions
from monitor.checks.remote import ldap_messages as messages
from monitor.checks.remote.ldap_filter import tlv
from monitor.health.words import Service
from monitor.observation import Cause, Observation, Outcome
from tests.servers import faults, peers
from tests.servers.certificates import Files, make_files
from tests.servers.directory import ADMIN, BASE, PASSWORD, Directory
from tests.servers.looking import NO_SECRETS, Looker, TestSecrets, looker
from tests.servers.peers import Behaviour, Peer, refused_port

SLAPD = pytest.mark.system("slapd", "slapadd")
LOGIN = {"dn": ADMIN, "password": PASSWORD}
PEOPLE = {"base": BASE, "filter": "(objectClass=person)"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Directory]:
    found = Directory(tmp_path_factory.mktemp("directory"), files)
    found.start()
    yield found
    found.stop()


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
        folder, files, lambda looking: looking.look("ldap", options, seconds=seconds, secrets=secrets)
    )


@SLAPD
class TestARealDirectory:
    def test_the_entry_of_the_server_itself_is_found_by_nobody_in_particular(
        self, tmp_path: Path, directory: Directory
    ) -> None:
        seen = look(tmp_path, None, {"port": directory.port})
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert [(one.name, one.value, one.unit) for one in seen.measures] == [("entries", 1, "")]
        assert {"connect", "first_byte", "total"} <= set(seen.phases)
        assert seen.tls_expires_at is None

    @pytest.mark.parametrize("how", [{"starttls": True}, {"tls": True}])
    def test_it_is_found_inside_tls(
        self, tmp_path: Path, directory: Directory, files: Files, how: dict[str, Any]
    ) -> None:
        port = directory.secured_port if "tls" in how else directory.port
        seen = look(tmp_path, files, {"host": "ok.test", "port": port, "bind": LOGIN, **how})
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.tls_expires_at is not None
        assert "tls" in seen.phases

    @pytest.mark.parametrize("how", [{"starttls": True}, {"tls": True}])
    def test_a_certificate_for_another_name_is_down_and_nothing_is_said_to_it(
        self, tmp_path: Path, directory: Directory, files: Files, how: dict[str, Any]
    ) -> None:
        port = directory.secured_port if "tls" in how else directory.port
        seen = look(tmp_path, files, {"host": "other.test", "port": port, **how})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_HOST)
        assert look(
            tmp_path, files, {"host": "other.test", "tls_name": "ok.test", "port": port, **how}
        ).outcome is (Outcome.OK)

    def test_a_certificate_near_its_end_is_a_warning(
        self, tmp_path: Path, directory: Directory, files: Files
    ) -> None:
        options = {"port": directory.secured_port, "tls": True, "certificate": "9999999d"}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)

    @pytest.mark.parametrize(
        ("filter_", "scope", "entries"),
        [
            ("(objectClass=person)", "sub", 3),
            ("(|(cn=ana)(cn=ber*))", "one", 2),
            ("(&(objectClass=person)(!(cn=*ar*)))", "sub", 2),
            ("(cn:caseExactMatch:=ana)", "sub", 1),
            ("objectClass=*", "base", 1),
            ("(cn=\\61na)", "sub", 1),
        ],
    )
    def test_entries_are_counted(
        self, tmp_path: Path, directory: Directory, filter_: str, scope: str, entries: int
    ) -> None:
        search = {"base": BASE, "filter": filter_, "scope": scope}
        seen = look(tmp_path, None, {"port": directory.port, "search": search})
        assert (seen.outcome, [one.value for one in seen.measures]) == (Outcome.OK, [entries])

    def test_fewer_entries_than_expected_are_down(self, tmp_path: Path, directory: Directory) -> None:
        options = {"port": directory.port, "search": PEOPLE, "expect": {"entries": {"min": 4}}}
        seen = look(tmp_path, None, options)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
        assert seen.found == "found 3 entries, expected at least 4"
        options["search"] = {"base": BASE, "filter": "(cn=nobody)"}
        options["expect"] = {"entries": {"min": 0}}
        assert look(tmp_path, None, options).outcome is Outcome.OK

    def test_a_base_that_is_not_there_is_down(self, tmp_path: Path, directory: Directory) -> None:
        seen = look(tmp_path, None, {"port": directory.port, "search": {"base": f"ou=nowhere,{BASE}"}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
        assert seen.found == "the search failed: 32 noSuchObject"

    def test_a_wrong_password_is_a_refused_login_and_never_shown(
        self, tmp_path: Path, directory: Directory
    ) -> None:
        options = {"port": directory.port, "bind": {"dn": ADMIN, "password": "${PW}"}}
        assert look(tmp_path, None, options, secrets=TestSecrets({"PW": PASSWORD})).outcome is Outcome.OK
        seen = look(tmp_path, None, options, secrets=TestSecrets({"PW": "correct-horse"}))
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert seen.found == "the login was refused: 49 invalidCredentials"
        assert "correct-horse" not in repr(seen)
        assert '"${PW}"' in seen.reproduce

    def test_slower_than_expected_is_a_warning(self, tmp_path: Path, directory: Directory) -> None:
        async def see(looking: Looker) -> Observation:
            async with faults.fault_proxy(directory.port, faults.delays(0.2)) as proxy:
                return await looking.look(
                    "ldap", {"port": proxy.port, "expect": {"within": "100ms"}}, seconds=30.0
                )

        seen = seen_of(tmp_path, None, see)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)

    @pytest.mark.system("ldapsearch", "timeout", "awk")
    @pytest.mark.parametrize(
        ("options", "outcome"),
        [
            ({}, Outcome.OK),
            ({"search": PEOPLE, "bind": LOGIN, "expect": {"entries": {"min": 3}}}, Outcome.OK),
            ({"search": PEOPLE, "expect": {"entries": {"min": 4}}}, Outcome.DOWN),
            ({"bind": {**LOGIN, "password": "wrong"}}, Outcome.DOWN),
            ({"search": {"base": "ou=nowhere"}}, Outcome.DOWN),
            ({"starttls": True, "bind": LOGIN}, Outcome.OK),
            ({"tls": True, "search": PEOPLE}, Outcome.OK),
            ({"tls": True, "ca": ""}, Outcome.DOWN),
            ({"tls": True, "ca": "", "verify": False}, Outcome.OK),
            ({"port": 0}, Outcome.DOWN),
        ],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, directory: Directory, files: Files, options: dict[str, Any], outcome: Outcome
    ) -> None:
        port = directory.secured_port if options.get("tls") else directory.port
        given = {"port": port, "ca": str(files.ca), **options}
        if given["port"] == 0:
            given["port"] = refused_port()
        if not given["ca"]:
            given["ca"] = str(make_files(tmp_path).ca)

        async def main() -> tuple[Outcome, int]:
            async with looker(tmp_path) as looking:
                seen = await looking.look("ldap", given, seconds=30.0)
                line = check_line(given, seen)
                run = await asyncio.create_subprocess_shell(
                    line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
                )
                return seen.outcome, await run.wait()

        assert uvloop.run(main()) == (outcome, 0 if outcome is Outcome.OK else 1)

    def test_a_directory_that_stops_is_refused_and_comes_back(self, tmp_path: Path, files: Files) -> None:
        found = Directory(tmp_path, files)
        found.start()
        try:
            assert look(tmp_path, None, {"port": found.port}).outcome is Outcome.OK
            found.stop()
            assert look(tmp_path, None, {"port": found.port}).cause is Cause.REFUSED
            found.start()
            assert look(tmp_path, None, {"port": found.port}).outcome is Outcome.OK
        finally:
            found.stop()

    def test_a_directory_that_wants_to_know_everybody_refuses_nobody(
        self, tmp_path: Path, files: Files
    ) -> None:
        found = Directory(tmp_path, files, more="disallow bind_anon")
        found.start()
        try:
            seen = look(tmp_path, None, {"port": found.port})
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
            assert seen.found.startswith("nobody may look without a login: 48 inappropriateAuthentication")
            assert look(tmp_path, None, {"port": found.port, "bind": LOGIN}).outcome is Outcome.OK
        finally:
            found.stop()


def check_line(options: dict[str, Any], seen: Observation) -> str:
    """Return the line of a look, which an observation keeps only when the look was not fine."""
    if seen.reproduce:
        return seen.reproduce
    check = KIND.build(LdapOptions.model_validate({"host": "127.0.0.1", **options}))
    line: str = check.reproduce(None, timedelta(seconds=30))
    return line


def answer(number: int, operation: int, code: int = 0, said: str = "") -> bytes:
    """Return a message of a server."""
    result = tlv(0x0A, bytes([code])) + tlv(0x04, b"") + tlv(0x04, said.encode())
    return tlv(0x30, tlv(0x02, bytes([number])), tlv(operation, result))


ENTRY = tlv(0x30, tlv(0x02, b"\x03"), tlv(messages.ENTRY, tlv(0x04, b"cn=ana"), tlv(0x30)))


def says(*answers: bytes, then: Behaviour = peers.silent) -> Behaviour:
    """Answer every question in turn with these, then behave otherwise."""

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in answers:
            await reader.read(4096)
            await found.send(writer, one)
        await then(found, reader, writer)

    return behave


BOUND = answer(2, messages.BIND)


async def hangs_up(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)


async def closes(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say no more and hang up."""


async def entries_without_end(
    found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        await found.send(writer, ENTRY * 1000)


async def references_without_end(
    found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        await found.send(writer, tlv(0x30, tlv(0x02, b"\x03"), tlv(messages.REFERENCE, b"")) * 1000)


async def one_byte_a_tenth(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await found.send(writer, b"\x30\x84\x00\x00\xff\xff")
    while True:
        await found.send(writer, b"\x02")
        await asyncio.sleep(0.1)


BAD: dict[str, tuple[Behaviour, Cause, str]] = {
    "keeps silent": (peers.silent, Cause.TIMEOUT_FIRST_BYTE, "no answer within"),
    "speaks a byte at a time": (one_byte_a_tenth, Cause.TIMEOUT_TOTAL, "the answer did not end"),
    "goes silent": (says(BOUND), Cause.TIMEOUT_TOTAL, "the answer did not end"),
    "hangs up": (hangs_up, Cause.RESET, "hung up before its answer was whole"),
    "hangs up in a message": (
        says(BOUND, BOUND[:5], then=closes),
        Cause.RESET,
        "hung up before its answer",
    ),
    "resets": (peers.resets, Cause.RESET, ""),
    "is a mail server": (peers.other_protocol, Cause.PROTOCOL, "what came is no message of LDAP"),
    "announces a giant": (
        says(b"\x30\x84\x7f\xff\xff\xff" + b"x" * 100),
        Cause.PROTOCOL,
        "announced a message of 2147483647 bytes",
    ),
    "announces no length": (says(b"\x30\x80" + b"x" * 100), Cause.PROTOCOL, "a message without a length"),
    "announces nine bytes of length": (
        says(b"\x30\x89" + b"\1" * 99),
        Cause.PROTOCOL,
        "a message without a length",
    ),
    "ends too early": (says(b"\x30\x03\x02\x01\x02"), Cause.PROTOCOL, "a message that ends too early"),
    "answers another number": (says(answer(9, messages.BIND)), Cause.PROTOCOL, "answered another question"),
    "answers another operation": (
        says(answer(2, messages.DONE)),
        Cause.PROTOCOL,
        "answered another question",
    ),
    "is busy": (
        says(answer(2, messages.BIND, 51, "later")),
        Cause.STATUS,
        "lets nobody log in now: 51 busy (later)",
    ),
    "wants more": (
        says(answer(2, messages.BIND, 8)),
        Cause.LOGIN,
        "nobody may look without a login: 8 strongerAuth",
    ),
    "ends unasked": (
        says(answer(0, messages.EXTENDED, 52, "bye")),
        Cause.STATUS,
        "hung up: 52 unavailable (bye)",
    ),
    "finds nothing": (
        says(BOUND, answer(3, messages.DONE)),
        Cause.CONTENT,
        "found 0 entries, expected at least 1",
    ),
    "fails to search": (
        says(BOUND, answer(3, messages.DONE, 1, "bind\0")),
        Cause.STATUS,
        "the search failed: 1 operationsError (bind)",
    ),
    "refers without end": (
        says(BOUND, then=references_without_end),
        Cause.PROTOCOL,
        "sent more than 1000 answers",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_speaks_no_ldap_or_bad_ldap_is_down_in_time(tmp_path: Path, what: str) -> None:
    behave, cause, found = BAD[what]

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            return await looking.look("ldap", {"port": peer.port}, seconds=1.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)
    assert "\x00" not in seen.excerpt


def test_no_more_entries_are_read_than_were_asked_for(tmp_path: Path) -> None:
    async def see(looking: Looker) -> Observation:
        async with peers.peer(says(BOUND, then=entries_without_end)) as peer:
            return await looking.look("ldap", {"port": peer.port}, seconds=30.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, [one.value for one in seen.measures]) == (Outcome.OK, [500])


def test_a_server_may_say_that_there_would_be_more(tmp_path: Path) -> None:
    async def see(looking: Looker) -> Observation:
        async with peers.peer(says(BOUND, ENTRY * 2 + answer(3, messages.DONE, 4))) as peer:
            return await looking.look("ldap", {"port": peer.port}, seconds=30.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, [one.value for one in seen.measures]) == (Outcome.OK, [2])


@pytest.mark.parametrize(
    ("agreed", "cause", "found"),
    [
        (
            answer(1, messages.EXTENDED, 2, "unsupported"),
            Cause.PROTOCOL,
            "does not begin TLS: 2 protocolError (unsup",
        ),
        (
            answer(1, messages.EXTENDED) + BOUND,
            Cause.PROTOCOL,
            "said more in clear after it had agreed to TLS",
        ),
        (answer(1, messages.EXTENDED), Cause.TIMEOUT_TLS, "no TLS handshake within"),
    ],
)
def test_nothing_is_said_before_tls_stands(tmp_path: Path, agreed: bytes, cause: Cause, found: str) -> None:
    asked = bytearray()

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.read(4096))
        await peer.send(writer, agreed)
        while data := await reader.read(4096):
            asked.extend(data)

    async def see(looking: Looker) -> Observation:
        async with peers.peer(behave) as peer:
            options = {"port": peer.port, "starttls": True, "bind": LOGIN}
            return await looking.look("ldap", options, seconds=1.0)

    seen = seen_of(tmp_path, None, see)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.found.startswith(found)
    assert PASSWORD.encode() not in bytes(asked)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls": True, "starttls": True}, "not both"),
        ({"bind": {"dn": ADMIN}}, "password"),
        ({"bind": {"dn": ADMIN, "password": ""}}, "password"),
        ({"search": {"filter": "(cn=ana"}}, 'a bracket is missing in the text "(cn=ana"'),
        ({"search": {"scope": "everything"}}, "'base', 'one' or 'sub'"),
        ({"expect": {"entries": {"min": 501}}}, "500"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence.replace("(", r"\(")):
        LdapOptions.model_validate({"host": "ok.test", **given})


@pytest.mark.parametrize(
    ("given", "port", "at_once"),
    [
        ({}, 389, False),
        ({"tls": True}, 636, True),
        ({"port": 636}, 636, True),
        ({"port": 636, "starttls": True}, 636, False),
        ({"port": 3269, "tls": True}, 3269, True),
        ({"port": 636, "tls": False}, 636, False),
    ],
)
def test_the_port_tells_how_tls_begins(given: dict[str, Any], port: int, at_once: bool) -> None:
    options = LdapOptions.model_validate({"host": "ok.test", **given})
    assert (options.at_port, options.at_once) == (port, at_once)
    assert KIND.service(options) is Service.NETWORK
    assert KIND.build(options).target == f"ok.test:{port}"


def test_the_short_form_is_a_port_or_a_place() -> None:
    assert KIND.short("ldap.test:636") == {"host": "ldap.test", "port": 636}
    assert KIND.short(389) == {"port": 389}
    with pytest.raises(ValueError, match="short form of ldap"):
        KIND.short(None)
