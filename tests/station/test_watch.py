"""watch as a whole: it looks, decides, opens a ticket, takes a new configuration, and ends with everything written."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from monitor.clock import SystemClock
from monitor.errors import RefusedError
from monitor.health.words import Status
from monitor.identifiers import CheckKey, ServerId
from monitor.incidents.incident import Incident
from monitor.inventory import Configuration, load
from monitor.station.reader import DatabaseReader, present_measures
from monitor.station.watch import _Watch
from monitor.store import readings
from monitor.store.database import Database

GYE1 = ServerId("gye1")
FILE = """
site: {{name: Nodored, url: https://estado.nodored.test}}
data: var
defaults: {{every: 1s, timeout: 1s, confirm: {{attempts: 2, retry: 1s}}, resolve_after: 1s}}
groups: [{{id: hosting, name: {{es: Hosting, en: Hosting}}}}]
servers:
- {{id: gye1, group: hosting, host: 127.0.0.1, checks: [tcp: {port}{more}]}}
"""


class Target:
    """A port that answers, until it does not."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


class Scene:
    """watch in this process, on a configuration that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.target = Target()
        self._file = folder / "servers.yaml"
        self.write()
        self.refusal: RefusedError | None = None
        self.database = Database.open(folder / "vigia.db", owner=True)
        self.watch = _Watch(self.load(), self.load, self.database, SystemClock())

    def write(self, more: str = "") -> None:
        self._file.write_text(FILE.format(port=self.target.port, more=more), encoding="utf-8")

    def load(self) -> Configuration:
        if getattr(self, "refusal", None) is not None:
            raise self.refusal  # type: ignore[misc] # it is there
        return load(self._file, environment={})

    def status(self) -> Status | None:
        with self.database.reading() as tx:
            held = readings.standing(tx).get(GYE1)
        return None if held is None else held.judged.status

    def incidents(self) -> tuple[Incident, ...]:
        with self.database.reading() as tx:
            return readings.open_incidents(tx)

    def play(self, act: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
        async def run() -> None:
            watching = asyncio.create_task(self.watch.run())
            try:
                await act(self)
            finally:
                self.watch._leave()
                await watching

        try:
            uvloop.run(run())
        finally:
            self.database.close()
            with contextlib.suppress(OSError):
                self.target.close()


async def until(fact: Callable[[], object], what: str) -> None:
    for _ in range(1200):
        if fact():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not come within a minute")


def test_a_fault_becomes_an_incident_and_a_ticket_and_ends(tmp_path: Path):
    async def act(scene: Scene) -> None:
        await until(lambda: scene.status() is Status.OPERATIONAL, "the first look")
        scene.target.close()
        await until(scene.incidents, "the incident")

        def ticket() -> object:
            with scene.database.reading() as tx:
                return readings.tickets(tx)

        await until(ticket, "the ticket")
        with socket.create_server(("127.0.0.1", scene.target.port)):
            await until(lambda: not scene.incidents(), "the resolution")
        with scene.database.reading() as tx:
            assert readings.ticket_of(tx, readings.tickets(tx)[0].incident) is not None

    Scene(tmp_path).play(act)


def test_a_changed_configuration_is_taken_and_a_wrong_one_is_not(tmp_path: Path):
    async def act(scene: Scene) -> None:
        await until(lambda: scene.status() is Status.OPERATIONAL, "the first look")
        scene.refusal = RefusedError("line 3: no such key")
        scene.watch._apply_soon()
        refused = 'vigia_own_faults_total{part="configuration"} 1.0'
        await until(lambda: refused in scene.watch._instruments.text(), "the refusal")
        assert set(scene.watch._plans) == {CheckKey(GYE1, "tcp")}
        scene.refusal = None
        scene.write(f", tcp: {{name: second, port: {scene.target.port}}}")
        scene.watch._apply_soon()
        await until(lambda: CheckKey(GYE1, "second") in scene.watch._plans, "the second check")
        key = CheckKey(GYE1, "second")
        await until(lambda: scene.watch._bureau.picture.health(key).looked_at, "its first look")

    Scene(tmp_path).play(act)


def test_the_figures_of_a_plugin_are_stored_and_shown(tmp_path: Path):
    async def act(scene: Scene) -> None:
        def shown() -> bool:
            text = DatabaseReader(scene.database, SystemClock()).metrics().text
            return 'check="plugin",kind="nagios",location="local",measure="size",unit="bytes"} 412\n' in text

        await until(lambda: scene.status() is Status.OPERATIONAL, "the first look")
        scene.write(', nagios: {name: plugin, command: [echo, "OK | size=412B"], folders: [/bin]}')
        scene.watch._apply_soon()
        await until(shown, "the line of the measure")
        newest = present_measures(scene.database)[CheckKey(GYE1, "plugin")]
        assert [(one.name, one.value, one.unit) for one in newest] == [("size", 412.0, "bytes")]

    Scene(tmp_path).play(act)


def test_the_last_figures_are_published_at_the_end(tmp_path: Path):
    scene = Scene(tmp_path)
    path = scene.database.path

    async def act(scene: Scene) -> None:
        await until(lambda: scene.status() is Status.OPERATIONAL, "the first look")

    scene.play(act)
    with contextlib.closing(Database.open(path, owner=False)) as database, database.reading() as tx:
        text = readings.publication(tx, "metrics.text")
        assert text is not None
        assert re.search(r'^vigia_probes_total\{.*outcome="ok".*\} [1-9]', text[1], re.MULTILINE)
