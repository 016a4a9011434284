"""DNS looks at a real name server, at ones that lie, and at ones that are not there."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.dns import KIND
from monitor.health.words import CheckImpact, Service
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import ResolverSettings
from tests.servers import name_server as lies
from tests.servers import peers
from tests.servers.knot import Knot, free_port, knot, make_key, zone_file
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.name_server import SERVFAIL, SILENT, Zone, name_server

RECORDS = """\
@ NS ns1
ns1 A 127.0.0.1
www A 192.0.2.10
www A 192.0.2.11
www AAAA 2001:db8::10
alias CNAME www
loop CNAME loop
@ MX 10 mail
@ TXT "v=spf1 mx " "-all"
@ CAA 0 issue "letsencrypt.org"
_sip._tcp SRV 1 2 5060 sip
_443._tcp TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
@ HTTPS 1 . alpn=h2
svc SVCB 1 www port=8443
host SSHFP 4 2 0000000000000000000000000000000000000000000000000000000000000000
nap NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .
10.2.0.192.in-addr PTR www
"""
KNOWN: dict[str, tuple[str, ...] | str] = {
    "one.test": ("192.0.2.1",),
    "two.test": ("192.0.2.1", "192.0.2.2"),
    "broken.test": SERVFAIL,
    "silent.test": SILENT,
    "reference.test": ("192.0.2.9",),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    with knot(
        tmp_path_factory.mktemp("knot") / "here", {"zone.test": zone_file("zone.test", RECORDS)}
    ) as running:
        yield running


def run(main: Callable[[], Coroutine[Any, Any, Observation]]) -> Observation:
    return uvloop.run(main())


def look(
    folder: Path, options: dict[str, Any], *servers: str, hosts: str = "", seconds: float = 10
) -> Observation:
    """Look once; `servers` are our own name servers."""

    async def main() -> Observation:
        settings = ResolverSettings(servers=servers)
        async with looker(folder, settings=settings, hosts=hosts) as looking:
            return await looking.look("dns", options, seconds=seconds)

    return run(main)


def look_at(folder: Path, zone: Zone, options: dict[str, Any], seconds: float = 2.0) -> Observation:
    """Ask a name server of a test itself."""

    async def main() -> Observation:
        async with name_server(zone), looker(folder) as looking:
            return await looking.look("dns", {"server": zone.server, **options}, seconds=seconds)

    return run(main)


def look_through(
    folder: Path, zone: Zone, options: dict[str, Any], *, reference: str | None = None, seconds: float = 2.0
) -> Observation:
    """Ask by our own name servers, of which this is the only one."""

    async def main() -> Observation:
        async with name_server(zone):
            settings = ResolverSettings(servers=(zone.server,), reference=reference)
            async with looker(folder, settings=settings) as looking:
                return await looking.look("dns", options, seconds=seconds)

    return run(main)


def repeated(folder: Path, line: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    return done.stdout + done.stderr


def verdict(seen: Observation) -> tuple[Outcome, Cause | None]:
    return seen.outcome, seen.cause


@pytest.mark.system("knotd")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "rdtype", "answers"),
    [
        ("www.zone.test", "A", ["192.0.2.11", "192.0.2.10"]),
        ("WWW.Zone.Test", "AAAA", "2001:DB8:0::10"),
        ("alias.zone.test", "A", ["192.0.2.10", "192.0.2.11"]),
        ("alias.zone.test", "CNAME", "www.zone.test"),
        ("zone.test", "MX", "10 MAIL.zone.test."),
        ("zone.test", "NS", "ns1.zone.test"),
        ("zone.test", "TXT", "v=spf1 mx -all"),
        ("zone.test", "SOA", "ns1.zone.test hostmaster.zone.test 1 3600 600 86400 300"),
        ("_sip._tcp.zone.test", "SRV", "1 2 5060 sip.zone.test"),
        ("10.2.0.192.in-addr.zone.test", "PTR", "www.zone.test"),
        ("zone.test", "CAA", '0 issue "letsencrypt.org"'),
        ("_443._tcp.zone.test", "TLSA", "3 1 1 " + "00" * 32),
        ("zone.test", "HTTPS", "1 . alpn=h2"),
        ("svc.zone.test", "SVCB", "1 www.zone.test port=8443"),
        ("host.zone.test", "SSHFP", "4 2 " + "00" * 32),
        ("nap.zone.test", "NAPTR", '1 1 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .'),
    ],
)
def test_every_type_of_record_is_compared(
    served: Knot, tmp_path: Path, name: str, rdtype: str, answers: object, transport: str
) -> None:
    options = {"query": name, "type": rdtype, "server": served.server, "transport": transport}
    seen = look(tmp_path, {**options, "expect": {"answers": answers}})
    assert verdict(seen) == (Outcome.OK, None), seen.found
    assert seen.address == served.server
    assert {measure.name for measure in seen.measures} == {"records", "ttl"}
    assert {"first_byte", "total"} <= set(seen.phases)


@pytest.mark.system("knotd")
@pytest.mark.parametrize(
    ("options", "cause", "found"),
    [
        ({"query": "www.zone.test", "expect": {"answers": ["192.0.2.10"]}}, Cause.CONTENT, "192.0.2.11"),
        ({"query": "www.zone.test", "expect": {"answers": []}}, Cause.CONTENT, "expected none"),
        ({"query": "www.zone.test", "type": "MX"}, Cause.NAME, "there is no MX record"),
        ({"query": "none.zone.test"}, Cause.NAME, "NXDOMAIN, expected NOERROR"),
        ({"query": "loop.zone.test"}, Cause.NAME, "no A record"),
        ({"query": "other.test"}, Cause.NAME, "REFUSED, expected NOERROR"),
        (
            {"query": "www.zone.test", "expect": {"ttl": {"min": "1h"}}},
            Cause.CONTENT,
            "is 5m, expected at least 1h",
        ),
        (
            {"query": "www.zone.test", "expect": {"ttl": {"max": "1m"}}},
            Cause.CONTENT,
            "is 5m, expected at most 1m",
        ),
        (
            {"query": "www.zone.test", "expect": {"rcode": "NXDOMAIN"}},
            Cause.NAME,
            "NOERROR, expected NXDOMAIN",
        ),
    ],
)
def test_what_is_not_as_expected_is_down(
    served: Knot, tmp_path: Path, options: dict[str, Any], cause: Cause, found: str
) -> None:
    seen = look(tmp_path, {"server": served.server, **options})
    assert verdict(seen) == (Outcome.DOWN, cause)
    assert found in seen.found
    assert seen.excerpt.split("\n")[0] in {"NOERROR", "NXDOMAIN", "REFUSED"}


@pytest.mark.system("knotd")
@pytest.mark.parametrize(
    "options",
    [
        {"query": "www.zone.test", "expect": {"answers": ["192.0.2.10"], "match": "subset"}},
        {"query": "none.zone.test", "expect": {"rcode": "NXDOMAIN"}},
        {"query": "www.zone.test", "type": "MX", "expect": {"answers": []}},
        {"query": "www.zone.test", "recursive": False},
        {"query": "www.zone.test", "expect": {"ttl": {"min": "5m", "max": "5m"}, "within": "1m"}},
        {"name": "www.zone.test"},
    ],
)
def test_what_is_expected_is_fine(served: Knot, tmp_path: Path, options: dict[str, Any]) -> None:
    seen = look(tmp_path, {"server": served.server, **options})
    assert verdict(seen) == (Outcome.OK, None), seen.found


@pytest.mark.system("knotd", "dig")
def test_a_server_that_was_stopped_refuses(tmp_path: Path) -> None:
    with knot(tmp_path / "knot", {"zone.test": zone_file("zone.test", RECORDS)}) as running:
        running.stop()
        for transport in ("udp", "tcp"):
            options = {"query": "www.zone.test", "server": running.server, "transport": transport}
            seen = look(tmp_path, options)
            assert verdict(seen) == (Outcome.DOWN, Cause.REFUSED)
            assert "refused" in repeated(tmp_path, seen.reproduce)


def test_a_long_answer_is_fetched_over_tcp(tmp_path: Path) -> None:
    seen = look_at(tmp_path, Zone(KNOWN, only_by_tcp=frozenset({"one.test"})), {"query": "one.test"})
    assert verdict(seen) == (Outcome.OK, None), seen.found
    assert "connect" in seen.phases


def test_an_answer_that_takes_long_is_a_warning(tmp_path: Path) -> None:
    options = {"query": "one.test", "expect": {"within": "100ms"}}
    seen = look_at(tmp_path, Zone(KNOWN, late=0.3), options, seconds=20)
    assert verdict(seen) == (Outcome.WARN, Cause.SLOW)


def test_a_server_that_is_asked_itself_and_keeps_silent_is_down(tmp_path: Path) -> None:
    seen = look_at(tmp_path, Zone(KNOWN), {"query": "silent.test"}, seconds=1)
    assert verdict(seen) == (Outcome.DOWN, Cause.TIMEOUT_FIRST_BYTE)
    assert seen.address == "127.0.0.1"


def test_a_question_that_gets_lost_is_sent_again(tmp_path: Path) -> None:
    zone = Zone(KNOWN)
    look_at(tmp_path, zone, {"query": "silent.test"}, seconds=1)
    assert zone.queries["silent.test"] == 3


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (lies.other_number, "an answer with another number"),
        (lies.other_question, "an answer to another question"),
        (lies.garbage, "a message that answers nothing"),
        (lies.no_answer, "a message that answers nothing"),
        (lies.torn, "an answer that cannot be read"),
        (lies.crowded, "an answer of more than 250 records"),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_that_answers_something_else_is_down(
    tmp_path: Path, lie: lies.Lie, found: str, transport: str
) -> None:
    options = {"query": "one.test", "transport": transport}
    seen = look_at(tmp_path, Zone(KNOWN, lie=lie), options, seconds=1)
    assert verdict(seen) == (Outcome.DOWN, Cause.PROTOCOL), seen.found
    assert found in seen.found


def test_what_a_stranger_sends_is_passed_over_for_the_true_answer(tmp_path: Path) -> None:
    """The first answer has another number; the question is sent again, and the second is right."""
    told: list[int] = []

    def once(question: Any, answer: Any) -> bytes:
        told.append(question.id)
        return lies.other_number(question, answer) if len(told) == 1 else answer.to_wire()

    seen = look_at(tmp_path, Zone(KNOWN, lie=once), {"query": "one.test"}, seconds=3)
    assert verdict(seen) == (Outcome.OK, None), seen.found
    assert len(told) == 2


async def huge(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Announce 64 KiB and send without end."""
    while True:
        await found.send(writer, b"\xff" * 65536)


