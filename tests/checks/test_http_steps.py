"""Several requests one after the other, against a panel that has a login."""

from __future__ import annotations

import asyncio
import html
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import uvloop

from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.looking import TestSecrets, check_of, looker, plan_of
from tests.servers.panel import PASSWORD, USER, Panel, panel

SECRETS = TestSecrets({"PANEL_PASSWORD": PASSWORD})
LOGIN: list[dict[str, Any]] = [
    {
        "url": "/login",
        "expect": {"body": {"contains": "Ingresar"}},
        "capture": {"token": {"matches": 'name="csrf" value="([^"]+)"'}},
    },
    {
        "url": "/login",
        "form": {"user": USER, "pass": "${PANEL_PASSWORD}", "csrf": "{token}"},
        "expect": {"body": {"contains": "Bienvenido"}},
    },
]
BY_TOKEN: list[dict[str, Any]] = [
    {
        "url": "/api/login",
        "form": {"user": USER, "pass": "${PANEL_PASSWORD}"},
        "expect": {"json": {"$.status": 1}},
        "capture": {"token": {"json": "$.security_token"}},
    },
    {"url": "{token}/frontend/index.html", "expect": {"body": {"contains": "Tools"}}},
]


@pytest.fixture
def running() -> Iterator[Panel]:
    with panel() as found:
        yield found


def walk(folder: Path, url: str, steps: list[dict[str, Any]], **options: Any) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            given = {"url": url, "steps": steps, **options}
            return await looking.look("http", given, seconds=20, secrets=SECRETS)

    return uvloop.run(main())


