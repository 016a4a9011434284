"""Two hundred checks by name, and name servers that are of no use in five ways: one matter of the operators, none of the customers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from monitor.clock import SystemClock
from monitor.health.words import Status
from monitor.incidents.incident import Audience, Incident, Stage, Trouble
from monitor.inventory import load
from monitor.observation import Cause
from monitor.station.watch import _Watch
from monitor.store import readings
from monitor.store.database import Database
from tests.servers.name_server import NXDOMAIN, SERVFAIL, SILENT, Zone, garbage, name_server

SERVERS, CHECKS = 20, 10
HEAD = """
site: {{name: Nodored, url: https://estado.nodored.test}}
data: var
defaults: {{every: 2s, timeout: 1500ms, confirm: {{attempts: 2, retry: 1s}}, resolve_after: 1s}}
resolver: {{servers: ["127.0.0.1:{port}"], reference: reference.test}}
groups: [{{id: hosting, name: {{es: Hosting, en: Hosting}}}}]
servers:
"""


def dies(zone: Zone, way: str) -> None:
    """Let the name server be of no use from now on, to anybody."""
    zone.names.clear()
    if way == "garbage":
        zone.lie = garbage
    else:
        zone.otherwise = {"silence": SILENT, "failure": SERVFAIL, "denial": NXDOMAIN, "refusal": "REFUSED"}[
            way
        ]


def lives(zone: Zone) -> None:
    zone.otherwise, zone.lie = NXDOMAIN, None
    names = ["reference.test", *(f"host{number}.test" for number in range(SERVERS))]
    zone.names.update(dict.fromkeys(names, ("127.0.0.1",)))


def fleet(port: int, target: int) -> str:
    checks = ", ".join(f"{{tcp: {{name: tcp{number}, port: {target}}}}}" for number in range(CHECKS))
    servers = (
        f"- {{id: server{number}, group: hosting, host: host{number}.test, checks: [{checks}]}}\n"
        for number in range(SERVERS)
    )
    return HEAD.format(port=port) + "".join(servers)


class House:
    """watch in this process, and what it wrote down."""

    def __init__(self, folder: Path, text: str) -> None:
        path = folder / "servers.yaml"
        path.write_text(text, encoding="utf-8")
        self.database = Database.open(folder / "vigia.db", owner=True)
        configuration = load(path, environment={})
        self.watch = _Watch(configuration, lambda: configuration, self.database, SystemClock())

    def statuses(self) -> set[Status]:
        with self.database.reading() as tx:
            standing = readings.standing(tx)
        return {held.judged.status for held in standing.values()} if len(standing) == SERVERS else set()

    def causes(self) -> set[Cause | None]:
        with self.database.reading() as tx:
            return {health.cause for health in readings.healths(tx).values()}

    def incidents(self) -> tuple[Incident, ...]:
        now = SystemClock().now()
        with self.database.reading() as tx:
            return readings.incidents_between(tx, now.replace(year=now.year - 1), now)


async def until(fact: Callable[[], object], what: str) -> None:
    for _ in range(600):
        if fact():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{what} did not come within a minute")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("way", ["silence", "failure", "denial", "refusal", "garbage"])
def test_a_dead_resolver_is_one_matter_of_the_operators(tmp_path: Path, way: str):
    async def act() -> None:
        zone = Zone()
        lives(zone)
        target = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with name_server(zone), target:
            house = House(tmp_path, fleet(zone.port, target.sockets[0].getsockname()[1]))
            watching = asyncio.create_task(house.watch.run())
            try:
                await until(lambda: house.statuses() == {Status.OPERATIONAL}, "a green page")
                dies(zone, way)
                await until(house.incidents, "the matter")
                await until(lambda: house.causes() == {Cause.RESOLVER}, "looks that tell nothing")
                # Long enough for five looks of each check, which would make it blind.
                await asyncio.sleep(12)
                told = [(one.trouble, one.audience) for one in house.incidents()]
                assert told == [(Trouble.RESOLVER, Audience.OPERATORS)], house.incidents()
                assert house.statuses() == {Status.OPERATIONAL}
                lives(zone)
                await until(lambda: house.incidents()[0].stage is Stage.RESOLVED, "the end of it")
                await until(lambda: house.causes() == {None}, "looks that tell something")
                assert len(house.incidents()) == 1
                with house.database.reading() as tx:
                    assert readings.tickets(tx) == ()
            finally:
                house.watch._leave()
                await watching
                house.database.close()

    uvloop.run(act())
