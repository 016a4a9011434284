"""What an answer is held to: judged without any server."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import brotli
import pytest

from monitor.checks.browsing.expectations import (
    Expectation,
    judge,
    judge_certificate,
    read_text,
    shown_body,
)
from monitor.checks.browsing.json_paths import accepted as path_accepted
from monitor.checks.browsing.json_paths import read_json, selected
from monitor.checks.browsing.unpacking import unpacked
from monitor.checks.contract import BODY_LIMIT, Exchange
from monitor.checks.options.patterns import accepted, found_in, group_in
from monitor.observation import Cause, Outcome

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
PAGE = b"".join(b"%d lines of a page\n" % number for number in range(5000))


def exchange(body: bytes = b"", status: int = 200, *, truncated: bool = False, **headers: str) -> Exchange:
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    head = f"HTTP/1.1 {status} Words\r\n{''.join(lines)}\r\n"
    return Exchange(
        status=status,
        head=head.encode("latin-1"),
        body=body,
        truncated=truncated,
        phases={},
        address="192.0.2.1",
    )


def found(answer: Exchange, expect: dict[str, Any]) -> str:
    """Return what is wrong with an answer, empty when it is as expected."""
    verdict = judge(answer, Expectation.model_validate(expect), 10.0)
    return "" if verdict is None else verdict.found


def of_json(document: object, expected: object) -> str:
    return found(exchange(json.dumps(document).encode()), {"json": expected})


HEALTH = {
    "status": "ok",
    "queue": 7,
    "ready": True,
    "nodes": [{"up": True}, {"up": True}],
    "load": 0.5,
    "e": None,
}


@pytest.mark.parametrize(
    "expected",
    [
        {"$.status": "ok", "$.queue": {"max": 100}, "$.ready": True, "$.e": None},
        [{"path": "$.queue", "min": 7, "max": 7}],
        {"$.nodes[*].up": True},
        {"$.nodes": {"contains": {"up": True}}},
        {"$.status": {"contains": "o", "matches": "^o"}},
        {"$": {"contains": "queue"}},
        {"$.load": {"min": 0.1}},
        {"$.gone": {"exists": False}},
        {"$.queue": {}},
        {"$.queue": 7.0},
        {'$.nodes[?@.up == true && match("a", "a+")].up': True},
    ],
)
def test_json_that_says_what_it_should_is_fine(expected: object) -> None:
    assert of_json(HEALTH, expected) == ""


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ({"$.status": "up"}, "$.status is 'ok', expected 'up'"),
        ({"$.status": {"contains": "x"}}, "$.status is 'ok', expected 'x' in it"),
        ({"$.status": {"matches": "^k"}}, "$.status is 'ok', expected to match '^k'"),
        ({"$.queue": {"max": 5}}, "$.queue is 7, expected at most 5"),
        ({"$.queue": {"min": 8}}, "$.queue is 7, expected at least 8"),
        ({"$.status": {"min": 8}}, "$.status is 'ok', expected at least 8"),
        ({"$.ready": 1}, "$.ready is true, expected 1"),
        ({"$.ready": {"min": 0}}, "$.ready is true, expected at least 0"),
        ({"$.queue": True}, "$.queue is 7, expected true"),
        ({"$.queue": None}, "$.queue is 7, expected null"),
        ({"$.nodes": "x"}, "$.nodes is a list of 2, expected 'x'"),
        ({"$.nodes[*].up": False}, "$.nodes[*].up is true, expected false"),
        ({"$.gone": "x"}, "$.gone is missing"),
        ({"$.gone[0].x": {}}, "$.gone[0].x is missing"),
        ({"$.status": {"exists": False}}, "$.status is there, expected nothing"),
        ({"$.nodes": {"contains": True}}, "$.nodes is a list of 2, expected true in it"),
    ],
)
def test_json_that_says_something_else_is_told(expected: object, wrong: str) -> None:
    assert of_json(HEALTH, expected) == wrong


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "Expecting value"),
        (b"", "Expecting value"),
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (b"[" * 100_000, "deeper than 32"),
        (b"[" + b"1," * 20_000 + b"1]", "more than 10000 values"),
        (b'"' + b"x" * 300_000 + b'"', "more than 256 KiB"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b"1" * 5000, "integer string"),
    ],
)
def test_json_that_cannot_or_will_not_be_judged_is_told(body: bytes, why: str) -> None:
    wrong = found(exchange(body), {"json": {"$": {}}})
    assert wrong.startswith("the body is no JSON to be judged: ")
    assert why in wrong


@pytest.mark.parametrize("document", ["word", 7, None, True])
def test_a_document_may_be_a_single_value(document: object) -> None:
    assert of_json(document, {"$": document}) == ""
    assert of_json(document, {"$.a": {"exists": False}}) == ""


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert found(exchange(b'\xef\xbb\xbf{"a": 1}'), {"json": {"$.a": 1}}) == ""


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ({"matches": "^0 lines"}, ""),
        ({"matches": ["lines", "[0-9]+ lines of a page\n1"]}, ""),
        ({"matches": "(?i)LINES"}, ""),
        ({"matches": "4999 lines"}, "nothing in the body matches '4999 lines'"),
        ({"matches": ["lines", "^x"]}, "nothing in the body matches '^x'"),
    ],
)
def test_patterns_are_searched_in_the_first_part_of_a_body(expect: dict[str, Any], wrong: str) -> None:
    assert len(PAGE) > 64 * 1024
    assert found(exchange(PAGE), {"body": expect}) == wrong


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a(?=b)", "begins no group that exists"),
        ("(", "a parenthesis is not closed"),
        (r"(a)\1", "references back to a group do not exist"),
        ("a{1001}", "repeats too often"),
        ("(.{0,300}x){0,3}y", "takes too much memory"),
        ("a" * 513, "at most 512 characters"),
        ("\ud800", "half of a character"),
    ],
)
def test_a_pattern_that_is_none_or_too_much_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        accepted(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(a?){200}b", "(.*)*b", "(.{0,60}a){0,4}b"])
def test_no_text_makes_a_pattern_slow(pattern: str) -> None:
    """Each of these takes a backtracking engine longer than the age of the world."""
    assert not found_in(accepted(pattern), "a" * 65536)


def test_a_group_gives_what_it_matched() -> None:
    assert group_in('value="([^"]+)"', '<input value="abc">') == "abc"
    assert group_in("(a)?b", "b") is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "status",
        "$.",
        "$[",
        "$.a | $.b",
        "$[?@.a =~ /x/]",
        "$..a..b",
        "$[?@.a == 1e400]",
        "$.a" * 100,
        "^.a",
    ],
)
def test_a_path_that_is_none_of_the_standard_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        path_accepted(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("$.a b", "what begins at column 5 cannot stand there"),
        ("$[?@.a = 1]", "what begins at column 8"),
        ("$.a[", "it ends before it is complete"),
        ("$[?last(@.a)]", "at column 4 there is no function of that name"),
        ("$[1e2]", "something in it cannot be read"),
    ],
)
def test_where_a_path_stops_making_sense_is_said(path: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        path_accepted(path)


def refusal_of(pattern: str) -> str:
    try:
        accepted(pattern)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("letters", ["()[]{}", "\\*+?1,:<>"])
def test_whatever_re2_refuses_has_a_sentence_of_ours(letters: str) -> None:
    patterns = map("".join, product([*letters, "a", "(?P<", "{9,1}", "[b-a]", "\\p"], repeat=3))
    told = [why for pattern in patterns if (why := refusal_of(pattern))]
    assert len(told) > 100
    assert [why for why in told if "the library says" in why] == []


def test_a_pattern_out_of_the_document_is_read_by_the_same_engine() -> None:
    document = read_json(
        json.dumps([{"n": "a" * 5000, "p": "(a+)+b"}, {"n": "x", "p": "("}, {"n": "x", "p": "x"}])
    )
    assert selected("$[?match(@.n, @.p)].n", document) == ["x"]
    assert selected("$[?search(@.n, @.p)].n", document) == ["x"]


@pytest.mark.parametrize(
    ("answer", "size", "wrong"),
    [
        (exchange(b"12345"), {"min": 5, "max": 5}, ""),
        (exchange(b"12345"), {"min": 6}, "the body has 5 bytes, expected at least 6"),
        (exchange(b"12345"), {"max": 4}, "the body has 5 bytes, expected at most 4"),
        (
            exchange(bytes(BODY_LIMIT), truncated=True),
            {"min": 5},
            f"the body has more than {BODY_LIMIT} bytes, expected at most {BODY_LIMIT}",
        ),
    ],
)
def test_a_body_may_be_too_short_or_too_long(answer: Exchange, size: dict[str, int], wrong: str) -> None:
    assert found(answer, {"size": size}) == wrong


def test_what_a_cookie_was_is_not_told() -> None:
    wrong = found(exchange(Set_Cookie="session=abcdef"), {"header": {"set-cookie": "Secure"}})
    assert wrong == "the header set-cookie is not as expected, expected 'Secure' in it"


@pytest.mark.parametrize(
    ("ends", "soon", "warns"),
    [
        (NOW + timedelta(days=13), "14d", True),
        (NOW + timedelta(days=14), "14d", False),
        (NOW + timedelta(minutes=1), "0d", False),
        (None, "14d", False),
    ],
)
def test_a_certificate_that_ends_soon_is_a_warning(ends: datetime | None, soon: str, warns: bool) -> None:
    expect = Expectation.model_validate({"certificate": soon})
    verdict = judge_certificate(ends, expect.certificate, NOW)
    assert (verdict is not None) is warns
    if verdict is not None:
        assert (verdict.outcome, verdict.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)


RAW_DEFLATE = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("packed", "by"),
    [
        (PAGE, "identity"),
        (PAGE, ""),
        (gzip.compress(PAGE), "gzip"),
        (gzip.compress(PAGE), " X-GZIP "),
        (zlib.compress(PAGE), "deflate"),
        (RAW_DEFLATE.compress(PAGE) + RAW_DEFLATE.flush(), "deflate"),
        (brotli.compress(PAGE), "br"),
    ],
    ids=["not at all", "not at all, unnamed", "gzip", "x-gzip", "deflate", "bare deflate", "brotli"],
)
def test_a_body_that_came_packed_is_unpacked(packed: bytes, by: str) -> None:
    assert unpacked(packed, by) == PAGE


@pytest.mark.parametrize(
    ("packed", "by"),
    [
        (gzip.compress(bytes(64 << 20)), "gzip"),
        (zlib.compress(bytes(64 << 20)), "deflate"),
        (brotli.compress(bytes(64 << 20)), "br"),
        (gzip.compress(gzip.compress(PAGE)), "gzip, gzip"),
        (brotli.compress(gzip.compress(PAGE)), "gzip, br"),
        (b"(\xb5/\xfd", "zstd"),
        (b"no gzip at all", "gzip"),
        (b"no brotli at all", "br"),
    ],
    ids=[
        "gzip bomb",
        "deflate bomb",
        "brotli bomb",
        "twice",
        "mixed",
        "zstd",
        "broken gzip",
        "broken brotli",
    ],
)
def test_a_bomb_and_what_we_do_not_read_is_not_unpacked(packed: bytes, by: str) -> None:
    assert unpacked(packed, by) is None
    answer = exchange(packed, Content_Encoding=by)
    assert read_text(answer) is None
    assert "and cannot be read" in found(answer, {"body": {"lacks": "x"}})
    assert shown_body(answer, 100) == f"({len(packed)} bytes, packed as {by})"


def test_what_is_large_unpacked_is_cut() -> None:
    page = PAGE * 20
    assert unpacked(gzip.compress(page, compresslevel=1), "gzip") == page[:BODY_LIMIT]
    assert unpacked(brotli.compress(page * 2, quality=0), "br") == (page * 2)[:BODY_LIMIT]


def test_an_excerpt_of_a_packed_page_can_be_read() -> None:
    assert shown_body(exchange(gzip.compress(PAGE), Content_Encoding="gzip"), 12) == "0 lines of a"


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "undefined", "rot13", "no-such"])
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    answer = exchange("Contraseña".encode(), Content_Type=f"text/html; charset={charset}")
    assert read_text(answer) == "Contraseña"
