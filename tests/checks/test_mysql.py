"""MySQL looks: a real MariaDB server, and peers that speak badly."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.databases.mysql_packets import packet
from monitor.checks.mysql import KIND, MysqlOptions
from monitor.health.words import Service
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.journeys.house import wait_for
from tests.servers import faults
from tests.servers.certificates import Files, make_files
from tests.servers.databases import PASSWORD, USER, Mariadb
from tests.servers.hostile import HOSTILE, says, seen_of, seen_through
from tests.servers.looking import NO_SECRETS, TestSecrets, check_of, looker, plan_of
from tests.servers.peers import Behaviour, refused_port

REAL = pytest.mark.system("mariadbd", "mariadb-install-db", "mariadb")
LOGIN = {"user": USER, "password": PASSWORD}
SERVERS = {"login": LOGIN, "database": "fleet", "query": "SELECT checks, name FROM servers ORDER BY name"}
GREETING = packet(
    b"\x0a5.5.5-10.11.9-MariaDB\0\x01\0\0\0abcdefgh\0\xfe\xf7\x08\x02\0\xff\x81\x15"
    + bytes(10)
    + b"ijklmnopqrst\0mysql_native_password\0",
    0,
)
WITHOUT_TLS = GREETING.replace(b"\xfe\xf7", b"\xfe\xf7".replace(b"\xf7", b"\xf7\x00"[:1]))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("mysql-files"))


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory, files: Files) -> Iterator[Mariadb]:
    found = Mariadb(tmp_path_factory.mktemp("mariadb"), files, "--max-connections=20")
    found.start()
    found.fill()
    yield found
    found.stop()


def look(
    folder: Path,
    files: Files,
    options: Mapping[str, Any],
    *,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    async def main() -> Observation:
        async with looker(folder, files.ca) as looking:
            return await looking.look("mysql", options, seconds=seconds, secrets=secrets)

    return uvloop.run(main())


@REAL
class TestARealServer:
    def test_without_a_login_its_refusal_proves_that_it_works(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        seen = look(tmp_path, files, {"port": mariadb.port})
        assert (seen.outcome, seen.cause) == (Outcome.OK, None)
        assert seen.found.startswith("Access denied for user ''@")
        assert {"connect", "first_byte", "tls", "total"} <= set(seen.phases)

    def test_no_look_of_nobody_is_a_handshake_that_was_broken_off(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        """Servers lock out who breaks off too often: what they log of it is what they count."""
        before = mariadb.log.read_text().count("Aborted connection")
        for how in ({}, {"tls": "none"}, {"tls": "required", "host": "ok.test"}, {"login": LOGIN}, SERVERS):
            assert look(tmp_path, files, {"port": mariadb.port, **how}).outcome is Outcome.OK
        assert mariadb.log.read_text().count("Aborted connection") == before

    @pytest.mark.parametrize("tls", ["none", "preferred", "required"])
    def test_a_login_and_a_query_work_with_and_without_tls(
        self, tmp_path: Path, mariadb: Mariadb, files: Files, tls: str
    ) -> None:
        options = {"port": mariadb.port, "host": "ok.test", "tls": tls, **SERVERS, "expect": {"equals": 3}}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.measures == (Measure("value", 3.0),)
        assert ("tls" in seen.phases, seen.tls_expires_at is not None) == (tls != "none", tls != "none")

    def test_a_certificate_for_another_name_is_down_only_where_tls_is_required(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        options = {"port": mariadb.port, "host": "other.test"}
        seen = look(tmp_path, files, {**options, "tls": "required", "login": LOGIN})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_HOST)
        assert look(tmp_path, files, {**options, "login": LOGIN}).outcome is Outcome.OK

    def test_a_certificate_near_its_end_is_a_warning_where_tls_is_required(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        options = {"port": mariadb.port, "host": "ok.test", "certificate": "9999999d"}
        seen = look(tmp_path, files, {**options, "tls": "required"})
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)
        assert look(tmp_path, files, options).outcome is Outcome.OK

    @pytest.mark.parametrize(
        ("changes", "cause", "code"),
        [
            ({"login": {"user": USER, "password": "wrong"}}, Cause.LOGIN, 1045),
            ({"login": {"user": "nobody", "password": "x"}}, Cause.LOGIN, 1045),
            ({"login": LOGIN, "database": "absent"}, Cause.LOGIN, 1044),
            ({**SERVERS, "query": "SELECT * FROM absent"}, Cause.STATUS, 1146),
            ({**SERVERS, "query": "SELECT absent FROM servers"}, Cause.STATUS, 1054),
        ],
    )
    def test_a_refusal_is_down_with_the_servers_words(
        self, tmp_path: Path, mariadb: Mariadb, files: Files, changes: dict[str, Any], cause: Cause, code: int
    ) -> None:
        seen = look(tmp_path, files, {"port": mariadb.port, **changes})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
        assert seen.found.endswith(f"({code})")
        assert PASSWORD not in f"{seen.found}{seen.excerpt}"

    @pytest.mark.parametrize(
        ("query", "code"), [("SELECT FROM WHERE", 1064), ("SELECT 1; DROP TABLE servers", 1064)]
    )
    def test_a_query_that_is_none_is_our_own_fault(
        self, tmp_path: Path, mariadb: Mariadb, files: Files, query: str, code: int
    ) -> None:
        seen = look(tmp_path, files, {"port": mariadb.port, **SERVERS, "query": query})
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert seen.found.startswith("the query cannot be asked: ")
        assert seen.found[:200].endswith(f"({code})") or len(seen.found) == 200

    def test_a_query_cannot_write(self, tmp_path: Path, mariadb: Mariadb, files: Files) -> None:
        mariadb.run(
            "CREATE OR REPLACE FUNCTION fleet.sneaky() RETURNS INT"
            " BEGIN INSERT INTO fleet.servers VALUES ('new', 1, NULL); RETURN 1; END"
        )
        seen = look(tmp_path, files, {"port": mariadb.port, **SERVERS, "query": "SELECT sneaky()"})
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert "READ ONLY" in seen.found
        assert mariadb.run("SELECT COUNT(*) FROM fleet.servers") == "2\n"

    def test_a_query_that_lasts_ends_in_time_on_both_sides(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        query = "SELECT SLEEP(300) /* lasting */"
        seen = look(tmp_path, files, {"port": mariadb.port, **SERVERS, "query": query}, seconds=1.0)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_TOTAL)
        assert seen.took_ms < 5000
        mine = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(300) /*%' AND info NOT LIKE '%processlist%'"
        wait_for(lambda: mariadb.run(mine) == "0\n", what="the end of the query")

    @pytest.mark.parametrize(
        ("query", "expect", "wrong"),
        [
            ("SELECT 7", {"equals": 7, "rows": {"min": 1, "max": 1}}, ""),
            ("SELECT NULL", {"max": 60}, "NULL is no number"),
            (
                "SELECT name FROM servers WHERE checks > 9",
                {"equals": "x"},
                "no row in the answer",
            ),
            ("SELECT name FROM servers WHERE checks > 9", {"rows": {"max": 0}}, ""),
            (
                "SELECT name, checks FROM servers ORDER BY name",
                {"column": "CHECKS", "max": 2},
                "3, expected at most 2",
            ),
            ("SELECT note FROM servers ORDER BY name DESC", {"matches": "^\\x00"}, ""),
            ("SHOW VARIABLES LIKE 'version'", {"column": "value", "matches": "MariaDB"}, ""),
            (
                "SHOW REPLICA STATUS",
                {"column": "Seconds_Behind_Master", "max": 60},
                "no row in the answer",
            ),
            ("SELECT '%s %(x)s' AS `%`", {"equals": "%s %(x)s"}, ""),
            (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n",
                {"rows": {"min": 900}},
                "",
            ),
        ],
    )
    def test_an_answer_is_held_to_what_is_expected(
        self,
        tmp_path: Path,
        mariadb: Mariadb,
        files: Files,
        query: str,
        expect: dict[str, Any],
        wrong: str,
    ) -> None:
        mariadb.run(f"GRANT SLAVE MONITOR ON *.* TO '{USER}'@'%'")
        seen = look(tmp_path, files, {"port": mariadb.port, **SERVERS, "query": query, "expect": expect})
        assert (seen.outcome, seen.found) == (Outcome.DOWN if wrong else Outcome.OK, wrong)

    def test_an_answer_without_end_is_cut_off(self, tmp_path: Path, mariadb: Mariadb, files: Files) -> None:
        query = "SELECT REPEAT('x', 3000000)"
        seen = look(tmp_path, files, {"port": mariadb.port, **SERVERS, "query": query})
        assert (seen.outcome, seen.cause, seen.found) == (
            Outcome.DOWN,
            Cause.PROTOCOL,
            "sent more than 1024 KiB",
        )

    def test_a_value_outside_of_warn_is_a_warning(
        self, tmp_path: Path, mariadb: Mariadb, files: Files
    ) -> None:
        options = {"port": mariadb.port, **SERVERS, "expect": {"max": 10}, "warn": {"max": 2}}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.cause, seen.found) == (
            Outcome.WARN,
            Cause.CONTENT,
            "3, expected at most 2",
        )

    def test_a_slow_answer_is_a_warning(self, tmp_path: Path, mariadb: Mariadb, files: Files) -> None:
        options = {"port": mariadb.port, **SERVERS, "query": "SELECT SLEEP(0.3)", "within": "200ms"}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)

    @pytest.mark.parametrize("options", [{}, {"login": LOGIN}])
    def test_a_server_that_takes_no_more_connections_is_down(
        self, tmp_path: Path, mariadb: Mariadb, files: Files, options: dict[str, Any]
    ) -> None:
        with ExitStack() as stack:
            for _ in range(24):
                held = stack.enter_context(socket.create_connection(("127.0.0.1", mariadb.port)))
                held.settimeout(30)
                held.recv(4096)
            seen = look(tmp_path, files, {"port": mariadb.port, **options})
        assert (seen.outcome, seen.cause, seen.found) == (
            Outcome.DOWN,
            Cause.STATUS,
            "Too many connections (1040)",
        )
        wait_for(lambda: mariadb.run("SELECT 1"), what="room for another connection")

    @pytest.mark.parametrize(
        ("behaviour", "causes"),
        [
            pytest.param(faults.trickles(0.05), {Cause.TIMEOUT_TOTAL, Cause.TIMEOUT_TLS}, id="trickles"),
            pytest.param(faults.stalls(), {Cause.TIMEOUT_FIRST_BYTE}, id="black hole"),
            pytest.param(faults.stalls(200), {Cause.TIMEOUT_TLS}, id="stalls in the handshake"),
            pytest.param(faults.hangs_up(40), {Cause.RESET}, id="half a greeting"),
            pytest.param(faults.resets(40), {Cause.RESET}, id="reset in the greeting"),
            pytest.param(faults.half_closes(40), {Cause.RESET}, id="half closed"),
            pytest.param(faults.garbles(), {Cause.PROTOCOL, Cause.RESET, Cause.TIMEOUT_TOTAL}, id="noise"),
        ],
    )
    def test_a_bad_line_is_down_and_ends_in_time(
        self, tmp_path: Path, mariadb: Mariadb, behaviour: Behaviour, causes: set[Cause]
    ) -> None:
        seen = seen_through(tmp_path, behaviour, mariadb.port, "mysql", SERVERS)
        assert seen.outcome is Outcome.DOWN, seen.found
        assert seen.cause in causes, seen.found

    @pytest.mark.parametrize("after", range(90, 400, 7))
    def test_noise_in_the_midst_of_a_login_or_a_query_is_no_fault_of_ours(
        self, tmp_path: Path, mariadb: Mariadb, after: int
    ) -> None:
        noise = faults.garbles(after, seed=after)
        seen = seen_through(tmp_path, noise, mariadb.port, "mysql", {"tls": "none", **SERVERS})
        assert seen.outcome in {Outcome.OK, Outcome.DOWN}, seen.found

    @pytest.mark.system("mysql", "mysqladmin", "timeout")
    @pytest.mark.parametrize(
        ("options", "works"),
        [
            ({}, True),
            ({"tls": "none"}, True),
            ({"login": LOGIN}, True),
            ({**SERVERS, "tls": "required"}, True),
            ({"login": {"user": USER, "password": "wrong"}}, False),
            ({**SERVERS, "query": "SELECT absent FROM servers"}, False),
        ],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, mariadb: Mariadb, files: Files, options: dict[str, Any], works: bool
    ) -> None:
        whole = {"port": mariadb.port, "ca": str(files.ca), **options}
        seen = look(tmp_path, files, whole)
        assert (seen.outcome is Outcome.OK) is works
        line = check_of(plan_of("mysql", whole)).reproduce()
        for each in filter(None, (seen.reproduce, line)):
            assert (
                subprocess.run(["sh", "-c", each], capture_output=True, timeout=60, check=False).returncode
                == 0
            ) is works, each

    @pytest.mark.system("mysqladmin", "timeout")
    def test_the_line_fails_where_nobody_listens(self, tmp_path: Path, files: Files) -> None:
        seen = look(tmp_path, files, {"port": refused_port()})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)
        assert (
            subprocess.run(
                ["sh", "-c", seen.reproduce], capture_output=True, timeout=60, check=False
            ).returncode
            != 0
        )

    def test_the_password_stays_a_reference(self, tmp_path: Path, mariadb: Mariadb, files: Files) -> None:
        options = {"port": mariadb.port, "login": {"user": USER, "password": "${DB_PASSWORD}"}}
        secrets = TestSecrets({"DB_PASSWORD": PASSWORD})
        assert look(tmp_path, files, options, secrets=secrets).outcome is Outcome.OK
        refused = {**options, "database": "absent"}
        seen = look(tmp_path, files, refused, secrets=secrets)
        assert 'MYSQL_PWD="${DB_PASSWORD}" timeout 30 mysql -h 127.0.0.1' in seen.reproduce
        assert PASSWORD not in repr(seen)


def refusal(code: int, words: str) -> bytes:
    return packet(b"\xff" + code.to_bytes(2, "little") + b"#HY000" + words.encode(), 0)


@pytest.mark.parametrize(
    ("said", "outcome", "cause", "found"),
    [
        (refusal(1129, "Host 'x' is blocked"), Outcome.DOWN, Cause.STATUS, "Host 'x' is blocked (1129)"),
        (refusal(1040, "Too many connections"), Outcome.DOWN, Cause.STATUS, "Too many connections (1040)"),
        (
            refusal(1053, "Server shutdown in progress"),
            Outcome.DOWN,
            Cause.STATUS,
            "Server shutdown in progress (1053)",
        ),
        (refusal(1130, "Host 'x' is not allowed"), Outcome.OK, None, "Host 'x' is not allowed (1130)"),
        (packet(b"\x09old\0", 0), Outcome.DOWN, Cause.PROTOCOL, "no greeting of MySQL"),
        (packet(b"\x0a5.5\0ab", 0), Outcome.DOWN, Cause.PROTOCOL, "half a greeting of MySQL"),
        (packet(b"\xff\x01", 0), Outcome.DOWN, Cause.PROTOCOL, "half a refusal of MySQL"),
        (b"\xff\xff\xff\x00", Outcome.DOWN, Cause.PROTOCOL, "does not speak as MySQL does"),
    ],
)
def test_what_is_said_instead_of_a_greeting_is_judged(
    tmp_path: Path, said: bytes, outcome: Outcome, cause: Cause | None, found: str
) -> None:
    seen = seen_of(tmp_path, says(said), "mysql", {})
    assert (seen.outcome, seen.cause, seen.found) == (outcome, cause, found)


@pytest.mark.parametrize("behave", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
@pytest.mark.parametrize("options", [{}, {"login": LOGIN}])
def test_a_peer_that_speaks_something_else_is_down_and_ends_in_time(
    tmp_path: Path, behave: Behaviour, options: dict[str, Any]
) -> None:
    seen = seen_of(tmp_path, behave, "mysql", options)
    assert seen.outcome is Outcome.DOWN
    assert seen.cause in {
        Cause.PROTOCOL,
        Cause.RESET,
        Cause.TIMEOUT_FIRST_BYTE,
        Cause.TIMEOUT_TOTAL,
    }


def test_a_server_without_tls_is_down_only_where_tls_is_required(tmp_path: Path) -> None:
    greeting = packet(b"\x0a8.0.40\0\x01\0\0\0abcdefgh\0\x00\x82\x21\0\0\x08\0", 0)

    async def behave(found: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, greeting)
        head = await reader.readexactly(4)
        await reader.readexactly(int.from_bytes(head[:3], "little"))
        await found.send(writer, packet(b"\xfe" + b"mysql_native_password\0abc", 2))
        assert await reader.readexactly(4) == b"\0\0\0\x03"
        await found.send(writer, packet(b"\xff\x15\x04#28000Access denied", 4))

    assert seen_of(tmp_path, behave, "mysql", {}, seconds=5).found == "Access denied (1045)"
    seen = seen_of(tmp_path, behave, "mysql", {"tls": "required"}, seconds=5)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.found == "offers no TLS, which is required"


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"mysql_old_password", b"dialog", b"unheard_of"])
def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(tmp_path: Path, plugin: bytes) -> None:
    heard: list[bytes] = []
    greeting = packet(
        b"\x0a8.0.40\0\x01\0\0\0abcdefgh\0\x00\x82\x21\0\0\x08\x00\x15"
        + bytes(10)
        + b"ijklmnopqrst\0mysql_native_password\0",
        0,
    )

    async def behave(found: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, greeting)
        heard.append(await reader.read(4096))
        await found.send(writer, packet(b"\xfe" + plugin + b"\0abcdefghijklmnopqrst\0", 2))
        heard.append(await reader.read(4096))

    seen = seen_of(tmp_path, behave, "mysql", {"login": LOGIN}, seconds=5)
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN), seen.found
    assert seen.found.startswith("cannot log in to ok.test:") or "cannot log in to 127.0.0.1:" in seen.found
    assert heard
    assert not any(PASSWORD.encode() in each for each in heard)


@pytest.mark.parametrize(
    "options",
    [
        {"query": "SELECT 1"},
        {"database": "x"},
        {"login": LOGIN, "expect": {"equals": 1}},
        {"login": LOGIN, "query": "DELETE FROM x"},
        {"login": LOGIN, "query": "SELECT 1", "expect": {}},
        {"login": LOGIN, "query": "SELECT 1", "expect": {"column": "a"}},
        {"login": LOGIN, "query": "SELECT 1", "expect": {"min": 3, "max": 2}},
        {"login": LOGIN, "query": "SELECT 1", "expect": {"matches": "("}},
        {"login": LOGIN, "query": "SELECT 1", "warn": {}},
        {"login": {"user": "x", "password": ""}},
        {"tls": "maybe"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MysqlOptions.model_validate({"host": "ok.test", **options})


def test_it_belongs_to_the_databases_and_has_short_forms() -> None:
    assert KIND.service(MysqlOptions(host="ok.test")) is Service.DATABASES
    assert KIND.short(3307) == {"port": 3307}
    assert KIND.short("db.test:3307") == {"host": "db.test", "port": 3307}
    assert check_of(plan_of("mysql", {"host": "2001:db8::1"})).target == "[2001:db8::1]:3306"
