"""Whatever a name server sends is read or refused, and whatever is read can be judged."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import strategies as st

from monitor.checks.blocklist import BlockList
from monitor.checks.blocklist import judge as judge_lists
from monitor.checks.blocklist import read as read_codes
from monitor.checks.contract import OwnFaultError
from monitor.checks.names.asking import place_of
from monitor.checks.names.dnssec import BogusError, Chain, read_anchor
from monitor.checks.names.records import (
    TYPES,
    DnsExpectation,
    TtlExpectation,
    judge,
    key_of_text,
    shown,
    wire_name,
)
from monitor.checks.names.zones import Listed, delegated_to, judge_delegation, judge_serials, zone_in
from monitor.checks.questions import Answers, NotAnAnswerError, Question, read_answer
from monitor.observation import Outcome
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECORDS = {
    "A": "192.0.2.10",
    "AAAA": "2001:db8::1",
    "CNAME": "www.zone.test.",
    "MX": "10 mail.zone.test.",
    "NS": "ns1.zone.test.",
    "TXT": '"v=spf1 " "-all"',
    "SOA": "ns1.zone.test. hostmaster.zone.test. 1 3600 600 86400 300",
    "SRV": "1 2 5060 sip.zone.test.",
    "PTR": "www.zone.test.",
    "CAA": '0 issue "letsencrypt.org"',
    "DS": "12345 13 2 " + "00" * 32,
    "DNSKEY": "257 3 13 " + "A" * 86 + "==",
    "TLSA": "3 1 1 " + "00" * 32,
    "HTTPS": "1 . alpn=h2 ipv4hint=192.0.2.1",
    "SVCB": "1 www.zone.test. port=8443",
    "SSHFP": "4 2 " + "00" * 32,
    "NAPTR": '1 1 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .',
}
SIGNATURE = "A 13 3 300 20261201000000 20261101000000 12345 zone.test. " + "A" * 86 + "=="


def query(rdtype: str) -> dns.message.QueryMessage:
    asked = Question(name="www.zone.test", rdtype=rdtype, dnssec=True).message()
    asked.id = 4711
    return asked


def valid(rdtype: str) -> bytes:
    """An honest answer with the record, a signature, and the zone's SOA beside it."""
    message = dns.message.make_response(query(rdtype))
    message.flags |= dns.flags.AA
    message.answer = [
        dns.rrset.from_text("www.zone.test.", 300, "IN", rdtype, RECORDS[rdtype]),
        dns.rrset.from_text("www.zone.test.", 300, "IN", "RRSIG", SIGNATURE.replace("A", rdtype, 1)),
    ]
    message.authority = [dns.rrset.from_text("zone.test.", 300, "IN", "SOA", RECORDS["SOA"])]
    return message.to_wire()


VALID = {rdtype: valid(rdtype) for rdtype in TYPES}


REFERENCES = st.tuples(st.integers(0, 400), st.integers(0xC000, 0xC3FF))


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """An honest answer, broken in a few places, some of which refer to anywhere."""
    rdtype = draw(st.sampled_from(TYPES))
    wire = draw(mutated((VALID[rdtype],)))
    for at, reference in draw(st.lists(REFERENCES, max_size=3)):
        wire = wire[:at] + reference.to_bytes(2) + wire[at + 2 :]
    return rdtype, wire


ANCHORS = (
    read_anchor(f"zone.test. DS {RECORDS['DS']}"),
    read_anchor(f"zone.test. DNSKEY {RECORDS['DNSKEY']}"),
)
EXPECTATIONS = (
    DnsExpectation(),
    DnsExpectation(rcode="NXDOMAIN"),
    DnsExpectation(answers=()),
    DnsExpectation(ttl=TtlExpectation()),
)


def judged(rdtype: str, wire: bytes) -> None:
    """Read an answer and give it to everything that looks at one."""
    with contextlib.suppress(NotAnAnswerError):
        message = read_answer(wire, query(rdtype))
        look_at(rdtype, Answers(message=message, address="192.0.2.53"))


