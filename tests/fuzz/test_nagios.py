"""What plugins may print."""

from __future__ import annotations

import math
import re
import time

from hypothesis import strategies as st

from monitor.checks.nagios import judged
from monitor.checks.plugins.perfdata import name_of, read_output
from monitor.checks.plugins.running import Ran
from monitor.observation import EXCERPT_LIMIT, MEASURE_NAME
from tests.fuzz.mutating import mutated
from tests.fuzz.survival import survives

_OUTPUTS = (
    "HTTP OK: HTTP/1.1 200 OK - 412 bytes in 0.016 second response time |time=0.016406s;;;0.000000;10.000000 size=412B;;;0\n",
    "DISK OK - free space: / 3326 MB | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n| /boot=68MB;88;93;0;98\n/home=69357MB\n",
    "PING OK | rta=1.1ms;3000;5000;0.0 'packet loss'=0%;80;100;0 'it''s'=U;;\n",
)
_PIECES = st.lists(
    st.sampled_from(["'", "''", "=", "|", " ", ";", "1", "-.5e3", "KB", "%", "\n", "a", "/", "U", "\0"]),
    max_size=60,
).map("".join)


@survives(st.text(max_size=400) | mutated(_OUTPUTS) | _PIECES)
def test_any_output_is_read(output: str) -> None:
    printed = read_output(output)
    assert "\n" not in printed.line
    for one in printed.measures:
        assert re.fullmatch(MEASURE_NAME, one.name)
        assert math.isfinite(one.value)
        assert one.unit in {"", "seconds", "bytes", "percent"}
    assert len({one.name for one in printed.measures}) == len(printed.measures)


@survives(st.text(max_size=200))
def test_any_label_becomes_a_name(label: str) -> None:
    assert re.fullmatch(MEASURE_NAME, name_of(label))


@survives(
    st.text(max_size=100) | mutated(_OUTPUTS),
    st.text(max_size=100),
    st.none() | st.integers(-80, 300),
    st.booleans(),
)
def test_any_end_is_a_look(output: str, errors: str, status: int | None, late: bool) -> None:
    look = judged(Ran(output=output, errors=errors, status=status, late=late))
    assert look.found
    assert len(look.excerpt) <= EXCERPT_LIMIT


def test_no_output_takes_long_to_read() -> None:
    worst = 64 * 1024
    for piece in (
        "'",
        "''",
        "' ",
        "'a",
        "a=",
        "=",
        "a ",
        " ",
        "'' ",
        "1=1 ",
        "|",
        "\n",
        "'=1 ",
        "x" * 99 + " ",
    ):
        began = time.process_time()
        read_output("|" + piece * (worst // len(piece)))
        assert time.process_time() - began < 1, piece
