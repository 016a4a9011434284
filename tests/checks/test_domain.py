"""Registrations at registries of the test: dates, statuses, failures, and how seldom they are asked."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from monitor.checks.contract import Look
from monitor.checks.domain import KIND, Known, from_memory, judge, to_memory
from monitor.checks.names.registration import (
    UNREGISTERED,
    NoRegistrationError,
    Registration,
    read_bootstrap,
    read_date,
    read_rdap,
    read_referral,
    read_whois,
)
from monitor.checks.names.registries import pause_of
from monitor.health.words import CheckImpact, Service
from monitor.observation import Cause, Outcome, sound_memory
from tests.servers import peers, registries
from tests.servers.looking import check_of, looker, plan_of
from tests.servers.registries import Registry, bootstrap, rdap, registry

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENDS = datetime(2027, 8, 13, 4, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Nobody listens there, and the system gives it to nobody.
NOBODY = "127.0.0.1:1"


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


class Watch:
    """One check that looks again and again, with a clock that a test moves and the memory that a prober would keep."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.now = NOW
        self.memory: Mapping[str, str] = {}
        self._folder = folder
        self._options = {"domain": "nodored.test", **options}

    async def look(self, after: timedelta = timedelta(0), *, seconds: float = 5) -> Look:
        self.now += after
        check = check_of(plan_of("domain", self._options))
        async with looker(self._folder) as looking:
            tools = replace(looking.tools, now=lambda: self.now, memory=self.memory)
            look = await check.look(tools, asyncio.get_running_loop().time() + seconds)
        if look.remember is not None:
            # As the prober does: what does not fit is not kept.
            self.memory = sound_memory(look.remember)
            assert self.memory == look.remember
        return look


def look(folder: Path, known: Registry, **options: Any) -> Look:
    """Look once at a registry, by RDAP unless the options say otherwise."""

    async def main() -> Look:
        async with registry(known):
            defaults = {"rdap": known.base, "whois": known.whois_server}
            return await Watch(folder, {**defaults, **options}).look()

    return uvloop.run(main())


def verdict(seen: Look) -> tuple[Outcome, Cause | None]:
    return seen.outcome, seen.cause


@pytest.mark.parametrize(
    ("ends", "statuses", "expected", "found"),
    [
        ("2027-08-13T04:00:00Z", (), (Outcome.OK, None), "registered until 2027-08-13"),
        (
            "2026-12-12T12:00:00Z",
            (),
            (Outcome.WARN, Cause.DOMAIN_ENDING),
            "the registration ends in 20 days, on 2026-12-12",
        ),
        (
            "2026-11-22T11:59:59Z",
            (),
            (Outcome.DOWN, Cause.DOMAIN_ENDING),
            "the registration ended on 2026-11-22",
        ),
        (
            "2027-08-13T04:00:00Z",
            ("redemption period",),
            (Outcome.DOWN, Cause.DOMAIN_ENDING),
            "the registry gives the status redemptionperiod",
        ),
        (
            "2027-08-13T04:00:00Z",
            ("active", "pending delete"),
            (Outcome.DOWN, Cause.DOMAIN_ENDING),
            "the registry gives the status pendingdelete",
        ),
        (
            "2027-08-13T04:00:00Z",
            ("client hold",),
            (Outcome.DOWN, Cause.DOMAIN_ENDING),
            "the registry gives the status clienthold",
        ),
        (
            "2027-08-13T04:00:00Z",
            ("server hold",),
            (Outcome.DOWN, Cause.DOMAIN_ENDING),
            "the registry gives the status serverhold",
        ),
        ("2027-08-13T04:00:00Z", ("auto renew period",), (Outcome.OK, None), "registered until 2027-08-13"),
    ],
)
def test_rdap_tells_when_it_ends_and_whether_it_is_ending(
    tmp_path: Path, ends: str, statuses: tuple[str, ...], expected: tuple[Outcome, Cause | None], found: str
) -> None:
    known = Registry()
    known.told("nodored.test", rdap("nodored.test", ends, *statuses))
    seen = look(tmp_path, known)
    assert (verdict(seen), seen.found) == (expected, found)
    assert known.asked == ["/domain/nodored.test"]
    assert known.queries == []
    assert seen.address == "127.0.0.1"
    assert {"name", "connect", "first_byte", "total"} <= set(seen.phases)
    assert seen.measures[0].value == (datetime.fromisoformat(ends) - NOW).total_seconds()


