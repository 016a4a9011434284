"""Every broken file in tests/golden/configuration, with exactly the report that an operator sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.inventory import ConfigurationError, load
from tests.golden.regenerate_configuration import broken_files, report_of


@pytest.mark.parametrize("path", broken_files(), ids=lambda path: path.stem)
def test_a_broken_file_is_told_in_exactly_these_words(path: Path):
    assert report_of(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_expected_report_has_its_file():
    folder = broken_files()[0].parent
    assert {path.stem for path in folder.glob("*.txt")} == {path.stem for path in broken_files()}


def test_a_file_that_is_not_there_is_told_without_a_line(tmp_path: Path):
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "none.yaml", environment={})
    assert str(caught.value) == f"{tmp_path}/none.yaml: there is no such file"


def test_a_directory_is_not_taken_for_a_file(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="this is a directory; expected a YAML file"):
        load(tmp_path, environment={})


def test_a_path_that_no_system_allows_is_told(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "a\0b", environment={})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_the_right_to_read_it_is_told(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    path.write_text("site: {name: Nodored}\n")
    path.chmod(0)
    with pytest.raises(ConfigurationError, match="its rights do not allow it"):
        load(path, environment={})


def test_a_fault_carries_its_parts_for_programs(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    path.write_text(
        "site:\n  name: 24\ngroups: [{id: a, name: A}]\nservers: [{id: a, group: a, checks: [host]}]\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={})
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.column, fault.key) == (str(path), 2, 9, "site.name")
    assert fault.message == "found the number 24; expected a text: put it in quotes"


NONSENSE = {
    "brackets": "[" * 5_000_000,
    "braces": "{" * 5_000_000,
    "dashes": "- " * 2_500_000,
    "references": "site:\n" + "- ${NONE}\n" * 500_000,
    "words": "so much ado " * 420_000,
    "lines": "ado\n" * 1_250_000,
    "colons": "a: b: c\n" * 620_000,
    "an endless quote": '"' + "a" * 5_000_000,
    "an endless number": "site: " + "9" * 5_000_000,
    "an endless rule": "windows: [{rule: " + "every day " * 500_000 + "}]",
    "unknown keys": "".join(f"key{number}: 1\n" for number in range(330_000)),
    "equal keys": "site: 1\n" * 620_000,
    "wrong servers": "servers:\n" + "- 1\n" * 1_200_000,
    "wrong checks": "servers:\n- checks:\n" + "  - 1\n" * 400_000,
    "unknown parents": "servers:\n- depends_on:\n" + "".join(f"  - p{number}\n" for number in range(300_000)),
    "anchors": "".join(f"- &a{number} x\n" for number in range(330_000)),
    "tags": "- !a b\n" * 700_000,
    "nothing but spaces": " " * 5_000_000,
    "zeros": "\0" * 5_000_000,
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_five_megabytes_of_nonsense_give_one_short_report(nonsense: str, tmp_path: Path):
    path = tmp_path / "servers.yaml"
    path.write_text(nonsense)
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={})
    report = str(caught.value)
    assert 1 <= len(report.splitlines()) <= 201
    assert all(len(line) < 1000 for line in report.splitlines())


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    path.write_bytes(b"#" * (16 * 1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than 16 MiB"):
        load(path, environment={})


def test_more_than_two_hundred_faults_are_told_in_two_hundred(tmp_path: Path):
    path = tmp_path / "servers.yaml"
    groups = "".join(f"- {{id: G{number}, name: A}}\n" for number in range(150))
    checks = "  - carrier-pigeon\n" * 150
    path.write_text(f"site: {{name: A}}\ngroups:\n{groups}servers:\n- id: a\n  group: b\n  checks:\n{checks}")
    with pytest.raises(ConfigurationError) as caught:
        load(path, environment={})
    assert len(caught.value.faults) == 200
    assert str(caught.value).splitlines()[-1] == "there are more faults; mend these first"
