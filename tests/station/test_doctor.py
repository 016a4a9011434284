"""Every finding of the doctor that is not fine names its remedy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import RefusedError
from monitor.inventory import Configuration, load
from monitor.station import doctor
from monitor.station.doctor import Finding, Verdict, examine
from tests.actions.builders import Lookout
from tests.conftest import SteppingClock

FILE = """
site: {{name: Nodored{url}}}
data: {data}
groups: [{{id: hosting, name: {{es: Hosting, en: Hosting}}}}]
servers: [{{id: gye1, group: hosting, host: 127.0.0.1, checks: [tcp: 22]}}]
"""
Configure = Callable[..., Configuration]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    def write(url: str = "", more: str = "", data: Path = tmp_path) -> Configuration:
        path = tmp_path / "servers.yaml"
        path.write_text(FILE.format(url=url, data=data) + more, encoding="utf-8")
        return load(path, environment={})

    return write


def found(configuration: Configuration, clock: SteppingClock) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(lambda: configuration, clock)}


def test_a_sound_installation_is_fine_in_every_respect(
    configure: Configure, lookout: Lookout, clock: SteppingClock
):
    lookout.bureau.publish("", "")
    loaded = configure(", url: 'https://estado.nodored.test'", "notify: {operators: ['json://127.0.0.1/']}\n")
    findings = found(loaded, clock)
    for subject in ("configuration", "site.url", "notify.operators", "database", "watch"):
        assert findings[subject].verdict is Verdict.FINE, findings[subject]
    assert "integrity check: ok" in findings["database"].detail


def test_what_is_unwise_is_warned_of(configure: Configure, lookout: Lookout, clock: SteppingClock):
    lookout.clock.step(timedelta(minutes=10))
    findings = found(configure(), clock)
    for subject, remedy in (
        ("site.url", "https"),
        ("notify.operators", "add an Apprise URL"),
        ("watch", "vigia run"),
    ):
        assert findings[subject].verdict is Verdict.WARNING, findings[subject]
        assert remedy in findings[subject].detail


def test_an_installation_that_never_ran_is_told_to_run(
    configure: Configure, tmp_path: Path, clock: SteppingClock
):
    findings = found(configure(data=tmp_path / "var"), clock)
    assert "`vigia run` makes it" in findings["data"].detail
    assert "`vigia run` makes it" in findings["database"].detail
    assert not (tmp_path / "var").exists()


def test_a_wrong_configuration_is_broken_and_ends_the_examination(clock: SteppingClock):
    def refuse() -> Configuration:
        raise RefusedError("line 3: no such key")

    last = examine(refuse, clock)[-1]
    assert (last.subject, last.verdict, last.detail) == (
        "configuration",
        Verdict.BROKEN,
        "line 3: no such key",
    )


def test_a_damaged_database_is_broken(configure: Configure, tmp_path: Path, clock: SteppingClock):
    (tmp_path / "vigia.db").write_bytes(b"x" * 5000)
    finding = found(configure(), clock)["database"]
    assert finding.verdict is Verdict.BROKEN


def test_a_disk_over_a_network_is_broken(
    configure: Configure, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
):
    kind = doctor._file_system(Path("/"))
    assert kind
    monkeypatch.setattr(doctor, "_NETWORK_FILE_SYSTEMS", {doctor._file_system(configure().settings.data)})
    finding = found(configure(), clock)["data"]
    assert finding.verdict is Verdict.BROKEN
    assert "choose another --data" in finding.detail


def test_a_full_disk_is_broken(configure: Configure, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_LEAST_FREE", 1.1)
    finding = found(configure(), clock)["disk"]
    assert finding.verdict is Verdict.BROKEN
    assert "make room" in finding.detail


def test_a_log_that_nobody_cuts_is_warned_of(
    configure: Configure, lookout: Lookout, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
):
    lookout.see("gye1/http ok")
    monkeypatch.setattr(doctor, "_LARGE_WAL", 0)
    assert "a reader holds an old snapshot" in found(configure(), clock)["wal"].detail


GATEWAY, FAR, NAMES = (
    "{ping: 192.0.2.1}",
    "{tcp: '198.51.100.1:53'}",
    "{dns: {name: a.test, server: 192.0.2.2}}",
)


@pytest.mark.parametrize(
    ("sentinels", "verdict", "told"),
    [
        ("", Verdict.WARNING, "name a gateway"),
        (f"{GATEWAY}, {FAR}", Verdict.WARNING, "name at least 3"),
        (f"{FAR}, {FAR}, {FAR}", Verdict.WARNING, "all tcp"),
        (f"{GATEWAY}, {FAR}, {NAMES}", Verdict.FINE, "3: dns, ping, tcp"),
    ],
)
def test_too_few_sentinels_are_warned_of(
    configure: Configure, clock: SteppingClock, sentinels: str, verdict: Verdict, told: str
):
    finding = found(configure(more=f"sentinels: [{sentinels}]\n"), clock)["sentinels"]
    assert finding.verdict is verdict
    assert told in finding.detail


def test_holidays_that_nobody_knows_and_a_head_that_cannot_be_told_are_named(
    configure: Configure, clock: SteppingClock
):
    promises = "support: {{hours: {{holidays: {country}}}, departments: [{{id: soporte, name: Soporte, head: '{head}'}}]}}\n"
    sound = found(configure("", promises.format(country="EC", head="json://127.0.0.1/")), clock)
    assert sound["support.hours.holidays"].detail == "EC: 12 in 2026"
    assert sound["support.departments.soporte.head"] == Finding(
        subject="support.departments.soporte.head", verdict=Verdict.FINE, detail="json"
    )

    unsound = found(configure("", promises.format(country="EC-ZZ", head="nothing://secreto/")), clock)
    assert unsound["support.hours.holidays"].verdict is Verdict.WARNING
    assert "none of its days is free" in unsound["support.hours.holidays"].detail
    head = unsound["support.departments.soporte.head"]
    assert head.verdict is Verdict.BROKEN
    assert "secreto" not in head.detail
