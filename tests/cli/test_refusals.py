"""Whatever goes wrong is one clear sentence, and an exit status that tells a bad answer from wrong usage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitor.cli import cli
from monitor.station.lifeline import SUPERVISOR, only_watch
from monitor.station.listening import address_of, listen
from monitor.station.supervisor import REFUSED
from tests.cli.conftest import Installation, Vigia


def paths(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the words of every command and of every group of commands."""
    yield before
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from paths(command, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("words", sorted(paths()), ids=" ".join)
def test_every_command_explains_itself(vigia: Vigia, words: tuple[str, ...]):
    answer = vigia(*words, "--help")
    assert answer.status == 0
    assert "Usage: vigia" in answer.out
    assert answer == vigia(*words, "-h")


def test_the_version_is_told(vigia: Vigia):
    assert vigia("--version").out.startswith("vigia, version ")


READING = [
    ("status",),
    ("incident", "list"),
    ("incident", "show", "01NOBODY"),
    ("ticket", "list"),
    ("ticket", "show", "VG-NO-1"),
    ("desk", "list"),
    ("desk", "reply", "1", "Hola"),
    ("desk", "assign", "1", "ana"),
    ("desk", "close", "1"),
    ("window", "list"),
    ("window", "cancel", "01NOBODY"),
    (
        "window",
        "plan",
        "--server",
        "gye1",
        "--from",
        "2099-01-01 10:00",
        "--until",
        "2099-01-01 11:00",
        "--title",
        "T",
    ),
    ("rebuild",),
]


@pytest.mark.parametrize("words", READING, ids=lambda words: " ".join(words[:2]))
def test_a_data_directory_that_is_not_there_is_named_and_not_made(vigia: Vigia, tmp_path: Path, words):
    answer = vigia(*words, "--data", tmp_path / "nowhere")
    assert (answer.status, answer.out) == (1, "")
    assert "there is no database at" in answer.err
    assert "vigia run" in answer.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "words",
    [*READING, ("run",), ("watch",), ("web",), ("probe", "gye1")],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_configuration_that_is_not_there_is_named(vigia: Vigia, tmp_path: Path, words):
    answer = vigia(*words, "--config", tmp_path / "nothing.yaml")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("vigia: ")
    assert "nothing.yaml" in answer.err


@pytest.mark.parametrize("words", [("validate",), ("status",), ("watch",)])
def test_a_directory_is_no_configuration(vigia: Vigia, tmp_path: Path, words):
    answer = vigia(*words, "--config", tmp_path)
    assert answer.status == 1
    assert str(tmp_path) in answer.err


def test_a_wrong_file_is_told_as_json_too(vigia: Vigia, tmp_path: Path):
    answer = vigia("validate", tmp_path, "--json")
    assert answer.status == 1
    assert answer.document["valid"] is False


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("watsch",),
        ("status", "--nonsense"),
        ("status", "too", "many"),
        ("incident",),
        ("incident", "show"),
        ("desk", "reply", "1"),
        ("desk", "reply", "one", "Hola"),
        ("desk", "reply", "0", "Hola"),
        ("desk", "close", "99999999999999999999"),
        ("window", "plan"),
        ("probe",),
    ],
    ids=" ".join,
)
def test_wrong_usage_has_a_status_of_its_own(vigia: Vigia, words):
    answer = vigia(*words)
    assert answer.status == 2
    assert "Usage: vigia" in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("incident", "show", "01NOBODY"), "`vigia incident list` shows them"),
        (("ticket", "show", "VG-NO-1"), "`vigia ticket list` shows them"),
        (("window", "cancel", "01NOBODY"), "`vigia window list` shows them"),
        (("desk", "reply", "7", "Hola"), "7"),
        (("desk", "assign", "7", "ana"), "7"),
        (("desk", "close", "7"), "7"),
        (("probe", "gye2"), "did you mean gye1?"),
        (("probe", "completely-else"), "gye1"),
        (("probe", "gye1/smtp"), "it has: http, tcp"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, tuple) else "",
)
def test_what_does_not_exist_is_said_with_a_way_on(
    vigia: Vigia, installation: Installation, words, sentence: str
):
    answer = vigia(*words, *installation.where)
    assert (answer.status, answer.out) == (1, "")
    assert sentence in answer.err


@pytest.mark.parametrize(
    ("starts", "ends", "status", "sentence"),
    [
        ("tomorrow", "2099-01-01 11:00", 2, "write it as '2026-12-01 22:00'"),
        ("2099-01-01 10:00", "2099-13-01 11:00", 2, "--until"),
        ("9999-12-31 23:00", "9999-12-31 23:30", 2, "no date and time"),
        ("2099-01-01 10:00", "2099-01-01 09:00", 1, "ends before it starts"),
        ("2001-01-01 10:00", "2001-01-01 11:00", 1, "over already"),
        ("2099-01-01 10:00", "2099-01-03 10:00", 1, "--yes-longer-than-a-day"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(
    vigia: Vigia, installation: Installation, starts: str, ends: str, status: int, sentence: str
):
    words = ("--server", "gye1", "--from", starts, "--until", ends, "--title", "Discos")
    answer = vigia("window", "plan", *installation.where, *words)
    assert (answer.status, answer.out) == (status, "")
    assert sentence in " ".join(answer.err.split())
    assert installation.lookout.windows() == ()


def test_a_window_of_a_stranger_is_refused(vigia: Vigia, installation: Installation):
    words = ("--from", "2099-01-01 10:00", "--until", "2099-01-01 11:00", "--title", "Discos")
    answer = vigia("window", "plan", "--server", "gye9", *words, *installation.where)
    assert answer.status == 1
    assert "gye9" in answer.err


@pytest.mark.parametrize("command", ["run", "watch"])
def test_a_data_directory_that_cannot_be_written_is_said(
    vigia: Vigia, config: Path, tmp_path: Path, command: str
):
    (tmp_path / "file").write_text("")
    answer = vigia(command, "--config", config, "--data", tmp_path / "file" / "var")
    assert answer.status == 1
    assert "cannot be used as data directory" in answer.err


@pytest.mark.parametrize("command", ["run", "watch"])
def test_a_second_watch_is_refused(vigia: Vigia, config: Path, tmp_path: Path, command: str):
    with only_watch(tmp_path / "var"):
        answer = vigia(command, "--config", config, "--data", tmp_path / "var")
    assert answer.status == 1
    assert "another watch works on" in answer.err


def test_a_refusal_tells_the_supervisor_not_to_try_again(
    vigia: Vigia, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(SUPERVISOR, "1")
    assert vigia("status", "--config", config, "--data", tmp_path / "var").status == REFUSED


def test_an_address_in_use_is_said_with_a_way_on(vigia: Vigia, config: Path, tmp_path: Path):
    with listen("127.0.0.1", 0) as holder:
        answer = vigia("run", "--config", config, "--data", tmp_path / "var", "--listen", address_of(holder))
    assert answer.status == 1
    assert "cannot listen on" in answer.err
    assert "--listen" in answer.err


def test_a_database_of_another_program_is_left_alone(vigia: Vigia, config: Path, tmp_path: Path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "vigia.db").write_bytes(b"not a database, and longer than a header would be" * 40)
    answer = vigia("status", "--config", config, "--data", tmp_path / "var")
    assert answer.status == 1
    assert "database" in answer.err


def test_a_reader_that_has_seen_enough_is_no_failure():
    """`vigia --help | head -1`: the pipe closes before everything is said."""
    line = f"{sys.executable} -m monitor.cli run --help | head -1; exit ${{PIPESTATUS[0]}}"
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0
    assert answer.stderr == ""
