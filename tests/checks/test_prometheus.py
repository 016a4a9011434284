"""Queries to a real Prometheus, and to what is none."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.browsing.prometheus_answers import (
    AnswerError,
    Sample,
    judge_samples,
    measures_of,
    read_answer,
)
from monitor.checks.options.bounds import Bounds
from monitor.checks.prometheus import KIND, PrometheusOptions
from monitor.health.words import CheckImpact, Service
from monitor.observation import Cause, Measure, Observation, Outcome
from tests.journeys.house import wait_for
from tests.servers import peers
from tests.servers.hostile import HOSTILE, PATIENCE_S
from tests.servers.looking import NO_SECRETS, TestSecrets, check_of, looker, plan_of
from tests.servers.metrics import Prometheus
from tests.servers.peers import Behaviour, answer, refused_port

REAL = pytest.mark.system("prometheus")
UP = 'up{job="itself"}'


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    found = Prometheus(tmp_path_factory.mktemp("prometheus"))
    found.start()
    yield found
    found.stop()


def look(
    folder: Path, options: Mapping[str, Any], *, seconds: float = 30.0, secrets: TestSecrets = NO_SECRETS
) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            return await looking.look("prometheus", options, seconds=seconds, secrets=secrets)

    return uvloop.run(main())


def vector(*values: object, **labels: str) -> bytes:
    samples = [{"metric": {**labels, "n": str(n)}, "value": [1.5, value]} for n, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": samples}}).encode()


@REAL
class TestARealServer:
    @pytest.fixture(autouse=True)
    def _knows_itself(self, tmp_path: Path, prometheus: Prometheus) -> None:
        query = {"url": prometheus.url, "query": UP, "expect": {"min": 1}}
        wait_for(lambda: look(tmp_path, query).outcome is Outcome.OK, what="the first scrape")

    @pytest.mark.parametrize(
        ("query", "bounds", "outcome", "found"),
        [
            (UP, {"expect": {"min": 1}}, Outcome.OK, ""),
            ("vector(7)", {"expect": {"min": 5, "max": 9}, "warn": {"max": 8}}, Outcome.OK, ""),
            ("vector(7)", {"expect": {"max": 6}}, Outcome.DOWN, "7, expected at most 6"),
            ("vector(7)", {"expect": {"max": 9}, "warn": {"max": 6}}, Outcome.WARN, "7, expected at most 6"),
            ("3 + 4", {"warn": {"min": 8}}, Outcome.WARN, "7, expected at least 8"),
            ("vector(0) / 0", {"expect": {"max": 6}}, Outcome.DOWN, "nan, expected at most 6"),
            (UP, {"expect": {"max": 0}}, Outcome.DOWN, "is 1, expected at most 0"),
            ('up{job="none"}', {"empty": "down"}, Outcome.DOWN, "the query gives no data"),
            ('up{job="none"}', {"empty": "ok"}, Outcome.OK, ""),
            ('up{job="none"}', {}, Outcome.UNKNOWN, "the query gives no data: look at its series"),
            ("up[5m]", {}, Outcome.UNKNOWN, "gives matrix, and only an instant vector or a scalar"),
            ("up{", {}, Outcome.UNKNOWN, "bad_data: invalid parameter"),
            ('"text"', {}, Outcome.UNKNOWN, "gives string"),
        ],
    )
    def test_what_a_query_gives_is_judged(
        self,
        tmp_path: Path,
        prometheus: Prometheus,
        *,
        query: str,
        bounds: dict[str, Any],
        outcome: Outcome,
        found: str,
    ) -> None:
        seen = look(tmp_path, {"url": prometheus.url, "query": query, **bounds})
        assert seen.outcome is outcome, seen.found
        assert found in seen.found
        assert seen.cause is {Outcome.OK: None, Outcome.UNKNOWN: Cause.OWN}.get(outcome, Cause.CONTENT)

    def test_the_value_is_a_measure(self, tmp_path: Path, prometheus: Prometheus) -> None:
        seen = look(tmp_path, {"url": prometheus.url, "query": "vector(0.25)"})
        assert seen.measures == (Measure("value", 0.25),)
        assert {"connect", "first_byte", "total"} <= set(seen.phases)
        many = look(tmp_path, {"url": prometheus.url, "query": "vector(1) or up"})
        assert [one.name for one in many.measures] == ["series", "lowest", "highest"]

    @pytest.mark.system("curl")
    @pytest.mark.parametrize(("query", "works"), [(UP, True), ("up{", False)])
    def test_the_line_to_repeat_it_sees_the_same(
        self, tmp_path: Path, prometheus: Prometheus, query: str, works: bool
    ) -> None:
        options = {"url": prometheus.url, "query": query, "expect": {"min": 1}}
        assert (look(tmp_path, options).outcome is Outcome.OK) is works
        line = check_of(plan_of("prometheus", options)).reproduce()
        assert line.endswith("# expect at least 1")
        ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode == 0) is works
        if works:
            assert [sample.value for sample in read_answer(ran.stdout)] == [1.0]


class TestWithoutAPrometheus:
    def test_nothing_is_known_of_the_target(self, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{refused_port()}"
        seen = look(tmp_path, {"url": url, "query": "up"})
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert seen.found == f"{url} cannot be asked: the connection was refused"
        ran = subprocess.run(["sh", "-c", seen.reproduce], capture_output=True, timeout=60, check=False)
        assert ran.returncode != 0

    @pytest.mark.parametrize("behave", [pytest.param(each, id=name) for name, each in HOSTILE.items()])
    def test_whatever_answers_is_unknown_and_ends_in_time(self, tmp_path: Path, behave: Behaviour) -> None:
        seen = asked(tmp_path, behave, seconds=0.5)
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert seen.took_ms < 1000 * (0.5 + PATIENCE_S)

    @pytest.mark.parametrize(
        ("status", "body", "found"),
        [
            (200, b"<html>", "answers what cannot be read: Expecting value"),
            (200, b"[1]", "does not answer as Prometheus does"),
            (200, b'{"status": "success"}', "does not answer as Prometheus does"),
            (200, b'{"status": "maybe", "data": {}}', "does not answer as Prometheus does"),
            (401, b"", "answers with status 401"),
            (302, b"", "answers with status 302"),
            (404, b"not found", "answers with status 404"),
            (503, b'{"status": "error", "errorType": "timeout", "error": "too\\nslow"}', "timeout: too slow"),
            (200, vector(*["1"] * 9000), "answers what cannot be read: it has more than"),
            (200, b"x" * (2 << 20), "answers with more than 1 MiB"),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_what_is_no_answer_is_unknown(self, tmp_path: Path, status: int, body: bytes, found: str) -> None:
        seen = asked(tmp_path, answer(status, body))
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
        assert found in seen.found

    def test_headers_go_along_and_are_never_shown(self, tmp_path: Path) -> None:
        async def main() -> tuple[Observation, bytes]:
            async with peers.peer(answer(200, vector("1"))) as found, looker(tmp_path) as looking:
                options = {
                    "url": f"http://ok.test:{found.port}/prefix/",
                    "query": 'a{b="c d"} > 1 & x',
                    "headers": {"Authorization": "Bearer ${TOKEN}"},
                    "expect": {"min": 2},
                }
                secrets = TestSecrets({"TOKEN": "hunter2-and-more"})
                return await looking.look("prometheus", options, seconds=30, secrets=secrets), found.asked[0]

        seen, head = uvloop.run(main())
        assert head.startswith(
            b"GET /prefix/api/v1/query?query=a%7Bb%3D%22c%20d%22%7D%20%3E%201%20%26%20x HTTP/1.1"
        )
        assert b"Authorization: Bearer hunter2-and-more\r\n" in head
        assert (seen.outcome, seen.found) == (Outcome.DOWN, '{n="0"} is 1, expected at least 2')
        assert '-H "Authorization: Bearer ${TOKEN}" --resolve ok.test:' in seen.reproduce
        assert "hunter2" not in repr(seen)


def asked(folder: Path, behave: Behaviour, seconds: float = 30.0) -> Observation:
    async def main() -> Observation:
        async with peers.peer(behave) as found, looker(folder) as looking:
            options = {"url": f"http://127.0.0.1:{found.port}", "query": "up"}
            return await looking.look("prometheus", options, seconds=seconds)

    return uvloop.run(main())


class TestAnswers:
    def test_the_farthest_value_is_told_first(self) -> None:
        samples = read_answer(vector("91", "99", "95", "10", instance="x").decode())
        verdict = judge_samples(samples, Bounds(max=90), Bounds(max=5), "down")
        assert verdict is not None
        assert verdict.outcome is Outcome.DOWN
        assert verdict.found == '{instance="x", n="1"} is 99, expected at most 90 (3 of 4 series)'

    def test_what_is_no_number_is_farther_away_than_any(self) -> None:
        samples = (Sample("a{}", 1e9), Sample("b{}", math.nan))
        verdict = judge_samples(samples, Bounds(max=0), None, "down")
        assert verdict is not None
        assert verdict.found == "b{} is nan, expected at most 0 (2 of 2 series)"
        assert judge_samples((Sample("c{}", math.inf),), Bounds(min=0), None, "down") is None

    def test_the_worst_outcome_decides(self) -> None:
        samples = (Sample("a{}", 6), Sample("b{}", 11))
        down = judge_samples(samples, Bounds(max=10), Bounds(max=5), "down")
        warned = judge_samples(samples, Bounds(max=20), Bounds(max=5), "down")
        assert (down and down.outcome, warned and warned.outcome) == (Outcome.DOWN, Outcome.WARN)

    def test_several_values_are_measured_by_their_ends(self) -> None:
        assert measures_of(read_answer(vector("3", "-1", "2").decode())) == (
            Measure("series", 3),
            Measure("lowest", -1.0),
            Measure("highest", 3.0),
        )
        assert measures_of(()) == ()

    def test_histograms_are_refused(self) -> None:
        text = (
            '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}'
        )
        with pytest.raises(AnswerError, match="gives histograms"):
            read_answer(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "prometheus:9090"},
        {"url": "http://user:secret@prometheus:9090"},
        {"url": "http://prometheus:9090/?a=b"},
        {"url": "http://prometheus:9090/#a"},
        {"query": ""},
        {"expect": {}},
        {"expect": {"min": 2, "max": 1}},
        {"empty": "maybe"},
        {"headers": {"X": "a\nb"}},
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PrometheusOptions.model_validate({"url": "http://prometheus:9090", "query": "up", **changes})


def test_its_answer_is_an_outage_of_the_network_unless_told_otherwise() -> None:
    options = PrometheusOptions(url="http://prometheus:9090/", query="up")
    assert (KIND.impact, KIND.service(options)) == (CheckImpact.OUTAGE, Service.NETWORK)
    assert options.url == "http://prometheus:9090"
    with pytest.raises(ValueError, match="no short form"):
        KIND.short("http://prometheus:9090")
