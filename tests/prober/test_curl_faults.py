"""What libcurl's codes are taken for."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace

import pycurl
import pytest

from monitor.observation import Cause, Outcome
from monitor.prober.curl_faults import Failure, fault_of_curl


def failure(
    code: int,
    text: str = "",
    number: int = 0,
    verify_result: int = 0,
    phases: Mapping[str, float] | None = None,
) -> Failure:
    return Failure(
        code=code,
        text=text,
        errno=number,
        verify_result=verify_result,
        phases=phases or {},
        tls=True,
        tls_expires_at=None,
        address="127.0.0.1",
        ca_file="/etc/ca.pem",
    )


@pytest.mark.parametrize(
    ("given", "outcome", "cause"),
    [
        (failure(pycurl.E_COULDNT_CONNECT, number=errno.ECONNREFUSED), Outcome.DOWN, Cause.REFUSED),
        (failure(pycurl.E_COULDNT_CONNECT, number=errno.EHOSTUNREACH), Outcome.DOWN, Cause.UNREACHABLE),
        (failure(pycurl.E_COULDNT_CONNECT, number=errno.EMFILE), Outcome.UNKNOWN, Cause.OWN),
        (failure(pycurl.E_COULDNT_CONNECT, number=errno.EPERM), Outcome.UNKNOWN, Cause.RIGHTS),
        (failure(pycurl.E_COULDNT_CONNECT, number=errno.EADDRNOTAVAIL), Outcome.UNKNOWN, Cause.OWN),
        (failure(pycurl.E_COULDNT_CONNECT), Outcome.UNKNOWN, Cause.OWN),
        (failure(pycurl.E_OPERATION_TIMEDOUT), Outcome.DOWN, Cause.TIMEOUT_CONNECT),
        (failure(pycurl.E_OPERATION_TIMEDOUT, phases={"connect": 1}), Outcome.DOWN, Cause.TIMEOUT_TLS),
        (
            failure(pycurl.E_OPERATION_TIMEDOUT, phases={"connect": 1, "tls": 1}),
            Outcome.DOWN,
            Cause.TIMEOUT_FIRST_BYTE,
        ),
        (
            failure(pycurl.E_OPERATION_TIMEDOUT, phases={"connect": 1, "tls": 1, "first_byte": 1}),
            Outcome.DOWN,
            Cause.TIMEOUT_TOTAL,
        ),
        (
            failure(pycurl.E_PEER_FAILED_VERIFICATION, verify_result=10),
            Outcome.DOWN,
            Cause.CERTIFICATE_EXPIRED,
        ),
        (failure(pycurl.E_PEER_FAILED_VERIFICATION, verify_result=62), Outcome.DOWN, Cause.CERTIFICATE_HOST),
        (
            failure(pycurl.E_PEER_FAILED_VERIFICATION, verify_result=19),
            Outcome.DOWN,
            Cause.CERTIFICATE_ISSUER,
        ),
        (failure(pycurl.E_SSL_CONNECT_ERROR, "wrong version number"), Outcome.DOWN, Cause.PROTOCOL),
        (failure(pycurl.E_SSL_CONNECT_ERROR, "unexpected eof while reading"), Outcome.DOWN, Cause.RESET),
        (failure(pycurl.E_SSL_CACERT_BADFILE), Outcome.UNKNOWN, Cause.OWN),
        (failure(pycurl.E_OUT_OF_MEMORY), Outcome.UNKNOWN, Cause.OWN),
    ],
)
def test_each_code_has_its_owner_and_cause(given: Failure, outcome: Outcome, cause: Cause) -> None:
    look = fault_of_curl(given).look
    assert (look.outcome, look.cause) == (outcome, cause)
    assert look.found


@pytest.mark.parametrize(
    ("given", "outcome", "cause"),
    [
        (replace(failure(7, "CONNECT tunnel failed"), proxy_code=407), Outcome.UNKNOWN, Cause.OWN),
        (replace(failure(7, "CONNECT tunnel failed"), proxy_code=502), Outcome.DOWN, Cause.UNREACHABLE),
        (
            replace(failure(pycurl.E_COULDNT_CONNECT, number=errno.ECONNREFUSED), proxy_code=0),
            Outcome.UNKNOWN,
            Cause.OWN,
        ),
        (
            replace(failure(pycurl.E_OPERATION_TIMEDOUT, phases={"connect": 1}), proxy_code=0),
            Outcome.DOWN,
            Cause.TIMEOUT_CONNECT,
        ),
        (
            replace(failure(pycurl.E_OPERATION_TIMEDOUT, phases={"connect": 1}), proxy_code=200),
            Outcome.DOWN,
            Cause.TIMEOUT_TLS,
        ),
        (
            replace(
                failure(pycurl.E_RECV_ERROR, "Proxy CONNECT aborted", phases={"connect": 1}), proxy_code=0
            ),
            Outcome.UNKNOWN,
            Cause.OWN,
        ),
    ],
    ids=["refuses", "cannot reach", "is gone", "says nothing", "beyond it nothing", "hangs up"],
)
def test_a_proxy_is_a_part_of_our_way(given: Failure, outcome: Outcome, cause: Cause) -> None:
    look = fault_of_curl(given).look
    assert (look.outcome, look.cause) == (outcome, cause)


@pytest.mark.parametrize("code", [pycurl.E_SSL_CERTPROBLEM, pycurl.E_BAD_FUNCTION_ARGUMENT])
def test_a_certificate_of_ours_that_cannot_be_used_is_named(code: int) -> None:
    look = fault_of_curl(replace(failure(code), certificate_file="/etc/client.pem")).look
    assert (look.outcome, look.cause) == (Outcome.UNKNOWN, Cause.OWN)
    assert "/etc/client.pem" in look.found


@pytest.mark.parametrize("alert", ["certificate required", "bad certificate", "unknown ca"])
def test_a_certificate_of_ours_that_is_refused_is_a_login_that_failed(alert: str) -> None:
    look = fault_of_curl(failure(pycurl.E_RECV_ERROR, f"ssl/tls alert {alert}")).look
    assert (look.outcome, look.cause) == (Outcome.DOWN, Cause.LOGIN)
