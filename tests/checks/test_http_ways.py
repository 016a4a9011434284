"""The ways that an HTTP look may go: versions, families, credentials, certificates of ours and proxies, at real servers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from cryptography.hazmat.primitives import serialization

from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.looking import TestSecrets, check_of, looker, plan_of
from tests.servers.nginx import free_port, nginx, wait_for

SECRETS = TestSecrets({"WEB_PASSWORD": "hunter2 & co", "BEARER": "abc.def-123"})


@dataclass(frozen=True, slots=True)
class Web:
    """An nginx that speaks HTTP/2 on one port, only HTTP/1.1 on another, and wants to know who asks on two more."""

    both: int
    old: int
    basic: int
    certificate: int
    ca_file: Path
    client: Path
    stranger: Path
    locked: Path


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("ok.test", "127.0.0.1", "::1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    client = authority.issue_cert("client.test", common_name="vigia")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    other.issue_cert("stranger@ok.test").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "stranger.pem")
    )
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    (folder / "locked.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2 & co"),
        )
    )
    password = subprocess.run(
        ["openssl", "passwd", "-apr1", "hunter2 & co"], capture_output=True, text=True, check=True
    )
    (folder / "users").write_text(f"demo:{password.stdout.strip()}\n")
    (folder / "users").chmod(0o644)
    found = Web(
        both=free_port(),
        old=free_port(),
        basic=free_port(),
        certificate=free_port(),
        ca_file=folder / "ca.pem",
        client=folder / "client.pem",
        stranger=folder / "stranger.pem",
        locked=folder / "locked.pem",
    )
    named = f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"
    servers = f"""
        server {{ listen 127.0.0.1:{found.both} ssl http2; {named} return 200 hello; }}
        server {{ listen 127.0.0.1:{found.old} ssl; {named} return 200 hello; }}
        server {{ listen 127.0.0.1:{found.basic} ssl; {named}
            auth_basic private; auth_basic_user_file {folder}/users;
            location / {{ try_files /none @in; }} location @in {{ return 200 hello; }} }}
        server {{ listen 127.0.0.1:{found.certificate} ssl; {named}
            ssl_client_certificate {folder}/ca.pem; ssl_verify_client on; return 200 $ssl_client_s_dn; }}
    """
    with nginx(folder, servers):
        for port in (found.both, found.old, found.basic, found.certificate):
            wait_for(port)
        yield found


def look(
    folder: Path, port: int, web: Web, *, line: bool = False, **options: Any
) -> tuple[Observation, subprocess.CompletedProcess[str] | None]:
    """Look once; with `line` also run the line that repeats it, for a look that was fine as well."""

    async def main() -> Observation:
        async with looker(folder, web.ca_file) as looking:
            given = {"url": f"https://ok.test:{port}/", "ca": str(web.ca_file), **options}
            plan = plan_of("http", given, 20)
            return await looking.prober.look_once(plan, check_of(plan, SECRETS), whole=line)

    seen = uvloop.run(main())
    if not line:
        return seen, None
    environment = {"PATH": "/usr/bin:/bin", **SECRETS.values}
    run = subprocess.run(
        ["sh", "-c", seen.reproduce], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return seen, run


@pytest.mark.system("nginx", "openssl", "curl")
@pytest.mark.parametrize(
    ("version", "server", "spoken"),
    [
        ("auto", "both", "HTTP/2 200"),
        ("auto", "old", "HTTP/1.1 200"),
        ("1.1", "both", "HTTP/1.1 200"),
        (1.1, "both", "HTTP/1.1 200"),
        (2, "both", "HTTP/2 200"),
    ],
    ids=["new by itself", "old by itself", "old on demand", "old as a number", "new on demand"],
)
def test_a_version_is_agreed_on_or_asked_for(
    tmp_path: Path, web: Web, version: object, server: str, spoken: str
) -> None:
    seen, run = look(tmp_path, getattr(web, server), web, version=version, line=True)
    assert seen.outcome is Outcome.OK, seen.found
    assert set(seen.phases) == {"name", "connect", "tls", "first_byte", "total"}
    assert run is not None
    assert run.stdout.startswith(spoken), run.stderr


@pytest.mark.system("nginx", "openssl")
def test_a_server_without_the_version_that_is_required_is_down(tmp_path: Path, web: Web) -> None:
    seen, _ = look(tmp_path, web.old, web, version="2")
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.found == "it speaks HTTP/1.1 only, HTTP/2 is required"


@pytest.mark.system("nginx", "openssl", "curl")
@pytest.mark.parametrize(
    ("options", "cause", "status"),
    [
        ({"basic": {"user": "demo", "password": "${WEB_PASSWORD}"}}, None, "200"),
        ({"basic": {"user": "demo", "password": "wrong"}}, Cause.LOGIN, "401"),
        ({"basic": {"user": "demo", "password": "wrong"}, "steps": [{"url": "/"}]}, Cause.LOGIN, "401"),
        ({"bearer": "${BEARER}"}, Cause.LOGIN, "401"),
        ({}, Cause.STATUS, "401"),
        ({"expect": {"status": 401}, "bearer": "${BEARER}"}, None, "401"),
    ],
)
def test_credentials_are_taken_or_refused(
    tmp_path: Path, web: Web, options: dict[str, Any], cause: Cause | None, status: str
) -> None:
    seen, run = look(tmp_path, web.basic, web, **options, line=True)
    assert seen.cause is cause, seen.found
    assert run is not None
    assert run.stdout.startswith(f"HTTP/1.1 {status}"), run.stderr
    assert "hunter2" not in repr(seen)
    assert "abc.def-123" not in repr(seen)


@pytest.mark.system("nginx", "openssl", "curl")
def test_a_certificate_of_ours_lets_us_in(tmp_path: Path, web: Web) -> None:
    options: dict[str, Any] = {"expect": {"body": {"contains": "CN=vigia"}}}
    seen, run = look(tmp_path, web.certificate, web, cert={"file": str(web.client)}, **options, line=True)
    assert seen.outcome is Outcome.OK, seen.found
    assert run is not None
    assert "CN=vigia" in run.stdout
    apart = {"file": str(web.client), "key": str(web.locked), "password": "${WEB_PASSWORD}"}
    seen, run = look(tmp_path, web.certificate, web, cert=apart, **options, line=True)
    assert seen.outcome is Outcome.OK, seen.found
    assert run is not None
    assert "CN=vigia" in run.stdout


@pytest.mark.system("nginx", "openssl")
def test_a_server_that_wants_to_see_another_certificate_is_down(tmp_path: Path, web: Web) -> None:
    for options in ({}, {"cert": {"file": str(web.stranger)}}):
        seen, _ = look(tmp_path, web.certificate, web, **options)
        assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.STATUS)
        assert seen.found == "400, expected 2xx"


@pytest.mark.system("nginx", "openssl")
@pytest.mark.parametrize(
    "cert",
    [
        {"file": "/nonexistent/client.pem"},
        {"file": "client.pem", "key": "/nonexistent/key.pem"},
        {"file": "client.pem", "key": "locked.pem"},
        {"file": "client.pem", "key": "locked.pem", "password": "wrong"},
        {"file": "client.pem", "key": "stranger.pem"},
        {"file": "users"},
    ],
)
def test_a_certificate_that_cannot_be_used_is_our_own_trouble(
    tmp_path: Path, web: Web, cert: dict[str, str]
) -> None:
    folder = web.client.parent
    paths = {
        key: value if value.startswith("/") or key == "password" else str(folder / value)
        for key, value in cert.items()
    }
    seen, _ = look(tmp_path, web.certificate, web, cert=paths)
    assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN)
    assert f"the client certificate {paths['file']} or its key cannot be used" in seen.found


@pytest.mark.system("openssl")
def test_a_handshake_that_asks_for_a_certificate_in_vain_is_told(tmp_path: Path) -> None:
    """OpenSSL's own server says so by an alert, where nginx says 400."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("ok.test").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    port = free_port()
    server = subprocess.Popen(
        [
            *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "server.pem", "-CAfile"),
            *("ca.pem", "-Verify", "1", "-verify_return_error", "-www", "-quiet"),
        ],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    async def main() -> Observation:
        async with looker(tmp_path, tmp_path / "ca.pem") as looking:
            return await looking.look("http", {"url": f"https://ok.test:{port}/"}, seconds=20)

    try:
        wait_for(port)
        seen = uvloop.run(main())
    finally:
        server.kill()
        server.wait()
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.LOGIN), seen.found
    assert "certificate required" in seen.found


