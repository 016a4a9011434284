"""Chains of three certificates, root, intermediate and leaf, each ending when a test wants it to."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.certificates import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What one certificate of a chain says."""

    name: str
    ends: datetime
    authority: bool = False
    names: Sequence[x509.GeneralName] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))


def signed(link: Link, by: Signed | None = None) -> Signed:
    """Make a certificate, signed by another one or by itself; it began a year before it ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(link.name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(link.ends - timedelta(days=365))
        .not_valid_after(link.ends)
        .add_extension(x509.BasicConstraints(ca=link.authority, path_length=None), critical=True)
    )
    if link.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(link.names), critical=False)
    return Signed(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


@dataclass(frozen=True, slots=True)
class Chain:
    """A server's context, and the file of the root that a client must trust."""

    context: ssl.SSLContext
    ca_file: Path


def make_chain(
    folder: Path, now: datetime, *, intermediate_ends: datetime, sends_root: bool = False
) -> Chain:
    """Make a chain for `NAME` whose root and leaf last another hundred days."""
    later = now + timedelta(days=100)
    root = signed(Link(name="Root of tests", ends=later, authority=True))
    middle = signed(Link(name="Intermediate of tests", ends=intermediate_ends, authority=True), root)
    leaf = signed(Link(name=NAME, ends=later, names=[x509.DNSName(NAME)]), middle)
    ca_file, served = folder / "root.pem", folder / "served.pem"
    ca_file.write_bytes(_pem(root.certificate))
    sent = [leaf.certificate, middle.certificate, *([root.certificate] if sends_root else [])]
    served.write_bytes(key_pem(leaf.key) + b"".join(_pem(one) for one in sent))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    return Chain(context, ca_file)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as servers read it from a file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
