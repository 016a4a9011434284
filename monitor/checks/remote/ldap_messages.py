"""Messages of LDAP (RFC 4511) as bytes: what a look says, and what it understands of the answers.

Answers are read flat and without recursion, in time that grows with their length alone: a server that nests without end, or packs
a hundred thousand empty attributes into one entry, holds nobody up.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.checks.remote.ldap_filter import tlv

MESSAGE_LIMIT = 1024 * 1024
HEAD = 2
"""So many bytes of a message tell how many more its head has."""

BIND, ENTRY, DONE, REFERENCE, EXTENDED, INTERMEDIATE = 0x61, 0x64, 0x65, 0x73, 0x78, 0x79
"""The tags of the operations that a server answers with."""

SUCCESS, SIZE_LIMIT_EXCEEDED = 0, 4
SCOPES = ("base", "one", "sub")
_RESULTS = frozenset({BIND, DONE, EXTENDED})
_SEQUENCE, _BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x01, 0x02, 0x04, 0x0A
_STARTTLS = b"1.3.6.1.4.1.1466.20037"
_NO_ATTRIBUTES = b"1.1"
_VERSION = 3
_WORDS = {
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    80: "other",
}


class NotLdapError(ValueError):
    """What came is no message of LDAP; the argument says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended: its code, and what the server says about it."""

    code: int
    said: str

    def __str__(self) -> str:
        return f"{self.code} {_WORDS.get(self.code, 'unknown')}{f' ({self.said})' if self.said else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One answer: the number of its question, 0 for a word that was not asked for, and the result if it is one that ends something."""

    number: int
    operation: int
    result: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for: `filter` as bytes, at most `limit` entries, in at most so many `seconds`."""

    base: str
    scope: str
    filter: bytes
    limit: int
    seconds: int


def bind(number: int, dn: str, password: str) -> bytes:
    """Return the question whether `dn` may log in; both texts are empty for nobody in particular."""
    name, secret = tlv(_OCTETS, dn.encode()), tlv(0x80, password.encode())
    return _message(number, tlv(0x60, _integer(_VERSION), name, secret))


def starttls(number: int) -> bytes:
    """Return the wish to go on inside TLS."""
    return _message(number, tlv(0x77, tlv(0x80, _STARTTLS)))


def search(number: int, wanted: Search) -> bytes:
    """Return the question for entries; their names are enough, no attribute is asked for."""
    scope = _integer(SCOPES.index(wanted.scope), _ENUMERATED)
    aliases = _integer(0, _ENUMERATED)
    limits = _integer(wanted.limit) + _integer(wanted.seconds) + tlv(_BOOLEAN, b"\x00")
    attributes = tlv(_SEQUENCE, tlv(_OCTETS, _NO_ATTRIBUTES))
    base = tlv(_OCTETS, wanted.base.encode())
    return _message(number, tlv(0x63, base, scope, aliases, limits, wanted.filter, attributes))


def unbind(number: int) -> bytes:
    """Return the farewell, which is not answered."""
    return _message(number, tlv(0x42))


def head_of(beginning: bytes) -> int:
    """Return how long the head is of a message whose first `HEAD` bytes these are; raises NotLdapError."""
    if beginning[0] != _SEQUENCE:
        raise NotLdapError("what came is no message of LDAP")
    return HEAD + (beginning[1] & 0x7F if beginning[1] & 0x80 else 0)


def body_of(head: bytes) -> int:
    """Return how many bytes follow this whole head; raises NotLdapError for no length, or one of more than `MESSAGE_LIMIT`."""
    length = _length(head, 1)[0]
    if length > MESSAGE_LIMIT:
        raise NotLdapError(f"announced a message of {length} bytes")
    return length


def read(body: bytes) -> Message:
    """Return what follows a head as an answer; raises NotLdapError."""
    number, end = _whole_number(body, 0, _INTEGER)
    operation, start, end = _element(body, end)
    if operation not in _RESULTS:
        return Message(number=number, operation=operation)
    return Message(number=number, operation=operation, result=_result(body[start:end]))


def _result(body: bytes) -> Result:
    code, end = _whole_number(body, 0, _ENUMERATED)
    _, _, end = _element(body, end)
    tag, start, end = _element(body, end)
    if tag != _OCTETS:
        raise NotLdapError("a result without its message")
    # Active Directory ends its messages as C does.
    return Result(code, body[start:end].decode(errors="replace").strip("\x00 \r\n"))


def _whole_number(data: bytes, offset: int, expected: int) -> tuple[int, int]:
    tag, start, end = _element(data, offset)
    if tag != expected or not 1 <= end - start <= 4:
        raise NotLdapError("a number is missing in a message")
    return int.from_bytes(data[start:end], "big", signed=True), end


def _element(data: bytes, offset: int) -> tuple[int, int, int]:
    """Return the tag of the element at `offset`, and where its content begins and ends."""
    if offset >= len(data) or data[offset] & 0x1F == 0x1F:
        raise NotLdapError("a message that ends too early")
    length, start = _length(data, offset + 1)
    if start + length > len(data):
        raise NotLdapError("a message shorter than its parts")
    return data[offset], start, start + length


def _length(data: bytes, offset: int) -> tuple[int, int]:
    """Return the length that stands at `offset`, and where what is so long begins."""
    if offset >= len(data):
        raise NotLdapError("a message that ends too early")
    first, start = data[offset], offset + 1
    if first < 0x80:
        return first, start
    end = start + (first & 0x7F)
    # No length at all means that an end mark follows, which LDAP forbids.
    if not 0 < end - start <= 8 or end > len(data):
        raise NotLdapError("a message without a length")
    return int.from_bytes(data[start:end], "big"), end


def _message(number: int, operation: bytes) -> bytes:
    return tlv(_SEQUENCE, _integer(number), operation)


def _integer(value: int, tag: int = _INTEGER) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))
