"""Looks at time servers: a real one, and some that tell what no clock should."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from monitor.checks.ntp import NtpOptions, judged
from monitor.checks.wire.sntp import Answer, Comparison, answer_of, compared, question, stamp_of
from monitor.errors import RefusedError
from monitor.observation import Cause, Observation, Outcome
from tests.servers import peers
from tests.servers.certificates import wall_time
from tests.servers.clocks import Answers, Chrony, Telling, liar
from tests.servers.looking import check_of, looker, plan_of

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def ask(folder: Path, port: int, seconds: float = 3, **options: Any) -> Observation:
    async def main() -> Observation:
        async with looker(folder) as looking:
            return await looking.look("ntp", {"host": "ok.test", "port": port, **options}, seconds=seconds)

    return uvloop.run(main())


def ask_liar(folder: Path, answers: Answers, seconds: float = 3, **options: Any) -> Observation:
    async def main() -> Observation:
        async with liar(answers) as found, looker(folder) as looking:
            given_options = {"host": "ok.test", "port": found.port, **options}
            return await looking.look("ntp", given_options, seconds=seconds)

    return uvloop.run(main())


def measured(seen: Observation) -> dict[str, float]:
    return {measure.name: measure.value for measure in seen.measures}


def tells(*, ahead: timedelta = timedelta(0), **changes: Any) -> Answers:
    """Answer at once by a clock that is so much ahead."""

    def answers(nonce: int) -> list[bytes]:
        moment = wall_time() + ahead
        return [Telling(received=moment, sent=moment, **changes).packet(nonce)]

    return answers


@pytest.mark.system("chronyd")
def test_a_real_server_agrees_with_us_until_it_is_stopped(tmp_path: Path) -> None:
    chrony = Chrony(tmp_path, stratum=5)
    chrony.start()
    try:
        seen = ask(tmp_path, chrony.port)
        assert (seen.outcome, seen.found, seen.address) == (Outcome.OK, "", "127.0.0.1")
        assert set(seen.phases) == {"name", "first_byte", "total"}
        figures = measured(seen)
        assert set(figures) == {"offset_seconds", "round_trip_seconds", "stratum"}
        assert abs(figures["offset_seconds"]) < 1
        assert 0 <= figures["round_trip_seconds"] < 1
        assert figures["stratum"] == 5
        warned = ask(tmp_path, chrony.port, stratum=3)
        assert (warned.outcome, warned.found) == (Outcome.WARN, "stratum 5, expected 3 or less")
    finally:
        chrony.stop()
    stopped = ask(tmp_path, chrony.port)
    assert (stopped.outcome, stopped.cause) == (Outcome.DOWN, Cause.REFUSED)


@pytest.mark.system("chronyd")
def test_a_real_server_that_knows_no_time_is_down(tmp_path: Path) -> None:
    chrony = Chrony(tmp_path, local=False)
    chrony.start()
    try:
        seen = ask(tmp_path, chrony.port)
    finally:
        chrony.stop()
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.found == "is not synchronised itself"


@pytest.mark.system("chronyd")
def test_the_line_to_repeat_it_sees_the_same(tmp_path: Path) -> None:
    async def main(line: str) -> tuple[int, str]:
        run = await asyncio.create_subprocess_shell(
            line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await run.communicate()
        return run.returncode or 0, output.decode()

    chrony = Chrony(tmp_path)
    line = check_of(plan_of("ntp", {"port": chrony.port})).reproduce(timeout=timedelta(seconds=10))
    chrony.start()
    try:
        status, said = asyncio.run(main(line))
    finally:
        chrony.stop()
    assert status == 0, said
    assert "System clock wrong by" in said
    assert asyncio.run(main(line.replace("-t 10", "-t 2")))[0] == 1


@pytest.mark.parametrize(
    ("ahead", "options", "outcome", "found"),
    [
        (0.0, {}, Outcome.OK, ""),
        (0.5, {}, Outcome.OK, ""),
        (300.0, {}, Outcome.WARN, " s ahead of ours, expected within 1s"),
        (-300.0, {}, Outcome.WARN, " s behind ours, expected within 1s"),
        (300.0, {"offset": "10m"}, Outcome.OK, ""),
        (300.0, {"fail": "1m"}, Outcome.DOWN, " s ahead of ours, expected within 1m"),
        (-300.0, {"fail": "1h"}, Outcome.WARN, " s behind ours, expected within 1s"),
        (-3e9, {"fail": "1h"}, Outcome.DOWN, " s ahead of ours, expected within 1h"),
    ],
)
def test_a_clock_that_differs_from_ours_is_told(
    tmp_path: Path, ahead: float, options: dict[str, Any], outcome: Outcome, found: str
) -> None:
    """Three thousand million seconds ago is the era before, which a clock of 64 bits cannot tell from the one to come."""
    seen = ask_liar(tmp_path, tells(ahead=timedelta(seconds=ahead)), **options)
    assert seen.outcome is outcome
    assert seen.cause is (None if outcome is Outcome.OK else Cause.CONTENT)
    assert seen.found.endswith(found)
    if abs(ahead) < 1e9:
        assert measured(seen)["offset_seconds"] == pytest.approx(ahead, abs=1)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"leap": 3}, "is not synchronised itself"),
        ({"stratum": 16}, "is not synchronised itself"),
        ({"stratum": 0, "reference": b"RATE"}, "tells no time: RATE"),
        ({"stratum": 0, "reference": b"INIT", "leap": 3}, "tells no time: INIT"),
        ({"stratum": 0, "reference": bytes(4)}, "is not synchronised itself"),
    ],
)
def test_a_clock_that_does_not_know_the_time_is_down(
    tmp_path: Path, changes: dict[str, Any], found: str
) -> None:
    seen = ask_liar(tmp_path, tells(**changes))
    assert (seen.outcome, seen.cause, seen.found) == (Outcome.DOWN, Cause.PROTOCOL, found)


@pytest.mark.parametrize(
    "answers",
    [
        tells(nonce=7),
        tells(mode=3),
        tells(mode=5),
        lambda _nonce: [b"", b"x", b"HTTP/1.1 400 Bad Request", bytes(48), bytes(4000)],
    ],
    ids=["another number", "a question", "broadcast", "noise"],
)
def test_what_does_not_answer_us_is_passed_over(tmp_path: Path, answers: Answers) -> None:
    alone = ask_liar(tmp_path, answers, seconds=0.6)
    assert (alone.outcome, alone.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert alone.found == "what came does not answer our question"
    honest = tells()
    seen = ask_liar(tmp_path, lambda nonce: [*answers(nonce), *honest(nonce)])
    assert seen.outcome is Outcome.OK


def test_a_flood_is_ended(tmp_path: Path) -> None:
    seen = ask_liar(tmp_path, lambda _nonce: [b"flood"] * 1000, seconds=20)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.PROTOCOL)
    assert seen.took_ms < 19_000


def test_a_lost_datagram_is_asked_for_again(tmp_path: Path) -> None:
    honest, asked = tells(), []

    def answers(nonce: int) -> list[bytes]:
        asked.append(nonce)
        return list(honest(nonce)) if len(asked) == 3 else []

    assert ask_liar(tmp_path, answers, seconds=1.5).outcome is Outcome.OK
    assert len(set(asked)) == 3


def test_silence_is_down_in_time(tmp_path: Path) -> None:
    seen = ask_liar(tmp_path, lambda _nonce: [], seconds=0.5)
    assert (seen.outcome, seen.cause) == (Outcome.DOWN, Cause.TIMEOUT_FIRST_BYTE)
    assert seen.found == "no answer within 0.5 s"
    assert seen.took_ms < 4000
    assert {"name", "total"} == set(seen.phases)


def test_a_closed_port_is_refused(tmp_path: Path) -> None:
    seen = ask(tmp_path, peers.refused_port())
    assert (seen.outcome, seen.cause, seen.address) == (Outcome.DOWN, Cause.REFUSED, "127.0.0.1")


def test_a_question_tells_nothing_of_ourselves(tmp_path: Path) -> None:
    """Not even our time: it could tell one machine from others."""
    asked: list[bytes] = []

    async def main() -> None:
        async with liar(tells()) as found, looker(tmp_path) as looking:
            await looking.look("ntp", {"host": "ok.test", "port": found.port})
            asked.extend(found.asked)

    uvloop.run(main())
    assert asked[0][:40] == b"\x23" + bytes(39)
    assert len(asked[0]) == 48


def test_a_slow_way_is_no_wrong_clock() -> None:
    """Where the answer took four seconds, two of them may be the way and none the clock."""
    answer = Answer(stratum=2, synchronised=True, kiss="", received=0, sent=0)
    slow = judged(answer, Comparison(offset=2.5, round_trip=4.0), NtpOptions(host="h"))
    assert slow.outcome is Outcome.OK
    wrong = judged(answer, Comparison(offset=3.5, round_trip=4.0), NtpOptions(host="h"))
    assert wrong.found == "its clock is 3.500 s ahead of ours, expected within 1s"


def test_a_check_warns_before_it_fails() -> None:
    with pytest.raises(RefusedError, match=r"fail \(500ms\) is shorter than offset \(1s\)"):
        check_of(plan_of("ntp", {"fail": "500ms"}))


@given(
    there=st.floats(0, 5),
    back=st.floats(0, 5),
    thinking=st.floats(0, 1),
    offset=st.floats(-1e8, 1e8),
    asked_after=st.timedeltas(timedelta(days=-20_000), timedelta(days=20_000)),
)
def test_the_difference_is_known_to_half_of_the_way(
    there: float, back: float, thinking: float, offset: float, asked_after: timedelta
) -> None:
    """Whenever it is asked, over the turn of 2036 as well, and whatever part of the way is the way there."""
    asked_at = NOW + asked_after
    arrives = asked_at + timedelta(seconds=there + offset)
    told = Telling(received=arrives, sent=arrives + timedelta(seconds=thinking))
    read = answer_of(told.packet(9))
    assert read is not None
    nonce, answer = read
    found = compared(answer, asked_at, there + thinking + back)
    assert nonce == 9
    assert found.round_trip == pytest.approx(there + back, abs=1e-4)
    assert abs(found.offset - offset) <= found.round_trip / 2 + 1e-4
    assert found.surely <= abs(offset) + 1e-4


def test_a_moment_travels_as_the_time_since_1900() -> None:
    assert stamp_of(datetime(1900, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)) == 3 << 31
    assert stamp_of(datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC)) == 0
    assert len(question(2**64 - 1)) == 48