def test_a_domain_that_the_registry_does_not_know_is_down(tmp_path: Path) -> None:
    seen = look(tmp_path, Registry())
    assert (verdict(seen), seen.found) == (
        (Outcome.DOWN, Cause.DOMAIN_ENDING),
        "the domain is not registered",
    )


def test_a_name_in_other_letters_is_asked_for_as_it_travels(tmp_path: Path) -> None:
    known = Registry()
    known.told("xn--ao-zja.test", rdap("xn--ao-zja.test"))
    assert look(tmp_path, known, domain="Año.test").outcome is Outcome.OK


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (registries.VERISIGN.replace("{NAME}", "NODORED.TEST"), "2027-08-13 04:00:00"),
        (registries.NOMINET, "2027-08-13 23:59:59"),
        (registries.REGISTRO_BR, "2027-08-13 23:59:59"),
        (registries.CCTLD_RU, "2027-08-13 21:00:00"),
        (registries.JPRS, "2027-08-31 23:59:59"),
        (registries.FICORA, "2027-08-13 14:00:00"),
        (registries.NASK, "2027-08-13 12:00:00"),
        (registries.TWNIC, "2027-08-13 23:59:59"),
        (registries.TRABIS, "2027-08-22 23:59:59"),
        (registries.ISNIC, "2027-08-06 23:59:59"),
        (registries.NIC_SPANISH, "2027-08-13 23:59:59"),
    ],
)
def test_whois_answers_of_every_shape_are_read(tmp_path: Path, text: str, ends: str) -> None:
    told = read_whois(text, "nodored.test")
    assert (told.registered, told.ends_at) == (True, at(ends))
    assert (
        look(tmp_path, Registry(whois=text), rdap=f"http://{NOBODY}").found == f"registered until {ends[:10]}"
    )


@pytest.mark.parametrize("name", registries.UNREGISTERED)
def test_whois_says_in_many_words_that_nobody_has_it(tmp_path: Path, name: str) -> None:
    seen = look(tmp_path, Registry(whois=registries.UNREGISTERED[name]), rdap=f"http://{NOBODY}")
    assert (verdict(seen), seen.found) == (
        (Outcome.DOWN, Cause.DOMAIN_ENDING),
        "the domain is not registered",
    )


def test_a_registry_that_says_no_date_leaves_its_statuses(tmp_path: Path) -> None:
    seen = look(tmp_path, Registry(whois=registries.DENIC), rdap=f"http://{NOBODY}")
    assert (verdict(seen), seen.found) == (
        (Outcome.OK, None),
        "registered; the registry does not say until when",
    )
    held = look(
        tmp_path, Registry(whois="Domain: nodored.test\nStatus: serverHold\n"), rdap=f"http://{NOBODY}"
    )
    assert held.outcome is Outcome.DOWN


def test_a_date_that_rdap_lacks_comes_from_whois(tmp_path: Path) -> None:
    known = Registry(whois=registries.REGISTRO_BR)
    known.told("nodored.test", rdap("nodored.test", None))
    assert look(tmp_path, known).found == "registered until 2027-08-13"
    without = Registry(whois="Quota exceeded\n")
    without.told("nodored.test", rdap("nodored.test", None))
    assert look(tmp_path, without).found == "registered; the registry does not say until when"


# Where to ask.


