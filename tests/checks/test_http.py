"""HTTP looks at real peers, good and hostile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import brotli
import pytest
import uvloop
from requests import certs

from monitor.checks.contract import BODY_LIMIT, Look
from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.certificates import Certificates
from tests.servers.looking import TestSecrets, check_of, looker, plan_of


def look_at(
    folder: Path, behave: peers.Behaviour, options: dict[str, Any] | None = None, *, timeout: float = 2.0
) -> tuple[Observation, peers.Peer]:
    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(behave) as found, looker(folder) as looking:
            url = f"http://127.0.0.1:{found.port}/"
            return await looking.look("http", {"url": url, **(options or {})}, seconds=timeout), found

    return uvloop.run(main())


def test_a_good_answer_is_ok_with_phases_and_no_line_to_repeat(tmp_path: Path) -> None:
    seen, _ = look_at(tmp_path, peers.answer())
    assert (seen.outcome, seen.cause, seen.reproduce, seen.excerpt) == (Outcome.OK, None, "", "")
    assert seen.address == "127.0.0.1"
    assert set(seen.phases) == {"name", "connect", "first_byte", "total"}
    assert seen.phases["total"] >= seen.phases["first_byte"] > 0


def test_the_plain_asyncio_loop_serves_as_well(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.answer()) as found, looker(tmp_path) as looking:
            return await looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"})

    assert asyncio.run(main()).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("behave", "options", "outcome", "cause", "found"),
    [
        (peers.answer(503), {}, Outcome.DOWN, Cause.STATUS, "503, expected 2xx"),
        (peers.answer(404), {"expect": {"status": [200, "4xx"]}}, Outcome.OK, None, ""),
        (peers.answer(200), {"expect": {"status": 401}}, Outcome.DOWN, Cause.STATUS, "200, expected 401"),
        (peers.answer(200, b"all is well"), {"expect": {"body": {"contains": "well"}}}, Outcome.OK, None, ""),
        (
            peers.answer(200, b"Fatal error"),
            {"expect": {"body": {"contains": "Ingresar"}}},
            Outcome.DOWN,
            Cause.CONTENT,
            "the body lacks 'Ingresar'",
        ),
        (
            peers.answer(200, b"Fatal error"),
            {"expect": {"body": {"lacks": ["Warning", "Fatal"]}}},
            Outcome.DOWN,
            Cause.CONTENT,
            "the body holds 'Fatal'",
        ),
        (
            peers.answer(200, "Contraseña".encode("latin-1"), Content_Type="text/html; charset=ISO-8859-1"),
            {"expect": {"body": {"contains": "Contraseña"}}},
            Outcome.OK,
            None,
            "",
        ),
        (
            peers.answer(200, b"", Server="nginx"),
            {"expect": {"header": {"server": "apache"}}},
            Outcome.DOWN,
            Cause.CONTENT,
            "the header server is 'nginx', expected 'apache' in it",
        ),
        (
            peers.answer(200),
            {"expect": {"header": {"X-Ready": ""}}},
            Outcome.DOWN,
            Cause.CONTENT,
            "the header X-Ready is missing",
        ),
    ],
)
def test_an_answer_is_held_to_what_is_expected(
    tmp_path: Path,
    behave: peers.Behaviour,
    options: dict[str, Any],
    outcome: Outcome,
    cause: Cause | None,
    found: str,
) -> None:
    seen, _ = look_at(tmp_path, behave, options)
    assert (seen.outcome, seen.cause, seen.found) == (outcome, cause, found)


def test_a_failing_answer_is_shown_in_part_without_control_characters(tmp_path: Path) -> None:
    seen, _ = look_at(tmp_path, peers.answer(500, b"\x1b[31mSQLSTATE\x00[HY000]\xff" + b"x" * 5000))
    assert seen.excerpt.startswith("[31mSQLSTATE[HY000]�xxx")
    assert len(seen.excerpt) <= 2000


def test_a_slow_answer_is_a_warning(tmp_path: Path) -> None:
    seen, _ = look_at(tmp_path, peers.late(0.2, peers.answer()), {"expect": {"within": "100ms"}})
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.SLOW)
    assert seen.found.endswith("expected within 100 ms")


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
        (peers.drips_head, Cause.TIMEOUT_TOTAL),
        (peers.drips_body, Cause.TIMEOUT_TOTAL),
        (peers.endless_head, Cause.PROTOCOL),
        (peers.huge_line, Cause.PROTOCOL),
        (peers.many_cookies, Cause.PROTOCOL),
        (peers.interim_heads, Cause.PROTOCOL),
        (peers.hangs_up, Cause.RESET),
        (peers.resets, Cause.RESET),
        (peers.short_body, Cause.RESET),
        (peers.other_protocol, Cause.PROTOCOL),
        (peers.no_head, Cause.PROTOCOL),
    ],
)
def test_a_hostile_peer_is_down_with_its_cause_and_ends_in_time(
    tmp_path: Path, behave: peers.Behaviour, cause: Cause
) -> None:
    seen, found = look_at(tmp_path, behave, timeout=1.0)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.took_ms < 30_000
    # What a socket's buffers swallow is not read by us; ten megabytes on offer are not taken.
    assert found.sent < 9 << 20


def test_an_endless_body_is_cut_and_still_judged(tmp_path: Path) -> None:
    seen, found = look_at(
        tmp_path, peers.endless_body, {"expect": {"body": {"contains": "no play"}}}, timeout=10
    )
    assert seen.outcome is Outcome.OK
    assert found.sent < BODY_LIMIT + (8 << 20)


def test_what_is_not_in_the_part_that_was_read_is_missing(tmp_path: Path) -> None:
    seen, _ = look_at(tmp_path, peers.endless_body, {"expect": {"body": {"contains": "the end"}}}, timeout=10)
    assert seen.found == "the body lacks 'the end' in the first 1024 KiB"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    seen, found = look_at(tmp_path, peers.gzip_bomb(), {"expect": {"body": {"contains": "x"}}}, timeout=10)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert b"Accept-Encoding: identity" in found.asked[0]


def test_a_port_without_listener_refuses(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with looker(tmp_path) as looking:
            return await looking.look("http", {"url": f"http://127.0.0.1:{peers.refused_port()}/"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause, seen.address) == (Outcome.DOWN, Cause.REFUSED, "127.0.0.1")


def test_a_redirect_is_followed_and_named(tmp_path: Path) -> None:
    behave = peers.by_path(root=peers.redirect("/login"), login=peers.answer(500))
    seen, found = look_at(tmp_path, behave)
    assert (seen.cause, len(found.asked)) == (Cause.STATUS, 2)
    assert seen.via == (f"http://127.0.0.1:{found.port}/login",)


def test_a_redirect_is_an_answer_when_it_is_not_to_be_followed(tmp_path: Path) -> None:
    seen, found = look_at(tmp_path, peers.redirect("/login"), {"follow": False})
    assert (seen.found, len(found.asked)) == ("302, expected 2xx", 1)


def test_an_expected_redirect_is_not_followed(tmp_path: Path) -> None:
    seen, found = look_at(tmp_path, peers.redirect("/login", 301), {"expect": {"status": "3xx"}})
    assert (seen.outcome, len(found.asked)) == (Outcome.OK, 1)


async def always_onward(
    found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Redirect everybody to a place that nobody has seen yet."""
    await peers.redirect(f"/{len(found.asked)}")(found, reader, writer)


