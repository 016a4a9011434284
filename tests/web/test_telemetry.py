"""The addresses for machines."""

from __future__ import annotations

import json

import pytest

from tests.web.builders import SITE, replace, snapshot
from web.reader import Readiness


def scrape(visit, peer: str, **headers: str):
    return visit.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})


def test_a_scrape_gets_the_form_that_it_asks_for(visit):
    plain = visit.get("/metrics")
    modern = visit.get(
        "/metrics",
        headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"},
    )

    assert plain.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert 'vigia_check_up{server="gye1"} 1' in plain.text
    assert modern.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert modern.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8::7"]
)
def test_loopback_and_the_networks_that_are_named_may_scrape(reader, visit, peer):
    reader.present = snapshot(site=replace(SITE, metrics_networks=("10.0.0.0/8", "2001:db8::/32")))

    assert scrape(visit, peer).status_code == 200


@pytest.mark.parametrize("peer", ["10.1.2.3", "192.0.2.1", "2001:db8::7", "::ffff:192.0.2.1", "", "unix"])
def test_nobody_else_may(visit, peer):
    answer = scrape(visit, peer)

    assert answer.status_code == 403
    assert "vigia_check_up" not in answer.text
    assert "no es pública" in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_visitor_behind_a_proxy_on_this_machine_is_not_loopback(visit, header):
    assert scrape(visit, "127.0.0.1", **{header: "192.0.2.9"}).status_code == 403


def test_metrics_are_asked_for_each_time_through_the_server(reader, served):
    assert served.get("/metrics").headers["Cache-Control"] == "no-store"
    assert served.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_alive_is_told_in_a_word(served):
    answer = served.get("/healthz")

    assert (answer.status_code, answer.text, answer.headers["Cache-Control"]) == (200, "ok\n", "no-store")


def test_fit_to_serve_names_its_problems(reader, served):
    assert served.get("/readyz").status_code == 200
    reader.fitness = Readiness(ok=False, problems=("nothing was written for 31 s",))

    answer = served.get("/readyz")

    assert answer.status_code == 503
    assert json.loads(answer.text) == {"ready": False, "problems": ["nothing was written for 31 s"]}
