"""Certificates made for a test: an authority of our own, and leaves that are right or wrong in one way each."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

NAME = "ok.test"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Server contexts by what their certificate is like, and the CA file that a client must trust."""

    ca_file: Path
    contexts: dict[str, ssl.SSLContext]
    soon: datetime


@dataclass(frozen=True, slots=True)
class Files:
    """One certificate as servers of the system want it: PEM files of its authority, its chain and its key."""

    ca: Path
    certificate: Path
    key: Path


def make_files(folder: Path, *, not_after: datetime | None = None) -> Files:
    """Make an authority and one certificate for `NAME` and the addresses of loopback below `folder`."""
    authority = trustme.CA()
    leaf = authority.issue_cert(NAME, "127.0.0.1", "::1", not_after=not_after)
    files = Files(folder / "files-ca.pem", folder / "files-chain.pem", folder / "files-key.pem")
    authority.cert_pem.write_to_path(str(files.ca))
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    files.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(str(files.key))
    return files


def make_certificates(folder: Path, now: datetime) -> Certificates:
    """Make one authority and its leaves below `folder`; `soon` ends five days after `now`."""
    authority, stranger = trustme.CA(), trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    soon = (now + timedelta(days=5)).replace(microsecond=0)
    day = timedelta(days=1)
    leaves = {
        "good": authority.issue_cert(NAME, "127.0.0.1", "::1"),
        "expired": authority.issue_cert(NAME, not_before=now - 30 * day, not_after=now - day),
        "not yet": authority.issue_cert(NAME, not_before=now + day, not_after=now + 30 * day),
        "other name": authority.issue_cert("elsewhere.test"),
        "ending": authority.issue_cert(NAME, not_before=now - day, not_after=soon),
        "stranger": stranger.issue_cert(NAME),
    }
    contexts = {what: _context(leaf) for what, leaf in leaves.items()}
    contexts["self-signed"] = _context_of(stranger.cert_pem.bytes(), stranger.private_key_pem.bytes(), folder)
    return Certificates(ca_file=ca_file, contexts=contexts, soon=soon)


def wall_time() -> datetime:
    """Return the present: certificates are judged by the engine's own clock, which no test can step."""
    return datetime.now(UTC)  # noqa: TID251 - see above


def _context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def _context_of(certificate: bytes, key: bytes, folder: Path) -> ssl.SSLContext:
    path = folder / "self-signed.pem"
    path.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
