"""The resolver room against name servers that answer, lie, fail and keep silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from monitor.checks.contract import Family, Look, OwnFaultError, TargetFaultError
from monitor.observation import Cause, Observation, Outcome
from monitor.prober import ResolverSettings
from monitor.prober.hosts_file import parse_hosts
from monitor.prober.name_servers import system_servers
from monitor.prober.resolver import Resolver
from tests.servers import peers
from tests.servers.looking import looker
from tests.servers.name_server import SERVFAIL, SILENT, Zone, name_server

KNOWN: dict[str, tuple[str, ...] | str] = {
    "one.test": ("127.0.0.1",),
    "two.test": ("127.0.0.1", "127.0.0.2"),
    "both.test": ("127.0.0.1", "::1"),
    "six.test": ("::1",),
    "broken.test": SERVFAIL,
    "silent.test": SILENT,
    "reference.test": ("127.0.0.9",),
}


@asynccontextmanager
async def resolver(
    folder: Path, *servers: str, reference: str | None = None, hosts: str = ""
) -> AsyncIterator[Resolver]:
    hosts_file = folder / "hosts"
    hosts_file.write_text(hosts)
    room = Resolver(
        ResolverSettings(servers=servers, reference=reference),
        hosts=hosts_file,
        resolv_conf=folder / "resolv.conf",
    )
    try:
        yield room
    finally:
        await room.close()


def ask(
    folder: Path,
    name: str,
    *zones: Zone,
    family: Family = Family.ANY,
    reference: str | None = None,
    hosts: str = "",
    seconds: float = 2.0,
) -> tuple[str, ...] | Look:
    """Return the addresses, or what the fault says."""

    async def main() -> tuple[str, ...] | Look:
        async with contextlib.AsyncExitStack() as stack:
            served = [await stack.enter_async_context(name_server(zone)) for zone in zones]
            room = await stack.enter_async_context(
                resolver(folder, *(zone.server for zone in served), reference=reference, hosts=hosts)
            )
            try:
                return await room.addresses(name, family, asyncio.get_running_loop().time() + seconds)
            except (TargetFaultError, OwnFaultError) as fault:
                return fault.look

    return uvloop.run(main())


def verdict(answer: tuple[str, ...] | Look) -> tuple[Outcome, Cause | None]:
    assert isinstance(answer, Look), answer
    return answer.outcome, answer.cause


@pytest.mark.parametrize(
    ("name", "family", "addresses"),
    [
        ("one.test", Family.ANY, ("127.0.0.1",)),
        ("two.test", Family.IPV4, ("127.0.0.1", "127.0.0.2")),
        ("six.test", Family.ANY, ("::1",)),
        ("both.test", Family.ANY, ("::1", "127.0.0.1")),
        ("both.test", Family.IPV4, ("127.0.0.1",)),
        ("both.test", Family.IPV6, ("::1",)),
        ("127.0.0.5", Family.ANY, ("127.0.0.5",)),
        ("::1", Family.IPV6, ("::1",)),
    ],
)
def test_names_and_literals_give_their_addresses(
    tmp_path: Path, name: str, family: Family, addresses: tuple[str, ...]
) -> None:
    found = ask(tmp_path, name, Zone(KNOWN), family=family)
    assert isinstance(found, tuple)
    # Records of one family come in any order.
    assert [":" in address for address in found] == [":" in address for address in addresses]
    assert set(found) == set(addresses)


def test_the_hosts_file_comes_first_and_asks_nobody(tmp_path: Path) -> None:
    zone = Zone(KNOWN)
    assert ask(tmp_path, "One.Test.", zone, hosts="127.0.0.7 one.test # ours") == ("127.0.0.7",)
    assert zone.queries.total() == 0


def test_a_hosts_file_that_changes_is_read_again(tmp_path: Path) -> None:
    async def main() -> list[tuple[str, ...]]:
        async with resolver(tmp_path, hosts="127.0.0.7 one.test") as room:
            deadline = asyncio.get_running_loop().time() + 60
            seen = [await room.addresses("one.test", Family.ANY, deadline)]
            (tmp_path / "hosts").write_text("127.0.0.8 one.test other.test")
            while seen[-1] == seen[0]:
                await asyncio.sleep(0.05)
                seen.append(await room.addresses("one.test", Family.ANY, deadline))
            return [seen[0], seen[-1]]

    assert uvloop.run(main()) == [("127.0.0.7",), ("127.0.0.8",)]


def test_localhost_is_loopback_without_any_file(tmp_path: Path) -> None:
    found = ask(tmp_path, "page.localhost")
    assert isinstance(found, tuple)
    assert set(found) == {"::1", "127.0.0.1"}


def test_a_long_answer_is_fetched_over_tcp(tmp_path: Path) -> None:
    assert ask(tmp_path, "one.test", Zone(KNOWN, only_by_tcp=frozenset({"one.test"}))) == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("zones", "reference", "expected"),
    [
        # "No such name" is an answer.
        ([Zone(KNOWN)], None, (Outcome.DOWN, Cause.NAME)),
        ([Zone(KNOWN)], "reference.test", (Outcome.DOWN, Cause.NAME)),
        # A server that denies even the reference denies everything.
        ([Zone()], "reference.test", (Outcome.UNKNOWN, Cause.RESOLVER)),
        # Silence and failure count only when the servers are seen to work.
        ([Zone(KNOWN, otherwise=SILENT)], None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        ([Zone(KNOWN, otherwise=SILENT)], "reference.test", (Outcome.DOWN, Cause.TIMEOUT_NAME)),
        ([Zone(otherwise=SILENT)], "reference.test", (Outcome.UNKNOWN, Cause.RESOLVER)),
        ([Zone(otherwise=SILENT), Zone(otherwise=SILENT)], None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        ([Zone(KNOWN, otherwise=SERVFAIL)], None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        ([Zone(KNOWN, otherwise=SERVFAIL)], "reference.test", (Outcome.DOWN, Cause.NAME)),
        ([Zone(otherwise=SERVFAIL)], "reference.test", (Outcome.UNKNOWN, Cause.RESOLVER)),
        ([Zone(otherwise=SERVFAIL), Zone(otherwise=SERVFAIL)], None, (Outcome.DOWN, Cause.NAME)),
        ([Zone(otherwise=SERVFAIL), Zone(otherwise=SILENT)], None, (Outcome.UNKNOWN, Cause.RESOLVER)),
        # One that works is enough to believe what it says.
        ([Zone(otherwise=SILENT), Zone(KNOWN)], None, (Outcome.DOWN, Cause.NAME)),
    ],
)
def test_a_dead_name_is_told_from_a_dead_resolver(
    tmp_path: Path, zones: list[Zone], reference: str | None, expected: tuple[Outcome, Cause]
) -> None:
    assert (
        verdict(ask(tmp_path, "dead.test", *(fresh(zone) for zone in zones), reference=reference)) == expected
    )


@pytest.mark.parametrize("first", [Zone(otherwise=SILENT), Zone(otherwise=SERVFAIL), Zone()])
def test_the_second_server_helps_when_the_first_does_not(tmp_path: Path, first: Zone) -> None:
    assert ask(tmp_path, "one.test", fresh(first), Zone(KNOWN)) == ("127.0.0.1",)


def test_no_server_at_all_is_our_own_trouble(tmp_path: Path) -> None:
    answer = ask(tmp_path, "one.test")
    assert verdict(answer) == (Outcome.UNKNOWN, Cause.RESOLVER)
    assert isinstance(answer, Look)
    assert "resolver:" in answer.found


def test_a_name_that_cannot_exist_is_dead(tmp_path: Path) -> None:
    assert verdict(ask(tmp_path, "añ" * 40 + ".test", Zone(KNOWN))) == (Outcome.DOWN, Cause.NAME)


def test_an_answer_that_comes_late_is_still_taken(tmp_path: Path) -> None:
    assert ask(tmp_path, "one.test", Zone(KNOWN, late=0.3), seconds=20) == ("127.0.0.1",)


def test_look_ups_of_one_name_in_flight_are_shared_and_later_ones_ask_anew(tmp_path: Path) -> None:
    async def main() -> tuple[int, int]:
        async with name_server(Zone(KNOWN, late=0.1)) as zone, resolver(tmp_path, zone.server) as room:
            loop = asyncio.get_running_loop()

            async def one() -> tuple[str, ...]:
                return await room.addresses("one.test", Family.IPV4, loop.time() + 20)

            await asyncio.gather(*(one() for _ in range(50)))
            together = zone.queries["one.test"]
            await one()
            return together, zone.queries["one.test"]

    assert uvloop.run(main()) == (1, 2)


def test_who_stops_waiting_does_not_end_the_look_up_of_others(tmp_path: Path) -> None:
    async def main() -> tuple[str, ...]:
        async with name_server(Zone(KNOWN, late=0.2)) as zone, resolver(tmp_path, zone.server) as room:
            deadline = asyncio.get_running_loop().time() + 20
            first, second = (
                asyncio.create_task(room.addresses("one.test", Family.IPV4, deadline)) for _ in range(2)
            )
            await asyncio.sleep(0.05)
            first.cancel()
            return await second

    assert uvloop.run(main()) == ("127.0.0.1",)


def test_sixty_dead_names_do_not_touch_healthy_looks(tmp_path: Path) -> None:
    """The classic way for a monitor to fail: threads that wait for dead names, and everybody else behind them."""

    async def main() -> tuple[list[Observation], list[Observation]]:
        async with (
            name_server(Zone(otherwise=SILENT)) as hole,
            peers.peer(peers.answer()) as found,
            looker(tmp_path, settings=ResolverSettings(servers=(hole.server,))) as looking,
        ):
            dead = [
                asyncio.create_task(looking.look("http", {"url": f"http://dead{number}.test/"}, seconds=8))
                for number in range(60)
            ]
            await asyncio.sleep(0)
            urls = [f"http://{host}:{found.port}/" for host in ("ok.test", "127.0.0.1")] * 5
            healthy = await asyncio.gather(*(looking.look("http", {"url": url}, seconds=8) for url in urls))
            assert not any(task.done() for task in dead), "the healthy ones do not wait for the dead"
            return healthy, await asyncio.gather(*dead)

    healthy, dead = uvloop.run(main())
    assert [seen.outcome for seen in healthy] == [Outcome.OK] * 10
    assert {(seen.outcome, seen.cause) for seen in dead} == {(Outcome.UNKNOWN, Cause.RESOLVER)}


def test_a_recovered_name_server_is_believed_at_once(tmp_path: Path) -> None:
    """No failure is remembered: the very next look asks anew."""

    async def main() -> list[Outcome]:
        zone = Zone({}, otherwise=SERVFAIL)
        async with (
            name_server(zone),
            peers.peer(peers.silent) as found,
            looker(tmp_path, settings=ResolverSettings(servers=(zone.server,))) as looking,
        ):
            options = {"host": "back.test", "port": found.port}
            before = await looking.look("tcp", options)
            zone.names["back.test"] = ("127.0.0.1",)
            return [before.outcome, (await looking.look("tcp", options)).outcome]

    assert uvloop.run(main()) == [Outcome.UNKNOWN, Outcome.OK]


def test_the_system_configuration_gives_servers_and_no_search_list(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text(
        "# made by hand\nsearch example.net\nnameserver 192.0.2.53\nnameserver ::1\nnameserver nonsense\n"
    )
    assert [str(server) for server in system_servers(conf)] == ["192.0.2.53", "::1"]


def test_a_hosts_file_is_read_as_the_system_reads_it() -> None:
    text = "127.0.0.1 localhost a.test\n::1 A.test. # six\n# 10.0.0.1 no.test\nnonsense b.test\n\n127.0.0.1 a.test\n"
    assert parse_hosts(text) == {"localhost": ("127.0.0.1",), "a.test": ("127.0.0.1", "::1")}


@pytest.mark.parametrize("server", ["ns.example.net", "192.0.2.1:99999", "192.0.2.1:", ""])
def test_a_server_is_an_address(server: str) -> None:
    with pytest.raises(ValueError):
        ResolverSettings(servers=(server,))


def fresh(zone: Zone) -> Zone:
    return Zone(dict(zone.names), otherwise=zone.otherwise)
