"""What a directory may answer, and what may be written as a filter."""

from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st

from monitor.checks.remote import ldap_messages as messages
from monitor.checks.remote.ldap_filter import DEPTH_LIMIT, compile_filter, tlv
from monitor.checks.remote.ldap_messages import HEAD, MESSAGE_LIMIT, Message, NotLdapError
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives


def _message(operation: int, *parts: bytes) -> bytes:
    return tlv(0x30, tlv(0x02, b"\x03"), tlv(operation, *parts))


_RESULT = (tlv(0x0A, b"\x31"), tlv(0x04, b"dc=test"), tlv(0x04, b"no such user"))
_MESSAGES = (
    _message(messages.BIND, *_RESULT),
    _message(messages.DONE, *_RESULT, tlv(0xA3, tlv(0x04, b"ldap://elsewhere.test/"))),
    _message(messages.EXTENDED, *_RESULT, tlv(0x8A, b"1.3.6.1.4.1.1466.20036")),
    _message(messages.ENTRY, tlv(0x04, b"cn=ana"), tlv(0x30, tlv(0x30, tlv(0x04, b"cn"), tlv(0x31)))),
    _message(messages.REFERENCE, tlv(0x04, b"ldap://elsewhere.test/")),
)
_FILTERS = (
    "(&(a=b)(|(c>=1)(!(d=x*y*z))))",
    "(a:dn:2.4.6:=\\2a)",
    "(uid;binary~=\\28x)",
    "cn=*",
    "(a<=\\c3\\b1)",
)


def understood(data: bytes) -> Message | None:
    """Read one message as a look does; None when it is refused."""
    try:
        head = messages.head_of(data[:HEAD])
        size = messages.body_of(data[:head])
        assert 0 <= size <= MESSAGE_LIMIT
        return messages.read(data[head : head + size])
    except NotLdapError:
        return None


@survives(st.binary(min_size=HEAD, max_size=200) | mutated(_MESSAGES).filter(lambda data: len(data) >= HEAD))
def test_any_bytes_are_an_answer_or_are_refused(data: bytes) -> None:
    understood(data)


@survives(st.binary(max_size=200))
def test_any_content_of_a_message_is_an_answer_or_is_refused(data: bytes) -> None:
    understood(tlv(0x30, data))
    understood(_message(messages.BIND, data))


@survives(st.text(max_size=200) | mutated(_FILTERS))
def test_any_text_is_a_filter_or_is_refused_with_a_sentence(text: str) -> None:
    try:
        compiled = compile_filter(text)
    except ValueError:
        return
    assert _nested(compiled, 0) <= 2 * DEPTH_LIMIT


def test_what_a_server_sends_is_understood() -> None:
    read = [understood(data) for data in _MESSAGES]
    assert [one.operation for one in read if one] == [0x61, 0x65, 0x78, 0x64, 0x73]
    assert str(read[0].result if read[0] else "") == "49 invalidCredentials (no such user)"


def test_neither_depth_nor_number_of_parts_costs_time() -> None:
    """Nothing is read that is not needed, so that a megabyte of anything is read in no time."""
    deep = b"\x24\x84\x00\x0f\x00\x00" * 150_000
    many = tlv(0x30, b"\x30\x04\x04\x00\x31\x00" * 150_000)
    began = time.process_time()
    understood(_message(messages.BIND, deep[:900_000]))
    understood(_message(messages.ENTRY, tlv(0x04), many))
    understood(_message(messages.DONE, *_RESULT, many))
    assert time.process_time() - began < 1
    with pytest.raises(ValueError, match="a filter may nest at most 20 deep"):
        compile_filter("(!" * 1000 + "(a=b)" + ")" * 1000)


def _nested(data: bytes, depth: int) -> int:
    """Return how deep elements stand in each other, which is what we send; it must be whole."""
    deepest, offset = depth, 0
    while offset < len(data):
        tag, size, start = data[offset], data[offset + 1], offset + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[offset + 2 : start], "big")
        offset = start + size
        assert offset <= len(data)
        if tag & 0x20:
            deepest = max(deepest, _nested(data[start:offset], depth + 1))
    return deepest
