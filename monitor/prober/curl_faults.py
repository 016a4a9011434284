"""What a failed libcurl transfer says about the target, or about ourselves: pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pycurl

from monitor.checks.contract import OwnFaultError, TargetFaultError
from monitor.checks.wire.connecting import fault_of
from monitor.observation import FOUND_LIMIT, Cause

# OpenSSL's X509_V_ERR_* numbers; whatever is neither time nor name speaks against the chain up to the issuer.
_EXPIRED = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})

# Numbers of CURLE_* that pycurl has no name for.
_WEIRD_SERVER_REPLY = 8
_HTTP2_STREAM = 92
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
    _HTTP2_STREAM: (Cause.PROTOCOL, "broken HTTP/2"),
    pycurl.E_SSL_CIPHER: (Cause.PROTOCOL, "no common cipher"),
}
# What a server says, in the handshake or after it, to a client whose certificate it wants and did not get or does not take.
_REFUSED_CERTIFICATE = (
    "alert certificate required",
    "alert bad certificate",
    "alert unknown ca",
    "alert certificate expired",
)
# A key that cannot be read is an argument that cannot be used.
_CERTIFICATE_OF_OURS = frozenset({pycurl.E_SSL_CERTPROBLEM, pycurl.E_BAD_FUNCTION_ARGUMENT})
_CERTIFICATE = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_ISSUER_ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """All that libcurl tells about a transfer that failed.

    `proxy_code` is None without a proxy; else what the proxy said to CONNECT, 0 when it was not asked or has not answered.
    """

    code: int
    text: str
    errno: int
    verify_result: int
    phases: Mapping[str, float]
    tls: bool
    tls_expires_at: datetime | None
    address: str
    ca_file: str
    certificate_file: str = ""
    proxy_code: int | None = None


def fault_of_curl(failure: Failure) -> TargetFaultError | OwnFaultError:
    """Return whose fault a failed transfer is, with its cause; a code that we cannot place is our own trouble."""
    through = _fault_on_the_way(failure)
    if through is not None:
        return through
    if failure.code == pycurl.E_OPERATION_TIMEDOUT:
        return _at_target(failure, *_late(failure))
    if failure.code in _CERTIFICATE:
        return _at_target(failure, _certificate_cause(failure), failure.text or "a bad certificate")
    if failure.code == pycurl.E_COULDNT_CONNECT and failure.errno:
        return fault_of(failure.errno, failure.address, dict(failure.phases))
    return _of_a_file(failure) or _at_target_or_ours(failure)


def _fault_on_the_way(failure: Failure) -> TargetFaultError | OwnFaultError | None:
    """Return whose fault it is that a proxy brought us no further; None without a proxy, or beyond it.

    A proxy is a part of our own way: only what it says of the target counts against the target.
    """
    said = failure.proxy_code
    if said is None:
        return None
    if said >= 500:
        return _at_target(failure, Cause.UNREACHABLE, f"the proxy cannot reach it ({said})")
    if said >= 400:
        return OwnFaultError(
            Cause.OWN, f"the proxy refuses us ({said}); look at `proxy_auth` and at its rules"
        )
    if "connect" not in failure.phases:
        why = f": {os.strerror(failure.errno)}" if failure.errno else ""
        return OwnFaultError(Cause.OWN, f"the proxy at {failure.address} cannot be reached{why}")
    if _is_beyond(failure):
        return None
    if failure.code == pycurl.E_OPERATION_TIMEDOUT:
        seconds = failure.phases.get("total", 0.0) / 1000
        return _at_target(
            failure, Cause.TIMEOUT_CONNECT, f"no connection through the proxy within {seconds:.1f} s"
        )
    return OwnFaultError(
        Cause.OWN, f"the proxy at {failure.address} gives no answer: {failure.text}"[:FOUND_LIMIT]
    )


def _is_beyond(failure: Failure) -> bool:
    """Is it the target that we were speaking to? Of plain HTTP the proxy's words cannot be told from the target's."""
    if not failure.tls or "tls" in failure.phases:
        return True
    agreed = (failure.proxy_code or 0) // 100 == 2
    return agreed and failure.code != _TOO_LARGE and "CONNECT" not in failure.text


def _of_a_file(failure: Failure) -> OwnFaultError | None:
    """Return what is wrong with a file of ours, if that is the trouble."""
    if failure.code == pycurl.E_SSL_CACERT_BADFILE:
        return OwnFaultError(Cause.OWN, f"the CA certificates in {failure.ca_file} cannot be read")
    if failure.certificate_file and failure.code in _CERTIFICATE_OF_OURS:
        return OwnFaultError(
            Cause.OWN,
            f"the client certificate {failure.certificate_file} or its key cannot be used; "
            "look at the paths, who may read them and the password under `cert`",
        )
    return None


def _at_target_or_ours(failure: Failure) -> TargetFaultError | OwnFaultError:
    if failure.code not in _AT_THE_TARGET:
        return OwnFaultError(Cause.OWN, f"libcurl gave up ({failure.code}): {failure.text}"[:FOUND_LIMIT])
    cause, found = _AT_THE_TARGET[failure.code]
    # libcurl tells a handshake that was cut off by the same code as one that was nonsense.
    if failure.code == pycurl.E_SSL_CONNECT_ERROR and _was_cut(failure):
        return _at_target(failure, Cause.RESET, "hung up during the TLS handshake")
    if any(alert in failure.text.lower() for alert in _REFUSED_CERTIFICATE):
        return _at_target(failure, Cause.LOGIN, f"our certificate was refused: {failure.text}")
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
