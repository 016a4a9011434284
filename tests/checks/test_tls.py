"""TLS looks at real peers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop

from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.certificates import Certificates
from tests.servers.looking import looker


def shake(folder: Path, certificates: Certificates, what: str, **options: Any) -> Observation:
    async def main() -> Observation:
        async with (
            peers.peer(peers.silent, tls=certificates.contexts[what]) as found,
            looker(folder, certificates.ca_file) as looking,
        ):
            return await looking.look("tls", {"host": "ok.test", "port": found.port, **options})

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
