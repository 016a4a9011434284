"""What plugins print: lines that real ones print, and the corners of the contract."""

from __future__ import annotations

import pytest

from monitor.checks.plugins.perfdata import name_of, read_output
from monitor.observation import Measure


def measures(figures: str) -> list[tuple[str, float, str]]:
    return [(one.name, one.value, one.unit) for one in read_output(f"OK |{figures}").measures]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (
            "time=0.016406s;;;0.000000;10.000000 size=412B;;;0",
            [("time", 0.016406, "seconds"), ("size", 412.0, "bytes")],
        ),
        ("load1=0.250;8.000;16.000;0; load5=0.1;;", [("load1", 0.25, ""), ("load5", 0.1, "")]),
        ("rta=1.100000ms;3000;5000;0.0 pl=0%;80;100;0", [("rta", 0.0011, "seconds"), ("pl", 0.0, "percent")]),
        ("'/var log'=12MB;;;; /=3GiB;;;;", [("var_log", 12e6, "bytes"), ("root", 3 * 1024.0**3, "bytes")]),
        ("/=27046969344B;65;81;0;81897848832", [("root", 27046969344.0, "bytes")]),
        (
            "a=1us b=2ns c=3KB d=4KiB e=5TB",
            [
                ("a", 1e-6, "seconds"),
                ("b", 2e-9, "seconds"),
                ("c", 3e3, "bytes"),
                ("d", 4096.0, "bytes"),
                ("e", 5e12, "bytes"),
            ],
        ),
        (
            "packets=123c temp=21,5C x=-.5 y=+1e3",
            [("packets", 123.0, ""), ("temp", 21.5, ""), ("x", -0.5, ""), ("y", 1000.0, "")],
        ),
        ("'it''s'=1 'a=b'=2", [("it_s", 1.0, ""), ("a_b", 2.0, "")]),
        ("offset=U;;;; empty= x nothing =3 =4", []),
        ("nan=nan inf=inf big=1e999 1=5", [("m_1", 5.0, "")]),
        ("A-b=1 a_B=2 'a b'=3", [("a_b", 1.0, ""), ("a_b_2", 2.0, ""), ("a_b_3", 3.0, "")]),
        ("'open=1 closed=2", [("closed", 2.0, "")]),
        ("a=1;2;3;4;5 b=2~:3", [("a", 1.0, ""), ("b", 2.0, "")]),
    ],
)
def test_figures_become_measures_in_base_units(figures: str, expected: list[tuple[str, float, str]]) -> None:
    assert measures(figures) == [(name, pytest.approx(value), unit) for name, value, unit in expected]


def test_lines_for_people_and_figures_of_both_parts_are_told_apart() -> None:
    printed = read_output(
        "DISK OK - free space: / 3326 MB | /=2643MB;5948\n/ 15272 MB;\n/boot 68 MB; | /boot=68MB;88\n/home=69357MB;253404\n"
    )
    assert printed.line == "DISK OK - free space: / 3326 MB"
    assert printed.text == "DISK OK - free space: / 3326 MB \n/ 15272 MB;\n/boot 68 MB;"
    assert [one.name for one in printed.measures] == ["root", "boot", "home"]


@pytest.mark.parametrize("output", ["", "\n", "|", " | \n|\n", "'", "|'", "|=", "|'a"])
def test_nothing_is_nothing(output: str) -> None:
    printed = read_output(output)
    assert (printed.line.strip("'"), printed.measures) == ("", ())


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("/", "root"),
        ("/var/log", "var_log"),
        ("C:\\ Space", "c_space"),
        ("5min", "m_5min"),
        ("Größe", "gr_e"),
        ("%", "value"),
        ("_", "value"),
        ("x" * 99, "x" * 63),
        ("x" * 62 + "-y", "x" * 62),
    ],
)
def test_any_label_becomes_a_name(label: str, name: str) -> None:
    assert name_of(label) == name


def test_a_thousand_figures_are_cut_off() -> None:
    assert len(measures(" ".join(f"m{number}=1" for number in range(1000)))) == 128
    assert measures("same=1 " * 200)[:2] == [("same", 1.0, ""), ("same_2", 1.0, "")]
    assert Measure("a", 1.0).unit == ""