@pytest.mark.parametrize(("options", "limit"), [({}, 5), ({"redirects": 1}, 1), ({"redirects": 10}, 10)])
def test_redirects_without_end_are_followed_to_a_limit(
    tmp_path: Path, options: dict[str, Any], limit: int
) -> None:
    seen, found = look_at(tmp_path, always_onward, options)
    assert (seen.cause, len(found.asked)) == (Cause.PROTOCOL, limit + 1)
    assert f"more than {limit} redirects" in seen.found


def test_a_circle_of_redirects_is_seen_at_once(tmp_path: Path) -> None:
    behave = peers.by_path(root=peers.redirect("/a"), a=peers.redirect("/"))
    seen, found = look_at(tmp_path, behave)
    assert (seen.cause, len(found.asked)) == (Cause.PROTOCOL, 2)
    assert seen.found.startswith("redirects in a circle, back to http://127.0.0.1:")


@pytest.mark.parametrize(
    ("options", "first", "body", "kind"),
    [
        ({"method": "HEAD"}, b"HEAD / ", b"", None),
        ({"method": "DELETE"}, b"DELETE / ", b"", None),
        (
            {"form": {"a b": "c&d", "e": "ñ"}},
            b"POST / ",
            b"a+b=c%26d&e=%C3%B1",
            b"application/x-www-form-urlencoded",
        ),
        ({"json": {"a": [1, None]}, "method": "PUT"}, b"PUT / ", b'{"a": [1, null]}', b"application/json"),
        ({"body": "ñ", "method": "PATCH"}, b"PATCH / ", "ñ".encode(), b"text/plain; charset=utf-8"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, b"POST / ", b"<a/>", b"text/xml"),
    ],
    ids=["head", "delete", "form", "json", "text", "xml"],
)
def test_what_is_to_be_sent_is_sent(
    tmp_path: Path, options: dict[str, Any], first: bytes, body: bytes, kind: bytes | None
) -> None:
    async def take(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.head(reader)
        found.asked.append(await reader.readexactly(len(body)))
        await found.send(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    seen, found = look_at(tmp_path, take, options)
    assert seen.outcome is Outcome.OK, seen.found
    head, sent = found.asked
    assert (head.startswith(first), sent) == (True, body)
    if kind is not None:
        assert b"content-type: " + kind + b"\r\n" in head.lower()


def test_letters_beyond_ascii_may_stand_in_a_header(tmp_path: Path) -> None:
    _, found = look_at(tmp_path, peers.answer(), {"headers": {"X-City": "Ibarra ñ", "X-Other": "日本"}})
    assert "X-City: Ibarra ñ\r\n".encode("latin-1") in found.asked[0]
    assert "X-Other: 日本\r\n".encode() in found.asked[0]


def test_a_cookie_set_by_a_redirect_goes_along(tmp_path: Path) -> None:
    """Some sites set a cookie and send everybody back to see whether it stays."""

    async def behave(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known = b"Cookie: own=1; seen=yes" in await found.head(reader)
        reply = b"200 OK\r\n" if known else b"302 Found\r\nLocation: /\r\nSet-Cookie: seen=yes\r\n"
        await found.send(writer, b"HTTP/1.1 " + reply + b"Content-Length: 0\r\n\r\n")

    seen, found = look_at(tmp_path, behave, {"headers": {"Cookie": "own=1"}})
    assert (seen.outcome, len(found.asked)) == (Outcome.OK, 2), seen.found


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/", "http://metadata.test/"])
def test_a_redirect_to_where_no_look_may_go_is_a_fault_of_the_target(tmp_path: Path, place: str) -> None:
    async def main() -> list[Observation]:
        async with (
            peers.peer(peers.redirect(place)) as found,
            looker(tmp_path, hosts="169.254.169.254 metadata.test") as looking,
        ):
            led = await looking.look("http", {"url": f"http://127.0.0.1:{found.port}/"})
            return [led, await looking.look("http", {"url": place})]

    led, straight = uvloop.run(main())
    assert (led.outcome, led.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert led.found.startswith(f"redirects to {place}: 169.254.169.254 is not looked at")
    assert (straight.outcome, straight.cause) == (Outcome.UNKNOWN, Cause.RIGHTS)


def test_a_redirect_that_is_no_more_than_a_status_is_judged(tmp_path: Path) -> None:
    seen, _ = look_at(tmp_path, peers.answer(302))
    assert seen.found == "302, expected 2xx"


def test_no_redirect_at_all_may_be_allowed(tmp_path: Path) -> None:
    seen, found = look_at(tmp_path, peers.redirect("/x"), {"redirects": 0})
    assert (seen.found.startswith("more than 0 redirects"), len(found.asked)) == (True, 1)


def test_a_bomb_behind_a_redirect_or_on_it_is_not_unpacked(tmp_path: Path) -> None:
    bomb = brotli.compress(bytes(64 << 20))
    behave = peers.by_path(
        root=peers.answer(302, bomb, Location="/b", Content_Encoding="br"),
        b=peers.answer(200, bomb, Content_Encoding="br"),
    )
    seen, _ = look_at(tmp_path, behave, {"expect": {"body": {"contains": "x"}}})
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.excerpt == f"({len(bomb)} bytes, packed as br)"


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({}, Cause.CERTIFICATE_ENDING),
        ({"expect": {"certificate": "0d"}}, None),
        ({"expect": {"certificate": "2d"}}, None),
        ({"verify": False}, None),
        ({"expect": {"status": 500}}, Cause.STATUS),
    ],
    ids=["by itself", "switched off", "soon enough", "unverified", "worse"],
)
def test_a_certificate_near_its_end_is_a_warning(
    tmp_path: Path, certificates: Certificates, options: dict[str, Any], cause: Cause | None
) -> None:
    async def main() -> Observation:
        async with (
            peers.peer(peers.answer(), tls=certificates.contexts["ending"]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            return await looking.look("http", {"url": f"https://ok.test:{found.port}/", **options})

    seen = uvloop.run(main())
    assert seen.cause is cause, seen.found
    assert seen.tls_expires_at == certificates.soon


def test_the_certificate_that_ends_first_on_the_way_counts(
    tmp_path: Path, certificates: Certificates
) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.answer(), tls=certificates.contexts["good"]) as last:
            onward = peers.redirect(f"https://ok.test:{last.port}/")
            async with (
                peers.peer(onward, tls=certificates.contexts["ending"]) as first,
                looker(tmp_path, certificates.ca_file) as looking,
            ):
                return await looking.look("http", {"url": f"https://ok.test:{first.port}/"})

    seen = uvloop.run(main())
    assert (seen.cause, seen.tls_expires_at) == (Cause.CERTIFICATE_ENDING, certificates.soon)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user:pass@127.0.0.1/", "http://[::1", "http:///"],
)
def test_a_redirect_that_leaves_the_web_is_a_fault_of_the_target(tmp_path: Path, location: str) -> None:
    seen, _ = look_at(tmp_path, peers.redirect(location))
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL), seen.found


def test_credentials_stay_with_the_origin_they_are_meant_for(tmp_path: Path) -> None:
    async def main() -> tuple[list[bytes], list[bytes]]:
        async with peers.peer(peers.answer()) as other:
            behave = peers.by_path(
                root=peers.redirect("/again"), again=peers.redirect(f"http://other.test:{other.port}/")
            )
            async with peers.peer(behave) as first, looker(tmp_path) as looking:
                headers = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Accept": "text/html"}
                url = f"http://ok.test:{first.port}/"
                seen = await looking.look("http", {"url": url, "headers": headers})
                assert seen.outcome is Outcome.OK
                return first.asked, other.asked

    own, others = uvloop.run(main())
    assert [b"Bearer secret" in head for head in own] == [True, True]
    assert b"secret" not in others[0]
    assert b"Accept: text/html" in others[0]


def test_each_hop_is_resolved_by_our_own_resolver(tmp_path: Path) -> None:
    """`nowhere.test` is in no hosts file and no name server is configured: the look cannot be made."""

    async def main() -> Observation:
        async with peers.peer(peers.redirect("http://nowhere.test/")) as found, looker(tmp_path) as looking:
            return await looking.look("http", {"url": f"http://ok.test:{found.port}/"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.RESOLVER)
    assert "nowhere.test" in seen.found


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("expired", Cause.CERTIFICATE_EXPIRED),
        ("not yet", Cause.CERTIFICATE_EXPIRED),
        ("other name", Cause.CERTIFICATE_HOST),
        ("stranger", Cause.CERTIFICATE_ISSUER),
        ("self-signed", Cause.CERTIFICATE_ISSUER),
    ],
)
def test_a_bad_certificate_is_told_apart_and_its_end_is_known(
    tmp_path: Path, certificates: Certificates, what: str, cause: Cause
) -> None:
    async def main() -> tuple[Observation, Observation]:
        async with (
            peers.peer(peers.answer(), tls=certificates.contexts[what]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            url = f"https://ok.test:{found.port}/"
            strict = await looking.look("http", {"url": url})
            return strict, await looking.look("http", {"url": url, "verify": False})

    strict, lenient = uvloop.run(main())
    assert (strict.outcome, strict.cause) == (Outcome.DOWN, cause), strict.found
    assert strict.tls_expires_at is not None
    assert lenient.outcome is Outcome.OK
    assert lenient.tls_expires_at == strict.tls_expires_at


def test_a_good_certificate_gives_its_end_and_a_tls_phase(tmp_path: Path, certificates: Certificates) -> None:
    async def main() -> Observation:
        async with (
            peers.peer(peers.answer(), tls=certificates.contexts["ending"]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            return await looking.look("http", {"url": f"https://ok.test:{found.port}/"})

    seen = uvloop.run(main())
    assert seen.tls_expires_at == certificates.soon
    assert set(seen.phases) == {"name", "connect", "tls", "first_byte", "total"}


@pytest.mark.parametrize(
    ("behave", "cause"),
    [(peers.silent, Cause.TIMEOUT_TLS), (peers.resets, Cause.RESET), (peers.other_protocol, Cause.PROTOCOL)],
)
def test_half_a_handshake_is_down(tmp_path: Path, behave: peers.Behaviour, cause: Cause) -> None:
    async def main() -> Observation:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            return await looking.look("http", {"url": f"https://127.0.0.1:{found.port}/"}, seconds=1.0)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


def test_a_missing_ca_file_is_our_own_trouble(tmp_path: Path, certificates: Certificates) -> None:
    async def main() -> Observation:
        async with (
            peers.peer(peers.answer(), tls=certificates.contexts["good"]) as found,
            looker(tmp_path) as looking,
        ):
            options = {"url": f"https://ok.test:{found.port}/", "ca": str(tmp_path / "none.pem")}
            return await looking.look("http", options)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
    assert "none.pem" in seen.found


def test_a_secret_is_sent_and_never_shown(tmp_path: Path) -> None:
    async def echo(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await found.head(reader)
        await found.send(writer, b"HTTP/1.1 500 No\r\n\r\nyou said: " + head)

    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(echo) as found, looker(tmp_path) as looking:
            options = {
                "url": f"http://ok.test:{found.port}/?key=${{KEY}}",
                "headers": {"Authorization": "Bearer ${KEY}"},
            }
            return await looking.look("http", options, secrets=TestSecrets({"KEY": "hunter2hunter2"})), found

    seen, found = uvloop.run(main())
    assert b"Authorization: Bearer hunter2hunter2" in found.asked[0]
    assert "hunter2" not in repr(seen)
    assert '-H "Authorization: Bearer ${KEY}"' in seen.reproduce


def test_the_line_is_pinned_to_the_address_of_the_last_hop() -> None:
    check = check_of(plan_of("http", {"url": "https://ok.test/"}))
    first = Look(outcome=Outcome.DOWN, address="127.0.0.1")
    last = Look(outcome=Outcome.DOWN, address="::1", via=("http://ok.test:81/a", "https://other.test/b"))
    assert "--resolve ok.test:443:127.0.0.1 https://ok.test/" in check.reproduce(first)
    assert "--resolve 'other.test:443:[::1]' https://ok.test/" in check.reproduce(last)
    assert "--resolve" not in check.reproduce()


def test_a_replaced_ca_file_is_read_anew(tmp_path: Path, certificates: Certificates) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(Path(certs.where()).read_bytes())

    async def main() -> list[Cause | None]:
        async with (
            peers.peer(peers.answer(), tls=certificates.contexts["good"]) as found,
            looker(tmp_path) as looking,
        ):
            options = {"url": f"https://ok.test:{found.port}/", "ca": str(trusted)}
            before = await looking.look("http", options)
            trusted.write_bytes(certificates.ca_file.read_bytes())
            return [before.cause, (await looking.look("http", options)).cause]

    assert uvloop.run(main()) == [Cause.CERTIFICATE_ISSUER, None]


@pytest.mark.system("curl")
def test_the_line_to_repeat_it_runs_and_sees_the_same(tmp_path: Path, certificates: Certificates) -> None:
    async def main() -> tuple[str, int]:
        async with (
            peers.peer(peers.answer(503), tls=certificates.contexts["good"]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            options = {
                "url": f"https://ok.test:{found.port}/",
                "ca": str(certificates.ca_file),
                "headers": {"X-Quote": "it's a $test"},
            }
            seen = await looking.look("http", options)
            run = await asyncio.create_subprocess_shell(seen.reproduce, stdout=asyncio.subprocess.PIPE)
            output, _ = await run.communicate()
            assert b"X-Quote: it's a $test" in found.asked[1]
            return output.decode(), run.returncode or 0

    output, status = uvloop.run(main())
    assert output.startswith("HTTP/1.1 503")
    assert status == 0
