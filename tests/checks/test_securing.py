"""TLS without a socket: who is believed, and what a certificate says."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from monitor.checks.contract import Look, OwnFaultError
from monitor.checks.wire.securing import (
    VERSIONS,
    Identity,
    Name,
    NotTlsError,
    Secured,
    TlsClient,
    Trust,
    covers,
    names_of,
    trust_of,
    warned,
)
from monitor.observation import Cause, Outcome
from tests.servers.certificates import Certificates, wall_time
from tests.servers.chains import Link, key_pem, make_chain, signed

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def shaken(trust: Trust, context: ssl.SSLContext) -> tuple[TlsClient, ssl.SSLObject]:
    """Shake hands with a server in memory; raises NotTlsError or the server's SSLError when they do not agree."""
    client, to_server, to_client = TlsClient(trust), ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    agreed = False
    while not agreed:
        agreed = client.shake()
        to_server.write(client.outgoing())
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
        finally:
            client.feed(to_client.read())
    return client, server


def shown(trust: Trust, context: ssl.SSLContext) -> tuple[Identity, Cause | None]:
    client, _ = shaken(trust, context)
    identity = client.identity()
    fault = client.fault(identity)
    return identity, None if fault is None else fault.look.cause


def believing(certificates: Certificates) -> Trust:
    return Trust(name="ok.test", ca=str(certificates.ca_file))


def test_the_other_side_is_told_that_we_hang_up(certificates: Certificates) -> None:
    assert TlsClient(believing(certificates)).farewell() == b""
    client, _ = shaken(believing(certificates), certificates.contexts["good"])
    assert client.farewell() != b""


def test_the_whole_chain_is_seen_as_it_was_sent(certificates: Certificates) -> None:
    identity, fault = shown(believing(certificates), certificates.contexts["good"])
    assert fault is None
    assert (identity.version, len(identity.chain)) == ("1.3", 1)
    assert identity.cipher.startswith("TLS_")
    assert identity.ends_at == identity.chain[0].not_valid_after_utc
    assert str(identity).splitlines()[0] == f"TLS 1.3, {identity.cipher}"


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("good", None),
        ("ending", None),
        ("expired", Cause.CERTIFICATE_EXPIRED),
        ("not yet", Cause.CERTIFICATE_EXPIRED),
        ("other name", Cause.CERTIFICATE_HOST),
        ("stranger", Cause.CERTIFICATE_ISSUER),
        ("self-signed", Cause.CERTIFICATE_ISSUER),
    ],
)
def test_a_certificate_is_judged(certificates: Certificates, what: str, cause: Cause | None) -> None:
    trust = believing(certificates)
    assert shown(trust, certificates.contexts[what])[1] is cause
    assert shown(replace(trust, verify=False), certificates.contexts[what])[1] is None


def test_the_fault_of_an_issuer_is_told_by_its_name(tmp_path: Path) -> None:
    now = wall_time()
    chain = make_chain(tmp_path, now, intermediate_ends=now - timedelta(days=1))
    client, _ = shaken(Trust(name="ok.test", ca=str(chain.ca_file)), chain.context)
    identity = client.identity()
    fault = client.fault(identity)
    assert fault is not None
    assert fault.look.cause is Cause.CERTIFICATE_EXPIRED
    assert str(fault) == "certificate of the issuer CN=Intermediate of tests has expired"
    assert [line.partition(",")[0] for line in str(identity).splitlines()[1:]] == [
        "CN=ok.test",
        "CN=Intermediate of tests",
    ]


