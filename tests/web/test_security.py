"""What every answer says to the browser, and what no answer ever says to anybody."""

from __future__ import annotations

import re

import pytest
from lxml import html

from monitor.identifiers import CheckKey, ServerId
from monitor.status.snapshot import CheckView
from tests.web import builders, scenes
from tests.web.builders import SITE, group, replace, server, snapshot, ulid_of
from web.reader import Readiness

PAGES = (
    "/",
    "/en/",
    "/servers/gye1",
    f"/incidents/{ulid_of(7)}",
    "/windows/kernel",
    "/history/2026-11",
    "/nope",
)
OTHERS = (
    "/favicon.svg",
    "/robots.txt",
    "/history.rss",
    "/updates.atom",
    "/metrics",
    "/healthz",
    "/readyz",
    "/history",
)


@pytest.mark.parametrize("path", PAGES + OTHERS)
def test_every_answer_carries_the_protecting_headers(served, path):
    served.get("/")
    headers = served.get(path).headers

    assert headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Set-Cookie" not in headers


def test_a_site_without_tls_does_not_demand_it(reader, served):
    reader.present = snapshot(site=replace(SITE, url="http://127.0.0.1:8080"))

    assert "Strict-Transport-Security" not in served.get("/").headers


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_nothing_that_the_policy_forbids(visit, path):
    page = html.document_fromstring(visit.get(path).text)

    assert not page.xpath("//style | //@style | //script[not(@src)] | //iframe | //object | //form")
    assert not [name for element in page.iter() for name in element.attrib if name.startswith("on")]
    assert all(
        re.fullmatch(r"/static/[\w.]+|/favicon\.svg\?\w+", link) for link in page.xpath("//script/@src")
    )
    assert all(link.startswith("/") for link in page.xpath("//link[@rel='stylesheet' or @rel='icon']/@href"))


@pytest.mark.parametrize("path", ["/", "/history.rss", "/history", "/nope", "/en", "//", "/servers/gye1/"])
def test_the_host_that_a_visitor_claims_is_never_repeated(visit, served, path):
    for client in (visit, served):
        answer = client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/servers/gye1", "/history.rss", "/metrics"])
def test_public_addresses_can_only_be_read(served, method, path):
    answer = served.open(path, method=method, data=b"x")

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_page_about_a_fault_tells_nothing_of_it(reader, visit, clock):
    del clock
    reader.present = replace(scenes.fine(), groups=None)

    answer = visit.get("/en/history/2026-11")

    assert answer.status_code in (500, 503)
    assert "Traceback" not in answer.text
    assert "TypeError" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/../../etc/passwd",
        "/incidents/%2e%2e%2f",
        "/incidents/" + "0" * 25,
        "/incidents/" + "u" * 26,
        "/servers/" + "a" * 300,
        "/servers/%00",
        "/windows/%3Cscript%3E",
        "/static/../security.py",
        "/static/vigia.py",
        "/static/.css",
    ],
)
def test_names_that_are_none_lead_nowhere(served, path):
    answer = served.get(path)

    assert answer.status_code == 404
    assert "Esta página no existe" in answer.text


def test_private_facts_are_in_no_public_byte(reader, served):
    """Whatever only operators may know is planted everywhere that a snapshot can hold it, and looked for everywhere."""
    canary = "CANARIO-192.0.2.77"
    view = CheckView(
        id=canary, kind=canary, service=builders.Service.WEB, state=None, outcome=None, cause=None,
        took_ms=None, checked_at=None,
    )  # fmt: skip
    hidden = builders.incident(1, checks=(CheckKey(server=ServerId("gye1"), check=canary),))
    reader.present = snapshot(group(server("gye1", checks=(view,))), open_incidents=(hidden,))
    reader.fitness = Readiness(ok=True)
    for prefix in ("", "/en"):
        for path in (
            "/",
            "/servers/gye1",
            f"/incidents/{hidden.id}",
            "/history/2026-11",
            "/history.rss",
            "/updates.atom",
        ):
            answer = served.get(prefix + path)
            assert answer.status_code == 200
            assert canary not in answer.text + str(answer.headers), path


def test_an_asset_is_kept_for_ever_under_the_name_of_its_content(served):
    page = html.document_fromstring(served.get("/").text)
    (style,) = page.xpath("//link[@rel='stylesheet']/@href")

    assert re.fullmatch(r"/static/vigia\.[0-9a-f]{12}\.css", style)
    assert served.get(style).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert served.get(style).content_type == "text/css; charset=utf-8"


def test_an_asset_of_an_older_page_is_answered_with_todays_and_not_for_ever(served):
    answer = served.get("/static/vigia.000000000000.css")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=60"


def test_pages_may_be_shown_from_caches_while_we_are_away(served):
    assert served.get("/").headers["Cache-Control"] == (
        "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
    )
