"""What people see of heartbeats at the command line, before the service ever ran and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.identifiers import CheckKey, ServerId
from monitor.inventory import Configuration, load
from monitor.station.bureau import Bureau
from monitor.station.heartbeats import derived_token, digests
from monitor.station.inbox import DatabaseInbox
from monitor.store.database import Database
from tests.cli.conftest import Vigia
from tests.conftest import SteppingClock

FILE = """
site: {name: Nodored, url: "https://estado.nodored.test", timezone: America/Guayaquil}
data: DATA
groups: [{id: hosting, name: Hosting}]
servers:
- id: gye1
  group: hosting
  checks:
  - heartbeat: {name: backup, every: 1h}
  - heartbeat: {name: signing, cron: "0 3 * * *", token: "${TOKEN}"}
"""
TOKEN = "0123456789-the-token-of-the-signing"
START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKEN", TOKEN)
    path = tmp_path / "servers.yaml"
    path.write_text(FILE.replace("DATA", str(tmp_path)), encoding="utf-8")
    return path


@pytest.fixture
def configuration(config: Path) -> Configuration:
    return load(config, environment={"TOKEN": TOKEN})


Report = Callable[..., None]


@pytest.fixture
def report(tmp_path: Path, configuration: Configuration) -> Iterator[Report]:
    """A service that awaits both jobs; the backup reports what it is told to."""
    clock = SteppingClock(START)
    database = Database.open(tmp_path / "vigia.db", owner=True)
    bureau = Bureau(database, clock)
    key = bureau.heartbeat_key()
    checks = configuration.fleet.checks()
    bureau.begin(configuration.fleet, digests(checks, configuration.secrets, key))
    inbox = DatabaseInbox(Database.open(tmp_path / "vigia.db", owner=False), clock)
    inbox.open()
    token = derived_token(key, CheckKey(ServerId("gye1"), "backup"))

    def say(*signals: int) -> None:
        for signal in signals:
            clock.step(timedelta(seconds=1))
            inbox.take(token, signal, "the last words")
        bureau.receive()
        # Readers see the newest look with the next sign of life.
        bureau.publish("", "")

    yield say
    inbox.close()
    database.close()


def test_the_list_shows_where_jobs_report_to_and_how_they_stand(vigia: Vigia, config: Path, report: Report):
    report(-2, 0)
    backup, signing = vigia("heartbeat", "list", "--config", config, "--json").document
    assert backup["address"].startswith("https://estado.nodored.test/ping/")
    assert (backup["server"], backup["check"], backup["state"]) == ("gye1", "backup", "up")
    assert (backup["arrivals"], backup["exit_code"], backup["ran_seconds"]) == (2, 0, 1.0)
    assert backup["last_arrival_at"] == "2026-11-22T15:00:02.000Z"
    assert backup["next_expected_at"] == "2026-11-22T16:00:02.000Z"
    assert signing["address"] == f"https://estado.nodored.test/ping/{TOKEN}"
    assert (signing["state"], signing["last_arrival_at"]) == ("unknown", None)
    assert signing["next_expected_at"] == "2026-11-23T08:00:00.000Z"
    table = vigia("heartbeat", "list", "--config", config).out
    assert backup["address"] in table
    assert "2026-11-22 10:00:02" in table, "in the site's zone"


def test_a_probe_tells_how_a_heartbeat_stands_and_looks_at_nothing(
    vigia: Vigia, config: Path, report: Report
):
    assert vigia("probe", "gye1/signing", "--config", config, "--json").document["found"] == "no report yet"
    report(3)
    answer = vigia("probe", "gye1/backup", "--config", config, "--json")
    assert answer.status == 1
    assert (answer.document["outcome"], answer.document["cause"]) == ("down", "status")
    assert (answer.document["found"], answer.document["excerpt"]) == ("exit code 3", "the last words")
    report(0)
    assert vigia("probe", "gye1/backup", "--config", config).status == 0
    both = vigia("probe", "gye1", "--config", config, "--json").document["checks"]
    assert [each["check"] for each in both] == ["gye1/backup", "gye1/signing"]


def test_before_the_first_start_there_are_no_addresses_and_nothing_is_known(vigia: Vigia, config: Path):
    answer = vigia("heartbeat", "list", "--config", config)
    assert answer.status == 1
    assert "vigia run" in answer.err
    answer = vigia("probe", "gye1/backup", "--config", config, "--json")
    assert (answer.status, answer.document["outcome"]) == (1, "unknown")
    assert "vigia run" in answer.document["found"]


def test_one_that_is_not_applied_yet_has_an_address_already(vigia: Vigia, config: Path, report: Report):
    config.write_text(config.read_text() + "  - heartbeat: {name: later, every: 1d}\n", encoding="utf-8")
    *_, later = vigia("heartbeat", "list", "--config", config, "--json").document
    assert later["address"].startswith("https://estado.nodored.test/ping/")
    assert (later["state"], later["next_expected_at"], later["arrivals"]) == ("unknown", None, 0)
    assert "not awaited yet" in vigia("probe", "gye1/later", "--config", config, "--json").document["found"]


def test_a_fleet_without_heartbeats_is_told_how_to_have_one(vigia: Vigia, config: Path, report: Report):
    config.write_text(
        FILE.partition("  checks:")[0].replace("DATA", str(config.parent)) + "  checks: [{ping: 192.0.2.1}]\n"
    )
    assert "heartbeat: 24h" in vigia("heartbeat", "list", "--config", config).out