def test_ianas_list_and_referrals_lead_to_the_registry(tmp_path: Path) -> None:
    async def main() -> tuple[Look, Registry, Look, Registry]:
        async with registry(Registry()) as iana, registry(Registry(whois=registries.VERISIGN)) as low:
            services = {"other": "http://127.0.0.1:1/", "test": f"{low.base}/v1/"}
            iana.pages["/dns.json"] = (200, {}, bootstrap(services))
            iana.whois = registries.IANA.replace("{server}", low.whois_server)
            low.pages["/v1/domain/nodored.test"] = (200, {}, rdap())
            options = {"bootstrap": f"{iana.base}/dns.json", "whois": iana.whois_server}
            by_rdap = await Watch(tmp_path, options).look()
            iana.pages["/dns.json"] = (200, {}, bootstrap({"other": "http://127.0.0.1:1/"}))
            return by_rdap, iana, await Watch(tmp_path, options).look(), low

    by_rdap, iana, by_whois, low = uvloop.run(main())
    assert by_rdap.outcome is by_whois.outcome is Outcome.OK
    assert by_rdap.via[0].endswith("/v1/domain/nodored.test")
    assert (iana.asked, iana.queries) == (["/dns.json"] * 2, ["nodored.test"])
    assert (low.asked, low.queries) == (["/v1/domain/nodored.test"], ["nodored.test"])


def test_a_word_of_iana_about_the_suffix_alone_is_none_about_the_domain(tmp_path: Path) -> None:
    text = "domain:       TEST\nstatus:       ACTIVE\ncreated:      1985-01-01\n"
    seen = look(tmp_path, Registry(whois=text), rdap=f"http://{NOBODY}")
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.OWN)
    assert "a word of TEST alone" in seen.found


def test_redirects_are_followed_and_lead_only_outwards(tmp_path: Path) -> None:
    async def main() -> list[Look]:
        seen = []
        async with registry(Registry()) as first, registry(Registry()) as second:
            second.told("nodored.test", rdap())
            for location in (
                f"{second.base}/domain/nodored.test",
                "ftp://127.0.0.1/",
                "http://169.254.1.1/",
                "/domain/nodored.test",
            ):
                first.told("nodored.test", b"", 302, Location=location)
                options = {"rdap": first.base, "whois": NOBODY}
                seen.append(await Watch(tmp_path, options).look())
        return seen

    good, astray, inside, circle = uvloop.run(main())
    assert good.outcome is Outcome.OK
    assert "redirects astray" in astray.found
    assert inside.outcome is Outcome.UNKNOWN
    assert "more than 5 redirects" in circle.found


def test_referrals_of_whois_end_somewhere(tmp_path: Path) -> None:
    async def main() -> Look:
        async with registry(Registry()) as known:
            known.whois = registries.IANA.replace("{server}", known.whois_server)
            return await Watch(tmp_path, {"rdap": f"http://{NOBODY}", "whois": known.whois_server}).look()

    seen = uvloop.run(main())
    assert seen.outcome is Outcome.UNKNOWN
    assert "more than 2 referrals" in seen.found


# How often.


def told(known: Registry, ends: str | None, *statuses: str) -> None:
    known.told("nodored.test", rdap("nodored.test", ends, *statuses))


def steps(
    folder: Path, known: Registry, *script: tuple[timedelta, Any], **options: Any
) -> list[tuple[Look, int]]:
    """Run a script of looks: how much later each is, and what is done to the registry before it. Count the questions."""

    async def main() -> list[tuple[Look, int]]:
        seen = []
        async with registry(known):
            watch = Watch(folder, {"rdap": known.base, "whois": NOBODY, **options})
            for after, change in script:
                change(known) if callable(change) else None
                look = await watch.look(after)
                seen.append((look, len(known.asked)))
        return seen

    return uvloop.run(main())


