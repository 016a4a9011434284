"""Block lists on a name server of the test: listed, dead, refusing, listing the world, silent."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.blocklist import DEFAULT_LISTS, KIND, BlockList, read, reversed_name
from monitor.health.words import CheckImpact, Service
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import ResolverSettings
from tests.servers.knot import knot, zone_file
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.name_server import SERVFAIL, SILENT, Zone, name_server

V4, V6 = "192.0.2.10", "2001:db8::10"
V6_NIBBLES = "0.1.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2"
ALIVE = {"2.0.0.127.good.test": ("127.0.0.2",), "2.0.0.127.other.test": ("127.0.0.2",)}
LISTED = {"10.2.0.192.good.test": ("127.0.0.4",)}


def look(
    folder: Path, zone: Zone, options: dict[str, Any], *, by_server: bool = False, seconds: float = 3
) -> Observation:
    async def main() -> Observation:
        async with name_server(zone):
            settings = ResolverSettings(servers=(zone.server,))
            hosts = f"{V4} www.test\n10.0.0.1 inside.test"
            async with looker(folder, settings=settings, hosts=hosts) as looking:
                given = {"addresses": V4, "lists": ["good.test", "other.test"], **options}
                given |= {"server": zone.server} if by_server else {}
                return await looking.look("blocklist", given, seconds=seconds)

    return uvloop.run(main())


def verdict(seen: Observation) -> tuple[Outcome, Cause | None]:
    return seen.outcome, seen.cause


@pytest.mark.parametrize("by_server", [False, True])
def test_an_address_that_is_on_no_list_is_fine(tmp_path: Path, by_server: bool) -> None:
    seen = look(tmp_path, Zone(ALIVE), {}, by_server=by_server)
    assert (verdict(seen), seen.found) == ((Outcome.OK, None), "")
    assert {measure.name: measure.value for measure in seen.measures} == {
        "listings": 0,
        "lists": 2,
        "lists_without_answer": 0,
    }


@pytest.mark.parametrize("by_server", [False, True])
def test_an_address_that_is_on_a_list_is_down_with_the_reason(tmp_path: Path, by_server: bool) -> None:
    zone = Zone(ALIVE | LISTED, texts={"10.2.0.192.good.test": ("https://good.test/why?ip=192.0.2.10",)})
    seen = look(tmp_path, zone, {}, by_server=by_server)
    assert verdict(seen) == (Outcome.DOWN, Cause.LISTED)
    assert seen.found == "192.0.2.10 on good.test (127.0.0.4)"
    assert seen.address == V4
    assert seen.excerpt == "192.0.2.10 on good.test (127.0.0.4): https://good.test/why?ip=192.0.2.10"


def test_both_families_are_asked_in_their_own_writing(tmp_path: Path) -> None:
    zone = Zone(ALIVE | {f"{V6_NIBBLES}.other.test": ("127.0.0.2",)})
    seen = look(tmp_path, zone, {"addresses": ["www.test", V6, V4]})
    assert (verdict(seen), seen.address) == ((Outcome.DOWN, Cause.LISTED), V6)
    assert zone.queries["10.2.0.192.other.test"] == 1
    assert zone.queries[f"{V6_NIBBLES}.good.test"] == 1


@pytest.mark.parametrize(
    "code", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "192.0.2.99"]
)
def test_an_answer_that_says_no_to_us_is_no_listing(tmp_path: Path, code: str) -> None:
    """Spamhaus answers so when asked by an open resolver or too often; a parked domain answers with its web server."""
    seen = look(tmp_path, Zone(ALIVE | {"10.2.0.192.good.test": (code,)}), {})
    assert verdict(seen) == (Outcome.OK, None)
    assert seen.found == f"good.test: it answers {code}"


def test_only_codes_that_count_make_a_listing(tmp_path: Path) -> None:
    zone = {"10.2.0.192.good.test": ("127.0.0.11", "127.0.0.4")}
    for codes, outcome, found in (
        (["127.0.0.2"], Outcome.OK, ""),
        (["127.0.0.2", "127.0.0.4"], Outcome.DOWN, "192.0.2.10 on good.test (127.0.0.4)"),
        (["127.0.0.8/29"], Outcome.DOWN, "192.0.2.10 on good.test (127.0.0.11)"),
        ([], Outcome.DOWN, "192.0.2.10 on good.test (127.0.0.11, 127.0.0.4)"),
    ):
        seen = look(tmp_path, Zone(ALIVE | zone), {"lists": [{"zone": "good.test", "codes": codes}]})
        assert (seen.outcome, seen.found) == (outcome, found)


@pytest.mark.parametrize(
    ("told", "trouble"),
    [
        ({"10.2.0.192.dead.test": ("127.0.0.2",)}, "not even its test entry is on it"),
        ({}, "not even its test entry is on it"),
        (
            {f"{name}.dead.test": ("127.0.0.2",) for name in ("2.0.0.127", "1.0.0.127", "10.2.0.192")},
            "it lists everything",
        ),
        ({f"{name}.dead.test": SERVFAIL for name in ("2.0.0.127", "10.2.0.192")}, "no answer"),
        ({f"{name}.dead.test": SILENT for name in ("2.0.0.127", "10.2.0.192")}, "no answer"),
        ({"2.0.0.127.dead.test": ("127.0.0.2",), "10.2.0.192.dead.test": SILENT}, "no answer"),
        (
            {
                "2.0.0.127.dead.test": ("127.0.0.2",),
                "10.2.0.192.dead.test": ("127.0.0.2",),
                "1.0.0.127.dead.test": SILENT,
            },
            "no answer",
        ),
    ],
)
def test_a_list_whose_word_does_not_count_is_named_and_the_others_judge(
    tmp_path: Path, told: dict[str, tuple[str, ...] | str], trouble: str
) -> None:
    seen = look(tmp_path, Zone({**ALIVE, **told}), {"lists": ["dead.test", "good.test"]})
    assert (verdict(seen), seen.found) == ((Outcome.OK, None), f"dead.test: {trouble}")
    both = look(tmp_path, Zone({**ALIVE, **LISTED, **told}), {"lists": ["dead.test", "good.test"]})
    assert (verdict(both), both.found) == (
        (Outcome.DOWN, Cause.LISTED),
        f"192.0.2.10 on good.test (127.0.0.4); dead.test: {trouble}",
    )
    alone = look(tmp_path, Zone({**ALIVE, **told}), {"lists": ["dead.test"]})
    assert verdict(alone) == (Outcome.UNKNOWN, Cause.OWN)
    assert f"dead.test: {trouble}" in alone.found


def test_a_name_server_of_ours_that_denies_everything_is_no_clean_bill(tmp_path: Path) -> None:
    assert verdict(look(tmp_path, Zone(), {})) == (Outcome.UNKNOWN, Cause.OWN)


def test_a_server_of_ones_own_that_keeps_silent_is_our_trouble(tmp_path: Path) -> None:
    seen = look(tmp_path, Zone(otherwise=SILENT), {}, by_server=True, seconds=1)
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.OWN)


def test_a_name_that_leads_inside_is_our_trouble(tmp_path: Path) -> None:
    seen = look(tmp_path, Zone(ALIVE), {"addresses": "inside.test"})
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.OWN)
    assert "10.0.0.1 is no public address (private)" in seen.found


def test_a_name_that_does_not_exist_is_down(tmp_path: Path) -> None:
    assert verdict(look(tmp_path, Zone(ALIVE), {"addresses": "gone.test"})) == (Outcome.DOWN, Cause.NAME)


@pytest.mark.system("knotd", "dig")
def test_the_line_to_repeat_it_sees_the_same(tmp_path: Path) -> None:
    listing = "2.0.0.127 A 127.0.0.2\n10.2.0.192 A 127.0.0.4\n10.2.0.192 TXT why\n"
    with knot(
        tmp_path / "knot", {"good.test": zone_file("good.test", f"@ NS ns\nns A 127.0.0.1\n{listing}")}
    ) as running:
        for address, outcome in ((V4, Outcome.DOWN), ("192.0.2.11", Outcome.OK)):
            options = {"addresses": [address], "lists": ["good.test"], "server": running.server}

            async def main(options: dict[str, Any] = options) -> Observation:
                async with looker(tmp_path) as looking:
                    return await looking.look("blocklist", options)

            seen = uvloop.run(main())
            assert seen.outcome is outcome, seen.found
            line = seen.reproduce or check_of(plan_of("blocklist", options)).reproduce()
            done = subprocess.run(
                ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=True
            )
            assert ("127.0.0.4" in done.stdout) is (outcome is Outcome.DOWN)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.10", "10.2.0.192"),
        ("127.0.0.2", "2.0.0.127"),
        (V6, V6_NIBBLES),
        # An IPv4 address in IPv6 clothes is what it is.
        ("::FFFF:C000:20A", "10.2.0.192"),
    ],
)
def test_addresses_are_written_backwards(address: str, name: str) -> None:
    assert reversed_name(address) == name


def test_words_that_are_no_addresses_are_passed_over() -> None:
    assert read(BlockList(zone="good.test"), V4, ("nonsense",)).codes == ()


def test_alone_it_asks_the_usual_lists_about_the_servers_host() -> None:
    options = KIND.options.model_validate(KIND.complete({}, V4))
    assert [one.zone for one in options.lists] == list(DEFAULT_LISTS)  # type: ignore[attr-defined]
    assert options.addresses == [V4]  # type: ignore[attr-defined]
    assert KIND.service(options) is Service.MAIL
    assert KIND.impact is CheckImpact.DEGRADED


def test_a_key_in_the_name_of_a_list_is_never_shown() -> None:
    options = {"addresses": V4, "lists": ["${DQS_KEY}.zen.dq.spamhaus.test"]}
    assert '"${DQS_KEY}.zen.dq.spamhaus.test"' in check_of(plan_of("blocklist", options)).reproduce()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"addresses": "10.0.0.1"}, '"10.0.0.1", an address of the range private'),
        ({"addresses": ["192.0.2.1", "127.0.0.1"]}, '"127.0.0.1", an address of the range loopback'),
        ({"addresses": "fe80::1"}, "of the range link-local"),
        ({"addresses": "::ffff:10.0.0.1"}, "of the range private"),
        ({"addresses": "fd00::1"}, "of the range private"),
        ({"addresses": "100.64.1.1"}, "of the range shared"),
        ({"addresses": []}, "at least 1 item"),
        ({"lists": []}, "at least 1 item"),
        ({"lists": ["https://zen.spamhaus.org"]}, "expected a name or an address"),
        ({"lists": ["192.0.2.1"]}, "expected a name of the DNS"),
        ({"lists": [{"zone": "a.test", "codes": ["192.0.2.1"]}]}, "expected an answer of a block list"),
        ({"lists": [{"zone": "a.test", "codes": ["all"]}]}, "expected an answer of a block list"),
        ({"server": "192.0.2.1:x"}, "expected a host and a port"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        KIND.options.model_validate(KIND.complete(given, V4))
    assert sentence in str(raised.value)


def test_hundreds_of_questions_are_asked_at_once_and_end_in_time(tmp_path: Path) -> None:
    """Sixteen addresses on forty lists, half of which keep silent."""
    lists = [f"list{number}.test" for number in range(40)]
    known: dict[str, tuple[str, ...] | str] = {f"2.0.0.127.{name}": ("127.0.0.2",) for name in lists[::2]}
    known |= {f"{number}.2.0.192.{name}": () for number in range(1, 17) for name in lists[::2]}
    addresses = [f"192.0.2.{number}" for number in range(1, 17)]

    async def main() -> Observation:
        async with name_server(Zone(known, otherwise=SILENT)) as zone, looker(tmp_path) as looking:
            options = {"addresses": addresses, "lists": lists, "server": zone.server}
            return await asyncio.wait_for(looking.look("blocklist", options, seconds=20), 60)

    seen = uvloop.run(main())
    assert seen.outcome is Outcome.OK, seen.found
    assert {measure.name: measure.value for measure in seen.measures}["lists_without_answer"] == 20