async def short(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Announce more than comes, and hang up."""
    await reader.read(100)
    await found.send(writer, b"\x01\x00" + b"x" * 10)


async def drips(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One byte every tenth of a second, for ever."""
    while True:
        await found.send(writer, b"\x40")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        (peers.silent, Cause.TIMEOUT_FIRST_BYTE),
        (drips, Cause.TIMEOUT_TOTAL),
        (huge, Cause.PROTOCOL),
        (short, Cause.RESET),
        (peers.resets, Cause.RESET),
        (peers.other_protocol, Cause.RESET),
    ],
)
def test_a_hostile_server_over_tcp_does_not_hold_the_look(
    tmp_path: Path, behave: peers.Behaviour, cause: Cause
) -> None:
    async def main() -> Observation:
        async with peers.peer(behave) as found, looker(tmp_path) as looking:
            server = f"127.0.0.1:{found.port}"
            options = {"query": "one.test", "server": server, "transport": "tcp"}
            seen = await looking.look("dns", options, seconds=1.0)
            assert found.sent <= 16 * 1024 * 1024
            return seen

    began = time.monotonic()
    seen = run(main)
    assert verdict(seen) == (Outcome.DOWN, cause), seen.found
    assert not seen.found.startswith("not done within"), "the look ends by itself"
    assert time.monotonic() - began < 30


