"""Redis looks: real servers, open, locked, replicating and secured, and peers that speak badly."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.redis import KIND, RedisOptions
from monitor.health.words import Service
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.journeys.house import wait_for
from tests.servers import faults
from tests.servers.certificates import Files, make_files
from tests.servers.databases import PASSWORD, USER, Redis
from tests.servers.hostile import HOSTILE, answers, says_and_leaves, seen_of, seen_through
from tests.servers.looking import NO_SECRETS, TestSecrets, check_of, looker, plan_of
from tests.servers.peers import Behaviour, refused_port

REAL = pytest.mark.system("redis-server", "redis-cli")
ACCOUNT = ("--user", USER, "on", f">{PASSWORD}", "+ping", "+info")

Start = Callable[..., Redis]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("redis-files"))


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers with options of their own."""
    started: list[Redis] = []

    def one_more(*options: str) -> Redis:
        server = Redis(tmp_path_factory.mktemp("redis"), *options)
        server.start()
        started.append(server)
        return server

    yield one_more
    for server in started:
        server.stop()


def look(
    folder: Path,
    options: Mapping[str, Any],
    *,
    files: Files | None = None,
    seconds: float = 30.0,
    secrets: TestSecrets = NO_SECRETS,
) -> Observation:
    async def main() -> Observation:
        async with looker(folder, files.ca if files else None) as looking:
            return await looking.look("redis", options, seconds=seconds, secrets=secrets)

    return uvloop.run(main())


