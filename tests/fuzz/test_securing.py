"""Certificates and handshakes as a hostile server would make them."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.checks.wire.securing import Identity, NotTlsError, TlsClient, Trust, covers, names_of, subject_of
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import EXAMPLES, survives
from tests.servers.chains import Chain, Link, make_chain, signed

_SIGNED = signed(
    Link(
        name="ok.test",
        ends=datetime(2026, 11, 22, 15, 0, tzinfo=UTC),
        names=[
            x509.DNSName("ok.test"),
            x509.DNSName("*.ok.test"),
            x509.IPAddress(ip_address("192.0.2.1")),
            x509.UniformResourceIdentifier("https://ok.test/"),
        ],
    )
)
_LEAF = _SIGNED.certificate.public_bytes(serialization.Encoding.DER)


_LATER = datetime(2100, 1, 1, tzinfo=UTC)
_FOLDER = TemporaryDirectory(prefix="vigia-chain-")


@lru_cache
def chain() -> Chain:
    """Return a chain that is as it should be, the same for every example."""
    return make_chain(Path(_FOLDER.name), _LATER, intermediate_ends=_LATER)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@survives(mutated((_LEAF,)))
def test_a_certificate_that_can_be_read_can_be_judged(der: bytes) -> None:
    try:
        leaf = x509.load_der_x509_certificate(der)
        shown = str(Identity(chain=(leaf,), version="1.3", cipher="none"))
    except (ValueError, x509.InvalidVersion):
        return
    assert shown.startswith("TLS 1.3, none\n")
    assert isinstance(covers(names_of(leaf), "ok.test"), bool)
    assert isinstance(covers(names_of(leaf), "192.0.2.1"), bool)


@survives(st.binary(max_size=400))
def test_whatever_answers_a_greeting_is_a_handshake_or_none(data: bytes) -> None:
    feed(TlsClient(Trust(name="ok.test", ca=str(chain().ca_file))), data)


# Every example is a handshake with a server of its own, which takes its time.
@settings(max_examples=EXAMPLES // 20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_a_handshake_that_was_tampered_with_is_refused_or_goes_on(data: st.DataObject) -> None:
    """The server's answer is broken in a few places, by TLS 1.2 with its certificates in clear."""
    highest = data.draw(st.sampled_from(["1.2", "1.3"]))
    client = TlsClient(Trust(name="ok.test", ca=str(chain().ca_file), highest=highest))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = chain().context.wrap_bio(to_server, to_client, server_side=True)
    client.shake()
    to_server.write(client.outgoing())
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    feed(client, data.draw(mutated((to_client.read(),))))


def feed(client: TlsClient, data: bytes) -> None:
    """Let a client hear something, and judge who said it if that came to a handshake."""
    client.feed(data)
    try:
        if client.shake():
            client.fault(client.identity())
            client.decrypt()
    except NotTlsError:
        return
    client.outgoing()


def test_a_subject_written_in_bits_is_no_name_and_no_surprise() -> None:
    """The text of a name as a bit string: once a TypeError of the library that reads it."""
    der = _LEAF
    at = der.rindex(b"\x06\x03U\x04\x03\x0c\x07ok.test")
    spoilt = der[:at] + b"\x06\x03U\x04\x0c\x03\x07ok.test" + der[at + 14 :]
    with pytest.raises(ValueError, match="BitString"):
        subject_of(x509.load_der_x509_certificate(spoilt))