def test_a_server_is_named_or_numbered_with_or_without_a_port(tmp_path: Path) -> None:
    async def main() -> list[Outcome]:
        async with name_server(Zone(KNOWN)) as zone, looker(tmp_path) as looking:
            return [
                (await looking.look("dns", {"query": "one.test", **options})).outcome
                for options in (
                    {"server": f"ok.test:{zone.port}"},
                    {"server": "ok.test", "port": zone.port},
                    {"server": "127.0.0.1", "port": zone.port, "family": "ipv4"},
                )
            ]

    assert uvloop.run(main()) == [Outcome.OK] * 3


@pytest.mark.parametrize(
    ("zone", "options", "reference", "expected"),
    [
        (Zone(KNOWN), {"query": "one.test"}, None, (Outcome.OK, None)),
        (Zone(KNOWN), {"query": "none.test"}, None, (Outcome.DOWN, Cause.NAME)),
        (Zone(KNOWN), {"query": "none.test", "expect": {"rcode": "NXDOMAIN"}}, None, (Outcome.OK, None)),
        (Zone(KNOWN), {"query": "broken.test"}, "reference.test", (Outcome.DOWN, Cause.NAME)),
        (Zone(KNOWN), {"query": "silent.test"}, "reference.test", (Outcome.DOWN, Cause.TIMEOUT_NAME)),
        # Our own resolver's silence and failure are ours.
        (Zone(KNOWN), {"query": "silent.test"}, None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        (Zone(KNOWN), {"query": "broken.test"}, None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        (Zone(), {"query": "none.test"}, "reference.test", (Outcome.UNKNOWN, Cause.RESOLVER)),
        (Zone(KNOWN, lie=lies.other_number), {"query": "one.test"}, None, (Outcome.UNKNOWN, Cause.RESOLVER)),
    ],
)
def test_without_a_server_our_own_resolver_is_asked(
    tmp_path: Path,
    zone: Zone,
    options: dict[str, Any],
    reference: str | None,
    expected: tuple[Outcome, Cause | None],
) -> None:
    seen = look_through(tmp_path, Zone(zone.names, lie=zone.lie), options, reference=reference)
    assert verdict(seen) == expected, seen.found


def test_a_second_server_of_ours_helps_when_the_first_does_not(tmp_path: Path) -> None:
    async def main() -> list[Outcome]:
        outcomes = []
        async with name_server(Zone(KNOWN)) as good:
            for otherwise in (SILENT, SERVFAIL, "NXDOMAIN"):
                async with name_server(Zone(otherwise=otherwise)) as bad:
                    settings = ResolverSettings(servers=(bad.server, good.server))
                    async with looker(tmp_path, settings=settings) as looking:
                        outcomes.append((await looking.look("dns", {"query": "one.test"}, seconds=5)).outcome)
        return outcomes

    assert uvloop.run(main()) == [Outcome.OK] * 3


# The name servers of a zone.

CHILD = "@ NS ns1.child.test.\n@ NS ns2.child.test.\nns1 A 127.0.0.2\nns2 A 127.0.0.3\n"
PARENT = "@ NS ns.test.\nns A 127.0.0.4\n"
HOSTS = "127.0.0.2 ns1.child.test\n127.0.0.3 ns2.child.test\n127.0.0.4 ns.test\n"
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")


@pytest.mark.system("knotd")
@pytest.mark.parametrize(
    ("second", "expected", "found"),
    [
        (7, (Outcome.OK, None), ""),
        (
            6,
            (Outcome.DOWN, Cause.CONTENT),
            "6 at ns2.child.test (127.0.0.3); 7 at ns1.child.test (127.0.0.2)",
        ),
        (
            None,
            (Outcome.DOWN, Cause.NAME),
            "ns2.child.test (127.0.0.3) does not answer for child.test (REFUSED)",
        ),
        (0, (Outcome.DOWN, Cause.REFUSED), "ns2.child.test (127.0.0.3): the connection was refused"),
    ],
)
def test_all_name_servers_hold_the_same_version(
    tmp_path: Path, second: int | None, expected: tuple[Outcome, Cause | None], found: str
) -> None:
    port = free_port(ADDRESSES)
    other = {"other.test": zone_file("other.test", "")}
    zones = other if second is None else {"child.test": zone_file("child.test", CHILD, serial=second)}
    first = {"child.test": zone_file("child.test", CHILD, serial=7)}
    with (
        knot(tmp_path / "one", first, addresses=["127.0.0.2"], port=port) as one,
        knot(tmp_path / "two", zones, addresses=["127.0.0.3"], port=port) as two,
    ):
        if second == 0:
            two.stop()
        options = {"name": "child.test", "serial": True, "port": port}
        seen = look(tmp_path, options, one.server, hosts=HOSTS)
    assert verdict(seen) == expected, seen.found
    assert found in seen.found


@pytest.mark.system("knotd")
def test_a_name_server_without_an_address_is_down(tmp_path: Path) -> None:
    with knot(
        tmp_path / "one", {"child.test": zone_file("child.test", CHILD)}, addresses=["127.0.0.2"]
    ) as one:
        options = {"name": "child.test", "serial": True, "port": one.port}
        hosts = "127.0.0.2 ns1.child.test"
        # The name server knows the second address by itself; nobody listens there.
        seen = look(tmp_path, options, one.server, hosts=hosts)
        assert verdict(seen) == (Outcome.DOWN, Cause.REFUSED)
        gone = look(tmp_path, {**options, "family": "ipv6"}, one.server, hosts=hosts)
    assert verdict(gone) == (Outcome.DOWN, Cause.NAME)
    assert "it has no address" in gone.found


@pytest.mark.system("knotd")
@pytest.mark.parametrize(
    ("above", "expected", "found"),
    [
        ("child NS ns1.child\nchild NS ns2.child\n", (Outcome.OK, None), ""),
        (
            "child NS ns1.child\n",
            (Outcome.DOWN, Cause.CONTENT),
            "name servers of child.test by ns1.child.test (127.0.0.2), only in the zone: ns2.child.test",
        ),
        (
            "child NS ns1.child\nchild NS ns2.child\nchild NS ns.test.\n",
            (Outcome.DOWN, Cause.NAME),
            "ns.test (127.0.0.4) does not answer for child.test (NOERROR)",
        ),
        ("", (Outcome.DOWN, Cause.NAME), "test delegates child.test to nobody"),
    ],
)
def test_the_zone_above_names_the_same_servers(
    tmp_path: Path, above: str, expected: tuple[Outcome, Cause | None], found: str
) -> None:
    port = free_port(ADDRESSES)
    child = {"child.test": zone_file("child.test", CHILD)}
    parent = {"test": zone_file("test", PARENT + above)}
    with (
        knot(tmp_path / "child", child, addresses=ADDRESSES[:2], port=port) as low,
        knot(tmp_path / "parent", parent, addresses=ADDRESSES[2:], port=port) as high,
    ):
        options = {"name": "child.test", "delegation": True, "port": port}
        seen = look(tmp_path, options, low.server, high.server, hosts=HOSTS)
    assert verdict(seen) == expected, seen.found
    assert found in seen.found


# Signatures.


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Knot, str, str]]:
    """A Knot that signs two zones, the trust anchor of the upper, and one that fits nothing."""
    folder = tmp_path_factory.mktemp("knot") / "signed"
    below, above = make_key(folder, "signed.test"), make_key(folder, "test")
    make_key(folder, "lost.test")
    child = "@ NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.10\nalias CNAME www\n* A 192.0.2.77\n@ TXT hello\n"
    zones = {
        "test": zone_file(
            "test", f"@ NS ns1\nns1 A 127.0.0.1\nsigned NS ns1\nlost NS ns1\nplain NS ns1\n{below}\n"
        ),
        "signed.test": zone_file("signed.test", child),
        "lost.test": zone_file("lost.test", child),
        "plain.test": zone_file("plain.test", child),
    }
    with knot(folder, zones, signed=("test", "signed.test", "lost.test")) as running:
        wrong = above[:-8] + ("00000000" if above[-8:] != "00000000" else "11111111")
        yield running, above, wrong


