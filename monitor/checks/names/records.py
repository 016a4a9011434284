"""What the answer of a name server is held to, and the verdict on it: pure, so that every judgement is tested without a server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal, get_args

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset
from dns.rdtypes.txtbase import TXTBase
from pydantic import Field

from monitor.checks.browsing.expectations import Texts
from monitor.checks.contract import Look, Options
from monitor.checks.options.durations import Duration, PositiveDuration, format_duration
from monitor.checks.options.targets import ascii_host, is_address
from monitor.checks.questions import Answers
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome

RecordType = Literal[
    "A",
    "AAAA",
    "CNAME",
    "MX",
    "NS",
    "TXT",
    "SOA",
    "SRV",
    "PTR",
    "CAA",
    "DS",
    "DNSKEY",
    "TLSA",
    "HTTPS",
    "SVCB",
    "SSHFP",
    "NAPTR",
]
TYPES: tuple[str, ...] = get_args(RecordType)
_EXAMPLES = {
    "A": "192.0.2.10",
    "AAAA": "2001:db8::10",
    "CNAME": "www.example",
    "MX": "10 mail.example",
    "NS": "ns1.example",
    "SOA": "ns1.example hostmaster.example 1 3600 600 604800 300",
    "SRV": "0 5 5060 sip.example",
    "PTR": "www.example",
    "CAA": '0 issue "ca.example"',
    "DS": "12345 13 2 ABCD...",
    "DNSKEY": "257 3 13 ABCD...",
    "TLSA": "3 1 1 ABCD...",
    "HTTPS": '1 . alpn="h2"',
    "SVCB": "1 www.example",
    "SSHFP": "4 2 ABCD...",
    "NAPTR": '100 10 "u" "E2U+sip" "!^.*$!sip:info@example!" .',
}
_SHOWN = 5


class TtlExpectation(Options):
    """Between which bounds the time to live of the records lies."""

    min: Duration = Field(default=timedelta(0), description="The least time to live, such as 5m.")
    max: Duration = Field(
        default=timedelta(days=365 * 68), description="The greatest time to live, such as 1d."
    )


class DnsExpectation(Options):
    """What the answer of a name server is held to."""

    answers: Texts | None = Field(
        default=None,
        description="The records that must come, as zone files write them (`10 mail.example`), texts of TXT plainly; "
        "an empty list: none. Any will do if left out.",
    )
    match: Literal["exact", "subset"] = Field(
        default="exact", description="exact: these records and no others; subset: at least these."
    )
    rcode: Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NOTAUTH"] = Field(
        default="NOERROR", description="The verdict that the name server must give."
    )
    ttl: TtlExpectation | None = Field(default=None, description="Bounds of the time to live.")
    within: PositiveDuration | None = Field(
        default=None, description="Warn when the answer takes longer than this, such as 200ms."
    )

    @property
    def wants_records(self) -> bool:
        """Must there be records?"""
        return self.rcode == "NOERROR" and self.answers != ()


def wire_name(text: str, rdtype: str) -> str:
    """Return the name to ask for as it travels on the wire; an address becomes its name in the reverse tree, for PTR only.

    What cannot be a name raises ValueError.
    """
    if is_address(text):
        if rdtype != "PTR":
            raise RefusalError("options.dns.address", found=text)
        return dns.reversename.from_address(text).to_text(omit_final_dot=True)
    try:
        return dns.name.from_text(ascii_host(text)).to_text(omit_final_dot=True)
    except dns.exception.DNSException as error:
        raise RefusalError("options.dns_name", found=text) from error


def key_of_text(rdtype: str, text: str) -> bytes:
    """Return what two writings of one record have in common; a text that is no record of this type raises ValueError.

    A TXT record is written plainly, however many strings it is cut into.
    """
    if rdtype == "TXT":
        return text.encode()
    try:
        return _key(
            dns.rdata.from_text(
                dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), text, dns.name.root, relativize=False
            )
        )
    except (dns.exception.DNSException, ValueError, ArithmeticError, LookupError) as error:
        raise RefusalError(
            "options.dns.record", found=text, type=rdtype, example=_EXAMPLES[rdtype]
        ) from error


def shown(record: dns.rdata.Rdata) -> str:
    """Return a record as the configuration writes it."""
    if isinstance(record, TXTBase):
        return b"".join(record.strings).decode(errors="replace")
    return record.to_text()


def judge(answers: Answers, rdtype: str, expect: DnsExpectation, took_ms: float) -> Look:
    """Return the verdict on an answer, the worst first; address and phases are the look's to add."""
    if answers.rcode != expect.rcode:
        return _down(Cause.NAME, f"{answers.rcode}, expected {expect.rcode}")
    return (
        _judged_records(answers.records, rdtype, expect)
        or _judged_ttl(answers.records, expect.ttl)
        or _judged_time(took_ms, expect.within)
        or Look(outcome=Outcome.OK)
    )


def _judged_records(records: dns.rrset.RRset | None, rdtype: str, expect: DnsExpectation) -> Look | None:
    came = {_key(record): shown(record) for record in records or ()}
    if expect.answers is None:
        missing = expect.wants_records and not came
        return _down(Cause.NAME, f"there is no {rdtype} record") if missing else None
    wanted = {key_of_text(rdtype, text): text for text in expect.answers}
    if wanted.keys() == came.keys() or (expect.match == "subset" and wanted.keys() < came.keys()):
        return None
    if wanted and not came:
        return _down(Cause.NAME, f"there is no {rdtype} record, expected {_listed(wanted.values())}")
    expected = "none" if not wanted else _listed(wanted.values())
    least = "at least " if expect.match == "subset" and wanted else ""
    return _down(Cause.CONTENT, f"{_listed(came.values())}, expected {least}{expected}")


def _judged_ttl(records: dns.rrset.RRset | None, bounds: TtlExpectation | None) -> Look | None:
    if records is None or bounds is None:
        return None
    ttl = timedelta(seconds=records.ttl)
    if bounds.min <= ttl <= bounds.max:
        return None
    bound = (
        f"at least {format_duration(bounds.min)}"
        if ttl < bounds.min
        else f"at most {format_duration(bounds.max)}"
    )
    return _down(Cause.CONTENT, f"the time to live is {format_duration(ttl)}, expected {bound}")


def _judged_time(took_ms: float, within: timedelta | None) -> Look | None:
    if within is None or took_ms <= within / timedelta(milliseconds=1):
        return None
    allowed = within / timedelta(milliseconds=1)
    return Look(
        outcome=Outcome.WARN,
        cause=Cause.SLOW,
        found=f"{took_ms:.0f} ms, expected within {allowed:.0f} ms",
    )


def _down(cause: Cause, found: str) -> Look:
    return Look(outcome=Outcome.DOWN, cause=cause, found=found)


def _key(record: dns.rdata.Rdata) -> bytes:
    return b"".join(record.strings) if isinstance(record, TXTBase) else record.to_digestable()


def _listed(texts: Iterable[str]) -> str:
    words = sorted(text[:60] for text in texts)
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
