"""What the options of an `http` check may be, and what is refused with which words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from monitor.checks.browsing.options import HttpOptions

ROOT = Path(__file__).parents[2]
URL = "https://a.test/"


def options(**given: Any) -> HttpOptions:
    return HttpOptions.model_validate({"url": URL, **given})


def capture(**given: Any) -> dict[str, Any]:
    return {"steps": [{"url": "/a", "capture": {"token": given}}, {"url": "/{token}"}]}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"body": "a", "form": {}}, "one of body, form and json"),
        ({"json": 1, "form": {}}, "one of body, form and json"),
        ({"body": "a", "method": "HEAD"}, "HEAD sends nothing along"),
        ({"method": "TRACE"}, "Input should be 'GET'"),
        ({"body": "x" * 70_000}, "at most 65536 characters"),
        ({"form": {"a": 1}}, "valid string"),
        ({"basic": {"user": "a", "password": "b"}, "bearer": "c"}, "one of basic, bearer"),
        ({"headers": {"authorization": "x"}, "bearer": "c"}, "one of basic, bearer"),
        ({"basic": {"user": "a:b", "password": "c"}}, "holds no colon"),
        ({"basic": {"user": "a", "password": "b\nc"}}, "a line break"),
        ({"bearer": "a b"}, "no blanks"),
        ({"bearer": "a\r\nEvil: b"}, "no blanks"),
        ({"redirects": 11}, "less than or equal to 10"),
        ({"version": 3}, "'auto', '1.1' or '2'"),
        ({"version": True}, "'auto', '1.1' or '2'"),
        ({"version": "2", "url": "http://a.test/"}, "over https only"),
        ({"family": "both", "url": "https://192.0.2.1/"}, "write a name"),
        ({"family": "both", "proxy": "http://p.test:3128"}, "the proxy that connects"),
        ({"proxy": "https://p.test:3128"}, "expected an HTTP proxy"),
        ({"proxy": "http://p.test"}, "expected an HTTP proxy with its port"),
        ({"proxy": "http://u:p@p.test:3128"}, "under proxy_auth"),
        ({"proxy": "http://["}, "expected an HTTP proxy"),
        ({"proxy_auth": {"user": "a", "password": "b"}}, "there is none"),
        ({"expect": {"json": {"status": 1}}}, "expected a path into JSON"),
        ({"expect": {"json": [{"path": "$.a", "matches": "("}]}}, "RE2 does not take this pattern"),
        ({"expect": {"json": [{"equals": 1}]}}, "Field required"),
        ({"expect": {"body": {"matches": "(?=x)"}}}, "RE2 does not take this pattern"),
        ({"expect": {"size": {"max": 2_000_000}}}, "less than or equal to 1048576"),
        ({"steps": [{"url": "/a"}], "form": {}}, "stands in the steps"),
        ({"steps": [{"url": "/a"}], "method": "POST"}, "stands in the steps"),
        ({"steps": [{"url": "/a"}], "expect": {"status": 200}}, "stands in the steps"),
        ({"steps": [{"url": "/a", "expect": {"certificate": "1d"}}]}, "Extra inputs"),
        ({"steps": [{"url": "ftp://a.test/"}]}, "expected a web address"),
        ({"steps": [{"url": "javascript:x"}]}, "expected a web address"),
        ({"steps": [{"url": "/a b"}]}, "with a blank"),
        ({"steps": [{"url": "http://["}]}, "expected a web address"),
        ({"steps": [{"url": "https://{host}/"}]}, "chooses no host"),
        ({"steps": [{"url": "//{host}/"}]}, "chooses no host"),
        ({"steps": [{"url": "/a"}] * 21}, "at most 20 items"),
        (capture(), "exactly one of json"),
        (capture(json="$.a", header="X"), "exactly one of json"),
        (capture(matches="abc"), "put what is wanted in one"),
        (capture(matches="(a)(b)"), "put what is wanted in one"),
        (
            {"steps": [{"url": "/a", "capture": {"token": {"header": "X"}}}, {"url": "/{tokn}"}]},
            "no later step uses token",
        ),
        (
            {"steps": [{"url": "/{token}", "capture": {"token": {"header": "X"}}}]},
            "no later step uses token",
        ),
        ({"steps": [{"url": "/a", "capture": {"Token": {"header": "X"}}}]}, "match pattern"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        options(**given)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    "given",
    [
        {"version": 1.1},
        {"version": 2},
        {"version": "auto"},
        {
            "bearer": "${TOKEN}",
            "proxy": "http://${PROXY}",
            "proxy_auth": {"user": "${U}", "password": "${P}"},
        },
        {"family": "both", "url": "https://${HOST}/"},
        {"json": {"a": ["${SECRET}", 1, None]}, "method": "PUT"},
        {"form": {}},
        {"expect": {"json": {"$.a": None, "$.b": {"min": 1}}, "body": {"matches": ["a", "b"]}}},
        {"expect": {"json": [{"path": "$.a", "exists": False}], "size": {"min": 1}, "certificate": "0d"}},
        {"steps": [{"url": "/a"}], "expect": {"within": "1s", "certificate": "21d"}, "headers": {"X": "y"}},
        {"steps": [{"url": "https://${HOST}/login?x={y}", "form": {"{a}": "b"}}]},
        capture(json="$.a"),
        capture(matches="(?:a)(b)"),
        {
            "steps": [
                {"url": "/a", "capture": {"token": {"cookie": "X"}}},
                {"url": "/b", "json": {"deep": [{"{token}": 1}]}},
            ]
        },
    ],
)
def test_what_fits_survives_the_journal(given: dict[str, Any]) -> None:
    read = options(**given)
    assert HttpOptions.model_validate(json.loads(read.model_dump_json())) == read


def test_a_null_that_is_expected_is_not_a_value_that_is_left_out() -> None:
    read = options(expect={"json": {"$.a": None, "$.b": {}}})
    again = HttpOptions.model_validate(json.loads(read.model_dump_json()))
    assert [one.model_fields_set for one in again.expect.values] == [{"path", "equals"}, {"path"}]


@pytest.mark.parametrize(
    ("given", "method"),
    [({}, "GET"), ({"form": {}}, "POST"), ({"json": [1]}, "POST"), ({"body": "", "method": "PUT"}, "PUT")],
)
def test_the_method_follows_from_what_is_sent(given: dict[str, Any], method: str) -> None:
    assert options(**given).asked_by == method


def test_every_example_of_the_documentation_is_accepted() -> None:
    section = (ROOT / "docs" / "checks.md").read_text().split("\n## http\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    examples = [check["http"] for block in blocks for check in yaml.safe_load(block)]
    assert len(examples) == 5
    for example in examples:
        options = {key: value for key, value in example.items() if key not in {"name", "every", "timeout"}}
        assert HttpOptions.model_validate(options)