@pytest.mark.system("knotd", "keymgr")
@pytest.mark.parametrize("by", ["resolver", "server"])
@pytest.mark.parametrize(
    ("query", "rdtype"),
    [
        ("www.signed.test", "A"),
        ("alias.signed.test", "A"),
        ("any.signed.test", "A"),
        ("signed.test", "TXT"),
        ("signed.test", "DNSKEY"),
        ("signed.test", "DS"),
        ("test", "SOA"),
    ],
)
def test_a_chain_that_holds_is_fine(
    signed: tuple[Knot, str, str], tmp_path: Path, query: str, rdtype: str, by: str
) -> None:
    running, anchor, _ = signed
    options = {"query": query, "type": rdtype, "dnssec": True, "anchor": anchor}
    options |= {"server": running.server} if by == "server" else {}
    seen = look(tmp_path, options, running.server)
    assert verdict(seen) == (Outcome.OK, None), seen.found


@pytest.mark.system("knotd", "keymgr")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("www.lost.test", "there is no DS record for lost.test"),
        ("www.plain.test", "www.plain.test A is not signed"),
    ],
)
def test_a_chain_that_breaks_is_down(
    signed: tuple[Knot, str, str], tmp_path: Path, query: str, found: str
) -> None:
    running, anchor, _ = signed
    seen = look(tmp_path, {"query": query, "dnssec": True, "anchor": [anchor]}, running.server)
    assert verdict(seen) == (Outcome.DOWN, Cause.DNSSEC)
    assert found in seen.found