def test_neither_certificate_nor_credentials_go_along_elsewhere(tmp_path: Path, web: Web) -> None:
    async def main() -> tuple[Observation, list[bytes]]:
        async with peers.peer(peers.answer()) as other:
            onward = peers.redirect(f"http://other.test:{other.port}/", 307)
            async with peers.peer(onward) as first, looker(tmp_path) as looking:
                options = {
                    "url": f"http://ok.test:{first.port}/",
                    "form": {"pass": "${WEB_PASSWORD}"},
                    "basic": {"user": "demo", "password": "${WEB_PASSWORD}"},
                    "cert": {"file": str(web.client)},
                }
                seen = await looking.look("http", options, secrets=SECRETS)
                assert b"Authorization: Basic " in first.asked[0]
                return seen, other.asked

    seen, asked = uvloop.run(main())
    assert seen.outcome is Outcome.OK, seen.found
    assert asked[0].startswith(b"POST / HTTP/1.1")
    assert b"Content-Length: 0\r\n" in asked[0]
    assert b"Authorization" not in asked[0]


def test_what_credentials_look_like_on_the_way_is_not_shown_either(tmp_path: Path) -> None:
    async def echo(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await found.head(reader)
        await found.send(writer, b"HTTP/1.1 500 No\r\n\r\nyou said: " + head)

    async def main() -> Observation:
        async with peers.peer(echo) as found, looker(tmp_path) as looking:
            options = {
                "url": f"http://ok.test:{found.port}/",
                "basic": {"user": "demo", "password": "${WEB_PASSWORD}"},
            }
            return await looking.look("http", options, secrets=SECRETS)

    assert "Authorization: Basic (user and password)" in uvloop.run(main()).excerpt


@contextlib.asynccontextmanager
async def on_both(over_ipv4: peers.Behaviour | None, over_ipv6: peers.Behaviour | None) -> AsyncIterator[int]:
    """Listen on the same port of 127.0.0.1 and ::1; None leaves one of them refused."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            port = free_port()
            with contextlib.suppress(OSError):
                if over_ipv4 is not None:
                    await stack.enter_async_context(peers.peer(over_ipv4, port=port))
                if over_ipv6 is not None:
                    await stack.enter_async_context(peers.peer(over_ipv6, host="::1", port=port))
                break
        yield port


@pytest.mark.parametrize(
    ("over_ipv4", "over_ipv6", "outcome", "found", "address"),
    [
        (peers.answer(), peers.answer(), Outcome.OK, "", "127.0.0.1"),
        (peers.answer(), None, Outcome.DOWN, "over IPv6: the connection was refused", "::1"),
        (peers.answer(503), peers.answer(), Outcome.DOWN, "over IPv4: 503, expected 2xx", "127.0.0.1"),
        (
            peers.answer(503),
            peers.answer(500),
            Outcome.DOWN,
            "over IPv4: 503, expected 2xx; over IPv6: 500, expected 2xx",
            "127.0.0.1",
        ),
        (peers.answer(), peers.silent, Outcome.DOWN, "over IPv6: no answer within 2.0 s", "::1"),
    ],
    ids=["both fine", "IPv6 refused", "IPv4 bad", "both bad", "IPv6 silent"],
)
def test_both_families_are_judged_apart_and_at_once(
    tmp_path: Path,
    over_ipv4: peers.Behaviour,
    over_ipv6: peers.Behaviour | None,
    outcome: Outcome,
    found: str,
    address: str,
) -> None:
    async def main() -> Observation:
        async with on_both(over_ipv4, over_ipv6) as port, looker(tmp_path, hosts="::1 ok.test") as looking:
            return await looking.look("http", {"url": f"http://ok.test:{port}/", "family": "both"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.found, seen.address) == (outcome, found, address)
    assert {measure.name for measure in seen.measures} == {"ipv4_total", "ipv6_total"}


def test_a_name_without_an_address_of_one_family_is_down_over_it(tmp_path: Path) -> None:
    async def main() -> Observation:
        async with peers.peer(peers.answer()) as peer, looker(tmp_path) as looking:
            return await looking.look("http", {"url": f"http://ok.test:{peer.port}/", "family": "both"})

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.NAME)
    assert seen.found == "over IPv6: ok.test has no ipv6 address"


@contextlib.contextmanager
def tinyproxy(folder: Path, *, users: bool = False) -> Iterator[int]:
    """Run a real proxy on a free port of loopback."""
    port = free_port()
    auth = "BasicAuth demo hunter2\n" if users else ""
    (folder / "tinyproxy.conf").write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nMaxClients 10\n{auth}"
    )
    run = subprocess.Popen(
        ["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield port
    finally:
        run.terminate()
        run.wait()


@pytest.mark.system("nginx", "openssl", "tinyproxy", "curl")
@pytest.mark.parametrize("users", [False, True])
def test_a_proxy_leads_to_both_schemes(tmp_path: Path, web: Web, users: bool) -> None:
    given: dict[str, Any] = {"proxy_auth": {"user": "demo", "password": "hunter2"}} if users else {}

    async def plain(proxy: str) -> Observation:
        async with peers.peer(peers.answer()) as found, looker(tmp_path) as looking:
            options = {"url": f"http://127.0.0.1:{found.port}/", "proxy": proxy, **given}
            return await looking.look("http", options, seconds=20)

    with tinyproxy(tmp_path, users=users) as port:
        proxy = f"http://other.test:{port}"
        seen = uvloop.run(plain(proxy))
        assert (seen.outcome, seen.address) == (Outcome.OK, "127.0.0.1"), seen.found
        seen, _ = look(tmp_path, web.both, web, proxy=proxy, url=f"https://127.0.0.1:{web.both}/", **given)
        assert seen.outcome is Outcome.OK, seen.found
        assert seen.tls_expires_at is not None
        here = f"http://127.0.0.1:{port}"
        url = f"https://127.0.0.1:{web.both}/"
        seen, run = look(tmp_path, web.both, web, proxy=here, url=url, **given, version="auto", line=True)
        assert run is not None
        assert "HTTP/2 200" in run.stdout, run.stderr


@pytest.mark.system("tinyproxy")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_let_us_pass_is_our_own_trouble(tmp_path: Path, scheme: str) -> None:
    async def main(proxy: str, **options: Any) -> Observation:
        async with looker(tmp_path) as looking:
            given = {"url": f"{scheme}://127.0.0.1:{peers.refused_port()}/", "proxy": proxy, **options}
            return await looking.look("http", given, seconds=20)

    with tinyproxy(tmp_path, users=True) as port:
        proxy = f"http://127.0.0.1:{port}"
        refused = uvloop.run(main(proxy))
    gone = uvloop.run(main(f"http://127.0.0.1:{peers.refused_port()}"))
    for seen in (refused, gone):
        assert (seen.outcome, seen.cause) == (Outcome.UNKNOWN, Cause.OWN), seen.found
    assert "the proxy refuses us (407); look at `proxy_auth`" in refused.found
    assert "the proxy at 127.0.0.1 cannot be reached" in gone.found


@pytest.mark.system("tinyproxy")
def test_a_target_that_a_proxy_cannot_reach_is_down(tmp_path: Path) -> None:
    async def main(proxy: str, scheme: str) -> Observation:
        async with looker(tmp_path) as looking:
            given = {"url": f"{scheme}://127.0.0.1:{peers.refused_port()}/", "proxy": proxy}
            return await looking.look("http", given, seconds=20)

    with tinyproxy(tmp_path) as port:
        over_tls = uvloop.run(main(f"http://127.0.0.1:{port}", "https"))
        plain = uvloop.run(main(f"http://127.0.0.1:{port}", "http"))
    assert (over_tls.outcome, over_tls.cause) == (Outcome.DOWN, Cause.UNREACHABLE), over_tls.found
    assert (plain.outcome, plain.cause) == (Outcome.DOWN, Cause.STATUS), plain.found


async def closes(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and close it."""


def connects(then: peers.Behaviour) -> peers.Behaviour:
    """Be a proxy that agrees to everything and then behaves like that."""

    async def behave(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.head(reader)
        await found.send(writer, b"HTTP/1.1 200 Connection established\r\n\r\n")
        await then(found, reader, writer)

    return behave


@pytest.mark.parametrize(
    ("behave", "outcome", "cause"),
    [
        (peers.silent, Outcome.DOWN, Cause.TIMEOUT_CONNECT),
        (peers.hangs_up, Outcome.UNKNOWN, Cause.OWN),
        (peers.other_protocol, Outcome.UNKNOWN, Cause.OWN),
        (peers.endless_head, Outcome.UNKNOWN, Cause.OWN),
        (peers.drips_head, Outcome.DOWN, Cause.TIMEOUT_TLS),
        (peers.huge_line, Outcome.UNKNOWN, Cause.OWN),
        (connects(peers.silent), Outcome.DOWN, Cause.TIMEOUT_TLS),
        (connects(closes), Outcome.DOWN, Cause.RESET),
        (connects(peers.other_protocol), Outcome.DOWN, Cause.PROTOCOL),
    ],
    ids=[
        *("silent", "hangs up", "another protocol", "endless head", "drips", "huge line"),
        *("silent behind", "hangs up behind", "another protocol behind"),
    ],
)
def test_a_hostile_proxy_ends_in_time(
    tmp_path: Path, behave: peers.Behaviour, outcome: Outcome, cause: Cause
) -> None:
    async def main() -> tuple[Observation, peers.Peer]:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            options = {"url": "https://ok.test/", "proxy": f"http://127.0.0.1:{found.port}"}
            return await looking.look("http", options, seconds=1.0), found

    seen, found = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (outcome, cause), seen.found
    assert seen.took_ms < 30_000
    assert found.sent < 9 << 20


@pytest.mark.parametrize("place", ["http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/"])
def test_a_redirect_inwards_is_not_taken_to_the_proxy_either(tmp_path: Path, place: str) -> None:
    async def main() -> tuple[Observation, int]:
        async with peers.peer(peers.redirect(place)) as found, looker(tmp_path) as looking:
            options = {"url": "http://ok.test/", "proxy": f"http://127.0.0.1:{found.port}"}
            return await looking.look("http", options), len(found.asked)

    seen, asked = uvloop.run(main())
    assert (seen.outcome, seen.cause, asked) == (Outcome.DOWN, Cause.PROTOCOL, 1)
    assert "which lies inside" in seen.found


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


SETTINGS, OK_HEAD = frame(4, 0, 0), frame(1, 4, 1, b"\x88")


def http2(*frames: bytes, repeat: bytes = b"", pause: float = 0.0) -> peers.Behaviour:
    """Greet as HTTP/2 does, send some frames, then others without end."""

    async def behave(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await found.send(writer, SETTINGS)
        await reader.readuntil(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        await found.send(writer, b"".join(frames))
        while repeat:
            await found.send(writer, repeat)
            await asyncio.sleep(pause)
        await asyncio.Event().wait()

    return behave


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
        (peers.hangs_up, Cause.PROTOCOL),
        (peers.other_protocol, Cause.PROTOCOL),
        (http2(), Cause.TIMEOUT_FIRST_BYTE),
        (http2(repeat=frame(6, 0, 0, bytes(8)), pause=0.1), Cause.TIMEOUT_FIRST_BYTE),
        (http2(repeat=frame(6, 0, 0, bytes(8)) * 1000), Cause.RESET),
        (http2(OK_HEAD, repeat=frame(0, 0, 1, b"."), pause=0.1), Cause.TIMEOUT_TOTAL),
        (http2(frame(1, 0, 1, b"\x88"), repeat=frame(9, 0, 1, b"\x00\x01x\x01y" * 3000)), Cause.PROTOCOL),
        (http2(frame(7, 0, 0, bytes(4) + struct.pack(">I", 11))), Cause.PROTOCOL),
        (http2(frame(3, 0, 1, struct.pack(">I", 2))), Cause.PROTOCOL),
        (http2(b"\xff" * 1000), Cause.TIMEOUT_FIRST_BYTE),
    ],
    ids=[
        *(
            "silent",
            "hangs up",
            "another protocol",
            "only settings",
            "drips pings",
            "floods pings",
            "drips a body",
        ),
        *("a head without end", "goes away", "resets the stream", "garbage"),
    ],
)
def test_a_hostile_peer_of_http_2_is_down_and_ends_in_time(
    tmp_path: Path, behave: peers.Behaviour, cause: Cause
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("ok.test").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    async def main() -> tuple[Observation, peers.Peer]:
        async with (
            peers.peer(behave, tls=context) as found,
            looker(tmp_path, ca_file) as looking,
        ):
            options = {"url": f"https://ok.test:{found.port}/", "version": "2"}
            return await looking.look("http", options, seconds=1.5), found

    seen, found = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.took_ms < 30_000
    assert found.sent < 40 << 20
