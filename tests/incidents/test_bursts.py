"""When many servers fail together, and when they are told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.health.rollup import standing
from monitor.health.state import Doubt, Health
from monitor.health.words import CheckImpact, Service, State
from monitor.identifiers import ServerId
from monitor.incidents.bursts import SPAN, Waiting, bursts, failed_since, onset, ready, too_many
from tests.incidents.builders import NOON, health

SECOND = timedelta(seconds=1)
LATER = 4


def at(seconds: float) -> datetime:
    return NOON + seconds * SECOND


def onsets(*seconds: float) -> dict[ServerId, datetime]:
    return {ServerId(f"s{number}"): at(second) for number, second in enumerate(seconds)}


def test_more_than_five_and_more_than_three_in_ten_are_too_many():
    assert [too_many(total) for total in (3, 10, 20, 500)] == [5, 5, 6, 150]
    assert bursts(onsets(0, 1, 2, 3, 4), 12) == ()
    (burst,) = bursts(onsets(0, 1, 2, 3, 4, 9), 12)
    assert (len(burst.servers), burst.tripped_at) == (6, at(9))
    assert bursts(onsets(*range(6)), 20) == ()


def test_a_minute_is_the_measure():
    assert bursts(onsets(0, 15, 30, 45, 59, 61), 12) == ()
    assert len(bursts(onsets(0, 15, 30, 45, 59, 60), 12)) == 1


def test_a_burst_goes_on_while_others_follow_at_its_pace():
    rolling = onsets(*(10 * number for number in range(20)))
    (burst,) = bursts(rolling, 12)
    assert burst.servers == rolling.keys()
    assert burst.tripped_at == at(50)


def test_one_that_follows_much_later_is_no_part_of_it():
    (burst,) = bursts(onsets(0, 1, 2, 3, 4, 5, 200), 12)
    assert ServerId("s6") not in burst.servers


def test_two_bursts_are_two():
    found = bursts(onsets(*range(6), *range(600, 606)), 12)
    assert [burst.tripped_at for burst in found] == [at(5), at(605)]
    assert not found[0].servers & found[1].servers


moments = st.lists(st.integers(0, 600), max_size=40).map(lambda seconds: onsets(*seconds))


def in_a_crowd(name: ServerId, known: Mapping[ServerId, datetime], most: float) -> bool:
    """The rule itself: some minute that holds this server's onset holds too many."""
    own = known[name]
    starts = [began for began in known.values() if own - SPAN <= began <= own]
    return any(sum(start <= began <= start + SPAN for began in known.values()) > most for start in starts)


@given(moments, st.integers(1, 60))
def test_a_server_belongs_to_a_burst_exactly_when_too_many_begin_within_a_minute_of_it(known, total: int):
    found = bursts(known, total)
    crowded = {name for name in known if in_a_crowd(name, known, too_many(total))}
    assert {name for burst in found for name in burst.servers} == crowded
    assert sum(len(burst.servers) for burst in found) == len(crowded), "nobody is in two"
    assert all(len(burst.servers) > too_many(total) for burst in found)


class TestOnset:
    def test_a_suspicion_counts_from_its_first_look(self):
        doubted = replace(
            health("http", "up"),
            state=State.SUSPECT,
            streak_since=at(5),
            doubts=(Doubt(level=3, at=at(5)),),
        )
        assert onset([_standing(doubted)]) == at(5)
        assert onset([_standing(doubted), _standing(health("smtp", "down", at(2)))]) == at(2)

    def test_a_warning_for_the_staff_does_not(self):
        noted = replace(
            health("tls", "up"), state=State.SUSPECT, streak_since=at(5), doubts=(Doubt(level=1, at=at(5)),)
        )
        assert onset([_standing(noted), _standing(health("http", "up"))]) is None

    def test_what_customers_do_not_notice_does_not(self):
        assert onset([_standing(health("http", "down"), CheckImpact.NONE)]) is None


def _standing(one: Health, impact: CheckImpact = CheckImpact.OUTAGE):
    return standing(one, impact=impact, service=Service.WEB, kind=one.check.check)


class TestReady:
    def test_all_are_told_of_together_once_each_was_seen_again(self):
        waits = [Waiting(server=ServerId(name), since=NOON, seen_again=name != "c") for name in "abc"]
        assert ready(waits, at(20)) == frozenset()
        assert ready([replace(one, seen_again=True) for one in waits], at(20)) == {"a", "b", "c"}

    def test_after_a_minute_nobody_waits_for_the_others(self):
        waits = [
            Waiting(server=ServerId("old"), since=NOON, seen_again=False),
            Waiting(server=ServerId("seen"), since=at(30), seen_again=True),
            Waiting(server=ServerId("new"), since=at(50), seen_again=False),
        ]
        assert ready(waits, at(59)) == frozenset()
        assert ready(waits, at(60)) == {"old", "seen"}

    def test_a_good_look_in_between_is_no_confirmation(self):
        failing = replace(health("http", "down"), looked_at=at(LATER))
        assert failed_since(failing, NOON)
        assert not failed_since(failing, at(LATER))
        assert not failed_since(replace(failing, state=State.RECOVERING), NOON)
