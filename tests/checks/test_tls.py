"""TLS looks at real peers."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from monitor.errors import RefusedError
from monitor.observation import Cause, Observation, Outcome
from tests.servers import faults, peers
from tests.servers.certificates import Certificates, wall_time
from tests.servers.chains import make_chain
from tests.servers.faults import fault_proxy
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.peers import Behaviour, Peer


def shake(folder: Path, certificates: Certificates, what: str, **options: Any) -> Observation:
    return shaken(folder, certificates.contexts[what], certificates.ca_file, **options)


def shaken(folder: Path, context: ssl.SSLContext, ca_file: Path, **options: Any) -> Observation:
    async def main() -> Observation:
        async with peers.peer(peers.silent, tls=context) as found, looker(folder, ca_file) as looking:
            return await looking.look("tls", {"host": "ok.test", "port": found.port, **options}, seconds=10)

    return uvloop.run(main())


def test_a_good_certificate_is_ok_without_a_byte_of_http(tmp_path: Path, certificates: Certificates) -> None:
    """The peer never answers anything: shaking hands is the whole look."""
    seen = shake(tmp_path, certificates, "good")
    assert (seen.outcome, seen.found) == (Outcome.OK, "")
    assert seen.tls_expires_at is not None
    assert set(seen.phases) == {"name", "connect", "tls", "total"}


def test_a_certificate_near_its_end_is_a_warning(tmp_path: Path, certificates: Certificates) -> None:
    seen = shake(tmp_path, certificates, "ending", warn="21d")
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)
    assert seen.tls_expires_at == certificates.soon
    assert seen.found.startswith("the certificate ends in 4 days")


def test_a_certificate_that_ends_very_soon_may_be_a_failure(
    tmp_path: Path, certificates: Certificates
) -> None:
    seen = shake(tmp_path, certificates, "ending", fail="7d")
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.CERTIFICATE_ENDING)
    assert shake(tmp_path, certificates, "ending", fail="2d").outcome is Outcome.WARN
    assert shake(tmp_path, certificates, "ending", warn="0d").outcome is Outcome.OK


def test_a_check_warns_before_it_fails(tmp_path: Path, certificates: Certificates) -> None:
    with pytest.raises(RefusedError, match=r"fail \(30d\) is longer than warn \(21d\)"):
        shake(tmp_path, certificates, "good", fail="30d")


@pytest.mark.parametrize(
    ("days", "outcome", "found"),
    [
        (60, Outcome.OK, ""),
        (
            10,
            Outcome.WARN,
            "the certificate of CN=Intermediate of tests in the chain ends in 9 days, on ",
        ),
        (-1, Outcome.DOWN, "certificate of the issuer CN=Intermediate of tests has expired"),
    ],
)
def test_every_certificate_of_the_chain_is_watched(
    tmp_path: Path, days: int, outcome: Outcome, found: str
) -> None:
    now = wall_time()
    chain = make_chain(tmp_path, now, intermediate_ends=now + timedelta(days=days))
    seen = shaken(tmp_path, chain.context, chain.ca_file)
    assert seen.outcome is outcome
    assert seen.found.startswith(found)
    assert seen.tls_expires_at is not None
    assert seen.tls_expires_at > now + timedelta(days=90)


def old_server(folder: Path, newest: str) -> tuple[ssl.SSLContext, Path]:
    """Return a context that agrees to TLS 1.0 and to nothing newer than `newest`, and whom to trust."""
    context, authority, ca_file = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA(), folder / "ca.pem"
    authority.issue_cert("ok.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[newest]
    return context, ca_file


@pytest.mark.parametrize(
    ("newest", "weakest", "outcome", "found"),
    [
        ("TLSv1_3", None, Outcome.OK, ""),
        ("TLSv1_3", "1.0", Outcome.OK, ""),
        ("TLSv1_3", "1.1", Outcome.WARN, "accepts TLS 1.0"),
        ("TLSv1_3", "1.2", Outcome.WARN, "accepts TLS 1.1"),
        ("TLSv1_3", "1.3", Outcome.WARN, "accepts TLS 1.2"),
        ("TLSv1_1", None, Outcome.DOWN, ""),
        ("TLSv1_1", "1.2", Outcome.DOWN, ""),
        ("TLSv1_1", "1.1", Outcome.WARN, "accepts TLS 1.0"),
        ("TLSv1_1", "1.0", Outcome.OK, ""),
    ],
)
def test_a_server_that_agrees_to_old_versions_is_found_out(
    tmp_path: Path, newest: str, weakest: str | None, outcome: Outcome, found: str
) -> None:
    options = {} if weakest is None else {"weakest": weakest}
    seen = shaken(tmp_path, *old_server(tmp_path, newest), **options)
    assert seen.outcome is outcome
    assert seen.found.startswith(found)
    if outcome is Outcome.WARN:
        assert seen.cause is Cause.PROTOCOL


@pytest.mark.system("openssl", "timeout")
def test_the_line_that_repeats_an_old_version_agrees_to_it_as_well(tmp_path: Path) -> None:
    context, ca_file = old_server(tmp_path, "TLSv1_3")

    async def repeated(line: str) -> int:
        run = await asyncio.create_subprocess_shell(
            line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await run.wait()

    async def main() -> tuple[Observation, int, int]:
        async with peers.peer(peers.silent, tls=context) as found, looker(tmp_path, ca_file) as looking:
            options = {"host": "ok.test", "port": found.port, "ca": str(ca_file), "weakest": "1.2"}
            seen = await looking.look("tls", options, seconds=10)
            before = await repeated(seen.reproduce)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return seen, before, await repeated(seen.reproduce)

    seen, before, after = uvloop.run(main())
    assert seen.found == "accepts TLS 1.1"
    assert before == 0, seen.reproduce
    assert after != 0


def test_a_server_of_today_agrees_to_nothing_old(tmp_path: Path, certificates: Certificates) -> None:
    assert shake(tmp_path, certificates, "good", weakest="1.2").outcome is Outcome.OK


def test_both_are_told_when_the_certificate_ends_as_well(tmp_path: Path, certificates: Certificates) -> None:
    seen = shake(tmp_path, certificates, "ending", weakest="1.3")
    assert (seen.outcome, seen.cause) == (Outcome.WARN, Cause.CERTIFICATE_ENDING)
    assert seen.found.endswith("UTC; accepts TLS 1.2")


def test_a_server_that_keeps_silent_over_an_old_greeting_does_not_accept_it(
    tmp_path: Path, certificates: Certificates
) -> None:
    """Some boxes before a server drop what they do not like; half of the time that is left is waited for them."""

    turns: list[Behaviour] = [faults.passes, peers.silent]

    async def behave(found: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await turns.pop(0)(found, reader, writer)

    async def main() -> Observation:
        async with (
            peers.peer(peers.silent, tls=certificates.contexts["good"]) as server,
            fault_proxy(server.port, behave) as proxy,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            options = {"host": "ok.test", "port": proxy.port, "weakest": "1.2"}
            return await looking.look("tls", options, seconds=4)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.OK, None)
    assert seen.took_ms < 4000
    assert turns == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 443}, ""),
        ({"port": 993}, ""),
        ({"port": 25}, "-starttls smtp "),
        ({"port": 587}, "-starttls smtp "),
        ({"port": 143}, "-starttls imap "),
        ({"port": 110}, "-starttls pop3 "),
        ({"port": 21}, "-starttls ftp "),
        ({"port": 389}, "-starttls ldap "),
        ({"port": 5432}, "-starttls postgres "),
        ({"port": 3306}, "-starttls mysql "),
        ({"port": 4190}, "-starttls sieve "),
        ({"port": 5222}, "-starttls xmpp -xmpphost ok.test "),
        ({"port": 25, "starttls": "none"}, ""),
        ({"port": 2500, "starttls": "smtp"}, "-starttls smtp "),
    ],
)
def test_the_port_tells_what_is_spoken_first(options: dict[str, Any], words: str) -> None:
    line = check_of(plan_of("tls", {"host": "ok.test", **options})).reproduce()
    assert f"ok.test:{options['port']} {words}-servername ok.test" in line


def test_a_certificate_that_ends_later_than_that_is_fine(tmp_path: Path, certificates: Certificates) -> None:
    assert shake(tmp_path, certificates, "ending", warn="2d").outcome is Outcome.OK


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("expired", Cause.CERTIFICATE_EXPIRED),
        ("other name", Cause.CERTIFICATE_HOST),
        ("stranger", Cause.CERTIFICATE_ISSUER),
        ("self-signed", Cause.CERTIFICATE_ISSUER),
    ],
)
def test_a_bad_certificate_is_down(
    tmp_path: Path, certificates: Certificates, what: str, cause: Cause
) -> None:
    seen = shake(tmp_path, certificates, what)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found
    assert seen.tls_expires_at is not None


def test_the_name_may_differ_from_the_host(tmp_path: Path, certificates: Certificates) -> None:
    assert shake(tmp_path, certificates, "other name", name="elsewhere.test").outcome is Outcome.OK


def test_a_name_that_only_tells_two_checks_apart_is_no_server(
    tmp_path: Path, certificates: Certificates
) -> None:
    assert shake(tmp_path, certificates, "good", name="imap").outcome is Outcome.OK


@pytest.mark.parametrize("kind", ["tls", "tcp"])
def test_a_name_that_no_certificate_could_carry_is_refused(kind: str) -> None:
    options = {"tls": {"name": "ñ" * 70}, "tcp": {"port": 993, "tls": True, "tls_name": "ñ" * 70}}
    with pytest.raises(RefusedError, match="name"):
        check_of(plan_of(kind, options[kind]))


def test_an_address_counts_as_a_name(tmp_path: Path, certificates: Certificates) -> None:
    assert shake(tmp_path, certificates, "good", host="127.0.0.1").outcome is Outcome.OK


@pytest.mark.parametrize(
    ("behave", "cause"),
    [(peers.silent, Cause.TIMEOUT_TLS), (peers.resets, Cause.RESET), (peers.other_protocol, Cause.PROTOCOL)],
)
def test_a_port_that_does_not_speak_tls_is_down(
    tmp_path: Path, behave: peers.Behaviour, cause: Cause
) -> None:
    async def main() -> Observation:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            return await looking.look("tls", {"port": found.port}, seconds=1.0)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, cause), seen.found


@pytest.mark.system("openssl", "timeout")
@pytest.mark.parametrize(
    ("what", "verdict"), [("other name", "hostname mismatch"), ("expired", "certificate has expired")]
)
def test_the_line_to_repeat_it_sees_the_same(
    tmp_path: Path, certificates: Certificates, what: str, verdict: str
) -> None:
    async def main() -> tuple[str, int]:
        async with (
            peers.peer(peers.silent, tls=certificates.contexts[what]) as found,
            looker(tmp_path, certificates.ca_file) as looking,
        ):
            options = {"host": "ok.test", "port": found.port, "ca": str(certificates.ca_file)}
            seen = await looking.look("tls", options)
            assert f"-connect 127.0.0.1:{found.port}" in seen.reproduce
            run = await asyncio.create_subprocess_shell(
                seen.reproduce, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            output, _ = await run.communicate()
            return output.decode(), run.returncode or 0

    output, status = uvloop.run(main())
    assert verdict in output.lower()
    assert status != 0
