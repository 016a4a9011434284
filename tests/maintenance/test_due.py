"""Which windows move, and whom they keep quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identifiers import ServerId, WindowId
from monitor.maintenance.due import moves, quiet, quiet_until, spans
from monitor.maintenance.window import Window, WindowStage

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GYE1, UIO1 = ServerId("gye1"), ServerId("uio1")


def hour(number: float) -> datetime:
    return NOON + number * HOUR


def window(name: str, start: float, end: float, stage: WindowStage = WindowStage.SCHEDULED, **more) -> Window:
    """Return a window of gye1 by its hours after noon."""
    fields = {"servers": frozenset({GYE1}), "title": {"es": name}, "time_zone": "America/Guayaquil"} | more
    return Window(id=WindowId(name), starts_at=hour(start), ends_at=hour(end), stage=stage, **fields)


@pytest.mark.parametrize(
    ("stage", "at", "starts", "completes"),
    [
        (WindowStage.SCHEDULED, 0.9, False, False),
        (WindowStage.SCHEDULED, 1, True, False),
        (WindowStage.SCHEDULED, 5, True, True),
        (WindowStage.IN_PROGRESS, 1.9, False, False),
        (WindowStage.IN_PROGRESS, 2, False, True),
        (WindowStage.VERIFYING, 2, False, True),
        (WindowStage.COMPLETED, 5, False, False),
        (WindowStage.CANCELLED, 5, False, False),
    ],
)
def test_a_window_starts_and_ends_by_its_plan(stage: WindowStage, at: float, starts: bool, completes: bool):
    planned = window("backups", 1, 2, stage)
    assert moves([planned], hour(at)) == ((planned,) if starts else (), (planned,) if completes else ())


def test_windows_move_in_the_order_of_their_plan():
    later, sooner = window("b", 1, 3), window("a", 0, 3)
    assert moves([later, sooner], hour(2))[0] == (sooner, later)


def test_a_server_is_quiet_from_the_start_of_a_window_until_just_before_its_end():
    planned = window("backups", 1, 2)
    quiet_at = [quiet([planned], GYE1, hour(at)) is not None for at in (0.99, 1, 1.99, 2)]
    assert quiet_at == [False, True, True, False]
    assert quiet([planned], UIO1, hour(1.5)) is None


def test_of_overlapping_windows_the_one_that_ends_last_is_named():
    short, long = window("short", 0, 2), window("long", 1, 4)
    assert quiet([long, short], GYE1, hour(1.5)) == long
    assert quiet([long, short], GYE1, hour(0.5)) == short


def test_a_window_that_was_ended_early_or_cancelled_keeps_nobody_quiet_afterwards():
    ended = window("ended", 0, 4, WindowStage.COMPLETED, started_at=hour(0), ended_at=hour(1))
    cancelled = window("cancelled", 0, 4, WindowStage.CANCELLED)
    assert quiet([ended, cancelled], GYE1, hour(2)) is None
    assert quiet([ended], GYE1, hour(0.5)) == ended
    assert spans([ended, cancelled], GYE1) == ((hour(0), hour(1)),)


def test_touching_windows_are_one_quiet_time():
    assert spans([window("b", 2, 3), window("a", 1, 2), window("c", 5, 6)], GYE1) == (
        (hour(1), hour(3)),
        (hour(5), hour(6)),
    )


def test_quiet_ended_when_the_last_of_overlapping_windows_did():
    windows = [window("a", 0, 2), window("b", 1, 3), window("c", 8, 9)]
    assert quiet_until(windows, GYE1, hour(5)) == hour(3)
    assert quiet_until(windows, GYE1, hour(3)) == hour(3)
    assert quiet_until(windows, GYE1, hour(2.5)) is None
    assert quiet_until(windows, UIO1, hour(5)) is None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=6), st.integers(-1, 30))
def test_the_spans_cover_exactly_the_moments_that_some_window_covers(plan: list[tuple[int, int]], at: int):
    windows = [window(f"w{number}", start, start + lasts) for number, (start, lasts) in enumerate(plan)]
    covered = any(start <= hour(at) < end for start, end in spans(windows, GYE1))
    assert covered is (quiet(windows, GYE1, hour(at)) is not None)
    edges = [edge for span in spans(windows, GYE1) for edge in span]
    assert edges == sorted(set(edges))
