"""The line that repeats a look: it says the same to the server, and leaves secrets to the reader's shell."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.checks.contract import Look
from monitor.observation import Outcome
from tests.servers import peers
from tests.servers.looking import TestSecrets, check_of, looker, plan_of

SECRETS = TestSecrets({"PASSWORD": 'it\'s "$5" & `more` \\ 100%', "TOKEN": "abc.def"})


async def echo(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a whole request and remember head and body together."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head, re.IGNORECASE)
    body = await reader.readexactly(int(length[1])) if length else b""
    found.asked.append(head + body)
    await found.send(writer, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")


def asked_twice(folder: Path, options: dict[str, Any]) -> tuple[bytes, bytes, str]:
    """Return what the server heard of a look and of the line that repeats it, and the line."""
    environment = {"PATH": "/usr/bin:/bin", **SECRETS.values}

    async def main() -> tuple[bytes, bytes, str]:
        async with peers.peer(echo) as found, looker(folder) as looking:
            given = {"url": f"http://ok.test:{found.port}/a?b=c", **options}
            seen = await looking.look("http", given, seconds=20, secrets=SECRETS)
            run = await asyncio.create_subprocess_exec("sh", "-c", seen.reproduce, env=environment)
            await run.wait()
            return found.asked[0], found.asked[1], seen.reproduce

    return uvloop.run(main())


def heard(request: bytes) -> tuple[bytes, set[bytes], bytes]:
    """Return the first line, the headers that matter, and the body of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    usual = (b"accept", b"user-agent", b"host", b"accept-encoding")
    return first, {line for line in lines if line.split(b":")[0].lower() not in usual}, body


@pytest.mark.system("curl")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "OPTIONS"},
        {"method": "POST"},
        {"method": "PUT"},
        {"method": "DELETE"},
        {"method": "DELETE", "body": "a b"},
        {"method": "GET", "json": {"query": 1}},
        {"method": "PATCH", "json": {"a": ["${TOKEN}", "ñ", None, 1.5]}},
        {"form": {"user": "demo", "pass word": "${PASSWORD}", "c": "d=e&f"}},
        {"form": {}},
        {"body": "line one\n@line two ${TOKEN}"},
        {"body": "<a/>", "headers": {"Content-Type": "text/xml", "X-Quote": "it's a $test"}},
        {"basic": {"user": "demo", "password": "${PASSWORD}"}},
        {"bearer": "${TOKEN}"},
        {"headers": {"X-Empty": "", "X-Full": "a{b}"}, "body": "{a} {b}", "method": "PUT"},
        {"headers": {"Authorization": "Bearer ${TOKEN}", "Cookie": "a=b"}},
    ],
)
def test_the_line_says_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    ours, theirs, line = asked_twice(tmp_path, options)
    assert heard(ours)[0] == heard(theirs)[0]
    assert heard(ours)[1:] == heard(theirs)[1:]
    assert all(secret not in line for secret in SECRETS.values.values())


@pytest.mark.system("curl")
def test_a_line_whose_verdict_hangs_on_the_body_shows_it(tmp_path: Path) -> None:
    async def main() -> str:
        async with peers.peer(peers.answer(200, b'{"status": "bad"}')) as found, looker(tmp_path) as looking:
            options = {"url": f"http://ok.test:{found.port}/", "expect": {"json": {"$.status": "ok"}}}
            seen = await looking.look("http", options)
            run = await asyncio.create_subprocess_shell(seen.reproduce, stdout=subprocess.PIPE)
            return (await run.communicate())[0].decode()

    assert uvloop.run(main()).endswith('{"status": "bad"}')


@pytest.mark.system("curl")
def test_a_line_follows_where_the_look_was_led_with_its_cookies(tmp_path: Path) -> None:
    behave = peers.by_path(root=peers.answer(302, b"", Location="/in", Set_Cookie="a=1"), **{"in": echo})

    async def main() -> list[bytes]:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            seen = await looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"})
            await (await asyncio.create_subprocess_shell(seen.reproduce, stdout=subprocess.DEVNULL)).wait()
            return found.asked

    asked = uvloop.run(main())
    assert [b"Cookie: a=1" in request for request in asked] == [False, True, False, True]


def test_every_option_that_changes_the_way_is_in_the_line() -> None:
    options = {
        "url": "https://a.test/",
        "version": "auto",
        "redirects": 2,
        "family": "ipv6",
        "proxy": "http://proxy.test:3128",
        "proxy_auth": {"user": "me", "password": "file:proxy.secret"},
        "cert": {"file": "c.pem", "key": "k.pem", "password": "${TOKEN}"},
        "ca": "/etc/ca.pem",
        "verify": False,
        "basic": {"user": "u", "password": "file:basic.secret"},
    }
    line = check_of(plan_of("http", options), TestSecrets({"TOKEN": "abcdef"})).reproduce()
    for word in (
        "--http2",
        "--max-redirs 2",
        "-6",
        "--noproxy '' -x http://proxy.test:3128 -U \"me:$(cat proxy.secret)\"",
        '--cert c.pem --key k.pem --pass "${TOKEN}"',
        "--cacert /etc/ca.pem",
        " -k ",
        '-u "u:$(cat basic.secret)"',
    ):
        assert word in line
    assert "--resolve" not in line


@pytest.mark.parametrize(("status", "follows"), [("2xx", True), ("302", False), ([200, "3xx"], False)])
def test_a_redirect_that_is_expected_is_not_followed_by_the_line_either(
    status: object, follows: bool
) -> None:
    check = check_of(plan_of("http", {"url": "http://a.test/", "expect": {"status": status}}))
    assert (" -L " in check.reproduce()) is follows


def test_both_families_are_repeated_one_by_one_or_the_one_that_failed() -> None:
    check = check_of(plan_of("http", {"url": "http://a.test/", "family": "both"}))
    assert check.reproduce().startswith("for family in 4 6; do curl ")
    failed = check.reproduce(Look(outcome=Outcome.DOWN, address="2001:db8::1"))
    assert " -6 " in failed
    assert "--resolve 'a.test:80:[2001:db8::1]'" in failed


@pytest.mark.parametrize(
    ("base", "written", "place"),
    [
        ("https://a.test:2083/x", "/login", "https://a.test:2083/login"),
        ("https://a.test/x/", "login?y=1", "'https://a.test/x/login?y=1'"),
        ("https://a.test/", "{token}/in", '"https://a.test${token}/in"'),
        ("https://${TOKEN}:2083/", "/login", '"https://${TOKEN}:2083/login"'),
        ("${TOKEN}", "/login", '"${TOKEN}/login"'),
        ("https://a.test/", "http://b.test/c", "http://b.test/c"),
    ],
)
def test_a_step_has_its_place_in_the_line(base: str, written: str, place: str) -> None:
    steps = [
        {"url": "/", "capture": {"token": {"json": "$..token"}}},
        {"url": written, "body": "{token} {other}"},
    ]
    plan = plan_of("http", {"url": base, "steps": steps})
    line = check_of(plan, TestSecrets({"TOKEN": "http://c.test"})).reproduce()
    assert f" {place} && cat head)" in line
    assert '--data-raw "${token} {other}" ' in line
    assert "echo 'token, which is $..token:' && read -r token" in line
