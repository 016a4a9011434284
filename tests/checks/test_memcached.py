"""Memcached looks: a real server, and peers that speak badly."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.memcached import KIND, MemcachedOptions
from monitor.health.words import Service
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.servers import faults
from tests.servers.databases import Memcached
from tests.servers.hostile import HOSTILE, answers, says_and_leaves, seen_of, seen_through
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.peers import Behaviour, refused_port

REAL = pytest.mark.system("memcached")


@pytest.fixture(scope="session")
def memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memcached]:
    found = Memcached(tmp_path_factory.mktemp("memcached"), "-c", "64", "-o", "maxconns_fast", "-t", "1")
    found.start()
    yield found
    found.stop()


def look(folder: Path, options: Mapping[str, Any], seconds: float = 30.0) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            return await looking.look("memcached", options, seconds=seconds)

    return uvloop.run(main())


@REAL
class TestARealServer:
    def test_a_server_that_answers_is_ok(self, tmp_path: Path, memcached: Memcached) -> None:
        seen = look(tmp_path, {"port": memcached.port})
        assert (seen.outcome, seen.found, seen.measures) == (Outcome.OK, "", ())
        assert {"connect", "first_byte", "total"} <= set(seen.phases)

    @pytest.mark.parametrize(
        ("expect", "wrong"),
        [
            ({"accepting_conns": 1, "curr_items": {"max": 0}}, ""),
            ({"limit_maxbytes": 8388608, "threads": True}, ""),
            ({"curr_items": {"min": 1}}, "curr_items is 0, expected at least 1"),
            ({"absent": 1}, "it tells nothing of absent"),
        ],
    )
    def test_what_it_says_of_itself_is_held_to_what_is_expected(
        self, tmp_path: Path, memcached: Memcached, expect: dict[str, Any], wrong: str
    ) -> None:
        seen = look(tmp_path, {"port": memcached.port, "expect": expect})
        assert (seen.outcome, seen.found) == (Outcome.DOWN if wrong else Outcome.OK, wrong)

    def test_expected_figures_are_measures(self, tmp_path: Path, memcached: Memcached) -> None:
        seen = look(tmp_path, {"port": memcached.port, "expect": {"limit_maxbytes": {"min": 1}}})
        assert seen.measures == (Measure("limit_maxbytes", 8388608.0),)

    def test_a_server_that_takes_no_more_connections_is_down(
        self, tmp_path: Path, memcached: Memcached
    ) -> None:
        with ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(socket.create_connection(("127.0.0.1", memcached.port)))
            seen = look(tmp_path, {"port": memcached.port}, seconds=10)
        assert seen.outcome is Outcome.DOWN
        assert (seen.cause, seen.found) == (Cause.STATUS, "ERROR Too many open connections")

    def test_a_stopped_server_is_refused(self, tmp_path: Path) -> None:
        seen = look(tmp_path, {"port": refused_port()})
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.REFUSED)

    @pytest.mark.parametrize(
        ("behaviour", "causes"),
        [
            pytest.param(faults.trickles(0.05), {Cause.TIMEOUT_TOTAL}, id="trickles"),
            pytest.param(faults.stalls(), {Cause.TIMEOUT_FIRST_BYTE}, id="black hole"),
            pytest.param(faults.stalls(100), {Cause.TIMEOUT_TOTAL}, id="stalls"),
            pytest.param(faults.hangs_up(100), {Cause.RESET}, id="half an answer"),
            pytest.param(faults.garbles(), {Cause.PROTOCOL, Cause.TIMEOUT_TOTAL}, id="noise"),
        ],
    )
    def test_a_bad_line_is_down_and_ends_in_time(
        self, tmp_path: Path, memcached: Memcached, behaviour: Behaviour, causes: set[Cause]
    ) -> None:
        options = {"expect": {"accepting_conns": 1}}
        seen = seen_through(tmp_path, behaviour, memcached.port, "memcached", options)
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in causes, seen.found

    @pytest.mark.system("nc", "timeout")
    @pytest.mark.parametrize(
        ("expect", "works"), [({}, True), ({"threads": 1}, True), ({"absent": 1}, False)]
    )
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, memcached: Memcached, expect: dict[str, Any], works: bool
    ) -> None:
        options = {"port": memcached.port, "expect": expect}
        assert (look(tmp_path, options).outcome is Outcome.OK) is works
        assert runs(check_of(plan_of("memcached", options)).reproduce()) is works

    @pytest.mark.system("nc", "timeout")
    def test_the_line_fails_where_nobody_listens(self, tmp_path: Path) -> None:
        assert not runs(look(tmp_path, {"port": refused_port()}).reproduce)


def runs(line: str) -> bool:
    return subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=False).returncode == 0


class TestWhatServersSay:
    @pytest.mark.parametrize(
        ("behave", "cause", "found"),
        [
            (answers(b"ERROR\r\n"), Cause.PROTOCOL, "does not speak as memcached does"),
            (answers(b"SERVER_ERROR out of memory\r\n"), Cause.STATUS, "SERVER_ERROR out of memory"),
            (
                says_and_leaves(b"ERROR Too many open connections\r\n"),
                Cause.STATUS,
                "ERROR Too many open connections",
            ),
            (
                answers(b"VERSION 1.6\r\n", b"STAT pid 1\r\nSERVER_ERROR busy\r\n"),
                Cause.STATUS,
                "SERVER_ERROR busy",
            ),
            (
                answers(b"VERSION 1.6\r\n", b"STAT a 1\r\n" * 2000),
                Cause.PROTOCOL,
                "tells more of itself than is read",
            ),
        ],
    )
    def test_anything_else_is_down(self, tmp_path: Path, behave: Behaviour, cause: Cause, found: str) -> None:
        seen = seen_of(tmp_path, behave, "memcached", {"expect": {"pid": 1}}, seconds=5)
        assert (seen.outcome, seen.cause, seen.found) == (Outcome.DOWN, cause, found)

    @pytest.mark.parametrize("behave", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
    def test_a_peer_that_speaks_something_else_is_down_and_ends_in_time(
        self, tmp_path: Path, behave: Behaviour
    ) -> None:
        seen = seen_of(tmp_path, behave, "memcached", {"expect": {"pid": 1}})
        assert seen.outcome is Outcome.DOWN
        assert seen.cause in {
            Cause.PROTOCOL,
            Cause.RESET,
            Cause.TIMEOUT_FIRST_BYTE,
            Cause.TIMEOUT_TOTAL,
        }


def test_it_belongs_to_the_databases() -> None:
    assert KIND.service(MemcachedOptions(host="ok.test")) is Service.DATABASES
    assert check_of(plan_of("memcached", {})).target == "127.0.0.1:11211"
