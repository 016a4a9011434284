"""`vigia backtest`: what another configuration would have told of the past."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Installation, Vigia


@pytest.fixture
def patient(installation: Installation, tmp_path: Path) -> Path:
    """The configuration in force with more attempts, another rhythm and one more check; a fault of three looks lies behind."""
    installation.lookout.all_well()
    text = installation.config.read_text(encoding="utf-8")
    path = tmp_path / "patient.yaml"
    path.write_text(
        text.replace("servers:", "defaults: {every: 5m, confirm: {attempts: 5}}\nservers:", 1)
        + "      - ping\n",
        encoding="utf-8",
    )
    return path


def rehearse(vigia: Vigia, config: Path, installation: Installation, *words: str):
    return vigia("backtest", "--config", config, "--data", installation.data, *words)


def test_a_person_reads_figures_differences_and_what_could_not_be_judged(
    vigia: Vigia, installation: Installation, patient: Path
):
    answer = rehearse(vigia, patient, installation)
    assert (answer.status, answer.err) == (0, "")
    assert "1 servers, 2 checks, 9 looks" in answer.out
    rows = [re.split(r" {2,}", line.strip()) for line in answer.out.splitlines()]
    assert ["incidents", "1", "0"] in rows
    assert ["time in incidents", "45 s", "0 s"] in rows
    assert ["time to confirm, median", "30 s", "–"] in rows
    (avoided,) = [row for row in rows if row[0] == "avoided"]
    assert avoided[1:3] == ["gye1", "tcp"]
    assert re.fullmatch(r"major [-0-9]+ [:0-9]+, 45 s, known after 30 s", avoided[3])
    assert "Not judged, since nobody has looked yet: gye1/ping\n" in answer.out
    assert "made otherwise than the file asks for: gye1/http (every), gye1/tcp (every)\n" in answer.out


def test_a_program_reads_the_same_as_json(vigia: Vigia, installation: Installation, patient: Path):
    document = rehearse(vigia, patient, installation, "--json", "--since", "12h").document
    assert {name: document[name] for name in ("servers", "checks", "looks")} == {
        "servers": 1,
        "checks": 2,
        "looks": 9,
    }
    assert document["in_force"] == {
        "incidents": 1,
        "reopened": 0,
        "warnings": 0,
        "failures": 1,
        "delay_seconds": {"median": 30.0125, "worst": 30.0125},
        "flapping": [],
    }
    assert document["proposed"]["delay_seconds"] == {"median": None, "worst": None}
    (difference,) = document["differences"]
    (alarm,) = difference.pop("in_force")
    assert difference == {"what": "avoided", "server": "gye1", "audience": "public", "proposed": []}
    assert (alarm["checks"], alarm["impact"], alarm["reopened"]) == (["gye1/tcp"], "major", 0)
    times = [alarm[name] for name in ("started_at", "opened_at", "ended_at")]
    assert times == sorted(times)
    assert alarm["resolved_at"] is None
    assert document["not_judged"] == {"only_in_force": [], "only_proposed": ["gye1/ping"]}
    assert document["looked_at_otherwise"][0] == {"check": "gye1/http", "keys": ["every"]}


def test_the_file_in_force_tells_what_was_told(vigia: Vigia, installation: Installation):
    answer = rehearse(vigia, installation.config, installation)
    assert "Both would have told the same.\n" in answer.out


def test_nothing_is_written(vigia: Vigia, installation: Installation, patient: Path):
    before = installation.lookout.kinds()
    version = installation.database.outside_version()
    rehearse(vigia, patient, installation)
    assert installation.database.outside_version() == version
    assert installation.lookout.kinds() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--since", "a while"), "'a while' is no duration"),
        (("--since", "0d"), "look back for at least a moment"),
        (("--since", "99999d"), "ten years at most"),
    ],
)
def test_a_time_that_is_none_is_refused(vigia: Vigia, installation: Installation, words, sentence):
    answer = rehearse(vigia, installation.config, installation, *words)
    assert answer.status == 2
    assert sentence in answer.err


def test_a_server_that_is_not_there_is_named(vigia: Vigia, installation: Installation):
    answer = rehearse(vigia, installation.config, installation, "--server", "nowhere")
    assert (answer.status, answer.out) == (1, "")
    assert "'nowhere'" in answer.err
