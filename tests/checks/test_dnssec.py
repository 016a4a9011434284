"""Chains of trust over zones that are signed in memory: every link is broken once, and time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from monitor.checks.contract import OwnFaultError
from monitor.checks.names.dnssec import ROOT, Anchor, BogusError, Chain, Signed, read_anchor, warned
from monitor.checks.questions import Answers
from monitor.observation import Cause, Outcome

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(slots=True)
class Key:
    """A key of a zone and what is signed by it."""

    zone: str
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def record(self) -> DNSKEY:
        algorithm = (
            Algorithm.ED25519
            if isinstance(self.private, ed25519.Ed25519PrivateKey)
            else Algorithm.ECDSAP256SHA256
        )
        return dns.dnssec.make_dnskey(self.private.public_key(), algorithm, flags=257)

    def sign(
        self, records: dns.rrset.RRset, made: timedelta = DAY, lasts: timedelta = 14 * DAY
    ) -> dns.rrset.RRset:
        signature = dns.dnssec.sign(
            records,
            self.private,
            dns.name.from_text(self.zone),
            self.record,
            inception=NOW - made,
            expiration=NOW - made + lasts,
            verify=False,
        )
        return dns.rrset.from_rdata(records.name, records.ttl, signature)


def records(name: str, rdtype: str, *texts: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 300, "IN", rdtype, *texts)


def keys(key: Key) -> dns.rrset.RRset:
    return dns.rrset.from_rdata(dns.name.from_text(key.zone), 300, key.record)


def digest(key: Key) -> dns.rrset.RRset:
    made = dns.dnssec.make_ds(dns.name.from_text(key.zone), key.record, "SHA256")
    return dns.rrset.from_rdata(dns.name.from_text(key.zone), 300, made)


class World:
    """A root, a zone below it and one below that; what each question is answered with can be changed."""

    def __init__(self) -> None:
        self.root, self.middle, self.low = (
            Key("."),
            Key("test."),
            Key("signed.test.", ed25519.Ed25519PrivateKey.generate()),
        )
        self.stranger = Key("signed.test.")
        self.said: dict[tuple[str, str], list[dns.rrset.RRset]] = {}
        for key in (self.root, self.middle, self.low):
            self.say(keys(key), key)
        self.say(digest(self.middle), self.root)
        self.say(digest(self.low), self.middle)
        self.say(records("www.signed.test.", "A", "192.0.2.1"), self.low)
        self.asked: list[tuple[str, str]] = []

    def say(self, told: dns.rrset.RRset, by: Key, **times: timedelta) -> None:
        self.said[told.name.to_text(), dns.rdatatype.to_text(told.rdtype)] = [told, by.sign(told, **times)]

    async def ask(self, name: str, rdtype: str) -> Answers:
        self.asked.append((name, rdtype))
        return answers(name, rdtype, self.said.get((name, rdtype), []))

    def chain(self, anchors: tuple[Anchor, ...] | None = None, now: datetime = NOW) -> Chain:
        trusted = (Anchor(dns.name.root, digest(self.root)[0]),) if anchors is None else anchors
        return Chain(ask=self.ask, now=now, anchors=trusted)

    def verify(
        self, name: str = "www.signed.test.", rdtype: str = "A", **chain: object
    ) -> tuple[Signed, ...]:
        async def main() -> tuple[Signed, ...]:
            return await self.chain(**chain).verify(await self.ask(name, rdtype))  # type: ignore[arg-type]

        return asyncio.run(main())

    def fault(self, **chain: object) -> str:
        with pytest.raises(BogusError) as raised:
            self.verify(**chain)
        return str(raised.value)


def answers(name: str, rdtype: str, sections: Iterable[dns.rrset.RRset]) -> Answers:
    message = dns.message.make_response(dns.message.make_query(name, rdtype))
    message.answer = list(sections)
    read = dns.message.from_wire(message.to_wire())
    assert isinstance(read, dns.message.QueryMessage)
    return Answers(message=read, address="192.0.2.53")


def test_a_chain_from_the_root_holds_and_asks_each_link_once() -> None:
    world = World()
    links = world.verify()
    assert [link.records.rdtype for link in links] == [dns.rdatatype.A, dns.rdatatype.DNSKEY]
    assert len(world.asked) == len(set(world.asked)) == 6


def test_an_anchor_may_be_a_key_itself_or_lie_further_down() -> None:
    world = World()
    assert world.verify(anchors=(read_anchor(f". DNSKEY {world.root.record}"),))
    assert world.verify(anchors=(read_anchor(f"signed.test. 300 IN DNSKEY {world.low.record}"),))
    assert world.verify(anchors=(read_anchor(f"signed.test DS {digest(world.low)[0]}"),))


def forged(world: World) -> None:
    told, signature = world.said["www.signed.test.", "A"]
    world.said["www.signed.test.", "A"] = [records("www.signed.test.", "A", "192.0.2.66"), signature]
    assert told


def strangers_keys(world: World) -> None:
    both = keys(world.low)
    both.add(world.stranger.record)
    world.say(both, world.stranger)
    world.say(records("www.signed.test.", "A", "192.0.2.66"), world.stranger)


def without_signature(world: World) -> None:
    world.said["www.signed.test.", "A"] = world.said["www.signed.test.", "A"][:1]


def without_digest(world: World) -> None:
    del world.said["signed.test.", "DS"]


def digest_by_itself(world: World) -> None:
    world.say(digest(world.stranger), world.stranger)
    world.say(keys(world.stranger), world.stranger)
    world.say(records("www.signed.test.", "A", "192.0.2.66"), world.stranger)


def signed_by_a_sibling(world: World) -> None:
    other = Key("other.test.")
    world.say(keys(other), other)
    world.say(digest(other), world.middle)
    told = records("www.signed.test.", "A", "192.0.2.66")
    world.said["www.signed.test.", "A"] = [told, other.sign(told)]


def without_keys(world: World) -> None:
    del world.said["signed.test.", "DNSKEY"]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (forged, "www.signed.test A: the signature does not fit"),
        (strangers_keys, "signed.test DNSKEY: it is signed by no key that is trusted"),
        (without_signature, "www.signed.test A is not signed"),
        (without_digest, "there is no DS record for signed.test: nothing above vouches for its keys"),
        (digest_by_itself, "signed.test DS is not signed"),
        (signed_by_a_sibling, "www.signed.test A is not signed"),
        (without_keys, "signed.test publishes no key"),
    ],
)
def test_every_broken_link_is_told(spoil: Callable[[World], None], found: str) -> None:
    world = World()
    spoil(world)
    assert world.fault() == found


@pytest.mark.parametrize(
    ("name", "rdtype"),
    [("www.signed.test.", "A"), ("signed.test.", "DNSKEY"), ("signed.test.", "DS"), ("test.", "DNSKEY")],
)
def test_every_signature_is_held_to_the_clock(name: str, rdtype: str) -> None:
    by = {("www.signed.test.", "A"): "low", ("signed.test.", "DNSKEY"): "low"}.get((name, rdtype), "middle")
    for lasts, made, reason in (
        (DAY, 2 * DAY, "the signature has expired"),
        (14 * DAY, -DAY, "the signature is not valid yet"),
    ):
        world = World()
        world.say(world.said[name, rdtype][0], getattr(world, by), made=made, lasts=lasts)
        assert reason in world.fault()


def test_one_good_signature_among_bad_ones_is_enough() -> None:
    world = World()
    told, signature = world.said["www.signed.test.", "A"]
    old = world.low.sign(told, made=20 * DAY, lasts=DAY)
    foreign = world.stranger.sign(told)
    both = dns.rrset.from_rdata_list(told.name, 300, [old[0], foreign[0], signature[0]])
    world.said["www.signed.test.", "A"] = [told, both]
    assert world.verify()[0].signature == signature[0]


def test_an_alias_is_followed_into_another_signed_zone() -> None:
    world = World()
    alias = records("alias.test.", "CNAME", "www.signed.test.")
    world.said["alias.test.", "A"] = [
        alias,
        world.middle.sign(alias),
        *world.said["www.signed.test.", "A"],
    ]
    assert world.verify("alias.test.")
    world.said["alias.test.", "A"] = [alias, *world.said["www.signed.test.", "A"]]
    with pytest.raises(BogusError, match=r"alias\.test CNAME is not signed"):
        world.verify("alias.test.")


def test_the_alias_that_a_server_makes_of_a_dname_needs_no_signature() -> None:
    world = World()
    dname = records("old.test.", "DNAME", "signed.test.")
    made = records("www.old.test.", "CNAME", "www.signed.test.")
    signed = [dname, world.middle.sign(dname), made, *world.said["www.signed.test.", "A"]]
    world.said["www.old.test.", "A"] = signed
    assert world.verify("www.old.test.")
    astray = records("www.old.test.", "CNAME", "evil.signed.test.")
    world.said["www.old.test.", "A"] = [*signed[:2], astray]
    with pytest.raises(BogusError, match="not signed"):
        world.verify("www.old.test.")


def test_many_keys_of_one_number_and_many_signatures_cost_no_time() -> None:
    """Who is made to try each key with each signature (CVE-2023-50387) tries for minutes."""
    world = World()
    told, signature = world.said["www.signed.test.", "A"]
    text = signature[0].to_text().split()
    wrong = [
        dns.rdata.from_text("IN", "RRSIG", " ".join([*text[:4], str(1_800_000_000 + index), *text[5:]]))
        for index in range(200)
    ]
    world.said["www.signed.test.", "A"] = [told, dns.rrset.from_rdata_list(told.name, 300, wrong)]
    assert "the signature does not fit" in world.fault()


def test_the_keys_of_the_root_that_iana_published_are_built_in() -> None:
    assert [anchor.record.key_tag for anchor in ROOT] == [20326, 38696]  # type: ignore[union-attr]


def test_a_root_that_does_not_fit_what_iana_published_is_our_own_trouble() -> None:
    world = World()
    with pytest.raises(OwnFaultError, match="no keys of the root that hold"):
        world.verify(anchors=ROOT)


def test_no_signature_at_all_is_our_own_trouble_when_the_root_has_none_either() -> None:
    world = World()
    without_signature(world)
    del world.said[".", "DNSKEY"]
    with pytest.raises(OwnFaultError, match="no keys of the root that hold"):
        world.verify(anchors=ROOT)


@pytest.mark.parametrize(
    ("lasts", "made", "warn", "warns"),
    [
        # A signature of fourteen days of which eleven and more are gone.
        (14 * DAY, 12 * DAY, 3 * DAY, True),
        (14 * DAY, 10 * DAY, 3 * DAY, False),
        (14 * DAY, 12 * DAY, DAY, False),
        # Who signs for two days at a time has always less than three left.
        (2 * DAY, DAY, 3 * DAY, False),
        (2 * DAY, 1.8 * DAY, 3 * DAY, True),
    ],
)
@pytest.mark.parametrize("what", [("www.signed.test.", "A"), ("signed.test.", "DNSKEY")])
def test_a_signature_near_its_end_is_a_warning(
    what: tuple[str, str], lasts: timedelta, made: timedelta, warn: timedelta, warns: bool
) -> None:
    world = World()
    world.say(world.said[what][0], world.low, made=made, lasts=lasts)
    look = warned(world.verify(), warn, NOW)
    assert (look is not None) is warns
    if look is not None:
        assert (look.outcome, look.cause) == (Outcome.WARN, Cause.DNSSEC)
        assert look.found.startswith(f"the signature of {what[0].rstrip('.')} {what[1]} ends on 2026-11-2")


def test_signatures_of_zones_above_are_not_the_zones_to_warn_of() -> None:
    world = World()
    world.say(digest(world.low), world.middle, made=13 * DAY)
    assert warned(world.verify(), 3 * DAY, NOW) is None
