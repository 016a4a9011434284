"""Does an answer hold by its signatures? The chain is followed by ourselves, from a trust anchor down to the records.

A resolver that validates says only "SERVFAIL", one that does not says nothing at all: neither tells which link is broken.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS
from dns.rdtypes.ANY.RRSIG import RRSIG

from monitor.checks.contract import Look, OwnFaultError
from monitor.checks.questions import Answers, said_of
from monitor.language.refusals import RefusalError
from monitor.observation import Cause, Outcome

# Verifying costs time, and whoever sends a hundred keys of one number with a hundred signatures wants to spend ours.
_SIGNATURES = 8
_KEYS = 32
_CANDIDATES = 4
_ANCHOR = re.compile(r"(\S+)\s+(?:[0-9]+\s+)?(?:IN\s+)?(DS|DNSKEY)\s+(.+)", re.IGNORECASE | re.DOTALL)
_UNKNOWN_KEY = "it is signed by no key that is trusted"
_WORDS = {
    "expired": "the signature has expired",
    "not yet valid": "the signature is not valid yet",
    "verify failure": "the signature does not fit",
}
_BUILT_IN = (
    ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)


class BogusError(Exception):
    """The chain of trust is broken; the argument says where and how."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A key of a zone that is trusted without any signature, itself or by its digest."""

    zone: dns.name.Name
    record: DS | DNSKEY

    def is_of(self, key: DNSKEY) -> bool:
        """Is `key` the trusted one?"""
        if isinstance(self.record, DNSKEY):
            return bool(self.record == key)
        return _fits(self.zone, key, self.record)


def read_anchor(text: str) -> Anchor:
    """Return the anchor that a line of a zone file names (`example. DS 12345 13 2 ABCD...`), else raise RefusalError."""
    written = _ANCHOR.fullmatch(text.strip())
    if written is None:
        raise RefusalError("options.anchor", found=text)
    try:
        zone = dns.name.from_text(written[1])
        record = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(written[2]), written[3])
    except (dns.exception.DNSException, ValueError, LookupError) as error:
        raise RefusalError("options.anchor", found=text) from error
    assert isinstance(record, DS | DNSKEY), "the pattern names no other type"  # noqa: S101 - narrows the type
    return Anchor(zone, record)


ROOT = tuple(read_anchor(text) for text in _BUILT_IN)
"""The keys of the root that IANA published in 2017 and 2024."""

Ask = Callable[[str, str], Awaitable[Answers]]
"""Returns what is answered about a name and a type, signatures included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Records whose signature holds, with the signature that holds the longest."""

    records: dns.rrset.RRset
    signature: RRSIG

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(self.signature.expiration, UTC)

    @property
    def lasts(self) -> timedelta:
        """For how long the signature was made."""
        return timedelta(seconds=self.signature.expiration - self.signature.inception)


@dataclass(slots=True, kw_only=True)
class Chain:
    """The links of trust that one look follows; `now` is the moment that the signatures have to cover."""

    ask: Ask
    now: datetime
    anchors: tuple[Anchor, ...] = ROOT
    _keys: dict[dns.name.Name, Signed] = field(default_factory=dict)

    async def verify(self, answers: Answers) -> tuple[Signed, ...]:
        """Return the records of an answer and the keys of their zone, all of which hold; BogusError says which does not."""
        sections = answers.message.answer
        records = [each for each in sections if each.rdtype != dns.rdatatype.RRSIG]
        links = [
            await self._held(each, sections) for each in records if not _is_made_by_dname(each, sections)
        ]
        wanted = answers.records
        signer = next((link.signature.signer for link in links if link.records is wanted), None)
        if signer is None:
            raise BogusError("there are no records to verify")
        return (*(link for link in links if link.signature.signer == signer), self._keys[signer])

    async def _held(
        self, records: dns.rrset.RRset, sections: Iterable[dns.rrset.RRset], *, above: bool = False
    ) -> Signed:
        """Verify one set of records; with `above` it must be a zone further up that signed it, as it must for DS."""
        signatures = signatures_of(records, sections)
        signer = next(
            (each.signer for each in signatures if _may_sign(each, records.name, above=above)), None
        )
        if signer is None:
            await self._sees_signatures()
            raise BogusError(f"{_called(records)} is not signed")
        keys = await self._keys_of(signer)
        return verified(records, signatures, {signer: keys_of(keys.records)}, self.now)

    async def _sees_signatures(self) -> None:
        """Raise OwnFaultError when not even the root comes signed: then it is our name servers that lose the signatures."""
        if self.anchors is ROOT:
            await self._keys_of(dns.name.root)

    async def _keys_of(self, zone: dns.name.Name) -> Signed:
        if zone not in self._keys:
            try:
                self._keys[zone] = await self._looked_up(zone)
            except BogusError as error:
                if self.anchors is not ROOT or zone != dns.name.root:
                    raise
                raise OwnFaultError(
                    Cause.OWN,
                    f"our name servers give no keys of the root that hold ({error}): ask others under `resolver:`, "
                    "name an anchor, or look at this machine's clock",
                ) from error
        return self._keys[zone]

    async def _looked_up(self, zone: dns.name.Name) -> Signed:
        trusted: list[Anchor] = [anchor for anchor in self.anchors if anchor.zone == zone]
        if not trusted:
            trusted = await self._from_above(zone)
        answers = await self.ask(zone.to_text(), "DNSKEY")
        if answers.records is None:
            raise BogusError(f"{_zone(zone)} publishes no key")
        keys = [key for key in keys_of(answers.records) if any(anchor.is_of(key) for anchor in trusted)]
        if not keys:
            raise BogusError(f"{_zone(zone)} publishes none of the keys that are trusted from above")
        signatures = signatures_of(answers.records, answers.message.answer)
        return verified(answers.records, signatures, {zone: keys}, self.now)

    async def _from_above(self, zone: dns.name.Name) -> list[Anchor]:
        if not any(zone.is_subdomain(anchor.zone) for anchor in self.anchors):
            raise BogusError(f"no trust anchor leads to {_zone(zone)}")
        answers = await self.ask(zone.to_text(), "DS")
        if answers.records is None:
            await self._sees_signatures()
            raise BogusError(f"there is no DS record for {_zone(zone)}: nothing above vouches for its keys")
        digests = await self._held(answers.records, answers.message.answer, above=True)
        return [Anchor(zone, digest) for digest in list(digests.records)[:_KEYS] if isinstance(digest, DS)]


