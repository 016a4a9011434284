"""What comes back over HTTP, whatever it is: heads, cookies, packed bodies, JSON, redirects, and what steps take from them."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import brotli
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.checks.browsing import json_paths
from monitor.checks.browsing.cookies import COOKIES_LIMIT, Cookies
from monitor.checks.browsing.expectations import Expectation, judge, read_text, shown_body
from monitor.checks.browsing.options import HttpCapture, HttpOptions
from monitor.checks.browsing.placeholders import filled, filled_below, in_a_url, placeholders
from monitor.checks.browsing.redirects import Hop, clean_url, follow, origin_of
from monitor.checks.browsing.steps import VALUE_LIMIT, captured, step_url
from monitor.checks.browsing.unpacking import unpacked
from monitor.checks.contract import BODY_LIMIT, Exchange, TargetFaultError
from monitor.checks.options import patterns
from tests.fuzz.mutating import any_json, mutated
from tests.fuzz.survival import survives

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nSet-Cookie: a=1; Path=/\r\nLocation: /x\r\n\r\n"
COOKIES = (
    "sid=1; Path=/; Secure; HttpOnly",
    "b=2; Domain=site.test; Max-Age=60",
    "c=3; Expires=Wed, 09 Jun 2031 10:18:14 GMT; SameSite=Lax",
)
DOCUMENT = {"status": "ok", "nodes": [{"up": True, "n": 1}, {"up": False, "n": -2.5}], "e": None}
PATHS = (
    *(
        "$",
        "$.status",
        "$.nodes[*].up",
        "$..n",
        "$.nodes[?@.n > 0].up",
        "$.nodes[-1:].n",
        "$['e']",
        "$.nodes[0,1]",
    ),
    *(
        "$[?match(@, 'o.')]",
        "$.nodes[?search(@.s, '^a') || count(@.*) >= 2]",
        "$.nodes[?value(@..n) == length(@.s)]",
    ),
)
PLACES = ("https://www.site.test/login?x=1", "//other.test/", "/añadir#b", "?y", "../..", "http://[::1]:80/")
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SITE = "https://www.site.test:2083/login"
JSON = any_json()


def spoilt(*valid: str) -> st.SearchStrategy[str]:
    """Draw any text, or one of some valid texts with a few places spoilt."""
    return st.text(max_size=200) | mutated(valid)


def packings() -> st.SearchStrategy[bytes]:
    """Draw bodies, packed in some way, whole or spoilt."""
    plain = st.binary(max_size=300)
    packed = st.one_of(plain.map(gzip.compress), plain.map(zlib.compress), plain.map(brotli.compress))
    return plain | mutated(packed)


HEADS = st.binary(max_size=400) | mutated(st.just(HEAD))
ENCODINGS = st.sampled_from(["", "identity", "gzip", "deflate", "br", "zstd", "gzip, br"]) | st.text(
    max_size=12
)


@st.composite
def exchanges(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> Exchange:
    head = draw(HEADS)
    for name in (b"Content-Encoding", b"Content-Type"):
        if draw(st.booleans()):
            value = draw(st.binary(max_size=40) | st.sampled_from([b"gzip", b"text/html; charset=utf-16"]))
            head = head.replace(b"\r\n", b"\r\n" + name + b": " + value + b"\r\n", 1)
    return Exchange(
        status=draw(st.integers(0, 999)),
        head=head,
        body=draw(bodies),
        truncated=draw(st.booleans()),
        phases={},
        address="192.0.2.1",
    )


@survives(HEADS)
def test_any_head_has_headers(head: bytes) -> None:
    exchange = Exchange(status=200, head=head, body=b"", truncated=False, phases={}, address="")
    for name, value in exchange.headers:
        assert value in (exchange.header(name) or "")


@survives(packings(), ENCODINGS)
def test_any_body_is_unpacked_within_bounds_or_not_at_all(body: bytes, packed: str) -> None:
    text = unpacked(body, packed)
    assert text is None or len(text) <= BODY_LIMIT


@survives(st.lists(spoilt(*COOKIES), max_size=8), spoilt(*COOKIES))
def test_any_cookies_are_kept_or_not(cookies: list[str], name: str) -> None:
    lines = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies)
    exchange = Exchange(
        status=200,
        head=f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1", errors="replace"),
        body=b"",
        truncated=False,
        phases={},
        address="",
    )
    kept = Cookies(NOW)
    kept.take(SITE, exchange)
    assert len(kept.values()) <= COOKIES_LIMIT
    assert "\r" not in kept.header(SITE)
    assert "\n" not in kept.header(SITE)
    kept.value(name)


@survives(spoilt(json.dumps(DOCUMENT)) | JSON.map(json.dumps), st.sampled_from(PATHS))
def test_any_text_is_json_or_not(text: str, path: str) -> None:
    with contextlib.suppress(ValueError):
        json_paths.selected(path, json_paths.read_json(text))


@survives(spoilt(*PATHS), JSON)
def test_any_path_is_accepted_and_followed_or_refused(path: str, document: Any) -> None:
    try:
        json_paths.accepted(path)
    except ValueError:
        return
    json_paths.selected(path, document)
    json_paths.names_of(path)


@survives(spoilt('name="csrf" value="([^"]+)"', "(?i)(a|b)*[^c]{2,5}$", r"\pL+\d\b"), st.text(max_size=200))
def test_any_pattern_is_accepted_and_searched_or_refused(pattern: str, text: str) -> None:
    try:
        patterns.accepted(pattern)
    except ValueError:
        return
    assert patterns.matches_whole(pattern, text) <= patterns.found_in(pattern, text)
    if patterns.groups_of(pattern):
        patterns.group_in(pattern, text)


@survives(spoilt(*PLACES), st.sampled_from([301, 302, 303, 307, 308]))
def test_any_location_leads_somewhere_clean_or_astray(location: str, status: int) -> None:
    hop = Hop(url=SITE, method="POST", headers=(("Authorization", "x"),), body=b"secret")
    try:
        onward = follow(hop, status, location)
    except TargetFaultError:
        return
    assert clean_url(onward.url) == onward.url
    assert onward.url.isascii()
    if origin_of(onward.url) != origin_of(SITE):
        assert (onward.headers, onward.body, onward.trusted) == ((), None, False)


@survives(spoilt("/{token}/frontend", "{token}", "/a?b={token}"), st.text(max_size=60))
def test_what_was_captured_never_leads_elsewhere(written: str, value: str) -> None:
    with contextlib.suppress(ValidationError):
        step = {"url": written, "expect": {}}
        options = HttpOptions.model_validate({"url": SITE, "steps": [step]})
        meant = origin_of(step_url(SITE, options.steps[0].url, {}))
        with contextlib.suppress(TargetFaultError):
            assert origin_of(step_url(SITE, written, {"token": value})) == meant


@survives(JSON, st.dictionaries(st.sampled_from(["a", "token", "id"]), st.text(max_size=9), max_size=3))
def test_any_value_is_filled(value: Any, values: dict[str, str]) -> None:
    known = filled_below(value, dict.fromkeys(placeholders(value), ""))
    assert placeholders(known) == frozenset() or placeholders(value)
    filled(json.dumps(value), values)
    in_a_url(values)


@survives(exchanges(packings() | mutated(st.just(json.dumps(DOCUMENT).encode()))), st.sampled_from(PATHS))
def test_any_answer_is_judged_and_shown(exchange: Exchange, path: str) -> None:
    expect = Expectation.model_validate(
        {
            "status": ["2xx", 404],
            "body": {"contains": "ok", "lacks": "Fatal", "matches": "[a-z]+"},
            "json": [{"path": path, "min": 1, "contains": "a"}],
            "header": {"content-type": "text"},
            "size": {"max": 200},
        }
    )
    judge(exchange, expect, 1.0)
    judge(exchange, Expectation.model_validate({"json": {path: {"max": 1}}, "body": {}}), 1.0)
    assert len(shown_body(exchange, 50)) <= 100
    text = read_text(exchange)
    assert text is None or len(text) <= BODY_LIMIT


CAPTURES = (
    HttpCapture.model_validate({"json": "$..up"}),
    HttpCapture.model_validate({"header": "Set-Cookie"}),
    HttpCapture.model_validate({"cookie": "a"}),
    HttpCapture.model_validate({"matches": "(.+)"}),
)


@survives(exchanges(packings() | mutated(st.just(json.dumps(DOCUMENT).encode()))), st.sampled_from(CAPTURES))
def test_any_answer_gives_a_value_that_can_be_sent_or_none(exchange: Exchange, capture: HttpCapture) -> None:
    kept = Cookies(NOW)
    kept.take(SITE, exchange)
    try:
        value = captured(capture, exchange, kept)
    except ValueError:
        return
    assert len(value) <= VALUE_LIMIT
    assert not any(ord(letter) < 0x20 for letter in value)