@pytest.mark.system("knotd", "keymgr")
def test_an_anchor_that_fits_nothing_or_leads_nowhere_is_down(
    signed: tuple[Knot, str, str], tmp_path: Path
) -> None:
    running, _, wrong = signed
    options = {"query": "www.signed.test", "dnssec": True}
    misfit = look(tmp_path, {**options, "anchor": wrong}, running.server)
    assert (misfit.cause, misfit.found) == (
        Cause.DNSSEC,
        "test publishes none of the keys that are trusted from above",
    )
    elsewhere = look(tmp_path, {**options, "anchor": wrong.replace("test.", "org.", 1)}, running.server)
    assert (elsewhere.cause, elsewhere.found) == (Cause.DNSSEC, "no trust anchor leads to signed.test")


@pytest.mark.system("knotd", "keymgr")
def test_name_servers_of_ours_that_give_no_keys_of_the_root_are_our_own_trouble(
    signed: tuple[Knot, str, str], tmp_path: Path
) -> None:
    """Knot refuses the root; a forwarder that drops signatures looks alike: neither says anything about the zone."""
    running, *_ = signed
    seen = look(tmp_path, {"query": "www.signed.test", "dnssec": True}, running.server)
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.RESOLVER)


def test_signatures_that_our_name_servers_lose_are_no_fault_of_the_zone(tmp_path: Path) -> None:
    seen = look_through(
        tmp_path, Zone({"one.test": ("192.0.2.1",), ".": ()}), {"query": "one.test", "dnssec": True}
    )
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.OWN)
    assert "no keys of the root that hold" in seen.found


