"""When a drill ends by itself, how it is judged, and when operators should miss one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.incidents.drill import PATIENCE, Course, Move, Step, next_move, overdue_since

START = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
LENGTH = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
UNTIL = START + LENGTH


def course(*taken: Step, spared: tuple[Step, ...] = ()) -> Course:
    return Course(
        taken={step: START + place * SECOND for place, step in enumerate(taken)},
        until=UNTIL,
        spared=frozenset(spared),
    )


BEGUN = (Step.CONFIRMED,)
SHOWN = (*BEGUN, Step.TICKET_OPENED, Step.READ_BACK, Step.TOLD)
ENDED = (*SHOWN, Step.RESOLVED)


@pytest.mark.parametrize(
    ("known", "at", "move"),
    [
        (course(*BEGUN), START, Move.WAIT),
        (course(*SHOWN[:-1]), UNTIL - SECOND, Move.WAIT),
        (course(*SHOWN[:-1]), UNTIL, Move.END),
        (course(*BEGUN), UNTIL, Move.END),
        (course(*SHOWN), START + 4 * SECOND, Move.END),
        (course(*SHOWN[:-1], spared=(Step.TOLD, Step.TOLD_OVER)), START + 4 * SECOND, Move.END),
        (course(*ENDED), START + 5 * SECOND, Move.WAIT),
        (course(*Step), START + 7 * SECOND, Move.JUDGE),
        (course(*ENDED, Step.TICKET_CLOSED, spared=(Step.TOLD_OVER,)), START + 7 * SECOND, Move.JUDGE),
        (course(*ENDED), UNTIL + PATIENCE - SECOND, Move.WAIT),
        (course(*ENDED), UNTIL + PATIENCE, Move.JUDGE),
    ],
)
def test_a_drill_ends_once_it_has_shown_what_it_can(known: Course, at: datetime, move: Move):
    assert next_move(known, at) is move


def test_one_that_ended_late_has_its_patience_from_then_on():
    late = Course(taken={Step.CONFIRMED: START, Step.RESOLVED: UNTIL + LENGTH}, until=UNTIL)
    assert next_move(late, UNTIL + LENGTH + PATIENCE - SECOND) is Move.WAIT
    assert next_move(late, UNTIL + LENGTH + PATIENCE) is Move.JUDGE


def test_what_nothing_asks_for_is_not_missing():
    assert course(*ENDED, spared=(Step.TOLD_OVER,)).missing == (Step.TICKET_CLOSED,)
    assert course(*Step).missing == ()


@pytest.mark.parametrize(
    ("expected", "last", "since"),
    [
        (START, None, START + LENGTH),
        (START, START - LENGTH, START + LENGTH),
        (START, START + SECOND, START + SECOND + LENGTH),
    ],
)
def test_before_the_first_success_it_counts_from_when_drills_were_expected(expected, last, since):
    assert overdue_since(expected, last, LENGTH) == since
