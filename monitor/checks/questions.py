"""Questions to name servers and what may count as an answer: pure, and safe for whatever bytes come back."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from monitor.checks.options.targets import bracketed

PORT = 53
# What a name server may send in one datagram (DNS flag day 2020): more would be cut into pieces that firewalls drop.
PAYLOAD = 1232
# A message of 64 KiB holds five thousand records, each with names of 127 labels by reference: reading them would hold up every
# other look for seconds. No honest answer comes near this; and a HIP record, which nobody asks for, holds as many names alone.
RECORDS_LIMIT = 250
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
# Servers that do not get as far as the question may leave it out.
_WITHOUT_QUESTION = frozenset({dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED})


class NotAnAnswerError(Exception):
    """What came does not answer the question; the argument says what it is instead. Anybody may have sent it."""


class BrokenAnswerError(NotAnAnswerError):
    """What came has the number and the words of the question, and yet cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question. `name` is written as it travels on the wire, `rdtype` in the words of the trade (`MX`).

    With `recursive` the server is to ask others for us. With `dnssec` it is to send signatures along and leave the judging to us.
    """

    name: str
    rdtype: str = "A"
    recursive: bool = True
    dnssec: bool = False

    def message(self) -> dns.message.QueryMessage:
        """Return the question as a message with a number of its own."""
        query = dns.message.make_query(
            self.name, self.rdtype, use_edns=0, want_dnssec=self.dnssec, payload=PAYLOAD
        )
        query.flags &= ~dns.flags.RD
        query.flags |= (dns.flags.RD if self.recursive else 0) | (dns.flags.CD if self.dnssec else 0)
        return query


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the name server at `address` and `port` answered."""

    message: dns.message.QueryMessage
    address: str
    port: int = PORT

    @property
    def server(self) -> str:
        """Who answered: the address, with the port if it is not 53."""
        return self.address if self.port == PORT else f"{bracketed(self.address)}:{self.port}"

    @property
    def rcode(self) -> str:
        """The verdict of the server in its standard word: NOERROR, NXDOMAIN, SERVFAIL ..."""
        return dns.rcode.to_text(self.message.rcode())

    @property
    def authoritative(self) -> bool:
        """Does the server say this of a zone of its own?"""
        return bool(self.message.flags & dns.flags.AA)

    @property
    def records(self) -> dns.rrset.RRset | None:
        """The records that were asked for, at the end of every alias; None when there are none."""
        return records_of(self.message)

    @property
    def text(self) -> str:
        """What came back, as zone files write it."""
        sections = (*self.message.answer, *self.message.authority)
        return "\n".join([self.rcode, *(record.to_text() for record in sections)])


def records_of(message: dns.message.QueryMessage) -> dns.rrset.RRset | None:
    """Return the records at the end of the chain of aliases; a chain without an end, or a broken one, has none."""
    try:
        return message.resolve_chaining().answer
    except dns.exception.DNSException:
        return None


def read_answer(wire: bytes, query: dns.message.QueryMessage) -> dns.message.QueryMessage:
    """Return the answer to `query` that `wire` holds; NotAnAnswerError or BrokenAnswerError says why it is none."""
    offset, records = _answered(wire, query)
    try:
        _weighed(wire, offset, records)
        message = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, struct.error, IndexError, RecursionError) as error:
        raise BrokenAnswerError("an answer that cannot be read") from error
    if not isinstance(message, dns.message.QueryMessage) or not query.is_response(message):
        raise BrokenAnswerError("an answer to another question")
    return message


def _answered(wire: bytes, query: dns.message.QueryMessage) -> tuple[int, int]:
    """Return where the records begin and how many there are, once number, kind and question are seen to be right."""
    asked = query.to_wire()
    end = _after_name(asked, _HEADER.size) + 4
    if len(wire) < _HEADER.size:
        raise NotAnAnswerError("less than a message")
    number, flags, questions, *records = _HEADER.unpack_from(wire)
    if number != query.id:
        raise NotAnAnswerError("an answer with another number")
    if not flags & dns.flags.QR or dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        raise NotAnAnswerError("a message that answers nothing")
    if questions == 0 and flags & 0xF in _WITHOUT_QUESTION:
        return _HEADER.size, sum(records)
    if questions != 1 or wire[_HEADER.size : end].lower() != asked[_HEADER.size : end].lower():
        raise NotAnAnswerError("an answer to another question")
    return end, sum(records)


def _weighed(wire: bytes, offset: int, records: int) -> None:
    """Refuse what costs too much to read. Names are stepped over, references in them not followed."""
    if records > RECORDS_LIMIT:
        raise BrokenAnswerError(f"an answer of more than {RECORDS_LIMIT} records")
    for _ in range(records):
        offset = _after_name(wire, offset)
        rdtype, _, _, length = _RECORD.unpack_from(wire, offset)
        if rdtype == dns.rdatatype.HIP:
            raise BrokenAnswerError("an answer with a HIP record")
        offset += _RECORD.size + length


def _after_name(wire: bytes, offset: int) -> int:
    while (length := wire[offset]) and length < 0xC0:
        offset += 1 + length
    return offset + (2 if length else 1)


def said_of(error: Exception) -> str:
    """Return what an error of the library says, its name when it says nothing."""
    return str(error) or type(error).__name__


def is_truncated(message: dns.message.Message) -> bool:
    """Was the answer cut, so that it has to be asked for over TCP?"""
    return bool(message.flags & dns.flags.TC)