@pytest.mark.parametrize(
    ("old", "new"), [(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"), (b"\x17\x0d", b"\x17\x0dX")]
)
def test_a_certificate_that_openssl_takes_and_nobody_can_read_is_no_tls(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    """A version of X.509 that never was, and a time that is none."""
    odd = signed(Link(name="ok.test", ends=NOW))
    der = odd.certificate.public_bytes(serialization.Encoding.DER)
    at = der.index(old)
    pem = base64.encodebytes(der[:at] + new + der[at + len(new) :])
    served = tmp_path / "odd.pem"
    served.write_bytes(
        key_pem(odd.key) + b"-----BEGIN CERTIFICATE-----\n" + pem + b"-----END CERTIFICATE-----\n"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    client, _ = shaken(Trust(name="ok.test", ca=str(served), verify=False), context)
    with pytest.raises(NotTlsError, match="a certificate that cannot be read"):
        client.identity()


def test_versions_are_bounded(certificates: Certificates) -> None:
    """Old versions are agreed to only where they are asked for, weak ciphers and all."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("ok.test").configure_cert(old)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1 "):
        old.minimum_version = ssl.TLSVersion.TLSv1
    trust = replace(believing(certificates), verify=False)
    with pytest.raises((NotTlsError, ssl.SSLError)):
        shaken(trust, old)
    assert shown(replace(trust, lowest="1.0", highest="1.1", weak=True), old)[0].version == "1.1"
    assert shown(replace(trust, lowest="1.0", highest="1.0", weak=True), old)[0].version == "1.0"
    assert shown(replace(trust, highest="1.2"), certificates.contexts["good"])[0].version == "1.2"
    assert set(VERSIONS) == {"1.0", "1.1", "1.2", "1.3"}


def test_a_client_certificate_is_shown_to_who_asks(tmp_path: Path, certificates: Certificates) -> None:
    authority = trustme.CA()
    ours = tmp_path / "ours.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(ours))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("ok.test").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    trust = replace(believing(certificates), verify=False)
    with pytest.raises(ssl.SSLError):
        shaken(trust, context)
    _, server = shaken(replace(trust, certificate=str(ours)), context)
    shown_to_them = server.getpeercert()
    assert shown_to_them is not None
    assert shown_to_them["subjectAltName"] == (("DNS", "client.test"),)


def test_files_that_cannot_be_read_are_our_own_fault(tmp_path: Path, certificates: Certificates) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(OwnFaultError, match=r"the CA certificates in .*missing.pem cannot be read"):
        TlsClient(Trust(name="ok.test", ca=missing))
    with pytest.raises(OwnFaultError, match=r"the client certificate .*missing.pem and its key"):
        TlsClient(replace(believing(certificates), certificate=missing))


def test_a_ca_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    first, second = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    second.issue_cert("ok.test").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    trust = Trust(name="ok.test", ca=str(ca_file))
    first.cert_pem.write_to_path(str(ca_file))
    assert shown(trust, context)[1] is Cause.CERTIFICATE_ISSUER
    second.cert_pem.write_to_path(str(ca_file))
    assert shown(trust, context)[1] is None


NAMES: tuple[Name, ...] = (
    "ok.test",
    "*.example.net",
    "*.ec",
    "Upper.Example",
    "xn--ao-zja.ec",
    "w*.partial.net",
    "*.*.twice.net",
    "192.0.2.9",
    ip_address("192.0.2.1"),
    ip_address("2001:db8::1"),
)


@pytest.mark.parametrize(
    ("wanted", "good"),
    [
        ("ok.test", True),
        ("OK.test.", True),
        ("not.ok.test", False),
        ("www.example.net", True),
        ("a.www.example.net", False),
        ("example.net", False),
        ("nodored.ec", False),
        ("upper.example", True),
        ("año.ec", True),
        ("www.partial.net", False),
        ("a.b.twice.net", False),
        ("192.0.2.1", True),
        ("192.0.2.9", False),
        ("2001:0db8::0001", True),
        ("2001:db8::2", False),
    ],
)
def test_a_certificate_is_good_for_its_names_only(wanted: str, good: bool) -> None:
    assert covers(NAMES, wanted) is good


def test_an_odd_name_beside_good_ones_does_no_harm() -> None:
    """Certificates made at home name addresses as if they were names, and services by odd addresses."""
    odd: list[x509.GeneralName] = [
        x509.DNSName("192.0.2.1"),
        x509.DNSName("*"),
        x509.UniformResourceIdentifier("no address"),
        x509.RFC822Name("somebody@ok.test"),
        x509.DNSName("ok.test"),
    ]
    leaf = signed(Link(name="anything", ends=NOW, names=odd)).certificate
    assert covers(names_of(leaf), "ok.test")
    assert not covers(names_of(leaf), "other.test")
    assert not covers(names_of(leaf), "192.0.2.1")


def test_a_common_name_counts_for_nothing() -> None:
    assert names_of(signed(Link(name="ok.test", ends=NOW)).certificate) == ()


def test_a_check_trusts_its_own_file_and_name_first() -> None:
    assert trust_of(Secured(), "ok.test", "/system.pem") == Trust(name="ok.test", ca="/system.pem")
    own = Secured(tls_name="other.test", ca="/own.pem", verify=False)
    assert trust_of(own, "ok.test", "/system.pem") == Trust(name="other.test", ca="/own.pem", verify=False)


@pytest.mark.parametrize(
    ("look", "warn", "expected"),
    [
        (Look(outcome=Outcome.OK, tls_expires_at=NOW + timedelta(days=3)), 14, Outcome.WARN),
        (Look(outcome=Outcome.OK, tls_expires_at=NOW + timedelta(days=3)), 3, Outcome.OK),
        (Look(outcome=Outcome.OK, tls_expires_at=NOW + timedelta(days=3)), 0, Outcome.OK),
        (Look(outcome=Outcome.OK), 14, Outcome.OK),
        (Look(outcome=Outcome.DOWN, tls_expires_at=NOW), 14, Outcome.DOWN),
    ],
)
def test_a_fine_look_warns_of_a_certificate_that_ends_soon(look: Look, warn: int, expected: Outcome) -> None:
    seen = warned(look, timedelta(days=warn), NOW)
    assert seen.outcome is expected
    if expected is Outcome.WARN:
        assert seen.cause is Cause.CERTIFICATE_ENDING
        assert seen.found == "the certificate ends in 3 days, on 2026-11-25 15:00 UTC"
