"""PostgreSQL looks: a real server, and peers that speak badly."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.databases.postgresql_messages import ROUNDS_LIMIT, ask_for_tls, nobody
from monitor.checks.postgresql import KIND, PostgresqlOptions
from monitor.health.words import Service
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.journeys.house import wait_for
from tests.servers import faults, peers
from tests.servers.certificates import Files, make_files
from tests.servers.databases import PASSWORD, USER, Postgresql, postgresql_folder
from tests.servers.hostile import HOSTILE, answers, seen_of, seen_through
from tests.servers.looking import NO_SECRETS, TestSecrets, check_of, looker, plan_of
from tests.servers.peers import Behaviour, refused_port

REAL = pytest.mark.system("/usr/lib/postgresql", "psql", "setpriv")
LOGIN = {"user": USER, "password": PASSWORD}
SERVERS = {"login": LOGIN, "database": "fleet", "query": "SELECT checks, name FROM servers ORDER BY name"}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("postgresql-files"))


@pytest.fixture(scope="session")
def postgresql(files: Files) -> Iterator[Postgresql]:
    with postgresql_folder() as folder:
        found = Postgresql(folder, files, "max_connections=8", "superuser_reserved_connections=2")
        found.start()
        try:
            found.fill()
            yield found
        finally:
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
            return await looking.look("postgresql", options, seconds=seconds, secrets=secrets)

    return uvloop.run(main())


def message(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("!I", len(content) + 4) + content


def refusal(code: str, words: str) -> bytes:
    return message(b"E", f"SFATAL\0VFATAL\0C{code}\0M{words}\0\0".encode())


@REAL
class TestARealServer:
    def test_without_a_login_its_question_for_a_password_proves_that_it_works(
        self, tmp_path: Path, postgresql: Postgresql, files: Files
    ) -> None:
        before = postgresql.log.read_text()
        seen = look(tmp_path, files, {"port": postgresql.port})
        assert (seen.outcome, seen.cause, seen.found) == (Outcome.OK, None, "")
        assert {"connect", "first_byte", "tls", "total"} <= set(seen.phases)
        assert postgresql.log.read_text() == before

    @pytest.mark.parametrize("tls", ["none", "preferred", "required"])
    def test_a_login_and_a_query_work_with_and_without_tls(
        self, tmp_path: Path, postgresql: Postgresql, files: Files, tls: str
    ) -> None:
        options = {"port": postgresql.port, "host": "ok.test", "tls": tls, **SERVERS, "expect": {"equals": 3}}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.measures == (Measure("value", 3.0),)
        assert ("tls" in seen.phases, seen.tls_expires_at is not None) == (tls != "none", tls != "none")

    def test_a_certificate_for_another_name_is_down_only_where_tls_is_required(
        self, tmp_path: Path, postgresql: Postgresql, files: Files
    ) -> None:
        options = {"port": postgresql.port, "host": "other.test", "login": LOGIN}
        seen = look(tmp_path, files, {**options, "tls": "required"})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_HOST)
        assert look(tmp_path, files, options).outcome is Outcome.OK

    @pytest.mark.parametrize(
        ("changes", "cause", "code"),
        [
            ({"login": {"user": USER, "password": "wrong"}}, Cause.LOGIN, "28P01"),
            ({"login": {"user": "nobody", "password": "x"}}, Cause.LOGIN, "28P01"),
            ({"login": LOGIN, "database": "absent"}, Cause.STATUS, "3D000"),
            ({**SERVERS, "query": "SELECT * FROM absent"}, Cause.STATUS, "42P01"),
            ({**SERVERS, "query": "SELECT 1 / 0"}, Cause.STATUS, "22012"),
        ],
    )
    def test_a_refusal_is_down_with_the_servers_words(
        self,
        tmp_path: Path,
        postgresql: Postgresql,
        files: Files,
        *,
        changes: dict[str, Any],
        cause: Cause,
        code: str,
    ) -> None:
        seen = look(tmp_path, files, {"port": postgresql.port, **changes})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
        assert seen.found.endswith(f"({code})")
        assert PASSWORD not in f"{seen.found}{seen.excerpt}"

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("SELECT FROM WHERE", "42601"),
            ("SELECT 1; DROP TABLE servers", "42601"),
            ("WITH new AS (INSERT INTO servers VALUES ('x') RETURNING 1) SELECT * FROM new", "25006"),
            ("SELECT nextval('pg_temp.x')", ""),
        ],
    )
    def test_a_query_that_is_none_or_would_write_is_our_own_fault(
        self, tmp_path: Path, postgresql: Postgresql, files: Files, query: str, code: str
    ) -> None:
        seen = look(tmp_path, files, {"port": postgresql.port, **SERVERS, "query": query})
        assert (seen.outcome, seen.cause) == (
            (Outcome.UNKNOWN, Cause.OWN) if code else (Outcome.DOWN, Cause.STATUS)
        )
        assert code in seen.found
        assert postgresql.run("SELECT COUNT(*) FROM servers", "fleet") == "2\n"

    def test_a_query_that_lasts_ends_in_time_on_both_sides(
        self, tmp_path: Path, postgresql: Postgresql, files: Files
    ) -> None:
        query = "SELECT pg_sleep(300) AS lasting"
        seen = look(tmp_path, files, {"port": postgresql.port, **SERVERS, "query": query}, seconds=1.0)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_TOTAL)
        assert seen.took_ms < 5000
        mine = "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%AS lasting'"
        wait_for(lambda: postgresql.run(mine) == "0\n", what="the end of the query")

    @pytest.mark.parametrize(
        ("query", "expect", "wrong"),
        [
            ("SELECT 7", {"equals": 7, "rows": {"min": 1, "max": 1}}, ""),
            ("SELECT fine FROM servers ORDER BY name", {"equals": True}, ""),
            ("SELECT note FROM servers ORDER BY name", {"max": 60}, "NULL is no number"),
            ("SELECT 1 WHERE false", {"equals": 1}, "no row in the answer"),
            ("TABLE servers", {"rows": {"max": 1}}, "rows: 2, expected at most 1"),
            (
                "SELECT name, checks FROM servers ORDER BY name",
                {"column": "CHECKS", "max": 2},
                "3, expected at most 2",
            ),
            ("SELECT now()", {"matches": "^20[0-9]{2}-"}, ""),
            ("SELECT date '0044-03-15 BC'", {"equals": "0044-03-15 BC"}, ""),
            ("SELECT 1.50::numeric", {"min": 1.5, "max": 1.5}, ""),
            ("SELECT ARRAY[1, 2]", {"equals": "{1,2}"}, ""),
            ("SELECT '%s :x $1'", {"equals": "%s :x $1"}, ""),
            ("SHOW server_version", {"min": 9, "max": 99}, ""),
            ("SELECT i FROM generate_series(1, 5000) AS i", {"rows": {"min": 5000}}, ""),
        ],
    )
    def test_an_answer_is_held_to_what_is_expected(
        self,
        tmp_path: Path,
        postgresql: Postgresql,
        files: Files,
        *,
        query: str,
        expect: dict[str, Any],
        wrong: str,
    ) -> None:
        options = {"port": postgresql.port, **SERVERS, "query": query, "expect": expect}
        if "server_version" in query:
            options["expect"] = {"matches": "^[0-9]+[.]"}
        seen = look(tmp_path, files, options)
        assert (seen.outcome, seen.found) == (Outcome.DOWN if wrong else Outcome.OK, wrong)

    def test_an_answer_without_end_is_cut_off(
        self, tmp_path: Path, postgresql: Postgresql, files: Files
    ) -> None:
        query = "SELECT repeat('x', 3000000)"
        seen = look(tmp_path, files, {"port": postgresql.port, **SERVERS, "query": query})
        assert (seen.outcome, seen.cause, seen.found) == (
            Outcome.DOWN,
            Cause.PROTOCOL,
            "sent more than 1024 KiB",
        )

    @pytest.mark.parametrize("options", [{}, {"login": LOGIN, "tls": "none"}])
    def test_a_server_that_takes_no_more_connections_is_down(
        self, tmp_path: Path, postgresql: Postgresql, files: Files, options: dict[str, Any]
    ) -> None:
        with ExitStack() as stack:
            for _ in range(9):
                held = stack.enter_context(socket.create_connection(("127.0.0.1", postgresql.port)))
                held.settimeout(30)
                held.sendall(nobody())
                held.recv(1)
            seen = look(tmp_path, files, {"port": postgresql.port, **options})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS), seen.found
        assert seen.found.endswith("(53300)")
        wait_for(
            lambda: look(tmp_path, files, {"port": postgresql.port}).outcome is Outcome.OK,
            what="room for another connection",
        )

    @pytest.mark.parametrize(
        ("behaviour", "causes"),
        [
            pytest.param(faults.trickles(0.05), {Cause.TIMEOUT_TOTAL, Cause.TIMEOUT_TLS}, id="trickles"),
            pytest.param(faults.stalls(), {Cause.TIMEOUT_FIRST_BYTE}, id="black hole"),
            pytest.param(faults.stalls(90), {Cause.TIMEOUT_TLS}, id="stalls in the handshake"),
            pytest.param(faults.hangs_up(40), {Cause.RESET}, id="half a handshake"),
            pytest.param(faults.resets(1), {Cause.RESET}, id="reset after the offer"),
            pytest.param(faults.half_closes(1), {Cause.RESET}, id="half closed"),
            pytest.param(faults.garbles(), {Cause.PROTOCOL, Cause.RESET}, id="noise"),
        ],
    )
    def test_a_bad_line_is_down_and_ends_in_time(
        self, tmp_path: Path, postgresql: Postgresql, behaviour: Behaviour, causes: set[Cause]
    ) -> None:
        seen = seen_through(tmp_path, behaviour, postgresql.port, "postgresql", SERVERS)
        assert seen.outcome is Outcome.DOWN, seen.found
        assert seen.cause in causes, seen.found

    @pytest.mark.parametrize("after", range(1, 700, 17))
    def test_noise_in_the_midst_of_a_login_or_a_query_is_no_fault_of_ours(
        self, tmp_path: Path, postgresql: Postgresql, after: int
    ) -> None:
        noise = faults.garbles(after, seed=after)
        seen = seen_through(tmp_path, noise, postgresql.port, "postgresql", {"tls": "none", **SERVERS})
        assert seen.outcome in {Outcome.OK, Outcome.DOWN}, seen.found

    @pytest.mark.system("psql", "pg_isready", "timeout")
    @pytest.mark.parametrize(
        ("options", "works"),
        [
            ({}, True),
            ({"tls": "none"}, True),
            ({"login": LOGIN}, True),
            ({**SERVERS, "tls": "required", "host": "127.0.0.1"}, True),
            (
                {**SERVERS, "tls": "required", "host": "localhost", "tls_name": "ok.test", "verify": False},
                True,
            ),
            ({"login": {"user": USER, "password": "wrong"}}, False),
            ({**SERVERS, "query": "SELECT absent FROM servers"}, False),
        ],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, postgresql: Postgresql, files: Files, options: dict[str, Any], works: bool
    ) -> None:
        whole = {"port": postgresql.port, "ca": str(files.ca), **options}
        seen = look(tmp_path, files, whole)
        assert (seen.outcome is Outcome.OK) is works, seen.found
        line = check_of(plan_of("postgresql", whole)).reproduce()
        for each in filter(None, (seen.reproduce, line)):
            run = subprocess.run(["sh", "-c", each], capture_output=True, timeout=60, check=False)
            assert (run.returncode == 0) is works, (each, run.stderr)

    @pytest.mark.system("pg_isready")
    def test_the_line_fails_where_nobody_listens(self, tmp_path: Path, files: Files) -> None:
        seen = look(tmp_path, files, {"port": refused_port()})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)
        run = subprocess.run(["sh", "-c", seen.reproduce], capture_output=True, timeout=60, check=False)
        assert run.returncode != 0

    def test_the_password_stays_a_reference(
        self, tmp_path: Path, postgresql: Postgresql, files: Files
    ) -> None:
        login = {"user": USER, "password": "${DB_PASSWORD}"}
        secrets = TestSecrets({"DB_PASSWORD": PASSWORD})
        options = {"port": postgresql.port, "login": login}
        assert look(tmp_path, files, options, secrets=secrets).outcome is Outcome.OK
        seen = look(tmp_path, files, {**options, "database": "absent"}, secrets=secrets)
        assert 'PGPASSWORD="${DB_PASSWORD}" timeout 30 psql -h 127.0.0.1' in seen.reproduce
        assert PASSWORD not in repr(seen)


class TestWhatServersSay:
    @pytest.mark.parametrize(
        ("reply", "verdict"),
        [
            (message(b"R", struct.pack("!I", 5) + b"salt"), (Outcome.OK, None, "")),
            (message(b"R", struct.pack("!I", 0)), (Outcome.OK, None, "")),
            (
                refusal("28000", "no pg_hba.conf entry"),
                (Outcome.OK, None, "FATAL: no pg_hba.conf entry (28000)"),
            ),
            (refusal("3D000", "no such database"), (Outcome.OK, None, "FATAL: no such database (3D000)")),
            (refusal("57P03", "starting up"), (Outcome.DOWN, Cause.STATUS, "FATAL: starting up (57P03)")),
            (refusal("53300", "too many"), (Outcome.DOWN, Cause.STATUS, "FATAL: too many (53300)")),
            (message(b"E", b"\0"), (Outcome.DOWN, Cause.PROTOCOL, "a refusal without words")),
            (message(b"Z", b"I"), (Outcome.DOWN, Cause.PROTOCOL, "does not speak as PostgreSQL does")),
            (b"E\xff\xff\xff\xff", (Outcome.DOWN, Cause.PROTOCOL, "does not speak as PostgreSQL does")),
        ],
    )
    def test_nobody_is_answered(
        self, tmp_path: Path, reply: bytes, verdict: tuple[Outcome, Cause | None, str]
    ) -> None:
        seen = seen_of(tmp_path, answers(b"N", reply), "postgresql", {}, seconds=5)
        assert (seen.outcome, seen.cause, seen.found) == verdict

    def test_a_server_that_cannot_even_fork_says_so_before_tls(self, tmp_path: Path) -> None:
        said = refusal("53000", "could not fork")
        seen = seen_of(tmp_path, answers(said), "postgresql", {}, seconds=5)
        assert (seen.outcome, seen.cause, seen.found) == (
            Outcome.DOWN,
            Cause.STATUS,
            "FATAL: could not fork (53000)",
        )

    def test_a_server_without_tls_is_down_only_where_tls_is_required(self, tmp_path: Path) -> None:
        behave = answers(b"N", message(b"R", struct.pack("!I", 5) + b"salt"))
        assert seen_of(tmp_path, behave, "postgresql", {}, seconds=5).outcome is Outcome.OK
        seen = seen_of(tmp_path, behave, "postgresql", {"tls": "required"}, seconds=5)
        assert (seen.outcome, seen.found) == (Outcome.DOWN, "offers no TLS, which is required")

    @pytest.mark.parametrize("code", [3, 7, 9, 99])
    def test_a_password_goes_to_nobody_who_asks_for_it_in_clear_or_in_an_unknown_way(
        self, tmp_path: Path, code: int
    ) -> None:
        heard: list[bytes] = []

        async def behave(found: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(8192))
            await found.send(writer, message(b"R", struct.pack("!I", code) + b"salt"))
            heard.append(await reader.read(8192))

        seen = seen_of(tmp_path, behave, "postgresql", {"login": LOGIN, "tls": "none"}, seconds=5)
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert "cannot log in to 127.0.0.1:" in seen.found
        assert not any(PASSWORD.encode() in each for each in heard)

    def test_nobody_gets_more_of_our_time_than_a_login_is_worth(self, tmp_path: Path) -> None:
        """A password that has to be stirred two thousand million times would keep a processor busy for an hour."""

        async def behave(found: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(8192)
            await found.send(writer, message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"))
            first = await reader.read(8192)
            nonce = first.split(b"r=")[1]
            challenge = b"r=" + nonce + b"more,s=c2FsdHNhbHQ=,i=2000000000"
            await found.send(writer, message(b"R", struct.pack("!I", 11) + challenge))
            await peers.silent(found, reader, writer)

        seen = seen_of(tmp_path, behave, "postgresql", {"login": LOGIN, "tls": "none"}, seconds=5)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
        assert "stirred 2000000000 times" in seen.found
        assert ROUNDS_LIMIT < 2_000_000_000

    @pytest.mark.parametrize("behave", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
    @pytest.mark.parametrize("options", [{}, {"login": LOGIN, "tls": "none"}])
    def test_a_peer_that_speaks_something_else_is_down_and_ends_in_time(
        self, tmp_path: Path, behave: Behaviour, options: dict[str, Any]
    ) -> None:
        seen = seen_of(tmp_path, behave, "postgresql", options)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in {
            Cause.PROTOCOL,
            Cause.RESET,
            Cause.TIMEOUT_FIRST_BYTE,
            Cause.TIMEOUT_TOTAL,
        }


def test_it_asks_for_tls_in_the_words_of_the_protocol() -> None:
    assert ask_for_tls() == bytes.fromhex("0000000804d2162f")


def test_it_belongs_to_the_databases_and_has_short_forms() -> None:
    assert KIND.service(PostgresqlOptions(host="ok.test")) is Service.DATABASES
    assert KIND.short("db.test:5433") == {"host": "db.test", "port": 5433}
    assert check_of(plan_of("postgresql", {"host": "2001:db8::1"})).target == "[2001:db8::1]:5432"