@REAL
class TestRealServers:
    def test_a_server_that_answers_is_ok(self, tmp_path: Path, start: Start) -> None:
        seen = look(tmp_path, {"port": start().port})
        assert (seen.outcome, seen.found, seen.measures) == (Outcome.OK, "", ())
        assert {"connect", "first_byte", "total"} <= set(seen.phases)

    def test_a_locked_server_works_without_our_login(self, tmp_path: Path, start: Start) -> None:
        server = start("--requirepass", PASSWORD)
        seen = look(tmp_path, {"port": server.port})
        assert (seen.outcome, seen.found) == (Outcome.OK, "NOAUTH Authentication required.")
        seen = look(tmp_path, {"port": server.port, "expect": {"role": "master"}})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)

    def test_a_login_is_accepted_or_refused(self, tmp_path: Path, start: Start) -> None:
        server = start("--requirepass", PASSWORD, *ACCOUNT)
        for login in ({"password": PASSWORD}, {"user": USER, "password": PASSWORD}):
            seen = look(tmp_path, {"port": server.port, **login, "expect": {"role": "master"}})
            assert (seen.outcome, seen.found) == (Outcome.OK, "")
        for login in ({"password": "wrong"}, {"user": "nobody", "password": PASSWORD}):
            seen = look(tmp_path, {"port": server.port, **login})
            assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
            assert seen.found.startswith("WRONGPASS")

    def test_a_password_where_none_is_needed_is_a_login_that_was_refused(
        self, tmp_path: Path, start: Start
    ) -> None:
        seen = look(tmp_path, {"port": start().port, "password": PASSWORD})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN)
        assert "without any password configured" in seen.found

    @pytest.mark.parametrize(
        ("expect", "wrong"),
        [
            ({"role": "master", "connected_slaves": 0, "loading": False}, ""),
            ({"maxmemory_policy": "noeviction", "connected_clients": {"min": 1, "max": 50}}, ""),
            ({"role": "slave"}, "role is master, expected slave"),
            ({"connected_slaves": {"min": 1}}, "connected_slaves is 0, expected at least 1"),
            ({"redis_mode": {"max": 1}}, "redis_mode is no number: 'standalone'"),
            ({"absent": 1}, "it tells nothing of absent"),
        ],
    )
    def test_what_it_says_of_itself_is_held_to_what_is_expected(
        self, tmp_path: Path, start: Start, expect: dict[str, Any], wrong: str
    ) -> None:
        seen = look(tmp_path, {"port": start().port, "expect": expect})
        assert (seen.outcome, seen.found) == (Outcome.DOWN if wrong else Outcome.OK, wrong)

    def test_expected_figures_are_measures(self, tmp_path: Path, start: Start) -> None:
        expect = {"connected_slaves": 0, "role": "master", "maxmemory": {"min": 0}}
        seen = look(tmp_path, {"port": start("--maxmemory", "10mb").port, "expect": expect})
        assert seen.measures == (Measure("connected_slaves", 0.0), Measure("maxmemory", 10485760.0))

    def test_a_replica_without_its_master_is_seen(self, tmp_path: Path, start: Start) -> None:
        master = start()
        options = ("--replicaof", f"127.0.0.1 {master.port}", "--replica-serve-stale-data", "no")
        replica = start(*options)
        expect = {"role": "slave", "master_link_status": "up"}
        wait_for(
            lambda: look(tmp_path, {"port": replica.port, "expect": expect}).outcome is Outcome.OK,
            what="the replica",
        )
        master.stop()
        seen = wait_for(
            lambda: down(look(tmp_path, {"port": replica.port, "expect": expect})),
            what="the end of the link",
        )
        assert seen.found.startswith(("master_link_status is down, expected up", "MASTERDOWN"))

    def test_a_server_that_takes_no_more_clients_is_down(self, tmp_path: Path, start: Start) -> None:
        server = start("--maxclients", "1")
        # The helper that waited for it to listen may still be counted.
        wait_for(lambda: look(tmp_path, {"port": server.port}).outcome is Outcome.OK, what="a free place")
        with socket.create_connection(("127.0.0.1", server.port)):
            seen = look(tmp_path, {"port": server.port})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
        assert seen.found == "ERR max number of clients reached"

    def test_inside_tls_the_certificate_is_judged(self, tmp_path: Path, start: Start, files: Files) -> None:
        server = secured(start, files)
        fine = {"port": server.port, "tls": True, "host": "ok.test"}
        seen = look(tmp_path, fine, files=files)
        assert (seen.outcome, seen.found) == (Outcome.OK, "")
        assert seen.tls_expires_at is not None
        assert look(tmp_path, {**fine, "host": "other.test"}, files=files).cause is Cause.CERTIFICATE_HOST
        assert look(tmp_path, {**fine, "certificate": "9999999d"}, files=files).outcome is Outcome.WARN
        assert look(tmp_path, {"port": server.port}, files=files).outcome is Outcome.DOWN

    def test_a_stopped_server_is_refused(self, tmp_path: Path) -> None:
        seen = look(tmp_path, {"port": refused_port()})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)

    @pytest.mark.parametrize(
        ("behaviour", "causes"),
        [
            pytest.param(faults.trickles(0.05), {Cause.TIMEOUT_TOTAL}, id="trickles"),
            pytest.param(faults.stalls(), {Cause.TIMEOUT_FIRST_BYTE}, id="black hole"),
            pytest.param(faults.stalls(9), {Cause.TIMEOUT_TOTAL}, id="stalls"),
            pytest.param(faults.hangs_up(9), {Cause.RESET}, id="half an answer"),
            pytest.param(faults.garbles(7), {Cause.PROTOCOL, Cause.RESET, Cause.TIMEOUT_TOTAL}, id="noise"),
        ],
    )
    def test_a_bad_line_is_down_and_ends_in_time(
        self, tmp_path: Path, start: Start, behaviour: Behaviour, causes: set[Cause]
    ) -> None:
        options = {"expect": {"role": "master"}}
        seen = seen_through(tmp_path, behaviour, start().port, "redis", options)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in causes, seen.found

    @pytest.mark.parametrize(
        ("options", "works"),
        [
            ({}, True),
            ({"password": PASSWORD}, True),
            ({"user": USER, "password": PASSWORD, "expect": {"role": "master"}}, True),
            ({"password": "wrong"}, False),
            ({"password": PASSWORD, "expect": {"absent": "x"}}, False),
        ],
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, start: Start, options: dict[str, Any], works: bool
    ) -> None:
        whole = {"port": start("--requirepass", PASSWORD, *ACCOUNT).port, **options}
        assert (look(tmp_path, whole).outcome is Outcome.OK) is works
        assert runs(check_of(plan_of("redis", whole)).reproduce()) is works

    def test_the_line_repeats_a_look_inside_tls(self, tmp_path: Path, start: Start, files: Files) -> None:
        server = secured(start, files)
        options = {"port": server.port, "tls": True, "host": "127.0.0.1", "ca": str(files.ca)}
        assert look(tmp_path, options).outcome is Outcome.OK
        assert runs(check_of(plan_of("redis", options)).reproduce())
        server.stop()
        seen = look(tmp_path, options)
        assert seen.outcome is Outcome.DOWN
        assert not runs(seen.reproduce)

    def test_the_password_stays_a_reference(self, tmp_path: Path, start: Start) -> None:
        options = {"port": start("--requirepass", PASSWORD).port, "password": "${CACHE}", "expect": {"x": 1}}
        seen = look(tmp_path, options, secrets=TestSecrets({"CACHE": PASSWORD}))
        assert seen.found == "it tells nothing of x"
        assert 'REDISCLI_AUTH="${CACHE}" timeout 30 redis-cli' in seen.reproduce
        assert PASSWORD not in repr(seen)