def test_a_registry_is_asked_once_in_so_many_hours_while_the_end_is_far(tmp_path: Path) -> None:
    known = Registry()
    told(known, "2027-08-13T04:00:00Z")
    minute = timedelta(minutes=1)
    seen = steps(tmp_path, known, (minute, 0), (minute, 0), (11 * HOUR, 0), (HOUR, 0), (HOUR, 0))
    assert [count for _, count in seen] == [1, 1, 1, 2, 2]
    assert {look.outcome for look, _ in seen} == {Outcome.OK}
    assert {look.found for look, _ in seen} == {"registered until 2027-08-13"}
    assert {look.via for look, _ in seen} == {(f"{known.base}/domain/nodored.test",)}


def test_near_the_end_it_is_asked_every_hour_and_a_renewal_is_seen(tmp_path: Path) -> None:
    known = Registry()
    told(known, "2026-12-01T00:00:00Z")
    seen = steps(
        tmp_path,
        known,
        (DAY, 0),
        (timedelta(minutes=30), 0),
        (timedelta(minutes=31), lambda registry: told(registry, "2027-12-01T00:00:00Z")),
        (HOUR, 0),
    )
    assert [(look.outcome, count) for look, count in seen] == [
        (Outcome.WARN, 1),
        (Outcome.WARN, 1),
        (Outcome.OK, 2),
        (Outcome.OK, 2),
    ]


def test_bad_news_is_asked_for_again_before_it_is_believed(tmp_path: Path) -> None:
    known = Registry()
    told(known, "2027-08-13T04:00:00Z", "server hold")
    quarter = timedelta(seconds=15)
    seen = steps(tmp_path, known, *[(quarter, 0)] * 12)
    counts = [count for _, count in seen]
    assert counts[:3] == [1, 2, 3], "the looks that confirm it ask anew"
    assert counts[-1] <= 6, "and then less and less"
    day = steps(tmp_path, Registry(), *[(timedelta(minutes=1), 0)] * 300)
    assert day[-1][1] <= 12


def test_time_alone_makes_it_ask_again_before_anything_turns_bad(tmp_path: Path) -> None:
    """The end comes in five hours by what is known; meanwhile it was renewed."""
    known = Registry()
    told(known, "2026-11-22T17:00:00Z")
    seen = steps(
        tmp_path,
        known,
        (timedelta(0), 0),
        (5 * HOUR, lambda registry: told(registry, "2027-11-22T17:00:00Z")),
        refresh="12h",
    )
    assert [(look.outcome, count) for look, count in seen] == [(Outcome.WARN, 1), (Outcome.OK, 2)]


def gone(known: Registry) -> None:
    known.told("nodored.test", b"<html>out of order</html>", 500)


def test_the_last_word_counts_for_a_week_when_nobody_answers(tmp_path: Path) -> None:
    known = Registry()
    told(known, "2026-12-29T00:00:00Z")
    seen = steps(tmp_path, known, (timedelta(0), 0), (13 * HOUR, gone), (5 * DAY, 0), (DAY, 0), (DAY, 0))
    outcomes = [look.outcome for look, _ in seen]
    assert outcomes == [Outcome.OK, Outcome.OK, Outcome.OK, Outcome.WARN, Outcome.UNKNOWN]
    assert (
        "registered until 2026-12-29, as told on 2026-11-22; no newer word: RDAP at 127.0.0.1: 500"
        in seen[1][0].found
    )
    assert seen[4][0].found.startswith(
        "no registry told anything: RDAP at 127.0.0.1: 500; WHOIS at 127.0.0.1:"
    )


def test_a_registry_that_fails_is_asked_less_and_less(tmp_path: Path) -> None:
    known = Registry()
    gone(known)
    seen = steps(tmp_path, known, *[(timedelta(minutes=1), 0)] * 200)
    assert {look.outcome for look, _ in seen} == {Outcome.UNKNOWN}
    counts = [count for _, count in seen]
    assert counts[1] == 2
    assert counts[-1] <= 11
    back = steps(
        tmp_path,
        known,
        (timedelta(0), 0),
        (timedelta(minutes=1), lambda registry: told(registry, "2027-08-13T04:00:00Z")),
    )
    assert [look.outcome for look, _ in back] == [Outcome.UNKNOWN, Outcome.OK]