def signatures_of(records: dns.rrset.RRset, sections: Iterable[dns.rrset.RRset]) -> list[RRSIG]:
    """Return the signatures over a set of records, as many as are looked at."""
    return [
        signature
        for each in sections
        if each.rdtype == dns.rdatatype.RRSIG and each.name == records.name
        for signature in each
        if isinstance(signature, RRSIG) and signature.type_covered == records.rdtype
    ][:_SIGNATURES]


def keys_of(records: dns.rrset.RRset) -> list[DNSKEY]:
    """Return the keys in a set of records, as many as are looked at."""
    return [key for key in list(records)[:_KEYS] if isinstance(key, DNSKEY)]


def verified(
    records: dns.rrset.RRset,
    signatures: list[RRSIG],
    keys: Mapping[dns.name.Name, list[DNSKEY]],
    now: datetime,
) -> Signed:
    """Return the records with the longest of the signatures that hold by the `keys` of a zone; none raises BogusError."""
    reasons: list[str] = []
    holding: list[RRSIG] = []
    for signature in signatures:
        candidates = _candidates(keys.get(signature.signer, []), signature)
        if not candidates:
            reasons.append(_UNKNOWN_KEY)
            continue
        try:
            dns.dnssec.validate_rrsig(records, signature, {signature.signer: candidates}, now=now.timestamp())
        except (dns.exception.DNSException, ValueError, ArithmeticError) as error:
            reasons.append(_WORDS.get(str(error)) or said_of(error))
        else:
            holding.append(signature)
    if not holding:
        raise BogusError(f"{_called(records)}: {reasons[0] if reasons else 'it is not signed'}")
    return Signed(records=records, signature=max(holding, key=lambda signature: signature.expiration))


def warned(links: tuple[Signed, ...], warn: timedelta, now: datetime) -> Look | None:
    """Return a warning when one of the signatures ends sooner than `warn`, None when all last.

    Who signs anew all the time signs for a short time: a quarter of what a signature was made for is always enough.
    """
    soon = [link for link in links if link.ends_at - now < min(warn, link.lasts / 4)]
    if not soon:
        return None
    first = min(soon, key=lambda link: link.ends_at)
    return Look(
        outcome=Outcome.WARN,
        cause=Cause.DNSSEC,
        found=f"the signature of {_called(first.records)} ends on {first.ends_at:%Y-%m-%d %H:%M} UTC",
    )


def _candidates(keys: list[DNSKEY], signature: RRSIG) -> dns.rdataset.Rdataset:
    fitting = [
        key
        for key in keys
        if key.algorithm == signature.algorithm and dns.dnssec.key_id(key) == signature.key_tag
    ]
    found = dns.rdataset.Rdataset(dns.rdataclass.IN, dns.rdatatype.DNSKEY)
    for key in fitting[:_CANDIDATES]:
        found.add(key)
    return found


def _fits(zone: dns.name.Name, key: DNSKEY, digest: DS) -> bool:
    if dns.dnssec.key_id(key) != digest.key_tag or key.algorithm != digest.algorithm:
        return False
    try:
        return dns.dnssec.make_ds(zone, key, digest.digest_type, validating=True).digest == digest.digest
    except (dns.exception.DNSException, ValueError):
        return False


def _may_sign(signature: RRSIG, name: dns.name.Name, *, above: bool) -> bool:
    return name.is_subdomain(signature.signer) and not (above and signature.signer == name)


def _is_made_by_dname(records: dns.rrset.RRset, sections: Iterable[dns.rrset.RRset]) -> bool:
    """Is this the alias that a server makes of a DNAME? It cannot be signed; the DNAME is."""
    if records.rdtype != dns.rdatatype.CNAME or signatures_of(records, sections):
        return False
    return any(
        each.rdtype == dns.rdatatype.DNAME
        and records.name != each.name
        and records.name.is_subdomain(each.name)
        and records.name.relativize(each.name).concatenate(each[0].target) == records[0].target
        for each in sections
    )


def _called(records: dns.rrset.RRset) -> str:
    return f"{records.name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(records.rdtype)}"


def _zone(zone: dns.name.Name) -> str:
    return "the root" if zone == dns.name.root else zone.to_text(omit_final_dot=True)
