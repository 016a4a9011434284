"""What a rehearsal costs: a month of looks judged anew by two configurations, when nearly all is well and when little is."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from monitor.actions.apply import apply
from monitor.actions.rehearse import rehearse
from monitor.fleet import Fleet, Group, Server, Site
from monitor.health.state import Attempts, Policy
from monitor.health.uptime import Span
from monitor.health.words import Service
from monitor.identifiers import GroupId, ServerId, milliseconds
from monitor.store import readings
from monitor.store.database import Database
from tests.actions.builders import plan

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONTH = Span(NOW - timedelta(days=30), NOW)
MINUTE_MS = 60_000
CHECKS = ("ping", "http", "smtp", "imap", "tls")
OK, DOWN, REFUSED = 0, 2, 2
SCENES = {"calm": (20, 200_000), "bad": (2, 30_000)}
"""How many servers with five checks, each looked at once a minute, and how many looks a CPU second are promised."""


def fleet(servers: int, attempts: int) -> Fleet:
    retry = timedelta(seconds=15)
    policy = Policy(
        confirm=Attempts(attempts=attempts, retry=retry), recover=Attempts(attempts=attempts, retry=retry)
    )
    return Fleet(
        site=Site(name="Nodored", url="https://estado.nodored.test"),
        groups=(Group(id=GroupId("all"), name={"es": "Todos", "en": "All"}),),
        servers=tuple(
            Server(
                id=ServerId(f"s{number}"),
                name=f"s{number}.nodored.test",
                group=GroupId("all"),
                checks=tuple(
                    replace(plan(f"s{number}/{name}", Service.WEB), policy=policy) for name in CHECKS
                ),
                resolve_after=timedelta(minutes=5),
                reopen_within=timedelta(minutes=30),
            )
            for number in range(servers)
        ),
    )


def calm(chance: random.Random) -> Iterator[bool]:
    """All is well but for a lost look a day, and an hour's outage every other month."""
    outage = chance.randrange(86_400)
    for minute in count():
        yield minute - outage not in range(60) and chance.random() > 1 / 1440


def bad(chance: random.Random) -> Iterator[bool]:
    """One look in ten fails: half of them a few at a time, some twenty times a day, half in outages of hours."""
    while True:
        yield from [True] * chance.randint(20, 88)
        if chance.random() < 0.017:
            yield from [False] * chance.randint(60, 300)
        yield from [False] * chance.randint(1, 5)


def fill(database: Database, watched: Fleet, scene: str) -> None:
    with database.writing() as tx:
        apply(tx, watched, MONTH.start)
        numbers = readings.check_numbers(tx)
    chance = random.Random(scene)
    first = milliseconds(MONTH.start)
    for number in numbers.values():
        verdicts = (calm if scene == "calm" else bad)(chance)
        phase = 7919 * number % MINUTE_MS
        looks = 30 * 24 * 60
        with database.writing() as tx:
            tx.executemany(
                "INSERT INTO observations VALUES (?, ?, ?, ?, ?)",
                (
                    (number, first + minute * MINUTE_MS + phase, OK, None, 70_000)
                    if well
                    else (number, first + minute * MINUTE_MS + phase, DOWN, REFUSED, 900)
                    for minute, well in zip(range(looks), verdicts, strict=False)
                ),
            )
    database.checkpoint()


def main() -> None:
    slow = []
    for scene, (servers, promised) in SCENES.items():
        with tempfile.TemporaryDirectory() as name:
            database = Database.open(Path(name) / "vigia.db", owner=True)
            fill(database, fleet(servers, 3), scene)
            began, cpu = time.perf_counter(), time.process_time()
            told = rehearse(database, fleet(servers, 2), MONTH)
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            database.close()
        print(
            f"{scene}: a month of {told.checks} checks, {told.looks:,} looks: {cpu:.1f} CPU s, {wall:.1f} s",
            end=", ",
        )
        print(f"{told.looks / cpu:,.0f} looks a CPU second, {promised:,} promised")
        print(f"  three attempts and two: {len(told.in_force.incidents)} incidents", end=" and ")
        print(f"{len(told.proposed.incidents)}, {len(told.differences)} differences")
        if told.looks / cpu < promised:
            slow.append(scene)
    if slow:
        raise SystemExit(f"slower than promised: {', '.join(slow)}")


if __name__ == "__main__":
    main()