@pytest.mark.parametrize("retry_after", ["7200", "Sun, 22 Nov 2026 14:00:00 GMT"])
def test_a_registry_that_wants_to_be_left_alone_is(tmp_path: Path, retry_after: str) -> None:
    known = Registry()

    def busy(registry: Registry) -> None:
        registry.told("nodored.test", b"", 429, Retry_After=retry_after)

    seen = steps(
        tmp_path, known, (timedelta(0), busy), (119 * timedelta(minutes=1), 0), (timedelta(minutes=2), 0)
    )
    assert [count for _, count in seen] == [1, 1, 2]
    assert "RDAP at 127.0.0.1: 429" in seen[0][0].found


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("120", timedelta(minutes=2)),
        ("999999999999999999", DAY),
        ("Sun, 22 Nov 2026 13:00:00 GMT", HOUR),
        ("Sun, 22 Nov 2020 13:00:00 GMT", timedelta(0)),
        ("soon", timedelta(0)),
        ("-5", timedelta(0)),
        ("", timedelta(0)),
        (None, timedelta(0)),
    ],
)
def test_a_pause_is_seconds_or_a_date_and_a_day_at_most(text: str | None, pause: timedelta) -> None:
    assert pause_of(text, NOW) == pause


def test_what_is_known_survives_as_texts() -> None:
    known = Known(
        told=Registration(ends_at=ENDS, statuses=("active", "clienthold")),
        told_at=NOW,
        outcome=Outcome.DOWN,
        since=NOW,
        failing_since=NOW,
        failure="x",
        ask_at=NOW + HOUR,
        base="https://rdap.test/",
        base_at=NOW,
        source="https://rdap.test/domain/nodored.test",
    )
    assert from_memory(to_memory(known)) == known
    assert from_memory({}) == Known()
    assert from_memory({"told_at": "yesterday", "registered": "perhaps", "outcome": "fine"}) == Known()


# Peers that mean no good.


