"""What a failed libcurl transfer says about the target, or about ourselves: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pycurl

from monitor.checks.connecting import fault_of
from monitor.checks.contract import OwnFaultError, TargetFaultError
from monitor.observation import FOUND_LIMIT, Cause

# OpenSSL's X509_V_ERR_* numbers; whatever is neither time nor name speaks against the chain up to the issuer.
_EXPIRED = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})

# Numbers of CURLE_* that pycurl has no name for.
_WEIRD_SERVER_REPLY = 8
_TOO_LARGE = 100

_AT_THE_TARGET: Mapping[int, tuple[Cause, str]] = {
    pycurl.E_SSL_CONNECT_ERROR: (Cause.PROTOCOL, "no TLS handshake"),
    pycurl.E_GOT_NOTHING: (Cause.RESET, "hung up without an answer"),
    pycurl.E_RECV_ERROR: (Cause.RESET, "the connection broke while the answer came"),
    pycurl.E_SEND_ERROR: (Cause.RESET, "the connection broke while we asked"),
    pycurl.E_PARTIAL_FILE: (Cause.RESET, "the answer ended before its announced length"),
    pycurl.E_UNSUPPORTED_PROTOCOL: (Cause.PROTOCOL, "no HTTP"),
    _WEIRD_SERVER_REPLY: (Cause.PROTOCOL, "no readable HTTP"),
    _TOO_LARGE: (Cause.PROTOCOL, "a part of the answer is too large"),
    pycurl.E_BAD_CONTENT_ENCODING: (Cause.PROTOCOL, "a transfer encoding that cannot be read"),
    pycurl.E_HTTP2: (Cause.PROTOCOL, "broken HTTP/2"),
    pycurl.E_SSL_CIPHER: (Cause.PROTOCOL, "no common cipher"),
}
_CERTIFICATE = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_ISSUER_ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """All that libcurl tells about a transfer that failed."""

    code: int
    text: str
    errno: int
    verify_result: int
    phases: Mapping[str, float]
    tls: bool
    tls_expires_at: datetime | None
    address: str
    ca_file: str


def fault_of_curl(failure: Failure) -> TargetFaultError | OwnFaultError:
    """Return whose fault a failed transfer is, with its cause; a code that we cannot place is our own trouble."""
    if failure.code == pycurl.E_OPERATION_TIMEDOUT:
        return _at_target(failure, *_late(failure))
    if failure.code in _CERTIFICATE:
        return _at_target(failure, _certificate_cause(failure), failure.text or "a bad certificate")
    if failure.code == pycurl.E_COULDNT_CONNECT and failure.errno:
        return fault_of(failure.errno, failure.address, dict(failure.phases))
    if failure.code == pycurl.E_SSL_CACERT_BADFILE:
        return OwnFaultError(Cause.OWN, f"the CA certificates in {failure.ca_file} cannot be read")
    return _at_target_or_ours(failure)


def _at_target_or_ours(failure: Failure) -> TargetFaultError | OwnFaultError:
    if failure.code not in _AT_THE_TARGET:
        return OwnFaultError(Cause.OWN, f"libcurl gave up ({failure.code}): {failure.text}"[:FOUND_LIMIT])
    cause, found = _AT_THE_TARGET[failure.code]
    # libcurl tells a handshake that was cut off by the same code as one that was nonsense.
    if failure.code == pycurl.E_SSL_CONNECT_ERROR and _was_cut(failure):
        return _at_target(failure, Cause.RESET, "hung up during the TLS handshake")
    return _at_target(failure, cause, f"{found}: {failure.text}" if failure.text else found)


def _was_cut(failure: Failure) -> bool:
    signs = ("reset by peer", "unexpected eof", "ssl_error_syscall", "broken pipe")
    return any(sign in failure.text.lower() for sign in signs)


def _certificate_cause(failure: Failure) -> Cause:
    if failure.verify_result in _EXPIRED:
        return Cause.CERTIFICATE_EXPIRED
    # libcurl compares the name itself, after OpenSSL was content with the chain, and then leaves no number but a sentence.
    if failure.verify_result in _WRONG_NAME or "subject name" in failure.text:
        return Cause.CERTIFICATE_HOST
    return Cause.CERTIFICATE_ISSUER


def _late(failure: Failure) -> tuple[Cause, str]:
    """Return which phase the deadline fell into: the first one that was not finished."""
    seconds = failure.phases.get("total", 0.0) / 1000
    if "connect" not in failure.phases:
        return Cause.TIMEOUT_CONNECT, f"no connection within {seconds:.1f} s"
    if failure.tls and "tls" not in failure.phases:
        return Cause.TIMEOUT_TLS, f"no TLS handshake within {seconds:.1f} s"
    if "first_byte" not in failure.phases:
        return Cause.TIMEOUT_FIRST_BYTE, f"no answer within {seconds:.1f} s"
    return Cause.TIMEOUT_TOTAL, f"the answer did not end within {seconds:.1f} s"


def _at_target(failure: Failure, cause: Cause, found: str) -> TargetFaultError:
    return TargetFaultError(
        cause,
        found[:FOUND_LIMIT],
        address=failure.address,
        phases=failure.phases,
        tls_expires_at=failure.tls_expires_at,
    )
