"""When too many incidents are opened at once for a ticket each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.identifiers import IncidentId
from monitor.incidents.storms import Opening, mass_of

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def masses(seconds: Sequence[float]) -> list[str | None]:
    """Return for incidents that are opened so many seconds after the start whose ticket tells of each, by their numbers."""
    opened: list[Opening] = []
    for number, second in enumerate(seconds):
        name, moment = IncidentId(str(number)), START + timedelta(seconds=second)
        opened.append(Opening(id=name, at=moment, mass=mass_of(opened, name, moment)))
    return [one.mass for one in opened]


def test_ten_in_a_minute_have_a_ticket_each() -> None:
    assert masses([0.0] * 10) == [None] * 10


def test_the_eleventh_has_a_ticket_for_all_that_follow() -> None:
    assert masses([0.0] * 13) == [None] * 10 + ["10"] * 3


def test_a_minute_counts_to_the_moment() -> None:
    assert masses([0.0] * 10 + [59.999])[-1] == "10"
    assert masses([0.0] * 10 + [60.0])[-1] is None


def test_a_storm_goes_on_for_as_long_as_others_follow_at_that_pace() -> None:
    told = masses([5.0 * number for number in range(40)])
    assert told == [None] * 10 + ["10"] * 30


def test_after_a_calm_the_next_storm_has_a_ticket_of_its_own() -> None:
    told = masses([0.0] * 12 + [300.0] * 12)
    assert told == [None] * 10 + ["10"] * 2 + [None] * 10 + ["22"] * 2


def test_what_a_clock_that_was_wrong_dated_ahead_is_no_neighbour() -> None:
    assert masses([900.0] * 12 + [0.0])[-1] is None


@given(st.lists(st.floats(0, 600), max_size=60).map(sorted))
def test_whatever_comes_no_minute_has_more_than_eleven_tickets(seconds: list[float]) -> None:
    told = masses(seconds)
    opening = [moment for place, moment in enumerate(seconds) if told[place] in (None, str(place))]
    for moment in opening:
        assert sum(1 for other in opening if moment - 60 < other <= moment) <= 11
    # A mass is only ever told of by its first.
    assert all(told[int(mass)] == mass for mass in told if mass is not None)