async def endless(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await found.send(writer, b"Status: active\r\n" * 4096)


async def drips(found: peers.Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await found.send(writer, b"x")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("behave", [peers.silent, endless, drips, peers.resets])
def test_a_hostile_whois_server_does_not_hold_the_look(tmp_path: Path, behave: peers.Behaviour) -> None:
    async def main() -> Look:
        async with peers.peer(behave) as found:
            options = {"rdap": f"http://{NOBODY}", "whois": f"127.0.0.1:{found.port}"}
            return await asyncio.wait_for(Watch(tmp_path, options).look(seconds=1), 30)

    seen = uvloop.run(main())
    assert verdict(seen) == (Outcome.UNKNOWN, Cause.OWN)


@pytest.mark.parametrize(
    "behave",
    [
        peers.silent,
        peers.drips_head,
        peers.drips_body,
        peers.endless_body,
        peers.endless_head,
        peers.huge_line,
        pytest.param(peers.gzip_bomb(), id="bomb"),
        pytest.param(peers.answer(200, b"[" * 500_000), id="deep"),
        pytest.param(peers.answer(200, b"{}"), id="empty"),
        pytest.param(
            peers.answer(200, b'{"objectClassName": "domain", "ldhName": "elsewhere.test"}'), id="elsewhere"
        ),
        pytest.param(peers.answer(200, b"\xff\xfe"), id="no text"),
        pytest.param(peers.answer(200, b'{"a": ' + b"1" * 100_000 + b"}"), id="large number"),
    ],
)
def test_a_hostile_rdap_server_leaves_time_for_whois(tmp_path: Path, behave: peers.Behaviour) -> None:
    async def main() -> Look:
        async with peers.peer(behave) as found, registry(Registry(whois=registries.REGISTRO_BR)) as known:
            options = {"rdap": f"http://127.0.0.1:{found.port}", "whois": known.whois_server}
            return await asyncio.wait_for(Watch(tmp_path, options).look(seconds=3), 30)

    seen = uvloop.run(main())
    assert (seen.outcome, seen.found) == (Outcome.OK, "registered until 2027-08-13")


# Readers.


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-08-13T04:00:00Z", "2027-08-13 04:00:00"),
        ("2027-08-13T04:00:00.000+02:00", "2027-08-13 02:00:00"),
        ("2027-08-13T23:59:59-0500", "2027-08-14 04:59:59"),
        ("2027-08-13 10:00:00+03", "2027-08-13 07:00:00"),
        ("2027-08-13 12:00:00 CLST", "2027-08-13 12:00:00"),
        ("2027. 08. 13.", "2027-08-13 23:59:59"),
        ("2027/08/13 (JST)", "2027-08-13 23:59:59"),
        ("20270813 #185943", "2027-08-13 23:59:59"),
        ("13/08/2027", "2027-08-13 23:59:59"),
        ("13-08-2027 10:11", "2027-08-13 10:11:00"),
        ("13-Aug-2027 10:11:12 UTC", "2027-08-13 10:11:12"),
        ("13 dic 2027", "2027-12-13 23:59:59"),
        ("Aug 13, 2027", "2027-08-13 23:59:59"),
        ("Friday, August 13, 2027", "2027-08-13 23:59:59"),
        ("Fri Aug 13 04:00:00 GMT 2027", "2027-08-13 04:00:00"),
        ("2027-02-30", None),
        ("0000-00-00", None),
        ("9999-12-31", None),
        ("2027-08-13T25:00:00Z", None),
        ("in two years", None),
        ("", None),
    ],
)
def test_dates_of_every_common_form_are_read(text: str, moment: str | None) -> None:
    assert read_date(text) == (None if moment is None else at(moment))


def test_the_registrys_date_counts_before_the_registrars() -> None:
    text = "Registrar Registration Expiration Date: 2030-01-01T00:00:00Z\nRegistry Expiry Date: 2027-08-13T04:00:00Z\n"
    assert read_whois(text, "nodored.test").ends_at == ENDS


@pytest.mark.parametrize("text", ["", "WHOIS LIMIT EXCEEDED", "<html></html>", "a: b\n" * 10, "\x00" * 100])
def test_what_says_nothing_of_a_registration_is_no_answer(text: str) -> None:
    with pytest.raises(NoRegistrationError):
        read_whois(text, "nodored.test")


def test_a_disclaimer_makes_no_domain_free() -> None:
    text = registries.VERISIGN + "\nNot found what you looked for? No match for your taste?\n"
    assert read_whois(text, "nodored.test").registered


def test_rdap_that_is_none_is_refused() -> None:
    for body in (b"", b"[]", b"null", b'{"objectClassName": "entity"}', b"[" * 100_000, b" " * 600_000):
        with pytest.raises(NoRegistrationError):
            read_rdap(body, "nodored.test")


def test_the_longest_suffix_and_the_safer_address_are_taken() -> None:
    body = b"""{"services": [[["ec", "com.ec"], ["http://a/", "https://b/"]], [["EC"], ["https://c/"]], [["gob.ec"], []], 7, [[1], [2]]]}"""
    assert read_bootstrap(body, "nodored.com.ec") == "https://b/"
    assert read_bootstrap(body, "nodored.ec") == "https://b/"
    assert read_bootstrap(body, "nodored.test") is None


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (registries.IANA.replace("{server}", "whois.nic.test"), "whois.nic.test"),
        ("whois: whois://whois.nic.test:4343\n", "whois.nic.test:4343"),
        ("   Registrar WHOIS Server: whois.registrar.test\n", None),
        ("refer: http://x/\n", None),
    ],
)
def test_only_ianas_referrals_count(text: str, server: str | None) -> None:
    assert read_referral(text) == server