def secured(start: Start, files: Files) -> Redis:
    certificate = ("--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key))
    trust = ("--tls-ca-cert-file", str(files.ca), "--tls-auth-clients", "no")
    return start("--port", "0", "--tls-port", "{port}", *certificate, *trust)


def down(seen: Observation) -> Observation | None:
    return seen if seen.outcome is Outcome.DOWN else None


def runs(line: str) -> bool:
    return subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=False).returncode == 0


class TestWhatServersSay:
    @pytest.mark.parametrize(
        ("said", "outcome", "cause"),
        [
            (b"+PONG\r\n", Outcome.OK, None),
            (b"-NOAUTH Authentication required.\r\n", Outcome.OK, None),
            (b"-NOPERM this user has no permissions\r\n", Outcome.OK, None),
            (b"-LOADING Redis is loading the dataset in memory\r\n", Outcome.DOWN, Cause.STATUS),
            (b"-MASTERDOWN Link with MASTER is down\r\n", Outcome.DOWN, Cause.STATUS),
            (b"-BUSY Redis is busy running a script\r\n", Outcome.DOWN, Cause.STATUS),
            (b"-MISCONF Errors writing to the AOF file\r\n", Outcome.DOWN, Cause.STATUS),
            (b"+PANG\r\n", Outcome.DOWN, Cause.PROTOCOL),
            (b"$4\r\nPONG\r\n", Outcome.DOWN, Cause.PROTOCOL),
            (b"HTTP/1.1 400\r\n", Outcome.DOWN, Cause.PROTOCOL),
        ],
    )
    def test_an_answer_to_a_ping_is_judged(
        self, tmp_path: Path, said: bytes, outcome: Outcome, cause: Cause | None
    ) -> None:
        seen = seen_of(tmp_path, answers(said), "redis", {}, seconds=5)
        assert (seen.outcome, seen.cause) == (outcome, cause)
        if said.startswith(b"-"):
            assert seen.found == said.decode().strip("-\r\n")

    def test_a_server_in_protected_mode_works(self, tmp_path: Path) -> None:
        said = says_and_leaves(b"-DENIED Redis is running in protected mode\r\n")
        assert seen_of(tmp_path, said, "redis", {}, seconds=5).outcome is Outcome.OK

    @pytest.mark.parametrize(
        "said", [b"+nothing\r\n", b"$-1\r\n", b"$99999999\r\n", b"$3\r\nabcdef\r\n", b"$-7\r\n"]
    )
    def test_an_answer_to_info_that_is_none_is_down(self, tmp_path: Path, said: bytes) -> None:
        behave = answers(b"+PONG\r\n", said)
        seen = seen_of(tmp_path, behave, "redis", {"expect": {"role": "master"}}, seconds=5)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in {Cause.PROTOCOL, Cause.CONTENT}

    @pytest.mark.parametrize("behave", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
    @pytest.mark.parametrize("options", [{}, {"password": PASSWORD, "expect": {"role": "master"}}])
    def test_a_peer_that_speaks_something_else_is_down_and_ends_in_time(
        self, tmp_path: Path, behave: Behaviour, options: dict[str, Any]
    ) -> None:
        seen = seen_of(tmp_path, behave, "redis", options)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in {
            Cause.PROTOCOL,
            Cause.RESET,
            Cause.TIMEOUT_FIRST_BYTE,
            Cause.TIMEOUT_TOTAL,
        }


@pytest.mark.parametrize(
    "options",
    [{"user": "x"}, {"password": ""}, {"expect": {"role": {}}}, {"expect": {"": 1}}, {"expect": {"a": [1]}}],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedisOptions.model_validate({"host": "ok.test", **options})


def test_it_belongs_to_the_databases() -> None:
    assert KIND.service(RedisOptions(host="ok.test")) is Service.DATABASES
    assert check_of(plan_of("redis", {})).target == "127.0.0.1:6379"