def repeated(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as the operator's shell would, with the secrets in its environment."""
    environment = {"PATH": "/usr/bin:/bin", "PANEL_PASSWORD": PASSWORD, "TMPDIR": str(folder)}
    return subprocess.run(
        ["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("steps", [LOGIN, BY_TOKEN], ids=["hidden token", "token in the path"])
def test_a_login_leads_to_what_lies_behind_it(
    tmp_path: Path, running: Panel, steps: list[dict[str, Any]]
) -> None:
    seen = walk(tmp_path, running.url, steps)
    assert seen.outcome is Outcome.OK, seen.found
    assert seen.phases["total"] > 0


def test_a_document_is_sent_as_json(tmp_path: Path, running: Panel) -> None:
    step = {"url": "/api/login", "json": {"user": USER, "pass": "${PANEL_PASSWORD}"}}
    assert walk(tmp_path, running.url, [step]).outcome is Outcome.OK
    assert running.asked == ["POST /api/login"]


def test_a_wrong_password_fails_at_the_step_that_sends_it(tmp_path: Path, running: Panel) -> None:
    steps = [LOGIN[0], {**LOGIN[1], "form": {**LOGIN[1]["form"], "pass": "wrong"}}]
    seen = walk(tmp_path, running.url, steps)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
    assert seen.found == "step 2 (/login): the body lacks 'Bienvenido'"


def test_a_panel_that_breaks_behind_its_login_is_down(tmp_path: Path, running: Panel) -> None:
    running.broken = True
    seen = walk(tmp_path, running.url, LOGIN)
    assert (seen.cause, seen.found) == (Cause.STATUS, "step 2 (/login): 500, expected 2xx")
    assert running.asked == ["GET /login", "POST /login", "GET /dashboard"]


def test_what_was_captured_and_every_cookie_stay_out_of_the_evidence(tmp_path: Path, running: Panel) -> None:
    running.broken = True
    seen = walk(tmp_path, running.url, LOGIN)
    token = running.tokens[-1]
    assert "Fatal error in session {token}" in seen.excerpt
    assert token not in repr(seen)
    assert PASSWORD not in repr(seen)


def test_a_captured_value_is_hidden_in_every_form_and_where_it_was_cut(tmp_path: Path) -> None:
    token = "Zq7 &/" + "k" * 200
    page = f"{quote(token, safe='')} {html.escape(token)} {quote_plus(token)} {json.dumps({'t': token})} {'-' * 1900}{token}"
    behave = peers.by_path(
        root=peers.answer(200, b"", X_Token=token),
        a=peers.answer(200, json.dumps({"t": token}).encode()),
        b=peers.answer(500, page.encode()),
    )

    async def main(last: dict[str, Any]) -> Observation:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            first = {"url": "/", "capture": {"token": {"header": "X-Token"}}}
            options = {
                "url": f"http://127.0.0.1:{found.port}/",
                "steps": [first, {"body": "{token}", **last}],
            }
            return await looking.look("http", options)

    told = uvloop.run(main({"url": "/a", "expect": {"json": {"$.t": "other"}}}))
    assert told.found == "step 2 (/a): $.t is '{token}', expected 'other'"
    shown = uvloop.run(main({"url": "/b"}))
    assert shown.excerpt.startswith('{token} {token} {token} {"t": "{token}"} ---')
    assert "Zq7" not in repr(told) + repr(shown)


@pytest.mark.parametrize("status", [200, 500])
def test_where_redirects_led_tells_neither_captured_values_nor_cookies(tmp_path: Path, status: int) -> None:
    behave = peers.by_path(
        root=peers.answer(200, b"", X_Token="127.0.0.1", X_Key="Zq7kkkkkkkkk"),
        a=peers.redirect("/b?key=Zq7kkkkkkkkk&from=127.0.0.1"),
        b=peers.answer(status),
    )

    async def main() -> tuple[Observation, int]:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            capture = {"token": {"header": "X-Token"}, "key": {"header": "X-Key"}}
            steps = [{"url": "/", "capture": capture}, {"url": "/a", "headers": {"X-Both": "{key} {token}"}}]
            url = f"http://127.0.0.1:{found.port}/"
            return await looking.look("http", {"url": url, "steps": steps}), found.port

    seen, port = uvloop.run(main())
    assert seen.via == (f"http://127.0.0.1:{port}/b?key={{key}}&from={{token}}",)


def test_a_panel_that_is_stopped_is_down_at_its_first_step(tmp_path: Path) -> None:
    with panel() as stopped:
        url = stopped.url
    seen = walk(tmp_path, url, LOGIN)
    assert (seen.cause, seen.found) == (Cause.REFUSED, "step 1 (/login): the connection was refused")


@pytest.mark.system("curl", "perl", "jq", "awk")
@pytest.mark.parametrize("steps", [LOGIN, BY_TOKEN], ids=["hidden token", "token in the path"])
def test_the_line_walks_the_same_way(tmp_path: Path, running: Panel, steps: list[dict[str, Any]]) -> None:
    """Up, the walk ends behind the login; down, it shows the status that we saw."""
    (tmp_path / "temporary").mkdir()
    plan = plan_of("http", {"url": running.url, "steps": steps}, 20)
    line = check_of(plan, SECRETS).reproduce()
    assert PASSWORD not in line
    run = repeated(line, tmp_path / "temporary")
    assert run.returncode == 0, run.stderr
    assert run.stdout.rstrip().endswith(("Disk: 42 GB", "Tools"))
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.system("curl", "perl")
def test_the_line_of_a_look_that_failed_sees_the_same_fault(tmp_path: Path, running: Panel) -> None:
    running.broken = True
    seen = walk(tmp_path, running.url, LOGIN)
    run = repeated(seen.reproduce, tmp_path)
    assert run.returncode == 0, run.stderr
    assert "500 INTERNAL SERVER ERROR" in run.stdout
    assert '"pass=${PANEL_PASSWORD}"' in seen.reproduce


def test_cookies_and_headers_are_captured_too(tmp_path: Path) -> None:
    behave = peers.by_path(
        root=peers.answer(200, b"", X_Ticket="abc def", Set_Cookie="crumb=12345; Path=/"),
        next=peers.answer(),
    )

    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            steps = [
                {"url": "/", "capture": {"ticket": {"header": "X-Ticket"}, "crumb": {"cookie": "crumb"}}},
                {"url": "/next", "headers": {"X-Crumb": "{crumb}-{ticket}"}},
            ]
            return await looking.look(
                "http", {"url": f"http://127.0.0.1:{found.port}/", "steps": steps}
            ), found

    seen, found = uvloop.run(main())
    assert seen.outcome is Outcome.OK, seen.found
    assert b"X-Crumb: 12345-abc def\r\n" in found.asked[1]
    assert b"Cookie: crumb=12345\r\n" in found.asked[1]


@pytest.mark.parametrize(
    ("capture", "behave", "found"),
    [
        ({"json": "$.token"}, peers.answer(200, b"<html>"), "the body is no JSON"),
        ({"json": "$.token"}, peers.answer(200, b'{"other": 1}'), "it is missing"),
        ({"json": "$.token"}, peers.answer(200, b'{"token": [1]}'), "no single value"),
        ({"json": "$.token"}, peers.answer(200, b'{"token": "a\\r\\nEvil: b"}'), "a line break"),
        ({"matches": "token=(.*)"}, peers.answer(200, b"nothing"), "it is missing"),
        ({"matches": "token=(.*)"}, peers.answer(200, b"token=" + b"x" * 5000), "longer than 4096"),
        ({"matches": "(.)"}, peers.gzip_bomb(), "came packed"),
        ({"header": "X-Token"}, peers.answer(), "it is missing"),
        ({"cookie": "session"}, peers.answer(), "it is missing"),
    ],
)
def test_nothing_to_capture_is_down_at_that_step(
    tmp_path: Path, capture: dict[str, str], behave: peers.Behaviour, found: str
) -> None:
    async def main() -> Observation:
        async with peers.peer(behave) as peer, looker(tmp_path) as looking:
            steps = [{"url": "/", "capture": {"token": capture}}, {"url": "/{token}"}]
            options = {"url": f"http://127.0.0.1:{peer.port}/", "steps": steps}
            return await looking.look("http", options, seconds=10)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT)
    assert seen.found.startswith("step 1 (/): no token in the answer")
    assert found in seen.found


@pytest.mark.parametrize(
    "led", ["//127.0.0.1:1/", "http://127.0.0.1:1/", "https:/x", "javascript:x", "http://[::1", "\\\\a"]
)
def test_what_came_back_chooses_no_other_place(tmp_path: Path, led: str) -> None:
    """Whoever answers the first step must not get what the second one sends elsewhere."""

    async def main() -> tuple[Observation, int]:
        behave = peers.answer(200, b"", X_Next=led)
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            steps = [
                {"url": "/", "capture": {"next": {"header": "X-Next"}}},
                {"url": "{next}", "form": {"pass": "${PANEL_PASSWORD}"}, "expect": {"status": "4xx"}},
            ]
            options = {"url": f"http://127.0.0.1:{found.port}/", "steps": steps}
            return await looking.look("http", options, secrets=SECRETS), len(found.asked)

    seen, asked = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CONTENT if asked == 1 else Cause.STATUS)


def test_common_headers_and_credentials_stay_at_the_checks_own_origin(tmp_path: Path) -> None:
    async def main() -> tuple[Observation, list[bytes], list[bytes]]:
        async with (
            peers.peer(peers.answer()) as other,
            peers.peer(peers.answer()) as own,
            looker(tmp_path) as looking,
        ):
            options = {
                "url": f"http://ok.test:{own.port}/",
                "headers": {"X-Key": "secret", "Accept": "text/html"},
                "basic": {"user": "u", "password": "p"},
                "steps": [
                    {"url": "/a"},
                    {"url": f"http://other.test:{other.port}/b", "headers": {"X-Own": "1"}},
                ],
            }
            return await looking.look("http", options), own.asked, other.asked

    seen, own, other = uvloop.run(main())
    assert seen.outcome is Outcome.OK, seen.found
    assert b"X-Key: secret" in own[0]
    assert b"Authorization: Basic dTpw" in own[0]
    assert b"secret" not in other[0]
    assert b"Authorization" not in other[0]
    assert b"Accept: text/html" in other[0]
    assert b"X-Own: 1" in other[0]


def test_one_deadline_holds_for_all_steps(tmp_path: Path) -> None:
    async def main() -> tuple[Observation, int]:
        async with peers.peer(peers.late(0.4, peers.answer())) as found, looker(tmp_path) as looking:
            options = {
                "url": f"http://127.0.0.1:{found.port}/",
                "steps": [{"url": f"/{n}"} for n in range(9)],
            }
            return await looking.look("http", options, seconds=1.0), len(found.asked)

    seen, asked = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_FIRST_BYTE), seen.found
    assert asked < 5