def test_a_moment_before_the_end_is_not_the_end() -> None:
    told = Registration(ends_at=NOW)
    assert judge(told, DAY, NOW).outcome is Outcome.DOWN
    assert judge(told, DAY, NOW - timedelta(seconds=1)).outcome is Outcome.WARN
    assert judge(told, DAY, NOW - DAY).outcome is Outcome.OK
    assert judge(UNREGISTERED, DAY, NOW).outcome is Outcome.DOWN


# Options and the line that repeats a look.


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ({"name": "nodored.test"}, "nodored.test"),
        ({"name": "main", "domain": "nodored.test"}, "nodored.test"),
    ],
)
def test_the_domain_may_name_the_check(given: dict[str, Any], domain: str) -> None:
    options = KIND.options.model_validate(KIND.complete(given, "192.0.2.1"))
    assert options.domain == domain  # type: ignore[attr-defined]
    assert KIND.service(options) is Service.NAMES
    assert KIND.impact is CheckImpact.DEGRADED


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Field required"),
        ({"domain": "192.0.2.1"}, "expected a domain"),
        ({"domain": "test"}, "expected a domain"),
        ({"domain": "a b.test"}, "expected a name or an address"),
        ({"domain": "ñ" * 70 + ".test"}, "expected a name of the DNS"),
        ({"domain": "a.test", "rdap": "ftp://a.test"}, "expected a web address"),
        ({"domain": "a.test", "bootstrap": "x"}, "expected a web address"),
        ({"domain": "a.test", "whois": "a.test:x"}, "expected a host and a port"),
        ({"domain": "a.test", "refresh": "0s"}, "longer than nothing"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        KIND.options.model_validate(KIND.complete(given, ""))
    assert sentence in str(raised.value)


def repeated(line: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.system("curl", "whois")
def test_the_line_to_repeat_it_sees_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with registry(Registry(whois=registries.VERISIGN)) as known:
            known.told("nodored.test", rdap())
            loop = asyncio.get_running_loop()
            options = {"domain": "nodored.test", "rdap": known.base, "whois": known.whois_server}
            check = check_of(plan_of("domain", options))
            look = await Watch(tmp_path, options).look()
            assert "2027-08-13T04:00:00Z" in await loop.run_in_executor(None, repeated, check.reproduce(look))
            known.pages.clear()
            down = await Watch(tmp_path, options).look()
            assert '"errorCode": 404' in await loop.run_in_executor(None, repeated, check.reproduce(down))
            del options["rdap"]
            line = check_of(plan_of("domain", options)).reproduce()
            assert "Registry Expiry Date: 2027-08-13" in await loop.run_in_executor(None, repeated, line)

    uvloop.run(main())


def test_the_line_to_repeat_it_leads_to_where_the_look_was_led() -> None:
    check = check_of(plan_of("domain", {"domain": "nodored.test"}))
    assert "https://rdap.org/domain/nodored.test" in check.reproduce()
    via = Look(outcome=Outcome.DOWN, via=("https://rdap.nic.test/domain/nodored.test",))
    assert "https://rdap.nic.test/domain/nodored.test" in check.reproduce(via)


def test_many_looks_at_once_keep_their_own_time(tmp_path: Path) -> None:
    """Forty looks at a registry of which the RDAP keeps silent end with the word of its WHOIS."""

    async def main() -> list[Look]:
        async with contextlib.AsyncExitStack() as stack:
            silent = await stack.enter_async_context(peers.peer(peers.silent))
            known = await stack.enter_async_context(registry(Registry(whois=registries.REGISTRO_BR)))
            options = {"rdap": f"http://127.0.0.1:{silent.port}", "whois": known.whois_server}
            watches = [Watch(tmp_path, options) for _ in range(40)]
            return await asyncio.gather(*(watch.look(seconds=4) for watch in watches))

    assert {seen.outcome for seen in uvloop.run(main())} == {Outcome.OK}