# The line that repeats a look.


@pytest.mark.system("knotd", "dig")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_line_to_repeat_it_sees_the_same(served: Knot, tmp_path: Path, transport: str) -> None:
    options = {"query": "www.zone.test", "server": served.server, "transport": transport}
    check = check_of(plan_of("dns", options))
    assert "192.0.2.11" in repeated(tmp_path, check.reproduce())
    down = look(tmp_path, {**options, "query": "none.zone.test"})
    assert "NXDOMAIN" in repeated(tmp_path, down.reproduce)
    through = look(tmp_path, {"query": "none.zone.test"}, served.server)
    assert "NXDOMAIN" in repeated(tmp_path, through.reproduce)


@pytest.mark.system("knotd", "keymgr", "delv")
@pytest.mark.parametrize(
    ("query", "right", "said"),
    [
        ("www.signed.test", True, "; fully validated"),
        ("www.signed.test", False, "no valid"),
        ("www.plain.test", True, "; unsigned answer"),
    ],
)
def test_the_line_to_repeat_it_follows_the_chain_as_well(
    signed: tuple[Knot, str, str], tmp_path: Path, query: str, right: bool, said: str
) -> None:
    running, anchor, wrong = signed
    options = {"query": query, "dnssec": True, "anchor": anchor if right else wrong, "server": running.server}
    seen = look(tmp_path, options)
    assert (seen.outcome is Outcome.OK) is (said == "; fully validated")
    assert said in repeated(tmp_path, check_of(plan_of("dns", options)).reproduce())