def test_a_slow_step_warns_and_a_failing_one_after_it_is_worse(tmp_path: Path) -> None:
    def steps(last: int) -> list[dict[str, Any]]:
        return [{"url": "/slow", "expect": {"within": "100ms"}}, {"url": "/end", "expect": {"status": last}}]

    async def main() -> list[Observation]:
        behave = peers.by_path(slow=peers.late(0.2, peers.answer()), end=peers.answer())
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            url = f"http://127.0.0.1:{found.port}/"
            return [await looking.look("http", {"url": url, "steps": steps(last)}) for last in (200, 500)]

    warned, down = uvloop.run(main())
    assert (warned.outcome, warned.cause) == (Outcome.WARN, Cause.SLOW)
    assert warned.found.startswith("step 1 (/slow): ")
    assert (down.outcome, down.found) == (Outcome.DOWN, "step 2 (/end): 200, expected 500")


def test_the_whole_walk_may_be_too_slow(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.late(0.1, peers.answer())) as found, looker(tmp_path) as looking:
            options = {
                "url": f"http://127.0.0.1:{found.port}/",
                "steps": [{"url": "/a"}, {"url": "/b"}],
                "expect": {"within": "150ms"},
            }
            return await looking.look("http", options)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)


async def many_cookies(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Set sixty cookies of a kilobyte, others each time."""
    await found.head(reader)
    number = len(found.asked)
    lines = b"".join(b"Set-Cookie: c%dx%d=%s\r\n" % (number, one, b"v" * 1000) for one in range(60))
    await found.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines + b"\r\n")


def test_cookies_are_kept_within_bounds(tmp_path: Path) -> None:
    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(many_cookies) as found, looker(tmp_path) as looking:
            options = {
                "url": f"http://127.0.0.1:{found.port}/",
                "steps": [{"url": f"/{n}"} for n in range(5)],
            }
            return await looking.look("http", options, seconds=20), found

    seen, found = uvloop.run(main())
    assert seen.outcome is Outcome.OK, seen.found
    assert max(head.count(b"=") for head in found.asked) == 50
    assert max(map(len, found.asked)) < 65 * 1024