def look_at(rdtype: str, answers: Answers) -> None:
    for expect in (*EXPECTATIONS, DnsExpectation(answers=(RECORDS[rdtype],), match="subset")):
        assert judge(answers, rdtype, expect, 1.0).outcome
    assert answers.text
    assert all(isinstance(shown(record), str) for record in answers.records or ())
    replies = {Listed("ns1.zone.test", "192.0.2.1"): answers}
    judge_delegation(delegated_to(answers, "zone.test"), replies, "zone.test")
    judge_serials(replies, "zone.test")
    zone_in(answers, dns.name.from_text("www.zone.test"))


@survives(spoilt() | st.tuples(st.sampled_from(TYPES), st.binary(max_size=300)))
def test_answers_of_any_kind_are_judged_or_refused(answer: tuple[str, bytes]) -> None:
    rdtype, wire = answer
    judged(rdtype, wire)
    judged(rdtype, query(rdtype).id.to_bytes(2) + wire[2:])


@survives(spoilt(), st.lists(spoilt(), max_size=3))
def test_chains_of_spoilt_answers_break_and_nothing_else(
    first: tuple[str, bytes], others: list[tuple[str, bytes]]
) -> None:
    """The anchor is the very key and digest of the honest answers, so that some links seem to hold."""
    left = list(others)

    async def ask(_name: str, _rdtype: str) -> Answers:
        rdtype, wire = left.pop() if left else ("DNSKEY", VALID["DNSKEY"])
        return Answers(message=read_answer(wire, query(rdtype)), address="192.0.2.53")

    with contextlib.suppress(NotAnAnswerError, BogusError, StopIteration):
        message = read_answer(first[1], query(first[0]))
        chain = Chain(ask=ask, now=NOW, anchors=ANCHORS)
        # Nothing in it waits: one step runs it to its end, and ten thousand loops are saved.
        chain.verify(Answers(message=message, address="192.0.2.53")).send(None)


WORDS = st.sampled_from(
    (
        "zone.test.",
        "[2001:db8::1]:53",
        ".",
        "300",
        "IN",
        "DS",
        "dnskey",
        "12345",
        "257",
        "3",
        "13",
        "2",
        "00" * 32,
        "A" * 86 + "==",
        "-1",
        "@",
    )
)
TEXTS = st.text(max_size=80) | st.lists(WORDS, max_size=8).map(" ".join) | mutated(tuple(RECORDS.values()))


@survives(st.sampled_from(TYPES), TEXTS)
def test_configured_texts_of_any_kind_are_taken_or_refused(rdtype: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(key_of_text(rdtype, text), bytes)
    with contextlib.suppress(ValueError):
        assert asked(wire_name(text, rdtype), rdtype)
    with contextlib.suppress(ValueError):
        assert read_anchor(text).record.rdtype in {dns.rdatatype.DS, dns.rdatatype.DNSKEY}
    with contextlib.suppress(ValueError):
        assert 1 <= place_of(text).port <= 65535


def asked(name: str, rdtype: str) -> bytes:
    """Write a question as it travels; a name that was found to be one can always be asked for."""
    try:
        return Question(name=name, rdtype=rdtype).message().to_wire()
    except ValueError as error:
        raise AssertionError(name) from error


CODES = st.sampled_from(
    ("127.0.0.2", "127.0.0.99", "127.255.255.254", "127.0.0.1", "192.0.2.1", "::1")
) | st.text(max_size=8)


@survives(st.lists(CODES, max_size=6).map(tuple) | st.text(min_size=1, max_size=20))
def test_answers_of_block_lists_are_listings_trouble_or_nothing(answered: tuple[str, ...] | str) -> None:
    one = BlockList(zone="good.test", codes=["127.0.0.0/28"])
    entry = read_codes(one, "192.0.2.1", answered)
    assert not (entry.codes and entry.trouble)
    with contextlib.suppress(OwnFaultError):
        assert judge_lists([entry]).outcome is (Outcome.DOWN if entry.codes else Outcome.OK)


def test_honest_answers_are_read() -> None:
    """What is spoilt above is worth spoiling."""
    for rdtype, wire in VALID.items():
        message = read_answer(wire, query(rdtype))
        assert Answers(message=message, address="192.0.2.53").records is not None
    with pytest.raises(NotAnAnswerError):
        read_answer(VALID["A"], query("MX"))