def test_the_line_to_repeat_it_asks_all_that_was_asked() -> None:
    options = {"name": "child.test", "serial": True, "delegation": True, "dnssec": True}
    line = check_of(plan_of("dns", options)).reproduce()
    assert [part.split(" ")[0] for part in line.split("; ")] == ["dig", "dig", "dig", "delv"]
    assert "child.test NS" in line
    assert "+nssearch child.test" in line
    assert "+trace" in line


# Options.


@pytest.mark.parametrize(
    ("given", "query", "rdtype"),
    [
        ({"name": "nodored.test"}, "nodored.test", "A"),
        ({"name": "mx", "type": "MX"}, "gye1.test", "MX"),
        ({"name": "mx", "query": "_dmarc.nodored.test", "type": "TXT"}, "_dmarc.nodored.test", "TXT"),
        ({}, "gye1.test", "A"),
        ({"serial": True}, "gye1.test", "SOA"),
        ({"delegation": True}, "gye1.test", "NS"),
        ({"query": "192.0.2.1", "type": "PTR"}, "192.0.2.1", "PTR"),
        ({"query": "año.test"}, "año.test", "A"),
    ],
)
def test_the_name_is_the_checks_own_or_the_hosts(given: dict[str, Any], query: str, rdtype: str) -> None:
    options = KIND.options.model_validate(KIND.complete(given, "gye1.test"))
    assert (options.query, options.type) == (query, rdtype)  # type: ignore[attr-defined]
    assert KIND.service(options) is Service.NAMES
    assert KIND.impact is CheckImpact.OUTAGE


def test_an_address_is_asked_for_in_the_reverse_tree() -> None:
    check = check_of(plan_of("dns", {"query": "2001:db8::1", "type": "PTR"}))
    assert "1.0.0.0" in check.reproduce()
    assert "8.b.d.0.1.0.0.2.ip6.arpa PTR" in check.reproduce()


def test_a_secret_stays_a_reference() -> None:
    check = check_of(plan_of("dns", {"query": "${ZONE}.test", "type": "TXT"}))
    assert '"${ZONE}.test" TXT' in check.reproduce()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"query": "192.0.2.1"}, "which is an address; only the type PTR"),
        ({"query": "a..test"}, "expected a name of the DNS"),
        ({"query": "a" * 64 + ".test"}, "expected a name of the DNS"),
        ({"query": "a.test", "type": "AXFR"}, "Input should be 'A'"),
        ({"query": "a.test", "expect": {"answers": ["192.0.2.300"]}}, "expected a record of the type A"),
        (
            {"query": "a.test", "type": "MX", "expect": {"answers": ["mail.test"]}},
            "expected a record of the type MX",
        ),
        ({"query": "a.test", "expect": {"answers": [3]}}, "expected a text"),
        ({"query": "a.test", "server": "https://dns.test/"}, "expected a host and a port"),
        ({"query": "a.test", "server": "192.0.2.1:0"}, "expected a host and a port"),
        ({"query": "a.test", "transport": "tcp"}, "are for a name server"),
        ({"query": "a.test", "recursive": False}, "are for a name server"),
        ({"query": "a.test", "dnssec": True, "expect": {"rcode": "NXDOMAIN"}}, "dnssec judges records"),
        ({"query": "a.test", "dnssec": True, "expect": {"answers": []}}, "dnssec judges records"),
        ({"query": "a.test", "dnssec": True, "anchor": "a.test A 192.0.2.1"}, "expected a trust anchor"),
        ({"query": "a.test", "dnssec": True, "anchor": "a.test DS 1 13 2 xyz"}, "expected a trust anchor"),
        ({"query": "a.test", "anchor": "a.test DS 1 13 2 " + "00" * 32}, "with dnssec: true"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        KIND.options.model_validate(KIND.complete(given, ""))
    assert sentence in str(raised.value)
